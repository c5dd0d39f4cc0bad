// SPDX-License-Identifier: MIT
#include "pks-users.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "key-volumes.h"

static bool is_under(const struct blob *token, const unsigned char id[16])
{
	struct err ignored;
	struct key key;

	return key_parse(token->data, token->len, &key, &ignored) == 0 && key.type == KEY_LOCAL &&
	       memcmp(key.pattern, id, 16) == 0;
}

static int look(const struct repo *repo, const char *name, const unsigned char id[16], struct key_users *ret, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };
	int r = repo_read(repo, name, &entry, e);
	bool token, volumes;

	if (r < 0)
		return r == -ENOENT ? 0 : r;	/* removed meanwhile */
	token = is_under(&entry.token, id) || is_under(&entry.staged, id);
	volumes = props_get(&entry.props, PROP_RENEW_VOLUMES);
	if (!token && !volumes)
		return 0;
	if (!ret->n++) {
		(void)snprintf(ret->first, sizeof(ret->first), "%s", name);
		ret->volumes = !token;
	}
	return 0;
}

int key_users_find(struct hwkey *hw, const unsigned char id[16], struct key_users *ret, struct err *e)
{
	struct repo repo = { .dirfd = -1, .lockfd = -1 };
	AUTO_FREE char **names = NULL;
	size_t n = 0;
	int r = repo_open(&repo, hw->repo_path, 0, e);

	if (r == 0)
		r = repo_names(&repo, &names, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = look(&repo, names[i], id, ret, e);
	repo_done(&repo);
	return r;
}

int pks_find_object(const struct pks_object *o, struct object *ret, struct err *e)
{
	AUTO_FREE struct object *list = NULL;
	size_t n;
	int r = o->ops->list(o->dev, &list, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (list[i].consumer == o->name.consumer && list[i].label_len == o->name.len &&
		    !memcmp(list[i].label, o->name.label, o->name.len)) {
			*ret = list[i];
			return 0;
		}
	}
	return r < 0 ? r : err_set(e, ENOENT, "not found");
}
