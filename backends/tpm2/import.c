// SPDX-License-Identifier: MIT
/*
 * Sealing for another machine's TPM without it. TPM 2.0 library specification, part 1: "Protected Storage", outer wrapping
 * of a duplicate; annexes B (RSA) and C (ECC): how the seed for that is shared.
 */
#include "tpm.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <tss2/tss2_mu.h>

enum { SEED = 32, COORDINATE = 32, POINT = 1 + 2 * COORDINATE };

static const char purpose[] = "DUPLICATE";		/* with its NUL */

static int failed(struct err *e, const char *what)
{
	return err_set(e, ENOTSUP, "cannot compute %s", what);
}

/* --- keys between OpenSSL and TPM ------------------------------------------------------------------------------- */

static EVP_PKEY *pkey_of_params(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *ecc_key(const TPMS_ECC_POINT *p)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	unsigned char point[POINT] = { POINT_CONVERSION_UNCOMPRESSED };
	EVP_PKEY *key = NULL;

	if (p->x.size <= COORDINATE && p->y.size <= COORDINATE) {
		memcpy(point + 1 + COORDINATE - p->x.size, p->x.buffer, p->x.size);
		memcpy(point + POINT - p->y.size, p->y.buffer, p->y.size);
		if (build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
		    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
			key = pkey_of_params("EC", build);
	}
	OSSL_PARAM_BLD_free(build);
	return key;
}

static EVP_PKEY *rsa_key(const TPMT_PUBLIC *p)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn(p->unique.rsa.buffer, p->unique.rsa.size, NULL), *exponent = BN_new();
	UINT32 e = p->parameters.rsaDetail.exponent;
	EVP_PKEY *key = NULL;

	if (build && n && exponent && BN_set_word(exponent, e ? e : 65537) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
		key = pkey_of_params("RSA", build);
	BN_free(exponent);
	BN_free(n);
	OSSL_PARAM_BLD_free(build);
	return key;
}

static bool ecc_unique(EVP_PKEY *key, TPMT_PUBLIC *ret)
{
	unsigned char point[POINT];
	size_t len;

	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len) != 1 ||
	    len != POINT || point[0] != POINT_CONVERSION_UNCOMPRESSED)
		return false;
	ret->unique.ecc.x.size = ret->unique.ecc.y.size = COORDINATE;
	memcpy(ret->unique.ecc.x.buffer, point + 1, COORDINATE);
	memcpy(ret->unique.ecc.y.buffer, point + 1 + COORDINATE, COORDINATE);
	return true;
}

static bool rsa_unique(EVP_PKEY *key, TPMT_PUBLIC *ret)
{
	BIGNUM *n = NULL;
	int bits = EVP_PKEY_get_bits(key);
	bool ok = (bits == 2048 || bits == 3072 || bits == 4096) &&
		  EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
		  BN_bn2binpad(n, ret->unique.rsa.buffer, bits / 8) == bits / 8;

	BN_free(n);
	ret->type = TPM2_ALG_RSA;
	ret->unique.rsa.size = (UINT16)(bits / 8);
	ret->parameters.rsaDetail = (TPMS_RSA_PARMS){
		.symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB },
		.scheme.scheme = TPM2_ALG_NULL,
		.keyBits = (UINT16)bits,
	};
	return ok;
}

static bool parent_of_pem(const struct blob *b, TPM2B_PUBLIC *ret)
{
	BIO *bio = b->len < INT_MAX ? BIO_new_mem_buf(b->data, (int)b->len) : NULL;
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	char group[32] = "";
	bool ok = false;

	*ret = *srk_template();
	if (key && EVP_PKEY_is_a(key, "EC"))
		ok = EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL) == 1 &&
		     !strcmp(group, "prime256v1") && ecc_unique(key, &ret->publicArea);
	else if (key && EVP_PKEY_is_a(key, "RSA"))
		ok = rsa_unique(key, &ret->publicArea);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return ok;
}

int import_parent(const struct blob *b, TPM2B_PUBLIC *ret, struct err *e)
{
	size_t at = 0;

	*ret = (TPM2B_PUBLIC){ 0 };
	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(b->data, b->len, &at, ret) != TSS2_RC_SUCCESS || at != b->len)
		if (!parent_of_pem(b, ret))
			return err_set(e, EINVAL, "that is no public key of a TPM: TPM2B_PUBLIC, or PEM of P-256 or RSA");
	if (!srk_is_parent(&ret->publicArea) || ret->publicArea.nameAlg != TPM2_ALG_SHA256 ||
	    (ret->publicArea.type == TPM2_ALG_ECC && ret->publicArea.parameters.eccDetail.curveID != TPM2_ECC_NIST_P256))
		return err_set(e, EINVAL, "that is no storage root key of a TPM, of P-256 or RSA with SHA-256");
	return 0;
}

