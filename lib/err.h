/* SPDX-License-Identifier: MIT */
/* One error object per run: set where it happens, prefixed on the way up, printed once in main(). */
#ifndef HWKEY_ERR_H
#define HWKEY_ERR_H

#include <stdbool.h>

struct err {
	int code;		/* positive errno value, 0 = no error */
	char msg[512];		/* one line, lower case, no full stop, never a secret byte */
};

/*
 * All return -code, so that failing is one line: return err_set(e, ENOENT, "no key '%s'", name);
 * EINVAL means "the user's mistake" (exit status 2), so err_sys() turns a system call's EINVAL into EPROTO.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));	/* appends strerror(errno) */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));	/* "PREFIX: old message" */
/* "old message; HINT": the option that helps, which only a command knows. */
int err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int err_nomem(struct err *e);

/* Out of memory or descriptors, or a device that fails: says nothing of what was to be read, and may be gone next time. */
bool err_is_resource(int code);

/* The documented exit status (hwkey(8), EXIT STATUS) of an errno value; 0 for 0. */
int err_exit_status(int code);

#endif
