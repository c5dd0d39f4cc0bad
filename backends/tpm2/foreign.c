// SPDX-License-Identifier: MIT
/* Opening what other programs sealed: lib/tpm-foreign.h. */
#include "foreign.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>
#include <tss2/tss2_mu.h>

#include "lib/crypto.h"
#include "memory.h"

/* --- the parent ------------------------------------------------------------------------------------------------- */

/* As srk_template(), but with the attributes that systemd before 254, and tpm2-tools, give it. */
static TPM2B_PUBLIC old_template(bool rsa)
{
	TPM2B_PUBLIC p = *srk_template();

	p.publicArea.objectAttributes &= ~(TPMA_OBJECT)TPMA_OBJECT_NODA;
	if (rsa) {
		const TPMT_SYM_DEF_OBJECT aes = p.publicArea.parameters.eccDetail.symmetric;

		p.publicArea.type = TPM2_ALG_RSA;
		p.publicArea.parameters.rsaDetail = (TPMS_RSA_PARMS){
			.symmetric = aes, .scheme.scheme = TPM2_ALG_NULL, .keyBits = 2048,
		};
		p.publicArea.unique.rsa = (TPM2B_PUBLIC_KEY_RSA){ 0 };
	}
	return p;
}

static int parent_of(struct tpm *t, const struct tpm_foreign *f, const struct tpm_token *token, struct srk *ret,
		     struct err *e)
{
	TPM2B_PUBLIC template = *srk_template();

	if (f->parent.len)
		return srk_of_token(t, token, ret, e);
	if (f->parent_handle)
		return srk_at(t, f->parent_handle, ret, e);
	if (f->maker == TPM_BY_TOOLS)
		return srk_find(t, ret, e);
	if (f->primary != TPM_PRIMARY_STANDARD)
		template = old_template(f->primary == TPM_PRIMARY_OLD_RSA);
	return srk_primary(t, &template, ret, e);
}

/* --- the PIN ---------------------------------------------------------------------------------------------------- */

/* systemd: SHA-256 of the PIN, or, where there is a salt, of the base64 of what PBKDF2 makes of it. */
static int systemd_pin(const struct secret *pin, const struct blob *salt, TPM2B_AUTH *ret, struct err *e)
{
	enum { ROUNDS = 10000 };
	AUTO_SECRET struct secret key = { 0 }, text = { 0 };
	int r;

	ret->size = CRYPTO_HASH;
	if (!salt->len)
		return crypto_sha256(pin->data, pin->len, ret->buffer, e);
	r = secret_alloc(&key, CRYPTO_HASH, e);
	if (r < 0)
		return r;
	key.len = CRYPTO_HASH;
	if (PKCS5_PBKDF2_HMAC((const char *)pin->data, (int)pin->len, salt->data, (int)salt->len, ROUNDS, EVP_sha256(),
			      CRYPTO_HASH, key.data) != 1)
		return err_nomem(e);
	r = base64_encode_secret(&key, &text, e);
	return r < 0 ? r : crypto_sha256(text.data, text.len, ret->buffer, e);
}

static int pin_of(struct tpm *t, const struct tpm_foreign *f, TPM2B_AUTH *ret, struct err *e)
{
	const struct secret *pin;
	int r = pin_get(t->dev, &pin, e);

	if (r < 0)
		return r;
	if (f->maker == TPM_BY_SYSTEMD)
		r = systemd_pin(pin, &f->pin_salt, ret, e);
	else if (pin->len > CRYPTO_HASH)
		return err_set(e, EACCES, "the PIN is too long for the TPM's key");
	else
		secret_bytes_copy(ret->buffer, pin->data, ret->size = (UINT16)pin->len);
	while (r == 0 && ret->size && !ret->buffer[ret->size - 1])	/* as the TPM does with what it is given */
		ret->size--;
	return r;
}

/* --- the object ------------------------------------------------------------------------------------------------- */

