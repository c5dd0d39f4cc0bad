// SPDX-License-Identifier: MIT
/* The partitions of one system: made by name, and none larger than what the pool still has for it. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/env.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/sys.h"
#include "counter.h"

static int check_name(const char *name, struct err *e)
{
	if (!soft_is_name(name, strlen(name)))
		return err_set(e, EINVAL, "a keystore's name has 1 to %d of a-z, 0-9 and, not in front, '-'; not '%.40s'",
			       SOFT_NAME_MAX, name);
	return 0;
}

int partition_uuid(const struct session *session, const char *name, unsigned char ret[UUID_SIZE], struct err *e)
{
	unsigned char data[UUID_SIZE + SOFT_NAME_MAX], hash[CRYPTO_HASH];
	size_t len = strlen(name);
	int r = check_name(name, e);

	memcpy(ret, session->system, UUID_SIZE);
	if (r < 0 || !strcmp(name, SOFT_LOCAL))
		return r;
	memcpy(data, session->system, UUID_SIZE);
	memcpy(data + UUID_SIZE, name, len);
	r = crypto_sha256(data, UUID_SIZE + len, hash, e);
	if (r < 0)
		return r;
	memcpy(ret, hash, UUID_SIZE);
	ret[6] = (unsigned char)((ret[6] & 0x0f) | 0x80);
	ret[8] = (unsigned char)((ret[8] & 0x3f) | 0x80);
	return 0;
}

size_t partition_claim(const struct container *c)
{
	size_t now = c->flags & CONTAINER_DISABLED ? 0 : c->size;

	return c->pending > now ? c->pending : now;
}

/* --- the pool ---------------------------------------------------------------------------------------------------- */

/* The newest generation of the partition NAME in S's system, whose lock is held. */
static int peek(const struct store *s, const char *name, struct container *ret, struct err *e)
{
	struct store other = { .dev = s->dev, .dir = s->dir, .top = -1, .lock = s->lock };	/* all three stay S's */
	int r = store_load(&other, name, e);

	secret_done(&other.memory);
	if (r == 0)
		*ret = other.now;
	return r;
}

static int pool_claims(const struct store *s, size_t *ret, struct err *e)
{
	AUTO_FREE char *files = NULL;
	char name[SOFT_NAME_MAX + 1] = "";
	size_t n = 0, sum = 0;
	const char *at;
	int r = dir_names_sorted(s->dir, &files, &n);

	if (r < 0) {
		errno = -r;
		return err_sys(e, "cannot read keystore '%s'", s->dev->env->pks_dir);
	}
	for (at = files; soft_partition_next(&at, &n, name);) {
		struct container c;

		if (!strcmp(name, s->name))
			continue;
		r = peek(s, name, &c, e);
		if (r < 0)
			return err_prefix(e, "cannot tell how large '%s' is", name);
		sum += partition_claim(&c);
	}
	*ret = sum;
	return 0;
}

int pool_check(const struct store *s, size_t size, struct err *e)
{
	size_t others, left;
	int r = pool_claims(s, &others, e);

	if (r < 0)
		return r;
	left = others < POOL_SIZE ? POOL_SIZE - others : 0;
	if (size > left)
		return err_set(e, ENOSPC, "all keystores of a system have %d bytes together: %zu are left for '%s', not "
			       "%zu", POOL_SIZE, left, s->name, size);
	return 0;
}

/* --- made and removed -------------------------------------------------------------------------------------------- */

static bool has_file(const struct store *s, const char *file)
{
	return faccessat(s->dir, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* One of its containers alone, never written since: its maker was killed, and there is nothing in it. */
static bool is_half_made(const struct store *s)
{
	struct err dropped;
	struct container c;

	return has_file(s, s->files[0]) && !has_file(s, s->files[1]) && peek(s, s->name, &c, &dropped) == 0 &&
	       c.generation == 1;
}

static int check_absent(const struct store *s, struct err *e)
{
	if (!has_file(s, s->files[0]) && !has_file(s, s->files[1]))
		return 0;
	return is_half_made(s) ? 0 : err_set(e, EEXIST, "keystore '%s' exists already", s->name);
}

static int make(const struct store *s, const struct container *c, struct err *e)
{
	int r = containers_create(s->dir, s->name, session_of(s->dev), c, e);

	for (unsigned i = 0; r < 0 && i < 2; i++)
		(void)unlinkat(s->dir, s->files[i], 0);
	return r < 0 ? err_prefix(e, "cannot create keystore '%s'", s->name) : 0;
}

int partition_create(const struct device *dev, const char *name, bool power11, const size_t *size, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	size_t bytes = size ? *size : STORE_SIZE_DEFAULT;
	struct container c = { .size = (uint32_t)bytes, .flags = power11 ? CONTAINER_POWER11 : 0 };
	int r = store_check_size(&c, bytes, e);

	if (r == 0 && !c.size)
		r = err_set(e, EINVAL, "a new keystore is not one that is disabled");
	if (r == 0)
		r = check_name(name, e);
	if (r == 0)
		r = store_open(&s, dev, STORE_WRITE | STORE_CREATE | STORE_DISABLED, e);
	if (r == 0)
		r = store_name(&s, name, e);
	if (r == 0)
		r = check_absent(&s, e);
	if (r == 0)
		r = pool_check(&s, c.size, e);
	if (r < 0)
		return r;
	memcpy(c.partition, s.uuid, UUID_SIZE);
	return make(&s, &c, e);
}

int partition_remove(const struct device *dev, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	int r = store_open(&s, dev, STORE_WRITE | STORE_DISABLED, e);

	if (r < 0)
		return r;
	if (!strcmp(s.name, SOFT_LOCAL))
		return err_set(e, EINVAL, "keystore '%s' is the system's own: size 0 disables it", s.name);
	if (partition_claim(&s.now))
		return err_set(e, EBUSY, "keystore '%s' is not disabled: 'hwkey pks-config --store %s --size 0' does that",
			       s.name, s.name);
	if (s.moved)	/* its UUID comes of its name: backups of the one that lives elsewhere would open here */
		return err_set(e, EBUSY, "keystore '%s' was moved away: what is left keeps its name from being used again",
			       s.name);
	r = store_check_kept(&s, e);
	if (r < 0)
		return r;
	counter_forget(dev->env, s.now.anchor);
	if (unlinkat(s.dir, s.files[!s.newest], 0) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove keystore '%s'", s.name);
	if (unlinkat(s.dir, s.files[s.newest], 0) < 0)
		return err_sys(e, "cannot remove keystore '%s'", s.name);
	return dir_sync(s.dir, e);
}
