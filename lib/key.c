// SPDX-License-Identifier: MIT
/*
 * What can be said of a secure key without opening it, and who opens it. Layouts of CCA, EP11 and UV tokens: Linux,
 * drivers/s390/crypto.
 */
#include "token.h"

#include <errno.h>
#include <sha2.h>
#include <string.h>

#include "backend.h"
#include "blob.h"
#include "cleanup.h"
#include "err.h"
#include "tpm-token.h"

enum { AESDATA = 64, AESCIPHER = 136, EP11_OLD = 320, EP11_HEADER = 16, EP11 = EP11_HEADER + EP11_OLD, PVSECRET = 44 };

static bool is_aes_bits(unsigned bits)
{
	return bits == 128 || bits == 192 || bits == 256;
}

/*
 * 0 01, 4 version 04, 8 master-key pattern[8], 16 key[32], 48 control vector[8], 56 bits u16, 58 key bytes u16,
 * 60 token check value u32 (not checked: its rule is not published).
 */
static bool parse_aesdata(const unsigned char *p, struct key *k)
{
	k->bits = (unsigned)be_get(p + 56, 2);
	memcpy(k->pattern, p + 8, k->pattern_len = 8);
	return p[0] == 1 && p[4] == 4 && is_aes_bits(k->bits) && be_get(p + 58, 2) <= 32;
}

/*
 * 0 01, 2 length u16, 4 version 05, 8 wrapped by master key 03, 9 pattern type 01, 10 pattern[8], 28 payload format,
 * 38 payload bits u16, 41 algorithm 02 AES, 42 key type u16 0001. Payload format 0 tells the clear size: + 384 bits.
 */
static bool parse_aescipher(const unsigned char *p, struct key *k)
{
	unsigned payload = (unsigned)be_get(p + 38, 2);

	k->bits = p[28] == 0 && payload > 384 ? payload - 384 : 0;
	memcpy(k->pattern, p + 10, k->pattern_len = 8);
	return p[0] == 1 && be_get(p + 2, 2) == AESCIPHER && p[4] == 5 && p[8] == 3 && p[9] == 1 && p[41] == 2 &&
	       be_get(p + 42, 2) == 1 && (p[28] == 0 ? is_aes_bits(k->bits) : p[28] == 1 && payload == 640);
}

/* Header (16 bytes): 0 00, 1 00, 2 length u16 with the header, 4 version, 6 bits u16 (0: not told). */
static bool parse_ep11_header(const unsigned char *p, unsigned version, size_t size, struct key *k)
{
	size_t len = be_get(p + 2, 2);

	k->bits = (unsigned)be_get(p + 6, 2);
	return p[0] == 0 && p[1] == 0 && p[4] == version && len > EP11_HEADER && len <= size &&
	       (k->bits == 0 || is_aes_bits(k->bits));
}

/* Blob: 0 session[32], 32 wrapping-key pattern[16], 48 attributes u64, 56 mode u64, 64 version u16 1234, ... */
static bool parse_ep11_blob(const unsigned char *p, struct key *k)
{
	memcpy(k->pattern, p + 32, k->pattern_len = 16);
	return be_get(p + 64, 2) == 0x1234;
}

/* The header overlays the session field. */
static bool parse_ep11_old(const unsigned char *p, struct key *k)
{
	return parse_ep11_header(p, 3, EP11_OLD, k) && parse_ep11_blob(p, k);
}

static bool parse_ep11(const unsigned char *p, struct key *k)
{
	return parse_ep11_header(p, 6, EP11, k) && parse_ep11_blob(p + EP11_HEADER, k);
}

/* 0 00, 4 version 09, 8 secret type u16, 10 secret length u16, 12 secret id[32]. */
static bool parse_pvsecret(const unsigned char *p, struct key *k)
{
	static const struct { unsigned bits; bool xts; } types[] = {
		[4] = { 128 }, [5] = { 192 }, [6] = { 256 }, [7] = { 256, true }, [8] = { 512, true },
	};
	unsigned type = (unsigned)be_get(p + 8, 2);

	if (p[0] != 0 || p[4] != 9 || type >= ARRAY_SIZE(types) || !types[type].bits)
		return false;
	k->bits = types[type].bits;
	k->xts = types[type].xts;
	memcpy(k->pattern, p + 12, k->pattern_len = 32);
	return true;
}

static const struct format {
	size_t size;
	bool pairs;		/* an XTS key is two of them, one after the other */
	enum key_type type;
	bool (*parse)(const unsigned char *, struct key *);	/* of SIZE bytes */
} formats[] = {
	{ AESDATA, true, KEY_CCA_AESDATA, parse_aesdata }, { AESCIPHER, true, KEY_CCA_AESCIPHER, parse_aescipher },
	{ EP11_OLD, true, KEY_EP11_AES, parse_ep11_old }, { EP11, true, KEY_EP11_AES, parse_ep11 },
	{ PVSECRET, false, KEY_PVSECRET, parse_pvsecret },
};

