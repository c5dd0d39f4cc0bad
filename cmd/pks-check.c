// SPDX-License-Identifier: MIT
#include "pks.h"

#include <errno.h>
#include <stdio.h>

struct opts { char *store; bool repair, heal_foreign, reanchor; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_FLAG(struct opts, repair, "repair", 0, "Begin this boot: make again what is missing, do what is due"),
	OPT_FLAG(struct opts, heal_foreign, "heal-foreign", 0, "Also overwrite an anchor that is of another root key"),
	OPT_FLAG(struct opts, reanchor, "reanchor", 0, "Accept what is here although its counter says that it is old"),
	PKS_OPT_STORE(struct opts, store),
	{ 0 }
};

static const struct column columns[] = {
	{ "STEP", OUT_NUMBER, false }, { "CHECK", OUT_STRING, false }, { "RESULT", OUT_STRING, false },
	{ "DETAIL", OUT_STRING, false }, { 0 }
};

static const char *const names[CHECK_STEPS] = {
	[CHECK_ANCHOR] = "anchor", [CHECK_SLOTS] = "slots on disk", [CHECK_TRUST] = "trust source",
	[CHECK_COPIES] = "root key", [CHECK_FILES] = "files", [CHECK_CONTENTS] = "contents", [CHECK_READY] = "ready",
	[CHECK_FLUSH] = "flushed", [CHECK_BACKUP] = "backup",
};

static const char *const results[] = {
	[CHECK_SKIPPED] = "skipped", [CHECK_OK] = "ok", [CHECK_DONE] = "done", [CHECK_REPAIRED] = "repaired",
	[CHECK_DUE] = "due", [CHECK_DEGRADED] = "degraded", [CHECK_FAILED] = "failed",
};

static int show(struct hwkey *hw, const struct check_step *steps, struct err *e)
{
	AUTO_OUT struct out *out = NULL;
	int r = out_open(&out, "checks", columns, &hw->out, e);

	for (unsigned i = 0; r == 0 && i < CHECK_STEPS; i++) {
		char step[12];

		(void)snprintf(step, sizeof(step), "%u", i + 1);
		r = out_row(out, (const char *const[]){ step, names[i], results[steps[i].result],
							steps[i].detail[0] ? steps[i].detail : NULL }, e);
	}
	return r < 0 ? r : out_print(out, e);
}

/* What was found is shown whatever came of it. */
static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	struct check_step steps[CHECK_STEPS] = { 0 };
	const struct store_ops *ops;
	struct device *dev;
	struct err why = { 0 };
	int r = o->heal_foreign && !o->repair ? err_set(e, EINVAL, "--heal-foreign goes with --repair") : 0;

	(void)args;
	if (r == 0)
		r = pks_open(hw, o->store, &dev, &ops, e);
	if (r == 0 && !ops->check)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' has nothing to check", dev->id);
	if (r < 0)
		return r;
	r = ops->check(dev, (o->repair ? CHECK_REPAIR : 0U) | (o->heal_foreign ? CHECK_HEAL_FOREIGN : 0U) |
		       (o->reanchor ? CHECK_REANCHOR : 0U), steps, e);
	if (r == -ENOENT)
		return r;
	if (show(hw, steps, &why) < 0 && r == 0) {
		*e = why;
		r = -why.code;
	}
	for (unsigned i = 0; r == 0 && i < CHECK_STEPS; i++)
		if (steps[i].result == CHECK_DEGRADED)
			warn(&hw->env, "degraded: %s", steps[i].detail);
	return r;
}

const struct cmd cmd_pks_check = {
	.name = "pks-check",
	.synopsis = "",
	.summary = "Check the platform keystore, and begin a boot with it",
	.opts = opts,
	.needs = NEED_DEVICES | SHOWS,
	.run = run,
};
