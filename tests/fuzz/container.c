// SPDX-License-Identifier: MIT
#include "backends/soft/container.h"

#include <stdlib.h>
#include <string.h>

#include "backends/soft/objects.h"
#include "lib/err.h"

/* The header of a container, and the objects that would be in it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *copy = malloc(size ? size : 1);
	struct container c;
	struct objects o;
	struct record r;
	struct err e;
	size_t n = 0;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	if (container_parse(copy, size, &c, &e) == 0 && size != (size_t)CONTAINER_HEADER + c.size)
		abort();
	if (objects_parse(copy, size, &o, &e) == 0) {
		for (size_t at = 0; objects_next(&o, &at, &r); n++)
			if (r.data + r.len > copy + o.used || r.name.label < copy)
				abort();
		if (n != o.count || objects_charged(&o) > size)
			abort();
		while (o.count) {
			size_t at = 0;

			if (!objects_next(&o, &at, &r) || (r.revoked && !(r.policy & POLICY_WRAPPINGKEY)))
				abort();
			if (r.policy & POLICY_WRAPPINGKEY) {
				objects_revoke(&o, &r, !r.revoked);
				if (objects_parse(copy, size, &o, &e) < 0)
					abort();
			}
			objects_remove(&o, &r.name);
			if (objects_parse(copy, size, &o, &e) < 0)
				abort();
		}
	}
	free(copy);
	return 0;
}
