// SPDX-License-Identifier: MIT
/* A TPM's sealed object of 32 bytes, and what they open: the token of lib/tpm-token.h. */
#include "tpm.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <tss2/tss2_mu.h>

#include "lib/crypto.h"
#include "memory.h"

enum { OBJECT = 32 };			/* bytes of the object */

static const unsigned char nonce[CRYPTO_NONCE];		/* zeros: a token's key is used once */
static const TPML_PCR_SELECTION no_pcrs;

/* --- the payload ------------------------------------------------------------------------------------------------ */

static int payload_key(const struct tpm_token *t, const unsigned char object[OBJECT], unsigned char ret[CRYPTO_KEY],
		       struct err *e)
{
	return crypto_hkdf(object, OBJECT, t->salt, sizeof(t->salt), "hwkey-tpm2/1 payload", 20, ret, CRYPTO_KEY, e);
}

static int payload_aad(const void *header, size_t len, const struct blob *binding, struct blob *ret, struct err *e)
{
	size_t more = binding ? binding->len : 0;
	int r = blob_alloc(ret, len + more, e);

	if (r < 0)
		return r;
	memcpy(ret->data, header, len);
	if (more)
		memcpy(ret->data + len, binding->data, more);
	return 0;
}

static int payload_seal(const struct tpm_token *t, const unsigned char object[OBJECT], const struct secret *payload,
			const struct blob *binding, struct blob *ret, struct err *e)
{
	AUTO_BLOB struct blob header = { 0 }, aad = { 0 }, b = { 0 };
	unsigned char key[CRYPTO_KEY];
	int r = tpm_token_format_header(t, &header, e);

	if (r == 0)
		r = payload_aad(header.data, header.len, binding, &aad, e);
	if (r == 0)
		r = blob_alloc(&b, header.len + 2 + payload->len + CRYPTO_TAG, e);
	if (r == 0)
		r = payload_key(t, object, key, e);
	if (r < 0)
		return r;
	memcpy(b.data, header.data, header.len);
	be_put(b.data + header.len, payload->len, 2);
	r = crypto_seal(key, nonce, aad.data, aad.len, payload->data, payload->len, b.data + header.len + 2,
			b.data + header.len + 2 + payload->len, e);
	OPENSSL_cleanse(key, sizeof(key));
	if (r == 0)
		*ret = TAKE(b);
	return r;
}

static int payload_open(const struct tpm_token *t, const void *token, const unsigned char object[OBJECT],
			const struct blob *binding, struct secret *ret, struct err *e)
{
	AUTO_SECRET struct secret clear = { 0 };
	AUTO_BLOB struct blob aad = { 0 };
	unsigned char key[CRYPTO_KEY];
	int r = payload_aad(token, t->aad_len, binding, &aad, e);

	if (r == 0)
		r = secret_alloc(&clear, t->payload.len, e);
	if (r == 0)
		r = payload_key(t, object, key, e);
	if (r < 0)
		return r;
	r = crypto_open(key, nonce, aad.data, aad.len, t->payload.data, t->payload.len, t->payload.data + t->payload.len,
			clear.data, e);
	OPENSSL_cleanse(key, sizeof(key));
	if (r == -EBADMSG)
		return err_set(e, EBADMSG, "%s", t->kind == TOKEN_KEY ? "token was tampered with"
								       : "tampered with, or sealed for another purpose");
	clear.len = t->payload.len;
	if (r == 0)
		*ret = TAKE(clear);
	return r;
}

/* --- loading and unsealing the object --------------------------------------------------------------------------- */

static bool bytes_to_2b(const struct tpm_bytes *b, void *ret, UINT16 *ret_size, size_t max)
{
	if (b->len > max)
		return false;
	memcpy(ret, b->data, b->len);
	*ret_size = (UINT16)b->len;
	return true;
}

static bool object_of(const struct tpm_token *t, TPM2B_PUBLIC *public, TPM2B_PRIVATE *private, TPM2B_ENCRYPTED_SECRET *seed)
{
	size_t at = 0;

	*public = (TPM2B_PUBLIC){ 0 };
	return Tss2_MU_TPMT_PUBLIC_Unmarshal(t->public.data, t->public.len, &at, &public->publicArea) == TSS2_RC_SUCCESS &&
	       at == t->public.len && bytes_to_2b(&t->private, private->buffer, &private->size, sizeof(private->buffer)) &&
	       bytes_to_2b(&t->seed, seed->secret, &seed->size, sizeof(seed->secret));
}

