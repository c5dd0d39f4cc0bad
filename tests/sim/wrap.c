// SPDX-License-Identifier: MIT
/*
 * The tokens: their layouts, and the model's own way of wrapping a key inside each. All fields are big-endian.
 *
 * AESDATA: the key, zero-padded to 32 bytes, in AES-256-CBC with IV 0 under the master key, as weak as the real format:
 * only the token check value notices a change.
 * AESCIPHER: RFC 3394 key wrap of SHA-256(token header) || bits u16 || 0[6] || key, so that the header is authentic.
 * The lengths come out as the real ones: 512, 576, 640 payload bits for 128, 192, 256.
 * EP11: AES-256-CBC of key || zeros || key length in byte 143, IV and two zero bytes; HMAC-SHA-256 over all before it.
 */
#include "card.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "lib/blob.h"

enum { AESDATA = 64, AESCIPHER = 136, EP11_HEADER = 16, EP11_BLOB = 320, EP11 = EP11_HEADER + EP11_BLOB };
enum { EXPORT_CPACF = 0x0800 };				/* AESCIPHER, key-management field 1 */
enum { EP11_PROTKEY_EXTRACTABLE = 0x00200000, EP11_DEFAULT = 0x00200c00 };	/* and encrypt, decrypt */
enum { CIPHER_HASHED = 56, CIPHER_KEY = 40, EP11_DATA = 144 };

static bool is_aes(size_t bytes)
{
	return bytes == 16 || bytes == 24 || bytes == 32;
}

/* One pass of a cipher without padding; OUT has LEN bytes and room for a block more where the cipher adds one. */
static int cipher_run(const EVP_CIPHER *cipher, const unsigned char *key, const unsigned char *iv, bool encrypt,
		      const unsigned char *in, size_t len, unsigned char *out)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0, last = 0, ok = 0;

	if (c) {
		EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
		ok = EVP_CipherInit_ex(c, cipher, NULL, key, iv, encrypt) == 1 && EVP_CIPHER_CTX_set_padding(c, 0) == 1 &&
		     EVP_CipherUpdate(c, out, &n, in, (int)len) == 1 && EVP_CipherFinal_ex(c, out + n, &last) == 1;
	}
	EVP_CIPHER_CTX_free(c);
	return ok ? 0 : -EIO;
}

static const unsigned char iv_zero[16];

/* ---- AESDATA: 0 01, 4 04, 6 c0, 8 pattern[8], 16 key[32], 48 cv[8], 56 bits u16, 58 bytes u16, 60 check value u32 ---- */

static uint32_t data_check_value(const unsigned char *t)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 60; i += 4)
		sum += (uint32_t)be_get(t + i, 4);
	return sum;
}

static bool data_parse(const unsigned char *t, struct sim_token *ret)
{
	ret->bits = (uint32_t)be_get(t + 56, 2);
	memcpy(ret->mkvp, t + 8, ret->mkvp_len = 8);
	ret->exportable = true;
	return t[0] == 1 && t[4] == 4 && is_aes(ret->bits / 8) && ret->bits % 8 == 0;
}

static void data_header(unsigned char *t, uint32_t flags, size_t n)
{
	(void)flags;
	t[0] = 1;
	t[4] = 4;
	t[6] = 0xc0;
	be_put(t + 56, n * 8, 2);
	be_put(t + 58, 32, 2);
}

static int data_seal(unsigned char *t, const unsigned char *mk, const unsigned char *clear, size_t n)
{
	unsigned char padded[32] = { 0 };
	int r;

	memcpy(padded, clear, n);
	r = cipher_run(EVP_aes_256_cbc(), mk, iv_zero, true, padded, sizeof(padded), t + 16);
	OPENSSL_cleanse(padded, sizeof(padded));
	be_put(t + 60, data_check_value(t), 4);
	return r;
}

static int data_open(const unsigned char *t, const unsigned char *mk, unsigned char ret[32], size_t *ret_len)
{
	*ret_len = be_get(t + 56, 2) / 8;
	if (be_get(t + 60, 4) != data_check_value(t))
		return -EIO;
	return cipher_run(EVP_aes_256_cbc(), mk, iv_zero, false, t + 16, 32, ret);
}

