/* SPDX-License-Identifier: MIT */
/*
 * Against rollback: a counter in a TPM, which only grows, and of which a container says in its header which one it is
 * (anchor: 4 bytes COUNTER_TPM2, 4 handle) and what it said when the container was written, plus one (counter). It moves
 * when the container is durable. So of a container with counter n, when the TPM says
 *   n      it is the last one that was committed
 *   n - 1  it was being committed, and counts if it follows what is in the other file; who writes moves the counter then
 *   more   it is an old copy: somebody put it back
 * Commits that do not wait share one step. The counter is under a value that only the root key gives.
 */
#ifndef HWKEY_SOFT_COUNTER_H
#define HWKEY_SOFT_COUNTER_H

#include "store.h"

enum { COUNTER_TPM2 = 1 };

/* Of a store that was just read; S->counted is what the TPM says. EBADMSG: rolled back, or the counter cannot be read. */
int counter_check(struct store *s, struct err *e);
/* What the next container says. */
uint64_t counter_next(const struct store *s);
/* The newest container is durable. Where the counter cannot be moved the next writer does it: a warning. */
void counter_advance(struct store *s);
/*
 * A new counter, whatever the old one said, or none; committed on return. EEXIST, ENOENT: it is so already. RENEW: what is
 * here counts from now on; without a TPM there is no counter any more, with a warning.
 */
int counter_set(struct store *s, bool on, struct err *e);
int counter_renew(struct store *s, struct err *e);
void counter_describe(const struct store *s, char *ret, size_t size);	/* for a person; empty: there is none */
/* Removes the counter that a container's header names, where the TPM is here; nothing is proven. */
void counter_forget(const struct env *env, uint64_t anchor);

#endif
