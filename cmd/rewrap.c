// SPDX-License-Identifier: MIT
/*
 * Re-protects keys: the same effective key under the trust source's current wrapping key. The new token is proven before
 * it replaces the old one: it opens, and to the key that the old one holds. Then the keyslots that stand for the key on its
 * volumes are renewed. Cut short anywhere, the next rewrap goes on.
 */
#include "key-volumes.h"
#include "keys.h"
#include "wrap-params.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/tpm-token.h"

struct rewrap {
	struct wrap_options must;
	char *device, *pcr_signature;
	bool all, plan, to_new;
};
CMD_OPTS(struct rewrap);

static const struct opt opts[] = {
	OPT_FLAG(struct rewrap, all, "all", 'a', "All keys of the repository"),
	OPT_FLAG(struct rewrap, to_new, "to-new", 'n', "Make a new wrapping key and move to it"),
	OPT_STR(struct rewrap, must.wrapping_key, "wrapping-key", 0, "LABEL", "Move to this wrapping key of pks-genkey",
		.complete = COMPLETE_OBJECT),
	OPT_STR(struct rewrap, device, "device", 'd', "ID", "Move to this trust source", .complete = COMPLETE_DEVICE),
	WRAP_OPTS_TPM(struct rewrap, must, "pcrs-next"),
	PCR_SIGNATURE_OPT(struct rewrap),
	OPT_FLAG(struct rewrap, plan, "plan", 0, "Only show what would be done"),
	{ 0 }
};

static const struct column columns[] = {
	{ "NAME", OUT_STRING, false }, { "TYPE", OUT_STRING, false }, { "UNDER", OUT_STRING, false },
	{ "ACTION", OUT_STRING, false }, { "VOLUMES", OUT_LIST, false }, { "REASON", OUT_STRING, false },
	{ "NEXT-BOOT", OUT_STRING, false }, { "ONLY-BY-PCRS", OUT_LIST, false }, { 0 }
};

struct job {			/* one key */
	struct entry entry;
	const char *name, *type;
	struct device *dev;
	const struct key_ops *ops;
	struct device *to;		/* DEV, unless it moves to another one, whose operations are TO_OPS */
	const struct key_ops *to_ops;
	struct key key;
	char pattern[65];		/* of the key that is to come out, from its old token */
	struct key_state state;
	bool move;
	struct err why;		/* code 0: can be done */
};

/* To which device it goes, and whether both can do that. */
static int job_target(struct hwkey *hw, const struct rewrap *o, struct job *j, struct err *e)
{
	const struct backend_ops *ops;
	int r = device_of_key(hw->devices, &j->entry.token, &j->dev, &j->ops, e);

	j->to = j->dev;
	j->to_ops = j->ops;
	if (r == 0 && o->device)
		r = device_select(hw->devices, ROLE_KEY, o->device, &j->to, e);
	if (r == 0 && o->device)
		r = backend_ops(j->to, &ops, e);
	if (r == 0 && o->device)
		j->to_ops = ops->key;
	if (r == 0 && o->must.pcr_values && !j->to->backend->measures)
		r = err_set(e, EINVAL, "--pcrs-next is not for device '%s': only a TPM has PCRs", j->to->id);
	if (r == 0)
		r = wrap_options_fit(&o->must, j->to, e);
	if (r == 0 && j->to == j->dev && (!j->ops->rewrap || !j->ops->pattern))
		r = err_set(e, EOPNOTSUPP, "device '%s' rewraps no keys", j->dev->id);
	if (r == 0 && j->to != j->dev && (!j->ops->unwrap || !j->ops->pattern))
		r = err_set(e, EOPNOTSUPP, "device '%s' gives no keys to another one", j->dev->id);
	if (r == 0 && j->to != j->dev && (!j->to_ops->wrap || !j->to_ops->pattern))
		r = err_set(e, EOPNOTSUPP, "device '%s' takes no key from outside", j->to->id);
	return r;
}

/* RET is empty for a key of another trust source than a TPM. */
static void policy_of(const struct job *j, struct tpm_token *ret)
{
	struct err ignored;

	if (j->key.type != KEY_TPM2 || tpm_token_parse(j->entry.token.data, j->entry.token.len, ret, &ignored) < 0)
		*ret = (struct tpm_token){ 0 };
}

/* It has more than one state to open in: without options one that is named is put under the present one alone. */
static bool has_states(const struct job *j)
{
	AUTO_TPM_TOKEN struct tpm_token t = { 0 };

	policy_of(j, &t);
	return t.policy.n_branches > 1;
}

