// SPDX-License-Identifier: MIT
#include "luks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct setvp {
	char *header;
	bool force;
};
CMD_OPTS(struct setvp);

static const struct opt opts[] = {
	OPT_FLAG(struct setvp, force, "force", 'f', "Replace the pattern of another key"),
	HEADER_OPT(struct setvp),
	{ 0 }
};

struct names { char name[201]; unsigned n; };

static int count_name(void *ctx, const struct luks_row *row, struct err *e)
{
	struct names *c = ctx;

	(void)e;
	if (!row->name || !strcmp(row->name, c->name))
		return 0;
	c->n++;
	(void)snprintf(c->name, sizeof(c->name), "%s", row->name);
	return 0;
}

/* The only key that the volume's tokens name. */
static int name_of(struct volume *v, const char *path, struct names *ret, struct err *e)
{
	int r = v->ops->status(v->luks, &(struct luks_see){ count_name, ret }, e);

	if (r == 0 && ret->n == 0)
		return err_set(e, ENOENT, "no token of '%s' names a key: give its name", path);
	if (r == 0 && ret->n > 1)
		return err_set(e, EINVAL, "tokens of '%s' name several keys: give the name of one", path);
	return r;
}

static int pattern_of(struct hwkey *hw, const char *name, char ret[65], struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };
	const struct backend_ops *ops;
	struct device *dev;
	int r = repo_read(&hw->repo, name, &entry, e);

	if (r == 0)
		r = volume_key_backend(hw, &entry, &dev, &ops, e);
	if (r == 0 && (!ops->key || !ops->key->pattern))
		r = err_set(e, EOPNOTSUPP, "key '%s' gives no verification pattern", name);
	if (r == 0 && volume_key_pattern(dev, ops->key, &entry, ret, e) < 0)
		r = err_prefix(e, "key '%s'", name);
	return r;
}

/* A pattern that is there and differs says that another key belongs to this volume. */
static int check(struct volume *v, const char *path, const char *name, const char *pattern, struct err *e)
{
	struct luks_info info;

	v->ops->info(v->luks, &info);
	if (info.pattern[0] && strcmp(info.pattern, pattern) != 0)
		return err_set(e, EBADMSG,
			       "'%s' has the verification pattern of another key than '%s'; --force replaces it", path,
			       name);
	return 0;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_VOLUME struct volume v = { 0 };
	const struct setvp *o = values;
	struct names found = { 0 };
	const char *path = args->argv[0], *name = args->argc > 1 ? args->argv[1] : found.name;
	char pattern[65];
	int r = volume_prepare(hw, NULL, false, &v, e);

	if (r == 0)
		r = volume_open(&v, path, o->header, e);
	if (r == 0 && args->argc == 1)
		r = name_of(&v, path, &found, e);
	if (r == 0)
		r = pattern_of(hw, name, pattern, e);
	if (r == 0 && !o->force)
		r = check(&v, path, name, pattern, e);
	return r < 0 ? r : v.ops->set_pattern(v.luks, pattern, e);
}

const struct cmd cmd_setvp = {
	.name = "setvp",
	.synopsis = "VOLUME [NAME]",
	.summary = "Store a key's verification pattern in a volume's LUKS2 header",
	.opts = opts,
	.min_args = 1, .max_args = 2,
	.complete = { COMPLETE_VOLUME, COMPLETE_KEY },
	.needs = NEED_DEVICES | NEED_REPO,
	.run = run,
};
