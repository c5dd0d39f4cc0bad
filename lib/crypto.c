// SPDX-License-Identifier: MIT
#include "crypto.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "blob.h"
#include "err.h"
#include "secret.h"

/* What OpenSSL says is about algorithms and providers, never about key bytes. */
static int failed(struct err *e, const char *what)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(e, ENOTSUP, "cannot compute %s%s%s", what, why ? ": " : "", why ? why : "");
}

/* OSSL_PARAM has no const variant; the KDFs only read. */
static OSSL_PARAM octets(const char *name, const void *p, size_t len)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)p, len);
}

static int derive(const char *kdf_name, const OSSL_PARAM *params, void *ret, size_t len, struct err *e)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	bool ok = ctx && EVP_KDF_derive(ctx, ret, len, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	if (ok)
		return 0;
	OPENSSL_cleanse(ret, len);
	return failed(e, kdf_name);
}

int crypto_hkdf(const void *ikm, size_t ikm_len, const void *salt, size_t salt_len, const void *info, size_t info_len,
		void *ret, size_t ret_len, struct err *e)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		octets(OSSL_KDF_PARAM_KEY, ikm, ikm_len),
		octets(OSSL_KDF_PARAM_SALT, salt, salt_len),
		octets(OSSL_KDF_PARAM_INFO, info, info_len),
		OSSL_PARAM_construct_end(),
	};

	return derive("HKDF", params, ret, ret_len, e);
}

int crypto_scrypt(const struct secret *passphrase, const void *salt, size_t salt_len, unsigned log_n, uint32_t r,
		  uint32_t p, unsigned char ret[CRYPTO_KEY], struct err *e)
{
	uint64_t n, max;

	if (log_n < 1 || log_n > 30 || r < 1 || r > 1024 || p < 1 || p > 1024)
		return err_set(e, EBADMSG, "scrypt parameters out of range");
	n = 1ULL << log_n;
	max = 128ULL * r * (n + p + 4);		/* what OpenSSL counts, and a little */
	const OSSL_PARAM params[] = {
		octets(OSSL_KDF_PARAM_PASSWORD, passphrase->data, passphrase->len),
		octets(OSSL_KDF_PARAM_SALT, salt, salt_len),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &max),
		OSSL_PARAM_construct_end(),
	};

	return derive("SCRYPT", params, ret, CRYPTO_KEY, e);
}

static bool gcm_feed(EVP_CIPHER_CTX *c, const void *aad, size_t aad_len, const void *in, size_t len, void *out)
{
	int n;

	if (aad_len > INT_MAX || len > INT_MAX)
		return false;
	if (aad_len && EVP_CipherUpdate(c, NULL, &n, aad, (int)aad_len) != 1)
		return false;
	return !len || EVP_CipherUpdate(c, out, &n, in, (int)len) == 1;
}

int crypto_seal(const unsigned char key[CRYPTO_KEY], const unsigned char nonce[CRYPTO_NONCE], const void *aad,
		size_t aad_len, const void *in, size_t len, void *out, unsigned char ret_tag[CRYPTO_TAG], struct err *e)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char tail[16];		/* GCM is a stream mode: final writes nothing */
	int n;
	bool ok = c && EVP_CipherInit_ex2(c, EVP_aes_256_gcm(), key, nonce, 1, NULL) == 1 &&
		  gcm_feed(c, aad, aad_len, in, len, out) && EVP_CipherFinal_ex(c, tail, &n) == 1 &&
		  EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG, ret_tag) == 1;

	EVP_CIPHER_CTX_free(c);
	return ok ? 0 : failed(e, "AES-256-GCM");
}

int crypto_open(const unsigned char key[CRYPTO_KEY], const unsigned char nonce[CRYPTO_NONCE], const void *aad,
		size_t aad_len, const void *in, size_t len, const unsigned char tag[CRYPTO_TAG], void *out, struct err *e)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char tail[16], want[CRYPTO_TAG];
	int n;
	bool ready, ok;

	memcpy(want, tag, sizeof(want));
	ready = c && EVP_CipherInit_ex2(c, EVP_aes_256_gcm(), key, nonce, 0, NULL) == 1 &&
		gcm_feed(c, aad, aad_len, in, len, out) &&
		EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG, want) == 1;
	ok = ready && EVP_CipherFinal_ex(c, tail, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	if (ok)
		return 0;
	if (len)
		OPENSSL_cleanse(out, len);
	return ready ? err_set(e, EBADMSG, "authentication failed") : failed(e, "AES-256-GCM");
}

