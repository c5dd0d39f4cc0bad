// SPDX-License-Identifier: MIT
#include "crypto.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
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

/* --- libcrypto, loaded by what first needs it ---------------------------------------------------------------------- */

#define FUNCTIONS(f)                                                                                                  \
	f(ERR_clear_error) f(ERR_peek_last_error) f(ERR_reason_error_string) f(EVP_CIPHER_CTX_ctrl)                   \
	f(EVP_CIPHER_CTX_free) f(EVP_CIPHER_CTX_new) f(EVP_CIPHER_CTX_set_padding) f(EVP_CipherFinal_ex)              \
	f(EVP_CipherInit_ex2) f(EVP_CipherUpdate) f(EVP_DecodeBlock) f(EVP_Digest) f(EVP_EncodeBlock)                 \
	f(EVP_KDF_CTX_free) f(EVP_KDF_CTX_new) f(EVP_KDF_derive) f(EVP_KDF_fetch) f(EVP_KDF_free)                     \
	f(EVP_aes_128_ecb) f(EVP_aes_192_ecb) f(EVP_aes_256_ecb) f(EVP_aes_256_gcm) f(EVP_sha256)                     \
	f(OPENSSL_init_crypto)
#define AS_POINTER(name) __typeof__(name) *name;
#define AS_NAME(name) #name,

/* The one state of this file: what dlsym() finds is the same each time. */
static struct {
	FUNCTIONS(AS_POINTER)
} ssl;

/*
 * By the path that it had at build time: to look for it elsewhere costs reading the loader's cache once more. Where another
 * library brought it (libcryptsetup to the plug-in, tss2 to its backend) that one is used, as it was set up.
 */
/* The loader's last errno is of the last place where it looked. */
static int load_failed(struct err *e)
{
	AUTO_CLOSE int fd = err_is_resource(errno) ? -1 : open("/", O_PATH | O_CLOEXEC);

	return err_set(e, fd < 0 && err_is_resource(errno) ? errno : ENOSYS, "cannot load libcrypto: %s", dlerror());
}

static int libcrypto_load(struct err *e)
{
	static const char *const names[] = { FUNCTIONS(AS_NAME) };
	void *found[ARRAY_SIZE(names)], *so = NULL;
	bool ours;

	if (ssl.OPENSSL_init_crypto)
		return 0;
	errno = 0;
	ours = !dlsym(RTLD_DEFAULT, "OPENSSL_init_crypto");
	if (ours)
		so = dlopen(LIBCRYPTO, RTLD_NOW | RTLD_LOCAL);
	if (!so)
		so = dlopen(strrchr(LIBCRYPTO, '/') + 1, RTLD_NOW | RTLD_LOCAL);
	if (!so)
		return load_failed(e);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		found[i] = dlsym(so, names[i]);
		if (!found[i])
			return err_set(e, ENOSYS, "libcrypto has no %s", names[i]);
	}
	_Static_assert(sizeof(found) == sizeof(ssl), "a pointer for each name");
	memcpy(&ssl, found, sizeof(ssl));
	if (ours)
		(void)ssl.OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	return 0;
}

/* What OpenSSL says is about algorithms and providers, never about key bytes. */
static int failed(struct err *e, const char *what)
{
	const char *why = ssl.ERR_reason_error_string(ssl.ERR_peek_last_error());

	ssl.ERR_clear_error();
	return err_set(e, ENOTSUP, "cannot compute %s%s%s", what, why ? ": " : "", why ? why : "");
}

/* OSSL_PARAM has no const variant; the KDFs only read. */
#define OCTETS(name, p, len) OSSL_PARAM_octet_string(name, (void *)(uintptr_t)(p), len)

static int derive(const char *kdf_name, const OSSL_PARAM *params, void *ret, size_t len, struct err *e)
{
	EVP_KDF_CTX *ctx;
	EVP_KDF *kdf;
	bool ok;
	int r = libcrypto_load(e);

	if (r < 0)
		return r;
	kdf = ssl.EVP_KDF_fetch(NULL, kdf_name, NULL);
	ctx = kdf ? ssl.EVP_KDF_CTX_new(kdf) : NULL;
	ok = ctx && ssl.EVP_KDF_derive(ctx, ret, len, params) == 1;
	ssl.EVP_KDF_CTX_free(ctx);
	ssl.EVP_KDF_free(kdf);
	if (ok)
		return 0;
	explicit_bzero(ret, len);
	return failed(e, kdf_name);
}

int crypto_hkdf(const void *ikm, size_t ikm_len, const void *salt, size_t salt_len, const void *info, size_t info_len,
		void *ret, size_t ret_len, struct err *e)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, sizeof(digest) - 1),
		OCTETS(OSSL_KDF_PARAM_KEY, ikm, ikm_len),
		OCTETS(OSSL_KDF_PARAM_SALT, salt, salt_len),
		OCTETS(OSSL_KDF_PARAM_INFO, info, info_len),
		OSSL_PARAM_END,
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
		OCTETS(OSSL_KDF_PARAM_PASSWORD, passphrase->data, passphrase->len),
		OCTETS(OSSL_KDF_PARAM_SALT, salt, salt_len),
		OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
		OSSL_PARAM_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
		OSSL_PARAM_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
		OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &max),
		OSSL_PARAM_END,
	};

	return derive("SCRYPT", params, ret, CRYPTO_KEY, e);
}

