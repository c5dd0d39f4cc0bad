// SPDX-License-Identifier: MIT
#include "erase.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/secret.h"
#include "lib/sys.h"
#include "anchor.h"
#include "counter.h"
#include "store.h"

static const struct file_attr attr = { 0600, (gid_t)-1 };

/* --- what a file is ---------------------------------------------------------------------------------------------- */

enum { ERASE_HEAD = 64 };		/* bytes: up to behind the anchor of a container */

/* Its first bytes: magic, and from 16 on a UUID. 0: it has fewer, or is no file. */
static int read_head(int dir, const char *name, unsigned char ret[ERASE_HEAD], struct err *e)
{
	AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	ssize_t n = 1;
	size_t have = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == ENXIO ? 0 : err_sys(e, "cannot open '%s'", name);
	while (have < ERASE_HEAD && n != 0) {
		n = pread(fd, ret + have, ERASE_HEAD - have, (off_t)have);
		if (n < 0 && errno != EINTR)
			return errno == EISDIR ? 0 : err_sys(e, "cannot read '%s'", name);
		have += n > 0 ? (size_t)n : 0;
	}
	return have == ERASE_HEAD;
}

/* 1, in HEAD its first bytes. Of all else it is not known that the root key is not in it. */
static int is_container(int dir, const char *name, unsigned char head[ERASE_HEAD], struct err *e)
{
	int r = read_head(dir, name, head, e);

	return r == 1 ? !memcmp(head, "HWKEYPKS", 8) : r;
}

/* The UUID in FILE, empty if there is none; nothing is proven. */
static void read_uuid(int dir, const char *file, char ret[37])
{
	unsigned char head[ERASE_HEAD];
	struct err dropped;

	if (read_head(dir, file, head, &dropped) == 1 && (!memcmp(head, "HWKEYRTK", 8) || !memcmp(head, "HWKEYPKS", 8)))
		uuid_format(head + 16, ret);
}

/* The system's, as a slot says it, or a container. */
static void find_id(int dir, char ret[37])
{
	char file[SOFT_FILE_SIZE];

	ret[0] = '\0';
	for (size_t i = 0; !ret[0] && i < ARRAY_SIZE(soft_slots); i++)
		read_uuid(dir, soft_slots[i].file, ret);
	for (unsigned i = 0; !ret[0] && i < 2; i++) {
		soft_file(SOFT_LOCAL, i, file);
		read_uuid(dir, file, ret);
	}
}

/* --- what must be empty ------------------------------------------------------------------------------------------ */

/* What is damaged may hold objects that the generation in use has not. */
static int check_whole(const struct store *s, struct err *e)
{
	if (s->other != OTHER_GOOD)
		return err_set(e, EBADMSG, "'%s', which is damaged or missing, may hold objects", s->files[!s->newest]);
	for (unsigned i = 0; i < 2; i++)
		if (store_has_kept(s, i))
			return err_set(e, EBADMSG, "the damaged '%s' may hold objects", s->kept[i]);
	return 0;
}

/* Of a partition beside the one that is asked for. */
static int check_empty(const struct device *dev, int dir, const char *name, struct err *e)
{
	struct store s = { .dev = dev, .dir = dir, .top = -1, .lock = -1 };	/* DIR stays the caller's */
	unsigned objects;
	int r = root_unlock(dev, dir, e);

	if (r == 0)
		r = store_load(&s, name, e);
	if (r == 0)
		r = boot_load(&s.boot, dev->env, session_of(dev), s.uuid, s.memory.data + s.now.size,
			      boot_room(s.now.size), e);
	objects = s.objects.count + s.boot.objects.count;
	if (r == 0 && !objects)
		r = check_whole(&s, e);
	if (r < 0)
		r = err_prefix(e, "cannot tell whether partition '%s' is empty", name);
	else if (objects)
		r = err_set(e, EBUSY, "partition '%s' holds %u object%s: what is to stay is moved to another system first",
			    name, objects, objects == 1 ? "" : "s");
	secret_done(&s.memory);
	return r < 0 ? err_hint(e, "--all erases it, too") : 0;
}

static int check_others(const struct device *dev, int dir, struct err *e)
{
	AUTO_FREE char *files = NULL;
	char name[SOFT_NAME_MAX + 1] = "";
	const char *at;
	size_t n = 0;
	int r = dir_names_sorted(dir, &files, &n);

	if (r < 0) {
		errno = -r;
		return err_sys(e, "cannot read keystore '%s'", dev->env->pks_dir);
	}
	for (at = files; r == 0 && soft_partition_next(&at, &n, name);)
		if (strcmp(name, SOFT_LOCAL) != 0)
			r = check_empty(dev, dir, name, e);
	return r;
}

