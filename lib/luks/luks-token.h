/* SPDX-License-Identifier: MIT */
/*
 * The LUKS2 token of type "hwkey": the passphrase of a keyslot, sealed by a trust source. Shared by the module and the
 * token plug-in. The header is whoever's holds the disk: parsing is strict, and nothing in a token is ever used as a
 * path, a command, an address or the name of a library.
 *
 *	{"type":"hwkey","keyslots":["1"],"v":1,"name":"vol1","backend":"soft","blob":"<base64>","vol":"<UUID>",
 *	 "pattern":"<64 hex digits>","state":"ok","created":"2026-01-31T12:00:00Z"}
 *
 * "state" is "ok" or "pending". Pending without keyslots: the slot is not there yet. Pending with a keyslot: the slot
 * is being removed. Either way 'luks-status --repair' finishes what was begun.
 */
#ifndef HWKEY_LUKS_TOKEN_H
#define HWKEY_LUKS_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/blob.h"
#include "lib/utc.h"

struct err;

#define LUKS_TOKEN_TYPE "hwkey"
#define LUKS_RECOVERY_TYPE "hwkey-recovery"
#define LUKS_PATTERN_TYPE "paes-verification-pattern"	/* zkey's */
#define LUKS_SYSTEMD_TYPE "systemd-tpm2"
#define LUKS_CLEVIS_TYPE "clevis"

enum { LUKS_SALT_SIZE = 129 };	/* base64 of 96 bytes and a NUL; 32 bytes are usual */
enum { LUKS_SLOTS = 32, LUKS_TOKENS = 32, LUKS_TOKEN_TEXT_MAX = 16384, LUKS_BLOB_MAX = 4096 };

struct luks_token {
	char name[201];			/* of the repository's key */
	char backend[33];
	struct blob blob;
	char vol[37];
	char pattern[65];		/* empty: none */
	bool pending;
	char created[UTC_SIZE];		/* sorts by time */
	uint32_t slots;			/* bit n: keyslot n */
	char salt[LUKS_SALT_SIZE];	/* of the one that is being removed, which may open no more; empty: none */
};

#define AUTO_LUKS_TOKEN AUTO(luks_token_done)

/* EBADMSG with a reason unless TEXT is exactly one well-formed token of ours. Pure. */
int luks_token_parse(const char *text, struct luks_token *ret, struct err *e);
/* NUL-terminated text; the NUL is not counted. CREATED empty: now. */
int luks_token_format(const struct luks_token *, struct blob *ret, struct err *e);
void luks_token_done(struct luks_token *);

/* The keyslots array of any token; unknown shapes give an empty set. Pure. */
uint32_t luks_token_slots(const char *text);

/*
 * The token of a recovery key names its slot once the key was given to its user: {"type":"hwkey-recovery","v":1,
 * "keyslots":["3"]}. Before, it is pending and says which slot it is about: "keyslots":[],"state":"pending","slot":3, and
 * as soon as the slot is there "salt":"<base64>", its salt. Only a slot with that salt is the one that was made for it.
 * SALT NULL: not known.
 */
int luks_recovery_format(int slot, bool pending, const char *salt, struct blob *ret, struct err *e);
/* The slot that a pending one means, and its salt, empty if not said; -1: it is anything else. Pure. */
int luks_recovery_pending(const char *text, char ret_salt[LUKS_SALT_SIZE]);
/* The salt of the passphrase of SLOT, from crypt_dump_json()'s TEXT; it is as good as unique. False: none. Pure. */
bool luks_slot_salt(const char *text, int slot, char ret[LUKS_SALT_SIZE]);

/* "pattern" of zkey's token: 64 lower-case hex digits and a NUL; false: none or not of that form. Pure. */
bool luks_pattern_parse(const char *text, char ret[65]);

/* zkey's token with PATTERN; a valid integrity pattern in OLD (NULL: none) is kept, random bytes in its place are not. */
int luks_pattern_format(const char *old, const char *pattern, struct blob *ret, struct err *e);

/* Bytes that crypt_dump_json()'s TEXT takes in the header, at most. Pure. */
size_t luks_json_size(const char *text);

/*
 * What the sealed passphrase is bound to, so that it opens in this volume's header only:
 *   "hwkey-luks/1"  UUID, 36 bytes  2 length of salt  salt  2 length of digest  digest
 * Salt and digest are those of the volume key of the first encrypted segment, from crypt_dump_json()'s TEXT. Pure.
 */
int luks_binding(const char *text, const char *uuid, struct blob *ret, struct err *e);

#endif