/* ---- AESCIPHER: see lib/key.c for the fields; 56 payload, zero-padded to 80 ---- */

static bool cipher_parse(const unsigned char *t, struct sim_token *ret)
{
	uint64_t payload = be_get(t + 38, 2);

	ret->bits = t[28] == 0 && payload >= 512 ? (uint32_t)payload - 384 : SIM_SIZE_UNKNOWN;
	memcpy(ret->mkvp, t + 10, ret->mkvp_len = 8);
	ret->exportable = be_get(t + 50, 2) & EXPORT_CPACF;
	return t[0] == 1 && t[4] == 5 && be_get(t + 2, 2) == AESCIPHER && t[8] == 3 && t[41] == 2 &&
	       be_get(t + 42, 2) == 1 && (payload == 512 || payload == 576 || payload == 640);
}

static void cipher_header(unsigned char *t, uint32_t flags, size_t n)
{
	static const unsigned char tail[] = { 0x02, 0xc0, 0x00, 0x00, 0x00, 0x03, 0x08, 0xc8, 0x00, 0x00, 0x01, 0x01 };

	t[0] = 1;
	be_put(t + 2, AESCIPHER, 2);
	t[4] = 5;
	t[8] = 3;			/* wrapped by the master key */
	t[9] = 1;			/* the pattern is a master key's */
	t[26] = 2;			/* wrapped by AESKW */
	t[27] = 2;			/* with SHA-256 */
	t[30] = 1;
	be_put(t + 32, 26, 2);
	be_put(t + 38, 384 + n * 8, 2);
	t[41] = 2;			/* AES */
	be_put(t + 42, 1, 2);		/* CIPHER */
	memcpy(t + 44, tail, sizeof(tail));
	be_put(t + 50, be_get(t + 50, 2) | (flags & 0xffff), 2);
}

static int cipher_seal(unsigned char *t, const unsigned char *mk, const unsigned char *clear, size_t n)
{
	unsigned char plain[CIPHER_KEY + 32] = { 0 };
	size_t len = be_get(t + 38, 2) / 8 - 8;
	int r;

	SHA256(t, CIPHER_HASHED, plain);
	be_put(plain + 32, n * 8, 2);
	memcpy(plain + CIPHER_KEY, clear, n);
	memset(t + CIPHER_HASHED, 0, AESCIPHER - CIPHER_HASHED);
	r = cipher_run(EVP_aes_256_wrap(), mk, NULL, true, plain, len, t + CIPHER_HASHED);
	OPENSSL_cleanse(plain, sizeof(plain));
	return r;
}

static int cipher_open(const unsigned char *t, const unsigned char *mk, unsigned char ret[32], size_t *ret_len)
{
	unsigned char plain[AESCIPHER - CIPHER_HASHED] = { 0 }, hash[32];
	size_t len = be_get(t + 38, 2) / 8, n = 0;
	int r = cipher_run(EVP_aes_256_wrap(), mk, NULL, false, t + CIPHER_HASHED, len, plain);

	if (r == 0) {
		n = be_get(plain + 32, 2) / 8;
		SHA256(t, CIPHER_HASHED, hash);
		if (CRYPTO_memcmp(plain, hash, sizeof(hash)) != 0 || !is_aes(n) || CIPHER_KEY + n > len - 8)
			r = -EIO;
	}
	if (r == 0) {
		memcpy(ret, plain + CIPHER_KEY, n);
		*ret_len = n;
	}
	OPENSSL_cleanse(plain, sizeof(plain));
	return r;
}

/* ---- EP11 blob: 0 session[32], 32 pattern[16], 48 attributes u64, 56 mode u64, 64 1234, 66 iv[14], 80 data, 224 mac ----
 */

static bool ep11_parse(const unsigned char *header, const unsigned char *blob, size_t len, unsigned version,
		       struct sim_token *ret)
{
	ret->bits = (uint32_t)be_get(header + 6, 2);
	if (ret->bits == 0)
		ret->bits = SIM_SIZE_UNKNOWN;
	memcpy(ret->mkvp, blob + 32, ret->mkvp_len = 16);
	ret->exportable = be_get(blob + 48, 8) & EP11_PROTKEY_EXTRACTABLE;
	return header[0] == 0 && header[1] == 0 && be_get(header + 2, 2) == len && header[4] == version &&
	       be_get(blob + 64, 2) == 0x1234 && (ret->bits == SIM_SIZE_UNKNOWN || is_aes(ret->bits / 8));
}

