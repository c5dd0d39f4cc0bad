// SPDX-License-Identifier: MIT
#include "counter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/env.h"
#include "lib/err.h"
#include "lib/file.h"

struct counter {			/* where it is */
	struct device *list, *dev;
	const struct counter_ops *ops;
	struct secret auth;
};

static void counter_close(struct counter *c)
{
	secret_done(&c->auth);
	device_free_list(c->list);
	*c = (struct counter){ 0 };
}

#define AUTO_COUNTER AUTO(counter_close)

static int counter_find(const struct env *env, struct counter *ret, struct err *e)
{
	const struct backend_ops *ops;
	int r = backend_source(env, "tpm2", NULL, &ret->list, &ret->dev, &ops, e);

	if (r == 0 && !ops->counter)
		r = err_set(e, EOPNOTSUPP, "device '%s' has no counters", ret->dev->id);
	if (r == 0)
		ret->ops = ops->counter;
	return r;
}

static int counter_open(const struct store *s, struct counter *ret, struct err *e)
{
	int r = secret_alloc(&ret->auth, CRYPTO_KEY, e);

	if (r == 0)
		r = crypto_hkdf(session_of(s->dev)->root, ROOT_KEY, s->uuid, UUID_SIZE, "hwkey-pks/1 counter", 19,
				ret->auth.data, CRYPTO_KEY, e);
	ret->auth.len = CRYPTO_KEY;
	return r < 0 ? r : counter_find(s->dev->env, ret, e);
}

static uint32_t handle_of(uint64_t anchor)
{
	return (uint32_t)anchor;
}

static int counter_read(struct store *s, struct err *e)
{
	AUTO_COUNTER struct counter c = { 0 };
	int r = s->now.anchor >> 32 == COUNTER_TPM2 ? 0 : err_set(e, EOPNOTSUPP, "it is of a kind that is not known");

	if (r == 0)
		r = counter_open(s, &c, e);
	return r < 0 ? r : c.ops->read(c.dev, handle_of(s->now.anchor), &c.auth, &s->counted, e);
}

/* What the newest container says came before it is in the other file. */
static bool follows_other(const struct store *s)
{
	unsigned char header[CONTAINER_HEADER], hash[CRYPTO_HASH];
	AUTO_CLOSE int fd = openat(s->dir, s->files[!s->newest], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct err dropped;

	return fd >= 0 && pread(fd, header, sizeof(header), 0) == sizeof(header) &&
	       crypto_sha256(header, sizeof(header), hash, &dropped) == 0 && !memcmp(hash, s->now.previous, CRYPTO_HASH);
}

#define REANCHOR "'hwkey pks-check --reanchor' accepts what is here"

int counter_check(struct store *s, struct err *e)
{
	unsigned long long generation = s->now.generation;
	int r;

	s->counted = 0;
	if (!s->now.anchor)
		return 0;
	r = counter_read(s, e);
	if (r < 0)
		(void)err_prefix(e, "cannot tell whether keystore '%s' was rolled back", s->name);
	if (r == -EBUSY || r == -EPERM)		/* another time the TPM can be asked: there is nothing to accept */
		return r;
	if (r < 0) {
		e->code = EBADMSG;
		return err_hint(e, REANCHOR);
	}
	if (s->now.counter == s->counted)
		return 0;
	if (s->now.counter < s->counted)
		return err_set(e, EBADMSG, "keystore '%s' was rolled back: generation %llu is %llu behind its counter; "
			       REANCHOR, s->name, generation, (unsigned long long)(s->counted - s->now.counter));
	if (s->now.counter > s->counted + 1 || !follows_other(s))
		return err_set(e, EBADMSG, "generation %llu of keystore '%s' does not follow what its counter saw; "
			       REANCHOR, generation, s->name);
	if (s->lock >= 0 && s->boot.unflushed != generation)
		counter_advance(s);
	return 0;
}

uint64_t counter_next(const struct store *s)
{
	return s->now.anchor ? s->counted + 1 : 0;
}

void counter_advance(struct store *s)
{
	AUTO_COUNTER struct counter c = { 0 };
	const struct env *env = s->dev->env;
	uint64_t value = 0;
	struct err e;
	int r;

	if (!s->now.anchor || s->now.counter == s->counted)
		return;
	r = counter_open(s, &c, &e);
	if (r == 0)
		r = c.ops->increment(c.dev, handle_of(s->now.anchor), &c.auth, &value, &e);
	if (r == 0 && value != s->now.counter)
		r = err_set(&e, EBADMSG, "it was moved by somebody else");
	if (r == 0)
		s->counted = value;
	else if (env->warn)
		env->warn(env, "keystore '%s' is written, but not yet safe from rollback: %s", s->name, e.msg);
}

/* ANCHOR 0: none. The new one counts with the commit; what is left of a failed one is a number that nobody reads. */
static int commit_anchor(struct store *s, uint64_t anchor, uint64_t value, struct err *e)
{
	const struct container before = s->now;
	uint64_t counted = s->counted;
	int r;

	s->now.anchor = anchor;
	s->counted = value;
	r = store_commit(s, e);
	if (r < 0) {
		s->now = before;
		s->counted = counted;
		counter_forget(s->dev->env, anchor);
		return r;
	}
	counter_forget(s->dev->env, before.anchor);
	return 0;
}

static int counter_make(struct store *s, struct err *e)
{
	AUTO_COUNTER struct counter c = { 0 };
	uint64_t value = 0;
	uint32_t handle = 0;
	int r = counter_open(s, &c, e);

	if (r == 0)
		r = c.ops->create(c.dev, &c.auth, &handle, &value, e);
	return r < 0 ? r : commit_anchor(s, (uint64_t)COUNTER_TPM2 << 32 | handle, value, e);
}

int counter_set(struct store *s, bool on, struct err *e)
{
	if (on == (s->now.anchor != 0))
		return on ? err_set(e, EEXIST, "keystore '%s' has a counter already", s->name)
			  : err_set(e, ENOENT, "keystore '%s' has no counter", s->name);
	return on ? counter_make(s, e) : commit_anchor(s, 0, 0, e);
}

int counter_renew(struct store *s, struct err *e)
{
	const struct env *env = s->dev->env;
	int r = s->now.anchor ? counter_make(s, e) : err_set(e, ENOENT, "keystore '%s' has no counter", s->name);

	if (r != -ENODEV)
		return r;
	if (env->warn)
		env->warn(env, "%s: keystore '%s' has no counter any more", e->msg, s->name);
	return commit_anchor(s, 0, 0, e);
}

void counter_describe(const struct store *s, char *ret, size_t size)
{
	ret[0] = '\0';
	if (s->now.anchor)
		(void)snprintf(ret, size, "TPM counter 0x%08x at %llu", handle_of(s->now.anchor),
			       (unsigned long long)s->counted);
}

void counter_forget(const struct env *env, uint64_t anchor)
{
	AUTO_COUNTER struct counter c = { 0 };
	struct err dropped;

	if (anchor >> 32 == COUNTER_TPM2 && counter_find(env, &c, &dropped) == 0)
		(void)c.ops->remove(c.dev, handle_of(anchor), &dropped);
}
