// SPDX-License-Identifier: MIT
/* Selections of PCRs, which are written as they are read, and files of values. */
#include "lib/err.h"
#include "lib/tpm-policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1), again[128];
	struct tpm_policy p = { 0 };
	enum tpm_bank bank, bank_again;
	uint32_t pcrs, pcrs_again;
	struct err e;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	if (tpm_pcrs_parse(text, &pcrs, &bank, &e) == 0) {
		tpm_pcrs_format(pcrs, bank, again, sizeof(again));
		if (tpm_pcrs_parse(again, &pcrs_again, &bank_again, &e) < 0 || pcrs_again != pcrs || bank_again != bank)
			abort();
	}
	if (tpm_values_parse(text, 0, p.branch, &p.n_branches, &e) == 0) {
		if (p.n_branches < 1 || p.n_branches > TPM_BRANCHES)
			abort();
		for (unsigned i = 0; i < p.n_branches; i++)
			if (!p.branch[i].pcrs || p.branch[i].pcrs >> TPM_PCRS || !tpm_bank_name(p.branch[i].bank))
				abort();
		tpm_policy_describe(&p, again, sizeof(again));
	}
	free(text);
	return 0;
}
