// SPDX-License-Identifier: MIT
#include "pks.h"

struct opts { struct pks_options from; char *output; bool force_tty; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_STR(struct opts, output, "output", 'o', "FILE", "Write to FILE, a new one", .complete = COMPLETE_FILE),
	OPT_FLAG(struct opts, force_tty, "force-tty", 0, "Print even to a terminal"),
	PKS_OPTS_OBJECT(struct opts),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	AUTO_SECRET struct secret data = { 0 };
	AUTO_PKS_OBJECT struct pks_object n = { 0 };
	int r = pks_open_object(hw, &o->from, args->argv[0], &n, e);

	if (r < 0)
		return r;
	r = n.ops->read(n.dev, &n.name, &data, e);
	return r < 0 ? pks_failed(&n, e) : write_secret_output(o->output, &data, o->force_tty, e);
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
