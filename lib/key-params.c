// SPDX-License-Identifier: MIT
#include "backend.h"

#include <errno.h>
#include <string.h>

#include "err.h"

int key_params_bits(const struct key_params *p, const char *type, size_t clear_len, unsigned *ret, struct err *e)
{
	unsigned parts = p->xts ? 2 : 1, bits = p->bits ? p->bits : 256;

	if (p->type && strcmp(p->type, type) != 0)
		return err_set(e, EINVAL, "this device makes keys of type '%s', not '%s'", type, p->type);
	if (clear_len && !p->bits)
		bits = (unsigned)clear_len * 8 / parts;
	if (bits != 128 && bits != 192 && bits != 256)
		return err_set(e, EINVAL, "a key of %u bits is no AES key: 128, 192, 256%s", bits,
			       p->xts ? " for each half" : "");
	if (clear_len && clear_len != (size_t)bits / 8 * parts)
		return err_set(e, EINVAL, "key has %zu bytes, not the %u of %s%u bits", clear_len, bits / 8 * parts,
			       p->xts ? "twice " : "", bits);
	*ret = bits;
	return 0;
}
