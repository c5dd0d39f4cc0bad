// SPDX-License-Identifier: MIT
#include "pks-users.h"

#include <errno.h>
#include <string.h>

struct opts { struct pks_options from; char *policy; bool revoke, unrevoke; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_STR(struct opts, policy, "policy", 0, "NAME,...",
		"What must hold to use it: ossecbootaudit, ossecbootenforce, pwset; or immutable",
		.complete = COMPLETE_WRAP_POLICY),
	OPT_FLAG(struct opts, revoke, "revoke", 0, "Make none: the one that is there opens and wraps nothing any more"),
	OPT_FLAG(struct opts, unrevoke, "unrevoke", 0, "Let one that was revoked be used again"),
	PKS_OPT_PASSWORD(struct opts, from.password_file),
	{ 0 }
};

/* Said, not asked: revoking loses nothing, and may be urgent. */
static void tell_users(struct hwkey *hw, const struct pks_object *n)
{
	struct key_users users = { 0 };
	struct object key;
	struct err e = { 0 };
	int r = pks_find_object(n, &key, &e);

	if (r == 0 && key.wrapping == WRAPPING_REVOKED)
		r = key_users_find(hw, key.wrapping_id, &users, &e);
	if (r < 0)
		note(&hw->env, "which keys are under it is not known: %s", e.msg);
	else if (users.n)
		note(&hw->env, "what is under it does not open any more: %s%s", users.first,
		     users.n > 1 ? " and others" : "");
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	AUTO_PKS_OBJECT struct pks_object n = { 0 };
	uint32_t policy;
	int r = pks_policy_parse(o->policy, &policy, e);

	if (r == 0 && o->revoke + o->unrevoke + !!o->policy > 1)
		r = err_set(e, EINVAL, "--revoke, --unrevoke and --policy are three things");
	if (r == 0)
		r = pks_open_object(hw, &o->from, args->argv[0], &n, e);
	if (r == 0 && !n.ops->genkey)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' makes no wrapping keys", n.dev->id);
	if (r < 0)
		return r;
	if (o->revoke || o->unrevoke)
		r = n.ops->revoke(n.dev, &n.name, o->revoke, e);
	else
		r = n.ops->genkey(n.dev, &n.name, policy, e);
	if (r == 0 && o->revoke)
		tell_users(hw, &n);
	return r < 0 ? pks_failed(&n, e) : 0;
}

const struct cmd cmd_pks_genkey = {
	.name = "pks-genkey",
	.synopsis = "LABEL",
	.summary = "Make a wrapping key that never leaves the platform keystore, or revoke one",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.complete = { COMPLETE_OBJECT },
	.needs = NEED_DEVICES,
	.run = run,
};
