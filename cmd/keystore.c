// SPDX-License-Identifier: MIT
/* The keystore is made by its first use: whether this is that, and what is said of it. */
#include "cmd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static int check_keys(const struct hwkey *hw, const struct repo *repo, struct err *e)
{
	char name[NAME_LEN_MAX + 1];
	int r = repo_find_type(repo, KEY_LOCAL, name, e);

	if (r < 0 || !name[0])
		return r;
	return err_set(e, ENOENT, "keystore '%s' is missing and key '%s' needs it: restore it, "
		       "or remove the keys of type %s", hw->env.pks_dir, name, key_type_name(KEY_LOCAL));
}

int keystore_may_create(const struct env *env, struct err *e)
{
	const struct hwkey *hw = env->ctx;
	struct repo own = { .dirfd = -1, .lockfd = -1 };
	int r;

	if (hw->repo.dirfd >= 0)
		return check_keys(hw, &hw->repo, e);
	r = repo_open(&own, hw->repo_path, 0, e);
	if (r == 0 && own.dirfd >= 0)
		r = check_keys(hw, &own, e);
	repo_done(&own);
	return r;
}

enum verdict keystore_look(const struct device *d, enum verdict v, char *text, size_t size)
{
	char path[PATH_MAX];
	struct err e = { 0 };

	if (d->faulty || !(d->roles & ROLE_STORE) ||
	    snprintf(path, sizeof(path), "%s/system", d->env->pks_dir) >= (int)sizeof(path) ||
	    access(path, F_OK) == 0 || errno != ENOENT || keystore_may_create(d->env, &e) == 0)
		return v;
	(void)snprintf(text, size, "%s", e.msg);
	return VERDICT_BAD;
}

enum verdict keystore_examine(const struct device *d, enum verdict v, char *text, size_t size)
{
	const struct backend_ops *ops;
	struct store_info info = { 0 };
	struct err e = { 0 };
	int r = d->roles & ROLE_STORE && d->state == DEVICE_ONLINE ? backend_ops(d, &ops, &e) : -EACCES;

	if (r == 0 && ops->store)
		r = ops->store->info(d, &info, &e);
	if (r == 0 && info.exposed) {
		(void)snprintf(text, size, "%s; its root key can be read by other users: chmod 400 '%s/system/root.plain'",
			       d->backend->summary, d->env->pks_dir);
		return VERDICT_BAD;
	}
	if (r == 0 && info.damaged[0]) {
		(void)snprintf(text, size, "%s; damaged: %.*s: see 'hwkey pks-config'", d->backend->summary,
			       (int)strcspn(info.damaged, "\n"), info.damaged);
		return VERDICT_WARNING;
	}
	if (r == 0 && strcmp(info.health, "healthy") != 0) {
		(void)snprintf(text, size, "%s; %.100s: see 'hwkey pks-check'", d->backend->summary, info.health);
		return strncmp(info.health, "degraded", 8) == 0 ? VERDICT_WARNING : VERDICT_BAD;
	}
	if (r == 0)
		(void)snprintf(text + strlen(text), size - strlen(text), "; %s", info.health);
	if (r == 0 || r == -EACCES || (r == -ENOENT && keystore_may_create(d->env, &e) == 0))
		return v;
	(void)snprintf(text, size, "%s", e.msg);
	return VERDICT_BAD;
}
