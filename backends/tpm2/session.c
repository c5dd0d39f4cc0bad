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

int session_start(struct tpm *t, const struct srk *srk, bool policy, bool clear_bus, ESYS_TR *ret, struct err *e)
{
	const TPMT_SYM_DEF aes = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
	const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
	const TPMA_SESSION encrypts = clear_bus ? 0 : policy ? TPMA_SESSION_ENCRYPT : TPMA_SESSION_DECRYPT;
	ESYS_TR session;
	TSS2_RC rc;

	TPM_TRY(rc, Esys_StartAuthSession(t->esys, srk->handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					  NULL, policy ? TPM2_SE_POLICY : TPM2_SE_HMAC, clear_bus ? &none : &aes,
					  TPM2_ALG_SHA256, &session));
	if (!clear_bus && cannot_encrypt(rc))
		return err_set(e, EOPNOTSUPP, "the TPM cannot encrypt what goes over its bus: --allow-clear-bus does "
			       "without");
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, "start a session with the TPM", e);
	tpm_keep(t, session);
	rc = Esys_TRSess_SetAttributes(t->esys, session, encrypts,
				       TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_ENCRYPT | TPMA_SESSION_DECRYPT);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, "start a session with the TPM", e);
	*ret = session;
	return 0;
}
