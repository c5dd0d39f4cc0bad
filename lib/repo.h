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
 * written down in ".hwkey.intent" first, and whoever opens the repository next finishes or undoes it (see repo-internal.h).
 * A key is there when NAME.info is, and NAME.info is there only beside its NAME.skey: so readers see keys whole.
 */
#ifndef HWKEY_REPO_H
#define HWKEY_REPO_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "blob.h"
#include "token.h"

struct err;
struct key;

enum { INFO_LINE_MAX = 4095, INFO_MAX = 65536, NAME_LEN_MAX = 200 };	/* bytes; a line without its newline */

struct repo {
	int dirfd;			/* -1: the directory is absent: empty */
	int lockfd;			/* -1: reader, or absent */
	char *path;
	mode_t mode;			/* of new files */
	gid_t gid;
};

enum repo_flags {
	REPO_WRITE = 1 << 0,		/* take the lock */
	REPO_CREATE = 1 << 1,		/* with REPO_WRITE: make the directory if absent (0700) */
};

/*
 * A repository that others than owner and group may write: EPERM. PATH itself may be a symbolic link (its owner chose it),
 * nothing in the directory may. Absent and not REPO_CREATE: an empty one, to which nothing can be added.
 */
int repo_open(struct repo *ret, const char *path, unsigned flags, struct err *e);
void repo_done(struct repo *);		/* accepts { .dirfd = -1, .lockfd = -1 } */

struct prop { char *key, *value; };
struct props { struct prop *v; size_t n; };	/* in file order, without __hash__ */

const char *props_get(const struct props *, const char *key);		/* NULL: absent */
/* Replaces in place, else appends; NULL value removes. Newline in either, or '=' in key: EINVAL. Line too long: E2BIG. */
int props_set(struct props *, const char *key, const char *value, struct err *e);
/* EBADMSG: malformed, cut, or the hash is missing or wrong. Pure. */
int props_parse(const char *text, size_t len, struct props *ret, struct err *e);
int props_parse_lines(const char *text, size_t len, struct props *ret, struct err *e);	/* asks for no hash */
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

/*
 * What zkey allows, except what would hide a file, look like an option or write to a terminal: 1 to 200 bytes, no control
 * character (C1 in UTF-8 included), none of / \ space * ? ' ", not starting with '.' or '-'. Said once for every command.
 */
bool repo_valid_name(const char *name);
int repo_check_name(const char *name, struct err *e);		/* EINVAL */

/* ENOENT: no such key. EBADMSG: one of the two files is missing, or damaged; the message names 'hwkey check'. */
int repo_read(const struct repo *, const char *name, struct entry *ret, struct err *e);
/* Only properties and token, in six system calls: what a listing needs. */
int repo_read_info(const struct repo *, const char *name, struct entry *ret, struct err *e);

/* Names with a .info, sorted; *ret is one NULL-terminated allocation to free(). Invalid file names are skipped. */
int repo_names(const struct repo *, char ***ret, size_t *ret_n, struct err *e);

/*
 * Durable on return. All need REPO_WRITE. On error nothing has changed, but for two cases: the change is made and could not
 * be made durable, or what it leaves behind could not be removed. Then the message says that it is made; the next command
 * does the rest.
 */
int repo_add(struct repo *, const struct entry *, struct err *e);			/* EEXIST */
/* ENOENT. TOKEN_TOO: .skey and .renc become what the entry holds as well; an empty .staged removes .renc. */
int repo_update(struct repo *, const struct entry *, bool token_too, struct err *e);
int repo_rename(struct repo *, const char *from, const char *to, struct err *e);	/* ENOENT, EEXIST */
/* TO: name and properties; token, staged token and dummy passphrase are FROM's. */
int repo_copy(struct repo *, const char *from, const struct entry *to, struct err *e);
int repo_remove(struct repo *, const char *name, struct err *e);	/* a damaged one too: all files of that name */
/*
 * The same, and the files are overwritten before their names go, also if the next command must finish that. EBUSY: one of
 * them has another name, whose bytes these are, too. CHECK: only whether it would be refused.
 */
int repo_erase(struct repo *, const char *name, bool check, struct err *e);

/* --- what a new entry says of itself (repo-entry.c), for every command that makes one --- */

struct entry_about {			/* NULL: zkey's default */
	const char *description;
	const char *volumes;		/* "VOL:DM,..." */
	const char *apqns;		/* "CC.DDDD,..."; cca and ep11 keys only */
	const char *volume_type;	/* of volume_types, any case */
	const char *sector_size;	/* of sector_sizes, bytes; "0": system default */
	const char *pattern;		/* verification pattern, 64 hex digits */
};

/* Name, properties in zkey's order and creation time; the caller adds .token. RET must be empty. EINVAL: a bad value. */
int entry_init(struct entry *ret, const char *name, const struct key *, const struct entry_about *, struct err *e);
/* Changes what ABOUT gives and checks it the same way. .volumes and .apqns may start with '+' (add) or '-' (remove). */
int entry_change(struct entry *, const struct entry_about *, struct err *e);
int entry_stamp(struct entry *, const char *key, struct err *e);	/* KEY = now: "update-time", "reencipher-time" */
/* A time as it stands there, local, in UTC as ISO 8601 has it: RET. What is no time is TEXT itself. */
const char *entry_time(const char *text, char ret[21]);
extern const char *const volume_types[], *const sector_sizes[];	/* NULL-terminated; any case is taken */

/* --- volumes of a key (repo-volumes.c) --- */

struct volume_item {			/* "VOL:DM" in a list; points into it */
	const char *vol, *dm;
	size_t len, dm_len;		/* of VOL, of DM; a DM may be missing (0) */
	size_t size;			/* of both with their colon */
};

/* The next volume of the list at *AT (NULL: an empty one); false at its end. */
bool volumes_next(const char **at, struct volume_item *ret);
/* Its device: the path it is, or what udev links "UUID=..." and its like to below /dev/disk. */
void volume_device(const struct volume_item *, char ret[PATH_MAX]);
/* EBUSY if another key than NAME already has one of VOLUMES (the part before ':'). Reads every .info. */
int repo_check_volumes(const struct repo *, const char *name, const char *volumes, struct err *e);
/* Does one of VOLUMES (NULL: none) match PATTERN: fnmatch on the part before ':', on both parts if PATTERN has ':'. */
bool volumes_match(const char *volumes, const char *pattern);

/* As repo_names(), and what a damaged key has left: a NAME.skey without .info. */
int repo_names_damaged(const struct repo *, char ***ret, size_t *ret_n, struct err *e);

/* Name of a key of TYPE, or of one that may be: a lone .skey counts, and what cannot be read. "": there is none. */
int repo_find_type(const struct repo *, enum key_type, char ret[NAME_LEN_MAX + 1], struct err *e);

struct repo_problem {
	const char *name;		/* file name */
	const char *what;		/* is wrong, for a person */
	const char *remedy;		/* what repairing does, or has done; NULL: nothing can be done from here */
	bool mended;
};
/* Calls SEE for each problem. REPAIR mends what can be mended without losing a key; needs REPO_WRITE. */
int repo_check(struct repo *, bool repair, int (*see)(void *ctx, const struct repo_problem *), void *ctx, struct err *e);

#endif
