// SPDX-License-Identifier: MIT
#include "key-volumes.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "luks.h"

struct seen {			/* of one volume */
	const char *name;	/* of the key */
	bool has_slot;		/* a token of that key and its slot */
};

/* "UUID=..." and its like are names below /dev/disk. */
static void device_path(const char *volume, size_t len, char ret[PATH_MAX])
{
	static const struct { const char *tag, *dir; } tags[] = {
		{ "UUID=", "by-uuid" }, { "LABEL=", "by-label" }, { "PARTUUID=", "by-partuuid" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		size_t n = strlen(tags[i].tag);

		if (len > n && !strncmp(volume, tags[i].tag, n)) {
			(void)snprintf(ret, PATH_MAX, "/dev/disk/%s/%.*s", tags[i].dir, (int)(len - n), volume + n);
			return;
		}
	}
	(void)snprintf(ret, PATH_MAX, "%.*s", (int)len, volume);
}

/* The next volume of "VOL:DM,VOL:DM"; false at the end. */
static bool next_volume(const char **at, char ret[PATH_MAX])
{
	size_t len;

	if (!*at || !**at)
		return false;
	device_path(*at, strcspn(*at, ":,"), ret);
	len = strcspn(*at, ",");
	*at += len + ((*at)[len] == ',');
	return true;
}

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

/* Is the element AT of a list also in LIST? The user may have taken a volume away from the key since. */
static bool is_listed(const char *at, size_t len, const char *list)
{
	for (; list && *list; list += strcspn(list, ","), list += *list == ',')
		if (strcspn(list, ",") == len && !strncmp(list, at, len))
			return true;
	return false;
}

/* REST gets the elements that are not done, separated by commas; it has SIZE bytes, which is room for all of them. */
static void renew_all(struct hwkey *hw, const struct entry *entry, const char *todo, char *rest, size_t size,
		      size_t *failed)
{
	const char *at = todo, *volumes = props_get(&entry->props, "volumes");
	char path[PATH_MAX];

	for (const char *element = at; next_volume(&at, path); element = at) {
		size_t len = strcspn(element, ","), used = strlen(rest);
		struct err why = { 0 };

		if (!is_listed(element, len, volumes) || renew(hw, entry->name, path, &why) == 0)
			continue;
		note(&hw->env, "volume '%s' of key '%s' keeps its old keyslot: %s", path, entry->name, why.msg);
		++*failed;
		(void)snprintf(rest + used, size - used, "%s%.*s", used ? "," : "", (int)len, element);
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
	char path[PATH_MAX];

	while (pattern && next_volume(&at, path)) {
		AUTO_VOLUME struct volume v = { 0 };
		struct seen s = { .name = entry->name };
		struct luks_info info;
		struct err absent;

		if (look(hw, path, &v, &s, &absent) < 0)
			continue;
		v.ops->info(v.luks, &info);
		if (info.pattern[0] && strcmp(info.pattern, pattern) != 0)
			return err_set(e, EBADMSG, "the header of '%s' has the verification pattern of another key", path);
	}
	return 0;
}
