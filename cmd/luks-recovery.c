// SPDX-License-Identifier: MIT
#include "luks.h"

struct recovery {
	char *header, *key_file, *output;
	bool ask, replace;
};
CMD_OPTS(struct recovery);

static const struct opt opts[] = {
	OPT_FLAG(struct recovery, replace, "replace", 'r', "Remove the volume's other recovery keys afterwards"),
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
	AUTO_SECRET struct secret key = { 0 };
	const struct recovery *o = values;
	struct luks_remove undo = { .recovery_keep = -1 }, others = { .slot = -1, .recovery = true };
	struct err quiet = { 0 };
	int slot, r = volume_prepare(hw, o->key_file, o->ask, &v, e);

	if (r == 0)
		r = volume_open(&v, args->argv[0], o->header, e);
	if (r == 0)
		r = v.ops->recovery(v.luks, &v.auth, &key, &slot, e);
	if (r < 0)
		return r;
	r = recovery_write(o->output, &key, e);
	undo.slot = others.recovery_keep = slot;
	if (r < 0)
		(void)v.ops->unenroll(v.luks, &v.source, &undo, &quiet);	/* nobody will ever know this key */
	else if (o->replace)
		r = v.ops->unenroll(v.luks, &v.source, &others, e);
	return r;
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
