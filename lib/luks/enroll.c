// SPDX-License-Identifier: MIT
/*
 * A new keyslot: token (pending) - slot - token (with the slot) - proof - and only then the old ones go. A slot is
 * never reused in place, so whatever cuts this short, what opened the volume before opens it still.
 */
#include "volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/backend.h"
#include "lib/crypto.h"
#include "lib/env.h"
#include "lib/err.h"

enum { JSON_SLOT = 1024 };		/* bytes that a keyslot object may take in the header; 600 are usual */

/* Its number. */
static int find_free_slot(struct luks *l, struct err *e)
{
	for (int i = 0; i < LUKS_SLOTS; i++)
		if (crypt_keyslot_status(l->cd, i) == CRYPT_SLOT_INACTIVE)
			return i;
	return err_set(e, ENOSPC, "'%s' has no free keyslot: remove one by 'hwkey luks-unenroll' first", l->volume);
}

static int check_free_token(struct luks *l, struct err *e)
{
	for (int i = 0; i < LUKS_TOKENS; i++)
		if (crypt_token_status(l->cd, i, NULL) == CRYPT_TOKEN_INACTIVE)
			return 0;
	return err_set(e, ENOSPC, "'%s' has no free token: see 'hwkey luks-status'", l->volume);
}

/* Before anything is written: a slot, a token of TEXT bytes, and space for both in the header. */
static int check_space(struct luks *l, size_t text, struct err *e)
{
	enum { BINARY = 4096 };		/* the part of the metadata area that is no JSON */
	uint64_t metadata = 0;
	const char *json;
	int r = find_free_slot(l, e);

	if (r >= 0)
		r = check_free_token(l, e);
	if (r < 0)
		return r;
	r = crypt_dump_json(l->cd, &json, 0);
	if (r == 0)
		r = crypt_get_metadata_size(l->cd, &metadata, NULL);
	if (r < 0)
		return luks_fail(l, r, e, "cannot read the header");
	if (luks_json_size(json) + text + JSON_SLOT + BINARY > metadata)
		return err_set(e, ENOSPC, "the header of '%s' has no space for another token", l->volume);
	return 0;
}

static struct crypt_keyslot_context *context_of(struct luks *l, const struct luks_opener *o)
{
	struct crypt_keyslot_context *kc = NULL;
	int r;

	if (o && !o->volume_key.len)
		r = crypt_keyslot_context_init_by_token(l->cd, o->token, NULL, NULL, 0, NULL, &kc);
	else
		r = crypt_keyslot_context_init_by_volume_key(l->cd, o ? (const char *)o->volume_key.data : NULL,
							     o ? o->volume_key.len : 0, &kc);
	return r < 0 ? NULL : kc;
}

static int slot_add(struct luks *l, const struct luks_opener *o, int slot, const struct secret *passphrase, struct err *e)
{
	struct crypt_keyslot_context *by = context_of(l, o), *with = NULL;
	int r = luks_use_minimal_kdf(l, e);

	if (r == 0) {
		r = crypt_keyslot_context_init_by_passphrase(l->cd, (const char *)passphrase->data, passphrase->len, &with);
		if (r == 0)
			r = by ? crypt_keyslot_add_by_keyslot_context(l->cd, CRYPT_ANY_SLOT, by, slot, with, 0)
			       : -ENOMEM;
		/* All else was checked: what is left of EINVAL is that the key material has no room. */
		if (r < 0)
			r = luks_fail(l, r == -EINVAL ? -ENOSPC : r, e, "cannot add a keyslot");
	}
	if (r >= 0 && luks_sync(l, e) < 0) {
		struct err quiet = { 0 };

		(void)luks_slot_destroy(l, r, &quiet);
		r = -e->code;
	}
	crypt_keyslot_context_free(with);
	crypt_keyslot_context_free(by);
	return r;
}

/* What is added: a key's token, or that of a recovery key, which has neither. */
struct pair {
	const struct luks_key *key;
	struct luks_token *token;
	const struct secret *passphrase;
};

/* Pending, the token names no slot yet. That of a recovery key is pending until luks_recovery_end(). */
static int pair_put(struct luks *l, const struct pair *p, int id, int slot, bool pending, struct err *e)
{
	if (!p->key)
		return luks_recovery_put(l, id, slot, true, e);
	p->token->slots = pending ? 0 : UINT32_C(1) << slot;
	p->token->pending = pending;
	return luks_token_put(l, id, p->token, e);
}

/* The token as it is in the header now, unsealed for real, must open the slot. */
static int pair_prove(struct luks *l, const struct pair *p, int id, int slot, struct err *e)
{
	AUTO_SECRET struct secret unsealed = { 0 };
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	int r = 0;

	if (p->key && !luks_token_get(l, id, &t))
		return err_set(e, EIO, "'%s': the new token cannot be read back", l->volume);
	if (p->key)
		r = luks_unseal_by(l, p->key->device, p->key->seal, &t, &unsealed, e);
	if (r == 0)
		r = luks_try(l, slot, p->key ? &unsealed : p->passphrase, e);
	if (r == 0)
		return err_set(e, EIO, "'%s': the new keyslot does not open", l->volume);
	return r < 0 ? r : 0;
}

