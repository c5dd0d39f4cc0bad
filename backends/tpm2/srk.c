// SPDX-License-Identifier: MIT
/* The storage root key, under which everything is that this machine seals. */
#include "tpm.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>
#include <tss2/tss2_mu.h>

#include "lib/sys.h"

static const TPM2_HANDLE srk_handle = 0x81000001;	/* TCG TPM v2.0 Provisioning Guidance */

/* With empty unique fields, as systemd-tpm2-setup makes it: who makes it anew gets the same key. */
static const TPM2B_PUBLIC standard = {
	.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
				    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |
				    TPMA_OBJECT_DECRYPT,
		.parameters.eccDetail = {
			.symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB },
			.scheme.scheme = TPM2_ALG_NULL,
			.curveID = TPM2_ECC_NIST_P256,
			.kdf.scheme = TPM2_ALG_NULL,
		},
	},
};

const TPM2B_PUBLIC *srk_template(void)
{
	return &standard;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

static const EVP_MD *md_of(TPMI_ALG_HASH alg)
{
	switch (alg) {
	case TPM2_ALG_SHA256: return EVP_sha256();
	case TPM2_ALG_SHA384: return EVP_sha384();
	case TPM2_ALG_SHA512: return EVP_sha512();
	default: return NULL;
	}
}

int public_name(const TPM2B_PUBLIC *public, TPM2B_NAME *ret, struct err *e)
{
	const EVP_MD *md = md_of(public->publicArea.nameAlg);
	uint8_t bytes[sizeof(TPMT_PUBLIC)];
	size_t len = 0;
	unsigned n;

	*ret = (TPM2B_NAME){ 0 };
	if (!md || Tss2_MU_TPMT_PUBLIC_Marshal(&public->publicArea, bytes, sizeof(bytes), &len) != TSS2_RC_SUCCESS ||
	    EVP_Digest(bytes, len, ret->name + 2, &n, md, NULL) != 1)
		return err_set(e, EOPNOTSUPP, "cannot compute the name of a TPM's key");
	be_put(ret->name, public->publicArea.nameAlg, 2);
	ret->size = (UINT16)(2 + n);
	return 0;
}

static bool names_equal(const TPM2B_PUBLIC *a, const TPM2B_PUBLIC *b)
{
	TPM2B_NAME m, n;
	struct err ignored;

	return public_name(a, &m, &ignored) == 0 && public_name(b, &n, &ignored) == 0 && m.size == n.size &&
	       !memcmp(m.name, n.name, m.size);
}

/* --- as ESYS keeps them: 4 handle, TPM2B_NAME, 4 type (1: key), TPM2B_PUBLIC ------------------------------------ */

enum { ESYS_KEY = 1, ESYS_MAX = 4 + sizeof(TPM2B_NAME) + 4 + sizeof(TPM2B_PUBLIC) };

static int public_of_handle(struct tpm *t, ESYS_TR handle, TPM2B_PUBLIC *ret, struct err *e)
{
	uint8_t *bytes = NULL;
	size_t len, at = 4;
	TPM2B_NAME name;
	TSS2_RC rc = Esys_TR_Serialize(t->esys, handle, &bytes, &len);

	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_NAME_Unmarshal(bytes, len, &at, &name);
	at += 4;
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_PUBLIC_Unmarshal(bytes, len, &at, ret);
	Esys_Free(bytes);
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, rc, "read the TPM's storage root key", e);
}

static int handle_of_public(struct tpm *t, uint32_t persistent, const TPM2B_PUBLIC *public, ESYS_TR *ret, struct err *e)
{
	uint8_t bytes[ESYS_MAX];
	TPM2B_NAME name;
	size_t at = 4;
	TSS2_RC rc;
	int r = public_name(public, &name, e);

	if (r < 0)
		return r;
	be_put(bytes, persistent, 4);
	rc = Tss2_MU_TPM2B_NAME_Marshal(&name, bytes, sizeof(bytes), &at);
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_UINT32_Marshal(ESYS_KEY, bytes, sizeof(bytes), &at);
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_PUBLIC_Marshal(public, bytes, sizeof(bytes), &at);
	if (rc == TSS2_RC_SUCCESS)
		rc = Esys_TR_Deserialize(t->esys, bytes, at, ret);
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, rc, "use the TPM's storage root key", e);
}

