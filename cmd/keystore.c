// SPDX-License-Identifier: MIT
/* The keystore is made by its first use: whether this is that, and what is said of it. */
#include "cmd.h"

#include <errno.h>
#include <string.h>

static bool needs_keystore(const struct repo *repo, const char *name)
{
	AUTO_ENTRY struct entry entry = { 0 };
	struct err dropped;
	const char *type;

	if (repo_read_info(repo, name, &entry, &dropped) < 0)
		return false;
	type = props_get(&entry.props, "key-type");
	return type && !strcmp(type, key_type_name(KEY_LOCAL));
}

static int check_keys(const struct hwkey *hw, const struct repo *repo, struct err *e)
{
	AUTO_FREE char **names = NULL;
	size_t n = 0;
	int r = repo_names(repo, &names, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (needs_keystore(repo, names[i]))
			r = err_set(e, ENOENT, "keystore '%s' is missing and key '%s' needs it: restore it, "
				    "or remove the keys of type %s", hw->env.pks_dir, names[i], key_type_name(KEY_LOCAL));
	return r;
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
