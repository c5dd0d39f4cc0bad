/* SPDX-License-Identifier: MIT */
/*
 * Root-key slots: each file holds the keystore's one root key (32 bytes), wrapped in a way of its own. Any one of them
 * opens the store. Multi-byte fields are big-endian.
 *
 *   0  8 "HWKEYRTK"        8  2 version 1          10  2 header length 256    12  2 slot type (enum slot_type)
 *  14  2 AEAD, 1 = AES-256-GCM                     16 16 system UUID          32 16 root-key id
 *  48  8 epoch of the root key                     56  2 scrypt log2(N)       58  2 r    60  2 p    62  2 zero
 *  64 32 salt             96 12 nonce             108  4 payload length n    112 32 checksum
 * 144 96 zero            240 16 GCM tag           256  n payload
 *
 * Root-key id = HKDF-SHA256(root, "", "hwkey-pks/1 root-id"). AAD = bytes 0 to 239 with the checksum as zeros.
 * Checksum = SHA-256 of the whole file with the checksum as zeros: it tells damage from a wrong passphrase.
 * passphrase: payload = root key under AES-256-GCM, key = scrypt(passphrase, salt).
 * plain: payload = the clear root key, tag = GCM tag of no data, key = HKDF-SHA256(root, salt, "hwkey-rtk/1 header").
 * All others: the payload is what another key or a trust source made of the root key; tag and key as in plain, but AAD =
 * the whole file, payload too, with checksum and tag as zeros. So who has the root key can tell a genuine slot unopened.
 */
#ifndef HWKEY_SOFT_SLOT_H
#define HWKEY_SOFT_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/crypto.h"

struct err;
struct secret;

enum { SLOT_HEADER = 256, SLOT_PAYLOAD_MAX = 4096, SLOT_MAX = SLOT_HEADER + SLOT_PAYLOAD_MAX };
enum { ROOT_KEY = CRYPTO_KEY, ROOT_ID = 16, UUID_SIZE = 16 };	/* bytes */

enum slot_type {
	SLOT_PLAIN = 1, SLOT_PASSPHRASE, SLOT_TSK, SLOT_TPM2, SLOT_KERNEL_TRUSTED, SLOT_ANCHOR, SLOT_HALF,
	SLOT_TYPES
};

struct slot_cost {		/* of scrypt: all zero unless the type is passphrase */
	unsigned log_n, r, p;
};

struct slot {
	enum slot_type type;
	unsigned char system[UUID_SIZE], root_id[ROOT_ID], salt[32], nonce[CRYPTO_NONCE], tag[CRYPTO_TAG];
	uint64_t epoch;
	struct slot_cost cost;
	const unsigned char *payload;	/* into the parsed bytes */
	size_t payload_len;
};

/* How a type makes its payload of the root key, and back; GIVEN is what the user has for it. One row of slot.c's table. */
struct slot_kind {
	int (*wrap)(const struct slot *, const unsigned char root[ROOT_KEY], const struct secret *given, unsigned char *ret,
		    size_t *ret_len, struct err *e);	/* RET has room for SLOT_PAYLOAD_MAX bytes */
	int (*unwrap)(const struct slot *, const struct secret *given, unsigned char ret_root[ROOT_KEY], struct err *e);
	size_t payload;		/* its length; 0: any */
};

extern const struct slot_cost slot_cost_default;

/* EBADMSG with a reason unless the bytes are exactly one undamaged slot. Does not ask whether it is genuine. */
int slot_parse(const void *data, size_t len, struct slot *ret, struct err *e);
/* Where more may stand behind a slot: how long it says that it is. False: longer than LEN, or no slot. */
bool slot_whole_len(const void *data, size_t len, size_t *ret);

/* A slot file for ROOT. S says type, system, epoch and cost; the rest is filled in here. GIVEN for types that need it. */
int slot_make(const struct slot *s, const unsigned char root[ROOT_KEY], const struct secret *given, struct secret *ret,
	      struct err *e);

/* The root key of a parsed slot (DATA: its bytes). EACCES: wrong passphrase or key; EBADMSG: tampered with. */
int slot_open(const void *data, const struct slot *, const struct secret *given, unsigned char ret_root[ROOT_KEY],
	      struct err *e);

/* EBADMSG unless it was made for ROOT. Of a passphrase's slot, which does not tell more unopened, that it says so. */
int slot_verify(const void *data, const struct slot *, const unsigned char root[ROOT_KEY], struct err *e);

int root_id(const unsigned char root[ROOT_KEY], unsigned char ret[ROOT_ID], struct err *e);

#endif
