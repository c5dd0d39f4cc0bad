/* SPDX-License-Identifier: MIT */
/*
 * Clear key material. Lives in memfd_secret(2) pages where the kernel has them (not even root's debugger or a
 * kernel core sees those), else in locked pages left out of cores; wiped by secret_done().
 */
#ifndef HWKEY_SECRET_H
#define HWKEY_SECRET_H

#include <stddef.h>

#include "cleanup.h"

struct arena;
struct err;

struct secret {			/* all zero = empty */
	unsigned char *data;
	size_t len;		/* bytes used */
	size_t size;		/* bytes there is room for */
	struct arena *from;	/* secret.c's; NULL: a mapping of its own */
};

#define AUTO_SECRET AUTO(secret_done)

/* RET must be empty; it gets room for SIZE bytes (zero-filled), len 0. */
int secret_alloc(struct secret *ret, size_t size, struct err *e);
int secret_copy(struct secret *ret, const void *data, size_t len, struct err *e);
/* For secrets, instead of memmove(), which would leave them in vector registers for whoever takes a core. */
void secret_bytes_copy(void *to, const void *from, size_t len);
int secret_random(struct secret *ret, size_t len, struct err *e);	/* getrandom(2) */
/*
 * Reads FD to its end into the room that S has, MAX + 1 bytes or more. More than MAX bytes: EFBIG. After KNOWN bytes, which
 * fstat(2) told, it does not look for the end; SIZE_MAX: not known.
 */
int secret_fill(struct secret *s, int fd, size_t max, size_t known, struct err *e);
/* The same into an empty RET. */
int secret_read(struct secret *ret, int fd, size_t max, struct err *e);
void secret_done(struct secret *);	/* wipes; accepts empty */

/* This process: not dumpable, not traceable by its user, no core file. Called first in main(). */
void secret_protect_process(void);

/* Fills P from getrandom(2). */
int random_bytes(void *p, size_t len, struct err *e);

#endif