/* What another TPM has to be told anew: it cannot be taken from the token. */
static int check_told(const struct rewrap *o, const struct job *j, struct err *e)
{
	AUTO_TPM_TOKEN struct tpm_token t = { 0 };

	if (j->to != j->dev && j->to->backend->measures)
		policy_of(j, &t);
	if (t.policy.pin && !o->must.pin && !o->must.pin_file)
		return err_set(e, EINVAL, "opens with a PIN only, and '%s' is to be told which: --pin or --pin-file",
			       j->to->id);
	if (t.policy.public_key.len && !o->must.public_key)
		return err_set(e, EINVAL, "opens in signed states only, and '%s' is to be told whose: --public-key",
			       j->to->id);
	return 0;
}

static bool is_to_move(const struct rewrap *o, const struct job *j)
{
	return j->to != j->dev || o->must.wrapping_key || wrap_options_of_tpm(&o->must) ||
	       (o->to_new && !j->state.chosen) || !j->state.current ||
	       (!o->all && has_states(j) && !props_get(&j->entry.props, PROP_RENEW_VOLUMES));
}

static int job_open(struct hwkey *hw, const struct rewrap *o, struct job *j, struct err *e)
{
	int r = repo_read(&hw->repo, j->name, &j->entry, e);

	if (r == 0)
		r = key_parse(j->entry.token.data, j->entry.token.len, &j->key, e);
	if (r < 0)
		return r;
	j->type = key_type_name(j->key.type);
	r = job_target(hw, o, j, e);
	if (r == 0)
		r = check_told(o, j, e);
	if (r == 0)
		r = j->ops->verify(j->dev, &j->entry.token, &j->state, e);
	if (r == 0 && o->to_new && j->state.chosen && !o->all)
		r = err_set(e, EINVAL, "is under the %s: --wrapping-key moves it to another one", j->state.under);
	j->move = r == 0 && is_to_move(o, j);
	if (j->move)	/* now: a PIN that is changed does not open the old token any more */
		r = j->ops->pattern(j->dev, &j->entry.token, j->pattern, e);
	j->move = j->move && r == 0;
	return r;
}

/* Whether VALUES say anything of what P is bound to. */
static bool is_told(const struct tpm_policy *p, const struct tpm_branch *next)
{
	for (unsigned i = 0; i < p->n_branches; i++)
		if (p->branch[i].bank == next->bank)
			return true;
	return false;
}

/* PCRs of B that would differ; what the next state does not tell stays. */
static uint32_t branch_breaks(const struct tpm_branch *b, const struct tpm_branch *next)
{
	uint32_t differ = 0;

	for (unsigned i = 0; b->bank == next->bank && i < TPM_PCRS; i++)
		if (b->pcrs & next->pcrs & 1U << i && memcmp(b->values[i], next->values[i], tpm_bank_size(b->bank)) != 0)
			differ |= 1U << i;
	return differ;
}

/* Of the state that comes closest; 0: it opens. */
static uint32_t policy_breaks(const struct tpm_policy *p, const struct tpm_branch *next)
{
	uint32_t best = 0;

	for (unsigned i = 0; i < p->n_branches; i++) {
		uint32_t differ = branch_breaks(&p->branch[i], next);

		if (p->branch[i].bank != next->bank)
			continue;
		if (!differ)
			return 0;
		if (!best || __builtin_popcount(differ) < __builtin_popcount(best))
			best = differ;
	}
	return best;
}

/* What becomes of it without a rewrap, in the states of VALUES if there are any; RET is empty if no PCRs bind it. */
static int next_boot(const struct job *j, const char *values, char *ret, size_t size, struct err *e)
{
	AUTO_TPM_TOKEN struct tpm_token t = { 0 };
	struct tpm_branch next[TPM_BRANCHES];
	unsigned n = 0;
	uint32_t breaks = 0;
	bool told = true;
	char pcrs[80];
	int r = values ? tpm_values_parse(values, 0, next, &n, e) : 0;

	*ret = '\0';
	if (j->entry.token.len)
		policy_of(j, &t);
	if (r < 0 || !t.policy.n_branches)
		return r;
	tpm_pcrs_format(t.policy.branch[0].pcrs, 0, pcrs, sizeof(pcrs));
	if (!values && t.policy.n_branches > 1)
		(void)snprintf(ret, size, "opens in one of %u states", t.policy.n_branches);
	else if (!values)
		(void)snprintf(ret, size, "opens if PCR %s stays", pcrs);
	for (unsigned i = 0; i < n && !breaks; i++) {
		breaks = policy_breaks(&t.policy, &next[i]);
		told = told && is_told(&t.policy, &next[i]);
	}
	tpm_pcrs_format(breaks, 0, pcrs, sizeof(pcrs));
	if (!told)
		(void)snprintf(ret, size, "not told: the values are of another bank");
	else if (values)
		(void)snprintf(ret, size, breaks ? "breaks: PCR %s" : "opens", pcrs);
	return 0;
}