/* --- finding it ------------------------------------------------------------------------------------------------- */

bool srk_is_parent(const TPMT_PUBLIC *p)
{
	const TPMA_OBJECT mask = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_SIGN_ENCRYPT |
				 TPMA_OBJECT_USERWITHAUTH;

	return (p->type == TPM2_ALG_ECC || p->type == TPM2_ALG_RSA) && md_of(p->nameAlg) &&
	       (p->objectAttributes & mask) == (TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_USERWITHAUTH);
}

/* -ENOENT without a message: there is none that can be a parent. */
static int persistent_find(struct tpm *t, uint32_t handle, struct srk *ret, struct err *e)
{
	struct srk srk = { .persistent = handle };
	TSS2_RC rc;
	int r;

	TPM_TRY(rc, Esys_TR_FromTPMPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &srk.handle));
	if (tpm_rc_base(rc) == TPM2_RC_HANDLE)
		return -ENOENT;
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, "read the TPM's storage root key", e);
	r = public_of_handle(t, srk.handle, &srk.public, e);
	if (r < 0)
		return r;
	if (!srk_is_parent(&srk.public.publicArea))
		return -ENOENT;
	*ret = srk;
	return 0;
}

int srk_primary(struct tpm *t, const TPM2B_PUBLIC *template, struct srk *ret, struct err *e)
{
	const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
	const TPM2B_DATA outside = { 0 };
	const TPML_PCR_SELECTION pcrs = { 0 };
	struct srk srk = { 0 };
	TPM2B_PUBLIC *public = NULL;
	TSS2_RC rc;

	TPM_TRY(rc, Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive,
				       template, &outside, &pcrs, &srk.handle, &public, NULL, NULL, NULL));
	if (tpm_rc_base(rc) == TPM2_RC_BAD_AUTH || tpm_rc_base(rc) == TPM2_RC_AUTH_FAIL)
		return err_set(e, EACCES, "the TPM's owner has set a password, and there is no storage root key "
			       "0x81000001: systemd-tpm2-setup or 'tpm2_createprimary', 'tpm2_evictcontrol' store one");
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, "make the TPM's storage root key", e);
	tpm_keep(t, srk.handle);
	srk.public = *public;
	Esys_Free(public);
	*ret = srk;
	return 0;
}

static int primary_make(struct tpm *t, struct srk *ret, struct err *e)
{
	int r = t->primary.handle ? 0 : srk_primary(t, &standard, &t->primary, e);

	if (r == 0)
		*ret = t->primary;
	return r;
}

int srk_at(struct tpm *t, uint32_t handle, struct srk *ret, struct err *e)
{
	int r = persistent_find(t, handle, ret, e);

	return r == -ENOENT ? err_set(e, ENOENT, "the TPM has no storage key at 0x%x", handle) : r;
}

int srk_find(struct tpm *t, struct srk *ret, struct err *e)
{
	int r = persistent_find(t, srk_handle, ret, e);

	return r == -ENOENT ? primary_make(t, ret, e) : r;
}

int srk_parent(const struct tpm_token *token, TPM2B_PUBLIC *ret, struct err *e)
{
	const struct tpm_bytes *b = &token->parent;
	size_t at = 0;

	*ret = (TPM2B_PUBLIC){ 0 };
	if (Tss2_MU_TPMT_PUBLIC_Unmarshal(b->data, b->len, &at, &ret->publicArea) != 0 || at != b->len ||
	    !srk_is_parent(&ret->publicArea))
		return err_set(e, EBADMSG, "token names no storage key of a TPM");
	return 0;
}

static bool is_standard(const TPMT_PUBLIC *p)
{
	const TPMT_PUBLIC *s = &standard.publicArea;

	return p->type == s->type && p->nameAlg == s->nameAlg && p->objectAttributes == s->objectAttributes &&
	       p->parameters.eccDetail.curveID == s->parameters.eccDetail.curveID;
}

/*
 * The TPM's key that is PARENT; -ENOKEY without a message: none is. A primary key is made only where it may be that one and
 * the persistent key is none of its kind.
 */
