/* SPDX-License-Identifier: MIT */
#ifndef HWKEY_DM_H
#define HWKEY_DM_H

#include <stdbool.h>

/*
 * Whether this kernel has device-mapper, by /proc/misc: /dev/mapper/control says nothing, because libdevmapper makes that
 * node even where the kernel has none.
 */
bool dm_is_here(void);

#endif
