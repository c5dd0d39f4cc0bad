// SPDX-License-Identifier: MIT
#include "pks-users.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "key-volumes.h"
#include "luks.h"

struct search {
	struct hwkey *hw;
	const unsigned char *id;
	struct key_users *users;
	const char *name, *volume;	/* of the key that is looked at, and the device */
};

__attribute__((format(printf, 3, 4)))
static void found(struct key_users *u, const char *remedy, const char *fmt, ...)
{
	va_list ap;

	if (u->n++)
		return;
	u->remedy = remedy;
	va_start(ap, fmt);
	(void)vsnprintf(u->first, sizeof(u->first), fmt, ap);
	va_end(ap);
}

static bool is_under(const struct blob *token, const unsigned char id[16])
{
	struct err ignored;
	struct token t;

	return token_parse(token->data, token->len, &t, &ignored) == 0 &&
	       !memcmp(t.wrapping_key, id, sizeof(t.wrapping_key));
}

static int see(void *ctx, const struct luks_row *row, struct err *e)
{
	const struct search *s = ctx;

	(void)e;
	if (row->blob && is_under(row->blob, s->id))
		found(s->users, "'hwkey luks-enroll' renews its token", "volume '%s' of key '%s'", s->volume, s->name);
	return 0;
}

static void look_at_volume(struct search *s)
{
	AUTO_VOLUME struct volume v = { 0 };
	struct err e = { 0 };
	int r = volume_prepare(s->hw, NULL, false, &v, &e);

	if (r == 0)
		r = volume_open(&v, s->volume, NULL, &e);
	if (r == 0)
		r = v.ops->status(v.luks, &(struct luks_see){ see, s }, &e);
	if (r < 0)
		note(&s->hw->env, "volume '%s' of key '%s' is not looked at: %s", s->volume, s->name, e.msg);
}

static void look_at_volumes(struct search *s, const struct props *p)
{
	const char *at = props_get(p, "volumes"), *type = props_get(p, "volume-type");
	struct volume_item item;
	char path[PATH_MAX];

	if (type && !strcasecmp(type, "plain"))
		return;
	s->volume = path;
	while (volumes_next(&at, &item)) {
		volume_device(&item, path);
		look_at_volume(s);
	}
}

static int look_at_key(struct search *s, const struct repo *repo, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };
	int r = repo_read(repo, s->name, &entry, e);

	if (r < 0)
		return r == -ENOENT ? 0 : r;	/* removed meanwhile */
	if (is_under(&entry.token, s->id) || is_under(&entry.staged, s->id))
		found(s->users, "'hwkey rewrap' moves it", "key '%s'", s->name);
	else if (props_get(&entry.props, PROP_RENEW_VOLUMES))
		found(s->users, "'hwkey rewrap' finishes that", "perhaps a volume of key '%s'", s->name);
	look_at_volumes(s, &entry.props);
	return 0;
}

int key_users_find(struct hwkey *hw, const unsigned char id[16], struct key_users *ret, struct err *e)
{
	struct search s = { .hw = hw, .id = id, .users = ret };
	struct repo repo = { .dirfd = -1, .lockfd = -1 };
	AUTO_FREE char **names = NULL;
	size_t n = 0;
	int r = repo_open(&repo, hw->repo_path, 0, e);

	if (r == 0)
		r = repo_names(&repo, &names, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		s.name = names[i];
		r = look_at_key(&s, &repo, e);
	}
	repo_done(&repo);
	return r;
}
