// SPDX-License-Identifier: MIT
/* Removing ways in, but never the last one by accident. */
#include "volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

/* Slots that a token other than ID names. */
static uint32_t slots_of_others(struct luks *l, int id)
{
	const char *type, *text;
	uint32_t set = 0;

	for (int i = 0; i < LUKS_TOKENS; i++) {
		text = i == id ? NULL : luks_token_text(l, i, &type);
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

int luks_token_retire(struct luks *l, int id, struct luks_token *t, struct err *e)
{
	uint32_t slots = t->slots & ~slots_of_others(l, id);
	int r = 0;

	if (slots && !t->pending) {
		t->pending = true;
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

/* Whether WHAT names token ID; its slots. */
static bool is_meant(struct luks *l, int id, const struct luks_remove *what, uint32_t *ret_slots)
{
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	const char *type, *text;

	if (what->name) {
		if (!luks_token_get(l, id, &t) || strcmp(t.name, what->name) != 0)
			return false;
		*ret_slots = t.slots;
		return true;
	}
	if (!what->recovery || !is_recovery(l, id))
		return false;
	text = luks_token_text(l, id, &type);
	*ret_slots = text ? luks_token_slots(text) : 0;
	return what->recovery_keep < 0 || !(*ret_slots & UINT32_C(1) << what->recovery_keep);
}

/* The slots and tokens to remove. */
static int collect(struct luks *l, const struct luks_remove *what, uint32_t *ret_slots, uint32_t *ret_ids, struct err *e)
{
	uint32_t slots = 0, ids = 0, s = 0;

	if (what->slot >= 0) {
		if (what->slot >= LUKS_SLOTS || crypt_keyslot_status(l->cd, what->slot) == CRYPT_SLOT_INACTIVE)
			return err_set(e, ENOENT, "'%s' has no keyslot %d", l->volume, what->slot);
		slots = UINT32_C(1) << what->slot;
	}
	for (int id = 0; id < LUKS_TOKENS; id++) {
		if (what->slot < 0 && is_meant(l, id, what, &s)) {
			slots |= s & ~slots_of_others(l, id);
			ids |= UINT32_C(1) << id;
		}
	}
	if (!slots && !ids && what->name)
		return err_set(e, ENOENT, "'%s' has no keyslot of key '%s'", l->volume, what->name);
	if (!slots && !ids && what->recovery_keep < 0)
		return err_set(e, ENOENT, "'%s' has no recovery key", l->volume);
	*ret_slots = slots;
	*ret_ids = ids;
	return 0;
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

int luks_unenroll(struct luks *l, const struct luks_source *src, const struct luks_remove *what, struct err *e)
{
	uint32_t slots = 0, ids = 0, touched;
	struct err quiet = { 0 };
	int r = luks_check_writable(l, e);

	if (r == 0 && src)
		(void)luks_settle(l, src, NULL, &quiet);
	if (r == 0)
		r = collect(l, what, &slots, &ids, e);
	if (r < 0)
		return r;
	if (luks_slots(l) & slots && !(luks_slots(l) & ~slots) && !what->force_last)
		return err_set(e, EBUSY, "that is the last way into '%s': add another one first, or use --force-last",
			       l->volume);
	touched = own_tokens_with(l, slots) | ids;
	for (int id = 0; r == 0 && id < LUKS_TOKENS; id++) {
		AUTO_LUKS_TOKEN struct luks_token t = { 0 };

		if (ids & UINT32_C(1) << id && luks_token_get(l, id, &t))
			r = luks_token_retire(l, id, &t, e);
	}
	if (r == 0)
		r = destroy_slots(l, slots, e);
	return r < 0 ? r : drop_dead_tokens(l, touched, e);
}
