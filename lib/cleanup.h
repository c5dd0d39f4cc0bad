/* SPDX-License-Identifier: MIT */
/* Owned where declared: AUTO_CLOSE int fd = -1; AUTO_FREE char *s = NULL; */
#ifndef HWKEY_CLEANUP_H
#define HWKEY_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define AUTO(fn) __attribute__((cleanup(fn)))

static inline void auto_free(void *p) { free(*(void **)p); }
static inline void auto_close(int *fd) { if (*fd >= 0) (void)close(*fd); }

#define AUTO_FREE AUTO(auto_free)
#define AUTO_CLOSE AUTO(auto_close)	/* for descriptors that were only read; a writer checks close() itself */

/* What X owns, for another owner; X is left empty: *ret = TAKE(blob); */
#define TAKE(x) ({ __typeof__(x) taken_ = (x); (x) = (__typeof__(x)){ 0 }; taken_; })

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
