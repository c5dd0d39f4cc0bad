/* SPDX-License-Identifier: MIT */
/* Options are const data: parsed by popt, printed by --help, offered by completion, checked against man/. */
#ifndef HWKEY_OPT_H
#define HWKEY_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum opt_type { OPT_END, OPT_TYPE_FLAG, OPT_TYPE_STR, OPT_TYPE_U32 };

enum complete {		/* what a word is, for completion */
	COMPLETE_NONE, COMPLETE_FILE, COMPLETE_DIR, COMPLETE_KEY, COMPLETE_DEVICE, COMPLETE_STORE, COMPLETE_VOLUME,
	COMPLETE_OBJECT, COMPLETE_CONSUMER, COMPLETE_POLICY, COMPLETE_WRAP_POLICY, COMPLETE_KEY_OR_VOLUME,
	COMPLETE_KEY_TYPE,
};

struct opt {
	enum opt_type type;
	const char *name;
	char letter;
	size_t offset;			/* of the value in the values struct */
	const char *arg;
	const char *help;
	const char *const *choices;	/* NULL-terminated, for closed sets; taken in any case */
	enum complete complete;
};

/* The member's type is checked at compile time; 0 is added to the offset. */
#define OPT_AT(s, m, t) (offsetof(s, m) + 0 * sizeof(char[_Generic(((s *)0)->m, t: 1, default: -1)]))
#define OPT_FLAG(s, m, n, l, h) \
	{ .type = OPT_TYPE_FLAG, .name = n, .letter = l, .offset = OPT_AT(s, m, bool), .help = h }
#define OPT_STR(s, m, n, l, a, h, ...) \
	{ .type = OPT_TYPE_STR, .name = n, .letter = l, .offset = OPT_AT(s, m, char *), .arg = a, .help = h, __VA_ARGS__ }
#define OPT_U32(s, m, n, l, a, h) \
	{ .type = OPT_TYPE_U32, .name = n, .letter = l, .offset = OPT_AT(s, m, uint32_t), .arg = a, .help = h }

struct opt_group {			/* rows and the struct they fill */
	const struct opt *opts;		/* ends with a zero row; NULL: none */
	void *values;
};

struct args {
	void *popt;			/* owns the strings below */
	const char **argv;
	int argc;
};

/*
 * Fills the groups' values from ARGV (ARGV[0] is skipped). Strings belong to the groups until opt_done(). A bad
 * option, a bad value, an option given twice: EINVAL.
 */
int opt_parse(const char *prog, int argc, const char **argv, const struct opt_group *, size_t n_groups, struct args *ret,
	      struct err *e);
void opt_done(const struct opt_group *, size_t n_groups, struct args *);

void opt_print_help(const char *prog, const char *synopsis, const struct opt_group *, size_t n_groups);

/* The row called WORD ("--name" or "-n"), or NULL. */
const struct opt *opt_find(const struct opt_group *, size_t n_groups, const char *word);

#endif
