// SPDX-License-Identifier: MIT
#include "lib/tpm-token.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

/* What parses is well formed: writing its header again gives the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tpm_token t = { 0 };
	struct blob header = { 0 };
	struct err e;

	if (tpm_token_parse(data, size, &t, &e) < 0)
		return 0;
	if (tpm_token_format_header(&t, &header, &e) < 0 || header.len != t.aad_len ||
	    memcmp(header.data, data, header.len) != 0 || t.payload.data + t.payload.len + TOKEN_TAG != data + size)
		abort();
	blob_done(&header);
	tpm_token_done(&t);
	return 0;
}