static void ep11_header(unsigned char *header, unsigned char *blob, size_t len, unsigned version, uint32_t flags, size_t n)
{
	be_put(blob + 48, flags ? flags : EP11_DEFAULT, 8);
	be_put(blob + 64, 0x1234, 2);
	be_put(header + 2, len, 2);
	header[4] = (unsigned char)version;
	be_put(header + 6, n * 8, 2);
}

static int ep11_subkey(const unsigned char *mk, const char *use, unsigned char ret[32])
{
	return HMAC(EVP_sha256(), mk, SIM_MK, (const unsigned char *)use, strlen(use), ret, NULL) ? 0 : -EIO;
}

/* The old form's header overlays the begin of the session field: 16 bytes that are zero for the MAC in both forms. */
static int ep11_mac(const unsigned char *blob, const unsigned char *mk, unsigned char ret[32])
{
	unsigned char key[32], text[224];
	int r = ep11_subkey(mk, "mac", key);

	memset(text, 0, EP11_HEADER);
	memcpy(text + EP11_HEADER, blob + EP11_HEADER, sizeof(text) - EP11_HEADER);
	if (r == 0 && !HMAC(EVP_sha256(), key, sizeof(key), text, sizeof(text), ret, NULL))
		r = -EIO;
	OPENSSL_cleanse(key, sizeof(key));
	return r;
}

static int ep11_crypt(const unsigned char *blob, const unsigned char *mk, bool encrypt, const unsigned char *in,
		      unsigned char *out)
{
	unsigned char key[32], iv[16] = { 0 };
	int r = ep11_subkey(mk, "encrypt", key);

	memcpy(iv, blob + 66, 14);
	if (r == 0)
		r = cipher_run(EVP_aes_256_cbc(), key, iv, encrypt, in, EP11_DATA, out);
	OPENSSL_cleanse(key, sizeof(key));
	return r;
}

static int ep11_seal(unsigned char *blob, const unsigned char *mk, const unsigned char *clear, size_t n)
{
	unsigned char plain[EP11_DATA] = { 0 };
	int r = RAND_bytes(blob + 66, 14) == 1 ? 0 : -EIO;

	memcpy(plain, clear, n);
	plain[EP11_DATA - 1] = (unsigned char)n;
	if (r == 0)
		r = ep11_crypt(blob, mk, true, plain, blob + 80);
	OPENSSL_cleanse(plain, sizeof(plain));
	return r < 0 ? r : ep11_mac(blob, mk, blob + 224);
}

static int ep11_open(const unsigned char *blob, const unsigned char *mk, unsigned char ret[32], size_t *ret_len)
{
	unsigned char mac[32], plain[EP11_DATA];
	int r = ep11_mac(blob, mk, mac);

	if (r == 0 && CRYPTO_memcmp(mac, blob + 224, sizeof(mac)) != 0)
		r = -EIO;
	if (r == 0)
		r = ep11_crypt(blob, mk, false, blob + 80, plain);
	if (r < 0)
		return r;
	*ret_len = plain[EP11_DATA - 1];
	if (!is_aes(*ret_len))
		r = -EIO;
	else
		memcpy(ret, plain, *ret_len);
	OPENSSL_cleanse(plain, sizeof(plain));
	return r;
}

static bool ep11_old_parse(const unsigned char *t, struct sim_token *ret)
{
	return ep11_parse(t, t, EP11_BLOB, 3, ret);
}

static void ep11_old_header(unsigned char *t, uint32_t flags, size_t n)
{
	ep11_header(t, t, EP11_BLOB, 3, flags, n);
}

static bool ep11_aes_parse(const unsigned char *t, struct sim_token *ret)
{
	return ep11_parse(t, t + EP11_HEADER, EP11, 6, ret);
}

