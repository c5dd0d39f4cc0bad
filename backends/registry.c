// SPDX-License-Identifier: MIT
/* The only file that names every backend. Order is the order of preference. */
#include "lib/backend.h"

extern const struct backend backend_soft;

const struct backend *const backends[] = {
	&backend_soft,
	NULL
};
