/* SPDX-License-Identifier: MIT */
/* Whether something sealed, or a key token, would open as things are now, without opening it. */
#ifndef HWKEY_CMD_EXPLAIN_H
#define HWKEY_CMD_EXPLAIN_H

#include "cmd.h"

enum { EXPLAIN_MAX = 2048 };		/* bytes */

/* "opens", "opens with its PIN", or what does not hold, joined by '\n'; empty where only opening tells. */
void explain_now(struct device *list, const char *backend, const struct blob *token, char ret[EXPLAIN_MAX]);
/* What TOKEN's policy is, in words, joined by '\n'; empty: there is none, or no more is known. */
void explain_policy(const struct blob *token, char *ret, size_t size);

#endif