static void ep11_aes_header(unsigned char *t, uint32_t flags, size_t n)
{
	ep11_header(t, t + EP11_HEADER, EP11, 6, flags, n);
}

static const struct format {
	enum sim_type type;
	enum sim_mode mode;
	unsigned level;
	size_t len, body;		/* BODY: where seal and open begin */
	size_t mkvp_at;			/* in the body */
	bool (*parse)(const unsigned char *, struct sim_token *);
	void (*header)(unsigned char *, uint32_t flags, size_t n);
	int (*seal)(unsigned char *, const unsigned char *mk, const unsigned char *clear, size_t n);
	int (*open)(const unsigned char *, const unsigned char *mk, unsigned char ret[32], size_t *ret_len);
} formats[] = {
	{ SIM_CCA_DATA, SIM_CCA, 4, AESDATA, 0, 8, data_parse, data_header, data_seal, data_open },
	{ SIM_CCA_CIPHER, SIM_CCA, 6, AESCIPHER, 0, 10, cipher_parse, cipher_header, cipher_seal, cipher_open },
	{ SIM_EP11_OLD, SIM_EP11, 7, EP11_BLOB, 0, 32, ep11_old_parse, ep11_old_header, ep11_seal, ep11_open },
	{ SIM_EP11_AES, SIM_EP11, 7, EP11, EP11_HEADER, 32, ep11_aes_parse, ep11_aes_header, ep11_seal, ep11_open },
};

static const struct format *format_find(enum sim_type type)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].type == type)
			return &formats[i];
	return NULL;
}

int sim_token_parse(const unsigned char *p, size_t len, struct sim_token *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		const struct format *f = &formats[i];
		struct sim_token t = { .type = f->type, .mode = f->mode, .level = f->level, .len = f->len };

		if (len >= f->len && f->parse(p, &t)) {
			*ret = t;
			return 0;
		}
	}
	return -EINVAL;
}

static int token_seal(unsigned char *token, const struct format *f, const unsigned char *mk, const unsigned char *clear,
		      size_t n)
{
	unsigned char vp[32];

	sim_mkvp(f->mode, mk, vp);
	memcpy(token + f->body + f->mkvp_at, vp, f->mode == SIM_CCA ? 8 : 16);
	return f->seal(token + f->body, mk, clear, n);
}

int sim_token_make(enum sim_type type, uint32_t flags, const unsigned char *clear, size_t n, const unsigned char mk[SIM_MK],
		   unsigned char ret[SIM_TOKEN_MAX], size_t *ret_len)
{
	const struct format *f = format_find(type);
	unsigned char token[SIM_TOKEN_MAX] = { 0 };
	int r;

	if (!f || !is_aes(n))
		return -EINVAL;
	f->header(token, flags, n);
	r = token_seal(token, f, mk, clear, n);
	if (r < 0)
		return r;
	memcpy(ret, token, *ret_len = f->len);
	return 0;
}

int sim_token_open(const unsigned char *token, const struct sim_token *t, const unsigned char mk[SIM_MK],
		   unsigned char ret_clear[32], size_t *ret_len)
{
	const struct format *f = format_find(t->type);
	unsigned char vp[32], clear[32];
	size_t n = 0;
	int r;

	sim_mkvp(t->mode, mk, vp);
	if (!f || memcmp(t->mkvp, vp, t->mkvp_len) != 0)
		return -EIO;
	r = f->open(token + f->body, mk, clear, &n);
	if (r == 0 && t->bits != SIM_SIZE_UNKNOWN && t->bits != n * 8)
		r = -EIO;
	if (r == 0)
		memcpy(ret_clear, clear, *ret_len = n);
	OPENSSL_cleanse(clear, sizeof(clear));
	return r;
}

int sim_token_rewrap(unsigned char *token, const struct sim_token *t, const unsigned char from[SIM_MK],
		     const unsigned char to[SIM_MK])
{
	unsigned char clear[32];
	size_t n;
	int r = sim_token_open(token, t, from, clear, &n);

	if (r == 0)
		r = token_seal(token, format_find(t->type), to, clear, n);
	OPENSSL_cleanse(clear, sizeof(clear));
	return r;
}
