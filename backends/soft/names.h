/* SPDX-License-Identifier: MIT */
/* Names on disk, below env->pks_dir, that face and body share. */
#ifndef HWKEY_SOFT_NAMES_H
#define HWKEY_SOFT_NAMES_H

#include "slot.h"

#define SOFT_LOCK ".lock"	/* of writers */
#define SOFT_DIR "system"	/* made whole by the first use, then never again */
#define SOFT_NEW ".new"		/* what it is called until it is whole */
#define SOFT_A "local.A"	/* containers: the newer one counts */
#define SOFT_B "local.B"

/* The root-key slots, weakest first: with one of them in a thief's hands the others protect nothing. */
struct soft_slot {
	const char *name, *file, *grade;
	enum slot_type type;
	const char *credential, *prompt;	/* of what the user has for it; NULL: it opens by itself */
};

static const struct soft_slot soft_slots[] = {
	{ "plain", "root.plain", "protection: plain file, no protection against a disk thief", SLOT_PLAIN },
	{ "passphrase", "root.passphrase", "protection: passphrase (scrypt)", SLOT_PASSPHRASE, "hwkey.pks-passphrase",
	  "Passphrase of the keystore:" },
	{ "tsk", "root.tsk", "protection: trusted system key", SLOT_TSK, "hwkey.pks-tsk",
	  "Trusted system key of the keystore, in hexadecimal:" },
};

#endif
