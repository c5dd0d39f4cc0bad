// SPDX-License-Identifier: MIT
/*
 * Re-protects keys: the same effective key under the trust source's current wrapping key. The new token is proven before
 * it replaces the old one: it opens, and to the key that the old one holds. Then the keyslots that stand for the key on its
 * volumes are renewed, each proven before the old one goes.
 */
#include "key-volumes.h"

#include <errno.h>
#include <string.h>

struct rewrap {
	bool all, plan, to_new;
};
CMD_OPTS(struct rewrap);

static const struct opt opts[] = {
	OPT_FLAG(struct rewrap, all, "all", 'a', "All keys of the repository"),
	OPT_FLAG(struct rewrap, to_new, "to-new", 'n', "Make a new wrapping key and move to it"),
	OPT_FLAG(struct rewrap, plan, "plan", 0, "Only show what would be done"),
	{ 0 }
};

static const struct column columns[] = {
	{ "NAME", OUT_STRING, false }, { "TYPE", OUT_STRING, false }, { "UNDER", OUT_STRING, false },
	{ "ACTION", OUT_STRING, false }, { "VOLUMES", OUT_LIST, false }, { 0 }
};

struct job {			/* one key */
	struct entry entry;
	struct device *dev;
	const struct key_ops *ops;
	const char *type;
	struct key_state state;
	bool move;
};

static int job_open(struct hwkey *hw, const struct rewrap *o, const char *name, struct job *j, struct err *e)
{
	const struct backend_ops *ops;
	struct key key;
	int r = repo_read(&hw->repo, name, &j->entry, e);

	if (r == 0)
		r = key_parse(j->entry.token.data, j->entry.token.len, &key, e);
	if (r == 0)
		r = device_of_backend(hw->devices, key_type_backend(key.type), &j->dev, e);
	if (r == 0)
		r = backend_ops(j->dev, &ops, e);
	if (r < 0)
		return r;
	j->ops = ops->key;
	j->type = key_type_name(key.type);
	r = j->ops->verify(j->dev, &j->entry.token, &j->state, e);
	j->move = o->to_new || !j->state.current;
	return r < 0 ? err_prefix(e, "key '%s'", name) : 0;
}

static int show_plan(struct hwkey *hw, const struct job *jobs, size_t n, struct err *e)
{
	AUTO_OUT struct out *out = NULL;
	int r = out_open(&out, "keys", columns, &hw->out, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *volumes = props_get(&jobs[i].entry.props, "volumes");
		AUTO_FREE char *list = volumes && *volumes ? strdup(volumes) : NULL;

		for (char *p = list; p && *p; p++)
			if (*p == ',')
				*p = '\n';
		r = out_row(out, (const char *const[]){ jobs[i].entry.name, jobs[i].type, jobs[i].state.under,
							jobs[i].move ? "rewrap" : "none", list }, e);
	}
	return r < 0 ? r : out_print(out, e);
}

/* The token that would replace the old one must hold the very same key. */
static int prove(const struct job *j, const struct blob *token, struct err *e)
{
	char old[65], new[65];
	int r = j->ops->pattern(j->dev, &j->entry.token, old, e);

	if (r == 0)
		r = j->ops->pattern(j->dev, token, new, e);
	if (r == 0 && strcmp(old, new) != 0)
		return err_set(e, EBADMSG, "the trust source gave back another key; nothing was changed");
	return r;
}

static int job_store(struct hwkey *hw, struct job *j, struct blob *token, struct err *e)
{
	int r = prove(j, token, e);

	if (r < 0)
		return err_prefix(e, "key '%s'", j->entry.name);
	blob_done(&j->entry.token);
	j->entry.token = *token;
	*token = (struct blob){ 0 };
	r = entry_stamp(&j->entry, "reencipher-time", e);
	return r < 0 ? r : repo_update(&hw->repo, &j->entry, true, e);
}

/* Jobs of one device go to it in one call, so that they share one new wrapping key. */
static int rewrap_device(struct hwkey *hw, const struct rewrap *o, struct job *jobs, size_t n, struct device *dev,
			 struct err *e)
{
	AUTO_FREE struct blob *tokens = calloc(n, sizeof(*tokens));
	AUTO_FREE struct blob *moved = calloc(n, sizeof(*moved));
	const struct key_ops *ops = NULL;
	size_t m = 0;
	int r = tokens && moved ? 0 : err_nomem(e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (jobs[i].dev == dev && jobs[i].move) {
			ops = jobs[i].ops;
			tokens[m++] = jobs[i].entry.token;
		}
	}
	if (r == 0 && m)
		r = ops->rewrap(dev, o->to_new ? REWRAP_TO_NEW : 0, tokens, m, moved, e);
	for (size_t i = 0, k = 0; r == 0 && i < n; i++)
		if (jobs[i].dev == dev && jobs[i].move)
			r = job_store(hw, &jobs[i], &moved[k++], e);
	for (size_t k = 0; moved && k < m; k++)
		blob_done(&moved[k]);
	return r;
}

static int rewrap_jobs(struct hwkey *hw, const struct rewrap *o, struct job *jobs, size_t n, struct err *e)
{
	size_t failed = 0;
	int r = 0;

	if (o->plan)
		return show_plan(hw, jobs, n, e);
	for (struct device *d = hw->devices; r == 0 && d; d = d->next)
		r = rewrap_device(hw, o, jobs, n, d, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (jobs[i].move)
			key_volumes_renew(hw, &jobs[i].entry, &failed);
	if (r == 0 && failed)
		return err_set(e, ENXIO, "keys are rewrapped, but %zu volumes are not: 'hwkey luks-enroll' renews one",
			       failed);
	return r;
}

static int run_names(struct hwkey *hw, const struct rewrap *o, const char *const *names, size_t n, struct err *e)
{
	struct job *jobs = calloc(n + 1, sizeof(*jobs));
	int r = jobs ? 0 : err_nomem(e);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = job_open(hw, o, names[i], &jobs[i], e);
	if (r == 0)
		r = rewrap_jobs(hw, o, jobs, n, e);
	for (size_t i = 0; jobs && i < n; i++)
		entry_done(&jobs[i].entry);
	free(jobs);
	return r;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct rewrap *o = values;
	AUTO_FREE char **all = NULL;
	size_t n = 0;
	int r;

	if (o->all == (args->argc > 0))
		return err_set(e, EINVAL, "name keys, or give --all");
	if (!o->all)
		return run_names(hw, o, args->argv, (size_t)args->argc, e);
	r = repo_names(&hw->repo, &all, &n, e);
	return r < 0 ? r : run_names(hw, o, (const char *const *)all, n, e);
}

const struct cmd cmd_rewrap = {
	.name = "rewrap",
	.synopsis = "[NAME...]",
	.summary = "Re-protect keys under the current or a new wrapping key",
	.opts = opts,
	.max_args = -1,
	.complete = { COMPLETE_KEY },
	.needs = NEED_DEVICES | NEED_REPO_WRITE | SHOWS,
	.run = run,
};
