/* SPDX-License-Identifier: MIT */
/* The words for the bits of enum policy, and for enum consumer. */
#ifndef HWKEY_PKS_POLICY_H
#define HWKEY_PKS_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h"

/* Joined by SEP, what has no name in hexadecimal. */
void pks_policy_format(uint32_t policy, char sep, char *ret, size_t size);
/* Those that an object can be written with, one after the other; NULL: no more. */
const char *pks_policy_word(size_t i);
uint32_t pks_policy_find(const char *word, size_t len);	/* its bit; 0: there is none of that name */

extern const char *const pks_consumers[];	/* NULL-terminated */
const char *pks_consumer_name(enum consumer);
/* NAME in any case, or NULL: os. EINVAL. */
int pks_consumer_find(const char *name, enum consumer *ret, struct err *e);

#endif
