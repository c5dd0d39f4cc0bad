// SPDX-License-Identifier: MIT
#include "key-volumes.h"
#include "luks.h"
#include "wrap-params.h"

#include <errno.h>
#include <string.h>

struct validate { char *pcr_signature; };
CMD_OPTS(struct validate);

static const struct opt opts[] = {
	PCR_SIGNATURE_OPT(struct validate),
	{ 0 }
};

static const struct column columns[] = {
	{ "NAME", OUT_STRING, false }, { "TYPE", OUT_STRING, false }, { "STATUS", OUT_STRING, false },
	{ "UNDER", OUT_STRING, false }, { "PATTERN", OUT_STRING, false }, { "REASON", OUT_STRING, false }, { 0 }
};

struct result {
	const char *type, *status, *pattern;	/* static */
	struct key_state state;
	struct err reason;			/* code 0: valid */
};

/* The entry's pattern must be the one of the key that the token holds: a swapped token opens, but not the data. */
static void check_pattern(struct device *dev, const struct key_ops *ops, const struct entry *entry, struct result *res)
{
	const char *stored = props_get(&entry->props, "verification-pattern");
	char now[65];
	int r;

	if (!stored || !ops->pattern) {
		res->pattern = stored ? "not checked" : "none stored";
		return;
	}
	r = volume_key_pattern(dev, ops, entry, now, &res->reason);
	if (r == 0 || r == -EBADMSG)
		res->pattern = r == 0 ? "matches" : "differs";
}

/* -ENOENT: no such key. What else is wrong with it is the result. */
static int check_key(struct hwkey *hw, const char *name, struct result *res)
{
	AUTO_ENTRY struct entry entry = { 0 };
	const struct key_ops *ops;
	struct device *dev;
	struct key key;
	int r = repo_read(&hw->repo, name, &entry, &res->reason);

	if (r < 0 || key_parse(entry.token.data, entry.token.len, &key, &res->reason) < 0)
		return r == -ENOENT ? r : 0;
	res->type = key_type_name(key.type);
	if (device_of_key(hw->devices, &entry.token, &dev, &ops, &res->reason) < 0 ||
	    ops->verify(dev, &entry.token, &res->state, &res->reason) < 0)
		return 0;
	check_pattern(dev, ops, &entry, res);
	if (!res->reason.code)
		(void)key_volumes_check(hw, &entry, &res->reason);
	return 0;
}

/* 5 is worth retrying elsewhere or later, 6 is not: the worst of all keys decides the exit status. */
static int worst(int a, int b)
{
	return err_exit_status(b) > err_exit_status(a) ? b : a;
}

struct validation {
	struct hwkey *hw;
	struct out *out;
	bool named, last_look;		/* the names were given; what went away meanwhile is passed over */
	int code;
};

static void validation_done(struct validation *v)
{
	out_free(v->out);
}

static int validate_one(struct validation *v, const char *name, struct err *e)
{
	struct result res = { 0 };
	int r = check_key(v->hw, name, &res);

	if (r < 0 && !v->named)
		return v->last_look ? 0 : r;
	v->code = worst(v->code, res.reason.code);
	res.status = !res.reason.code ? "valid" : err_exit_status(res.reason.code) == 6 ? "invalid" : "unknown";
	return out_row(v->out, (const char *const[]){ name, res.type, res.status,
						      res.state.under[0] ? res.state.under : NULL, res.pattern,
						      res.reason.code ? res.reason.msg : NULL }, e);
}

static int validate_all(struct validation *v, const struct args *args, struct err *e)
{
	AUTO_FREE char **all = NULL;
	const char *const *names = args->argv;
	size_t n = (size_t)args->argc;
	int r = 0;

	if (!v->named) {
		r = repo_names(&v->hw->repo, &all, &n, e);
		names = (const char *const *)all;
	}
	if (r == 0)
		r = out_open(&v->out, "keys", columns, &v->hw->out, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = validate_one(v, names[i], e);
	return r;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	enum { LOOKS = 5 };
	AUTO(validation_done) struct validation v = { 0 };
	const struct validate *o = values;
	int r = -ENOENT;

	pcr_signature_take(hw, o->pcr_signature);
	for (int i = 1; r == -ENOENT && i <= LOOKS; i++) {	/* what went away may be there under another name */
		validation_done(&v);
		v = (struct validation){ .hw = hw, .named = args->argc > 0, .last_look = i == LOOKS };
		r = validate_all(&v, args, e);
	}
	if (r == 0)
		r = out_print(v.out, e);
	if (r == 0 && v.code)
		return err_set(e, v.code, "not every key is valid here");
	return r;
}

const struct cmd cmd_validate = {
	.name = "validate",
	.synopsis = "[NAME...]",
	.summary = "Check that keys are usable here, and that each is the key it is said to be",
	.opts = opts,
	.max_args = -1,
	.complete = { COMPLETE_KEY },
	.needs = NEED_DEVICES | NEED_REPO | SHOWS,
	.run = run,
};
