/* SPDX-License-Identifier: MIT */
/*
 * The key repository, in zkey's on-disk format, so that both tools share one directory:
 *   NAME.skey  the token's bytes          NAME.info  properties, a line each, and their SHA-256
 *   NAME.renc  a staged new token         NAME.pass  a dummy passphrase        .lock  flock(2) of writers
 *
 * .info: "key=value\n" lines, '#' and empty lines skipped, a line at most 4095 bytes; last "__hash__=HEX", SHA-256 over
 * key||value of all lines in file order. Unknown properties and their order are kept.
 * Files take the directory's mode & 0664 and its group.
 *
 * Readers take no lock. Writers hold the lock, and every change has one commit point: a change of several files is
 * written down in ".hwkey.intent" first, and whoever opens the repository next finishes or undoes it.
 */
#ifndef HWKEY_REPO_H
#define HWKEY_REPO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "blob.h"

struct err;

struct repo {
	int dirfd;			/* -1: the directory is absent (reader): empty */
	int lockfd;			/* -1: reader */
	char *path;
	mode_t mode;			/* of new files */
	gid_t gid;
};

enum repo_flags { REPO_WRITE = 1 << 0 };	/* create the directory if absent (0700), take the lock */

/* A repository that others than owner and group may write: EPERM. */
int repo_open(struct repo *ret, const char *path, unsigned flags, struct err *e);
void repo_done(struct repo *);		/* accepts { .dirfd = -1, .lockfd = -1 } */

struct prop { char *key, *value; };
struct props { struct prop *v; size_t n; };	/* in file order, without __hash__ */

const char *props_get(const struct props *, const char *key);		/* NULL: absent */
/* Replaces in place, else appends; NULL value removes. Newline in either, or '=' in key: EINVAL. Line too long: E2BIG. */
int props_set(struct props *, const char *key, const char *value, struct err *e);
/* EBADMSG: malformed, cut, or the hash is missing or wrong. Pure. */
int props_parse(const char *text, size_t len, struct props *ret, struct err *e);
int props_format(const struct props *, struct blob *ret, struct err *e);
void props_done(struct props *);

struct entry {
	char *name;
	struct props props;
	struct blob token;		/* .skey */
	struct blob staged;		/* .renc; empty: none */
	bool has_passphrase;		/* .pass is there */
};

#define AUTO_ENTRY AUTO(entry_done)

void entry_done(struct entry *);

/* 1 to 200 bytes of A-Z a-z 0-9 . _ - + @ % : ~, not starting with '.' or '-'. Said once for every command. */
bool repo_valid_name(const char *name);

/* ENOENT: no such key. EBADMSG: one of the two files is missing, or damaged; the message names 'hwkey check'. */
int repo_read(const struct repo *, const char *name, struct entry *ret, struct err *e);
/* Only properties and whether a token is there: what a listing needs. */
int repo_read_info(const struct repo *, const char *name, struct entry *ret, struct err *e);

/* Names with a .info, sorted; *ret is one NULL-terminated allocation to free(). Invalid file names are skipped. */
int repo_names(const struct repo *, char ***ret, size_t *ret_n, struct err *e);

/* Durable on return; on error nothing has changed. All need REPO_WRITE. */
int repo_add(struct repo *, const struct entry *, struct err *e);			/* EEXIST */
int repo_update(struct repo *, const struct entry *, bool token_too, struct err *e);	/* ENOENT */
int repo_rename(struct repo *, const char *from, const char *to, struct err *e);	/* ENOENT, EEXIST */
int repo_copy(struct repo *, const char *from, const struct entry *to, struct err *e);	/* to: name and properties */
int repo_remove(struct repo *, const char *name, struct err *e);

struct repo_problem {
	const char *name;		/* file name */
	const char *what;		/* for a person */
	bool mended;
};
/* Calls SEE for each problem. REPAIR mends what can be mended without losing a key; needs REPO_WRITE. */
int repo_check(struct repo *, bool repair, int (*see)(void *ctx, const struct repo_problem *), void *ctx, struct err *e);

#endif