/* Adds token and slot, proven; the token's id. On error neither is there. */
static int pair_add(struct luks *l, const struct luks_opener *o, const struct pair *p, int *ret_slot, struct err *e)
{
	struct err quiet = { 0 };
	bool added = false;
	int slot = find_free_slot(l, e), id, r;

	if (slot < 0)
		return slot;
	id = pair_put(l, p, CRYPT_ANY_TOKEN, slot, true, e);
	if (id < 0)
		return id;
	r = slot_add(l, o, slot, p->passphrase, e);
	if (r >= 0) {
		added = true;
		r = pair_put(l, p, id, slot, false, e);
	}
	if (r >= 0)
		r = pair_prove(l, p, id, slot, e);
	if (r >= 0) {
		*ret_slot = slot;
		return id;
	}
	if (added)
		(void)luks_slot_destroy(l, slot, &quiet);
	(void)luks_token_drop(l, id, &quiet);
	return r;
}

static bool is_slot_of_key(struct luks *l, const struct luks_token *t, const struct luks_key *k)
{
	AUTO_SECRET struct secret passphrase = { 0 };
	struct err quiet = { 0 };
	uint32_t opened = 0;

	return base64_encode_secret(k->clear, &passphrase, &quiet) == 0 &&
	       luks_try_each(l, t->slots, &passphrase, &opened, &quiet) == 0 && opened;
}

/* This machine may refuse to open it now, for its state or its PIN. */
static bool is_owned(const struct luks_source *src, const struct luks_token *t)
{
	const struct seal_ops *seal;
	const struct device *dev;
	struct err quiet = { 0 };

	return src && src->find(src, t->backend, &t->blob, &dev, &seal, &quiet) == 0 && seal->owns &&
	       seal->owns(dev, &t->blob);
}

/*
 * The token was made here, and RET has the passphrase of its slots. One that is made for a UUID that this volume had is of
 * no use to anybody. Only a trust source that does not know its own has to open it.
 */
static bool is_from_here(struct luks *l, const struct luks_source *src, const struct luks_token *t,
			 const struct luks_key *k, struct secret *ret)
{
	struct err quiet = { 0 };

	if ((strcmp(t->vol, crypt_get_uuid(l->cd)) != 0 || is_owned(src, t)) && is_slot_of_key(l, t, k))
		return base64_encode_secret(k->clear, ret, &quiet) == 0;
	return (src ? luks_unseal(l, src, t, ret, &quiet) : luks_unseal_by(l, k->device, k->seal, t, ret, &quiet)) == 0;
}

/* Under the name that the key has, or had: then only the pattern says that it is no other key of that name. */
static bool is_named(const struct luks_token *t, const struct luks_key *k)
{
	bool known = k->pattern && t->pattern[0], same = known && !strcmp(t->pattern, k->pattern);

	return (!strcmp(t->name, k->name) && (same || !known)) || (k->former && !strcmp(t->name, k->former) && same);
}

/* Another machine's key may have the same name: that slot is its way in, and goes only when named. */
static bool is_replaced(struct luks *l, const struct luks_source *src, const struct luks_token *t, const struct luks_key *k,
			const char *replace)
{
	AUTO_SECRET struct secret passphrase = { 0 };

	if (replace && !strcmp(t->name, replace))
		return true;
	return is_named(t, k) && is_from_here(l, src, t, k, &passphrase);
}

/* Tokens that the new one replaces, but token NEW. -ENOENT: REPLACE is given and has none. */
static int find_old(struct luks *l, const struct luks_source *src, const struct luks_key *k, const char *replace,
		    uint32_t *ret_ids, struct err *e)
{
	bool found = !replace;

	*ret_ids = 0;
	for (int id = 0; id < LUKS_TOKENS; id++) {
		AUTO_LUKS_TOKEN struct luks_token t = { 0 };

		if (!luks_token_get(l, id, &t) || !is_replaced(l, src, &t, k, replace))
			continue;
		*ret_ids |= UINT32_C(1) << id;
		found |= replace && !strcmp(t.name, replace);
	}
	return found ? 0 : err_set(e, ENOENT, "'%s' has no keyslot of key '%s'", l->volume, replace);
}

/* Of the tokens IDS. */
static uint32_t slots_of(struct luks *l, uint32_t ids)
{
	uint32_t slots = 0;

	for (int id = 0; id < LUKS_TOKENS; id++) {
		AUTO_LUKS_TOKEN struct luks_token t = { 0 };

		if (ids & UINT32_C(1) << id && luks_token_get(l, id, &t))
			slots |= t.slots;
	}
	return slots;
}

static int old_slots(struct luks *l, const struct luks_source *src, const struct luks_key *k, const struct luks_token *t,
		     uint32_t *ret, struct err *e)
{
	AUTO_SECRET struct secret passphrase = { 0 };
	bool known = is_from_here(l, src, t, k, &passphrase);

	return luks_token_own(l, src, t, known ? &passphrase : NULL, ret, e);
}

