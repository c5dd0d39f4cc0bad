/* SPDX-License-Identifier: MIT */
/* The ways to open the keystore: of struct store_ops, which says what each does. */
#ifndef HWKEY_SOFT_SLOTS_H
#define HWKEY_SOFT_SLOTS_H

#include <stdbool.h>

struct device;
struct err;
struct secret;

int soft_slot_add(const struct device *, const char *name, const struct secret *given, bool replace, struct err *e);
int soft_slot_remove(const struct device *, const char *name, struct err *e);
int soft_tsk(const struct device *, const struct secret *given, char *ret_id, struct err *e);

#endif
