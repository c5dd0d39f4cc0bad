// SPDX-License-Identifier: MIT
#include "pks.h"

struct opts { struct pks_options from; bool no_wait; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_FLAG(struct opts, no_wait, "no-wait", 0, "Do not wait for the disk: pks-confirm does"),
	PKS_OPTS_OBJECT(struct opts),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	AUTO_PKS_OBJECT struct pks_object n = { 0 };
	int r = pks_open_object(hw, &o->from, args->argv[0], &n, e);

	if (r < 0)
		return r;
	r = n.ops->remove(n.dev, &n.name, o->no_wait ? WRITE_NO_WAIT : 0, e);
	return r < 0 ? pks_failed(&n, e) : 0;
}

const struct cmd cmd_pks_remove = {
	.name = "pks-remove",
	.synopsis = "LABEL",
	.summary = "Remove an object of the platform keystore",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.complete = { COMPLETE_OBJECT },
	.needs = NEED_DEVICES,
	.run = run,
};