/* The header's pattern follows when it was that of the token that goes. */
static int retire_old(struct luks *l, const struct luks_source *src, const struct luks_key *k, uint32_t ids, struct err *e)
{
	uint32_t own;
	char pattern[65];
	int r = 0;

	for (int id = 0; r == 0 && id < LUKS_TOKENS; id++) {
		AUTO_LUKS_TOKEN struct luks_token t = { 0 };

		if (!(ids & UINT32_C(1) << id) || !luks_token_get(l, id, &t))
			continue;
		if (k->pattern && luks_get_pattern(l, pattern) && !strcmp(pattern, t.pattern) &&
		    strcmp(pattern, k->pattern) != 0)
			r = luks_set_pattern(l, k->pattern, e);
		if (r == 0)
			r = old_slots(l, src, k, &t, &own, e);
		if (r == 0)
			r = luks_token_retire(l, id, &t, own, e);
	}
	return r < 0 ? err_prefix(e, "key '%s' is enrolled, but the old keyslot is still there", k->name) : 0;
}

int luks_enroll_with(struct luks *l, const struct luks_source *src, const struct luks_opener *o, const struct luks_key *k,
		     const char *replace, struct err *e)
{
	AUTO_SECRET struct secret passphrase = { 0 };
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	AUTO_BLOB struct blob text = { 0 };
	uint32_t old;
	int slot, r = find_old(l, src, k, replace, &old, e);

	if (r == 0)
		r = base64_encode_secret(k->clear, &passphrase, e);
	if (r == 0)
		r = luks_seal(l, k, &passphrase, &t, e);
	if (r == 0)
		r = luks_token_format(&t, &text, e);
	if (r == 0)
		r = check_space(l, text.len + sizeof("\"31\""), e);
	if (r == 0)
		r = pair_add(l, o, &(struct pair){ k, &t, &passphrase }, &slot, e);
	return r < 0 ? r : retire_old(l, src, k, old, e);
}

int luks_enroll(struct luks *l, const struct luks_auth *a, const struct luks_key *k, const char *replace, struct err *e)
{
	AUTO_OPENER struct luks_opener o = { 0 };
	struct luks_auth auth = *a;
	struct err quiet = { 0 };
	uint32_t old;
	int r = luks_check_writable(l, e);

	if (r == 0)
		r = find_old(l, a->source, k, replace, &old, e);
	if (r == 0)
		r = find_free_slot(l, e);
	if (r < 0)
		return r;
	auth.key = k;
	auth.key_slots = slots_of(l, old);
	r = luks_authorize(l, &auth, &o, e);
	if (r < 0)
		return r;
	(void)luks_settle(l, a->source, NULL, &quiet);
	return luks_enroll_with(l, a->source, &o, k, replace, e);
}

/* --- recovery key ---------------------------------------------------------------------------------------------- */

/* 256 random bits in groups of eight letters that are at the same place on every keyboard (modhex), as systemd's. */
static int recovery_new(struct secret *ret, struct err *e)
{
	enum { BYTES = 32, GROUP = 4 };
	static const char modhex[] = "cbdefghijklnrtuv";
	AUTO_SECRET struct secret raw = { 0 };
	int r = secret_random(&raw, BYTES, e);

	if (r == 0)
		r = secret_alloc(ret, 2 * BYTES + BYTES / GROUP - 1, e);
	for (size_t i = 0; r == 0 && i < BYTES; i++) {
		if (i && i % GROUP == 0)
			ret->data[ret->len++] = '-';
		ret->data[ret->len++] = (unsigned char)modhex[raw.data[i] >> 4];
		ret->data[ret->len++] = (unsigned char)modhex[raw.data[i] & 15];
	}
	return r;
}

int luks_recovery(struct luks *l, const struct luks_auth *a, struct secret *ret, int *ret_slot, struct err *e)
{
	enum { TEXT = 256 };		/* bytes of the token, at most */
	AUTO_OPENER struct luks_opener o = { 0 };
	AUTO_SECRET struct secret key = { 0 };
	struct err quiet = { 0 };
	int r = luks_check_writable(l, e);

	if (r == 0)
		r = check_space(l, TEXT, e);
	if (r == 0)
		r = luks_authorize(l, a, &o, e);
	if (r < 0)
		return r;
	(void)luks_settle(l, a->source, NULL, &quiet);
	r = recovery_new(&key, e);
	if (r == 0)
		r = pair_add(l, &o, &(struct pair){ .passphrase = &key }, ret_slot, e);
	if (r < 0)
		return r;
	l->recovery = r;
	*ret = TAKE(key);
	return 0;
}

int luks_recovery_end(struct luks *l, bool given, struct err *e)
{
	bool own;
	int slot = luks_recovery_slot(l, l->recovery, &own), r;

	if (!own)
		return err_set(e, EBUSY, "'%s' was changed meanwhile", l->volume);
	if (given) {
		r = luks_recovery_put(l, l->recovery, slot, false, e);
		return r < 0 ? r : 0;
	}
	r = luks_slot_destroy(l, slot, e);
	return r < 0 ? r : luks_token_drop(l, l->recovery, e);
}