struct opening {
	const struct tpm_foreign *from;
	const struct tpm_token *token;
	struct srk parent;
	TPM2B_AUTH auth;
	ESYS_TR object;			/* ESYS_TR_NONE: not loaded yet */
};

/* Which has no policy if its password alone opens it. */
static bool has_policy(const struct blob *public)
{
	enum { POLICY_SIZE = 8 };

	return be_get(public->data + POLICY_SIZE, 2) != 0;
}

static int unseal_failed(struct tpm *t, const struct tpm_foreign *f, TSS2_RC rc, struct err *e)
{
	char needs[256];

	if (!t->pin && (tpm_rc_base(rc) == TPM2_RC_AUTH_FAIL || tpm_rc_base(rc) == TPM2_RC_BAD_AUTH))
		return err_set(e, EACCES, "it has a password, which the file does not tell: PEM of TSS2 does");
	if (tpm_rc_base(rc) != TPM2_RC_POLICY_FAIL)
		return tpm_fail(t, rc, "unseal", e);
	tpm_foreign_describe(f, needs, sizeof(needs));
	return err_set(e, EPERM, "this is not the state in which %s sealed it, and it does not say what that was: it needs "
		       "%s", tpm_maker_name(f->maker), needs);
}

/* Without a policy: what the TPM answers is encrypted, all the same. */
static int session_for(struct tpm *t, const struct srk *parent, bool policy, ESYS_TR *ret, struct err *e)
{
	bool clear_bus = false;
	TSS2_RC rc = TSS2_RC_SUCCESS;
	int r = session_start(t, parent, policy, &clear_bus, ret, e);

	if (r == 0 && !policy)
		rc = Esys_TRSess_SetAttributes(t->esys, *ret, TPMA_SESSION_ENCRYPT,
					       TPMA_SESSION_ENCRYPT | TPMA_SESSION_DECRYPT);
	return rc == TSS2_RC_SUCCESS ? r : tpm_fail(t, rc, "start a session with the TPM", e);
}

static int unseal_once(struct tpm *t, struct opening *o, struct secret *ret, struct err *e)
{
	bool policy = has_policy(&o->from->public);
	TPM2B_SENSITIVE_DATA *data = NULL;
	ESYS_TR session;
	TSS2_RC rc;
	int r = session_for(t, &o->parent, policy, &session, e);

	if (r == 0 && policy && !policy_is_empty(&o->token->policy))
		r = policy_satisfy(t, session, &o->token->policy, e);
	if (r == 0 && o->object == ESYS_TR_NONE)
		r = object_load(t, &o->parent, o->token, &o->object, e);
	if (r < 0)
		return r;
	rc = Esys_TR_SetAuth(t->esys, o->object, &o->auth);
	if (rc == TSS2_RC_SUCCESS)
		TPM_TRY(rc, Esys_Unseal(t->esys, o->object, session, ESYS_TR_NONE, ESYS_TR_NONE, &data));
	if (rc != TSS2_RC_SUCCESS) {
		tpm_flush(t, session);
		return unseal_failed(t, o->from, rc, e);
	}
	tpm_forget(t, session);
	r = secret_copy(ret, data->buffer, data->size, e);
	OPENSSL_cleanse(data, sizeof(*data));
	Esys_Free(data);
	tpm_wipe(t);
	return r;
}

static int unseal(struct tpm *t, const struct tpm_foreign *f, const struct tpm_token *token, struct secret *ret,
		  struct err *e)
{
	struct opening o = { .from = f, .token = token, .object = ESYS_TR_NONE };
	int r = parent_of(t, f, token, &o.parent, e);

	if (r == 0 && f->policy.pin)
		r = pin_of(t, f, &o.auth, e);
	t->pin = f->policy.pin;
	if (r == 0)
		r = unseal_once(t, &o, ret, e);
	if (r == -EAGAIN)
		r = unseal_once(t, &o, ret, e);
	if (r == -EACCES && f->policy.pin)
		pin_forget(t->dev, NULL);
	OPENSSL_cleanse(&o.auth, sizeof(o.auth));
	return r;
}