/* What was made for a TPM elsewhere is made its own. */
static int object_import(struct tpm *t, const struct srk *srk, const TPM2B_PUBLIC *public, TPM2B_PRIVATE *private,
			 const TPM2B_ENCRYPTED_SECRET *seed, struct err *e)
{
	const TPMT_SYM_DEF_OBJECT none = { .algorithm = TPM2_ALG_NULL };
	const TPM2B_DATA no_key = { 0 };
	TPM2B_PRIVATE *own = NULL;
	TSS2_RC rc;

	TPM_TRY(rc, Esys_Import(t->esys, srk->handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &no_key, public,
				private, seed, &none, &own));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, "import what was sealed", e);
	*private = *own;
	Esys_Free(own);
	return 0;
}

int object_load(struct tpm *t, const struct srk *srk, const struct tpm_token *token, ESYS_TR *ret, struct err *e)
{
	TPM2B_ENCRYPTED_SECRET seed = { 0 };
	TPM2B_PRIVATE private = { 0 };
	TPM2B_PUBLIC public;
	ESYS_TR object;
	TSS2_RC rc;
	int r;

	if (!object_of(token, &public, &private, &seed))
		return err_set(e, EBADMSG, "token holds no object of a TPM");
	tpm_flush(t, t->loaded);
	t->loaded = ESYS_TR_NONE;
	r = token->imported ? object_import(t, srk, &public, &private, &seed, e) : 0;
	if (r < 0)
		return r;
	TPM_TRY(rc, Esys_Load(t->esys, srk->handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &private, &public,
			      &object));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, "load what was sealed", e);
	tpm_keep(t, object);
	*ret = t->loaded = object;
	return 0;
}

static int object_take(struct tpm *t, TPM2B_SENSITIVE_DATA *data, unsigned char ret[OBJECT], struct err *e)
{
	int r = data->size == OBJECT ? 0 : err_set(e, EBADMSG, "the TPM's object is not one of a token");

	if (r == 0)
		secret_bytes_copy(ret, data->buffer, OBJECT);
	OPENSSL_cleanse(data, sizeof(*data));
	Esys_Free(data);
	tpm_wipe(t);
	return r;
}

/* What is needed to open an object, and the object itself once it is loaded. */
struct opening {
	const struct srk *srk;
	const struct tpm_token *token;
	const TPM2B_AUTH *auth;
	ESYS_TR object;			/* ESYS_TR_NONE: not loaded yet */
};

static int object_auth(struct tpm *t, const struct opening *o, struct err *e)
{
	TSS2_RC rc = Esys_TR_SetAuth(t->esys, o->object, o->auth);

	t->pin = true;
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, rc, "use the PIN", e);
}

/* Or it stays in memory of ESYS. */
static void object_auth_wipe(struct tpm *t, const struct opening *o)
{
	static const TPM2B_AUTH zeros = { .size = sizeof(zeros.buffer) };

	if (o->object != ESYS_TR_NONE)
		(void)Esys_TR_SetAuth(t->esys, o->object, &zeros);
}

static int object_unseal_once(struct tpm *t, struct opening *o, unsigned char ret[OBJECT], struct err *e)
{
	TPM2B_SENSITIVE_DATA *data = NULL;
	bool clear_bus = o->token->clear_bus;
	ESYS_TR session = ESYS_TR_NONE;
	TSS2_RC rc;
	int r = session_start(t, o->srk, true, &clear_bus, &session, e);

	if (r == 0)
		r = policy_satisfy(t, session, &o->token->policy, e);
	if (r == 0 && o->object == ESYS_TR_NONE)
		r = object_load(t, o->srk, o->token, &o->object, e);
	if (r == 0 && o->token->policy.pin)
		r = object_auth(t, o, e);
	if (r == 0) {
		TPM_TRY(rc, Esys_Unseal(t->esys, o->object, session, ESYS_TR_NONE, ESYS_TR_NONE, &data));
		r = rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, rc, "unseal", e);
	}
	if (o->token->policy.pin)
		object_auth_wipe(t, o);
	if (r < 0)
		tpm_flush(t, session);
	else
		tpm_forget(t, session);
	return r < 0 ? r : object_take(t, data, ret, e);
}

