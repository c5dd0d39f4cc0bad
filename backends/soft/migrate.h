/* SPDX-License-Identifier: MIT */
/*
 * A keystore that moves to another system. The export (backup.h) is under a key of its own, which the trusted system key
 * wraps:
 *   transfer key = HKDF-SHA256(root key, UUID, "hwkey-pks/1 export" || generation)
 * The generation is the one that marks the source as moved; none follows, so the source can tell the key again. Who has put
 * the objects into a keystore proves it by the receipt, HKDF-SHA256(transfer key, "", "hwkey-pks/1 receipt", 16), which
 * the source wants before it forgets them.
 */
#ifndef HWKEY_SOFT_MIGRATE_H
#define HWKEY_SOFT_MIGRATE_H

#include "lib/backend.h"

int soft_export(const struct device *, const struct secret *tsk, struct blob *ret, bool *ret_begun, struct err *e);
int soft_import(const struct device *, const struct blob *file, const struct secret *tsk, char ret_receipt[33],
		struct err *e);
int soft_export_cancel(const struct device *, struct err *e);
int soft_export_finish(const struct device *, const char *receipt, bool check, struct err *e);

#endif
