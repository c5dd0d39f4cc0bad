/* SPDX-License-Identifier: MIT */
/* Backups of the keystore: the operations of struct store_ops. */
#ifndef HWKEY_SOFT_RESTORE_H
#define HWKEY_SOFT_RESTORE_H

#include "backup.h"
#include "keys.h"

struct env;

/* As those who make and open them see one. */
void backup_describe(const struct backup *, struct backup_info *ret);
/* Of that KIND, a flag of the container. EBADMSG. */
int backup_read(const struct blob *file, uint32_t kind, struct backup *ret, struct err *e);
/* What opens a slot of that type, for who has not given it; WHAT it is in: "backup", "export". */
int backup_ask(const struct env *, const char *what, enum slot_type, struct secret *ret, struct err *e);
/* The generation before stays in its file until the new one was read back; then both files hold the new contents. */
int store_commit_both(struct store *, struct err *e);

int soft_backup(const struct device *, const struct secret *passphrase, struct blob *ret, struct backup_info *ret_info,
		struct err *e);
int soft_backup_look(const struct device *, const struct blob *file, struct backup_info *ret, struct err *e);
int soft_restore(const struct device *, const struct blob *file, const struct restore *, struct backup_info *ret_info,
		 struct err *e);

#endif
