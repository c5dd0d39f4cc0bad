/* SPDX-License-Identifier: MIT */
/* What a device's session (struct device) keeps from call to call: the PIN, and what cannot be opened here and now. */
#ifndef HWKEY_TPM2_MEMORY_H
#define HWKEY_TPM2_MEMORY_H

#include "tpm.h"

enum { PIN_MAX = 512 };			/* bytes */

/* Asks for it once. EACCES where nobody can be asked. */
int pin_get(const struct device *, const struct secret **ret, struct err *e);
int pin_set(const struct device *, const struct secret *pin, struct err *e);
void pin_forget(const struct device *);		/* it was wrong */
/* pin_stretch(), which takes long, once for each salt. */
int pin_auth(const struct device *, const struct secret *pin, const unsigned char salt[32], TPM2B_AUTH *ret, struct err *e);

/*
 * Who seals looks whether what was sealed opens. Sealed for another state or another machine it cannot open here: then
 * its object's bytes, kept since, stand for what the TPM will say.
 */
void object_remember(const struct device *, const unsigned char salt[32], const unsigned char object[32]);
bool object_recall(const struct device *, const unsigned char salt[32], unsigned char ret[32]);

#endif
