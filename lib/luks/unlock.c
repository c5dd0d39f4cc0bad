// SPDX-License-Identifier: MIT
/* Ways in: which one opens the volume, with what result, and using it. */
#include "volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/backend.h"
#include "lib/crypto.h"
#include "lib/dm.h"
#include "lib/env.h"
#include "lib/err.h"

#define ASK_NAME "hwkey.luks-passphrase"

void luks_opener_done(struct luks_opener *o)
{
	secret_done(&o->volume_key);
}

/* 1: RET has the volume key. 0: PASSPHRASE does not open SLOT. */
static int take_volume_key(struct luks *l, int slot, const struct secret *passphrase, struct luks_opener *ret,
			   struct err *e)
{
	AUTO_SECRET struct secret key = { 0 };
	int size = crypt_get_volume_key_size(l->cd), r;

	if (slot >= 0 && !(luks_slots(l) & UINT32_C(1) << slot))
		return 0;	/* unbound: its key is not the volume's */
	if (size <= 0)
		return luks_fail(l, -EBADMSG, e, "the header has no volume key");
	r = secret_alloc(&key, (size_t)size, e);
	if (r < 0)
		return r;
	key.len = (size_t)size;
	r = crypt_volume_key_get(l->cd, slot, (char *)key.data, &key.len, (const char *)passphrase->data, passphrase->len);
	if (r == -EPERM || r == -ENOENT) {
		l->log[0] = '\0';
		return 0;
	}
	if (r < 0)
		return luks_fail(l, r, e, "cannot get the volume key");
	*ret = (struct luks_opener){ .volume_key = TAKE(key) };
	return 1;
}

/* 0, or -errno with the reason in E. */
static int open_by_own_token(struct luks *l, const struct luks_source *src, const struct luks_token *t,
			     struct luks_opener *ret, struct err *e)
{
	AUTO_SECRET struct secret passphrase = { 0 };
	int r = luks_unseal(l, src, t, &passphrase, e);

	for (int i = 0; r == 0 && i < LUKS_SLOTS; i++)
		if (t->slots & UINT32_C(1) << i)
			r = take_volume_key(l, i, &passphrase, ret, e);
	if (r == 0)
		return err_set(e, EACCES, "the sealed passphrase does not open the keyslot");
	return r < 0 ? r : 0;
}

static bool is_foreign(const char *type)
{
	return !strcmp(type, LUKS_SYSTEMD_TYPE) || !strcmp(type, LUKS_CLEVIS_TYPE);
}

/* Another program's token of a TPM: of systemd's the passphrase is the base64 of what was sealed. */
static int unseal_foreign(const struct luks_source *src, const char *type, const char *text, struct secret *ret,
			  struct err *e)
{
	const struct blob token = { (unsigned char *)(uintptr_t)text, strlen(text) };
	AUTO_SECRET struct secret sealed = { 0 };
	const struct seal_ops *seal;
	const struct device *dev;
	bool coded = !strcmp(type, LUKS_SYSTEMD_TYPE);
	int r = src->find(src, "tpm2", &token, &dev, &seal, e);

	if (r == 0 && !seal->unseal_foreign)
		r = err_set(e, EOPNOTSUPP, "tokens of type '%s' cannot be opened", type);
	if (r == 0)
		r = seal->unseal_foreign(dev, &token, coded ? &sealed : ret, e);
	return r < 0 || !coded ? r : base64_encode_secret(&sealed, ret, e);
}

static int open_by_foreign_token(struct luks *l, const struct luks_source *src, int id, struct luks_opener *ret,
				 struct err *e)
{
	AUTO_SECRET struct secret passphrase = { 0 };
	const char *type, *text = luks_token_text(l, id, &type);
	uint32_t slots = text ? luks_token_slots(text) : 0;
	int r = slots ? unseal_foreign(src, type, text, &passphrase, e) : 0;

	for (int i = 0; r == 0 && i < LUKS_SLOTS; i++)
		if (slots & UINT32_C(1) << i)
			r = take_volume_key(l, i, &passphrase, ret, e);
	if (r == 0)
		return err_set(e, EACCES, "what was sealed does not open the keyslot");
	return r < 0 ? r : 0;
}

/* By the plug-in of the token's type, through libcryptsetup. */
static int open_by_plugin(struct luks *l, int id, struct err *e)
{
	int r = crypt_activate_by_token_pin(l->cd, NULL, NULL, id, NULL, 0, NULL, 0);

	return r < 0 ? luks_fail(l, r, e, "token does not open") : 0;
}

/* It says nothing of the volume: another time it may open. */
static bool is_no_answer(const struct err *why)
{
	return err_is_resource(why->code) || why->code == EBUSY;
}