/* --- the seed --------------------------------------------------------------------------------------------------- */

static bool ecdh(EVP_PKEY *own, EVP_PKEY *peer, unsigned char ret[COORDINATE])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	size_t len = COORDINATE;
	bool ok = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
		  EVP_PKEY_derive(ctx, ret, &len) == 1 && len == COORDINATE;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

/* KDFe, one block: SHA-256 of 4 counter, shared x, purpose, the ephemeral key's x, the parent's x. */
static bool kdfe(const unsigned char shared[COORDINATE], const TPMS_ECC_POINT *u, const TPMS_ECC_POINT *v,
		 unsigned char ret[SEED])
{
	unsigned char in[4 + COORDINATE + sizeof(purpose) + 2 * COORDINATE] = { 0, 0, 0, 1 }, *at = in + 4;
	bool ok;

	secret_bytes_copy(at, shared, COORDINATE);
	memcpy(at += COORDINATE, purpose, sizeof(purpose));
	memcpy(at += sizeof(purpose), u->x.buffer, COORDINATE);
	memcpy(at + COORDINATE + COORDINATE - v->x.size, v->x.buffer, v->x.size);
	ok = EVP_Digest(in, sizeof(in), ret, NULL, EVP_sha256(), NULL) == 1;
	OPENSSL_cleanse(in, sizeof(in));
	return ok;
}

static bool seed_by_ecc(const TPMT_PUBLIC *parent, unsigned char ret[SEED], TPM2B_ENCRYPTED_SECRET *ret_secret)
{
	EVP_PKEY *peer = ecc_key(&parent->unique.ecc), *own = peer ? EVP_EC_gen("prime256v1") : NULL;
	unsigned char shared[COORDINATE];
	TPMT_PUBLIC ephemeral = { 0 };
	size_t len = 0;
	const TPMS_ECC_POINT *point = &ephemeral.unique.ecc;
	bool ok = own && ecc_unique(own, &ephemeral) && ecdh(own, peer, shared) &&
		  kdfe(shared, point, &parent->unique.ecc, ret) &&
		  Tss2_MU_TPMS_ECC_POINT_Marshal(point, ret_secret->secret, sizeof(ret_secret->secret), &len) == 0;

	ret_secret->size = (UINT16)len;
	OPENSSL_cleanse(shared, sizeof(shared));
	EVP_PKEY_free(own);
	EVP_PKEY_free(peer);
	return ok;
}

static bool seed_by_rsa(const TPMT_PUBLIC *parent, unsigned char ret[SEED], TPM2B_ENCRYPTED_SECRET *ret_secret)
{
	EVP_PKEY *peer = rsa_key(parent);
	EVP_PKEY_CTX *ctx = peer ? EVP_PKEY_CTX_new(peer, NULL) : NULL;
	unsigned char *label = OPENSSL_memdup(purpose, sizeof(purpose));
	size_t len = sizeof(ret_secret->secret);
	struct err ignored;
	bool ok = ctx && label && random_bytes(ret, SEED, &ignored) == 0 && EVP_PKEY_encrypt_init(ctx) == 1 &&
		  EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
		  EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 &&
		  EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
		  EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, sizeof(purpose)) == 1;

	if (ok)
		label = NULL;			/* the context's now */
	ok = ok && EVP_PKEY_encrypt(ctx, ret_secret->secret, &len, ret, SEED) == 1;
	ret_secret->size = (UINT16)(ok ? len : 0);
	OPENSSL_free(label);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	return ok;
}

/* --- the object ------------------------------------------------------------------------------------------------- */

/* KDFa, one block: HMAC-SHA256 of 4 counter, LABEL with its NUL, CONTEXT, 4 bits. */
static bool kdfa(const unsigned char seed[SEED], const char *label, const TPM2B_NAME *context, unsigned bits,
		 unsigned char ret[32])
{
	unsigned char in[4 + 16 + sizeof(context->name) + 4] = { 0, 0, 0, 1 };
	size_t n = strlen(label) + 1, m = context ? context->size : 0;

	memcpy(in + 4, label, n);
	if (context)
		memcpy(in + 4 + n, context->name, m);
	be_put(in + 4 + n + m, bits, 4);
	return HMAC(EVP_sha256(), seed, SEED, in, 4 + n + m + 4, ret, NULL) != NULL;
}

