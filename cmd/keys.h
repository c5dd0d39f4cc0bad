/* SPDX-License-Identifier: MIT */
/* How a key of the repository is shown: list and show share the columns. */
#ifndef HWKEY_KEYS_H
#define HWKEY_KEYS_H

#include "cmd.h"

extern const struct column key_columns[];

/* One row. Control characters in ENTRY's properties are replaced unless JSON escapes them. */
int key_row(const struct hwkey *, struct out *, struct entry *, struct err *e);
/* A row of which only the name is known. */
int key_row_damaged(struct out *, const char *name, struct err *e);

/* "a,b" as an OUT_LIST column wants it; NULL is fine. */
void commas_to_lines(char *);

#endif