/* --- clevis: what the sealed JWK opens -------------------------------------------------------------------------- */

/* {"alg":"A256GCM","k":"<base64url of 32 bytes>",...} */
static int jwk_key(const struct secret *jwk, struct secret *ret, struct err *e)
{
	enum { DIGITS = 43 };
	static const char member[] = "\"k\":\"";
	const char *at = memmem(jwk->data, jwk->len, member, sizeof(member) - 1);
	char text[DIGITS + 1];
	int n;

	if (!at || (size_t)((const char *)jwk->data + jwk->len - at) <= sizeof(member) - 1 + DIGITS ||
	    at[sizeof(member) - 1 + DIGITS] != '"')
		return err_set(e, EBADMSG, "what clevis sealed is no key of AES-256");
	at += sizeof(member) - 1;
	for (size_t i = 0; i < DIGITS; i++)
		text[i] = at[i] == '-' ? '+' : at[i] == '_' ? '/' : at[i];
	text[DIGITS] = '=';
	n = secret_alloc(ret, CRYPTO_KEY + 1, e);
	if (n == 0 && EVP_DecodeBlock(ret->data, (const unsigned char *)text, DIGITS + 1) != CRYPTO_KEY + 1)
		n = err_set(e, EBADMSG, "what clevis sealed is no key of AES-256");
	ret->len = n == 0 ? CRYPTO_KEY : 0;
	OPENSSL_cleanse(text, sizeof(text));
	return n;
}

static int jwe_open(const struct tpm_foreign *f, const struct secret *jwk, struct secret *ret, struct err *e)
{
	AUTO_SECRET struct secret key = { 0 }, clear = { 0 };
	int r = jwk_key(jwk, &key, e);

	if (r == 0 && (f->iv.len != CRYPTO_NONCE || f->tag.len != CRYPTO_TAG))
		r = err_set(e, EBADMSG, "clevis' JWE is malformed");
	if (r == 0)
		r = secret_alloc(&clear, f->sealed.len, e);
	if (r == 0)
		r = crypto_open(key.data, f->iv.data, f->header.data, f->header.len, f->sealed.data, f->sealed.len,
				f->tag.data, clear.data, e);
	if (r < 0)
		return r == -EBADMSG ? err_set(e, EBADMSG, "clevis' JWE was tampered with") : r;
	clear.len = f->sealed.len;
	*ret = TAKE(clear);
	return 0;
}

/* --- all of them ------------------------------------------------------------------------------------------------ */

static struct tpm_bytes bytes_of(const struct blob *b)
{
	return (struct tpm_bytes){ b->data, b->len };
}

/* The values that opened it, if it opens. */
static int read_values(struct tpm *t, struct tpm_policy *p, struct err *e)
{
	return p->n_branches ? pcr_read(t, &p->branch[0], e) : 0;
}

int foreign_unseal(struct tpm *t, struct tpm_foreign *f, struct secret *ret, struct err *e)
{
	AUTO_SECRET struct secret secret = { 0 };
	struct tpm_token token = { .parent_handle = f->parent_handle, .parent = bytes_of(&f->parent),
				   .public = bytes_of(&f->public), .private = bytes_of(&f->private),
				   .seed = bytes_of(&f->seed), .imported = f->seed.len > 0 };
	struct srk now;
	int r;

	if (f->beyond[0])
		return err_set(e, EOPNOTSUPP, "it needs %s, which hwkey cannot do", f->beyond);
	if (f->maker != TPM_BY_SYSTEMD && has_policy(&f->public) && policy_is_empty(&f->policy))
		return err_set(e, EOPNOTSUPP, "it has a policy, which the file does not tell: PEM of TSS2 does");
	r = read_values(t, &f->policy, e);
	token.policy = f->policy;
	if (r == 0)
		r = unseal(t, f, &token, f->maker == TPM_BY_CLEVIS ? &secret : ret, e);
	if ((r == -ENOENT || r == -EBADMSG) && f->parent.len && srk_explain(t, &token, &now, e) < 0)
		r = -e->code;
	return r < 0 || f->maker != TPM_BY_CLEVIS ? r : jwe_open(f, &secret, ret, e);
}

