// SPDX-License-Identifier: MIT
/* The only file that names every backend. Order is the order of preference. */
#include "lib/backend.h"

extern const struct backend backend_caam, backend_cex, backend_dcp, backend_keylocker, backend_plpks, backend_soft,
	backend_tee,
	backend_tpm2, backend_trusted;

const struct backend *const backends[] = {
	&backend_cex,
	&backend_plpks,
	&backend_tpm2,
	&backend_tee,
	&backend_caam,
	&backend_dcp,
	&backend_trusted,
	&backend_keylocker,
	&backend_soft,
	NULL
};
