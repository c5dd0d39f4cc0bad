/* SPDX-License-Identifier: MIT */
/*
 * Erasing the keystore, in the order of PowerVM's secure erase: the root key first, then in a later boot the data.
 *
 * The commit point is a rename: SOFT_DIR becomes SOFT_ERASE. Before it nothing has happened; after it there is no keystore
 * that could open, and all that is left is to overwrite and remove: what is no container, for it may hold the root key, at
 * once, and the containers when the boot is another one than that whose id is in SOFT_ERASE/SOFT_ERASE_BOOT.
 */
#ifndef HWKEY_SOFT_ERASE_H
#define HWKEY_SOFT_ERASE_H

#include "lib/backend.h"

int store_erase(const struct device *, unsigned flags, struct store_erased *ret, struct err *e);

#endif
