// SPDX-License-Identifier: MIT
#include "cmd.h"

#include <errno.h>
#include <string.h>

struct values { char *format; bool force_tty; };
CMD_OPTS(struct values);

static const char *const formats[] = { "token", "tss2", "kernel", NULL };

static const struct opt opts[] = {
	OPT_FLAG(struct values, force_tty, "force-tty", 0, "Write binary data even to a terminal"),
	OPT_STR(struct values, format, "format", 0, "FORMAT",
		"token (default), or sealed anew by its TPM for other programs: tss2, kernel", .choices = formats),
	{ 0 }
};

static int seal_for_others(struct hwkey *hw, const struct entry *entry, enum key_form form, struct blob *ret, struct err *e)
{
	const struct key_ops *ops;
	struct device *dev;
	struct key key;
	int r = key_parse(entry->token.data, entry->token.len, &key, e);

	if (r == 0)
		r = device_enumerate_backend(&hw->env, key_type_backend(key.type), &hw->devices, e);
	if (r == 0)
		r = device_of_key(hw->devices, &entry->token, &dev, &ops, e);
	if (r == 0 && !ops->export_)
		r = err_set(e, EOPNOTSUPP, "device '%s' seals for no other program: only a TPM does", dev->id);
	return r < 0 ? r : ops->export_(dev, &entry->token, form, ret, e);
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct values *o = values;
	AUTO_ENTRY struct entry entry = { 0 };
	AUTO_SECRET struct secret bytes = { 0 };
	AUTO_BLOB struct blob sealed = { 0 };
	int r = repo_read_info(&hw->repo, args->argv[0], &entry, e);

	if (r == 0 && o->format && strcmp(o->format, "token") != 0)
		r = seal_for_others(hw, &entry, !strcmp(o->format, "kernel") ? KEY_KERNEL : KEY_TSS2, &sealed, e);
	else if (r == 0)
		sealed = TAKE(entry.token);
	if (r == 0)
		r = secret_copy(&bytes, sealed.data, sealed.len, e);
	return r < 0 ? r : write_secret_output(args->argv[1], &bytes, o->force_tty, e);
}

const struct cmd cmd_export = {
	.name = "export",
	.synopsis = "NAME FILE",
	.summary = "Write a secure key, as it is, to a new file or to standard output ('-')",
	.opts = opts,
	.min_args = 2, .max_args = 2,
	.complete = { COMPLETE_KEY, COMPLETE_FILE },
	.needs = NEED_REPO,
	.run = run,
};
