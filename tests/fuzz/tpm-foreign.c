// SPDX-License-Identifier: MIT
/* What parses can be described, and what TSS2 has written of it parses again. */
#include "lib/err.h"
#include "lib/token.h"
#include "lib/tpm-foreign.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tpm_foreign f = { 0 }, again = { 0 };
	struct blob der = { 0 };
	char says[128];
	struct err e;

	(void)key_is_foreign(data, size);
	if (tpm_foreign_parse(data, size, &f, &e) < 0)
		return 0;
	tpm_foreign_describe(&f, says, sizeof(says));
	if (!says[0] || (!f.public.len && !f.beyond[0]))
		abort();
	if (f.public.len && tpm_tss2_format(&f, false, &der, &e) == 0 &&
	    (tpm_foreign_parse(der.data, der.len, &again, &e) < 0 || again.public.len != f.public.len ||
	     memcmp(again.public.data, f.public.data, f.public.len) != 0 || again.parent_handle != f.parent_handle))
		abort();
	blob_done(&der);
	tpm_foreign_done(&again);
	tpm_foreign_done(&f);
	return 0;
}