/* While a machine boots, a PCR may be extended between two commands: then the policy is tried once more. */
static int object_unseal(struct tpm *t, struct opening *o, unsigned char ret[OBJECT], struct err *e)
{
	int r = object_unseal_once(t, o, ret, e);

	return r == -EAGAIN ? object_unseal_once(t, o, ret, e) : r;
}

/* --- sealing ---------------------------------------------------------------------------------------------------- */

/* Opened by its policy alone. A PIN is guessed only as often as the TPM's dictionary-attack protection lets it. */
static int object_template(const struct tpm_token *t, TPM2B_PUBLIC *ret, struct err *e)
{
	TPM2B_DIGEST policy;
	int r = policy_digest(&t->policy, &policy, e);

	*ret = (TPM2B_PUBLIC){
		.publicArea = {
			.type = TPM2_ALG_KEYEDHASH,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_ADMINWITHPOLICY | (t->policy.pin ? 0 : TPMA_OBJECT_NODA) |
					    (t->imported ? 0 : TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT),
			.authPolicy = policy,
			.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
		},
	};
	return r;
}

/* The TPM's word that it made what was asked for. */
static bool is_as_asked(const TPMT_PUBLIC *asked, const TPMT_PUBLIC *made)
{
	return made->type == asked->type && made->nameAlg == asked->nameAlg &&
	       made->objectAttributes == asked->objectAttributes && made->authPolicy.size == asked->authPolicy.size &&
	       !memcmp(made->authPolicy.buffer, asked->authPolicy.buffer, asked->authPolicy.size);
}

int object_create(struct tpm *t, const struct srk *srk, ESYS_TR session, const TPM2B_SENSITIVE_CREATE *sensitive,
			 TPM2B_PUBLIC *public, TPM2B_PRIVATE *ret, struct err *e)
{
	const TPM2B_DATA outside = { 0 };
	TPM2B_PRIVATE *private = NULL;
	TPM2B_PUBLIC *made = NULL;
	TSS2_RC rc;
	int r = 0;

	TPM_TRY(rc, Esys_Create(t->esys, srk->handle, session, ESYS_TR_NONE, ESYS_TR_NONE, sensitive, public, &outside,
				&no_pcrs, &private, &made, NULL, NULL, NULL));
	if (rc != TSS2_RC_SUCCESS) {
		tpm_flush(t, session);
		return tpm_fail(t, rc, "seal", e);
	}
	tpm_forget(t, session);
	if (!is_as_asked(&public->publicArea, &made->publicArea))
		r = err_set(e, EBADMSG, "the TPM did not seal what it was to seal");
	*public = *made;
	*ret = *private;
	Esys_Free(made);
	Esys_Free(private);
	return r;
}

struct parts {				/* what a token's fields point to */
	uint8_t parent[sizeof(TPMT_PUBLIC)], public[sizeof(TPMT_PUBLIC)];
	TPM2B_PRIVATE private;
	TPM2B_ENCRYPTED_SECRET seed;
};

static int parts_point(struct parts *p, struct tpm_token *t, const TPM2B_PUBLIC *parent, const TPM2B_PUBLIC *public,
		       struct err *e)
{
	size_t n = 0, m = 0;

	if (Tss2_MU_TPMT_PUBLIC_Marshal(&parent->publicArea, p->parent, sizeof(p->parent), &n) != TSS2_RC_SUCCESS ||
	    Tss2_MU_TPMT_PUBLIC_Marshal(&public->publicArea, p->public, sizeof(p->public), &m) != TSS2_RC_SUCCESS)
		return err_set(e, EPROTO, "the TPM's keys cannot be written down");
	t->parent = (struct tpm_bytes){ p->parent, n };
	t->public = (struct tpm_bytes){ p->public, m };
	t->private = (struct tpm_bytes){ p->private.buffer, p->private.size };
	t->seed = (struct tpm_bytes){ p->seed.secret, p->seed.size };
	return 0;
}

