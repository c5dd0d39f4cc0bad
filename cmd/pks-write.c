// SPDX-License-Identifier: MIT
#include "pks.h"

#include <errno.h>
#include <string.h>

struct opts { struct pks_options from; char *policy; bool replace, no_wait; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_FLAG(struct opts, no_wait, "no-wait", 0, "Do not wait for the disk: pks-confirm does"),
	OPT_FLAG(struct opts, replace, "replace", 0, "Overwrite an object of that label"),
	OPT_STR(struct opts, policy, "policy", 0, "NAME,...", "What it needs, and what is allowed with it",
		.complete = COMPLETE_POLICY),
	PKS_OPTS_OBJECT(struct opts),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	AUTO_SECRET struct secret data = { 0 };
	AUTO_PKS_OBJECT struct pks_object n = { 0 };
	const char *file = args->argc > 1 ? args->argv[1] : "-";
	uint32_t policy;
	int r = pks_policy_parse(o->policy, &policy, e);

	if (r == 0 && !strcmp(file, "-") && o->from.password_file && !strcmp(o->from.password_file, "-"))
		r = err_set(e, EINVAL, "data and password cannot both come from standard input");
	if (r == 0)
		r = pks_open_object(hw, &o->from, args->argv[0], &n, e);
	if (r == 0)
		r = read_secret_file(file, PKS_DATA_MAX, &data, e);
	if (r < 0)
		return r;
	r = n.ops->write(n.dev, &n.name, policy, (o->replace ? WRITE_REPLACE : 0) | (o->no_wait ? WRITE_NO_WAIT : 0),
			 &data, e);
	if (r == -EEXIST)
		(void)err_hint(e, "--replace overwrites it");
	return r < 0 ? pks_failed(&n, e) : 0;
}

const struct cmd cmd_pks_write = {
	.name = "pks-write",
	.synopsis = "LABEL [FILE]",
	.summary = "Write an object to the platform keystore",
	.opts = opts,
	.min_args = 1,
	.max_args = 2,
	.complete = { COMPLETE_OBJECT, COMPLETE_FILE },
	.needs = NEED_DEVICES,
	.run = run,
};
