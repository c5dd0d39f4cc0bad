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

/* The TPM that has it; a counter's handle does not say of which one it is. */
enum step { LOOK, STEP };

static int counter_call(struct counter *c, enum step step, uint32_t handle, uint64_t *ret, struct err *e)
{
	int r = -ENOENT;

	for (struct device *d = c->list; r == -ENOENT && d; d = d->next) {
		if (d->state != DEVICE_ONLINE)
			continue;
		r = (step == STEP ? c->ops->increment : c->ops->read)(d, handle, &c->auth, ret, e);
		c->dev = d;
	}
	return r;
}

static int counter_read(struct store *s, struct err *e)
{
	AUTO_COUNTER struct counter c = { 0 };
	int r = s->now.anchor >> 32 == COUNTER_TPM2 ? 0 : err_set(e, EOPNOTSUPP, "it is of a kind that is not known");

	if (r == 0)
		r = counter_open(s, &c, e);
	return r < 0 ? r : counter_call(&c, LOOK, handle_of(s->now.anchor), &s->counted, e);
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

/* The next step for who knows that what is here is what there shall be. */
static int hint(const struct store *s, struct err *e)
{
	char text[96];

	(void)snprintf(text, sizeof(text), "'hwkey pks-check %s%s%s--reanchor' accepts what is here",
		       strcmp(s->name, SOFT_LOCAL) ? "--store " : "", strcmp(s->name, SOFT_LOCAL) ? s->name : "",
		       strcmp(s->name, SOFT_LOCAL) ? " " : "");
	return err_hint(e, "%s", text);
}

/* One that is gone, or another one's, will not come back; a TPM that is busy will. */
static int check_unread(const struct store *s, struct err *e)
{
	bool gone = e->code == ENOENT || e->code == EACCES;

	(void)err_prefix(e, "cannot tell whether keystore '%s' was rolled back", s->name);
	if (gone)
		e->code = EBADMSG;
	return gone || e->code == ENODEV ? hint(s, e) : -e->code;
}

int counter_check(struct store *s, struct err *e)
{
	unsigned long long generation = s->now.generation;
	int r;

	s->counted = 0;
	if (!s->now.anchor)
		return 0;
	r = counter_read(s, e);
	if (r < 0)
		return check_unread(s, e);
	if (s->now.counter == s->counted)
		return 0;
	if (s->now.counter < s->counted && s->other == OTHER_NEWER)
		r = err_set(e, EBADMSG, "'%s' of keystore '%s' is damaged, and generation %llu is behind its counter",
			    s->files[!s->newest], s->name, generation);
	else if (s->now.counter < s->counted)
		r = err_set(e, EBADMSG, "keystore '%s' was rolled back: generation %llu is %llu behind its counter",
			    s->name, generation, (unsigned long long)(s->counted - s->now.counter));
	else if (s->now.counter > s->counted + 1 || !follows_other(s))
		r = err_set(e, EBADMSG, "generation %llu of keystore '%s' does not follow what its counter saw", generation,
			    s->name);
	if (r < 0)
		return hint(s, e);
	if (s->lock >= 0 && s->boot.unflushed != generation)
		counter_advance(s);
	return 0;
}

uint64_t counter_next(const struct store *s)
{
	return s->now.anchor ? s->counted + 1 : 0;
}

/* Whether it stepped although the answer was lost. Else nobody knows, and it is not tried again in this process. */
static bool has_stepped(struct store *s, struct counter *c)
{
	struct err dropped;
	uint64_t value;

	s->stuck = true;
	return counter_call(c, LOOK, handle_of(s->now.anchor), &value, &dropped) == 0 && value == s->now.counter;
}

void counter_advance(struct store *s)
{
	AUTO_COUNTER struct counter c = { 0 };
	const struct env *env = s->dev->env;
	uint64_t value = 0;
	struct err e;
	int r;

	if (!s->now.anchor || s->now.counter == s->counted || s->stuck)
		return;
	r = counter_open(s, &c, &e);
	if (r == 0)
		r = counter_call(&c, STEP, handle_of(s->now.anchor), &value, &e);
	if (r == 0 && value != s->now.counter)
		r = err_set(&e, EBADMSG, "it was moved by somebody else");
	if (r == 0 || has_stepped(s, &c))
		s->counted = s->now.counter;
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
	s->now.counter = s->counted = value;	/* there is no step to be made up for */
	s->stuck = false;
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
	int r = store_flush(s, e);		/* under the counter that it was written for */

	if (r == 0)
		r = counter_open(s, &c, e);
	if (r == 0)
		r = c.ops->create(c.dev, &c.auth, &handle, &value, e);
	return r < 0 ? r : commit_anchor(s, (uint64_t)COUNTER_TPM2 << 32 | handle, value, e);
}

int counter_set(struct store *s, bool on, struct err *e)
{
	if (on == (s->now.anchor != 0))
		return on ? err_set(e, EEXIST, "keystore '%s' has a counter already", s->name)
			  : err_set(e, ENOENT, "keystore '%s' has no counter", s->name);
	if (on)
		return counter_make(s, e);
	return store_flush(s, e) < 0 ? -e->code : commit_anchor(s, 0, 0, e);
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

	if (anchor >> 32 != COUNTER_TPM2 || counter_find(env, &c, &dropped) < 0)
		return;
	for (const struct device *d = c.list; d; d = d->next)
		if (d->state == DEVICE_ONLINE)
			(void)c.ops->remove(d, handle_of(anchor), &dropped);
}
