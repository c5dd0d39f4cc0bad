/* SPDX-License-Identifier: MIT */
/* What commands show: rows of named fields, from one column description, as table, JSON, raw lines or records. */
#ifndef HWKEY_OUT_H
#define HWKEY_OUT_H

#include <stdbool.h>
#include <stddef.h>

struct err;

enum out_part { OUT_ALONE, OUT_FIRST, OUT_LAST };	/* of two tables; in JSON they are members of one object */

enum out_type { OUT_STRING, OUT_NUMBER, OUT_BOOL, OUT_LIST };	/* LIST: values joined by '\n' */

struct column {
	const char *name;	/* heading, upper case; its lower case is the JSON key and what --output takes */
	enum out_type type;
	bool hidden;		/* shown in JSON and records, or if named in .columns */
	unsigned width;		/* characters at least, where rows are printed one by one */
};

struct out_format {
	bool json, raw, noheadings;
	bool tree;		/* rows of out_row_inside() hang below the last one of out_row() */
	bool record;		/* one "NAME  value" line per column instead of a table (not with json or raw) */
	enum out_part part;
	bool stream;		/* headings are printed at once, each row as it comes; JSON: an object and a newline each */
	const char *columns;	/* --output: NULL or "NAME,LABEL,..." in any case */
};

struct out;

/*
 * In JSON, where text must be UTF-8, a byte of a value that is not is U+FFFD and two hex digits (so are the three bytes of
 * U+FFFD itself). --raw writes control characters, bytes over 0x7e and then backslashes as \xNN, and blanks always.
 */
/* NAME is the JSON member that holds the rows. COLUMNS end with a NULL name. Unknown --output column: EINVAL. */
int out_open(struct out **ret, const char *name, const struct column *, const struct out_format *, struct err *e);
/* VALUES in the order of the columns; NULL: none (JSON null, "-" in a table). Booleans are "1" or "0". Copied. */
int out_row(struct out *, const char *const *values, struct err *e);
/* The same for a part of the last row of out_row(). */
int out_row_inside(struct out *, const char *const *values, struct err *e);
/* Prints all. The caller flushes and checks standard output. */
int out_print(struct out *, struct err *e);
void out_free(struct out *);	/* accepts NULL */

static inline void out_freep(struct out **o) { out_free(*o); }
#define AUTO_OUT __attribute__((cleanup(out_freep)))

/* The table of module "out", which links libsmartcols; used by lib/out.c only. */
struct out_module {
	int (*open)(struct out **ret, const char *name, const struct column *, const struct out_format *, struct err *e);
	int (*row)(struct out *, bool inside, const char *const *values, struct err *e);
	int (*print)(struct out *, struct err *e);
	void (*free)(struct out *);
};

#endif
