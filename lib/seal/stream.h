/* SPDX-License-Identifier: MIT */
/* The two ends of a stream and what happens between them: private to this module. */
#ifndef HWKEY_SEAL_STREAM_H
#define HWKEY_SEAL_STREAM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "lib/crypto.h"

struct err;
struct seal_output;

struct source {
	int fd;
	const char *name;		/* for messages */
	const unsigned char *ahead;	/* bytes that were read before */
	size_t n_ahead;
	int stop;			/* descriptor that is readable when a signal wants the end; -1: none */
};

/* Up to LEN bytes, fewer only at the end. */
int source_read(struct source *, void *ret, size_t len, size_t *ret_len, struct err *e);

/*
 * Where a path cannot do without a temporary name, SIGHUP, SIGINT and SIGTERM are blocked from then on and STOP is readable
 * when one is pending: output_done() removes the name and lets the signal through.
 */
struct output {
	const char *path;		/* NULL: only FD */
	const char *name;		/* last part of PATH */
	int fd, dirfd, stop;
	bool replace;
	char temp[32];			/* temporary name in DIRFD; "": none */
	sigset_t mask;			/* as it was, if STOP is open */
};

#define OUTPUT_NONE { .fd = -1, .dirfd = -1, .stop = -1 }
#define AUTO_OUTPUT AUTO(output_done)

int output_open(struct output *ret, const struct seal_output *, struct err *e);	/* checks, creates nothing */
int output_create(struct output *, struct err *e);
int output_write(struct output *, const void *data, size_t len, struct err *e);
int output_publish(struct output *, struct err *e);		/* durable; on error there is nothing */
void output_done(struct output *);				/* what is not published is gone */

/* EFBIG for the segment after the 2^32nd. */
int stream_nonce(uint64_t segment, bool last, unsigned char ret[CRYPTO_NONCE], struct err *e);
int stream_seal(const unsigned char key[CRYPTO_KEY], struct source *, struct output *, struct err *e);
int stream_open(const unsigned char key[CRYPTO_KEY], struct source *, struct output *, struct err *e);

#endif
