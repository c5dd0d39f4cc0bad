/* SPDX-License-Identifier: MIT */
/*
 * Key tokens: a key wrapped by a trust source, as it stands in NAME.skey. key_parse() is pure and total: any bytes,
 * any host. All multi-byte fields are big-endian.
 */
#ifndef HWKEY_TOKEN_H
#define HWKEY_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob;
struct err;

/*
 * Token of the local keystore, version 1 (ours):
 *   0  8  "HWKEYTOK"          8  2  version 1          10  2  header length 96      12  2  kind (enum token_kind)
 *  14  2  AEAD, 1 = AES-256-GCM                        16 16  partition UUID        32 16  wrapping-key id
 *  48 32  salt, random        80  4  bits of one clear key (0: not a key)           84  2  flags, 1 = XTS pair
 *  86  2  payload length n    88  4  policy             92  4  zero            96  n  ciphertext     96+n 16  GCM tag
 * Key = HKDF-SHA256(wrapping key, salt, "hwkey-tok/1 wrap"), nonce zero (the key is used once), AAD = header || binding.
 */
enum { TOKEN_HEADER = 96, TOKEN_TAG = 16, TOKEN_PAYLOAD_MAX = 1024, TOKEN_MAX = 8192 };

enum token_kind { TOKEN_KEY = 1, TOKEN_SEALED = 2 };

struct token {
	enum token_kind kind;
	unsigned char partition[16], wrapping_key[16], salt[32];
	unsigned bits;
	bool xts;
	uint32_t policy;		/* what must hold when it is opened: see token_policy_is_valid() */
	const unsigned char *payload;	/* into the parsed bytes; the tag follows it */
	size_t payload_len;
};

/* Of enum policy: PWSET, OSSECBOOTAUDIT or OSSECBOOTENFORCE, not the last two at once; as in PowerVM's wrapflags. */
bool token_policy_is_valid(uint32_t policy);

/* EBADMSG with a reason unless the bytes are exactly one well-formed token. */
int token_parse(const void *data, size_t len, struct token *ret, struct err *e);
void token_format_header(const struct token *, unsigned char ret[TOKEN_HEADER]);

enum key_type { KEY_UNKNOWN, KEY_LOCAL, KEY_CCA_AESDATA, KEY_CCA_AESCIPHER, KEY_EP11_AES, KEY_PVSECRET, KEY_TPM2 };

struct key {				/* what can be said of a .skey file without opening it */
	enum key_type type;
	unsigned bits;			/* of the clear key in all (an XTS pair counts twice); 0: not told */
	bool xts;
	uint32_t policy;		/* as of a token, 0 for those of others */
	unsigned char pattern[32];	/* master-key pattern, wrapping-key id, digest of the parent's Name */
	size_t pattern_len;
};

/* EBADMSG if no known type. KEY_UNKNOWN is never returned with 0. */
int key_parse(const void *data, size_t len, struct key *ret, struct err *e);
/* Something that another program had a TPM seal, by its first bytes: see lib/tpm-foreign.h. */
bool key_is_foreign(const void *data, size_t len);
const char *key_type_name(enum key_type);	/* as in .info: "HWKEY-LOCAL", "CCA-AESDATA", ... */
const char *key_type_backend(enum key_type);	/* whose backend opens it: "soft", "cex", "tpm2" */

#endif
