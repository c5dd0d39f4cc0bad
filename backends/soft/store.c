// SPDX-License-Identifier: MIT
#include "store.h"

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
#include "counter.h"

enum { READ_TRIES = 20 };	/* a reader takes no lock: it can meet two commits in one reading */

/* --- opening --------------------------------------------------------------------------------------------------- */

/* Who may write here can replace the keystore by an older one, or by his own. */
static int check_directory(int fd, const char *name, const char *path, struct err *e)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_EMPTY_PATH) < 0)
		return err_sys(e, "cannot open keystore '%s'", path);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) || (st.st_uid != 0 && st.st_uid != geteuid()))
		return err_set(e, EPERM, "keystore directory '%s' can be written by other users: chmod go-w it, if it is "
			       "to be trusted", path);
	return 0;
}

/* Once in its life: what it is, and what it is not. */
static void tell_made(const struct env *env)
{
	if (env->warn)
		env->warn(env, "a new keystore was made in '%s'", env->pks_dir);
	if (env->note)
		env->note(env, "The software keystore follows the rules of the PowerVM Platform KeyStore inside this tool. "
			       "Unlike PowerVM it is not a separate trust domain: whoever is root on this machine, or "
			       "holds every root-key slot, can open it.");
}

int store_check_first(const struct env *env, struct err *e)
{
	return env->keystore_may_create ? env->keystore_may_create(env, e) : 0;
}

/* One that was lost is another thing than one that never was. */
static int not_initialised(const struct env *env, struct err *e)
{
	if (store_check_first(env, e) == -ENOENT)
		return -ENOENT;
	return err_set(e, ENOENT, "keystore '%s' is not initialised: its first use does that, as 'hwkey pks-config --size "
		       "64K'", env->pks_dir);
}

static int open_top(struct store *s, unsigned flags, struct err *e)
{
	const char *path = s->dev->env->pks_dir;

	s->top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->top < 0 && errno == ENOENT && flags & STORE_CREATE && s->dev->env->keystore_create) {
		int r = store_check_first(s->dev->env, e);

		if (r == 0)
			r = dir_create(path, e);
		if (r < 0)
			return r;
		s->top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (s->top >= 0)
		return check_directory(s->top, "", path, e);
	if (errno == ENOENT)
		return not_initialised(s->dev->env, e);
	return err_sys(e, "cannot open keystore '%s'", path);
}

static int take_lock(struct store *s, struct err *e)
{
	const struct file_attr attr = { 0600, (gid_t)-1 };

	if (s->lock >= 0)
		return 0;
	return s->top >= 0 ? lock_take(s->top, SOFT_LOCK, &attr, &s->lock, e)
			   : lock_take(s->dir, "../" SOFT_LOCK, &attr, &s->lock, e);
}

static int open_system(struct store *s, struct err *e)
{
	int r;

	s->dir = openat(s->top, SOFT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s->dir >= 0)
		return 0;
	if (errno != ENOENT)
		return err_sys(e, "cannot open keystore '%s'", s->dev->env->pks_dir);
	r = root_check_erased(s->top, s->dev->env, e);
	return r < 0 ? r : not_initialised(s->dev->env, e);
}

/* Under the lock one of several first users creates it, the others find it. */
static int open_or_create(struct store *s, unsigned flags, struct err *e)
{
	int r = open_system(s, e);

	if (r != -ENOENT || !(flags & STORE_CREATE) || !s->dev->env->keystore_create)
		return r;
	r = take_lock(s, e);
	if (r < 0)
		return r;
	r = open_system(s, e);
	if (r != -ENOENT)
		return r;
	r = store_check_first(s->dev->env, e);
	if (r == 0)
		r = store_create(s->top, e);
	if (r < 0)
		return r;
	s->created = true;
	tell_made(s->dev->env);
	return open_system(s, e);
}

