// SPDX-License-Identifier: MIT
#include "pks.h"

#include <errno.h>
#include <string.h>

struct opts { char *store, *consumer, *password_file, *output; bool generate, force_tty; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_FLAG(struct opts, generate, "generate", 0, "A random one, kept in the user keyring"),
	OPT_STR(struct opts, output, "output", 'o', "FILE", "Write the random one to FILE, too ('-': standard output)",
		.complete = COMPLETE_FILE),
	OPT_FLAG(struct opts, force_tty, "force-tty", 0, "Print it even to a terminal"),
	PKS_OPT_PASSWORD(struct opts, password_file),
	PKS_OPT_CONSUMER(struct opts, consumer),
	PKS_OPT_STORE(struct opts, store),
	{ 0 }
};

static int generate(const struct opts *o, enum consumer c, const struct device *dev, const struct store_ops *ops,
		    struct err *e)
{
	AUTO_SECRET struct secret password = { 0 };
	int r = o->output ? check_secret_output(o->output, o->force_tty, e) : 0;

	if (r == 0)
		r = ops->password(dev, c, NULL, &password, e);
	if (r < 0 || !o->output)
		return r;
	r = write_secret_output(o->output, &password, o->force_tty, e);
	return r < 0 ? err_prefix(e, "the password is set, and in the user keyring") : 0;
}

static int choose(struct hwkey *hw, const struct opts *o, enum consumer c, const struct device *dev,
		  const struct store_ops *ops, struct err *e)
{
	AUTO_SECRET struct secret password = { 0 };
	int r = o->password_file ? pks_read_password(o->password_file, &password, e)
				 : ask_new_secret(&hw->env, "hwkey.pks-new-password", "New password of the consumer:",
						  &password, e);

	if (r == -ENOKEY)
		return err_set(e, EACCES, "no new password: %s; or use --generate or --password-file", strdupa(e->msg));
	return r < 0 ? r : ops->password(dev, c, &password, NULL, e);
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	const struct store_ops *ops;
	enum consumer consumer;
	struct device *dev;
	int r;

	if (args->argc && o->consumer)
		return err_set(e, EINVAL, "the consumer is said twice: as CONSUMER and by --consumer");
	if (o->generate && o->password_file)
		return err_set(e, EINVAL, "--generate and --password-file exclude each other");
	if (!o->generate && (o->output || o->force_tty))
		return err_set(e, EINVAL, "--output and --force-tty go with --generate");
	r = pks_consumer_find(args->argc ? args->argv[0] : o->consumer, &consumer, e);
	if (r == 0)
		r = pks_open(hw, o->store, &dev, &ops, e);
	if (r == 0 && !ops->password)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' has no passwords to set", dev->id);
	if (r < 0)
		return r;
	return o->generate ? generate(o, consumer, dev, ops, e) : choose(hw, o, consumer, dev, ops, e);
}

const struct cmd cmd_pks_password = {
	.name = "pks-password",
	.synopsis = "[CONSUMER]",
	.summary = "Set a consumer's password until the next boot",
	.opts = opts,
	.max_args = 1,
	.complete = { COMPLETE_CONSUMER },
	.needs = NEED_DEVICES,
	.run = run,
};
