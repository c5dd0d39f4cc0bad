/* SPDX-License-Identifier: MIT */
/* What the running system says of itself: files below env->sysroot, so that a test can be a machine. */
#ifndef HWKEY_SYSROOT_H
#define HWKEY_SYSROOT_H

#include <stddef.h>
#include <sys/types.h>

struct env;
struct err;

/* "SYSROOT/PATH". ENAMETOOLONG. */
int sysroot_path(const struct env *, const char *path, char *ret, size_t size, struct err *e);
/* The whole file, SIZE bytes at most: how many, or -errno without a message; -EFBIG: longer. */
ssize_t sysroot_read(const struct env *, const char *path, void *ret, size_t size);

enum { BOOT_ID = 16 };		/* bytes */

/* Another one after each boot. EOPNOTSUPP where the system tells none. */
int boot_id_read(const struct env *, unsigned char ret[BOOT_ID], struct err *e);

enum secure_boot { SECURE_BOOT_UNKNOWN, SECURE_BOOT_OFF, SECURE_BOOT_AUDIT, SECURE_BOOT_ENFORCE };

/*
 * As the firmware tells it: EFI's variables, or Power's device tree (ibm,secure-boot). A machine with neither has none:
 * off. What cannot be told is UNKNOWN. RET_WHY gets a word for a person, a constant.
 */
enum secure_boot secure_boot_read(const struct env *, const char **ret_why);

#endif
