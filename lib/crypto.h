/* SPDX-License-Identifier: MIT */
/*
 * All cryptography, and all of it OpenSSL's. libcrypto is loaded by the first call: ENOSYS if it is not there.
 * It does not read openssl.cnf: a configuration file shall not load code into the process that holds keys. So a provider
 * that only that file switches on, say the FIPS one, is not used. Where another library brought libcrypto, and in another
 * program, it is as that set it up.
 * Keys and other secret bytes are in the caller's struct secret or wiped buffers; contexts are cleansed on every path.
 */
#ifndef HWKEY_CRYPTO_H
#define HWKEY_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob;
struct err;
struct secret;

enum { CRYPTO_KEY = 32, CRYPTO_NONCE = 12, CRYPTO_TAG = 16, CRYPTO_HASH = 32 };	/* bytes */

/* HKDF-SHA256, extract and expand. */
int crypto_hkdf(const void *ikm, size_t ikm_len, const void *salt, size_t salt_len, const void *info, size_t info_len,
		void *ret, size_t ret_len, struct err *e);

/* AES-256-GCM. OUT has LEN bytes and may be IN. Open returns EBADMSG when the tag is wrong, and OUT is wiped. */
int crypto_seal(const unsigned char key[CRYPTO_KEY], const unsigned char nonce[CRYPTO_NONCE], const void *aad,
		size_t aad_len, const void *in, size_t len, void *out, unsigned char ret_tag[CRYPTO_TAG], struct err *e);
int crypto_open(const unsigned char key[CRYPTO_KEY], const unsigned char nonce[CRYPTO_NONCE], const void *aad,
		size_t aad_len, const void *in, size_t len, const unsigned char tag[CRYPTO_TAG], void *out, struct err *e);

/* scrypt with N = 2^LOG_N; needs 128 * R * N bytes of memory. */
int crypto_scrypt(const struct secret *passphrase, const void *salt, size_t salt_len, unsigned log_n, uint32_t r,
		  uint32_t p, unsigned char ret[CRYPTO_KEY], struct err *e);

int crypto_sha256(const void *data, size_t len, unsigned char ret[CRYPTO_HASH], struct err *e);
bool crypto_equal(const void *a, const void *b, size_t len);	/* constant time */

/* Base64 with padding, no line breaks. Decode accepts exactly what encode makes (EBADMSG else). */
int base64_encode(const void *data, size_t len, struct blob *ret, struct err *e); /* NUL after the text, not counted */
int base64_decode(const char *text, size_t len, struct blob *ret, struct err *e);
int base64_encode_secret(const struct secret *, struct secret *ret, struct err *e);

/*
 * zkey's verification pattern: 32 zero bytes encrypted with IV or tweak 0 under the clear key, AES-CBC for a single key
 * (16, 24, 32 bytes), AES-XTS for a pair (32, 48, 64 bytes: XTS with equal halves included). Hex digits and a NUL.
 */
int crypto_pattern(const struct secret *clear, bool xts, char ret[65], struct err *e);

#endif
