// SPDX-License-Identifier: MIT
#include "tpm.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "lib/crypto.h"
#include "lib/json.h"
#include "lib/sys.h"

enum { JSON_MAX = 256 * 1024, JSON_DEPTH = 8 };
static const unsigned exponent = 65537;			/* the only one that each TPM takes */

static void key_freep(EVP_PKEY **k) { EVP_PKEY_free(*k); }
static void bio_freep(BIO **b) { BIO_free(*b); }
static void number_freep(BIGNUM **n) { BN_free(*n); }
static void md_freep(EVP_MD_CTX **c) { EVP_MD_CTX_free(*c); }
static void openssl_freep(unsigned char **p) { OPENSSL_free(*p); }

/* --- the key of who signs -------------------------------------------------------------------------------------- */

/* A TPM, and systemd, take RSA alone. NULL: this is it. */
static const char *key_flaw(EVP_PKEY *key)
{
	AUTO(number_freep) BIGNUM *e = NULL;
	int bits = EVP_PKEY_get_bits(key);

	if (!EVP_PKEY_is_a(key, "RSA"))
		return "is not RSA, which signed PCR policies are";
	if (bits != 2048 && bits != 3072 && bits != 4096)
		return "has not 2048, 3072 or 4096 bits";
	if (!EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) || !BN_is_word(e, exponent))
		return "has not the exponent 65537, the only one that TPMs take";
	return NULL;
}

static int key_from_der(const struct blob *der, EVP_PKEY **ret, struct err *e)
{
	const unsigned char *p = der->data;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)der->len);
	const char *flaw = key && p == der->data + der->len ? key_flaw(key) : "is malformed";

	if (flaw) {
		EVP_PKEY_free(key);
		return err_set(e, EBADMSG, "public key of PCR signatures %s", flaw);
	}
	*ret = key;
	return 0;
}

int signer_from_pem(const struct blob *pem, struct blob *ret_der, struct err *e)
{
	AUTO(bio_freep) BIO *b = pem->len <= JSON_MAX ? BIO_new_mem_buf(pem->data, (int)pem->len) : NULL;
	AUTO(key_freep) EVP_PKEY *key = b ? PEM_read_bio_PUBKEY(b, NULL, NULL, NULL) : NULL;
	AUTO(openssl_freep) unsigned char *der = NULL;
	const char *flaw = key ? key_flaw(key) : "is no PEM of a public key ('openssl pkey -pubout' writes it)";
	int n;

	if (flaw)
		return err_set(e, EINVAL, "public key %s", flaw);
	n = i2d_PUBKEY(key, &der);
	return n <= 0 ? err_nomem(e) : blob_copy(ret_der, der, (size_t)n, e);
}

/* As systemd builds it: same Name, so that a policy of the one is that of the other. */
int signer_public(const struct blob *der, TPM2B_PUBLIC *ret, struct err *e)
{
	AUTO(key_freep) EVP_PKEY *key = NULL;
	AUTO(number_freep) BIGNUM *modulus = NULL;
	TPM2B_PUBLIC p = { .publicArea = {
		.type = TPM2_ALG_RSA,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_DECRYPT | TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_USERWITHAUTH,
		.parameters.rsaDetail = {
			.symmetric.algorithm = TPM2_ALG_NULL, .scheme.scheme = TPM2_ALG_NULL, .exponent = exponent,
		},
	} };
	int r = key_from_der(der, &key, e), n;

	if (r < 0)
		return r;
	n = EVP_PKEY_get_size(key);
	if (!EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) ||
	    BN_bn2binpad(modulus, p.publicArea.unique.rsa.buffer, n) != n)
		return err_nomem(e);
	p.publicArea.unique.rsa.size = (UINT16)n;
	p.publicArea.parameters.rsaDetail.keyBits = (UINT16)(n * 8);
	*ret = p;
	return 0;
}

int signer_name(const struct blob *public_key, TPM2B_NAME *ret, struct err *e)
{
	TPM2B_PUBLIC public;
	int r = signer_public(public_key, &public, e);

	return r < 0 ? r : public_name(&public, ret, e);
}

/* SHA-256 of the bare key: of RSA, PKCS#1's RSAPublicKey. */
static int fingerprint(EVP_PKEY *key, unsigned char ret[CRYPTO_HASH], struct err *e)
{
	AUTO(openssl_freep) unsigned char *der = NULL;
	int n = i2d_PublicKey(key, &der);

	return n <= 0 ? err_nomem(e) : crypto_sha256(der, (size_t)n, ret, e);
}

static bool is_signed(EVP_PKEY *key, const TPM2B_DIGEST *policy, const struct blob *signature)
{
	AUTO(md_freep) EVP_MD_CTX *c = EVP_MD_CTX_new();

	return c && EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestVerify(c, signature->data, signature->len, policy->buffer, policy->size) == 1;
}

/* --- the signatures -------------------------------------------------------------------------------------------- */

/* The member KEY if it is an array; NULL: it is not. */
static json_object *array_of(json_object *object, const char *key)
{
	json_object *o;

	return json_object_object_get_ex(object, key, &o) && json_object_is_type(o, json_type_array) ? o : NULL;
}

