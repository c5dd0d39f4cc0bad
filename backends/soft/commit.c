// SPDX-License-Identifier: MIT
/* The next generation of a partition, durable before it counts. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/file.h"
#include "counter.h"
#include "ipl.h"

/* Overwrites the file in place, then flushes once; a name that is new is made durable too. */
static int container_write(const struct store *s, int fd, const struct blob *b)
{
	int r = s->other_len == b->len || ftruncate(fd, (off_t)b->len) == 0 ? 0 : -errno;

	if (r == 0)
		r = pwrite_all(fd, b->data, b->len, 0);
	if (r == 0 && !s->no_wait)
		r = fdatasync_retry(fd);
	if (r == 0 && !s->no_wait && !s->other_len)
		r = fsync_retry(s->dir);
	return r;
}

/* What failed to become durable may stand in the page cache: nobody shall take it for the current generation. */
static void container_spoil(int fd)
{
	static const unsigned char zero[CONTAINER_HEADER];

	if (pwrite_all(fd, zero, sizeof(zero), 0) == 0)
		(void)fdatasync_retry(fd);
}

/* What it held may be nowhere else. An older one of that name goes; the rename is durable with the new file. */
static int keep_damaged(struct store *s, struct err *e)
{
	const struct env *env = s->dev->env;
	const char *name = s->files[!s->newest], *kept = s->kept[!s->newest];

	if (s->other != OTHER_NEWER)
		return 0;
	if (renameat(s->dir, name, s->dir, kept) < 0)
		return err_sys(e, "cannot keep the damaged '%s' of keystore '%s'", name, env->pks_dir);
	s->other = OTHER_BAD;
	s->other_len = 0;
	if (env->note)
		env->note(env, "the damaged '%s' is kept as '%s'", name, kept);
	return 0;
}

/* For a larger one: where there is no space, the file stays as it was, and with it the older generation. */
static int container_extend(const struct store *s, int fd, size_t len)
{
	int r = -posix_fallocate(fd, 0, (off_t)len);

	return r < 0 && ftruncate(fd, (off_t)s->other_len) < 0 ? -errno : r;
}

static int container_replace(const struct store *s, const struct blob *b)
{
	int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (s->other_len ? 0 : O_CREAT);
	int r, fd = openat(s->dir, s->files[!s->newest], flags, 0600);

	if (fd < 0)
		return -errno;
	r = s->other_len && b->len > s->other_len ? container_extend(s, fd, b->len) : 0;
	if (r == 0) {
		r = container_write(s, fd, b);
		if (r < 0)
			container_spoil(fd);
	}
	(void)close(fd);	/* after the flush there is nothing left that could fail */
	return r;
}

int store_flush(struct store *s, struct err *e)
{
	const char *name = s->files[s->newest];
	int r, fd;

	if (s->boot.unflushed != s->now.generation)
		return 0;
	fd = openat(s->dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return err_sys(e, "cannot flush '%s' of keystore '%s'", name, s->dev->env->pks_dir);
	r = fdatasync_retry(fd);
	if (r == 0)
		r = fsync_retry(s->dir);	/* the name may be new */
	if (r < 0)
		container_spoil(fd);
	(void)close(fd);	/* after the flush there is nothing left that could fail */
	if (r == 0)
		counter_advance(s);
	errno = -r;
	return r < 0 ? err_sys(e, "cannot flush '%s' of keystore '%s': what was last written is lost", name,
			       s->dev->env->pks_dir) : 0;
}

/* Before the generation is there: a mark of one that never came means nothing. */
static int mark_unflushed(struct store *s, uint64_t generation, struct err *e)
{
	s->boot.unflushed = generation;
	return boot_save(&s->boot, s->dev->env, session_of(s->dev), e);
}

/* From now on this boot is under way. Where that cannot be noted, a change of size takes effect at once: no harm. */
static void begin_session(struct store *s)
{
	struct err dropped;

	if (s->boot.here)
		return;
	if (!s->checked)
		ipl_start(s);
	(void)boot_save(&s->boot, s->dev->env, session_of(s->dev), &dropped);
}

int store_commit(struct store *s, struct err *e)
{
	AUTO_BLOB struct blob b = { 0 };
	struct container next = s->now;
	int r = store_check_moved(s, e);

	if (r == 0)
		r = store_flush(s, e);		/* before the other file, which is on disk, is written over */
	if (r < 0)
		return r;
	next.generation++;
	next.time = (uint64_t)time(NULL);
	next.counter = counter_next(s);
	memcpy(next.previous, s->hash, CRYPTO_HASH);
	r = random_bytes(next.salt, sizeof(next.salt), e);
	if (r == 0)
		r = container_seal(&next, session_of(s->dev)->root, s->objects.data, &b, e);
	if (r == 0)
		r = crypto_sha256(b.data, CONTAINER_HEADER, s->hash, e);
	if (r == 0)
		r = keep_damaged(s, e);
	if (r == 0 && s->no_wait)
		r = mark_unflushed(s, next.generation, e);
	if (r < 0)
		return r;
	r = container_replace(s, &b);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "cannot write '%s' of keystore '%s'", s->files[!s->newest], s->dev->env->pks_dir);
	}
	s->now = next;
	s->newest = !s->newest;
	s->other = OTHER_GOOD;
	s->other_len = b.len;
	if (!s->no_wait)
		counter_advance(s);
	begin_session(s);
	return 0;
}

int store_commit_both(struct store *s, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < 2; i++) {
		r = store_commit(s, e);
		if (r == 0)
			r = store_verify(s, e);
	}
	return r;
}
