/* SPDX-License-Identifier: MIT */
/* The ways to open the keystore: of struct store_ops, which says what each does. */
#ifndef HWKEY_SOFT_SLOTS_H
#define HWKEY_SOFT_SLOTS_H

#include <stdbool.h>

struct device;
struct err;
struct secret;
struct wrap_params;

int soft_slot_add(const struct device *, const char *name, const struct secret *given, const struct wrap_params *,
		  bool replace, struct err *e);
int soft_counter(const struct device *, bool on, struct err *e);
int soft_slot_remove(const struct device *, const char *name, struct err *e);
int soft_tsk(const struct device *, const struct secret *given, char *ret_id, struct err *e);

#endif