static bool gcm_feed(EVP_CIPHER_CTX *c, const void *aad, size_t aad_len, const void *in, size_t len, void *out)
{
	int n;

	if (aad_len > INT_MAX || len > INT_MAX)
		return false;
	if (aad_len && ssl.EVP_CipherUpdate(c, NULL, &n, aad, (int)aad_len) != 1)
		return false;
	return !len || ssl.EVP_CipherUpdate(c, out, &n, in, (int)len) == 1;
}

int crypto_seal(const unsigned char key[CRYPTO_KEY], const unsigned char nonce[CRYPTO_NONCE], const void *aad,
		size_t aad_len, const void *in, size_t len, void *out, unsigned char ret_tag[CRYPTO_TAG], struct err *e)
{
	unsigned char tail[16];		/* GCM is a stream mode: final writes nothing */
	EVP_CIPHER_CTX *c;
	bool ok;
	int n, r = libcrypto_load(e);

	if (r < 0)
		return r;
	c = ssl.EVP_CIPHER_CTX_new();
	ok = c && ssl.EVP_CipherInit_ex2(c, ssl.EVP_aes_256_gcm(), key, nonce, 1, NULL) == 1 &&
		  gcm_feed(c, aad, aad_len, in, len, out) && ssl.EVP_CipherFinal_ex(c, tail, &n) == 1 &&
		  ssl.EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG, ret_tag) == 1;

	ssl.EVP_CIPHER_CTX_free(c);
	return ok ? 0 : failed(e, "AES-256-GCM");
}

int crypto_open(const unsigned char key[CRYPTO_KEY], const unsigned char nonce[CRYPTO_NONCE], const void *aad,
		size_t aad_len, const void *in, size_t len, const unsigned char tag[CRYPTO_TAG], void *out, struct err *e)
{
	unsigned char tail[16], want[CRYPTO_TAG];
	EVP_CIPHER_CTX *c;
	bool ready, ok;
	int n, r = libcrypto_load(e);

	if (r < 0)
		return r;
	c = ssl.EVP_CIPHER_CTX_new();
	memcpy(want, tag, sizeof(want));
	ready = c && ssl.EVP_CipherInit_ex2(c, ssl.EVP_aes_256_gcm(), key, nonce, 0, NULL) == 1 &&
		gcm_feed(c, aad, aad_len, in, len, out) &&
		ssl.EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG, want) == 1;
	ok = ready && ssl.EVP_CipherFinal_ex(c, tail, &n) == 1;
	ssl.EVP_CIPHER_CTX_free(c);
	if (ok)
		return 0;
	if (out)
		explicit_bzero(out, len);
	return ready ? err_set(e, EBADMSG, "authentication failed") : failed(e, "AES-256-GCM");
}

int crypto_sha256(const void *data, size_t len, unsigned char ret[CRYPTO_HASH], struct err *e)
{
	int r = libcrypto_load(e);

	if (r < 0)
		return r;
	return ssl.EVP_Digest(data, len, ret, NULL, ssl.EVP_sha256(), NULL) == 1 ? 0 : failed(e, "SHA-256");
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char differ = 0;

	for (size_t i = 0; i < len; i++)
		differ |= x[i] ^ y[i];
	return differ == 0;
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
	r = libcrypto_load(e);
	if (r == 0)
		r = blob_alloc(ret, base64_size(len) + 1, e);
	if (r == 0)
		ret->len = (size_t)ssl.EVP_EncodeBlock(ret->data, data, (int)len);
	return r;
}

int base64_encode_secret(const struct secret *s, struct secret *ret, struct err *e)
{
	int r;

	if (s->len > INT_MAX / 2)
		return err_set(e, EFBIG, "too long for base64");
	r = libcrypto_load(e);
	if (r == 0)
		r = secret_alloc(ret, base64_size(s->len) + 1, e);
	if (r == 0)
		ret->len = (size_t)ssl.EVP_EncodeBlock(ret->data, s->data, (int)s->len);
	return r;
}

static int not_base64(struct err *e)
{
	return err_set(e, EBADMSG, "not base64");
}

/* ssl.EVP_DecodeBlock() forgives blanks and stray bits: encoding again shows whether there were any. */
int base64_decode(const char *text, size_t len, struct blob *ret, struct err *e)
{
	AUTO_BLOB struct blob b = { 0 }, again = { 0 };
	size_t pad = 0;
	int r;

	if (len % 4 || len > INT_MAX)
		return not_base64(e);
	r = libcrypto_load(e);
	if (r == 0)
		r = blob_alloc(&b, len / 4 * 3, e);
	if (r < 0)
		return r;
	if (len && ssl.EVP_DecodeBlock(b.data, (const unsigned char *)text, (int)len) != (int)b.len)
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
	EVP_CIPHER_CTX *c;
	bool ok;
	int n, r = libcrypto_load(e);

	if (r < 0)
		return r;
	const EVP_CIPHER *by_size[] = { ssl.EVP_aes_128_ecb(), ssl.EVP_aes_192_ecb(), ssl.EVP_aes_256_ecb() };

	c = ssl.EVP_CIPHER_CTX_new();
	ok = c && ssl.EVP_CipherInit_ex2(c, by_size[key_len / 8 - 2], key, NULL, 1, NULL) == 1 &&
	     ssl.EVP_CIPHER_CTX_set_padding(c, 0) == 1 && ssl.EVP_CipherUpdate(c, out, &n, in, 16) == 1;

	ssl.EVP_CIPHER_CTX_free(c);
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
	explicit_bzero(t, sizeof(t));
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
