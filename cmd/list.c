// SPDX-License-Identifier: MIT
#include "keys.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

struct values { char *type, *volume; };
CMD_OPTS(struct values);

static const struct opt opts[] = {
	OPT_STR(struct values, type, "type", 't', "TYPE", "Only keys of this type, as CCA-AESCIPHER or local, in any case"),
	OPT_STR(struct values, volume, "volume", 'l', "PATTERN",
		"Only keys of a volume that matches VOLUME or VOLUME:DM-NAME", .complete = COMPLETE_VOLUME),
	{ 0 }
};

struct listing {
	const struct hwkey *hw;
	const struct values *o;
	struct out *out;
	bool last_look;
	size_t shown, damaged;
	struct err why;			/* of the first damaged one */
};

static void listing_done(struct listing *l)
{
	out_free(l->out);
}

/* TYPE is as .info says it, or without the family before its first '-', as new keys are asked for: HWKEY-LOCAL, local. */
static bool is_type(const char *type, const char *asked)
{
	const char *dash = strchr(type, '-');

	return !strcasecmp(type, asked) || (dash && !strcasecmp(dash + 1, asked));
}

static bool is_asked(const struct values *o, const struct entry *entry)
{
	const char *type = props_get(&entry->props, "key-type") ?: "CCA-AESDATA";

	return (!o->type || is_type(type, o->type)) &&
	       (!o->volume || volumes_match(props_get(&entry->props, "volumes"), o->volume));
}

/* A damaged key does not hide the others: it is shown as such, and the exit status tells. */
static int show_one(struct listing *l, const char *name, struct err *e)
{
	bool whole = l->hw->out.json || l->hw->out.columns;	/* who wants to know if there is a staged token */
	AUTO_ENTRY struct entry entry = { 0 };
	struct err why;
	int r = (whole ? repo_read : repo_read_info)(&l->hw->repo, name, &entry, &why);

	if (r < 0 && r != -EBADMSG) {
		*e = why;
		return r;
	}
	if (r == 0 && !is_asked(l->o, &entry))
		return 0;
	l->shown++;
	if (r == 0)
		return key_row(l->hw, l->out, &entry, e);
	if (++l->damaged == 1)
		l->why = why;
	return key_row_damaged(l->out, name, e);
}

static bool is_name(const char *pattern)
{
	return repo_valid_name(pattern) && !strchr(pattern, '[');
}

/* A name costs the same however many keys there are. */
static int show_names(struct listing *l, const struct args *args, struct err *e)
{
	int r = 0;

	for (int i = 0; r == 0 && i < args->argc; i++)
		r = show_one(l, args->argv[i], e);
	return r;
}

static bool matches(const struct args *args, const char *name)
{
	for (int i = 0; i < args->argc; i++)
		if (fnmatch(args->argv[i], name, 0) == 0)
			return true;
	return args->argc == 0;
}

static int show_matching(struct listing *l, const struct args *args, struct err *e)
{
	AUTO_FREE char **names = NULL;
	size_t n = 0;
	int r = repo_names(&l->hw->repo, &names, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!matches(args, names[i]))
			continue;
		r = show_one(l, names[i], e);
		if (r == -ENOENT && l->last_look)
			r = 0;
	}
	return r;
}

/* A key that went away meanwhile may be there under another name: then all is looked at again. */
static int look(struct listing *l, const struct args *args, bool names, struct err *e)
{
	enum { LOOKS = 5 };
	const struct listing empty = *l;
	struct err own = { 0 };
	int r = -ENOENT;

	for (int i = 1; r == -ENOENT && i <= (names ? 1 : LOOKS); i++) {
		listing_done(l);
		*l = empty;
		l->last_look = i == LOOKS;
		r = out_open(&l->out, "keys", key_columns, &l->hw->out, &own);
		if (r == 0)
			r = (names ? show_names : show_matching)(l, args, &own);
	}
	if (r < 0)
		*e = own;
	return r;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO(listing_done) struct listing l = { .hw = hw, .o = values };
	bool names = args->argc > 0;
	int r;

	for (int i = 0; i < args->argc; i++)
		names = names && is_name(args->argv[i]);
	r = look(&l, args, names, e);
	if (r == 0 && !l.shown && (args->argc || l.o->type || l.o->volume))
		r = err_set(e, ENOENT, "no key matches");
	if (r == 0)
		r = out_print(l.out, e);
	if (r == 0 && l.damaged > 1)
		r = err_set(e, EBADMSG, "%zu keys are damaged: see 'hwkey check'", l.damaged);
	else if (r == 0 && l.damaged)
		r = -(*e = l.why).code;
	return r;
}

const struct cmd cmd_list = {
	.name = "list",
	.synopsis = "[PATTERN...]",
	.summary = "List the keys of the repository",
	.opts = opts,
	.max_args = -1,
	.complete = { COMPLETE_KEY },
	.needs = NEED_REPO | SHOWS,
	.run = run,
};
