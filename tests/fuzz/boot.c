// SPDX-License-Identifier: MIT
#include "backends/soft/boot.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

/* What the file of this boot has in it, once it was opened. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *copy = malloc(size ? size : 1);
	struct record r;
	struct boot b;
	struct err e;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	if (boot_parse(copy, size, &b, &e) == 0) {
		for (int c = CONSUMER_FIRMWARE; c <= CONSUMER_OS; c++)
			if (b.consumers[c].password > PASSWORD_CHOSEN)
				abort();
		for (size_t at = 0; objects_next(&b.objects, &at, &r);)
			if (r.data + r.len > copy + size || r.name.label < copy + BOOT_HEADER)
				abort();
	}
	free(copy);
	return 0;
}
