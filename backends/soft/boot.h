/* SPDX-License-Identifier: MIT */
/*
 * What a partition knows until the next boot: passwords, locks, transient objects. It is in SYSROOT/run/hwkey/pks/UUID,
 * file boot: a container (container.h) whose root key is HKDF-SHA256(root key, "", "hwkey-pks/1 boot"), with the boot id
 * and 16 zeros in place of the previous header's hash: a file that authenticates and is of another boot is as none. Any
 * other that does not open may hold a password: whoever needs to know is refused. Contents, multi-byte fields big-endian:
 *
 *   0  8 "HWKEYIPL"        8  2 version 1          10  6 zero              16  8 generation that may not be on disk, or 0
 *  24  8 zero             32 72 of consumer 1     104 72 of consumer 2    176 72 of consumer 3    248  8 zero
 * 256 ... the transient objects (objects.h)
 * of a consumer:  0 1 password: 0 NULL, 1 generated, 2 chosen   1 1 locked   2 6 zero   8 32 salt   40 32 verifier
 *
 * Verifier = HKDF-SHA256(password, salt, "hwkey-pks/1 password") of a generated one, scrypt(password, salt) of another.
 */
#ifndef HWKEY_SOFT_BOOT_H
#define HWKEY_SOFT_BOOT_H

#include <stdbool.h>

#include "container.h"
#include "lib/secret.h"
#include "lib/sysroot.h"
#include "objects.h"

struct env;
struct session;

enum { BOOT_HEADER = 256, PASSWORD_MAX = 64 };		/* bytes */

enum password { PASSWORD_NULL, PASSWORD_GENERATED, PASSWORD_CHOSEN };

struct boot_consumer {
	enum password password;
	bool locked;
	unsigned char salt[32], verifier[CRYPTO_HASH];
};

struct boot {
	unsigned char partition[UUID_SIZE];
	bool here;			/* this boot has one already */
	bool unknown;			/* what is in it cannot be told: boot_unknown() */
	uint64_t generation;		/* of the file */
	uint64_t unflushed;		/* generation of the store that may not be on disk; 0: all is */
	struct boot_consumer consumers[CONSUMER_OS + 1];
	unsigned char *memory;		/* of the contents, the caller's, secret */
	size_t size;
	struct objects objects;		/* the transient ones */
};

/* EBADMSG unless the contents are well-formed. */
int boot_parse(void *data, size_t size, struct boot *ret, struct err *e);

/* Of MEMORY, for a partition of that size. Objects take less than they are charged; the rest is for the header. */
size_t boot_room(size_t partition);
/* None, or another boot's: an empty one, .here false. An error, which names the file: what is in it cannot be told. */
int boot_load(struct boot *ret, const struct env *, const struct session *, const unsigned char partition[UUID_SIZE],
	      unsigned char *memory, size_t size, struct err *e);
/* For who needs no more than not to change it: one that is there; GENERATION, the store's, may not be on disk. */
void boot_unknown(struct boot *ret, const unsigned char partition[UUID_SIZE], uint64_t generation, unsigned char *memory,
		  size_t size);
/* The caller holds the lock. EOPNOTSUPP where the system tells no boot. */
int boot_save(struct boot *, const struct env *, const struct session *, struct err *e);

/* Overwrites and removes it: it is under the root key. */
int boot_forget(const struct env *, const unsigned char partition[UUID_SIZE], struct err *e);

/* As PASSWORD is kept, and compared; C->password says how. */
int boot_verifier(const struct boot_consumer *c, const struct secret *password, unsigned char ret[CRYPTO_HASH],
		  struct err *e);

#endif
