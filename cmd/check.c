// SPDX-License-Identifier: MIT
#include "cmd.h"

#include <errno.h>

struct values { bool repair; };
CMD_OPTS(struct values);

static const struct opt opts[] = {
	OPT_FLAG(struct values, repair, "repair", 0, "Mend what can be mended without losing a key"),
	{ 0 }
};

static const struct column columns[] = {
	{ "FILE", OUT_STRING }, { "PROBLEM", OUT_STRING }, { "REMEDY", OUT_STRING }, { "MENDED", OUT_BOOL }, { 0 }
};

struct report { struct out *out; struct err *e; size_t left, mendable; };

static int see(void *ctx, const struct repo_problem *p)
{
	struct report *report = ctx;

	report->left += !p->mended;
	report->mendable += !p->mended && p->remedy;
	return out_row(report->out, (const char *const[]){ p->name, p->what, p->remedy, p->mended ? "1" : "0" }, report->e);
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct values *o = values;
	AUTO_OUT struct out *out = NULL;
	struct report report = { .e = e };
	int r = out_open(&out, "problems", columns, &hw->out, e);

	(void)args;
	report.out = out;
	if (r == 0)
		r = repo_open(&hw->repo, hw->repo_path, o->repair ? REPO_WRITE : 0, e);
	if (r == 0)
		r = repo_check(&hw->repo, o->repair, see, &report, e);
	if (r == 0)
		r = out_print(out, e);
	if (r == 0 && report.left)
		r = err_set(e, EBADMSG, "%zu problem%s left%s", report.left, report.left == 1 ? " is" : "s are",
			    report.mendable && !o->repair ? ": 'hwkey check --repair' mends what can be mended" : "");
	return r;
}

const struct cmd cmd_check = {
	.name = "check",
	.synopsis = "",
	.summary = "Look for damage in the repository, and mend it",
	.opts = opts,
	.needs = SHOWS,
	.run = run,
};