/* --- the two steps ----------------------------------------------------------------------------------------------- */

struct wiping {
	const struct env *env;
	int dir;
	bool data;		/* containers, too */
	size_t done;		/* in this pass */
	struct err first;	/* .code 0: none; it keeps nothing else from being wiped */
};

static void note_first(struct err *first, int r, const struct err *why)
{
	if (r < 0 && !first->code)
		*first = *why;
}

static void wipe(struct wiping *w, const char *name)
{
	struct err why;
	int r = file_wipe_at(w->dir, name, &why);

	note_first(&w->first, r, &why);
	w->done += r == 0;
}

/* The boot's id stays until all else is gone. What cannot be read is by its name a container, or may be the root key. */
static int wipe_one(void *ctx, const char *name)
{
	char partition[SOFT_NAME_MAX + 1];
	unsigned char head[ERASE_HEAD];
	struct wiping *w = ctx;
	struct err why;
	bool data;
	int r;

	if (!strcmp(name, SOFT_ERASE_BOOT))
		return 0;
	r = is_container(w->dir, name, head, &why);
	data = r == 1 || (r < 0 && soft_partition_of(name, partition));
	if (r == 1)
		note_first(&w->first, boot_forget(w->env, head + 16, &why), &why);
	else if (data && !w->data)
		note_first(&w->first, r, &why);
	if (r == 1 && w->data)
		counter_forget(w->env, be_get(head + CONTAINER_ANCHOR_AT, 8));
	if (!data || w->data)
		wipe(w, name);
	return 0;
}

/* The root key first, whatever else is there. Names may be passed over while others go: until none is left. */
static int wipe_all(const struct env *env, int dir, bool data, struct err *e)
{
	struct wiping w = { .env = env, .dir = dir, .data = data };
	struct err why;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(soft_slots); i++)
		wipe(&w, soft_slots[i].file);
	wipe(&w, FILE_TEMP);
	do {
		w.done = 0;
		r = dir_names(dir, wipe_one, &w);
	} while (r == 0 && w.done);
	if (r < 0) {
		errno = -r;
		note_first(&w.first, err_sys(&why, "cannot list keystore '%s'", env->pks_dir), &why);
	}
	note_first(&w.first, dir_sync(dir, &why), &why);
	if (w.first.code)
		*e = w.first;
	return -w.first.code;
}

/* What a first use that was cut short left has a root key, too, though nothing is under it. */
static int wipe_dir(const struct env *env, int top, const char *name, struct err *e)
{
	AUTO_CLOSE int dir = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot open '%s/%s'", env->pks_dir, name);
	r = wipe_all(env, dir, true, e);
	if (r == 0)
		r = file_wipe_at(dir, SOFT_ERASE_BOOT, e);
	if (r == 0 && unlinkat(top, name, AT_REMOVEDIR) < 0)
		r = err_sys(e, "cannot remove '%s/%s'", env->pks_dir, name);
	return r < 0 ? r : dir_sync(top, e);
}

/* --- where it stands --------------------------------------------------------------------------------------------- */

/* 1: the root key went in a boot before this one. Without an id of it nobody is waiting for another one. */
static int is_later_boot(const struct env *env, int dir, struct err *e)
{
	unsigned char id[BOOT_ID];
	AUTO_BLOB struct blob then = { 0 };
	int r = file_read_at(dir, SOFT_ERASE_BOOT, BOOT_ID, &then, e);

	if (r == -ENOENT || (r == 0 && then.len != BOOT_ID))
		return 1;
	if (r == 0)
		r = boot_id_read(env, id, e);
	return r < 0 ? err_hint(e, "--now erases all at once") : memcmp(id, then.data, BOOT_ID) != 0;
}

/* In this keystore, before it is given up: the one thing that may be left behind if that fails. */
static int note_boot(const struct env *env, int dir, unsigned flags, struct err *e)
{
	unsigned char id[BOOT_ID];
	int r;

	if (flags & ERASE_AT_ONCE)
		return file_wipe_at(dir, SOFT_ERASE_BOOT, e);
	r = boot_id_read(env, id, e);
	if (r < 0)
		return err_hint(e, "--now erases all at once");
	r = file_write_at(dir, SOFT_ERASE_BOOT, id, sizeof(id), &attr, true, e);
	return r < 0 ? r : dir_sync(dir, e);
}

