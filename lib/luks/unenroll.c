// SPDX-License-Identifier: MIT
/* Removing ways in, but never the last one by accident. */
#include "volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/env.h"
#include "lib/err.h"

/* Slots that a token outside IDS names. */
static uint32_t slots_of_others(struct luks *l, uint32_t ids)
{
	const char *type, *text;
	uint32_t set = 0;

	for (int i = 0; i < LUKS_TOKENS; i++) {
		text = ids & UINT32_C(1) << i ? NULL : luks_token_text(l, i, &type);
		if (text)
			set |= luks_token_slots(text);
	}
	return set;
}

static int destroy_slots(struct luks *l, uint32_t slots, struct err *e)
{
	int r = 0;

	for (int i = 0; r == 0 && i < LUKS_SLOTS; i++)
		if (slots & UINT32_C(1) << i && crypt_keyslot_status(l->cd, i) != CRYPT_SLOT_INACTIVE)
			r = luks_slot_destroy(l, i, e);
	return r;
}

int luks_token_own(struct luks *l, const struct luks_source *src, const struct luks_token *t,
		   const struct secret *passphrase, uint32_t *ret, struct err *e)
{
	uint32_t own = t->slots;
	int r = passphrase ? luks_try_each(l, t->slots, passphrase, &own, e) : 0;

	if (r < 0)
		return r;
	if (!passphrase && own & (own - 1))
		return err_set(e, ENOTEMPTY,
			       "the token of key '%s' names several keyslots of '%s' and cannot be unsealed here: remove "
			       "them by --slot", t->name, l->volume);
	for (int i = 0; src && src->env->note && i < LUKS_SLOTS; i++)
		if ((t->slots & ~own) & UINT32_C(1) << i)
			src->env->note(src->env, "keyslot %d of '%s' stays: the token of key '%s' does not open it", i,
				       l->volume, t->name);
	*ret = own;
	return 0;
}

int luks_token_retire(struct luks *l, int id, struct luks_token *t, uint32_t own, struct err *e)
{
	uint32_t slots = own & ~slots_of_others(l, UINT32_C(1) << id);
	int r = 0;

	if (slots && (!t->pending || t->slots != own)) {
		t->pending = true;
		t->slots = own;
		if (own & (own - 1) || !luks_salt(l, __builtin_ctz(own), t->salt))
			t->salt[0] = '\0';
		r = luks_token_put(l, id, t, e);
	}
	if (r >= 0)
		r = destroy_slots(l, slots, e);
	return r < 0 ? r : luks_token_drop(l, id, e);
}

static bool is_recovery(struct luks *l, int id)
{
	const char *type;

	return luks_token_text(l, id, &type) && !strcmp(type, LUKS_RECOVERY_TYPE);
}

static int slots_of_key(struct luks *l, const struct luks_source *src, const struct luks_token *t, uint32_t *ret,
			struct err *e)
{
	AUTO_SECRET struct secret passphrase = { 0 };
	struct err quiet = { 0 };
	bool known = src && luks_unseal(l, src, t, &passphrase, &quiet) == 0;

	return luks_token_own(l, src, t, known ? &passphrase : NULL, ret, e);
}

/* Of two keys; empty or NULL: not known. */
static bool differ(const char *a, const char *b)
{
	return a && b && *a && *b && strcmp(a, b) != 0;
}

/* Which of two keys of one name is meant, nobody can tell. */
static int check_one_key(struct luks *l, const char *name, struct err *e)
{
	char pattern[65] = "";

	for (int id = 0; id < LUKS_TOKENS; id++) {
		AUTO_LUKS_TOKEN struct luks_token t = { 0 };

		if (!luks_token_get(l, id, &t) || strcmp(t.name, name) != 0)
			continue;
		if (differ(pattern, t.pattern))
			return err_set(e, ENOTEMPTY, "'%s' has keyslots of two keys of the name '%s', as of two machines: "
				       "remove those that are meant by --slot", l->volume, name);
		if (t.pattern[0])
			memcpy(pattern, t.pattern, sizeof(pattern));
	}
	return 0;
}

/* 1: WHAT names token ID; its slots. */
static int is_meant(struct luks *l, const struct luks_source *src, int id, const struct luks_remove *what,
		    uint32_t *ret_slots, struct err *e)
{
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	const char *type, *text;
	int r;

	if (what->name) {
		if (!luks_token_get(l, id, &t) || strcmp(t.name, what->name) != 0 || differ(t.pattern, what->pattern))
			return 0;
		r = slots_of_key(l, src, &t, ret_slots, e);
		return r < 0 ? r : 1;
	}
	if (!what->recovery || !is_recovery(l, id))
		return 0;
	text = luks_token_text(l, id, &type);
	*ret_slots = text ? luks_token_slots(text) : 0;
	return what->recovery_keep < 0 || !(*ret_slots & UINT32_C(1) << what->recovery_keep);
}

