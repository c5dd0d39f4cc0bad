// SPDX-License-Identifier: MIT
#include "luks.h"

#include <errno.h>

struct unenroll {
	char *header, *slot;
	bool recovery, force_last;
};
CMD_OPTS(struct unenroll);

static const struct opt opts[] = {
	OPT_STR(struct unenroll, slot, "slot", 0, "NUMBER", "Remove this keyslot, whatever opens it"),
	OPT_FLAG(struct unenroll, recovery, "recovery", 0, "Remove the recovery keys"),
	OPT_FLAG(struct unenroll, force_last, "force-last", 0, "Remove it even if nothing opens the volume afterwards"),
	HEADER_OPT(struct unenroll),
	{ 0 }
};

static int what_to_remove(const struct unenroll *o, const struct args *args, struct luks_remove *ret, struct err *e)
{
	char *end;

	*ret = (struct luks_remove){ .slot = -1, .recovery_keep = -1, .recovery = o->recovery,
				      .force_last = o->force_last };
	if ((args->argc > 1) + !!o->slot + o->recovery != 1)
		return err_set(e, EINVAL, "give one of: the name of a key, --slot, --recovery");
	if (args->argc > 1)
		ret->name = args->argv[1];
	if (!o->slot)
		return 0;
	ret->slot = (int)strtoul(o->slot, &end, 10);
	if (*o->slot < '0' || *o->slot > '9' || *end || end - o->slot > 2)
		return err_set(e, EINVAL, "--slot needs a number from 0 to 31, not '%s'", o->slot);
	return 0;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_VOLUME struct volume v = { 0 };
	const struct unenroll *o = values;
	struct luks_remove what;
	int r = what_to_remove(o, args, &what, e);

	if (r == 0)
		r = volume_prepare(hw, NULL, false, &v, e);
	if (r == 0)
		r = volume_open(&v, args->argv[0], o->header, e);
	if (r < 0)
		return r;
	r = v.ops->unenroll(v.luks, &v.source, &what, e);
	return r == -EBUSY ? err_hint(e, "--force-last removes it nevertheless") : r;
}

const struct cmd cmd_luks_unenroll = {
	.name = "luks-unenroll",
	.synopsis = "VOLUME [NAME]",
	.summary = "Remove a key's keyslots and tokens from a LUKS2 volume",
	.opts = opts,
	.min_args = 1, .max_args = 2,
	.complete = { COMPLETE_VOLUME, COMPLETE_KEY },
	.needs = NEED_DEVICES,
	.run = run,
};
