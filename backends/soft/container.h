/* SPDX-License-Identifier: MIT */
/*
 * A partition's container: all its objects, encrypted as one. Multi-byte fields are big-endian.
 *
 *   0  8 "HWKEYPKS"        8  2 version 1          10  2 header length 256    12  2 KDF, 1 = HKDF-SHA256
 *  14  2 AEAD, 1 = AES-256-GCM                     16 16 partition UUID       32 16 root-key id
 *  48  8 generation       56  8 anchor type, NV handle (0: none)              64  8 anchor's counter
 *  72 32 SHA-256 of the previous generation's header (256 bytes; zeros for the first)
 * 104 32 salt, random    136 12 nonce = 4 zeros, generation                  148  4 configured size
 * 152  4 flags (enum container_flags)              156  8 time of writing, seconds since 1970
 * 164  4 ciphertext length = configured size      168  4 size from the next boot on, 0: no change     172 68 zero
 * 240 16 GCM tag       256 ... ciphertext
 *
 * Partition key = HKDF-SHA256(root key, UUID, "hwkey-pks/1 partition"); key of this write = HKDF-SHA256(partition key,
 * salt, "hwkey-pks/1 store" || generation): a fresh salt makes a fresh key, so no nonce is used twice even after a
 * rollback or in a cloned machine. AAD = bytes 0 to 239.
 */
#ifndef HWKEY_SOFT_CONTAINER_H
#define HWKEY_SOFT_CONTAINER_H

#include "slot.h"

struct blob;

enum {
	CONTAINER_HEADER = 256, CONTAINER_SIZE_MIN = 4096, CONTAINER_SIZE_STEP = 1024, PARTITION_SIZE_MAX = 131072,
	CONTAINER_SIZE_MAX = PARTITION_SIZE_MAX + CONTAINER_SIZE_STEP,	/* a partition's, and the boot's of a full one */
	CONTAINER_MAX = CONTAINER_HEADER + CONTAINER_SIZE_MAX,
};

enum { CONTAINER_ANCHOR_AT = 56 };	/* in the header */

enum container_flags {
	CONTAINER_BACKUP = 1, CONTAINER_EXPORT = 2, CONTAINER_DISABLED = 4,
	CONTAINER_POWER11 = 8,		/* up to PARTITION_SIZE_MAX, not half of it */
	CONTAINER_MOVED = 16,		/* exported: this generation says to which file, and none follows */
};

/* Why a partition of such flags is not used like any other, NULL: it is; for one that is only disabled, DISABLED. */
static inline const char *container_state(uint32_t flags, const char *disabled)
{
	if (flags & CONTAINER_MOVED)
		return flags & CONTAINER_DISABLED ? "moved to another system" : "exported, takes no changes";
	return flags & CONTAINER_DISABLED ? disabled : NULL;
}

struct container {
	unsigned char partition[UUID_SIZE], root_id[ROOT_ID], previous[CRYPTO_HASH], salt[32];
	uint64_t generation, anchor, counter, time;
	uint32_t size, flags, pending;
};

/* EBADMSG with a reason unless the bytes are one well-formed container. Does not ask whether it is genuine. */
int container_parse(const void *data, size_t len, struct container *ret, struct err *e);

/* PLAIN has c->size bytes. */
int container_seal(const struct container *c, const unsigned char root[ROOT_KEY], const void *plain, struct blob *ret,
		   struct err *e);
/* DATA is what C was parsed from. RET_PLAIN gets c->size bytes; EBADMSG if not authentic. */
int container_open(const struct container *c, const void *data, const unsigned char root[ROOT_KEY], void *ret_plain,
		   struct err *e);

#endif