/* A slot that stays because of another token would open as before. */
static int check_shared(struct luks *l, uint32_t slots, uint32_t ids, struct err *e)
{
	const char *type, *text;

	for (int id = 0; id < LUKS_TOKENS; id++) {
		text = ids & UINT32_C(1) << id ? NULL : luks_token_text(l, id, &type);
		if (text && luks_token_slots(text) & slots)
			return err_set(e, ENOTEMPTY, "keyslot %d of '%s' is token %d's, too (%s): remove it by --slot %d",
				       __builtin_ctz(luks_token_slots(text) & slots), l->volume, id, type,
				       __builtin_ctz(luks_token_slots(text) & slots));
	}
	return 0;
}

/* The slots and tokens to remove. */
static int collect(struct luks *l, const struct luks_source *src, const struct luks_remove *what, uint32_t *ret_slots,
		   uint32_t *ret_ids, struct err *e)
{
	uint32_t slots = 0, ids = 0, s = 0;
	int r = 0;

	if (what->slot >= 0) {
		if (what->slot >= LUKS_SLOTS || crypt_keyslot_status(l->cd, what->slot) == CRYPT_SLOT_INACTIVE)
			return err_set(e, ENOENT, "'%s' has no keyslot %d", l->volume, what->slot);
		slots = UINT32_C(1) << what->slot;
	}
	if (what->name && !what->pattern)
		r = check_one_key(l, what->name, e);
	for (int id = 0; r >= 0 && what->slot < 0 && id < LUKS_TOKENS; id++) {
		r = is_meant(l, src, id, what, &s, e);
		if (r == 1) {
			slots |= s;
			ids |= UINT32_C(1) << id;
		}
	}
	if (r < 0)
		return r;
	if (!slots && !ids && what->name)
		return err_set(e, ENOENT, "'%s' has no keyslot of key '%s'", l->volume, what->name);
	if (!slots && !ids && what->recovery_keep < 0)
		return err_set(e, ENOENT, "'%s' has no recovery key", l->volume);
	*ret_slots = slots;
	*ret_ids = ids;
	return what->slot >= 0 ? 0 : check_shared(l, slots, ids, e);
}

/* Ours without a slot after one was destroyed. */
static int drop_dead_tokens(struct luks *l, uint32_t before, struct err *e)
{
	int r = 0;

	for (int id = 0; r == 0 && id < LUKS_TOKENS; id++) {
		const char *type, *text = luks_token_text(l, id, &type);

		if (before & UINT32_C(1) << id && text && !luks_token_slots(text))
			r = luks_token_drop(l, id, e);
	}
	return r;
}

static uint32_t own_tokens_with(struct luks *l, uint32_t slots)
{
	const char *type, *text;
	uint32_t ids = 0;

	for (int id = 0; id < LUKS_TOKENS; id++) {
		text = luks_token_text(l, id, &type);
		if (text && (!strcmp(type, LUKS_TOKEN_TYPE) || !strcmp(type, LUKS_RECOVERY_TYPE)) &&
		    luks_token_slots(text) & slots)
			ids |= UINT32_C(1) << id;
	}
	return ids;
}

/* What is to go, and how. */
struct removal {
	const struct luks_source *source;
	uint32_t slots, ids;
	bool force_last;
};

static int check_last(struct luks *l, const struct removal *c, bool tell, struct err *e)
{
	struct luks_ways left;

	if (c->force_last || !(luks_slots(l) & c->slots))
		return 0;
	left = luks_ways_without(l, c->source, c->slots, c->ids);
	if (!left.proven && !left.unproven)
		return err_set(e, EBUSY, "that is the last way into '%s': add another one first", l->volume);
	if (tell)
		luks_ways_note(l, c->source, &left);
	return 0;
}

/* Each step only while there is another way in. */
static int carry_out(struct luks *l, const struct removal *c, struct err *e)
{
	int r = 0;

	for (int id = 0; r == 0 && id < LUKS_TOKENS; id++) {
		AUTO_LUKS_TOKEN struct luks_token t = { 0 };

		if (!(c->ids & UINT32_C(1) << id) || !luks_token_get(l, id, &t))
			continue;
		r = check_last(l, c, false, e);
		if (r == 0)
			r = luks_token_retire(l, id, &t, t.slots & c->slots, e);
	}
	if (r == 0)
		r = check_last(l, c, false, e);
	return r < 0 ? r : destroy_slots(l, c->slots, e);
}

int luks_unenroll(struct luks *l, const struct luks_source *src, const struct luks_remove *what, struct err *e)
{
	struct removal c = { .source = src, .force_last = what->force_last };
	struct err quiet = { 0 };
	uint32_t touched;
	int r = luks_check_writable(l, e);

	if (r == 0 && src && !what->check)
		(void)luks_settle(l, src, NULL, &quiet);
	if (r == 0)
		r = collect(l, src, what, &c.slots, &c.ids, e);
	if (r == 0)
		r = check_last(l, &c, !what->check, e);
	if (r < 0 || what->check)
		return r;
	touched = own_tokens_with(l, c.slots) | c.ids;
	r = carry_out(l, &c, e);
	return r < 0 ? r : drop_dead_tokens(l, touched, e);
}
