// SPDX-License-Identifier: MIT
#include "key-volumes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "luks.h"

struct seen {			/* of one volume */
	const char *name;	/* of the key */
	bool has_slot;		/* a token of that key and its slot */
};

static int see(void *ctx, const struct luks_row *row, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	s->has_slot |= row->slot >= 0 && row->name && !strcmp(row->name, s->name);
	return 0;
}

static int look(struct hwkey *hw, const char *path, struct volume *v, struct seen *s, struct err *e)
{
	int r = volume_prepare(hw, NULL, false, v, e);

	if (r == 0)
		r = volume_open(v, path, NULL, e);
	return r < 0 ? r : v->ops->status(v->luks, &(struct luks_see){ see, s }, e);
}

static int renew(struct hwkey *hw, const char *name, const char *path, struct err *e)
{
	AUTO_VOLUME_KEY struct volume_key key = { 0 };
	AUTO_VOLUME struct volume v = { 0 };
	struct seen s = { .name = name };
	struct env silent = hw->env;
	int r = look(hw, path, &v, &s, e);

	if (r < 0 || !s.has_slot)
		return r;
	silent.ask = NULL;
	v.source.env = &silent;
	r = volume_key_load(hw, name, &key, e);
	return r < 0 ? r : v.ops->enroll(v.luks, &v.auth, &key.luks, NULL, e);
}

/* Is the volume V in LIST? The user may have taken it away from the key since. */
static bool is_listed(const struct volume_item *v, const char *list)
{
	struct volume_item other;

	while (volumes_next(&list, &other))
		if (other.size == v->size && !memcmp(other.vol, v->vol, v->size))
			return true;
	return false;
}

/* REST gets the elements that are not done, separated by commas; it has SIZE bytes, which is room for all of them. */
static void renew_all(struct hwkey *hw, const struct entry *entry, const char *todo, char *rest, size_t size,
		      size_t *failed)
{
	const char *volumes = props_get(&entry->props, "volumes");
	struct volume_item item;
	char path[PATH_MAX];

	while (volumes_next(&todo, &item)) {
		size_t used = strlen(rest);
		struct err why = { 0 };

		volume_device(&item, path);
		if (!is_listed(&item, volumes) || renew(hw, entry->name, path, &why) == 0)
			continue;
		note(&hw->env, "volume '%s' of key '%s' keeps its old keyslot: %s", path, entry->name, why.msg);
		++*failed;
		(void)snprintf(rest + used, size - used, "%s%.*s", used ? "," : "", (int)item.size, item.vol);
	}
}

int key_volumes_renew(struct hwkey *hw, struct entry *entry, size_t *failed, struct err *e)
{
	const char *todo = props_get(&entry->props, PROP_RENEW_VOLUMES);
	AUTO_FREE char *rest = todo ? calloc(1, strlen(todo) + 1) : NULL;
	int r;

	if (!todo)
		return 0;
	if (!rest)
		return err_nomem(e);
	renew_all(hw, entry, todo, rest, strlen(todo) + 1, failed);
	if (!strcmp(rest, todo))
		return 0;
	r = props_set(&entry->props, PROP_RENEW_VOLUMES, *rest ? rest : NULL, e);
	return r < 0 ? r : repo_update(&hw->repo, entry, false, e);
}

int key_volumes_check(struct hwkey *hw, const struct entry *entry, struct err *e)
{
	const char *at = props_get(&entry->props, "volumes"), *pattern = props_get(&entry->props, "verification-pattern");
	struct volume_item item;
	char path[PATH_MAX];

	while (pattern && volumes_next(&at, &item)) {
		AUTO_VOLUME struct volume v = { 0 };
		struct seen s = { .name = entry->name };
		struct luks_info info;
		struct err absent;

		volume_device(&item, path);
		if (look(hw, path, &v, &s, &absent) < 0)
			continue;
		v.ops->info(v.luks, &info);
		if (info.pattern[0] && strcmp(info.pattern, pattern) != 0)
			return err_set(e, EBADMSG, "the header of '%s' has the verification pattern of another key", path);
	}
	return 0;
}
