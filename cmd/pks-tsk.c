// SPDX-License-Identifier: MIT
#include "pks.h"

#include <errno.h>
#include <string.h>

struct opts { char *store, *new, *set, *check; bool replace, force_tty; };
CMD_OPTS(struct opts);

enum { TSK_SIZE = 32 };			/* bytes */

static const struct opt opts[] = {
	OPT_STR(struct opts, new, "new", 0, "FILE", "Make a key, in hexadecimal, in FILE ('-': standard output)",
		.complete = COMPLETE_FILE),
	OPT_FLAG(struct opts, force_tty, "force-tty", 0, "Print it even to a terminal"),
	OPT_STR(struct opts, set, "set", 0, "FILE", "Let the key in FILE open the keystore ('-': standard input)",
		.complete = COMPLETE_FILE),
	OPT_FLAG(struct opts, replace, "replace", 0, "Let --set take the place of another key"),
	OPT_STR(struct opts, check, "check", 0, "FILE", "Tell whether the key in FILE is the one that is set",
		.complete = COMPLETE_FILE),
	PKS_OPT_STORE(struct opts, store),
	{ 0 }
};

static const struct column columns[] = { { "ID", OUT_STRING, false }, { 0 } };

static int make(struct hwkey *hw, const struct opts *o, struct err *e)
{
	AUTO_SECRET struct secret key = { 0 }, text = { 0 };
	int r = secret_random(&key, TSK_SIZE, e);

	if (r == 0)
		r = secret_alloc(&text, 2 * TSK_SIZE + 1, e);
	if (r < 0)
		return r;
	hex_encode(key.data, TSK_SIZE, (char *)text.data);
	text.data[2 * TSK_SIZE] = '\n';
	text.len = 2 * TSK_SIZE + 1;
	r = write_secret_output(o->new, &text, o->force_tty, e);
	if (r == 0)
		note(&hw->env, "keep this key away from the machine and from its backups: they open with it, and without "
		     "it they are lost");
	return r;
}

static int set(struct hwkey *hw, const struct opts *o, const struct device *dev, const struct store_ops *ops,
	       const struct secret *key, struct err *e)
{
	int r = ops->slot_add(dev, "tsk", key, NULL, o->replace, e);

	if (r == 0 && o->replace)
		note(&hw->env, "backups that were made under another key open with that key alone: keep it, or make new "
		     "ones");
	return r == -EEXIST ? err_set(e, EEXIST, "a trusted system key is set already; --replace sets another") : r;
}

static int show(struct hwkey *hw, const struct device *dev, const struct store_ops *ops, struct err *e)
{
	AUTO_OUT struct out *out = NULL;
	char id[33];
	int r = ops->tsk(dev, NULL, id, e);

	if (r == -ENOENT)
		return err_hint(e, "--new FILE makes one, --set FILE sets it");
	hw->out.record = true;
	if (r == 0)
		r = out_open(&out, "tsk", columns, &hw->out, e);
	if (r == 0)
		r = out_row(out, (const char *const[]){ id }, e);
	return r < 0 ? r : out_print(out, e);
}

static int check(const struct hwkey *hw, const struct opts *o, struct err *e)
{
	if (!!o->new + !!o->set + !!o->check > 1)
		return err_set(e, EINVAL, "--new, --set and --check exclude each other");
	if (o->replace && !o->set)
		return err_set(e, EINVAL, "--replace goes with --set");
	if (o->force_tty && !o->new)
		return err_set(e, EINVAL, "--force-tty goes with --new");
	if ((o->new || o->set || o->check) && shows_asked(&hw->out))
		return err_set(e, EINVAL, "--new, --set and --check show nothing: leave out --json, --output and the like");
	return 0;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	const char *file = o->set ? o->set : o->check;
	AUTO_SECRET struct secret key = { 0 };
	const struct store_ops *ops;
	struct device *dev;
	char id[33];
	int r = check(hw, o, e);

	(void)args;
	if (r == 0 && o->new)
		return make(hw, o, e);
	if (r == 0)
		r = pks_open(hw, o->store, &dev, &ops, e);
	if (r == 0 && !ops->tsk)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' has no trusted system key", dev->id);
	if (r == 0 && file)
		r = read_secret_file(file, PKS_TSK_FILE_MAX, &key, e);
	if (r < 0)
		return r;
	if (!file)
		return show(hw, dev, ops, e);
	r = o->set ? set(hw, o, dev, ops, &key, e) : ops->tsk(dev, &key, id, e);
	return r == -EINVAL || r == -EACCES ? err_prefix(e, "'%s'", file) : r;
}

const struct cmd cmd_pks_tsk = {
	.name = "pks-tsk",
	.synopsis = "",
	.summary = "Make, set or check the trusted system key of the platform keystore",
	.opts = opts,
	.needs = NEED_DEVICES | SHOWS,
	.run = run,
};
