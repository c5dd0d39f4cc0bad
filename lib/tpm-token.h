/* SPDX-License-Identifier: MIT */
/*
 * What a TPM 2.0 sealed: a key of the repository, or the data key of a sealed file or a keyslot. The TPM's own object holds
 * 32 random bytes; what they open, of any size that a token may have, follows it. tpm_token_parse() is pure and total.
 *
 * Version 1; all numbers big-endian:
 *   0  8  "HWKEYTPM"              8  2  version 1          10  2  kind (enum token_kind)
 *  12  2  flags: 1 XTS pair, 2 PIN, 4 sealed without encrypted sessions, 8 made for a TPM that was not there (seed)
 *  14  2  bits of one clear key (0: not a key)
 *  16  4  handle of the persistent parent, or 0: the primary key of the standard template
 *  20 16  machine: which board it was made on, or zero; see tpm2/machine
 *  36 32  salt, random, of the payload's key and of the PIN
 *  68     fields, each 2 length and bytes:
 *           parent     TPMT_PUBLIC of the parent
 *           public     TPMT_PUBLIC of the object
 *           private    TPM2B_PRIVATE's bytes, or of the duplicate if flag 8
 *           seed       TPM2B_ENCRYPTED_SECRET's bytes, empty unless flag 8
 *           signer     public key of the signed policy, DER SubjectPublicKeyInfo; empty: none
 *           signed     2 bank  4 mask of its PCRs; empty: none
 *           branches   each 2 bank  4 mask  values in order of the PCRs; at most TPM_BRANCHES
 *           ciphertext of the payload: its length is the payload's
 *           16  GCM tag, to the end
 * Key = HKDF-SHA256(object's bytes, salt, "hwkey-tpm2/1 payload"), nonce zero (the key is used once),
 * AAD = everything before the ciphertext's length || binding.
 */
#ifndef HWKEY_TPM_TOKEN_H
#define HWKEY_TPM_TOKEN_H

#include "token.h"
#include "tpm-policy.h"

enum { TPM_TOKEN_FIXED = 68, TPM_TOKEN_MAX = 8192, TPM_TOKEN_FIELD_MAX = 4096 };

struct tpm_bytes {			/* into the parsed token */
	const unsigned char *data;
	size_t len;
};

struct tpm_token {
	enum token_kind kind;
	bool xts, clear_bus, imported;
	unsigned bits;
	uint32_t parent_handle;
	unsigned char machine[16], salt[32];
	struct tpm_bytes parent, public, private, seed;
	struct tpm_policy policy;	/* owned: tpm_token_done() */
	struct tpm_bytes payload;	/* ciphertext; the tag follows it */
	size_t aad_len;			/* bytes from the start that are authenticated */
};

#define AUTO_TPM_TOKEN AUTO(tpm_token_done)

bool tpm_token_is(const void *data, size_t len);	/* by its first bytes */
/* EBADMSG with a reason unless the bytes are exactly one well-formed token. RET points into DATA. */
int tpm_token_parse(const void *data, size_t len, struct tpm_token *ret, struct err *e);
/* All before the ciphertext's length, i.e. the AAD. EMSGSIZE. */
int tpm_token_format_header(const struct tpm_token *, struct blob *ret, struct err *e);
void tpm_token_done(struct tpm_token *);

#endif
