/* SPDX-License-Identifier: MIT */
#ifndef HWKEY_UTC_H
#define HWKEY_UTC_H

struct err;

enum { UTC_SIZE = sizeof("2025-01-31T12:00:00Z") };

/* Now, as in RFC 3339. ERANGE: the clock tells a year of more than four digits. */
int utc_now(char ret[UTC_SIZE], struct err *e);

#endif
