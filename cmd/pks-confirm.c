// SPDX-License-Identifier: MIT
#include "pks.h"

#include <errno.h>

struct opts { struct pks_options from; bool removed; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_FLAG(struct opts, removed, "removed", 0, "Confirm that it was removed"),
	PKS_OPTS_OBJECT(struct opts),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	AUTO_PKS_OBJECT struct pks_object n = { 0 };
	int r = pks_open_object(hw, &o->from, args->argv[0], &n, e);

	if (r == 0 && !n.ops->confirm)
		return err_set(e, EOPNOTSUPP, "keystore '%s' cannot tell what is on disk", n.dev->id);
	if (r < 0)
		return r;
	r = n.ops->confirm(n.dev, &n.name, o->removed, e);
	return r < 0 ? pks_failed(&n, e) : 0;
}

const struct cmd cmd_pks_confirm = {
	.name = "pks-confirm",
	.synopsis = "LABEL",
	.summary = "Wait until an object of the platform keystore is on disk",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.complete = { COMPLETE_OBJECT },
	.needs = NEED_DEVICES,
	.run = run,
};
