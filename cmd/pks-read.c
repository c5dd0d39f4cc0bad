// SPDX-License-Identifier: MIT
#include "pks.h"

struct opts { char *store, *consumer, *output; bool label_hex, force_tty; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_STR(struct opts, output, "output", 'o', "FILE", "Write to FILE, a new one", .complete = COMPLETE_FILE),
	OPT_FLAG(struct opts, force_tty, "force-tty", 0, "Print even to a terminal"),
	PKS_OPT_STORE(struct opts),
	PKS_OPT_CONSUMER(struct opts),
	PKS_OPT_LABEL_HEX(struct opts),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	AUTO_SECRET struct secret data = { 0 };
	const struct store_ops *ops;
	struct device *dev;
	struct pks_name n;
	int r = pks_name_parse(args->argv[0], o->label_hex, o->consumer, &n, e);

	if (r == 0)
		r = pks_open(hw, o->store, &dev, &ops, e);
	if (r < 0)
		return r;
	r = ops->read(dev, &n.name, &data, e);
	if (r < 0)
		return err_prefix(e, "object '%s'", n.text);
	return write_secret_output(o->output, &data, o->force_tty, e);
}

const struct cmd cmd_pks_read = {
	.name = "pks-read",
	.synopsis = "LABEL",
	.summary = "Read an object of the platform keystore",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.complete = { COMPLETE_OBJECT },
	.needs = NEED_DEVICES,
	.run = run,
};
