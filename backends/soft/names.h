/* SPDX-License-Identifier: MIT */
/* Names on disk, below env->pks_dir, that face and body share. */
#ifndef HWKEY_SOFT_NAMES_H
#define HWKEY_SOFT_NAMES_H

#define SOFT_LOCK ".lock"	/* of writers */
#define SOFT_DIR "system"	/* made whole by the first use, then never again */
#define SOFT_NEW ".new"		/* what it is called until it is whole */
#define SOFT_A "local.A"	/* containers: the newer one counts */
#define SOFT_B "local.B"

/* The root-key slots, weakest first: with one of them in a thief's hands the others protect nothing. */
struct soft_slot {
	const char *name, *file, *grade;
};

static const struct soft_slot soft_slots[] = {
	{ "plain", "root.plain", "protection: plain file, no protection against a disk thief" },
	{ "passphrase", "root.passphrase", "protection: passphrase (scrypt)" },
};

#endif