static int show_plan(struct hwkey *hw, const struct job *jobs, size_t n, const char *values, struct err *e)
{
	AUTO_OUT struct out *out = NULL;
	int r = out_open(&out, "keys", columns, &hw->out, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct job *j = &jobs[i];
		const char *todo = props_get(&j->entry.props, PROP_RENEW_VOLUMES);
		const char *volumes = j->move ? props_get(&j->entry.props, "volumes") : todo;
		AUTO_FREE char *list = volumes && *volumes ? strdup(volumes) : NULL;
		char next[128], hanging[2048];

		commas_to_lines(list);
		key_volumes_hanging(hw, &j->entry, hanging, sizeof(hanging));
		r = next_boot(j, values, next, sizeof(next), e);
		if (r < 0)
			break;
		r = out_row(out, (const char *const[]){ j->name, j->type, j->state.under[0] ? j->state.under : NULL,
							j->move ? "rewrap" : todo ? "renew volumes" : "none", list,
							j->why.code ? j->why.msg : NULL, *next ? next : NULL,
							*hanging ? hanging : NULL }, e);
	}
	return r < 0 ? r : out_print(out, e);
}

/* The token that would replace the old one must hold the very same key. */
static int prove(const struct job *j, const struct blob *token, struct err *e)
{
	char new[65];
	int r = j->to_ops->pattern(j->to, token, new, e);

	if (r == 0 && strcmp(j->pattern, new) != 0)
		return err_set(e, EBADMSG, "the trust source gave back another key; nothing was changed");
	return r;
}

static int job_store(struct hwkey *hw, struct job *j, struct blob *token, struct err *e)
{
	const char *volumes = props_get(&j->entry.props, "volumes");
	int r = prove(j, token, e);

	if (r < 0)
		return err_prefix(e, "key '%s'", j->name);
	blob_done(&j->entry.token);
	j->entry.token = TAKE(*token);
	r = entry_stamp(&j->entry, "reencipher-time", e);
	if (r == 0)
		r = key_parse(j->entry.token.data, j->entry.token.len, &j->key, e);
	if (r == 0)
		r = props_set(&j->entry.props, "key-type", key_type_name(j->key.type), e);
	if (r == 0 && volumes && *volumes)
		r = props_set(&j->entry.props, PROP_RENEW_VOLUMES, volumes, e);
	return r < 0 ? r : repo_update(&hw->repo, &j->entry, true, e);
}

/* Between two devices the clear key passes through here. It stays bound to the same PCRs, as they are there. */
static int move_job(struct hwkey *hw, const struct wrap_params *p, struct job *j, struct err *e)
{
	AUTO_SECRET struct secret clear = { 0 };
	AUTO_TPM_TOKEN struct tpm_token old = { 0 };
	AUTO_BLOB struct blob token = { 0 };
	struct tpm_params tpm = p->tpm ? *p->tpm : (struct tpm_params){ 0 };
	struct key_params params = {
		.type = j->to->backend->key_types[0], .bits = j->key.xts ? j->key.bits / 2 : j->key.bits, .xts = j->key.xts,
		.wrap = *p,
	};
	char pcrs[80];
	int r = j->ops->unwrap(j->dev, &j->entry.token, &clear, e);

	policy_of(j, &old);
	tpm_pcrs_format(old.policy.branch[0].pcrs, old.policy.branch[0].bank, pcrs, sizeof(pcrs));
	if (old.policy.n_branches && !tpm.pcrs)
		tpm.pcrs = pcrs;
	if (j->to->backend->measures)
		params.wrap.tpm = &tpm;
	else if (old.policy.n_branches || old.policy.pin || old.policy.public_key.len)
		warn(&hw->env, "key '%s': device '%s' has no PCRs and PINs, so it opens without from now on", j->name,
		     j->to->id);
	if (j->key.policy && j->to->backend->measures)
		warn(&hw->env, "key '%s': device '%s' does not know its policy, so it opens without from now on", j->name,
		     j->to->id);
	if (r == 0)
		r = j->to_ops->wrap(j->to, &params, &clear, &token, e);
	return r < 0 ? err_prefix(e, "key '%s'", j->name) : job_store(hw, j, &token, e);
}

static int move_jobs(struct hwkey *hw, const struct wrap_params *p, struct job *jobs, size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		if (jobs[i].move && jobs[i].to != jobs[i].dev)
			r = move_job(hw, p, &jobs[i], e);
	return r;
}

