// SPDX-License-Identifier: MIT
/* First use: everything is made in SOFT_NEW; the rename to SOFT_DIR is the one commit point. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/sys.h"

static const struct file_attr container_attr = { 0600, (gid_t)-1 }, slot_attr = { 0400, (gid_t)-1 };

static int write_container(int dir, const char *file, struct container *c, const unsigned char *root, const void *plain,
			   struct err *e)
{
	AUTO_BLOB struct blob b = { 0 };
	int r;

	c->generation++;
	r = random_bytes(c->salt, sizeof(c->salt), e);
	if (r == 0)
		r = container_seal(c, root, plain, &b, e);
	if (r == 0)
		r = file_write_at(dir, file, b.data, b.len, &container_attr, true, e);
	return r < 0 ? r : crypto_sha256(b.data, CONTAINER_HEADER, c->previous, e);
}

/* Both files from the start: a commit then only overwrites blocks that are there. */
static int containers_write(int dir, const char *partition, const struct session *session, const struct container *like,
			    const void *plain, struct err *e)
{
	struct container c = *like;
	char file[SOFT_FILE_SIZE];
	int r = root_id(session->root, c.root_id, e);

	for (unsigned i = 0; r == 0 && i < 2; i++) {
		soft_file(partition, i, file);
		r = write_container(dir, file, &c, session->root, plain, e);
	}
	return r < 0 ? r : dir_sync(dir, e);
}

int containers_create(int dir, const char *partition, const struct session *session, const struct container *c,
		      struct err *e)
{
	AUTO_SECRET struct secret plain = { 0 };
	struct container next = *c;
	struct objects empty;
	int r = secret_alloc(&plain, c->size, e);

	if (r < 0)
		return r;
	objects_init(&empty, plain.data, c->size);
	next.time = (uint64_t)time(NULL);
	return containers_write(dir, partition, session, &next, plain.data, e);
}

/* A new root key and system; the UUID is a random one (RFC 9562, version 4). */
static int session_new(struct secret *ret, struct err *e)
{
	struct session *s;
	int r = secret_random(ret, sizeof(*s), e);

	if (r < 0)
		return r;
	s = (struct session *)(void *)ret->data;
	s->epoch = 1;
	s->system[6] = (unsigned char)((s->system[6] & 0x0f) | 0x40);
	s->system[8] = (unsigned char)((s->system[8] & 0x3f) | 0x80);
	return 0;
}

static int fill(int dir, struct err *e)
{
	AUTO_SECRET struct secret secret = { 0 };
	struct container c = { .size = STORE_SIZE_DEFAULT };
	const struct session *session;
	int r = session_new(&secret, e);

	if (r < 0)
		return r;
	session = (const struct session *)(void *)secret.data;
	memcpy(c.partition, session->system, UUID_SIZE);
	r = root_slot_write(dir, root_slot_find("plain"), session, NULL, true, e);
	return r < 0 ? r : containers_create(dir, SOFT_LOCAL, session, &c, e);
}

static int remove_left(void *ctx, const char *name)
{
	return unlinkat(*(int *)ctx, name, 0) < 0 ? -errno : 0;
}

/* What a killed one left is of another root key; it may be that key, in clear. */
static int new_open(int top, int *ret, struct err *e)
{
	int r, dir = -1;

	if (mkdirat(top, SOFT_NEW, 0700) == 0 || errno == EEXIST)
		dir = *ret = openat(top, SOFT_NEW, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0 || fchmod(dir, 0700) < 0)
		return err_sys(e, "cannot create the keystore");
	r = root_wipe_temp(dir, e);
	if (r == 0)
		r = root_wipe_plain(dir, e);
	if (r < 0)
		return err_prefix(e, "cannot create the keystore");
	r = dir_names(dir, remove_left, &dir);
	errno = -r;
	return r < 0 ? err_sys(e, "cannot create the keystore") : 0;
}

static int new_publish(int top, struct err *e)
{
	if (renameat(top, SOFT_NEW, top, SOFT_DIR) < 0)
		return err_sys(e, "cannot create the keystore");
	return dir_sync(top, e);
}

int store_create(int top, struct err *e)
{
	AUTO_CLOSE int dir = -1;
	int r = new_open(top, &dir, e);

	if (r < 0)
		return r;
	r = fill(dir, e);
	return r < 0 ? err_prefix(e, "cannot create the keystore") : new_publish(top, e);
}

int store_recreate(int top, const struct session *session, const struct soft_slot *row, const struct blob *slot_data,
		   const struct container *c, const void *plain, struct err *e)
{
	AUTO_CLOSE int dir = -1;
	int r = new_open(top, &dir, e);

	if (r < 0)
		return r;
	r = file_write_at(dir, row->file, slot_data->data, slot_data->len, &slot_attr, false, e);
	if (r == 0)
		r = containers_write(dir, SOFT_LOCAL, session, c, plain, e);
	return r < 0 ? err_prefix(e, "cannot create the keystore") : new_publish(top, e);
}
