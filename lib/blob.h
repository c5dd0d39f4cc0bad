/* SPDX-License-Identifier: MIT */
/* Bytes that are not secret: wrapped keys, headers, file contents. Clear key material is a struct secret. */
#ifndef HWKEY_BLOB_H
#define HWKEY_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cleanup.h"

struct err;

struct blob {			/* all zero = empty */
	unsigned char *data;	/* malloc'd */
	size_t len;
};

#define AUTO_BLOB AUTO(blob_done)

int blob_alloc(struct blob *ret, size_t len, struct err *e);	/* zero-filled; len 0 gives a valid pointer */
int blob_copy(struct blob *ret, const void *data, size_t len, struct err *e);
void blob_done(struct blob *);

/* Explicit big-endian access, one byte at a time: works on any host and any alignment. N is 1 to 8 bytes. */
static inline void be_put(unsigned char *p, uint64_t v, unsigned n)
{
	while (n--) {
		p[n] = (unsigned char)v;
		v >>= 8;
	}
}

static inline uint64_t be_get(const unsigned char *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static inline bool bytes_are_zero(const unsigned char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && !memcmp(p, p + 1, n - 1));
}

void hex_encode(const void *data, size_t len, char *ret);		/* writes 2 * len digits and a NUL */
void uuid_format(const unsigned char uuid[16], char ret[37]);		/* 8-4-4-4-12 digits and a NUL */
int hex_decode(const char *text, size_t len, unsigned char *ret);	/* len even; 0, or -EINVAL on a bad digit */

#endif
