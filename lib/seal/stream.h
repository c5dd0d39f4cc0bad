/* SPDX-License-Identifier: MIT */
/* The two ends of a stream and what happens between them: private to this module. */
#ifndef HWKEY_SEAL_STREAM_H
#define HWKEY_SEAL_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "lib/crypto.h"
#include "lib/output.h"

struct err;

struct source {
	int fd;
	const char *name;		/* for messages */
	const unsigned char *ahead;	/* bytes that were read before */
	size_t n_ahead;
	int stop;			/* descriptor that is readable when a signal wants the end; -1: none */
};

/* What one read(2) gives, AHEAD left aside; 0 bytes at the end. */
int source_some(const struct source *, void *ret, size_t len, size_t *ret_len, struct err *e);
/* Up to LEN bytes, fewer only at the end. */
int source_read(struct source *, void *ret, size_t len, size_t *ret_len, struct err *e);

/* EFBIG for the segment after the 2^32nd. */
int stream_nonce(uint64_t segment, bool last, unsigned char ret[CRYPTO_NONCE], struct err *e);
int stream_seal(const unsigned char key[CRYPTO_KEY], struct source *, struct output *, struct err *e);
int stream_open(const unsigned char key[CRYPTO_KEY], struct source *, struct output *, struct err *e);

#endif
