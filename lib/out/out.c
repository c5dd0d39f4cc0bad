// SPDX-License-Identifier: MIT
/* Module "out": rows through libsmartcols, so that tables and JSON look like lsblk's. */
#include "lib/out.h"

#include <ctype.h>
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/blob.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/module.h"

enum { COLUMNS_MAX = 64, KEY_MAX = 40 };	/* of a table; bytes of a JSON key */

struct out {
	struct libscols_table *table;
	const char *name;		/* as out_open() was given it: a constant of the command */
	const struct column *columns;
	struct out_format format;
	size_t shown[COLUMNS_MAX];	/* indexes into columns */
	size_t n;
	struct libscols_line *last;	/* of those that are not inside another */
	bool foreign;			/* a value has bytes that a terminal must not see as they are */
};

static const int json_types[] = {
	[OUT_STRING] = SCOLS_JSON_STRING, [OUT_NUMBER] = SCOLS_JSON_NUMBER, [OUT_BOOL] = SCOLS_JSON_BOOLEAN,
	[OUT_LIST] = SCOLS_JSON_NUMBER,		/* as it is: smartcols' own arrays are never empty but hold a null */
};

static int find_column(const struct column *columns, const char *name, size_t len)
{
	for (size_t i = 0; columns[i].name; i++)
		if (strlen(columns[i].name) == len && !strncasecmp(columns[i].name, name, len))
			return (int)i;
	return -ENOENT;
}

static int choose(struct out *o, struct err *e)
{
	const char *at = o->format.columns;

	for (size_t i = 0; !at && o->columns[i].name; i++)
		if (!o->columns[i].hidden || o->format.json || o->format.record)
			o->shown[o->n++] = i;
	while (at) {
		size_t len = strcspn(at, ",");
		int i = find_column(o->columns, at, len);

		if (i < 0 || o->n == COLUMNS_MAX)
			return err_set(e, EINVAL, "no column '%.*s' to show", (int)len, at);
		o->shown[o->n++] = (size_t)i;
		at = at[len] ? at + len + 1 : NULL;
	}
	return 0;
}

static int add_column(struct out *o, const struct column *c, bool tree, struct err *e)
{
	char key[KEY_MAX];
	struct libscols_column *col;
	int flags = c->type == OUT_NUMBER ? SCOLS_FL_RIGHT : 0;
	size_t i;

	flags |= tree ? SCOLS_FL_TREE : 0;
	for (i = 0; c->name[i] && i < sizeof(key) - 1; i++)
		key[i] = (char)(o->format.json ? tolower((unsigned char)c->name[i]) : c->name[i]);
	key[i] = '\0';
	if (o->format.stream && !o->format.json)
		key[0] = '\0';		/* a heading could make it wider, not as wide as asked for */
	col = scols_table_new_column(o->table, key, 0, flags);
	if (!col || (c->width && scols_column_set_whint(col, c->width) < 0) ||
	    scols_column_set_json_type(col, json_types[c->type]) < 0)
		return err_nomem(e);
	return 0;
}

static int open_table(struct out *o, const char *name, struct err *e)
{
	int r = 0;

	o->table = scols_new_table();
	o->name = name;
	if (!o->table || scols_table_set_name(o->table, name) < 0)
		return err_nomem(e);
	(void)scols_table_enable_json(o->table, o->format.json);
	(void)scols_table_enable_raw(o->table, o->format.raw);
	(void)scols_table_enable_noheadings(o->table, o->format.noheadings || o->format.stream);
	for (size_t i = 0; r == 0 && i < o->n; i++)
		r = add_column(o, &o->columns[o->shown[i]], i == 0 && o->format.tree, e);
	return r;
}

static int flush(struct err *e)
{
	return fflush(stdout) == 0 ? 0 : err_sys(e, "cannot write to standard output");
}

static int print_headings(const struct out *o, struct err *e)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct column *c = &o->columns[o->shown[i]];

		printf("%-*s%c", i + 1 < o->n && !o->format.raw ? (int)c->width : 0, c->name, i + 1 < o->n ? ' ' : '\n');
	}
	return flush(e);
}