/* One that is there is opened at once, without its .top. What else there is, is found out step by step. */
static int open_any(struct store *s, unsigned flags, struct err *e)
{
	const char *top = s->dev->env->pks_dir;
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/" SOFT_DIR, top) < (int)sizeof(path))
		s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s->dir >= 0)
		return check_directory(s->dir, "..", top, e);
	r = open_top(s, flags, e);
	return r < 0 ? r : open_or_create(s, flags, e);
}

/* --- reading --------------------------------------------------------------------------------------------------- */

struct candidate {		/* one of the two files */
	struct blob file;
	struct container header;
	struct err err;		/* .code 0: parsed */
	bool ours;		/* by its header */
};

static void candidates_done(struct candidate (*c)[2])
{
	blob_done(&(*c)[0].file);
	blob_done(&(*c)[1].file);
}

static int check_header(const struct store *s, const struct container *c, struct err *e)
{
	const struct session *session = session_of(s->dev);
	unsigned char id[ROOT_ID];
	int r = root_id(session->root, id, e);

	if (r < 0)
		return r;
	if (memcmp(c->partition, s->uuid, UUID_SIZE) != 0)
		return err_set(e, EBADMSG, "belongs to another keystore");
	if (memcmp(c->root_id, id, ROOT_ID) != 0)
		return err_set(e, EBADMSG, "was written under another root key");
	if (c->size > PARTITION_SIZE_MAX || c->pending > PARTITION_SIZE_MAX)
		return err_set(e, EBADMSG, "is larger than a keystore can be");
	if (c->flags & (CONTAINER_BACKUP | CONTAINER_EXPORT))
		return err_set(e, EBADMSG, "is a backup or an export, not a container in use");
	return 0;
}

/*
 * A missing or malformed file is one candidate less. Any other failure (say, EIO) fails the whole: going on with the
 * older generation would lose what was written last.
 */
static int candidate_read(const struct store *s, unsigned which, struct candidate *c, struct err *e)
{
	struct stat st;
	int r = file_read_stat_at(s->dir, s->files[which], CONTAINER_MAX, &c->file, &st, &c->err);
	int owner = st.st_mode ? root_check_stat(s->dev, s->files[which], &st, e) : 0;

	if (owner < 0)
		return owner;
	if (r == -ENOENT)
		(void)err_set(&c->err, ENOENT, "is missing");
	if (r == -ENOENT || r == -ELOOP || r == -EFBIG || r == -EBADMSG) {
		c->err.code = EBADMSG;
		return 0;
	}
	if (r < 0) {
		*e = c->err;
		return r;
	}
	c->ours = container_parse(c->file.data, c->file.len, &c->header, &c->err) == 0 &&
		  check_header(s, &c->header, &c->err) == 0;
	return 0;
}

static int candidate_open(struct store *s, struct candidate *c, struct err *e)
{
	size_t size = c->header.size + boot_room(c->header.size);
	int r = 0;

	if (s->memory.size < size) {
		secret_done(&s->memory);
		r = secret_alloc(&s->memory, size, e);
	}
	if (r == 0)
		r = container_open(&c->header, c->file.data, session_of(s->dev)->root, s->memory.data, e);
	if (r == 0)
		r = objects_parse(s->memory.data, c->header.size, &s->objects, e);
	return r;
}

static enum other other_is(const struct candidate *c, uint64_t generation)
{
	if (!c->err.code)
		return OTHER_GOOD;
	return c->ours && c->header.generation > generation ? OTHER_NEWER : OTHER_BAD;
}

