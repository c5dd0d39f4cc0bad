// SPDX-License-Identifier: MIT
/* Wrapping keys that a person makes, and revokes. */
#include "access.h"

#include <errno.h>
#include <string.h>

#include "keys.h"
#include "lib/env.h"
#include "lib/err.h"

/* Labels that can be an argument and part of a message anywhere. */
static int check_label(const struct object_name *n, struct err *e)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	if (n->consumer != CONSUMER_OS)
		return err_set(e, EINVAL, "wrapping keys belong to consumer 'os'");
	if (wrapping_owns_label(n))
		return err_set(e, EPERM, "label is kept for the keystore's own wrapping keys");
	for (size_t i = 0; i < n->len; i++)
		if (!n->label[i] || !strchr(allowed, n->label[i]))
			return err_set(e, EINVAL, "the label of a wrapping key has letters, digits, '.', '_' and '-' only");
	return n->label[0] == '-' ? err_set(e, EINVAL, "the label of a wrapping key does not start with '-'") : 0;
}

static int check_new(const struct object_name *n, uint32_t policy, struct err *e)
{
	if (!token_policy_is_valid(policy & ~(uint32_t)POLICY_IMMUTABLE))
		return err_set(e, EINVAL, "a wrapping key has policy ossecbootaudit or ossecbootenforce, pwset, immutable, "
			       "no other");
	return check_label(n, e);
}

/* As after a request that was made twice: the one that is there will do. */
static int check_same(const struct store *s, const struct record *old, uint32_t policy, struct err *e)
{
	const struct env *env = s->dev->env;

	if (!(old->policy & POLICY_WRAPPINGKEY))
		return err_set(e, EEXIST, "exists already, and is no wrapping key");
	if (old->policy != (policy | POLICY_WRAPPINGKEY))
		return err_set(e, EEXIST, "exists already, with another policy");
	if (old->revoked)
		return err_set(e, EEXIST, "exists already, and is revoked: --unrevoke lets it be used again");
	if (env->note)
		env->note(env, "wrapping key '%.*s' exists already", (int)old->name.len, old->name.label);
	return 0;
}

static int make(struct store *s, const struct object_name *n, uint32_t policy, struct err *e)
{
	struct wrapping w;
	struct record rec;
	bool found = store_find(s, n, &rec);
	int r = access_password(s, n->consumer, e);

	if (r == 0)
		r = access_policy(s, n->consumer, policy, e);
	if (r == 0)
		r = access_lock(s, n->consumer, e);
	if (r == 0)
		r = found ? check_same(s, &rec, policy, e) : wrapping_add(s, n, policy, e);
	if (r < 0)
		return r;
	(void)store_find(s, n, &rec);
	r = wrapping_from(&rec, &w, e);
	return r < 0 ? r : wrapping_commit(s, &w, e);
}

/* A keystore that is disabled or damaged says so before parameters are looked at; one that would be refused makes none. */
int key_make(const struct device *dev, const struct object_name *n, uint32_t policy, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct err why = { 0 };
	int bad = check_new(n, policy, &why);
	int r = store_open(&s, dev, STORE_WRITE | (bad || policy & POLICY_PWSET ? 0 : STORE_CREATE), e);

	if (bad && (r == 0 || r == -ENOENT)) {
		*e = why;
		return bad;
	}
	if (r == 0)
		r = make(&s, n, policy, e);
	if (r == 0)
		store_note(&s);
	return r;
}

/* Into both containers, also one that is as wanted: damage of the newer one shall not undo what was cut short before. */
int key_revoke(const struct device *dev, const struct object_name *n, bool revoked, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct record rec;
	bool found;
	int r = store_open(&s, dev, STORE_WRITE, e);

	if (r < 0)
		return r;
	found = store_find(&s, n, &rec);
	r = access_object(&s, ACCESS_REVOKE, n, found ? &rec : NULL, found ? rec.policy : 0, e);
	if (r < 0)
		return r;
	objects_revoke(&s.objects, &rec, revoked);
	return store_commit_both(&s, e);
}
