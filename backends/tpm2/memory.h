/* SPDX-License-Identifier: MIT */
/* What a device's session (struct device) keeps from call to call, so that nobody is asked twice: by a token's salt. */
#ifndef HWKEY_TPM2_MEMORY_H
#define HWKEY_TPM2_MEMORY_H

#include "tpm.h"

enum { PIN_MAX = 512, MEMORY_TOKENS = 64 };	/* bytes; the newest tokens are remembered */

/* The PIN of what is to be opened; asks for it once. EACCES where nobody can be asked. *RET is the memory's. */
int pin_get(const struct device *, const struct secret **ret, struct err *e);
/* pin_stretch(), which takes long, once for each token. PIN NULL: of one that was not remembered pin_get() has it. */
int pin_auth(const struct device *, const struct secret *pin, const unsigned char salt[32], TPM2B_AUTH *ret, struct err *e);
void pin_forget(const struct device *, const unsigned char *salt);	/* it was wrong; SALT NULL: of no token of ours */

/*
 * Who seals looks whether what was sealed opens. The TPM has proven that already, or it was sealed for another state or
 * another machine and cannot open here: its object's bytes, kept since, stand for what the TPM would say.
 */
int object_remember(const struct device *, const unsigned char salt[32], const unsigned char object[32], struct err *e);
bool object_recall(const struct device *, const unsigned char salt[32], unsigned char ret[32]);

#endif
