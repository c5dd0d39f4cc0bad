// SPDX-License-Identifier: MIT
/* Any bytes: what parses as a header formats to the same bytes again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/seal/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	AUTO_BLOB struct blob again = { 0 };
	struct sealed_header h;
	struct err e = { 0 };

	if (sealed_parse(data, len, &h, &e) < 0)
		return 0;
	if (h.bound >= h.len || h.len > len || sealed_format(&h, &again, &e) < 0 || again.len != h.bound ||
	    memcmp(again.data, data, h.bound) != 0)
		abort();
	return 0;
}
