// SPDX-License-Identifier: MIT
#include "key-volumes.h"

#include <errno.h>
#include <string.h>

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

	if (!stored || !ops->pattern) {
		res->pattern = stored ? "not checked" : "none stored";
		return;
	}
	if (ops->pattern(dev, &entry->token, now, &res->reason) < 0)
		return;
	res->pattern = !strcmp(stored, now) ? "matches" : "differs";
	if (strcmp(stored, now) != 0)
		(void)err_set(&res->reason, EBADMSG, "the token holds another key than the repository says");
}

static void check_key(struct hwkey *hw, const char *name, struct result *res)
{
	AUTO_ENTRY struct entry entry = { 0 };
	const struct key_ops *ops;
	struct device *dev;
	struct key key;

	if (repo_read(&hw->repo, name, &entry, &res->reason) < 0 ||
	    key_parse(entry.token.data, entry.token.len, &key, &res->reason) < 0)
		return;
	res->type = key_type_name(key.type);
	if (device_of_key(hw->devices, &entry.token, &dev, &ops, &res->reason) < 0 ||
	    ops->verify(dev, &entry.token, &res->state, &res->reason) < 0)
		return;
	check_pattern(dev, ops, &entry, res);
	if (!res->reason.code)
		(void)key_volumes_check(hw, &entry, &res->reason);
}

/* 5 is worth retrying elsewhere or later, 6 is not: the worst of all keys decides the exit status. */
static int worst(int a, int b)
{
	return err_exit_status(b) > err_exit_status(a) ? b : a;
}

static int validate_one(struct hwkey *hw, const char *name, struct out *out, int *code, struct err *e)
{
	struct result res = { 0 };

	check_key(hw, name, &res);
	*code = worst(*code, res.reason.code);
	res.status = !res.reason.code ? "valid" : err_exit_status(res.reason.code) == 6 ? "invalid" : "unknown";
	return out_row(out, (const char *const[]){ name, res.type, res.status, res.state.under[0] ? res.state.under : NULL,
						   res.pattern, res.reason.code ? res.reason.msg : NULL }, e);
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_FREE char **all = NULL;
	AUTO_OUT struct out *out = NULL;
	const char *const *names = args->argv;
	size_t n = (size_t)args->argc;
	int code = 0, r = 0;

	(void)values;
	if (n == 0) {
		r = repo_names(&hw->repo, &all, &n, e);
		names = (const char *const *)all;
	}
	if (r == 0)
		r = out_open(&out, "keys", columns, &hw->out, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = validate_one(hw, names[i], out, &code, e);
	if (r == 0)
		r = out_print(out, e);
	if (r == 0 && code)
		return err_set(e, code, "not every key is valid here");
	return r;
}

const struct cmd cmd_validate = {
	.name = "validate",
	.synopsis = "[NAME...]",
	.summary = "Check that keys are usable here, and that each is the key it is said to be",
	.max_args = -1,
	.complete = { COMPLETE_KEY },
	.needs = NEED_DEVICES | NEED_REPO | SHOWS,
	.run = run,
};