/* In this TPM: two commands. */
static int make_here(struct tpm *t, const struct srk *srk, struct tpm_token *token, const struct sealing *s,
		     const TPM2B_AUTH *auth, const unsigned char object[OBJECT], struct parts *p, struct err *e)
{
	TPM2B_SENSITIVE_CREATE sensitive = { .sensitive.userAuth = *auth, .sensitive.data.size = OBJECT };
	TPM2B_PUBLIC public;
	ESYS_TR session;
	int r = object_template(token, &public, e);

	tpm_flush(t, t->loaded);		/* a TPM has room for three */
	t->loaded = ESYS_TR_NONE;
	secret_bytes_copy(sensitive.sensitive.data.buffer, object, OBJECT);
	token->parent_handle = srk->persistent;
	token->clear_bus = s->clear_bus;
	if (r == 0)
		r = session_start(t, srk, false, &token->clear_bus, &session, e);
	if (r == 0)
		r = object_create(t, srk, session, &sensitive, &public, &p->private, e);
	tpm_wipe(t);
	OPENSSL_cleanse(&sensitive, sizeof(sensitive));
	return r < 0 ? r : parts_point(p, token, &srk->public, &public, e);
}

/* What opens with an empty password does not need its policy. */
static int check_negative(struct tpm *t, ESYS_TR object, struct err *e)
{
	TPM2B_SENSITIVE_DATA *data = NULL;
	TSS2_RC rc;

	TPM_TRY(rc, Esys_Unseal(t->esys, object, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data));
	if (tpm_rc_base(rc) == TPM2_RC_AUTH_UNAVAILABLE)
		return 0;
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, "see whether it opens by its policy only", e);
	OPENSSL_cleanse(data, sizeof(*data));
	Esys_Free(data);
	return err_set(e, EBADMSG, "the TPM opens what it sealed without what must hold");
}

static int check_positive(struct tpm *t, struct opening *o, const unsigned char object[OBJECT], struct err *e)
{
	unsigned char again[OBJECT];
	int r = object_unseal(t, o, again, e);

	if (r == 0 && !crypto_equal(again, object, OBJECT))
		r = err_set(e, EIO, "TPM '%s' does not give back what it sealed", t->dev->id);
	OPENSSL_cleanse(again, sizeof(again));
	return r;
}

/* Both halves: it does not open without its policy, and does with it, unless that cannot be tried now. */
static int check_here(struct tpm *t, const struct srk *srk, const struct tpm_token *token, const struct sealing *s,
		      const TPM2B_AUTH *auth, const unsigned char object[OBJECT], struct err *e)
{
	struct opening o = { .srk = srk, .token = token, .auth = auth, .object = ESYS_TR_NONE };
	const struct env *env = t->dev->env;
	int r = object_load(t, srk, token, &o.object, e);

	if (r == 0)
		r = check_negative(t, o.object, e);
	if (r < 0)
		return err_prefix(e, "what was sealed is not as it is to be");
	r = check_positive(t, &o, object, e);
	if (r == -EPERM && s->later) {
		if (env->note)
			env->note(env, "what must hold to open it does not hold now, so that was not tried");
		r = 0;
	}
	if (r < 0)
		return err_prefix(e, "what was sealed does not open");
	return object_remember(t->dev, token->salt, object, e);
}

static int seal_here(struct tpm *t, struct tpm_token *token, const struct sealing *s, const TPM2B_AUTH *auth,
		     const unsigned char object[OBJECT], struct parts *p, struct err *e)
{
	struct srk srk;
	int r = srk_find(t, &srk, e);

	if (r == 0)
		r = machine_read(t->dev->env, token->machine, e);
	if (r == 0)
		r = make_here(t, &srk, token, s, auth, object, p, e);
	if (r == 0)
		r = check_here(t, &srk, token, s, auth, object, e);
	return r;
}

/* For another one, whose persistent key it is meant for. */
static int seal_there(struct tpm *t, struct tpm_token *token, const struct sealing *s, const TPM2B_AUTH *auth,
		      const unsigned char object[OBJECT], struct parts *p, struct err *e)
{
	TPM2B_PUBLIC public;
	int r;

	token->imported = true;
	token->parent_handle = 0x81000001;
	r = object_template(token, &public, e);
	if (r == 0)
		r = import_make(s->parent, &public, auth, object, &p->private, &p->seed, e);
	if (r == 0)
		r = parts_point(p, token, s->parent, &public, e);
	return r < 0 ? r : object_remember(t->dev, token->salt, object, e);
}