static bool encrypt(const unsigned char *key, unsigned bits, unsigned char *data, size_t len)
{
	static const unsigned char iv[16];
	const EVP_CIPHER *cipher = bits == 256 ? EVP_aes_256_cfb128() : EVP_aes_128_cfb128();
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n;
	bool ok = c && EVP_CipherInit_ex2(c, cipher, key, iv, 1, NULL) == 1 &&
		  EVP_CipherUpdate(c, data, &n, data, (int)len) == 1;

	EVP_CIPHER_CTX_free(c);
	return ok;
}

/* TPM2B_SENSITIVE; the object's unique field is a hash of its seed and its secret. */
static bool sensitive_put(const TPM2B_AUTH *auth, const unsigned char secret[32], TPM2B_PUBLIC *object, uint8_t *ret,
			  size_t size, size_t *ret_len)
{
	TPM2B_SENSITIVE s = { .sensitiveArea = { .sensitiveType = TPM2_ALG_KEYEDHASH, .authValue = *auth,
						 .seedValue.size = SEED, .sensitive.bits.size = 32 } };
	unsigned char both[SEED + 32], *unique = object->publicArea.unique.keyedHash.buffer;
	struct err ignored;
	bool ok = random_bytes(both, SEED, &ignored) == 0;

	secret_bytes_copy(both + SEED, secret, 32);
	memcpy(s.sensitiveArea.seedValue.buffer, both, SEED);
	secret_bytes_copy(s.sensitiveArea.sensitive.bits.buffer, secret, 32);
	object->publicArea.unique.keyedHash.size = 32;
	ok = ok && EVP_Digest(both, sizeof(both), unique, NULL, EVP_sha256(), NULL) == 1 &&
	     Tss2_MU_TPM2B_SENSITIVE_Marshal(&s, ret, size, ret_len) == TSS2_RC_SUCCESS;
	OPENSSL_cleanse(both, sizeof(both));
	OPENSSL_cleanse(&s, sizeof(s));
	return ok;
}

/* 2 size 32 HMAC of what follows and of the object's name; then the encrypted sensitive area. */
static bool outer_wrap(const unsigned char seed[SEED], unsigned bits, const TPM2B_NAME *name, TPM2B_PRIVATE *p, size_t len)
{
	unsigned char key[32], *body = p->buffer + 2 + 32;
	bool ok = kdfa(seed, "STORAGE", name, bits, key) && encrypt(key, bits, body, len);

	if (ok) {
		memcpy(body + len, name->name, name->size);	/* for a moment: it is not sent */
		ok = kdfa(seed, "INTEGRITY", NULL, 256, key) &&
		     HMAC(EVP_sha256(), key, 32, body, len + name->size, p->buffer + 2, NULL) != NULL;
	}
	be_put(p->buffer, 32, 2);
	p->size = (UINT16)(2 + 32 + len);
	OPENSSL_cleanse(key, sizeof(key));
	return ok;
}

int import_make(const TPM2B_PUBLIC *parent, TPM2B_PUBLIC *object, const TPM2B_AUTH *auth, const unsigned char secret[32],
		TPM2B_PRIVATE *ret, TPM2B_ENCRYPTED_SECRET *ret_seed, struct err *e)
{
	const TPMT_PUBLIC *p = &parent->publicArea;
	const TPMT_SYM_DEF_OBJECT *symmetric = p->type == TPM2_ALG_ECC ? &p->parameters.eccDetail.symmetric
								       : &p->parameters.rsaDetail.symmetric;
	const size_t room = sizeof(ret->buffer) - 2 - 32 - sizeof(TPM2B_NAME);
	unsigned char seed[SEED];
	TPM2B_NAME name;
	size_t len = 0;
	int r = 0;
	bool ok = p->type == TPM2_ALG_ECC ? seed_by_ecc(p, seed, ret_seed) : seed_by_rsa(p, seed, ret_seed);

	if (!ok || !sensitive_put(auth, secret, object, ret->buffer + 2 + 32, room, &len))
		r = failed(e, "what another TPM imports");
	if (r == 0)
		r = public_name(object, &name, e);
	if (r == 0 && !outer_wrap(seed, symmetric->keyBits.aes, &name, ret, len))
		r = failed(e, "what another TPM imports");
	OPENSSL_cleanse(seed, sizeof(seed));
	if (r < 0)
		OPENSSL_cleanse(ret, sizeof(*ret));
	return r;
}
