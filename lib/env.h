/* SPDX-License-Identifier: MIT */
/*
 * What lib and backends may know of the run. They read neither argv nor the environment and never print: whoever starts
 * them (cmd/main.c, the token plug-in) fills this in.
 */
#ifndef HWKEY_ENV_H
#define HWKEY_ENV_H

#include <stdbool.h>

struct err;
struct secret;

struct env {
	const char *sysroot;	/* prefix of /proc, /sys, /dev and /run: a captured machine, a test's; NULL: none */
	bool thorough;		/* a probe may ask a device for what only that knows: it may be slow, and busy */
	bool brief;		/* a probe need not look for what only a person reads: .why, .details of what is usable */
	bool partitions;	/* a probe shows each keystore there is, not only the one that is always there */
	const char *sysfs;	/* where sysfs is if not in /sys, without a sysroot; NULL: there */
	const char *pks_dir;	/* the local keystore: default /var/lib/hwkey/pks */
	const struct secret *pks_password;	/* of the consumer at hand, given by name; NULL: see where it is */
	const char *tcti;	/* TPMs by tpm2-tss' names, "swtpm:path=/x", with spaces between: tpm0, ...; NULL: /dev */
	const char *pcr_signature;	/* path of a JSON of signed PCR policies; NULL: where systemd keeps it */
	bool keystore_create;	/* first use may create the local keystore (false at boot, in the plug-in) */
	/* Asked before that: an error where there was one, which is missing. NULL: 0. */
	int (*keystore_may_create)(const struct env *, struct err *e);

	/*
	 * Asks for the secret called NAME (a credential's name, such as "hwkey.pks-passphrase"); PROMPT is for a person.
	 * ENOKEY when nobody can answer (batch mode, no terminal). NULL ask: as if it returned ENOKEY.
	 */
	int (*ask)(const struct env *, const char *name, const char *prompt, struct secret *ret, struct err *e);

	/* One line for the user that is no error: a grade of protection, a skipped step. NULL: dropped. */
	void (*note)(const struct env *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

	/* The same for what must not be missed, however quiet the user wants it. */
	void (*warn)(const struct env *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

	void *ctx;		/* of the callbacks */
};

#endif
