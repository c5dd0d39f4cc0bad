// SPDX-License-Identifier: MIT
/* Which keyslots are ways in. */
#include "volume.h"

#include <stdio.h>
#include <string.h>

#include "lib/env.h"
#include "lib/err.h"

bool luks_slot_is_plain(struct luks *l, int slot)
{
	struct crypt_pbkdf_type kdf = { 0 };

	return crypt_keyslot_get_pbkdf(l->cd, slot, &kdf) == 0 && kdf.type && !strcmp(kdf.type, CRYPT_KDF_PBKDF2) &&
	       kdf.hash && !strcmp(kdf.hash, "sha512") && kdf.iterations == 1000;
}

static bool opens_here(struct luks *l, const struct luks_source *src, const struct luks_token *t, int slot)
{
	AUTO_SECRET struct secret passphrase = { 0 };
	struct err quiet = { 0 };

	return src && !t->pending && luks_unseal(l, src, t, &passphrase, &quiet) == 0 &&
	       luks_try(l, slot, &passphrase, &quiet) == 1;
}

/* A slot as ours are made, that no token names, is what an interrupted change left: nobody knows its passphrase. */
static void judge(struct luks *l, const struct luks_source *src, int slot, uint32_t without_ids, struct luks_ways *ret)
{
	const uint32_t bit = UINT32_C(1) << slot;
	bool named = false, foreign = false;

	for (int id = 0; id < LUKS_TOKENS; id++) {
		AUTO_LUKS_TOKEN struct luks_token t = { 0 };
		const char *type, *text = without_ids & UINT32_C(1) << id ? NULL : luks_token_text(l, id, &type);

		if (!text || !(luks_token_slots(text) & bit))
			continue;
		named = true;
		if (strcmp(type, LUKS_TOKEN_TYPE) != 0)
			foreign = true;
		else if (luks_token_get(l, id, &t) && opens_here(l, src, &t, slot))
			ret->proven |= bit;
	}
	if (!(ret->proven & bit) && (foreign || (!named && !luks_slot_is_plain(l, slot))))
		ret->unproven |= bit;
}

struct luks_ways luks_ways_without(struct luks *l, const struct luks_source *src, uint32_t slots, uint32_t ids)
{
	const uint32_t left = luks_slots(l) & ~slots;
	struct luks_ways w = { 0 };

	for (int i = 0; i < LUKS_SLOTS; i++)
		if (left & UINT32_C(1) << i)
			judge(l, src, i, ids, &w);
	return w;
}

void luks_ways_note(struct luks *l, const struct luks_source *src, const struct luks_ways *w)
{
	char list[LUKS_SLOTS * 4] = "";
	size_t n = 0;

	if (!src || !src->env->note || w->proven || !w->unproven)
		return;
	for (int i = 0; i < LUKS_SLOTS; i++)
		if (w->unproven & UINT32_C(1) << i)
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%d", n ? ", " : "", i);
	src->env->note(src->env, "'%s' is left with keyslots that were not tried: %s", l->volume, list);
}
