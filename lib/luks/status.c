// SPDX-License-Identifier: MIT
/* What the header says, without opening anything. */
#include "volume.h"

#include <string.h>

#include "lib/err.h"
#include "lib/tpm-foreign.h"
#include "lib/tpm-token.h"

static const char *priority_name(struct luks *l, int slot)
{
	switch (crypt_keyslot_get_priority(l->cd, slot)) {
	case CRYPT_SLOT_PRIORITY_IGNORE: return "ignore";
	case CRYPT_SLOT_PRIORITY_NORMAL: return "normal";
	case CRYPT_SLOT_PRIORITY_PREFER: return "prefer";
	default: return NULL;
	}
}

static void fill_slot(struct luks *l, int slot, struct luks_row *row)
{
	struct crypt_pbkdf_type kdf = { 0 };

	row->priority = priority_name(l, slot);
	if (crypt_keyslot_get_pbkdf(l->cd, slot, &kdf) == 0)
		row->kdf = kdf.type;
	if (crypt_keyslot_status(l->cd, slot) == CRYPT_SLOT_UNBOUND)
		row->state = "unbound";
}

/* The blob of a token is bound to the UUID. */
static const char *state_of(struct luks *l, const struct luks_token *t, int slot)
{
	if (strcmp(t->vol, crypt_get_uuid(l->cd)) != 0)
		return "dead";
	if (slot < 0)
		return t->pending ? "pending" : "dead";
	return t->pending ? "removing" : "ok";
}

static void describe_own(const struct blob *token, struct luks_row *row)
{
	AUTO_TPM_TOKEN struct tpm_token t = { 0 };
	struct err ignored;

	if (tpm_token_is(token->data, token->len) && tpm_token_parse(token->data, token->len, &t, &ignored) == 0)
		tpm_policy_describe(&t.policy, row->needs, sizeof(row->needs));
}

/* Another program's, by the words of its own. */
static void describe_foreign(const char *token, struct luks_row *row)
{
	AUTO_TPM_FOREIGN struct tpm_foreign f = { 0 };
	struct err ignored;

	if (tpm_foreign_parse(token, strlen(token), &f, &ignored) < 0) {
		row->state = "invalid";
		return;
	}
	tpm_foreign_describe(&f, row->needs, sizeof(row->needs));
	row->backend = f.public.len ? "tpm2" : NULL;
	row->state = row->slot < 0 ? "dead" : "ok";
}

static void fill_token(struct luks *l, int slot, int id, struct luks_token *t, struct luks_row *row)
{
	const char *text = luks_token_text(l, id, &row->type);
	char salt[LUKS_SALT_SIZE];

	if (!text)
		return;
	if (luks_token_get(l, id, t)) {
		row->name = t->name;
		row->backend = t->backend;
		row->blob = &t->blob;
		row->created = t->created;
		row->pattern = t->pattern[0] ? t->pattern : NULL;
		row->state = state_of(l, t, slot);
		describe_own(&t->blob, row);
	} else if (!strcmp(row->type, LUKS_TOKEN_TYPE)) {
		row->state = "invalid";
	} else if (!strcmp(row->type, LUKS_RECOVERY_TYPE)) {
		row->state = slot >= 0 ? "ok" : luks_recovery_pending(text, salt) >= 0 ? "pending" : "dead";
	} else if (!strcmp(row->type, LUKS_PATTERN_TYPE)) {
		row->pattern = luks_pattern_parse(text, t->pattern) ? t->pattern : NULL;
		row->state = row->pattern ? "ok" : "invalid";
	} else if (!strcmp(row->type, LUKS_SYSTEMD_TYPE) || !strcmp(row->type, LUKS_CLEVIS_TYPE)) {
		describe_foreign(text, row);
	}
}

void luks_row_fill(struct luks *l, int slot, int token, struct luks_token *t, struct luks_row *row)
{
	*row = (struct luks_row){ .slot = slot, .token = token, .type = "passphrase" };
	if (token >= 0)
		fill_token(l, slot, token, t, row);
	if (slot >= 0)
		fill_slot(l, slot, row);
}

static int show(struct luks *l, int slot, int token, const struct luks_see *see, struct err *e)
{
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	struct luks_row row;

	luks_row_fill(l, slot, token, &t, &row);
	return see->row(see->ctx, &row, e);
}

static int show_slot(struct luks *l, int slot, const struct luks_see *see, struct err *e)
{
	const char *type, *text;
	bool any = false;
	int r = 0;

	for (int id = 0; r == 0 && id < LUKS_TOKENS; id++) {
		text = luks_token_text(l, id, &type);
		if (text && luks_token_slots(text) & UINT32_C(1) << slot) {
			any = true;
			r = show(l, slot, id, see, e);
		}
	}
	return r < 0 || any ? r : show(l, slot, -1, see, e);
}

int luks_status(struct luks *l, const struct luks_see *see, struct err *e)
{
	const char *type, *text;
	int r = 0;

	for (int slot = 0; r == 0 && slot < LUKS_SLOTS; slot++)
		if (crypt_keyslot_status(l->cd, slot) != CRYPT_SLOT_INACTIVE)
			r = show_slot(l, slot, see, e);
	for (int id = 0; r == 0 && id < LUKS_TOKENS; id++) {
		text = luks_token_text(l, id, &type);
		if (text && !luks_token_slots(text))
			r = show(l, -1, id, see, e);
	}
	return r;
}
