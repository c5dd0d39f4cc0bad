// SPDX-License-Identifier: MIT
#include "cmd.h"

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	(void)values;
	return repo_rename(&hw->repo, args->argv[0], args->argv[1], e);
}

const struct cmd cmd_rename = {
	.name = "rename",
	.synopsis = "NAME NEW-NAME",
	.summary = "Rename a key",
	.min_args = 2, .max_args = 2,
	.complete = { COMPLETE_KEY },
	.needs = NEED_REPO_WRITE,
	.run = run,
};
