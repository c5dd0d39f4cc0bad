/* SPDX-License-Identifier: MIT */
#ifndef HWKEY_DM_H
#define HWKEY_DM_H

#include <stdbool.h>

/*
 * Whether this kernel has device-mapper. Where it is a module that nobody needed yet, as on a freshly started Debian, it is
 * loaded by that: whoever opens /dev/mapper/control asks the kernel for it. The answer stands in /proc/misc; the node alone
 * says nothing, because libdevmapper makes it even where the kernel has no device-mapper.
 * SYSROOT: of the machine captured there, of which nothing is opened; NULL: of this one.
 */
bool dm_is_here(const char *sysroot);

#endif
