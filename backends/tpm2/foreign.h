/* SPDX-License-Identifier: MIT */
#ifndef HWKEY_TPM2_FOREIGN_H
#define HWKEY_TPM2_FOREIGN_H

#include "lib/tpm-foreign.h"
#include "tpm.h"

/*
 * What F's maker sealed; of clevis, what its JWE holds. The PIN is asked for where it is needed. The values of F's policy
 * are filled in: those that the PCRs have. EOPNOTSUPP: it needs more than hwkey can do.
 */
int foreign_unseal(struct tpm *, struct tpm_foreign *f, struct secret *ret, struct err *e);
/* SECRET as an object of its own; KERNEL: as the kernel's trusted keys can load it. Proven to open. */
int foreign_seal(struct tpm *, const struct tpm_policy *, const struct secret *, bool kernel, struct blob *ret_der,
		 struct err *e);

#endif
