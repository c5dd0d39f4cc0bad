// SPDX-License-Identifier: MIT
#include "luks.h"

struct recovery {
	char *header, *key_file, *output;
	bool ask, replace;
};
CMD_OPTS(struct recovery);

static const struct opt opts[] = {
	OPT_FLAG(struct recovery, replace, "replace", 0, "Remove the volume's other recovery keys afterwards"),
	OPT_STR(struct recovery, output, "output", 'o', "FILE", "Write the recovery key to FILE, which must be new",
		.complete = COMPLETE_FILE),
	KEY_FILE_OPT(struct recovery),
	ASK_OPT(struct recovery),
	HEADER_OPT(struct recovery),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_VOLUME struct volume v = { 0 };
	const struct recovery *o = values;
	struct luks_remove others = { .slot = -1, .recovery = true };
	int r = check_secret_output(o->output, true, e);

	if (r == 0)
		r = volume_prepare(hw, o->key_file, o->ask, &v, e);
	if (r == 0)
		r = volume_open(&v, args->argv[0], o->header, e);
	if (r == 0)
		r = recovery_add_and_write(&v, o->output, &others.recovery_keep, e);
	return r < 0 || !o->replace ? r : v.ops->unenroll(v.luks, &v.source, &others, e);
}

const struct cmd cmd_luks_recovery = {
	.name = "luks-recovery",
	.synopsis = "VOLUME",
	.summary = "Add a recovery key to a LUKS2 volume and print it once",
	.opts = opts,
	.min_args = 1, .max_args = 1,
	.complete = { COMPLETE_VOLUME },
	.needs = NEED_DEVICES,
	.run = run,
};
