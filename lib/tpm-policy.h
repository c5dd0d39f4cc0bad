/* SPDX-License-Identifier: MIT */
/* What must hold before a TPM 2.0 gives back a secret: as people write it, and as a token keeps it. Pure. */
#ifndef HWKEY_TPM_POLICY_H
#define HWKEY_TPM_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blob.h"

struct err;

enum {
	TPM_PCRS = 24,			/* PCRs of a bank */
	TPM_DIGEST_MAX = 64,		/* bytes, of SHA-512 */
	TPM_BRANCHES = 8,		/* that PolicyOR takes */
};

/* TPM_ALG_ID of the banks. */
enum tpm_bank { TPM_SHA1 = 0x0004, TPM_SHA256 = 0x000b, TPM_SHA384 = 0x000c, TPM_SHA512 = 0x000d };

const char *tpm_bank_name(enum tpm_bank);		/* "sha256"; NULL: none of them */
enum tpm_bank tpm_bank_find(const char *name, size_t len);	/* 0: none of them */
size_t tpm_bank_size(enum tpm_bank);			/* bytes of a PCR; 0: none of them */
const char *tpm_pcr_meaning(unsigned pcr);		/* "secure boot state": what firmware and systemd measure there */

struct tpm_branch {			/* PCRs of one bank and their values */
	enum tpm_bank bank;
	uint32_t pcrs;			/* bit n: PCR n; never 0 */
	unsigned char values[TPM_PCRS][TPM_DIGEST_MAX];	/* of those PCRs, tpm_bank_size() bytes */
};

/*
 * All that is there must hold, in this order: what a public key has signed; one of the branches; the PIN. Nothing at all:
 * the TPM alone.
 */
struct tpm_policy {
	struct blob public_key;		/* of who signs: DER SubjectPublicKeyInfo; empty: nothing is signed */
	enum tpm_bank signed_bank;
	uint32_t signed_pcrs;
	struct tpm_branch branch[TPM_BRANCHES];
	unsigned n_branches;
	bool pin;
};

#define AUTO_TPM_POLICY AUTO(tpm_policy_done)
void tpm_policy_done(struct tpm_policy *);

/* "7", "7+11", "7,11", "7+11:sha256". *RET_BANK is 0 where none is named. EINVAL. */
int tpm_pcrs_parse(const char *text, uint32_t *ret_pcrs, enum tpm_bank *ret_bank, struct err *e);
void tpm_pcrs_format(uint32_t pcrs, enum tpm_bank, char *ret, size_t size);		/* "7+11:sha256" */
/*
 * Values that PCRs will have, one a line: "7:sha256=HEX" or "7=HEX"; '#' begins a comment; an empty line begins another
 * branch. BANK is that of lines that name none, 0 sha256. EINVAL: malformed, doubled, banks mixed in a branch.
 */
int tpm_values_parse(const char *text, enum tpm_bank, struct tpm_branch *ret, unsigned *ret_n, struct err *e);

/* For a person, e.g. "PCR 7 (secure boot state) of sha256, and a PIN". */
void tpm_policy_describe(const struct tpm_policy *, char *ret, size_t size);

#endif
