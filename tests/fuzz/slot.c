// SPDX-License-Identifier: MIT
#include "backends/soft/slot.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/secret.h"

/* The checksum is set right first: what lies behind it is what an attacker reaches. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char file[SLOT_MAX], root[ROOT_KEY], key[ROOT_KEY] = "any 32 bytes";
	const struct secret given = { key, sizeof(key), sizeof(key) };
	struct slot s;
	struct err e;

	if (slot_parse(data, size, &s, &e) == 0 && s.payload + s.payload_len != data + size)
		abort();
	if (size < SLOT_HEADER || size > sizeof(file))
		return 0;
	memcpy(file, data, size);
	memset(file + 112, 0, CRYPTO_HASH);
	if (crypto_sha256(file, size, file + 112, &e) < 0)
		abort();
	if (slot_parse(file, size, &s, &e) < 0)
		return 0;
	if (s.payload + s.payload_len != file + size || s.cost.log_n > 20 || s.cost.r > 16 || s.cost.p > 4)
		abort();
	if (s.type == SLOT_PLAIN || s.type == SLOT_TSK || s.type == SLOT_HALF)
		(void)slot_open(file, &s, &given, root, &e);
	return 0;
}