/* Jobs of one device go to it in one call, so that they share one new wrapping key. */
static int rewrap_device(struct hwkey *hw, const struct rewrap *o, const struct wrap_params *params, struct job *jobs,
			 size_t n, struct device *dev, struct err *e)
{
	AUTO_FREE struct blob *tokens = calloc(n, sizeof(*tokens));
	AUTO_FREE struct blob *moved = calloc(n, sizeof(*moved));
	const struct key_ops *ops = NULL;
	size_t m = 0;
	int r = tokens && moved ? 0 : err_nomem(e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (jobs[i].dev == dev && jobs[i].to == dev && jobs[i].move) {
			ops = jobs[i].ops;
			tokens[m++] = jobs[i].entry.token;
		}
	}
	if (r == 0 && m)
		r = ops->rewrap(dev, o->to_new ? REWRAP_TO_NEW : 0, params, tokens, m, moved, e);
	for (size_t i = 0, k = 0; r == 0 && i < n; i++)
		if (jobs[i].dev == dev && jobs[i].to == dev && jobs[i].move)
			r = job_store(hw, &jobs[i], &moved[k++], e);
	for (size_t k = 0; moved && k < m; k++)
		blob_done(&moved[k]);
	return r;
}

static int rewrap_jobs(struct hwkey *hw, const struct rewrap *o, const struct wrap_params *params, struct job *jobs,
		       size_t n, struct err *e)
{
	size_t volumes = 0;
	int r = 0, code = 0;

	for (struct device *d = hw->devices; r == 0 && d; d = d->next)
		r = rewrap_device(hw, o, params, jobs, n, d, e);
	if (r == 0)
		r = move_jobs(hw, params, jobs, n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = key_volumes_renew(hw, &jobs[i].entry, params, &volumes, e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!jobs[i].why.code)
			continue;
		note(&hw->env, "key '%s' is as it was: %s", jobs[i].name, jobs[i].why.msg);
		code = code ? code : jobs[i].why.code;
	}
	if (r == 0 && volumes)
		return err_set(e, ENXIO, "%zu volume%s still to be done: the next rewrap goes on", volumes,
			       volumes == 1 ? " is" : "s are");
	return r == 0 && code ? err_set(e, code, "not every key could be rewrapped") : r;
}

/* A key that is named and cannot be done stops the command before it did anything; of all keys, only itself. */
static int jobs_open(struct hwkey *hw, const struct rewrap *o, struct job *jobs, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		entry_done(&jobs[i].entry);
		jobs[i] = (struct job){ .name = jobs[i].name };
		if (job_open(hw, o, &jobs[i], &jobs[i].why) == 0 || o->all)
			continue;
		*e = jobs[i].why;
		return err_prefix(e, "key '%s'", jobs[i].name);
	}
	return 0;
}

/* All is looked at twice: a trust source that asks a person for a passphrase does so before the repository is locked. */
static int run_jobs(struct hwkey *hw, const struct rewrap *o, struct job *jobs, size_t n, struct err *e)
{
	AUTO_WRAP_GIVEN struct wrap_given given = { 0 };
	struct wrap_options must = o->must;
	int r = jobs_open(hw, o, jobs, n, e);

	if (o->plan) {			/* nobody is asked for a PIN that is not used */
		must.pin = false;
		must.pin_file = NULL;
	}
	if (r == 0)
		r = wrap_given_take(hw, &must, &given, e);
	if (r == 0 && o->plan)
		return show_plan(hw, jobs, n, given.tpm.pcr_values, e);
	repo_done(&hw->repo);
	if (r == 0)
		r = repo_open(&hw->repo, hw->repo_path, REPO_WRITE, e);
	if (r == 0)
		r = jobs_open(hw, o, jobs, n, e);
	return r < 0 ? r : rewrap_jobs(hw, o, &given.params, jobs, n, e);
}

static int run_names(struct hwkey *hw, const struct rewrap *o, const char *const *names, size_t n, struct err *e)
{
	struct job *jobs = calloc(n + 1, sizeof(*jobs));
	int r;

	if (!jobs)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++)
		jobs[i].name = names[i];
	r = run_jobs(hw, o, jobs, n, e);
	for (size_t i = 0; i < n; i++)
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
	if (o->to_new && o->must.wrapping_key)
		return err_set(e, EINVAL, "--to-new moves to the trust source's own wrapping key, not to '%s'",
			       o->must.wrapping_key);
	r = wrap_options_check(&o->must, e);
	pcr_signature_take(hw, o->pcr_signature);
	if (r == 0)
		r = repo_open(&hw->repo, hw->repo_path, 0, e);
	if (r == 0 && o->all)
		r = repo_names(&hw->repo, &all, &n, e);
	if (r < 0)
		return r;
	return o->all ? run_names(hw, o, (const char *const *)all, n, e)
		      : run_names(hw, o, args->argv, (size_t)args->argc, e);
}

const struct cmd cmd_rewrap = {
	.name = "rewrap",
	.synopsis = "[NAME...]",
	.summary = "Re-protect keys under the current or a new wrapping key",
	.opts = opts,
	.max_args = -1,
	.complete = { COMPLETE_KEY },
	.needs = NEED_DEVICES | SHOWS,
	.run = run,
};
