// SPDX-License-Identifier: MIT
#include "pks.h"

#include <errno.h>

struct opts { char *store, *password_file; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	PKS_OPT_PASSWORD(struct opts, password_file),
	PKS_OPT_STORE(struct opts, store),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	AUTO_SECRET struct secret password = { 0 };
	const struct store_ops *ops;
	enum consumer consumer;
	struct device *dev;
	int r = pks_consumer_find(args->argv[0], &consumer, e);

	if (r == 0)
		r = pks_open(hw, o->store, &dev, &ops, e);
	if (r == 0)
		r = pks_give_password(hw, o->password_file, &password, e);
	if (r == 0 && !ops->lock)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' has nothing to lock", dev->id);
	if (r == 0)
		r = ops->lock(dev, consumer, e);
	hw->env.pks_password = NULL;
	return r;
}

const struct cmd cmd_pks_lock = {
	.name = "pks-lock",
	.synopsis = "CONSUMER",
	.summary = "Close a consumer's objects until the next boot",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.complete = { COMPLETE_CONSUMER },
	.needs = NEED_DEVICES,
	.run = run,
};
