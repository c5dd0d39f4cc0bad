/* SPDX-License-Identifier: MIT */
/* Putting a backup (backup.h) back: an operation of struct store_ops. */
#ifndef HWKEY_SOFT_RESTORE_H
#define HWKEY_SOFT_RESTORE_H

#include "lib/backend.h"

int soft_restore(const struct device *, const struct blob *file, const struct restore *, struct backup_info *ret_info,
		 struct err *e);

#endif
