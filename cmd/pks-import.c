// SPDX-License-Identifier: MIT
#include "pks.h"

#include <errno.h>
#include <stdio.h>

struct opts { char *store, *tsk_file, *password_file; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	PKS_OPT_TSK(struct opts, tsk_file),
	PKS_OPT_PASSWORD(struct opts, password_file),
	PKS_OPT_STORE(struct opts, store),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	AUTO_SECRET struct secret tsk = { 0 }, password = { 0 };
	AUTO_BLOB struct blob file = { 0 };
	const struct store_ops *ops;
	struct device *dev;
	char receipt[33];
	int r = pks_open(hw, o->store, &dev, &ops, e);

	if (r == 0 && !ops->import)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' cannot take another's place", dev->id);
	if (r == 0)
		r = read_plain_file(args->argv[0], PKS_BACKUP_MAX, &file, e);
	if (r == 0 && o->tsk_file)
		r = read_secret_file(o->tsk_file, PKS_TSK_FILE_MAX, &tsk, e);
	if (r == 0)
		r = pks_give_password(hw, o->password_file, &password, e);
	if (r == 0)
		r = ops->import(dev, &file, o->tsk_file ? &tsk : NULL, receipt, e);
	hw->env.pks_password = NULL;
	if (r < 0)
		return r;
	if (printf("%s\n", receipt) < 0 || fflush(stdout) != 0)
		return err_sys(e, "objects are here, but their receipt cannot be written to standard output");
	note(&hw->env, "where they came from, 'hwkey pks-export --confirm %s' erases them", receipt);
	return 0;
}

const struct cmd cmd_pks_import = {
	.name = "pks-import",
	.synopsis = "FILE",
	.summary = "Move the platform keystore to another system: take it there",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.complete = { COMPLETE_FILE },
	.needs = NEED_DEVICES,
	.run = run,
};
