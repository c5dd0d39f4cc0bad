/* SPDX-License-Identifier: MIT */
/* A subcommand is one const struct cmd in one file cmd/NAME.c, listed in cmd/commands.c. */
#ifndef HWKEY_CMD_H
#define HWKEY_CMD_H

#include "lib/backend.h"
#include "lib/blob.h"
#include "lib/cleanup.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/opt.h"
#include "lib/out.h"
#include "lib/repo.h"
#include "lib/secret.h"

/* What main() prepares before run() is called, and releases after it. */
enum need {
	NEED_DEVICES = 1 << 0,		/* hw->devices, of backends that can do something, and only one keystore of each */
	NEED_ALL_DEVICES = 1 << 5,	/* hw->devices, every one: those too that can only be listed */
	NEED_REPO = 1 << 1,		/* hw->repo, for reading; a missing directory is an empty repository */
	NEED_REPO_WRITE = 1 << 2,	/* hw->repo, writer's lock held; a missing directory stays missing */
	SHOWS = 1 << 3,			/* accepts --json, --output, --raw, --noheadings: hw->out */
	SYSROOT = 1 << 4,			/* accepts --sysroot: hw->env.sysroot */
};

struct hwkey {				/* the run's context; there are no globals */
	struct env env;
	const char *repo_path;
	struct repo repo;
	struct device *devices;
	struct out_format out;
	bool quiet, verbose, batch;
	char *captured;			/* the keystore's place in a captured machine; NULL: it is this one */
};

struct cmd {
	const char *name;
	const char *synopsis;		/* positional arguments, as in the man page */
	const char *summary;
	const struct opt *opts;
	int min_args, max_args;		/* max -1: any number */
	enum complete complete[3];	/* of positional arguments; the last non-zero one repeats */
	unsigned needs;
	/* 0 or -errno with *e set. OPTS is the values struct that .opts describes, zero-filled, OPTS_SIZE at most. */
	int (*run)(struct hwkey *, const void *opts, const struct args *, struct err *);
};

#define OPTS_SIZE 256			/* of any command's options struct, asserted by CMD_OPTS() */
#define CMD_OPTS(s) _Static_assert(sizeof(s) <= OPTS_SIZE, "grow OPTS_SIZE")

extern const struct cmd *const commands[];	/* NULL-terminated, sorted */
const struct cmd *cmd_find(const char *name);

/* The options every command takes, and those of a command that SHOWS, or takes SYSROOT. */
struct common { bool help, quiet, verbose, batch, json, raw, noheadings; char *repository, *output, *sysroot; };
extern const struct opt opts_common[], opts_shows[], opts_looks[];

/* Whether one of opts_shows was given: to be refused by a command that SHOWS when it will show nothing. */
static inline bool shows_asked(const struct out_format *f)
{
	return f->json || f->raw || f->noheadings || f->columns;
}

int complete(struct hwkey *, int argc, const char **argv);	/* hwkey --complete WORD... */

/* --- helpers the commands share (cmd/io.c, cmd/ask.c) --- */

/* The bytes of FILE ("-": standard input), at most MAX. A file others may read is refused unless it is "-". */
int read_secret_file(const char *file, size_t max, struct secret *ret, struct err *e);
/* The same for what is not secret: whoever may read it. */
int read_plain_file(const char *file, size_t max, struct blob *ret, struct err *e);
/* A file, 0600, durable, whole or not at all. EEXIST unless REPLACE. */
int write_plain_file(const char *path, const struct blob *, bool replace, struct err *e);
/* Whether write_secret_output() would begin: before what cannot be undone is done. */
int check_secret_output(const char *output, bool force_tty, struct err *e);
/* To OUTPUT (NULL or "-": standard output). A file is created 0600, never overwritten, there whole or not at all. */
int write_secret_output(const char *output, const struct secret *, bool force_tty, struct err *e);
/* "Remove key 'x'? [y/N]" on the terminal; --batch, or standard input is no terminal: EACCES. */
int confirm(struct hwkey *, const char *question, struct err *e);
/* For what cannot be undone: WORD must be typed, and it is --i-understand that a script gives instead. */
int confirm_word(struct hwkey *hw, const char *word, struct err *e);
/* env.ask: $CREDENTIALS_DIRECTORY/NAME, then a prompt on the terminal unless --batch. */
int ask_secret(const struct env *, const char *name, const char *prompt, struct secret *ret, struct err *e);
/* A new passphrase, typed twice; credential as in ask_secret. */
int ask_new_secret(const struct env *, const char *name, const char *prompt, struct secret *ret, struct err *e);
/* One line on standard error, "hwkey: ..."; not with --quiet. env.note is the same. */
void note(const struct env *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void warn(const struct env *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));	/* also with --quiet */
/*
 * Whether a keystore is whole, by opening it: TEXT, which says how it is protected, is replaced where it is not. Nobody is
 * asked for its passphrase: one that needs it is not judged. One that is missing is bad if a key needs it.
 */
enum verdict keystore_examine(const struct device *, enum verdict, char *text, size_t size);
/* The same without opening it: only whether it is missing. */
enum verdict keystore_look(const struct device *, enum verdict, char *text, size_t size);
int keystore_may_create(const struct env *, struct err *e);	/* ENOENT: keys of the repository need the one that was */

#endif
