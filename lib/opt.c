// SPDX-License-Identifier: MIT
#include "opt.h"

#include <errno.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cleanup.h"
#include "err.h"

enum { OPTS_MAX = 64, VAL_FIRST = 1 };

struct rows {				/* the groups, flattened; popt's val is VAL_FIRST + index */
	struct poptOption popt[OPTS_MAX + 1];
	const struct opt *opt[OPTS_MAX];
	void *values[OPTS_MAX];
	bool seen[OPTS_MAX];
	size_t n;
};

static void flatten(const struct opt_group *g, size_t n_groups, struct rows *r)
{
	for (size_t i = 0; i < n_groups; i++) {
		for (const struct opt *o = g[i].opts; o && o->type != OPT_END && r->n < OPTS_MAX; o++, r->n++) {
			r->opt[r->n] = o;
			r->values[r->n] = g[i].values;
			r->popt[r->n] = (struct poptOption){
				.longName = o->name, .shortName = o->letter,
				.argInfo = o->type == OPT_TYPE_FLAG ? POPT_ARG_NONE : POPT_ARG_STRING,
				.val = VAL_FIRST + (int)r->n, .descrip = o->help, .argDescrip = o->arg,
			};
		}
	}
}

/* V, in any case, becomes the choice as it is spelled in the list. */
static bool is_choice(const struct opt *o, char *v)
{
	if (!o->choices)
		return true;
	for (size_t i = 0; o->choices[i]; i++) {
		if (!strcasecmp(o->choices[i], v)) {
			memcpy(v, o->choices[i], strlen(v));
			return true;
		}
	}
	return false;
}

static int bad_choice(const struct opt *o, const char *v, struct err *e)
{
	char list[200] = "";

	for (size_t i = 0; o->choices[i]; i++) {
		size_t n = strlen(list);

		(void)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", o->choices[i]);
	}
	return err_set(e, EINVAL, "invalid --%s '%.40s': one of %s", o->name, v, list);
}

/* 1: the string was kept. */
static int store(const struct opt *o, char *v, void *values, struct err *e)
{
	void *at = (char *)values + o->offset;
	unsigned long n;
	char *end;

	switch (o->type) {
	case OPT_TYPE_FLAG:
		*(bool *)at = true;
		return 0;
	case OPT_TYPE_STR:
		if (!is_choice(o, v))
			return bad_choice(o, v, e);
		*(char **)at = v;
		return 1;
	case OPT_TYPE_U32:
		errno = 0;
		n = strtoul(v, &end, 10);
		if (errno || end == v || *end || n > UINT32_MAX || *v < '0' || *v > '9')
			return err_set(e, EINVAL, "--%s needs a number, not '%s'", o->name, v);
		*(uint32_t *)at = (uint32_t)n;
		return 0;
	case OPT_END:
		break;
	}
	return 0;
}

static int take(struct rows *rows, poptContext pc, size_t i, struct err *e)
{
	const struct opt *o = rows->opt[i];
	char *v = poptGetOptArg(pc);
	int r;

	if (rows->seen[i])
		r = err_set(e, EINVAL, "option --%s can be given only once", o->name);
	else
		r = store(o, v, rows->values[i], e);
	rows->seen[i] = true;
	if (r <= 0)
		free(v);
	return r < 0 ? r : 0;
}

int opt_parse(const char *prog, int argc, const char **argv, const struct opt_group *g, size_t n_groups, struct args *ret,
	      struct err *e)
{
	struct rows rows = { 0 };
	poptContext pc;
	int v = -1, r = 0;

	flatten(g, n_groups, &rows);
	pc = ret->popt = poptGetContext(prog, argc, argv, rows.popt, 0);
	if (!pc)
		return err_nomem(e);
	while (r == 0 && (v = poptGetNextOpt(pc)) > 0)
		r = take(&rows, pc, (size_t)(v - VAL_FIRST), e);
	if (r == 0 && v < -1)
		return err_set(e, EINVAL, "option '%s': %s", poptBadOption(pc, POPT_BADOPTION_NOALIAS), poptStrerror(v));
	ret->argv = poptGetArgs(pc);
	for (ret->argc = 0; ret->argv && ret->argv[ret->argc];)
		ret->argc++;
	return r;
}

void opt_done(const struct opt_group *g, size_t n_groups, struct args *args)
{
	for (size_t i = 0; i < n_groups; i++)
		for (const struct opt *o = g[i].opts; o && o->type != OPT_END; o++)
			if (o->type == OPT_TYPE_STR)
				free(*(char **)((char *)g[i].values + o->offset));
	if (args->popt)
		poptFreeContext(args->popt);
}

void opt_print_help(const char *prog, const char *synopsis, const struct opt_group *g, size_t n_groups)
{
	const char *argv[] = { prog, NULL };
	struct rows rows = { 0 };
	poptContext pc;

	char usage[128];

	flatten(g, n_groups, &rows);
	pc = poptGetContext(prog, 1, argv, rows.popt, 0);
	if (!pc)
		return;
	(void)snprintf(usage, sizeof(usage), "[OPTION...]%s%s", *synopsis ? " " : "", synopsis);
	poptSetOtherOptionHelp(pc, usage);
	poptPrintHelp(pc, stdout, 0);
	poptFreeContext(pc);
}

const struct opt *opt_find(const struct opt_group *g, size_t n_groups, const char *word)
{
	for (size_t i = 0; i < n_groups; i++)
		for (const struct opt *o = g[i].opts; o && o->type != OPT_END; o++)
			if ((!strncmp(word, "--", 2) && !strcmp(word + 2, o->name)) ||
			    (word[0] == '-' && o->letter && word[1] == o->letter && !word[2]))
				return o;
	return NULL;
}
