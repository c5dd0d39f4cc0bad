/* SPDX-License-Identifier: MIT */
/* What the files repo*.c share. */
#ifndef HWKEY_REPO_INTERNAL_H
#define HWKEY_REPO_INTERNAL_H

#include "repo.h"
#include "token.h"

enum { REPO_TOKEN_MAX = TOKEN_MAX, PASS_MAX = 8 << 20 };	/* bytes */

struct file_name { char s[NAME_LEN_MAX + 16]; };
struct file_name file_name(const char *name, const char *suffix);

/* As repo_names(), but every file, "." and ".." too. */
int repo_files(const struct repo *, char ***ret, size_t *ret_n, struct err *e);

/* 1 there (of any kind), 0 not there, else -errno with a message: an error is never taken for absence. */
int file_exists(const struct repo *, const char *file, struct err *e);
int file_remove(const struct repo *, const char *file, struct err *e);	/* not there: fine */
/* As file_write_at(), with the repository's mode and group. */
int repo_write_file(const struct repo *, const char *file, const struct blob *, bool replace, struct err *e);
int repo_write_info(const struct repo *, const char *file, const struct props *, bool replace, struct err *e);

int volume_check(const char *item, struct err *e);	/* EINVAL: no VOLUME:DM-NAME */

extern const char *const token_suffixes[];	/* what lies beside .info: ".skey", ".renc", ".pass", NULL */

/*
 * ".hwkey.intent", one line "VERB NAME [NAME]\n": the change of several files that is under way.
 *   settle    a NAME without .info is not (or no longer) a key: its other files go. So adding and copying, renaming
 *             (by hard links) and removing commit with the one rename or unlink of .info, and this undoes or finishes them.
 *   erase     the same, and all of them are overwritten before; NAME.info is .hwkey.old-info then
 *   update    the files .hwkey.new-{skey,renc,info} that are there take the place of NAME's: the intent is the commit
 *   complete  the same, and NAME.renc goes
 */
#define INTENT ".hwkey.intent"
#define OLD_INFO ".hwkey.old-info"

struct new_file { const char *temp, *suffix; };
extern const struct new_file new_files[];		/* ends with a zero row; none is called *.info, for zkey's sake */
void temp_remove(const struct repo *);			/* what a killed writer left; not while there is an intent */

int intent_write(const struct repo *, const char *verb, const char *a, const char *b, struct err *e);	/* durable */
/* Does what the intent says and removes it; can be interrupted and repeated. EBADMSG: there is one, but not ours. */
int intent_finish(const struct repo *, struct err *e);
/* Whether a change of NAME is under way, or was cut short: what looks like damage may be half of it. */
bool intent_names(const struct repo *, const char *name);
/* A reader takes no lock: so often it looks again before it calls something damaged or gone. */
enum { REPO_LOOKS = 5 };

#endif
