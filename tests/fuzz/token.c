// SPDX-License-Identifier: MIT
#include "lib/token.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

/* What parses is well formed: writing its header again gives the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char header[TOKEN_HEADER];
	struct token t;
	struct err e;

	if (token_parse(data, size, &t, &e) < 0)
		return 0;
	token_format_header(&t, header);
	if (memcmp(header, data, TOKEN_HEADER) != 0 || t.payload + t.payload_len + TOKEN_TAG != data + size)
		abort();
	return 0;
}
