// SPDX-License-Identifier: MIT
/* Policies of the TPM alone and of a PIN: until there is satisfy.c, which takes the place of this file. */
#include "tpm.h"

#include <errno.h>

int policy_satisfy(struct tpm *t, ESYS_TR session, const struct tpm_policy *p, struct err *e)
{
	TSS2_RC rc;

	if (p->public_key.len || p->n_branches)
		return err_set(e, EOPNOTSUPP, "PCRs are not supported yet");
	if (p->pin)
		TPM_TRY(rc, Esys_PolicyAuthValue(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE));
	else
		TPM_TRY(rc, Esys_PolicyCommandCode(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
						   TPM2_CC_Unseal));
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, rc, "compute the policy", e);
}

int policy_make(struct tpm *t, const struct tpm_params *p, struct tpm_policy *ret, struct err *e)
{
	(void)t;
	if (p->pcrs || p->pcr_values || p->public_key)
		return err_set(e, EOPNOTSUPP, "PCRs are not supported yet");
	ret->pin = p->pin != NULL;
	return 0;
}

int policy_explain(struct tpm *t, const struct tpm_policy *p, struct examination *x, bool *ret_holds, struct err *e)
{
	(void)t, (void)p, (void)x, (void)e;
	*ret_holds = true;
	return 0;
}