/* -EACCES: no token opens; E says why the last one of ours did not. Where that is no refusal its own error is kept. */
static int open_by_tokens(struct luks *l, const struct luks_source *src, struct luks_opener *ret, struct err *e)
{
	struct err why = { 0 }, quiet = { 0 };
	crypt_token_info info;
	const char *type;

	for (int id = 0; id < LUKS_TOKENS; id++) {
		AUTO_LUKS_TOKEN struct luks_token t = { 0 };

		why = luks_token_get(l, id, &t) ? (struct err){ 0 } : why;
		if (t.slots && open_by_own_token(l, src, &t, ret, &why) == 0)
			return 0;
	}
	for (int id = 0; id < LUKS_TOKENS; id++) {
		info = crypt_token_status(l->cd, id, &type);
		if (info != CRYPT_TOKEN_INACTIVE && info != CRYPT_TOKEN_INVALID && is_foreign(type) &&
		    open_by_foreign_token(l, src, id, ret, why.code ? &quiet : &why) == 0)
			return 0;
		if ((info == CRYPT_TOKEN_INTERNAL || info == CRYPT_TOKEN_EXTERNAL) && open_by_plugin(l, id, &quiet) == 0) {
			*ret = (struct luks_opener){ .token = id };
			return 0;
		}
	}
	if (why.code)
		return err_set(e, is_no_answer(&why) ? why.code : EACCES, "'%s': %s", l->volume, why.msg);
	return err_set(e, EACCES, "no token opens '%s'", l->volume);
}

static int open_by_passphrase(struct luks *l, const struct secret *passphrase, struct luks_opener *ret, struct err *e)
{
	int r = take_volume_key(l, CRYPT_ANY_SLOT, passphrase, ret, e);

	if (r == 0)
		return err_set(e, EACCES, "the passphrase does not open '%s'", l->volume);
	return r < 0 ? r : 0;
}

static int open_by_key(struct luks *l, const struct luks_key *k, struct luks_opener *ret, struct err *e)
{
	AUTO_SECRET struct secret passphrase = { 0 };
	int r = base64_encode_secret(k->clear, &passphrase, e);

	if (r < 0)
		return r;
	r = take_volume_key(l, CRYPT_ANY_SLOT, &passphrase, ret, e);
	if (r == 0)
		return err_set(e, EACCES, "key '%s' does not open '%s'", k->name, l->volume);
	return r < 0 ? r : 0;
}

/* The key's own slots, whose KDF is cheap, instead of what a trust source would ask for. */
static bool open_by_slots(struct luks *l, const struct luks_auth *a, struct luks_opener *ret)
{
	AUTO_SECRET struct secret passphrase = { 0 };
	struct err quiet = { 0 };
	int r = a->key && a->key_slots ? base64_encode_secret(a->key->clear, &passphrase, &quiet) : -ENOENT;

	if (r < 0)
		return false;
	for (int i = 0; i < LUKS_SLOTS; i++)
		if (a->key_slots & UINT32_C(1) << i && take_volume_key(l, i, &passphrase, ret, &quiet) == 1)
			return true;
	return false;
}

int luks_authorize(struct luks *l, const struct luks_auth *a, struct luks_opener *ret, struct err *e)
{
	const struct env *env = a->source->env;
	AUTO_SECRET struct secret passphrase = { 0 };
	struct err no_token = { 0 }, quiet = { 0 };
	char prompt[256];
	int r;

	if (a->passphrase)
		return open_by_passphrase(l, a->passphrase, ret, e);
	if (!a->ask && open_by_slots(l, a, ret))
		return 0;
	if (!a->ask && open_by_tokens(l, a->source, ret, &no_token) == 0)
		return 0;
	if (!a->ask && a->key && open_by_key(l, a->key, ret, &quiet) == 0)
		return 0;
	(void)snprintf(prompt, sizeof(prompt), "Passphrase of volume '%s':", l->volume);
	r = env->ask ? env->ask(env, ASK_NAME, prompt, &passphrase, e) : err_set(e, ENOKEY, "nobody can be asked");
	if (r == -ENOKEY && no_token.code)
		return err_set(e, no_token.code, "%.240s; %.240s", no_token.msg, strdupa(e->msg));
	if (r == -ENOKEY)
		return err_set(e, EACCES, "'%s' needs a passphrase: %.240s", l->volume, strdupa(e->msg));
	return r < 0 ? r : open_by_passphrase(l, &passphrase, ret, e);
}

/* --- test ------------------------------------------------------------------------------------------------------ */

