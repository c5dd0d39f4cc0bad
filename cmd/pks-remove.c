// SPDX-License-Identifier: MIT
#include "pks-users.h"

#include <errno.h>
#include <stdio.h>

struct opts { struct pks_options from; bool no_wait, force; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_FLAG(struct opts, force, "force", 'f', "Ask nothing before a wrapping key is removed"),
	OPT_FLAG(struct opts, no_wait, "no-wait", 0, "Do not wait for the disk: pks-confirm does"),
	PKS_OPTS_OBJECT(struct opts),
	{ 0 }
};

static int check_users(struct hwkey *hw, const struct object *key, struct err *e)
{
	struct key_users users = { 0 };
	int r = key_users_find(hw, key->wrapping_id, &users, e);

	if (r < 0)
		return err_prefix(e, "what is under it cannot be told");
	if (users.n)
		return err_set(e, EBUSY, "what is under it would be lost: %s (%zu in all); %s, once it is unrevoked",
			       users.first, users.n, users.remedy);
	return 0;
}

static int check_wrapping_key(struct hwkey *hw, const struct pks_object *n, const struct object *key,
			      struct err *e)
{
	char question[200];
	int r = check_users(hw, key, e);

	if (r < 0)
		return r;
	(void)snprintf(question, sizeof(question), "Remove wrapping key '%.60s'? What was sealed under it, and volumes "
		       "whose token is, are lost for ever.", n->text);
	r = confirm(hw, question, e);
	return r == -EACCES ? err_prefix(e, "what is under this wrapping key is lost for ever") : r;
}

/*
 * Until this command ends nothing new comes under it: who adds a key sees under the same lock that it is revoked. One that
 * was added right before that is there now.
 */
static int lock_users(struct hwkey *hw, const struct object *key, struct err *e)
{
	int r = repo_open(&hw->repo, hw->repo_path, REPO_WRITE, e);

	return r < 0 ? r : check_users(hw, key, e);
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	AUTO_PKS_OBJECT struct pks_object n = { 0 };
	unsigned flags = o->no_wait ? WRITE_NO_WAIT : 0;
	struct object found;
	struct err ignored;	/* removing meets the same, under the lock */
	int r = pks_open_object(hw, &o->from, args->argv[0], &n, e);

	if (r < 0)
		return r;
	if (pks_find_object(&n, &found, &ignored) == 0 && found.wrapping == WRAPPING_REVOKED) {
		flags |= REMOVE_WRAPPING_KEY;
		r = o->force ? 0 : check_wrapping_key(hw, &n, &found, e);
		if (r == 0)
			r = lock_users(hw, &found, e);
	}
	if (r == 0)
		r = n.ops->remove(n.dev, &n.name, flags, e);
	return r < 0 ? pks_failed(&n, e) : 0;
}

const struct cmd cmd_pks_remove = {
	.name = "pks-remove",
	.synopsis = "LABEL",
	.summary = "Remove an object of the platform keystore",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.complete = { COMPLETE_OBJECT },
	.needs = NEED_DEVICES,
	.run = run,
};
