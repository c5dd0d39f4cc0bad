// SPDX-License-Identifier: MIT
#include "cmd.h"

struct values { bool force_tty; };
CMD_OPTS(struct values);

static const struct opt opts[] = {
	OPT_FLAG(struct values, force_tty, "force-tty", 0, "Write binary data even to a terminal"),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct values *o = values;
	AUTO_ENTRY struct entry entry = { 0 };
	AUTO_SECRET struct secret bytes = { 0 };
	int r = repo_read_info(&hw->repo, args->argv[0], &entry, e);

	if (r == 0)
		r = secret_copy(&bytes, entry.token.data, entry.token.len, e);
	return r < 0 ? r : write_secret_output(args->argv[1], &bytes, o->force_tty, e);
}

const struct cmd cmd_export = {
	.name = "export",
	.synopsis = "NAME FILE",
	.summary = "Write a secure key, as it is, to a new file or to standard output ('-')",
	.opts = opts,
	.min_args = 2, .max_args = 2,
	.complete = { COMPLETE_KEY, COMPLETE_FILE },
	.needs = NEED_REPO,
	.run = run,
};