/* --- sealing ---------------------------------------------------------------------------------------------------- */

static int template_for(const struct tpm_policy *policy, TPM2B_PUBLIC *ret, struct err *e)
{
	*ret = (TPM2B_PUBLIC){
		.publicArea = {
			.type = TPM2_ALG_KEYEDHASH,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA,
			.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
		},
	};
	if (policy->n_branches)
		return policy_pcr_digest(&policy->branch[0], &ret->publicArea.authPolicy, e);
	ret->publicArea.objectAttributes |= TPMA_OBJECT_USERWITHAUTH;
	return 0;
}

static int object_copy(const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private, struct tpm_foreign *f, struct err *e)
{
	uint8_t bytes[sizeof(TPMT_PUBLIC)];
	size_t len = 0;
	int r = blob_copy(&f->private, private->buffer, private->size, e);

	if (r == 0 && Tss2_MU_TPMT_PUBLIC_Marshal(&public->publicArea, bytes, sizeof(bytes), &len) != TSS2_RC_SUCCESS)
		r = err_set(e, EPROTO, "the TPM's object cannot be written down");
	return r < 0 ? r : blob_copy(&f->public, bytes, len, e);
}

static int make(struct tpm *t, const struct srk *srk, const struct secret *secret, struct tpm_foreign *f, struct err *e)
{
	TPM2B_SENSITIVE_CREATE sensitive = { .sensitive.data.size = (UINT16)secret->len };
	bool clear_bus = false;
	TPM2B_PRIVATE private;
	TPM2B_PUBLIC public;
	ESYS_TR session;
	int r = template_for(&f->policy, &public, e);

	if (r == 0)
		r = session_start(t, srk, false, &clear_bus, &session, e);
	if (r < 0)
		return r;
	secret_bytes_copy(sensitive.sensitive.data.buffer, secret->data, secret->len);
	r = object_create(t, srk, session, &sensitive, &public, &private, e);
	OPENSSL_cleanse(&sensitive, sizeof(sensitive));
	tpm_wipe(t);
	return r < 0 ? r : object_copy(&public, &private, f, e);
}

static int check(struct tpm *t, struct tpm_foreign *f, const struct secret *secret, struct err *e)
{
	AUTO_SECRET struct secret again = { 0 };
	int r = foreign_unseal(t, f, &again, e);

	if (r < 0)
		return err_prefix(e, "what was sealed does not open");
	if (again.len != secret->len || !crypto_equal(again.data, secret->data, secret->len))
		return err_set(e, EIO, "TPM '%s' does not give back what it sealed", t->dev->id);
	return 0;
}

int foreign_seal(struct tpm *t, const struct tpm_policy *policy, const struct secret *secret, bool kernel,
		 struct blob *ret, struct err *e)
{
	AUTO_TPM_FOREIGN struct tpm_foreign f = { .maker = TPM_BY_TSS2 };
	struct srk srk;
	int r = tpm_tss2_check(policy, e);

	if (r == 0)
		r = srk_find(t, &srk, e);
	if (r == 0 && kernel && !srk.persistent)
		r = err_set(e, ENOENT, "the kernel needs the TPM's storage root key: 'hwkey doctor --make-srk' stores it");
	if (r == 0 && kernel && secret->len < 32)
		r = err_set(e, EINVAL, "the kernel's trusted keys have 32 bytes at least, this one %zu", secret->len);
	f.parent_handle = srk.persistent;
	f.policy.n_branches = policy->n_branches;
	f.policy.branch[0] = policy->branch[0];
	if (r == 0)
		r = make(t, &srk, secret, &f, e);
	if (r == 0)
		r = check(t, &f, secret, e);
	return r < 0 ? r : tpm_tss2_format(&f, kernel, ret, e);
}
