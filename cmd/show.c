// SPDX-License-Identifier: MIT
#include "keys.h"

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };
	AUTO_OUT struct out *out = NULL;
	struct out_format format = hw->out;
	int r = repo_read(&hw->repo, args->argv[0], &entry, e);

	(void)values;
	format.record = true;
	if (r == 0)
		r = out_open(&out, "keys", key_columns, &format, e);
	if (r == 0)
		r = key_row(hw, out, &entry, e);
	return r < 0 ? r : out_print(out, e);
}

const struct cmd cmd_show = {
	.name = "show",
	.synopsis = "NAME",
	.summary = "Show all that is known of a key",
	.min_args = 1, .max_args = 1,
	.complete = { COMPLETE_KEY },
	.needs = NEED_DEVICES | NEED_REPO | SHOWS,
	.run = run,
};
