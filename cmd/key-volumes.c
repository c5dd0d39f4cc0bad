// SPDX-License-Identifier: MIT
#include "key-volumes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "luks.h"

struct seen {			/* of one volume */
	const char *name;	/* of the key */
	const char *pattern;	/* NULL: unknown */
	bool has_slot;		/* a token of that key and its slot */
	bool is_named;		/* a token of that name, and a slot unless it is dead */
	char former[201];	/* name in the token of a key that was renamed since */
};

static int see(void *ctx, const struct luks_row *row, struct err *e)
{
	const bool has_slot = row->slot >= 0;
	struct seen *s = ctx;
	bool same;

	(void)e;
	if (!row->name)
		return 0;
	same = s->pattern && row->pattern && !strcmp(row->pattern, s->pattern);
	if (!strcmp(row->name, s->name)) {
		s->has_slot |= has_slot && (same || !s->pattern || !row->pattern);
		s->is_named |= has_slot || !strcmp(row->state, "dead");
	} else if (has_slot && same) {
		s->has_slot = true;
		(void)snprintf(s->former, sizeof(s->former), "%s", row->name);
	}
	return 0;
}

static int look(struct hwkey *hw, const char *path, struct volume *v, struct seen *s, struct err *e)
{
	int r = volume_prepare(hw, NULL, false, v, e);

	if (r == 0)
		r = volume_open(v, path, NULL, e);
	return r < 0 ? r : v->ops->status(v->luks, &(struct luks_see){ see, s }, e);
}

static int renew(struct hwkey *hw, const struct entry *entry, const char *path, struct err *e)
{
	AUTO_VOLUME_KEY struct volume_key key = { 0 };
	AUTO_VOLUME struct volume v = { 0 };
	struct seen s = { .name = entry->name, .pattern = props_get(&entry->props, "verification-pattern") };
	struct env silent = hw->env;
	int r = look(hw, path, &v, &s, e);

	if (r < 0)
		return r;
	if (!s.has_slot)
		return err_set(e, ENOENT, "it has no keyslot of this key");
	silent.ask = NULL;
	v.source.env = &silent;
	r = volume_key_load(hw, entry->name, &key, e);
	key.luks.former = s.former[0] ? s.former : NULL;
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
		if (!is_listed(&item, volumes) || renew(hw, entry, path, &why) == 0)
			continue;
		note(&hw->env, "volume '%s' of key '%s' is not renewed: %s", path, entry->name, why.msg);
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

struct tried { bool opened, failed; };	/* by the tokens of a key */

static int see_try(void *ctx, const struct luks_row *row, struct err *e)
{
	struct tried *t = ctx;

	(void)e;
	t->opened |= row->result >= 0;
	t->failed |= row->result == -EBADMSG || row->result == -EACCES;
	return 0;
}

/* Whether all that the header has of the key is of no use any more, as after a re-encryption. */
static bool is_dead(struct hwkey *hw, struct volume *v, const char *name)
{
	struct env silent = hw->env;
	struct tried t = { 0 };
	struct err why = { 0 };

	silent.ask = NULL;
	v->source.env = &silent;
	v->auth.only = name;
	(void)v->ops->test(v->luks, &v->auth, &(struct luks_see){ see_try, &t }, &why);
	v->source.env = &hw->env;
	return t.failed && !t.opened;
}

static int check_volume(struct hwkey *hw, const char *path, const struct entry *entry, struct err *e)
{
	const char *pattern = props_get(&entry->props, "verification-pattern");
	AUTO_VOLUME struct volume v = { 0 };
	struct seen s = { .name = entry->name, .pattern = pattern };
	struct luks_info info;
	struct err absent;

	if (look(hw, path, &v, &s, &absent) < 0)
		return 0;
	v.ops->info(v.luks, &info);
	if (pattern && info.pattern[0] && strcmp(info.pattern, pattern) != 0)
		return err_set(e, EBADMSG, "the header of '%s' has the verification pattern of another key", path);
	if (s.is_named && is_dead(hw, &v, entry->name))
		return err_set(e, EBADMSG, "the token in the header of '%s' is dead: 'hwkey luks-enroll' renews it", path);
	return 0;
}

int key_volumes_check(struct hwkey *hw, const struct entry *entry, struct err *e)
{
	const char *at = props_get(&entry->props, "volumes");
	struct volume_item item;
	char path[PATH_MAX];
	int r = 0;

	while (r == 0 && volumes_next(&at, &item)) {
		volume_device(&item, path);
		r = check_volume(hw, path, entry, e);
	}
	return r;
}
