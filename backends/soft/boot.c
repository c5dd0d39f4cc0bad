// SPDX-License-Identifier: MIT
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/file.h"
#include "root.h"

enum { CONSUMERS_AT = 32, CONSUMER_SIZE = 72, CONSUMERS_END = CONSUMERS_AT + 3 * CONSUMER_SIZE };

#define BOOT_FILE "boot"

static const unsigned char magic[8] = { 'H', 'W', 'K', 'E', 'Y', 'I', 'P', 'L' };

static void consumer_encode(const struct boot_consumer *c, unsigned char *p)
{
	p[0] = (unsigned char)c->password;
	p[1] = c->locked;
	memcpy(p + 8, c->salt, sizeof(c->salt));
	memcpy(p + 40, c->verifier, sizeof(c->verifier));
}

static bool consumer_decode(const unsigned char *p, struct boot_consumer *c)
{
	c->password = (enum password)p[0];
	c->locked = p[1];
	memcpy(c->salt, p + 8, sizeof(c->salt));
	memcpy(c->verifier, p + 40, sizeof(c->verifier));
	return p[0] <= PASSWORD_CHOSEN && p[1] <= 1 && bytes_are_zero(p + 2, 6);
}

static void header_encode(const struct boot *b, unsigned char *p)
{
	memset(p, 0, BOOT_HEADER);
	memcpy(p, magic, sizeof(magic));
	be_put(p + 8, 1, 2);
	be_put(p + 16, b->unflushed, 8);
	for (int c = CONSUMER_FIRMWARE; c <= CONSUMER_OS; c++)
		consumer_encode(&b->consumers[c], p + CONSUMERS_AT + (c - 1) * CONSUMER_SIZE);
}

int boot_parse(void *data, size_t size, struct boot *ret, struct err *e)
{
	unsigned char *p = data;
	struct boot b = { .here = true, .memory = data, .size = size };
	bool good = size > BOOT_HEADER && !memcmp(p, magic, sizeof(magic)) && be_get(p + 8, 2) == 1 &&
		    bytes_are_zero(p + 10, 6) && bytes_are_zero(p + 24, 8) &&
		    bytes_are_zero(p + CONSUMERS_END, BOOT_HEADER - CONSUMERS_END);
	int r;

	for (int c = CONSUMER_FIRMWARE; good && c <= CONSUMER_OS; c++)
		good = consumer_decode(p + CONSUMERS_AT + (c - 1) * CONSUMER_SIZE, &b.consumers[c]);
	if (!good)
		return err_set(e, EBADMSG, "state of this boot is malformed");
	b.unflushed = be_get(p + 16, 8);
	r = objects_parse(p + BOOT_HEADER, size - BOOT_HEADER, &b.objects, e);
	if (r == 0)
		*ret = b;
	return r;
}

static int boot_key(const struct session *session, unsigned char ret[ROOT_KEY], unsigned char ret_id[ROOT_ID],
		    struct err *e)
{
	int r = crypto_hkdf(session->root, ROOT_KEY, "", 0, "hwkey-pks/1 boot", 16, ret, ROOT_KEY, e);

	return r < 0 ? r : root_id(ret, ret_id, e);
}

/* Of the directory, or with FILE of what is in it. */
static int boot_path(const struct env *env, const unsigned char partition[UUID_SIZE], const char *file, char ret[PATH_MAX],
		     struct err *e)
{
	char hex[2 * UUID_SIZE + 1], rel[sizeof(hex) + 64];

	hex_encode(partition, UUID_SIZE, hex);
	(void)snprintf(rel, sizeof(rel), "/run/hwkey/pks/%s%s%s", hex, file ? "/" : "", file ? file : "");
	return sysroot_path(env, rel, ret, PATH_MAX, e);
}

size_t boot_room(size_t partition)
{
	return partition + CONTAINER_SIZE_STEP;
}

static void boot_new(struct boot *ret, const unsigned char *partition, unsigned char *memory, size_t size)
{
	*ret = (struct boot){ .memory = memory, .size = size };
	memcpy(ret->partition, partition, UUID_SIZE);
	objects_init(&ret->objects, memory + BOOT_HEADER, size - BOOT_HEADER);
}

/* FILE was put there by us, in whatever boot: into B's memory. */
static int boot_open(struct boot *b, const struct session *session, const struct blob *file, struct container *ret,
		     struct err *e)
{
	unsigned char key[ROOT_KEY], id[ROOT_ID];
	int r = boot_key(session, key, id, e);

	if (r == 0)
		r = container_parse(file->data, file->len, ret, e);
	if (r == 0 && (memcmp(ret->root_id, id, ROOT_ID) != 0 || memcmp(ret->partition, b->partition, UUID_SIZE) != 0 ||
		       ret->size > b->size))
		r = err_set(e, EBADMSG, "not the state of this keystore");
	if (r == 0)
		r = container_open(ret, file->data, key, b->memory, e);
	explicit_bzero(key, sizeof(key));
	return r;
}