/* Both halves must be alike: same size, same master key. */
static bool parse_format(const struct format *f, const unsigned char *p, size_t len, struct key *ret)
{
	struct key a = { .type = f->type }, b = { 0 };

	if ((len != f->size && !(f->pairs && len == 2 * f->size)) || !f->parse(p, &a))
		return false;
	if (len == 2 * f->size) {
		if (!f->parse(p + f->size, &b) || a.bits != b.bits || memcmp(a.pattern, b.pattern, sizeof(a.pattern)) != 0)
			return false;
		a.xts = true;
		a.bits *= 2;
	}
	*ret = a;
	return true;
}

static int parse_local(const unsigned char *p, size_t len, struct key *ret, struct err *e)
{
	struct token t;
	int r = token_parse(p, len, &t, e);

	if (r < 0)
		return r;
	if (t.kind != TOKEN_KEY)
		return err_set(e, EBADMSG, "sealed data, not a key");
	*ret = (struct key){ .type = KEY_LOCAL, .bits = t.bits * (t.xts ? 2 : 1), .xts = t.xts, .policy = t.policy,
			     .pattern_len = sizeof(t.wrapping_key) };
	memcpy(ret->pattern, t.wrapping_key, sizeof(t.wrapping_key));
	return 0;
}

static int parse_tpm(const unsigned char *p, size_t len, struct key *ret, struct err *e)
{
	AUTO_TPM_TOKEN struct tpm_token t = { 0 };
	struct key k = { .type = KEY_TPM2, .pattern_len = SHA256_DIGEST_LENGTH };
	SHA2_CTX ctx;
	int r = tpm_token_parse(p, len, &t, e);

	if (r < 0)
		return r;
	if (t.kind != TOKEN_KEY)
		return err_set(e, EBADMSG, "sealed data, not a key");
	k.bits = t.bits * (t.xts ? 2 : 1);
	k.xts = t.xts;
	SHA256Init(&ctx);
	SHA256Update(&ctx, t.parent.data, t.parent.len);
	SHA256Final(k.pattern, &ctx);
	*ret = k;
	return 0;
}

int key_parse(const void *data, size_t len, struct key *ret, struct err *e)
{
	if (tpm_token_is(data, len))
		return parse_tpm(data, len, ret, e);
	if (len >= 8 && !memcmp(data, "HWKEYTOK", 8))
		return parse_local(data, len, ret, e);
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (parse_format(&formats[i], data, len, ret))
			return 0;
	return err_set(e, EBADMSG, "no secure key of a known type");
}

/* Of a TPM's bare object: the length of what is private, and of the digest that it begins with. */
static bool is_object(const unsigned char *p, size_t len)
{
	return len > 4 && be_get(p, 2) < 0x400 && be_get(p, 2) + 4 < len &&
	       (be_get(p + 2, 2) == 32 || be_get(p + 2, 2) == 48 || be_get(p + 2, 2) == 64);
}

bool key_is_foreign(const void *data, size_t len)
{
	/* JSON; in base64url, as of a compact JWE; PEM; DER of 128 bytes and more, plain and in hex */
	static const char *const begins[] = {
		"{", "eyJ", "-----BEGIN TSS2 PRIVATE KEY-----", "\x30\x81", "\x30\x82", "3081", "3082",
	};

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		if (len > strlen(begins[i]) && !memcmp(data, begins[i], strlen(begins[i])))
			return true;
	return is_object(data, len);
}

static const struct { const char *name, *backend; } types[] = {
	[KEY_UNKNOWN] = { "UNKNOWN", "" },
	[KEY_LOCAL] = { "HWKEY-LOCAL", "soft" },
	[KEY_CCA_AESDATA] = { "CCA-AESDATA", "cex" },
	[KEY_CCA_AESCIPHER] = { "CCA-AESCIPHER", "cex" },
	[KEY_EP11_AES] = { "EP11-AES", "cex" },
	[KEY_PVSECRET] = { "PVSECRET-AES", "uv" },
	[KEY_TPM2] = { "HWKEY-TPM2", "tpm2" },
};

const char *key_type_name(enum key_type type)
{
	return types[type].name;
}

const char *key_type_backend(enum key_type type)
{
	return types[type].backend;
}

int device_of_key(struct device *list, const struct blob *token, struct device **ret, const struct key_ops **ret_ops,
		  struct err *e)
{
	const struct backend_ops *ops;
	struct device *dev;
	struct key key;
	int r = key_parse(token->data, token->len, &key, e);

	if (r == 0)
		r = device_of_backend(list, key_type_backend(key.type), token, &dev, e);
	if (r == 0)
		r = backend_ops(dev, &ops, e);
	if (r < 0)
		return r;
	*ret = dev;
	*ret_ops = ops->key;
	return 0;
}
