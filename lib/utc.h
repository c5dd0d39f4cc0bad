/* SPDX-License-Identifier: MIT */
#ifndef HWKEY_UTC_H
#define HWKEY_UTC_H

#include <time.h>

struct err;

enum { UTC_SIZE = sizeof("2025-01-31T12:00:00Z") };

/* As in RFC 3339. ERANGE: a year of more than four digits. */
int utc_format(time_t, char ret[UTC_SIZE], struct err *e);
int utc_now(char ret[UTC_SIZE], struct err *e);

#endif