static int load_once(struct store *s, struct err *e)
{
	AUTO(candidates_done) struct candidate c[2] = { 0 };
	unsigned first;
	int r = candidate_read(s, 0, &c[0], e);

	if (r == 0)
		r = candidate_read(s, 1, &c[1], e);
	if (r < 0)
		return r;
	first = !c[1].err.code && (c[0].err.code || c[1].header.generation > c[0].header.generation);
	for (unsigned n = 0; n < 2; n++) {
		unsigned i = n ? !first : first;

		if (c[i].err.code)
			continue;
		r = candidate_open(s, &c[i], &c[i].err);
		if (r < 0 && r != -EBADMSG) {
			*e = c[i].err;
			return r;
		}
		if (r < 0)
			continue;
		s->now = c[i].header;
		s->newest = i;
		s->other = other_is(&c[!i], c[i].header.generation);
		s->other_len = c[!i].file.len;
		return crypto_sha256(c[i].file.data, CONTAINER_HEADER, s->hash, e);
	}
	return err_set(e, EBADMSG, "keystore '%s' is damaged: %s: %.120s; %s: %.120s", s->dev->env->pks_dir,
		       s->files[0], c[0].err.msg, s->files[1], c[1].err.msg);
}

/* A file that is damaged may be one in writing, the good one read before that: it counts if it is still the same later. */
static int load(struct store *s, struct err *e)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	int tries = s->lock >= 0 ? 1 : READ_TRIES;
	uint64_t before = 0;	/* no generation */

	for (;;) {
		int r = load_once(s, e);

		if (r == 0 && (s->other == OTHER_GOOD || s->now.generation == before))
			return 0;
		if ((r < 0 && r != -EBADMSG) || --tries <= 0)
			return r;
		before = r == 0 ? s->now.generation : 0;
		(void)nanosleep(&pause, NULL);
	}
}

int store_name(struct store *s, const char *name, struct err *e)
{
	int r = partition_uuid(session_of(s->dev), name, s->uuid, e);

	if (r < 0)
		return r;
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	for (unsigned i = 0; i < 2; i++) {
		soft_file(name, i, s->files[i]);
		(void)snprintf(s->kept[i], sizeof(s->kept[i]), "%s.damaged", s->files[i]);
	}
	return 0;
}

int store_load(struct store *s, const char *name, struct err *e)
{
	int r = store_name(s, name, e);

	return r < 0 ? r : load(s, e);
}

/* Once per device. */
static void tell_damage(const struct store *s)
{
	const struct env *env = s->dev->env;

	if (s->other == OTHER_GOOD || session_of(s->dev)->told)
		return;
	session_of(s->dev)->told = true;
	if (env->note)
		env->note(env, "'%s' of keystore '%s' is damaged%s; generation %llu of '%s' is used",
			  s->files[!s->newest], env->pks_dir,
			  s->other == OTHER_NEWER ? ", or its writing was cut short" : " or missing",
			  (unsigned long long)s->now.generation, s->files[s->newest]);
}

/* PLAIN is the memory of the objects. */
static bool other_load(const struct store *s, struct secret *plain, struct objects *ret)
{
	struct candidate c = { 0 };
	struct err ignored;
	bool opens = candidate_read(s, !s->newest, &c, &ignored) == 0 && !c.err.code &&
		     secret_alloc(plain, c.header.size, &ignored) == 0 &&
		     container_open(&c.header, c.file.data, session_of(s->dev)->root, plain->data, &ignored) == 0 &&
		     objects_parse(plain->data, c.header.size, ret, &ignored) == 0;

	blob_done(&c.file);
	return opens;
}

static bool other_opens(const struct store *s)
{
	AUTO_SECRET struct secret plain = { 0 };
	struct objects objects;

	return other_load(s, &plain, &objects);
}

bool store_other_has_revoked(const struct store *s, const struct object_name *n)
{
	AUTO_SECRET struct secret plain = { 0 };
	struct objects objects;
	struct record rec;

	return other_load(s, &plain, &objects) && objects_find(&objects, n, &rec) && rec.revoked;
}

bool store_other_is_whole(const struct store *s)
{
	const struct timespec pause = { .tv_nsec = 5000000 };

	for (int tries = READ_TRIES; tries; tries--) {		/* it is the one that a writer overwrites */
		if (other_opens(s))
			return true;
		(void)nanosleep(&pause, NULL);
	}
	return false;
}

