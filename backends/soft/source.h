/* SPDX-License-Identifier: MIT */
/* Root-key slots whose payload is the root key as a trust source sealed it, bound to the system's UUID. */
#ifndef HWKEY_SOFT_SOURCE_H
#define HWKEY_SOFT_SOURCE_H

#include "root.h"

/* Of the table of slot.c. Wrap: GIVEN is what source_seal() gave; unwrap: what source_unseal() did. */
int source_wrap(const struct slot *, const unsigned char root[ROOT_KEY], const struct secret *given, unsigned char *ret,
		size_t *ret_len, struct err *e);
int source_unwrap(const struct slot *, const struct secret *given, unsigned char ret_root[ROOT_KEY], struct err *e);

/* By the first device of the slot's backend. PARAMS may be NULL. */
int source_seal(const struct device *, const struct soft_slot *, const struct session *, const struct wrap_params *params,
		struct secret *ret, struct err *e);
/* EBADMSG: tampered with; EBUSY; ENOKEY: the trust source is not here, locked out, in another state. */
int source_unseal(const struct device *, const struct soft_slot *, const struct slot *, struct secret *ret, struct err *e);
/*
 * Whether the trust source gives back this keystore's root key now, without asking anybody: 0; -EACCES: it would have to. E
 * says why not.
 */
int source_try(const struct device *, int dir, const struct soft_slot *, const struct session *, struct err *e);

#endif
