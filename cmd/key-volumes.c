// SPDX-License-Identifier: MIT
#include "key-volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/tpm-token.h"
#include "luks.h"

struct bound {			/* what a TPM's token opens with */
	bool pin, is_signed;
	uint32_t pcrs;
};

static struct bound bound_of(const struct blob *token)
{
	AUTO_TPM_TOKEN struct tpm_token t = { 0 };
	struct bound b = { 0 };
	struct err ignored;

	if (!token || tpm_token_parse(token->data, token->len, &t, &ignored) < 0)
		return b;
	b.pin = t.policy.pin;
	b.is_signed = t.policy.public_key.len;
	for (unsigned i = 0; i < t.policy.n_branches; i++)
		b.pcrs |= t.policy.branch[i].pcrs;
	return b;
}

static bool is_weaker(const struct bound *now, const struct bound *before)
{
	return (before->pin && !now->pin) || (before->is_signed && !now->is_signed) || (before->pcrs & ~now->pcrs);
}

struct seen {			/* of one volume */
	const char *name;	/* of the key */
	const char *pattern;	/* NULL: unknown */
	bool has_slot;		/* a token of that key and its slot */
	bool is_named;		/* a token of that name, and a slot unless it is dead */
	bool namesake;		/* a slot of another key of that name */
	char former[201];	/* name in the token of a key that was renamed since */
	struct bound bound;	/* to what its slots are */
	char needs[512];	/* the same in words */
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
		s->namesake |= has_slot && !same && s->pattern && row->pattern;
		s->is_named |= has_slot || !strcmp(row->state, "dead");
	} else if (has_slot && same) {
		s->has_slot = true;
		(void)snprintf(s->former, sizeof(s->former), "%s", row->name);
	}
	if (has_slot && same && row->needs[0]) {
		s->bound = bound_of(row->blob);
		(void)snprintf(s->needs, sizeof(s->needs), "%s", row->needs);
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

/* A keyslot may have got more to open it than its key. */
static void tell_weaker(struct hwkey *hw, const struct entry *entry, const char *path, const struct seen *s)
{
	const struct bound now = bound_of(&entry->token);

	if (is_weaker(&now, &s->bound))
		warn(&hw->env, "volume '%s': its keyslot opens as key '%s' does now; before it needed %s, and 'hwkey "
		     "luks-enroll' makes it so again", path, entry->name, s->needs);
}

static int renew(struct hwkey *hw, const struct entry *entry, const struct wrap_params *given, const char *path,
		 struct err *e)
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
	if (r == 0)
		volume_key_wrap(&key, given, true);
	key.luks.former = s.former[0] ? s.former : NULL;
	if (r == 0)
		r = v.ops->enroll(v.luks, &v.auth, &key.luks, NULL, e);
	if (r == 0)
		tell_weaker(hw, entry, path, &s);
	return r;
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
static void renew_all(struct hwkey *hw, const struct entry *entry, const struct wrap_params *given, const char *todo,
		      char *rest, size_t size, size_t *failed)
{
	const char *volumes = props_get(&entry->props, "volumes");
	struct volume_item item;
	char path[PATH_MAX];

	while (volumes_next(&todo, &item)) {
		size_t used = strlen(rest);
		struct err why = { 0 };

		volume_device(&item, path);
		if (!is_listed(&item, volumes) || renew(hw, entry, given, path, &why) == 0)
			continue;
		note(&hw->env, "volume '%s' of key '%s' is not renewed: %s", path, entry->name, why.msg);
		++*failed;
		(void)snprintf(rest + used, size - used, "%s%.*s", used ? "," : "", (int)item.size, item.vol);
	}
}

int key_volumes_renew(struct hwkey *hw, struct entry *entry, const struct wrap_params *given, size_t *failed,
		      struct err *e)
{
	const char *todo = props_get(&entry->props, PROP_RENEW_VOLUMES);
	AUTO_FREE char *rest = todo ? calloc(1, strlen(todo) + 1) : NULL;
	int r;

	if (!todo)
		return 0;
	if (!rest)
		return err_nomem(e);
	renew_all(hw, entry, given, todo, rest, strlen(todo) + 1, failed);
	if (!strcmp(rest, todo))
		return 0;
	r = props_set(&entry->props, PROP_RENEW_VOLUMES, *rest ? rest : NULL, e);
	return r < 0 ? r : repo_update(&hw->repo, entry, false, e);
}

struct tried {			/* by the tokens of a key */
	bool opened, dead;
	struct err unknown;	/* what kept one from being tried */
};

static int see_try(void *ctx, const struct luks_row *row, struct err *e)
{
	struct tried *t = ctx;

	(void)e;
	t->opened |= row->result >= 0;
	if (row->result == -EBADMSG || row->result == -EACCES)
		t->dead = true;
	else if (row->result < 0)
		(void)err_set(&t->unknown, -row->result, "%s", row->what);
	return 0;
}

/* Whether something that the header has of the key opens it, or all is of no use any more, as after a re-encryption. */
static int check_tokens(struct hwkey *hw, struct volume *v, const char *path, const char *name, struct err *e)
{
	struct env silent = hw->env;
	struct tried t = { 0 };
	struct err why = { 0 };
	int r;

	silent.ask = NULL;
	v->source.env = &silent;
	v->auth.only = name;
	r = v->ops->test(v->luks, &v->auth, &(struct luks_see){ see_try, &t }, &why);
	v->source.env = &hw->env;
	if (r == 0 || t.opened)
		return 0;
	if (t.dead || (r == -EACCES && !t.unknown.code))
		return err_set(e, EBADMSG, "the token in the header of '%s' is dead: 'hwkey luks-enroll' renews it", path);
	*e = t.unknown.code ? t.unknown : why;
	return err_prefix(e, "volume '%s'", path);
}

static bool is_absent(const char *path)
{
	static const int codes[] = { ENOENT, ENOTDIR, ENODEV, ENXIO, ENOMEDIUM };
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	for (size_t i = 0; fd < 0 && i < ARRAY_SIZE(codes); i++)
		if (errno == codes[i])
			return true;
	return false;
}

static int check_volume(struct hwkey *hw, const char *path, const struct entry *entry, struct err *e)
{
	const char *pattern = props_get(&entry->props, "verification-pattern");
	AUTO_VOLUME struct volume v = { 0 };
	struct seen s = { .name = entry->name, .pattern = pattern };
	struct luks_info info;

	if (is_absent(path)) {
		note(&hw->env, "volume '%s' of key '%s' is not here, so not looked at", path, entry->name);
		return 0;
	}
	if (look(hw, path, &v, &s, e) < 0)
		return -e->code;
	v.ops->info(v.luks, &info);
	if (pattern && info.pattern[0] && strcmp(info.pattern, pattern) != 0)
		return err_set(e, EBADMSG, "the header of '%s' has the verification pattern of another key", path);
	if (s.is_named)
		return check_tokens(hw, &v, path, entry->name, e);
	if (s.has_slot || !strncmp(info.cipher, "paes", 4))	/* renamed since; or the key is the volume key itself */
		return 0;
	return err_set(e, ENOKEY, "the header of '%s' has no keyslot of this key: 'hwkey luks-enroll' adds one", path);
}

int key_volumes_check(struct hwkey *hw, const struct entry *entry, struct err *e)
{
	const char *at = props_get(&entry->props, "volumes"), *type = props_get(&entry->props, "volume-type");
	struct volume_item item;
	char path[PATH_MAX];
	struct err worst = { 0 };

	if (type && !strcasecmp(type, "plain"))
		return 0;
	while (volumes_next(&at, &item)) {
		struct err why = { 0 };

		volume_device(&item, path);
		if (check_volume(hw, path, entry, &why) < 0 && err_exit_status(why.code) > err_exit_status(worst.code))
			worst = why;
	}
	if (!worst.code)
		return 0;
	*e = worst;
	return -e->code;
}

static bool is_hanging(struct hwkey *hw, const char *path)
{
	AUTO_VOLUME struct volume v = { 0 };
	struct err ignored;
	bool hangs = false;

	return !is_absent(path) && volume_prepare(hw, NULL, false, &v, &ignored) == 0 &&
	       volume_open(&v, path, NULL, &ignored) == 0 && volume_hangs_on_pcrs(&v, &hangs, &ignored) == 0 && hangs;
}

void key_volumes_hanging(struct hwkey *hw, const struct entry *entry, char *ret, size_t size)
{
	const char *at = props_get(&entry->props, "volumes");
	struct volume_item item;
	char path[PATH_MAX];

	*ret = '\0';
	while (volumes_next(&at, &item)) {
		volume_device(&item, path);
		if (is_hanging(hw, path))
			(void)snprintf(ret + strlen(ret), size - strlen(ret), "%s%s", *ret ? "\n" : "", path);
	}
}

/* --- erasing ----------------------------------------------------------------------------------------------------- */

/* Asks nobody, and says nothing of what only a removal would. */
static int unenroll(struct hwkey *hw, struct volume *v, const struct key_volume *vol, bool check, bool last,
		    struct err *e)
{
	const struct luks_remove what = {
		.name = vol->name, .pattern = vol->pattern, .slot = -1, .recovery_keep = -1,
		.force_last = last, .check = check,
	};
	struct env silent = hw->env;
	int r;

	silent.ask = NULL;
	if (check)
		silent.note = NULL;
	v->source.env = &silent;
	r = v->ops->unenroll(v->luks, &v->source, &what, e);
	v->source.env = &hw->env;
	return r;
}

static enum key_volume_state judge_slots(struct hwkey *hw, struct volume *v, struct key_volume *vol)
{
	struct err why;
	int r = unenroll(hw, v, vol, true, false, &why);

	if (r == 0 || r == -ENOENT)
		return r == 0 ? KEY_VOLUME_SLOT : KEY_VOLUME_NONE;
	if (r == -EBUSY)
		return KEY_VOLUME_LAST;
	(void)snprintf(vol->why, sizeof(vol->why), "%s", why.msg);
	return KEY_VOLUME_UNKNOWN;
}

static enum key_volume_state judge(struct hwkey *hw, const struct entry *entry, struct key_volume *vol)
{
	AUTO_VOLUME struct volume v = { 0 };
	struct seen s = { .name = entry->name, .pattern = props_get(&entry->props, "verification-pattern") };
	const char *type = props_get(&entry->props, "volume-type");
	struct luks_info info;
	struct err why;

	if (type && !strcasecmp(type, "plain"))
		return KEY_VOLUME_PLAIN;
	if (is_absent(vol->path))
		return KEY_VOLUME_ABSENT;
	if (look(hw, vol->path, &v, &s, &why) < 0) {
		(void)snprintf(vol->why, sizeof(vol->why), "%s", why.msg);
		return KEY_VOLUME_UNKNOWN;
	}
	(void)snprintf(vol->name, sizeof(vol->name), "%s", s.former[0] ? s.former : entry->name);
	vol->pattern = s.pattern;
	vol->namesake = s.namesake;
	v.ops->info(v.luks, &info);
	if (!s.has_slot && !strncmp(info.cipher, "paes", 4))
		return KEY_VOLUME_PAES;
	return judge_slots(hw, &v, vol);
}

int key_volumes_judge(struct hwkey *hw, const struct entry *entry,
		      int (*tell)(void *, const struct key_volume *, struct err *), void *ctx, struct err *e)
{
	const char *at = props_get(&entry->props, "volumes");
	struct volume_item item;
	int r = 0;

	while (r == 0 && volumes_next(&at, &item)) {
		char path[PATH_MAX];
		struct key_volume vol = { .path = path };

		volume_device(&item, path);
		vol.state = judge(hw, entry, &vol);
		r = tell(ctx, &vol, e);
	}
	return r;
}

int key_volume_erase(struct hwkey *hw, const struct key_volume *vol, struct err *e)
{
	AUTO_VOLUME struct volume v = { 0 };
	int r = volume_prepare(hw, NULL, false, &v, e);

	if (r == 0)
		r = volume_open(&v, vol->path, NULL, e);
	return r < 0 ? r : unenroll(hw, &v, vol, false, true, e);
}
