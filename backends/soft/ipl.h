/* SPDX-License-Identifier: MIT */
/*
 * The start of a boot, as PowerVM does it at each IPL: copies of the root key are read and compared, missing ones made
 * again.
 *
 * What is made again is only what was configured and is not there: the half of an anchor. What is there and is of another
 * key is never overwritten but by CHECK_HEAL_FOREIGN, and nothing is by an older root key. A plain slot is never made but
 * by its name: whoever can write to the disk for a moment could else have the clear root key put there.
 */
#ifndef HWKEY_SOFT_IPL_H
#define HWKEY_SOFT_IPL_H

#include "store.h"

/* For who writes first in a boot, and holds the lock. What is wrong is told; it stops nothing. */
void ipl_start(const struct store *);
/* "healthy", or "degraded: " and what is wrong first. */
void ipl_health(const struct store *, char *ret, size_t size);
int ipl_check(const struct device *, unsigned flags, struct check_step ret[CHECK_STEPS], struct err *e);

#endif
