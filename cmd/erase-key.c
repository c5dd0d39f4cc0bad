// SPDX-License-Identifier: MIT
#include "erase.h"

#include <errno.h>
#include <string.h>

#include "key-volumes.h"

/* --- before ------------------------------------------------------------------------------------------------------ */

struct looking {
	struct hwkey *hw;
	const char *key;
	bool tell;
	struct key_loss *loss;
};

static int see_loss(void *ctx, const struct key_volume *v, struct err *e)
{
	struct looking *l = ctx;
	bool lost = v->state == KEY_VOLUME_PLAIN || v->state == KEY_VOLUME_LAST;

	(void)e;
	l->loss->volumes += lost;
	if (l->tell && lost)
		warn(&l->hw->env, "volume '%s' never opens again: key '%s' is the last way in", v->path, l->key);
	else if (l->tell && v->state == KEY_VOLUME_UNKNOWN)
		warn(&l->hw->env, "volume '%s' of key '%s' cannot be looked at, and may never open again: %s", v->path,
		     l->key, v->why);
	return 0;
}

static int add_token(struct blob *to, const struct blob *token, struct err *e)
{
	unsigned char *data = realloc(to->data, to->len + token->len);

	if (!data)
		return err_nomem(e);
	memcpy(data + to->len, token->data, token->len);
	*to = (struct blob){ data, to->len + token->len };
	return 0;
}

int erase_key_check(struct hwkey *hw, const char *name, bool tell, struct key_loss *loss, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };
	struct looking l = { hw, name, tell, loss };
	struct err why;
	int r = repo_erase(&hw->repo, name, true, e);

	if (r < 0)
		return r;
	loss->keys++;
	r = repo_read(&hw->repo, name, &entry, &why);
	if (r == -EBADMSG) {
		if (tell)
			warn(&hw->env, "key '%s' is damaged, and does not tell which volumes are its own", name);
		return 0;
	}
	if (r < 0) {
		*e = why;
		return r;
	}
	r = add_token(&loss->tokens, &entry.token, e);
	return r < 0 ? r : key_volumes_judge(hw, &entry, see_loss, &l, e);
}

/* --- what it does ------------------------------------------------------------------------------------------------ */

struct erasing {
	struct hwkey *hw;
	struct report *out;
};

static const char *const stays[] = {
	[KEY_VOLUME_ABSENT] = "not here: a token in its header may open it on this machine",
	[KEY_VOLUME_PAES] = "the key is in its keyslots, too: erase the volume",
	[KEY_VOLUME_NONE] = "no keyslot of it has a token of this key: nothing was changed",
};

static int erase_slots(const struct erasing *x, const struct key_volume *v, struct err *e)
{
	int r = key_volume_erase(x->hw, v, e);

	if (r < 0)
		return err_prefix(e, "volume '%s'", v->path);
	return erase_tell(x->out, e, ERASE_GONE, v->path, "the keyslots of this key%s",
			  v->state == KEY_VOLUME_LAST ? ", the last way in" : "; others still open it");
}

static int see_erase(void *ctx, const struct key_volume *v, struct err *e)
{
	const struct erasing *x = ctx;
	int r;

	switch (v->state) {
	case KEY_VOLUME_UNKNOWN:
		r = erase_tell(x->out, e, ERASE_REMAINS, v->path, "not looked at: %s", v->why);
		break;
	case KEY_VOLUME_PLAIN:
		r = erase_tell(x->out, e, ERASE_GONE, v->path, "its only key; the data is there, and noise");
		break;
	case KEY_VOLUME_SLOT: case KEY_VOLUME_LAST:
		r = erase_slots(x, v, e);
		break;
	default:
		r = erase_tell(x->out, e, ERASE_REMAINS, v->path, "%s", stays[v->state]);
	}
	return r < 0 || !v->namesake ? r : erase_tell(x->out, e, ERASE_REMAINS, v->path, "the keyslots of another key of "
						       "this name, as of another machine's");
}

static bool is_same_key(const struct entry *a, const struct entry *b)
{
	const char *p = props_get(&a->props, "verification-pattern"), *q = props_get(&b->props, "verification-pattern");

	return (p && q && !strcmp(p, q)) ||
	       (a->token.len == b->token.len && !memcmp(a->token.data, b->token.data, a->token.len));
}

static int tell_copies(const struct hwkey *hw, const struct entry *entry, struct report *out, struct err *e)
{
	AUTO_FREE char **names = NULL;
	size_t n = 0;
	int r = repo_names(&hw->repo, &names, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		AUTO_ENTRY struct entry other = { 0 };
		struct err dropped;

		if (strcmp(names[i], entry->name) != 0 && repo_read_info(&hw->repo, names[i], &other, &dropped) == 0 &&
		    is_same_key(entry, &other))
			r = erase_tell(out, e, ERASE_REMAINS, names[i], "this key of the repository is the same one");
	}
	return r;
}

/* What opens a copy of the token is not this key's alone. */
static int tell_source(const struct entry *entry, struct report *out, struct err *e)
{
	struct err dropped;
	struct key key;

	if (key_parse(entry->token.data, entry->token.len, &key, &dropped) == 0 && key.type == KEY_LOCAL)
		return erase_tell(out, e, ERASE_REMAINS, "wrapping key",
				  "other keys need it: a copy of '%s.skey' still opens here, until 'secure-erase --pks'",
				  entry->name);
	return erase_tell(out, e, ERASE_REMAINS, "master key", "a copy of '%s.skey' still opens where it is set",
			  entry->name);
}

int erase_key(struct hwkey *hw, const char *name, bool alone, struct report *out, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };
	struct erasing x = { hw, out };
	struct err why;
	int r = repo_read(&hw->repo, name, &entry, &why);
	bool known = r == 0;

	if (r < 0 && r != -EBADMSG) {
		*e = why;
		return r;
	}
	r = known ? key_volumes_judge(hw, &entry, see_erase, &x, e) : 0;
	if (r == 0)
		r = repo_erase(&hw->repo, name, false, e);	/* last: until then the command can be given again */
	if (r == 0)
		r = erase_tell(out, e, ERASE_GONE, name, "its files in the repository, overwritten and removed");
	if (r == 0 && alone)
		r = erase_tell(out, e, ERASE_REMAINS, "other volumes",
			       "that the key does not list: a token in their header still opens them here");
	if (r == 0 && known && alone)
		r = tell_source(&entry, out, e);
	return r == 0 && known && alone ? tell_copies(hw, &entry, out, e) : r;
}