/* Commit: the directory has another name, durable before anything in it is touched. */
static int give_up(const struct env *env, int top, int dir, unsigned flags, struct err *e)
{
	struct err dropped;
	int r = note_boot(env, dir, flags, e);

	if (r < 0)
		return r;
	if (renameat(top, SOFT_DIR, top, SOFT_ERASE) < 0) {
		r = err_sys(e, "cannot begin to erase keystore '%s'", env->pks_dir);
		(void)file_wipe_at(dir, SOFT_ERASE_BOOT, &dropped);
		return r;
	}
	return dir_sync(top, e);
}

static int open_dir(int top, const char *name, const struct env *env, int *ret, struct err *e)
{
	*ret = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*ret >= 0 || errno == ENOENT)
		return *ret < 0 ? -ENOENT : 0;
	return err_sys(e, "cannot open keystore '%s'", env->pks_dir);
}

/* The keystore, or what an erase has left of it. */
static int open_either(const struct env *env, int *ret_top, int *ret_dir, bool *ret_begun, struct err *e)
{
	int r;

	*ret_top = open(env->pks_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_top < 0 && errno != ENOENT)
		return err_sys(e, "cannot open keystore '%s'", env->pks_dir);
	r = *ret_top < 0 ? -ENOENT : open_dir(*ret_top, SOFT_ERASE, env, ret_dir, e);
	*ret_begun = r == 0;
	if (r == -ENOENT && *ret_top >= 0)
		r = open_dir(*ret_top, SOFT_DIR, env, ret_dir, e);
	return r == -ENOENT ? err_set(e, ENOENT, "keystore '%s' is not initialised", env->pks_dir) : r;
}

/* The anchor first: its slot tells where it is. */
static int carry_out(const struct env *env, int top, int dir, struct store_erased *found, struct err *e)
{
	struct err first = { 0 }, why;
	int r;

	found->left = found->anchor[0] && !anchor_erase(dir);
	note_first(&first, wipe_dir(env, top, SOFT_NEW, &why), &why);
	r = wipe_all(env, dir, false, &why);
	if (found->done)			/* which tries again what failed */
		r = wipe_dir(env, top, SOFT_ERASE, &why);
	note_first(&first, r, &why);
	if (first.code)
		*e = first;
	return -first.code;
}

struct remains {
	int top, dir, lock;
};

static void remains_done(struct remains *p)
{
	auto_close(&p->top);
	auto_close(&p->dir);
	auto_close(&p->lock);
	*p = (struct remains){ -1, -1, -1 };
}

static int remains_open(const struct env *env, bool lock, struct remains *p, bool *ret_begun, struct err *e)
{
	int r = open_either(env, &p->top, &p->dir, ret_begun, e);

	if (r < 0 || !lock)
		return r;
	r = lock_take(p->top, SOFT_LOCK, &attr, &p->lock, e);
	auto_close(&p->top);
	auto_close(&p->dir);
	p->top = p->dir = -1;
	return r < 0 ? r : open_either(env, &p->top, &p->dir, ret_begun, e);
}

int store_erase(const struct device *dev, unsigned flags, struct store_erased *ret, struct err *e)
{
	AUTO(remains_done) struct remains p = { -1, -1, -1 };
	const bool check = flags & ERASE_CHECK;
	const struct env *env = dev->env;
	struct store_erased found = { .done = flags & ERASE_AT_ONCE };
	int r = remains_open(env, !check, &p, &found.begun, e);

	if (r == 0 && found.begun && !found.done) {
		r = is_later_boot(env, p.dir, e);
		found.done = r == 1;
	}
	if (r < 0)
		return r;
	find_id(p.dir, found.id);
	_Static_assert(sizeof(found.anchor) == ANCHOR_PATH_MAX + 1, "a path fits");
	anchor_path(p.dir, found.anchor);
	if (!check && (strcmp(found.id, ret->id) != 0 || (found.anchor[0] && strcmp(found.anchor, ret->anchor) != 0)))
		return err_set(e, EBUSY, "'%s' is another keystore now: nothing was erased", env->pks_dir);
	if (!check)		/* what was confirmed is told of, whether its path can be read again or not */
		memcpy(found.anchor, ret->anchor, sizeof(found.anchor));
	r = found.begun || flags & ERASE_OTHERS ? 0 : check_others(dev, p.dir, e);
	if (r < 0)
		return r;
	r = check || found.begun ? 0 : give_up(env, p.top, p.dir, flags, e);
	if (r == 0 && !check)
		r = carry_out(env, p.top, p.dir, &found, e);
	if (r == 0)
		*ret = found;
	return r;
}