int crypto_sha256(const void *data, size_t len, unsigned char ret[CRYPTO_HASH], struct err *e)
{
	return EVP_Digest(data, len, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : failed(e, "SHA-256");
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

/* --- base64 ---------------------------------------------------------------------------------------------------- */

static size_t base64_size(size_t len)
{
	return (len + 2) / 3 * 4;
}

int base64_encode(const void *data, size_t len, struct blob *ret, struct err *e)
{
	int r;

	if (len > INT_MAX / 2)
		return err_set(e, EFBIG, "too long for base64");
	r = blob_alloc(ret, base64_size(len) + 1, e);
	if (r == 0)
		ret->len = (size_t)EVP_EncodeBlock(ret->data, data, (int)len);
	return r;
}

int base64_encode_secret(const struct secret *s, struct secret *ret, struct err *e)
{
	int r;

	if (s->len > INT_MAX / 2)
		return err_set(e, EFBIG, "too long for base64");
	r = secret_alloc(ret, base64_size(s->len) + 1, e);
	if (r == 0)
		ret->len = (size_t)EVP_EncodeBlock(ret->data, s->data, (int)s->len);
	return r;
}

static int not_base64(struct err *e)
{
	return err_set(e, EBADMSG, "not base64");
}

/* EVP_DecodeBlock() forgives blanks and stray bits: encoding again shows whether there were any. */
int base64_decode(const char *text, size_t len, struct blob *ret, struct err *e)
{
	AUTO_BLOB struct blob b = { 0 }, again = { 0 };
	size_t pad = 0;
	int r;

	if (len % 4 || len > INT_MAX)
		return not_base64(e);
	r = blob_alloc(&b, len / 4 * 3, e);
	if (r < 0)
		return r;
	if (len && EVP_DecodeBlock(b.data, (const unsigned char *)text, (int)len) != (int)b.len)
		return not_base64(e);
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	b.len -= pad;
	r = base64_encode(b.data, b.len, &again, e);
	if (r < 0)
		return r;
	if (again.len != len || memcmp(again.data, text, len) != 0)
		return not_base64(e);
	*ret = TAKE(b);
	return 0;
}

/* --- verification pattern -------------------------------------------------------------------------------------- */

/* One AES block, ECB: everything else below is exclusive-or. OpenSSL refuses XTS with equal halves, zkey does not. */
static int aes_block(const unsigned char *key, size_t key_len, const unsigned char in[16], unsigned char out[16],
		     struct err *e)
{
	const EVP_CIPHER *by_size[] = { EVP_aes_128_ecb(), EVP_aes_192_ecb(), EVP_aes_256_ecb() };
	const EVP_CIPHER *cipher = by_size[key_len / 8 - 2];
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n;
	bool ok = c && EVP_CipherInit_ex2(c, cipher, key, NULL, 1, NULL) == 1 && EVP_CIPHER_CTX_set_padding(c, 0) == 1 &&
		  EVP_CipherUpdate(c, out, &n, in, 16) == 1;

	EVP_CIPHER_CTX_free(c);
	return ok ? 0 : failed(e, "AES");
}

/* IEEE 1619: the tweak is a little-endian polynomial over x^128 + x^7 + x^2 + x + 1. */
static void tweak_double(unsigned char t[16])
{
	unsigned carry = 0;

	for (int i = 0; i < 16; i++) {
		unsigned v = (unsigned)t[i] << 1 | carry;

		t[i] = (unsigned char)v;
		carry = v >> 8;
	}
	if (carry)
		t[0] ^= 0x87;
}

/* A zero block under XTS: E(tweak) ^ tweak. */
static int xts_zeros(const unsigned char *key, size_t half, unsigned char out[32], struct err *e)
{
	static const unsigned char zero[16];
	unsigned char t[16];
	int r = aes_block(key + half, half, zero, t, e);

	for (int block = 0; r == 0 && block < 2; block++) {
		r = aes_block(key, half, t, out + 16 * block, e);
		for (int i = 0; i < 16; i++)
			out[16 * block + i] ^= t[i];
		tweak_double(t);
	}
	OPENSSL_cleanse(t, sizeof(t));
	return r;
}

static int cbc_zeros(const unsigned char *key, size_t len, unsigned char out[32], struct err *e)
{
	static const unsigned char zero[16];
	int r = aes_block(key, len, zero, out, e);

	return r < 0 ? r : aes_block(key, len, out, out + 16, e);
}

int crypto_pattern(const struct secret *clear, bool xts, char ret[65], struct err *e)
{
	size_t len = xts ? clear->len / 2 : clear->len;
	unsigned char vp[32];
	int r;

	if ((len != 16 && len != 24 && len != 32) || (xts && clear->len % 2))
		return err_set(e, EINVAL, "a key of %zu bytes is no AES key%s", clear->len, xts ? " pair" : "");
	r = xts ? xts_zeros(clear->data, len, vp, e) : cbc_zeros(clear->data, len, vp, e);
	if (r == 0)
		hex_encode(vp, sizeof(vp), ret);
	return r;
}
