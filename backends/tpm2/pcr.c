// SPDX-License-Identifier: MIT
#include "tpm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void pcr_selection(const struct tpm_branch *b, TPML_PCR_SELECTION *ret)
{
	*ret = (TPML_PCR_SELECTION){ .count = 1, .pcrSelections[0] = { .hash = b->bank, .sizeofSelect = TPM_PCRS / 8 } };
	for (unsigned i = 0; i < TPM_PCRS / 8; i++)
		ret->pcrSelections[0].pcrSelect[i] = (BYTE)(b->pcrs >> 8 * i);
}

/* Which of them one answer brought; 0: it makes no sense, or the bank is not there. */
static uint32_t values_take(const TPML_PCR_SELECTION *which, const TPML_DIGEST *values, uint32_t wanted,
			    struct tpm_branch *b)
{
	const TPMS_PCR_SELECTION *s = &which->pcrSelections[0];
	size_t size = tpm_bank_size(b->bank);
	uint32_t got = 0;
	UINT32 at = 0;

	if (which->count != 1 || s->hash != b->bank || s->sizeofSelect > sizeof(s->pcrSelect))
		return 0;
	for (unsigned n = 0; n < TPM_PCRS && n / 8 < s->sizeofSelect; n++) {
		if (!(s->pcrSelect[n / 8] & 1 << n % 8))
			continue;
		if (at == values->count || values->digests[at].size != size)
			return 0;
		memcpy(b->values[n], values->digests[at++].buffer, size);
		got |= 1U << n;
	}
	return got & wanted;
}

int pcr_read(struct tpm *t, struct tpm_branch *b, struct err *e)
{
	struct tpm_branch left = *b;

	while (left.pcrs) {
		TPML_PCR_SELECTION selection, *which = NULL;
		TPML_DIGEST *values = NULL;
		uint32_t got;
		TSS2_RC rc;

		pcr_selection(&left, &selection);
		TPM_TRY(rc, Esys_PCR_Read(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &selection, NULL, &which,
					  &values));
		if (rc != TSS2_RC_SUCCESS && tpm_rc_base(rc) != TPM2_RC_HASH)
			return tpm_fail(t, rc, "read PCRs", e);
		got = rc == TSS2_RC_SUCCESS ? values_take(which, values, left.pcrs, b) : 0;
		Esys_Free(which);
		Esys_Free(values);
		if (!got)
			return err_set(e, EOPNOTSUPP, "the TPM has no PCR bank %s: firmware can activate it, or "
				       "'tpm2_pcrallocate'", tpm_bank_name(b->bank));
		left.pcrs &= ~got;
	}
	return 0;
}

/* As a reset left it: zeros, or ones where only a measured launch begins. */
static bool is_extended(const unsigned char *value, size_t size)
{
	return !bytes_are_zero(value, size) && (value[0] != 0xff || memcmp(value, value + 1, size - 1) != 0);
}

int pcr_check_strength(const struct tpm_branch *b, struct err *e)
{
	static const char all_the_same[] = "'--allow-weak-pcrs' takes it all the same";

	if (b->bank == TPM_SHA1)
		return err_set(e, EINVAL, "PCRs of sha1 can be forged; %s", all_the_same);
	for (unsigned n = 0; n < TPM_PCRS; n++)
		if (b->pcrs & 1U << n && !is_extended(b->values[n], tpm_bank_size(b->bank)))
			return err_set(e, EINVAL, "nothing is measured into PCR %u (%s) of %s, so it protects nothing; %s",
				       n, tpm_pcr_meaning(n), tpm_bank_name(b->bank), all_the_same);
	return 0;
}

int pcr_choose_bank(struct tpm *t, bool sha1, struct tpm_branch *b, struct err *e)
{
	static const enum tpm_bank order[] = { TPM_SHA256, TPM_SHA384, TPM_SHA1 };
	struct tpm_branch first = { 0 }, now;
	struct err weak;

	for (size_t i = 0; i < ARRAY_SIZE(order) - !sha1; i++) {
		int r;

		now = (struct tpm_branch){ .bank = order[i], .pcrs = b->pcrs };
		r = pcr_read(t, &now, e);
		if (r == -EOPNOTSUPP)
			continue;
		if (r < 0)
			return r;
		if (pcr_check_strength(&now, &weak) == 0) {
			*b = now;
			return 0;
		}
		if (!first.bank)
			first = now;
	}
	if (!first.bank)
		return err_set(e, EOPNOTSUPP, "the TPM has no PCR bank of sha256 or sha384: firmware can activate one, or "
			       "'tpm2_pcrallocate'");
	*b = first;
	return 0;
}