static void free_out(struct out *o)
{
	if (o)
		scols_unref_table(o->table);
	free(o);
}

static int open_out(struct out **ret, const char *name, const struct column *columns, const struct out_format *f,
		    struct err *e)
{
	struct out *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return err_nomem(e);
	o->columns = columns;
	o->format = *f;
	r = choose(o, e);
	if (r == 0)
		r = open_table(o, name, e);
	if (r == 0 && f->stream && !f->json && !f->noheadings)
		r = print_headings(o, e);
	if (r < 0) {
		free_out(o);
		return r;
	}
	*ret = o;
	return 0;
}

/* Lines as a JSON array of strings. RET has room for six bytes for each of V's, and five. */
static char *format_array(const char *v, char *ret)
{
	size_t n = 0;

	ret[n++] = '[';
	for (size_t i = 0; v[i]; i++) {
		if (i == 0)
			ret[n++] = '"';
		if (v[i] == '\n')
			n += (size_t)snprintf(ret + n, 4, "\",\"");
		else if ((unsigned char)v[i] < ' ')
			n += (size_t)snprintf(ret + n, 7, "\\u%04x", v[i]);
		else
			n += (size_t)snprintf(ret + n, 3, "%s%c", v[i] == '"' || v[i] == '\\' ? "\\" : "", v[i]);
	}
	(void)snprintf(ret + n, 3, *v ? "\"]" : "]");
	return ret;
}

