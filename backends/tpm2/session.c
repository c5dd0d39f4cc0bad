// SPDX-License-Identifier: MIT
/* Sessions: who reads along on the bus learns nothing, and who changes something is noticed. */
#include "tpm.h"

#include <errno.h>

/* The TPM has no AES-128-CFB for parameters, as some firmware TPMs. */
static bool cannot_encrypt(TSS2_RC rc)
{
	TSS2_RC base = tpm_rc_base(rc);

	return base == TPM2_RC_SYMMETRIC || base == TPM2_RC_MODE || base == TPM2_RC_KEY_SIZE;
}

static TSS2_RC start(struct tpm *t, const struct srk *srk, bool policy, const TPMT_SYM_DEF *symmetric, ESYS_TR *ret)
{
	TSS2_RC rc;

	TPM_TRY(rc, Esys_StartAuthSession(t->esys, srk->handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					  NULL, policy ? TPM2_SE_POLICY : TPM2_SE_HMAC, symmetric, TPM2_ALG_SHA256, ret));
	return rc;
}

int session_start(struct tpm *t, const struct srk *srk, bool policy, bool *clear_bus, ESYS_TR *ret, struct err *e)
{
	const TPMT_SYM_DEF aes = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
	const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
	TPMA_SESSION encrypts = policy ? TPMA_SESSION_ENCRYPT : TPMA_SESSION_DECRYPT;
	bool clear = false;
	ESYS_TR session;
	TSS2_RC rc = start(t, srk, policy, &aes, &session);

	if (cannot_encrypt(rc)) {
		if (!*clear_bus)
			return err_set(e, EOPNOTSUPP, "the TPM cannot encrypt what goes over its bus: --allow-clear-bus "
				       "does without");
		clear = true;
		encrypts = 0;
		rc = start(t, srk, policy, &none, &session);
	}
	if (rc == TSS2_RC_SUCCESS) {
		tpm_keep(t, session);
		rc = Esys_TRSess_SetAttributes(t->esys, session, encrypts, TPMA_SESSION_CONTINUESESSION |
					       TPMA_SESSION_ENCRYPT | TPMA_SESSION_DECRYPT);
	}
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, "start a session with the TPM", e);
	*clear_bus = clear;
	*ret = session;
	return 0;
}