int token_seal(struct tpm *t, struct tpm_token *token, const struct sealing *s, const struct secret *payload,
	       const struct blob *binding, struct blob *ret, struct err *e)
{
	unsigned char object[OBJECT];
	struct parts parts = { 0 };
	TPM2B_AUTH auth = { 0 };
	int r;

	if (payload->len < 1 || payload->len > SEAL_SECRET_MAX)
		return err_set(e, payload->len ? EFBIG : EINVAL, "cannot seal %zu bytes: 1 to %d fit", payload->len,
			       SEAL_SECRET_MAX);
	r = random_bytes(token->salt, sizeof(token->salt), e);
	if (r == 0)
		r = random_bytes(object, sizeof(object), e);
	if (r == 0 && token->policy.pin)
		r = pin_auth(t->dev, s->pin, token->salt, &auth, e);
	if (r == 0)
		r = s->parent ? seal_there(t, token, s, &auth, object, &parts, e)
			      : seal_here(t, token, s, &auth, object, &parts, e);
	if (r == 0)
		r = payload_seal(token, object, payload, binding, ret, e);
	OPENSSL_cleanse(object, sizeof(object));
	OPENSSL_cleanse(&auth, sizeof(auth));
	return r;
}

/* --- unsealing -------------------------------------------------------------------------------------------------- */

/* The storage root key may have got another place since; or it is another one, and then that is what failed. */
static int open_elsewhere(struct tpm *t, struct opening *o, struct srk *was, unsigned char ret[OBJECT], struct err *e)
{
	const struct err first = *e;
	struct srk srk;
	int r;

	if (was->persistent)
		(void)Esys_TR_Close(t->esys, &was->handle);	/* or ESYS would take it for what is there now */
	r = srk_explain(t, o->token, &srk, e);
	if (r < 0)
		return r;
	*e = first;
	if (srk.persistent == was->persistent)
		return -first.code;
	o->srk = &srk;
	r = object_unseal(t, o, ret, e);
	return r;
}

static int object_open(struct tpm *t, const struct tpm_token *token, const TPM2B_AUTH *auth, unsigned char ret[OBJECT],
		       struct err *e)
{
	struct opening o = { .token = token, .auth = auth, .object = ESYS_TR_NONE };
	struct srk srk = { 0 };
	int r = srk_of_token(t, token, &srk, e);

	o.srk = &srk;
	if (r == 0)
		r = object_unseal(t, &o, ret, e);
	/* Once the object was loaded it is the right key. */
	if (r < 0 && r != -EIO && r != -ENOMEM && r != -EBUSY && r != -EOPNOTSUPP && o.object == ESYS_TR_NONE)
		r = open_elsewhere(t, &o, &srk, ret, e);
	return r;
}

bool token_is_remembered(const struct device *dev, const struct blob *token)
{
	AUTO_TPM_TOKEN struct tpm_token parsed = { 0 };
	unsigned char object[OBJECT] = { 0 };
	struct err ignored;
	bool known = tpm_token_parse(token->data, token->len, &parsed, &ignored) == 0 &&
		     object_recall(dev, parsed.salt, object);

	OPENSSL_cleanse(object, sizeof(object));
	return known;
}

int token_unseal(struct tpm *t, const struct blob *token, enum token_kind kind, const struct blob *binding,
		 struct secret *ret, struct err *e)
{
	AUTO_TPM_TOKEN struct tpm_token parsed = { 0 };
	unsigned char object[OBJECT];
	TPM2B_AUTH auth = { 0 };
	int r = tpm_token_parse(token->data, token->len, &parsed, e);

	if (r == 0 && parsed.kind != kind)
		r = err_set(e, EBADMSG, "%s", kind == TOKEN_KEY ? "sealed data, not a key" : "a key, not sealed data");
	if (r < 0)
		return r;
	if (object_recall(t->dev, parsed.salt, object)) {
		r = payload_open(&parsed, token->data, object, binding, ret, e);
		OPENSSL_cleanse(object, sizeof(object));
		return r;
	}
	if (parsed.policy.pin)
		r = pin_auth(t->dev, NULL, parsed.salt, &auth, e);
	if (r == 0)
		r = object_open(t, &parsed, &auth, object, e);
	if (r == -EACCES)
		pin_forget(t->dev, parsed.salt);
	if (r == 0)
		r = payload_open(&parsed, token->data, object, binding, ret, e);
	OPENSSL_cleanse(object, sizeof(object));
	OPENSSL_cleanse(&auth, sizeof(auth));
	return r;
}
