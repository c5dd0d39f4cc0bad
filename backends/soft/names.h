/* SPDX-License-Identifier: MIT */
/* Names on disk, below env->pks_dir, that face and body share. */
#ifndef HWKEY_SOFT_NAMES_H
#define HWKEY_SOFT_NAMES_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "slot.h"

#define SOFT_LOCK ".lock"	/* of writers */
#define SOFT_DIR "system"	/* made whole by the first use, then never again */
#define SOFT_NEW ".new"		/* what it is called until it is whole */
#define SOFT_ERASE ".erase"	/* and when it is being erased: erase.h */
#define SOFT_ERASE_BOOT "erase-boot"
#define SOFT_LOCAL "local"	/* the partition that is always there */

enum { SOFT_NAME_MAX = 32, SOFT_FILE_SIZE = SOFT_NAME_MAX + 3 };	/* bytes: of a partition; NAME.A and a NUL */

/* Of a partition: lower-case letters, digits, and '-' but not in front. */
static inline bool soft_is_name(const char *name, size_t len)
{
	return len >= 1 && len <= SOFT_NAME_MAX && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") >= len;
}

/* Each has two containers, NAME.A and NAME.B: the newer one counts. */
static inline void soft_file(const char *partition, unsigned which, char ret[SOFT_FILE_SIZE])
{
	(void)snprintf(ret, SOFT_FILE_SIZE, "%.*s.%c", SOFT_NAME_MAX, partition, which ? 'B' : 'A');
}

/* The partition that a container called FILE is of. */
static inline bool soft_partition_of(const char *file, char ret[SOFT_NAME_MAX + 1])
{
	size_t len = strlen(file);

	if (len < 3 || (strcmp(file + len - 2, ".A") != 0 && strcmp(file + len - 2, ".B") != 0) ||
	    !soft_is_name(file, len - 2))
		return false;
	memcpy(ret, file, len - 2);
	ret[len - 2] = '\0';
	return true;
}

/* The next partition of *FILES, N names in order: NAME is the one before, or "" at the start. False: no more. */
static inline bool soft_partition_next(const char **files, size_t *n, char name[SOFT_NAME_MAX + 1])
{
	char last[SOFT_NAME_MAX + 1];

	memcpy(last, name, sizeof(last));
	while (*n) {
		const char *file = *files;

		*files += strlen(file) + 1;
		--*n;
		if (soft_partition_of(file, name) && strcmp(name, last) != 0)
			return true;
	}
	return false;
}

/* The root-key slots, weakest first: with one of them in a thief's hands the others protect nothing. */
struct soft_slot {
	const char *name, *file, *grade;
	enum slot_type type;
	const char *credential, *prompt;	/* of what the user has for it; NULL: it opens by itself */
	const char *backend;			/* of the trust source that sealed its payload; NULL: none did */
};

/* Where anchor and slot are on one file system: byte SOFT_APART_AT of the slot is 0. */
#define SOFT_GRADE_TOGETHER "protection: anchor on the keystore's own disk, no protection against a disk thief"

enum { SOFT_APART_AT = SLOT_HEADER + ROOT_KEY };

static const struct soft_slot soft_slots[] = {
	{ "plain", "root.plain", "protection: plain file, no protection against a disk thief", SLOT_PLAIN },
	{ "anchor", "root.anchor", "protection: anchor, none against who has both disk and anchor", SLOT_ANCHOR },
	{ "tpm2", "root.tpm2", "protection: TPM of this machine", SLOT_TPM2, .backend = "tpm2" },
	{ "passphrase", "root.passphrase", "protection: passphrase (scrypt)", SLOT_PASSPHRASE, "hwkey.pks-passphrase",
	  "Passphrase of the keystore:" },
	{ "tsk", "root.tsk", "protection: trusted system key", SLOT_TSK, "hwkey.pks-tsk",
	  "Trusted system key of the keystore, in hexadecimal:" },
};

#endif
