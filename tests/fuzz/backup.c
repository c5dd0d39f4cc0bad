// SPDX-License-Identifier: MIT
#include "backends/soft/backup.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

/* The slot's checksum is set right first: what lies behind it is what an attacker reaches. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *copy = malloc(size ? size : 1);
	struct backup b;
	struct err e;
	size_t len;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	if (slot_whole_len(copy, size, &len)) {
		memset(copy + 112, 0, CRYPTO_HASH);
		if (crypto_sha256(copy, len, copy + 112, &e) < 0)
			abort();
	}
	if (backup_parse(copy, size, &b, &e) == 0 &&
	    (b.slot_data != copy || b.container_data != copy + b.slot_len || b.slot.payload >= b.container_data ||
	     b.slot_len + CONTAINER_HEADER + b.header.size != size || b.header.size > PARTITION_SIZE_MAX ||
	     (b.slot.type != SLOT_PASSPHRASE && b.slot.type != SLOT_TSK)))
		abort();
	free(copy);
	return 0;
}