/* What is in FILE, or as if there were none if that says that it is of another boot. */
static int boot_take(struct boot *b, const struct env *env, const struct session *session, const struct blob *file,
		     struct err *e)
{
	unsigned char id[CRYPTO_HASH] = { 0 };
	struct container c = { 0 };
	int r = boot_id_read(env, id, e);

	if (r == 0)
		r = boot_open(b, session, file, &c, e);
	if (r < 0)
		return r;
	if (memcmp(c.previous, id, sizeof(id)) != 0) {
		boot_new(b, c.partition, b->memory, b->size);
		return 0;
	}
	memset(b->memory + c.size, 0, b->size - c.size);
	r = boot_parse(b->memory, b->size, b, e);
	memcpy(b->partition, c.partition, UUID_SIZE);
	b->generation = c.generation;
	return r;
}

int boot_load(struct boot *ret, const struct env *env, const struct session *session,
	      const unsigned char partition[UUID_SIZE], unsigned char *memory, size_t size, struct err *e)
{
	AUTO_BLOB struct blob file = { 0 };
	struct boot b;
	char path[PATH_MAX];
	int r;

	boot_new(&b, partition, memory, size);
	r = boot_path(env, partition, BOOT_FILE, path, e);
	if (r < 0)
		return r;
	r = file_read_at(AT_FDCWD, path, CONTAINER_MAX, &file, e);
	if (r == 0)
		r = boot_take(&b, env, session, &file, e);
	if (r < 0 && r != -ENOENT) {
		(void)err_prefix(e, "'%.200s', which has the passwords and locks of this boot", path);
		return err_hint(e, "reboot, or remove it and what it holds");
	}
	*ret = b;
	return 0;
}

void boot_unknown(struct boot *ret, const unsigned char partition[UUID_SIZE], uint64_t generation, unsigned char *memory,
		  size_t size)
{
	boot_new(ret, partition, memory, size);
	ret->here = ret->unknown = true;
	ret->unflushed = generation;
}

/* Others may pass through, not look: that there is no file for them is seen as that. */
static int boot_directory(const struct env *env, const struct boot *b, int *ret, struct err *e)
{
	char path[PATH_MAX];
	int fd, r = boot_path(env, b->partition, NULL, path, e);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		r = dir_create(path, e);
		if (r < 0)
			return r;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && (fchmodat(fd, "..", 0711, 0) < 0 || fchmodat(fd, "../..", 0711, 0) < 0)) {
			(void)close(fd);
			fd = -1;
		}
	}
	if (fd < 0)
		return err_sys(e, "cannot keep '%s'", path);
	*ret = fd;
	return 0;
}

int boot_save(struct boot *b, const struct env *env, const struct session *session, struct err *e)
{
	static const struct file_attr attr = { 0600, (gid_t)-1 };
	struct container c = { .generation = b->generation + 1, .time = (uint64_t)time(NULL) };
	unsigned char key[ROOT_KEY];
	AUTO_BLOB struct blob file = { 0 };
	AUTO_CLOSE int dir = -1;
	size_t used = BOOT_HEADER + b->objects.used;
	int r = boot_id_read(env, c.previous, e);

	if (used < CONTAINER_SIZE_MIN)
		used = CONTAINER_SIZE_MIN;
	c.size = (uint32_t)((used + CONTAINER_SIZE_STEP - 1) / CONTAINER_SIZE_STEP * CONTAINER_SIZE_STEP);
	memcpy(c.partition, b->partition, UUID_SIZE);
	if (r == 0)
		r = boot_key(session, key, c.root_id, e);
	if (r == 0)
		r = random_bytes(c.salt, sizeof(c.salt), e);
	if (r == 0) {
		header_encode(b, b->memory);
		r = container_seal(&c, key, b->memory, &file, e);
	}
	explicit_bzero(key, sizeof(key));
	if (r == 0)
		r = boot_directory(env, b, &dir, e);
	if (r == 0)
		r = file_write_at(dir, BOOT_FILE, file.data, file.len, &attr, true, e);
	if (r < 0)
		return r;
	b->generation = c.generation;
	b->here = true;
	return 0;
}

int boot_forget(const struct env *env, const unsigned char partition[UUID_SIZE], struct err *e)
{
	char path[PATH_MAX];
	AUTO_CLOSE int dir = -1;
	int r = boot_path(env, partition, NULL, path, e);

	if (r < 0)
		return r;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir >= 0)
		r = file_wipe_at(dir, BOOT_FILE, e);
	if (r == 0)
		(void)rmdir(path);
	return r;
}

int boot_verifier(const struct boot_consumer *c, const struct secret *password, unsigned char ret[CRYPTO_HASH],
		  struct err *e)
{
	if (c->password == PASSWORD_CHOSEN)	/* 16 MiB: each command pays it */
		return crypto_scrypt(password, c->salt, sizeof(c->salt), 14, 8, 1, ret, e);
	return crypto_hkdf(password->data, password->len, c->salt, sizeof(c->salt), "hwkey-pks/1 password", 20, ret,
			   CRYPTO_HASH, e);
}