/* 32 bytes in hexadecimal digits. */
static bool is_hash(json_object *entry, const char *key, unsigned char ret[CRYPTO_HASH])
{
	const char *s = json_text(entry, key);

	return s && strlen(s) == 2 * CRYPTO_HASH && hex_decode(s, 2 * CRYPTO_HASH, ret) == 0;
}

/* 0: malformed. */
static uint32_t pcrs_of(json_object *entry)
{
	json_object *a = array_of(entry, "pcrs");
	uint32_t pcrs = 0;

	for (size_t i = 0; a && i < json_object_array_length(a); i++) {
		json_object *o = json_object_array_get_idx(a, i);
		int64_t n = json_object_is_type(o, json_type_int) ? json_object_get_int64(o) : -1;

		if (n < 0 || n >= TPM_PCRS)
			return 0;
		pcrs |= 1U << n;
	}
	return pcrs;
}

/* 1: it is the one; 0: it is for another policy; EKEYREJECTED: it is not by that key. */
static int take(json_object *entry, EVP_PKEY *key, const TPM2B_DIGEST *policy, struct pcr_signature *ret, struct err *e)
{
	AUTO_BLOB struct blob signature = { 0 };
	TPM2B_DIGEST its = { .size = CRYPTO_HASH };
	const char *text = json_text(entry, "sig");
	int r = 0;

	if (!is_hash(entry, "pol", its.buffer) || policy->size != its.size ||
	    memcmp(policy->buffer, its.buffer, its.size) != 0)
		return 0;
	if (text)
		r = base64_decode(text, strlen(text), &signature, e);
	if (r == -ENOMEM)
		return r;
	if (!signature.len || !is_signed(key, &its, &signature))
		return err_set(e, EKEYREJECTED, "the signature of PCR values is not by the key that it names");
	ret->policy = its;
	ret->signature = TAKE(signature);
	return 1;
}

int pcr_signature_find(const char *json, const struct blob *public_key, enum tpm_bank bank, uint32_t pcrs,
		       const TPM2B_DIGEST *policy, struct pcr_signature *ret, struct err *e)
{
	AUTO_JSON json_object *j = json_read(json, JSON_MAX, JSON_DEPTH);
	json_object *entries = tpm_bank_name(bank) ? array_of(j, tpm_bank_name(bank)) : NULL;
	size_t n = entries ? json_object_array_length(entries) : 0;
	AUTO(key_freep) EVP_PKEY *key = NULL;
	unsigned char name[CRYPTO_HASH], its[CRYPTO_HASH];
	AUTO_PCR_SIGNATURE struct pcr_signature s = { 0 };
	unsigned known = 0;		/* entries for this key, bank and PCRs, whatever the policy */
	char text[128];
	int r = 0, one;

	if (!j)
		return err_set(e, EBADMSG, "signatures of PCR values: no JSON object");
	if (n)
		r = key_from_der(public_key, &key, e);
	if (n && r == 0)
		r = fingerprint(key, name, e);
	for (size_t i = 0; i < n && (r >= 0 || r == -EKEYREJECTED); i++) {	/* another one may be genuine */
		json_object *entry = json_object_array_get_idx(entries, i);

		if (pcrs_of(entry) != pcrs || !is_hash(entry, "pkfp", its) || memcmp(name, its, sizeof(its)) != 0)
			continue;
		known++;
		one = r == 1 ? 0 : take(entry, key, policy, &s, e);
		r = one ? one : r;
	}
	if (r < 0)
		return r;
	tpm_pcrs_format(pcrs, bank, text, sizeof(text));
	if (known == 0)
		return err_set(e, ENOENT, "no signature by the policy's key for PCR %s", text);
	if (r == 0)
		return err_set(e, ENOENT, "%u signature%s by the policy's key for PCR %s, but none for the present values: "
			       "the signatures are older or newer than what has booted", known, known > 1 ? "s" : "", text);
	*ret = TAKE(s);
	return 0;
}

void pcr_signature_done(struct pcr_signature *s)
{
	blob_done(&s->signature);
	*s = (struct pcr_signature){ 0 };
}

/* In systemd's order. */
int pcr_signature_read(const struct env *env, struct blob *ret, struct err *e)
{
	static const char *const places[] = {
		"/etc/systemd/tpm2-pcr-signature.json", "/run/systemd/tpm2-pcr-signature.json",
		"/usr/local/lib/systemd/tpm2-pcr-signature.json", "/usr/lib/systemd/tpm2-pcr-signature.json",
	};
	const struct env here = { 0 };
	AUTO_BLOB struct blob b = { 0 };
	ssize_t n = -ENOENT;
	const char *path = env->pcr_signature;
	int r = blob_alloc(&b, JSON_MAX + 1, e);

	if (r < 0)
		return r;
	if (path)
		n = sys_read_bytes(&here, path, b.data, JSON_MAX);
	for (size_t i = 0; !path && n == -ENOENT && i < ARRAY_SIZE(places); i++)
		n = sys_read_bytes(env, places[i], b.data, JSON_MAX);
	if (n == -ENOENT && !path)
		return err_set(e, ENOENT, "no signatures of PCR values: no 'tpm2-pcr-signature.json' in /etc/systemd, "
			       "/run/systemd or /usr/lib/systemd");
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "cannot read signatures of PCR values '%s'", path ? path : "tpm2-pcr-signature.json");
	}
	b.len = (size_t)n;
	*ret = TAKE(b);
	return 0;
}
