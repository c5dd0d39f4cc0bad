// SPDX-License-Identifier: MIT
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "err.h"

enum {			/* bytes: each page that the kernel keeps secret costs as much as 50 system calls */
	FIRST_SIZE = 4096,
	ARENA_SIZE = 262144,	/* more than an ordinary run needs; only what is used costs pages */
	ARENA_ALIGN = 64,
};

/*
 * At the beginning of its own mapping, so that every copy of this file, in whatever module and thread, can give back to it.
 * A child has its parent's in common with it, and takes no more of it.
 */
struct arena {
	size_t used;		/* bytes; what is above them is zero */
	unsigned forks;		/* of the process that made it */
};

static unsigned forks;
static struct arena *arena;

static void forked(void)
{
	forks++;
	arena = NULL;
}

static void *map_secretmem(size_t size)
{
#ifdef SYS_memfd_secret
	AUTO_CLOSE int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return MAP_FAILED;
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
#else
	(void)size;
	return MAP_FAILED;
#endif
}

static void *map_locked(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED) {
		(void)mlock(p, size);	/* best effort: RLIMIT_MEMLOCK may forbid it */
		(void)madvise(p, size, MADV_DONTDUMP);
		(void)madvise(p, size, MADV_WIPEONFORK);
	}
	return p;
}

/* Where accesses are watched each secret is apart, and so it is where the kernel keeps no pages secret, or not so many. */
static struct arena *arena_get(void)
{
#ifdef __SANITIZE_ADDRESS__
	(void)forked;
	return NULL;
#else
	struct arena *a = __atomic_load_n(&arena, __ATOMIC_ACQUIRE), *none = NULL;

	if (a)
		return a == MAP_FAILED ? NULL : a;
	a = pthread_atfork(NULL, NULL, forked) == 0 ? map_secretmem(ARENA_SIZE) : MAP_FAILED;
	if (a != MAP_FAILED)
		*a = (struct arena){ .used = ARENA_ALIGN, .forks = forks };
	if (!__atomic_compare_exchange_n(&arena, &none, a, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		if (a != MAP_FAILED)		/* another thread was first */
			(void)munmap(a, ARENA_SIZE);
		a = none;
	}
	return a == MAP_FAILED ? NULL : a;
#endif
}

static size_t arena_size(size_t size)
{
	return (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

static bool arena_take(struct secret *ret, size_t size)
{
	struct arena *a = size < ARENA_SIZE ? arena_get() : NULL;
	size_t at = a ? __atomic_load_n(&a->used, __ATOMIC_ACQUIRE) : 0;

	do
		if (!a || arena_size(size) > ARENA_SIZE - at)
			return false;
	while (!__atomic_compare_exchange_n(&a->used, &at, at + arena_size(size), false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE));
	*ret = (struct secret){ .data = (unsigned char *)a + at, .size = size, .from = a };
	return true;
}

/* What is not the last one stays away until the process ends. */
static void arena_give(const struct secret *s)
{
	size_t at = (size_t)(s->data - (unsigned char *)s->from), end = at + arena_size(s->size);

	if (s->from->forks == forks)
		(void)__atomic_compare_exchange_n(&s->from->used, &end, at, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

int secret_alloc(struct secret *ret, size_t size, struct err *e)
{
	size_t mapped = size ? size : 1;
	void *p;

	if (arena_take(ret, mapped))
		return 0;
	p = map_secretmem(mapped);
	if (p == MAP_FAILED)
		p = map_locked(mapped);
	if (p == MAP_FAILED)
		return err_sys(e, "cannot map %zu bytes of secret memory", size);
	*ret = (struct secret){ .data = p, .size = mapped };
	return 0;
}

void secret_bytes_copy(void *ret, const void *data, size_t len)
{
	volatile unsigned char *to = ret;
	const unsigned char *from = data;

	if ((uintptr_t)to <= (uintptr_t)from)
		for (size_t i = 0; i < len; i++)
			to[i] = from[i];
	else
		while (len--)
			to[len] = from[len];
}

int secret_copy(struct secret *ret, const void *data, size_t len, struct err *e)
{
	int r = secret_alloc(ret, len, e);

	if (r == 0)
		secret_bytes_copy(ret->data, data, len);
	ret->len = r == 0 ? len : 0;
	return r;
}

int random_bytes(void *p, size_t len, struct err *e)
{
	unsigned char *at = p;

	while (len) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "cannot get random bytes");
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int secret_random(struct secret *ret, size_t len, struct err *e)
{
	AUTO_SECRET struct secret s = { 0 };
	int r = secret_alloc(&s, len, e);

	if (r == 0)
		r = random_bytes(s.data, len, e);
	if (r < 0)
		return r;
	s.len = len;
	*ret = TAKE(s);
	return 0;
}

int secret_fill(struct secret *s, int fd, size_t max, size_t known, struct err *e)
{
	while (s->len <= max) {
		if (s->len == known)
			return 0;

		ssize_t n = read(fd, s->data + s->len, s->size - s->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "cannot read");
		if (n == 0)
			return 0;
		s->len += (size_t)n;
	}
	return err_set(e, EFBIG, "longer than %zu bytes", max);
}

/* One page is mostly enough; what is longer moves. */
int secret_read(struct secret *ret, int fd, size_t max, struct err *e)
{
	AUTO_SECRET struct secret first = { 0 }, whole = { 0 };
	int r = secret_alloc(&first, FIRST_SIZE, e);

	if (r == 0)
		r = secret_fill(&first, fd, max < FIRST_SIZE ? max : FIRST_SIZE - 1, SIZE_MAX, e);
	if (r == -EFBIG && first.len <= max) {
		r = secret_alloc(&whole, max + 1, e);
		if (r < 0)
			return r;
		secret_bytes_copy(whole.data, first.data, first.len);
		whole.len = first.len;
		r = secret_fill(&whole, fd, max, SIZE_MAX, e);
	}
	if (r < 0)
		return r;
	*ret = whole.data ? TAKE(whole) : TAKE(first);
	return 0;
}

void secret_done(struct secret *s)
{
	if (s->data) {
		explicit_bzero(s->data, s->size);
		if (s->from)
			arena_give(s);
		else
			(void)munmap(s->data, s->size);
	}
	*s = (struct secret){ 0 };
}

void secret_protect_process(void)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0) < 0)	/* what is not dumpable has no core, whatever the limit */
		(void)setrlimit(RLIMIT_CORE, &none);
}
