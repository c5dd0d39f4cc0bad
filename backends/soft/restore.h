/* SPDX-License-Identifier: MIT */
/* Backups of the keystore: the operations of struct store_ops. */
#ifndef HWKEY_SOFT_RESTORE_H
#define HWKEY_SOFT_RESTORE_H

#include "backup.h"
#include "keys.h"

int soft_backup(const struct device *, const struct secret *passphrase, struct blob *ret, struct backup_info *ret_info,
		struct err *e);
int soft_backup_look(const struct device *, const struct blob *file, struct backup_info *ret, struct err *e);
int soft_restore(const struct device *, const struct blob *file, const struct restore *, struct backup_info *ret_info,
		 struct err *e);

#endif
