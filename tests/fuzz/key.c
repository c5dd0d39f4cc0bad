// SPDX-License-Identifier: MIT
#include "lib/err.h"
#include "lib/token.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct key k = { 0 };
	struct err e;

	if (key_parse(data, size, &k, &e) == 0 &&
	    (k.type == KEY_UNKNOWN || k.bits > 512 || k.bits % 64 || k.pattern_len > sizeof(k.pattern)))
		abort();
	return 0;
}