bool store_find(const struct store *s, const struct object_name *n, struct record *ret)
{
	return objects_find(&s->objects, n, ret) || objects_find(&s->boot.objects, n, ret);
}

bool store_has_kept(const struct store *s, unsigned which)
{
	return faccessat(s->dir, s->kept[which], F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int store_check_kept(const struct store *s, struct err *e)
{
	for (unsigned i = 0; i < 2; i++)
		if (store_has_kept(s, i))
			return err_set(e, EBUSY, "keystore '%s' has the damaged container '%s', which may hold objects: "
				       "remove that first", s->name, s->kept[i]);
	return 0;
}

size_t store_charged(const struct store *s)
{
	return objects_charged(&s->objects) + objects_charged(&s->boot.objects);
}

int store_misses(const struct store *s, struct err *e)
{
	if (s->other == OTHER_NEWER)
		return err_set(e, EBADMSG, "not in generation %llu, and the newer '%s' of keystore '%s' is damaged",
			       (unsigned long long)s->now.generation, s->files[!s->newest], s->dev->env->pks_dir);
	if (s->other == OTHER_BAD && !s->other_len)
		return err_set(e, ENOENT, "not found, and '%s' of keystore '%s', which may have it, is missing or empty",
			       s->files[!s->newest], s->dev->env->pks_dir);
	return err_set(e, ENOENT, "not found");
}

int store_check_moved(const struct store *s, struct err *e)
{
	if (!s->moved)
		return 0;
	if (s->now.flags & CONTAINER_DISABLED && strcmp(s->name, SOFT_LOCAL) != 0)
		return err_set(e, ENXIO, "keystore '%s' was moved to another system: "
			       "'hwkey pks-config --store %s --remove' makes room for another one", s->name, s->name);
	if (s->now.flags & CONTAINER_DISABLED)
		return err_set(e, ENXIO, "keystore '%s' was moved to another system: 'hwkey secure-erase --pks' makes room "
			       "for another one", s->name);
	return err_set(e, EPERM, "keystore '%s' was exported and takes no changes: 'hwkey pks-export --cancel' undoes that",
		       s->name);
}

/* Who only reads sees one that this boot enables as what it is: empty. */
static int check_enabled(const struct store *s, unsigned flags, struct err *e)
{
	if (!(s->now.flags & CONTAINER_DISABLED) || flags & STORE_DISABLED || (s->now.pending && !s->boot.here))
		return 0;
	if (s->moved)
		return store_check_moved(s, e);
	if (s->now.pending)
		return err_set(e, ENXIO, "keystore '%s' is disabled until the next boot, which makes it %u bytes large",
			       s->name, s->now.pending);
	if (strcmp(s->name, SOFT_LOCAL) != 0)
		return err_set(e, ENXIO, "keystore '%s' is disabled: 'hwkey pks-config --store %s --size 64K' enables it",
			       s->name, s->name);
	return err_set(e, ENXIO, "keystore '%s' is disabled: 'hwkey pks-config --size 64K' enables it",
		       s->dev->env->pks_dir);
}

/* Neither container: the keystore is there, its objects are not. */
static void lose(struct store *s)
{
	s->now = (struct container){ 0 };
	memcpy(s->now.partition, s->uuid, UUID_SIZE);
	memset(s->hash, 0, sizeof(s->hash));
	s->other = OTHER_BAD;
	s->newest = 1;
}

static int load_boot(struct store *s, unsigned flags, struct err *e)
{
	unsigned char *memory = s->memory.data + s->now.size;
	size_t size = boot_room(s->now.size);
	struct err why;
	int r = boot_load(&s->boot, s->dev->env, session_of(s->dev), s->uuid, memory, size, &why);

	if (r < 0 && flags & STORE_KEYS)
		boot_unknown(&s->boot, s->uuid, s->now.generation, memory, size);
	else if (r < 0)
		*e = why;
	return flags & STORE_KEYS ? 0 : r;
}

/* Once per device; who writes is refused. */
static void tell_moved(const struct store *s)
{
	const struct env *env = s->dev->env;

	if (!s->moved || s->lock >= 0 || session_of(s->dev)->moved)
		return;
	session_of(s->dev)->moved = true;
	if (env->note)
		env->note(env, "keystore '%s' was exported: what is here may have changed elsewhere", s->name);
}

/* A writer may step the counter between the two readings: what is wrong is wrong twice. */
static int check_read(struct store *s, struct err *e)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	int tries = READ_TRIES;

	for (;;) {
		uint64_t generation = s->now.generation, counted;
		int r = counter_check(s, e);

		counted = s->counted;
		if (r != -EBADMSG || !counted || --tries <= 0)
			return r;
		(void)nanosleep(&pause, NULL);
		r = store_load(s, s->dev->id, e);
		if (r == 0 && s->now.generation == generation) {
			r = counter_check(s, e);
			if (r == 0 || s->counted == counted)
				return r;
		}
		if (r < 0 && r != -EBADMSG)
			return r;
	}
}

static int load_all(struct store *s, unsigned flags, struct err *e)
{
	int r = store_load(s, s->dev->id, e);

	if (r == -EBADMSG && flags & STORE_LOST) {
		lose(s);
		return 0;
	}
	s->moved = r == 0 && s->now.flags & CONTAINER_MOVED;
	if (r == 0 && s->lock < 0 && !(flags & STORE_REANCHOR))
		r = check_read(s, e);
	if (r == 0)
		r = load_boot(s, flags, e);
	if (r == 0 && s->lock >= 0 && !(flags & STORE_REANCHOR))
		r = counter_check(s, e);
	if (r == 0 && flags & STORE_WRITE)
		r = store_apply_pending(s, e);
	if (r == 0)
		r = check_enabled(s, flags, e);
	if (r < 0)
		return r;
	tell_damage(s);
	tell_moved(s);
	return 0;
}

int store_lock(struct store *ret, const struct device *dev, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	int r = dir_create(dev->env->pks_dir, e);

	s.dev = dev;
	if (r == 0)
		r = open_top(&s, 0, e);
	if (r == 0)
		r = take_lock(&s, e);
	if (r < 0)
		return r;
	*ret = s;
	s = (struct store)STORE_CLOSED;
	return 0;
}

int store_open(struct store *ret, const struct device *dev, unsigned flags, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	int r;

	s.dev = dev;
	r = open_any(&s, flags, e);
	if (r == 0)
		r = root_unlock(dev, s.dir, e);		/* may ask a person: not under the lock */
	if (r == 0 && flags & STORE_WRITE)
		r = root_check_private(dev, e);
	if (r == 0 && flags & STORE_WRITE)
		r = take_lock(&s, e);
	if (r == 0 && flags & STORE_WRITE)
		r = root_wipe_temp(s.dir, e);
	if (r == 0)
		r = load_all(&s, flags, e);
	if (r < 0)
		return r;
	*ret = s;
	s = (struct store)STORE_CLOSED;
	return 0;
}

int store_verify(struct store *s, struct err *e)
{
	uint64_t generation = s->now.generation;
	int r = load(s, e);

	if (r == 0 && s->now.generation != generation)
		r = err_set(e, EBADMSG, "'%s' of keystore '%s' cannot be read as it was written",
			    s->files[!s->newest], s->dev->env->pks_dir);
	return r;
}

void store_done(struct store *s)
{
	auto_close(&s->top);
	auto_close(&s->dir);
	auto_close(&s->lock);
	secret_done(&s->memory);
	*s = (struct store)STORE_CLOSED;
}

void store_note(const struct store *s)
{
	const struct env *env = s->dev->env;
	struct session *session = session_of(s->dev);
	const char *grade = session->slots & 1 ? soft_slots[0].grade : root_grade(s->dir);

	if (env->note && grade && !session->noted)
		env->note(env, "%s", grade);
	session->noted = true;
}
