// SPDX-License-Identifier: MIT
/* The keystore is made by its first use: whether this is that, and what is said of it. */
#include "cmd.h"

#include <errno.h>

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
