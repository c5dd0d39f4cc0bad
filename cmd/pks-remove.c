// SPDX-License-Identifier: MIT
#include "pks.h"

struct opts { char *store, *consumer; bool label_hex; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	PKS_OPT_STORE(struct opts),
	PKS_OPT_CONSUMER(struct opts),
	PKS_OPT_LABEL_HEX(struct opts),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	const struct store_ops *ops;
	struct device *dev;
	struct pks_name n;
	int r = pks_name_parse(args->argv[0], o->label_hex, o->consumer, &n, e);

	if (r == 0)
		r = pks_open(hw, o->store, &dev, &ops, e);
	if (r < 0)
		return r;
	r = ops->remove(dev, &n.name, e);
	return r < 0 ? err_prefix(e, "object '%s'", n.text) : 0;
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