/* Bytes of the well-formed character at P (Unicode, table 3-7: no surrogate, nothing longer than it must be); 0: none. */
static size_t utf8_len(const unsigned char *p)
{
	size_t n = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)		/* ends at the NUL at the latest */
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
	    (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/*
 * JSON is UTF-8, a name or property may be any bytes: one that is no UTF-8 becomes U+FFFD and its two hex digits. So do the
 * bytes of U+FFFD itself, and all can be told back.
 */
static char *format_utf8(const char *v)
{
	static const char mark[] = "\xef\xbf\xbd";
	char *cell = malloc(5 * strlen(v) + 1), *at = cell;

	for (; cell && *v; v++) {
		size_t n = strncmp(v, mark, 3) != 0 ? utf8_len((const unsigned char *)v) : 0;

		if (n) {
			memcpy(at, v, n);
			at += n;
			v += n - 1;
		} else {
			memcpy(at, mark, 3);
			hex_encode(v, 1, at + 3);
			at += 5;
		}
	}
	if (cell)
		*at = '\0';
	return cell;
}

static char *format_json(const struct column *c, const char *v)
{
	char *text = format_utf8(v), *array;

	if (!text || c->type != OUT_LIST)
		return text;
	array = malloc(6 * strlen(text) + 5);
	if (array)
		(void)format_array(text, array);
	free(text);
	return array;
}

/* A list in a table or a record is one cell, "a, b". */
static char *format_text(const struct out *o, const struct column *c, const char *v)
{
	size_t n = 0;
	char *cell = malloc(2 * strlen(v) + 4);

	if (!cell)
		return NULL;
	if (c->type == OUT_BOOL)
		return strcpy(cell, *v == '1' ? "yes" : "no");
	for (; *v; v++) {
		if (*v == '\n' && c->type == OUT_LIST) {
			cell[n++] = ',';
			if (!o->format.raw)
				cell[n++] = ' ';
		} else {
			cell[n++] = *v;
		}
	}
	cell[n] = '\0';
	return cell;
}

/* The one object of a JSON table in a line of its own: no string has a newline in it, nor blanks after one. */
static int print_object(struct out *o, struct err *e)
{
	char *text, *at, *end;
	int r = scols_print_table_to_string(o->table, &text);

	if (r < 0)
		return err_nomem(e);
	at = strchr(strchr(text, '['), '{');
	*strrchr(text, ']') = '\0';
	end = strrchr(text, '}');
	for (bool skip = false; at <= end; at++) {
		skip = *at == '\n' || (skip && isblank((unsigned char)*at));
		if (!skip || (*at == '\n' && at[-1] == ','))
			putchar(skip ? ' ' : *at);
	}
	putchar('\n');
	free(text);
	return 0;
}

static int print_table(struct out *o, struct err *e)
{
	if (o->format.json && scols_table_is_empty(o->table)) {		/* smartcols breaks the line within the brackets */
		printf("{\n   \"%s\": []\n}\n", o->name);
		return 0;
	}
	/* smartcols writes such bytes as \xNN, and a backslash that is there already as \x5c: only if it must */
	(void)scols_table_enable_noencoding(o->table, !o->foreign);
	return scols_print_table(o->table) < 0 ? err_set(e, EIO, "cannot print the table") : 0;
}

/* One of two: without the bracket between them. */
static int print_member(const struct out *o, struct err *e)
{
	char *text;
	int r = scols_print_table_to_string(o->table, &text);

	if (r < 0)
		return err_nomem(e);
	if (o->format.part == OUT_FIRST)
		printf("%.*s,", (int)(strrchr(text, ']') + 1 - text), text);
	else
		printf("%s", text + 1);
	free(text);
	return 0;
}

static int stream_row(struct out *o, struct err *e)
{
	int r = o->format.json ? print_object(o, e) : print_table(o, e);

	scols_table_remove_lines(o->table);
	o->foreign = false;
	return r < 0 ? r : flush(e);
}

static int add_row(struct out *o, bool inside, const char *const *values, struct err *e)
{
	struct libscols_line *line = scols_table_new_line(o->table, inside && o->format.tree ? o->last : NULL);

	if (!line)
		return err_nomem(e);
	if (!inside)
		o->last = line;
	for (size_t i = 0; i < o->n; i++) {
		const struct column *c = &o->columns[o->shown[i]];
		const char *v = values[o->shown[i]];
		char *cell;

		if (!v && c->type == OUT_LIST && o->format.json)
			v = "";
		if (!v && (o->format.json || o->format.record))
			continue;
		for (const char *p = v; p && *p; p++)
			o->foreign = o->foreign || (unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f;
		cell = o->format.json ? format_json(c, v) : format_text(o, c, v ? v : "-");
		if (!cell || scols_line_refer_data(line, i, cell) < 0) {
			free(cell);
			return err_nomem(e);
		}
	}
	return o->format.stream ? stream_row(o, e) : 0;
}

/* "NAME  value" lines, an empty line between records; fields without a value are left out. */
static void print_record(const struct out *o, struct libscols_line *line, int width)
{
	for (size_t i = 0; i < o->n; i++) {
		struct libscols_cell *cell = scols_line_get_cell(line, i);
		const char *v = cell ? scols_cell_get_data(cell) : NULL;

		if (v)
			printf("%-*s %s\n", width, o->columns[o->shown[i]].name, v);
	}
}

static void print_records(const struct out *o)
{
	size_t n_lines = scols_table_get_nlines(o->table);
	int width = 0;

	for (size_t i = 0; i < o->n; i++) {
		int len = (int)strlen(o->columns[o->shown[i]].name);

		width = len > width ? len : width;
	}
	for (size_t l = 0; l < n_lines; l++) {
		if (l)
			putchar('\n');
		print_record(o, scols_table_get_line(o->table, l), width + 1);
	}
}

static int print_out(struct out *o, struct err *e)
{
	if (o->format.record && !o->format.json && !o->format.raw) {
		print_records(o);
		return 0;
	}
	if (scols_table_is_empty(o->table) && !o->format.json)
		return 0;
	if (o->format.json && o->format.part != OUT_ALONE)
		return print_member(o, e);
	if (o->format.part == OUT_LAST)
		putchar('\n');
	return print_table(o, e);
}

MODULE_EXPORT extern const struct out_module hwkey_module;
const struct out_module hwkey_module = {
	.open = open_out, .row = add_row, .print = print_out, .free = free_out,
};
