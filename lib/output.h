/* SPDX-License-Identifier: MIT */
/* A user's output file: appears 0600, whole and durable, or not at all. Or standard output, as the bytes come. */
#ifndef HWKEY_OUTPUT_H
#define HWKEY_OUTPUT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "cleanup.h"

struct err;

struct output_to {
	const char *path;		/* NULL: to FD */
	bool replace;			/* a regular file at PATH; else EEXIST */
	int fd;
};

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

int output_open(struct output *ret, const struct output_to *, struct err *e);	/* checks, creates nothing */
int output_create(struct output *, struct err *e);
int output_write(struct output *, const void *data, size_t len, struct err *e);
/* On error there is nothing, or what was there; a file that took another's place stays, and the message says so. */
int output_publish(struct output *, struct err *e);		/* durable */
void output_done(struct output *);				/* what is not published is gone */

#endif