static int test_slot(struct luks *l, const struct luks_auth *a, int slot, int token, const struct luks_token *t,
		     struct err *why)
{
	AUTO_OPENER struct luks_opener o = { 0 };
	struct err quiet = { 0 };
	crypt_token_info info;
	const char *type;
	int r;

	if (crypt_keyslot_status(l->cd, slot) == CRYPT_SLOT_UNBOUND)
		return err_set(why, EACCES, "unbound: it holds another key than the volume's");
	if (token >= 0 && t->name[0])
		return open_by_own_token(l, a->source, t, &o, why);
	if (token >= 0) {
		info = crypt_token_status(l->cd, token, &type);
		r = is_foreign(type) ? open_by_foreign_token(l, a->source, token, &o, why) : -EOPNOTSUPP;
		if (r == 0)
			return 0;
		if ((r == -ENODEV || r == -EOPNOTSUPP) && (info == CRYPT_TOKEN_INTERNAL || info == CRYPT_TOKEN_EXTERNAL) &&
		    (r = open_by_plugin(l, token, is_foreign(type) ? &quiet : why)) == 0)
			return 0;
		if (!a->passphrase && (is_foreign(type) || why->code))
			return -why->code;
	}
	if (!a->passphrase)
		return err_set(why, ENOKEY, "not tried: needs a passphrase");
	r = luks_try(l, slot, a->passphrase, why);
	return r == 0 ? err_set(why, EACCES, "the passphrase does not open it") : r;
}

struct test {
	struct luks *l;
	const struct luks_auth *auth;
	const struct luks_see *see;
	bool opens;
	struct err failed;		/* what was no answer: memory, a device, a busy TPM */
};

static int test_row(void *ctx, const struct luks_row *known, struct err *e)
{
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	struct luks_row row = *known;
	struct test *c = ctx;
	struct err why = { 0 };

	if (row.slot < 0 || (c->auth->only && (!row.name || strcmp(row.name, c->auth->only) != 0)))
		return 0;
	if (row.token >= 0)
		(void)luks_token_get(c->l, row.token, &t);
	t.slots = UINT32_C(1) << row.slot;
	row.result = test_slot(c->l, c->auth, row.slot, row.token, &t, &why);
	row.what = row.result < 0 ? why.msg : "opens";
	if (row.result < 0 && is_no_answer(&why))
		c->failed = why;
	c->opens |= row.result >= 0;
	return c->see->row(c->see->ctx, &row, e);
}

int luks_test(struct luks *l, const struct luks_auth *a, const struct luks_see *see, struct err *e)
{
	struct test c = { .l = l, .auth = a, .see = see };
	int r = luks_check_steady(l, e);	/* while there are two volume keys, no slot opens alone */

	if (r == 0)
		r = luks_status(l, &(struct luks_see){ test_row, &c }, e);
	if (r < 0 || c.opens)
		return r;
	if (c.failed.code)
		return err_set(e, c.failed.code, "'%s': %.400s", l->volume, c.failed.msg);
	return err_set(e, EACCES, "nothing that was tried opens '%s'", l->volume);
}

/* --- activate -------------------------------------------------------------------------------------------------- */

static int check_device_mapper(struct err *e)
{
	if (!dm_is_here(NULL))
		return err_set(e, ENODEV, "this kernel has no device mapper: try 'modprobe dm-crypt'");
	if (access("/dev/mapper/control", R_OK | W_OK) < 0 && errno != ENOENT)	/* libdevmapper makes it */
		return err_sys(e, "cannot use '/dev/mapper/control'");
	return 0;
}

static int activate_by(struct luks *l, const struct luks_opener *o, const char *name, uint32_t flags, struct err *e)
{
	int r;

	if (o->volume_key.len)
		r = crypt_activate_by_volume_key(l->cd, name, (const char *)o->volume_key.data, o->volume_key.len, flags);
	else
		r = crypt_activate_by_token_pin(l->cd, name, NULL, o->token, NULL, 0, NULL, flags);
	return r < 0 ? luks_fail(l, r, e, "cannot activate") : 0;
}

int luks_activate(struct luks *l, const struct luks_auth *a, const struct luks_key *k, const char *name, unsigned flags,
		  struct err *e)
{
	AUTO_OPENER struct luks_opener o = { 0 };
	int r = name ? check_device_mapper(e) : 0;

	if (r == 0 && name)
		r = luks_check_steady(l, e);	/* the volume key of a moment would map half of it */
	if (r == 0)
		r = k ? open_by_key(l, k, &o, e) : luks_authorize(l, a, &o, e);
	if (r < 0 || !name)
		return r;
	return activate_by(l, &o, name, flags & LUKS_READONLY ? CRYPT_ACTIVATE_READONLY : 0, e);
}