static int srk_match(struct tpm *t, const TPM2B_PUBLIC *parent, struct srk *ret, struct err *e)
{
	int r = persistent_find(t, srk_handle, ret, e);

	if (r == 0 && names_equal(&ret->public, parent))
		return 0;
	if (r == 0 ? is_standard(&ret->public.publicArea) : r != -ENOENT)
		return r < 0 ? r : -ENOKEY;
	r = is_standard(&parent->publicArea) ? primary_make(t, ret, e) : -ENOKEY;
	return r == 0 && !names_equal(&ret->public, parent) ? -ENOKEY : r;
}

/*
 * Of what was sealed when there was no persistent key: since then there may be one, which is faster than to make a primary.
 * Looking for it is one command more, so it is done where none is needed to flush what is left.
 */
static int srk_of_primary(struct tpm *t, const TPM2B_PUBLIC *parent, struct srk *ret, struct err *e)
{
	int r = t->resource_manager ? srk_match(t, parent, ret, e) : -ENOKEY;

	return r == -ENOKEY ? primary_make(t, ret, e) : r;
}

int srk_of_token(struct tpm *t, const struct tpm_token *token, struct srk *ret, struct err *e)
{
	struct srk srk = { .persistent = token->parent_handle };
	int r = srk_parent(token, &srk.public, e);

	if (r < 0)
		return r;
	if (!token->parent_handle)
		return srk_of_primary(t, &srk.public, ret, e);
	r = handle_of_public(t, srk.persistent, &srk.public, &srk.handle, e);
	if (r == 0)
		*ret = srk;
	return r;
}

/* --- when it is another one ------------------------------------------------------------------------------------- */

int machine_read(const struct env *env, unsigned char ret[16], struct err *e)
{
	static const char *const files[] = {
		"/sys/class/dmi/id/product_uuid", "/sys/firmware/devicetree/base/serial-number",
	};
	unsigned char hash[32];
	char text[128];
	int r;

	memset(ret, 0, 16);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (sys_read(env, files[i], text, sizeof(text)) <= 0)
			continue;
		r = EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL) == 1 ? 0 : err_nomem(e);
		memcpy(ret, hash, r == 0 ? 16 : 0);
		return r;
	}
	return 0;
}

bool srk_is_of(struct tpm *t, const struct tpm_token *token)
{
	struct err ignored = { 0 };
	TPM2B_PUBLIC parent;
	struct srk srk;

	return srk_parent(token, &parent, &ignored) == 0 && srk_match(t, &parent, &srk, &ignored) == 0;
}

int srk_explain(struct tpm *t, const struct tpm_token *token, struct srk *ret, struct err *e)
{
	unsigned char here[16];
	struct err other = { 0 };
	TPM2B_PUBLIC parent;
	int r = srk_parent(token, &parent, &other);

	if (r == 0)
		r = srk_match(t, &parent, ret, &other);
	if (r == 0)
		return 0;
	if (r != -ENOKEY || machine_read(t->dev->env, here, &other) < 0) {
		if (!e->code)
			*e = other;
		return -e->code;
	}
	if (bytes_are_zero(token->machine, 16) || bytes_are_zero(here, 16))
		return err_set(e, EPERM, "sealed by another TPM, or this one was cleared since: what it held is lost, use "
			       "the recovery key or a backup");
	if (memcmp(token->machine, here, 16) != 0)
		return err_set(e, EBADMSG, "sealed on another machine, or its board was replaced: open it there, or by the "
			       "recovery key or a backup");
	return err_set(e, EPERM, "this machine's TPM was cleared or replaced since: what it held is lost, use the recovery "
		       "key or a backup");
}

int srk_make_persistent(struct tpm *t, struct err *e)
{
	ESYS_TR persistent;
	struct srk srk;
	TSS2_RC rc;
	int r = persistent_find(t, srk_handle, &srk, e);

	if (r == 0)
		return err_set(e, EEXIST, "TPM '%s' has a persistent storage root key already", t->dev->id);
	if (r == -ENOENT)
		r = primary_make(t, &srk, e);
	if (r < 0)
		return r;
	TPM_TRY(rc, Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, srk.handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
				      srk_handle, &persistent));
	if (tpm_rc_base(rc) == TPM2_RC_NV_DEFINED)
		return err_set(e, EEXIST, "the TPM has another persistent key at 0x81000001, which is no storage root key");
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, rc, "store the TPM's storage root key", e);
}
