// SPDX-License-Identifier: MIT
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/env.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/secret.h"
#include "lib/sys.h"
#include "anchor.h"
#include "source.h"

/* FILE_TEMP may be a plain slot whose writer was killed. */
static bool has_temp(int dir)
{
	return faccessat(dir, FILE_TEMP, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static const struct file_attr slot_attr = { 0400, (gid_t)-1 };

const struct soft_slot *root_slot_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(soft_slots); i++)
		if (!strcmp(soft_slots[i].name, name))
			return &soft_slots[i];
	return NULL;
}

const struct soft_slot *root_slot_of_type(enum slot_type type)
{
	for (size_t i = 0; i < ARRAY_SIZE(soft_slots); i++)
		if (soft_slots[i].type == type)
			return &soft_slots[i];
	return NULL;
}

bool root_has_slot(int dir, const struct soft_slot *row)
{
	return faccessat(dir, row->file, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

const char *root_grade(int dir)
{
	for (size_t i = 0; i < ARRAY_SIZE(soft_slots); i++) {
		const struct soft_slot *row = &soft_slots[i];

		if (root_has_slot(dir, row) || (i == 0 && has_temp(dir)))
			return row->type == SLOT_ANCHOR && !anchor_is_apart(dir) ? SOFT_GRADE_TOGETHER : row->grade;
	}
	return NULL;
}

/* ENOENT without a message: no such slot. FILE, which may get the clear root key, has room for SLOT_ROOM bytes. */
static int slot_load(int dir, const struct soft_slot *row, size_t known, struct secret *file, struct slot *ret,
		     struct err *e)
{
	AUTO_CLOSE int fd = openat(dir, row->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd < 0 && errno == ELOOP)
		return err_set(e, EBADMSG, "root-key slot '%s': a symbolic link", row->file);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_sys(e, "cannot open root-key slot '%s'", row->file);
	r = secret_fill(file, fd, SLOT_MAX, known, e);
	if (r == -EFBIG)
		return err_set(e, EBADMSG, "root-key slot '%s': longer than %d bytes", row->file, SLOT_MAX);
	if (r == 0)
		r = slot_parse(file->data, file->len, ret, e);
	if (r == 0 && ret->type != row->type)
		r = err_set(e, EBADMSG, "is of another type than its name says");
	return r < 0 ? err_prefix(e, "root-key slot '%s'", row->file) : 0;
}

int root_slot_load(int dir, const struct soft_slot *row, struct secret *ret_file, struct slot *ret, struct err *e)
{
	int r = secret_alloc(ret_file, SLOT_ROOM, e);

	return r < 0 ? r : slot_load(dir, row, SIZE_MAX, ret_file, ret, e);
}

static bool erase_has_slot(int top)
{
	for (size_t i = 0; i < ARRAY_SIZE(soft_slots); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), SOFT_ERASE "/%s", soft_slots[i].file);
		if (faccessat(top, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

int root_check_erased(int top, const struct env *env, struct err *e)
{
	if (faccessat(top, SOFT_ERASE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (erase_has_slot(top))
		return err_set(e, EINPROGRESS, "keystore '%s' is being erased, and its root key is still there: give "
			       "'hwkey secure-erase --pks' again now", env->pks_dir);
	return err_set(e, EINPROGRESS,
		       "keystore '%s' is being erased: after a reboot 'hwkey secure-erase --pks' finishes that",
		       env->pks_dir);
}

int root_check_stat(const struct device *dev, const char *file, const struct stat *st, struct err *e)
{
	const char *sep = file ? "/" : "", *name = file ? file : "", *path = dev->env->pks_dir;

	if (S_ISLNK(st->st_mode))	/* is not followed */
		return 0;
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(e, EPERM, "'%.150s/" SOFT_DIR "%s%s' belongs to another user: chown root it, if it is to be "
			       "trusted", path, sep, name);
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return err_set(e, EPERM, "'%.150s/" SOFT_DIR "%s%s' can be written by other users: chmod go-w it, if it is "
			       "to be trusted", path, sep, name);
	return 0;
}

/* RET stays as it is if FILE is not there. */
static int check_owner(const struct device *dev, int dir, const char *file, struct stat *ret, struct err *e)
{
	const char *name = file ? file : "";

	if (fstatat(dir, name, ret, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot look at '%s/" SOFT_DIR "/%s'", dev->env->pks_dir, name);
	return root_check_stat(dev, file, ret, e);
}

int root_check_private(const struct device *dev, struct err *e)
{
	if (!session_of(dev)->exposed)
		return 0;
	return err_set(e, EPERM, "root key of the keystore is open to other users: "
		       "chmod 400 '%.200s/" SOFT_DIR "/%s' first", dev->env->pks_dir, soft_slots[0].file);
}

struct look {
	const struct device *dev;
	int dir;
	struct session *session;
	struct err *e;
};

static int look_at(void *ctx, const char *name)
{
	struct look *l = ctx;
	struct stat st = { 0 };
	size_t i = 0;
	int r;

	while (i < ARRAY_SIZE(soft_slots) && strcmp(soft_slots[i].file, name) != 0)
		i++;
	if (i == ARRAY_SIZE(soft_slots))
		return 0;
	r = check_owner(l->dev, l->dir, name, &st, l->e);
	if (r < 0 || !st.st_mode)
		return r;
	l->session->slots |= 1U << i;
	l->session->sizes[i] = (size_t)st.st_size;
	if (i == 0 && S_ISREG(st.st_mode) && st.st_mode & (S_IRGRP | S_IROTH))
		l->session->exposed = true;
	return 0;
}

/*
 * One reading of the directory is fewer calls than a look for each slot there could be. A clear root key that others can
 * read still opens what is there, so that a machine boots; but not in silence.
 */
static int check_modes(const struct device *dev, int dir, struct session *ret, struct err *e)
{
	struct look l = { dev, dir, ret, e };
	const struct env *env = dev->env;
	struct stat st;
	int r = check_owner(dev, dir, NULL, &st, e);

	for (size_t i = 0; i < ARRAY_SIZE(soft_slots); i++)
		ret->sizes[i] = SIZE_MAX;
	if (r < 0)
		return r;
	e->code = 0;
	r = dir_names(dir, look_at, &l);
	if (r < 0 && !e->code) {
		errno = -r;
		return err_sys(e, "cannot list keystore '%s'", env->pks_dir);
	}
	if (r == 0 && ret->exposed && env->note)
		env->note(env, "root key '%s/" SOFT_DIR "/%s' can be read by other users: chmod 400 it", env->pks_dir,
			  soft_slots[0].file);
	return r;
}

/* ENOKEY: nobody can give it. */
static int ask_for(const struct env *env, const struct soft_slot *row, struct secret *ret, struct err *e)
{
	return env->ask ? env->ask(env, row->credential, row->prompt, ret, e) : err_set(e, ENOKEY, "nobody can be asked");
}

static int slot_try(const struct device *dev, int dir, const struct soft_slot *row, struct session *ret, struct err *e)
{
	AUTO_SECRET struct secret given = { 0 };
	struct secret file = { .data = ret->slot, .size = sizeof(ret->slot) };
	struct slot s;
	int r = slot_load(dir, row, ret->sizes[row - soft_slots], &file, &s, e);

	if (r == 0 && row->credential)
		r = ask_for(dev->env, row, &given, e);
	else if (r == 0 && row->backend)
		r = source_unseal(dev, row, &s, &given, e);
	if (r < 0)
		return r;
	r = slot_open(file.data, &s, &given, ret->root, e);
	explicit_bzero(file.data, file.len);
	if (r < 0)
		return err_prefix(e, "root-key slot '%s'", row->file);
	memcpy(ret->system, s.system, UUID_SIZE);
	ret->epoch = s.epoch;
	return 0;
}

/* Whether a container says that it is under this root key. If none can be read, nothing says that it is not. */
static bool is_in_use(int dir, const struct session *session)
{
	unsigned char id[ROOT_ID], header[48];
	char file[SOFT_FILE_SIZE];
	bool read_one = false;
	struct err dropped;

	for (unsigned i = 0; i < 2; i++) {
		AUTO_CLOSE int fd = -1;

		soft_file(SOFT_LOCAL, i, file);
		fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
		if (fd < 0 || pread(fd, header, sizeof(header), 0) != sizeof(header))
			continue;
		read_one = true;
		if (root_id(session->root, id, &dropped) == 0 && !memcmp(header + 32, id, ROOT_ID) &&
		    !memcmp(header + 16, session->system, UUID_SIZE))
			return true;
	}
	return !read_one;
}

/* Where there is a choice, a slot of another root key than the containers' is none. */
static int slot_try_used(const struct device *dev, int dir, const struct soft_slot *row, struct session *ret, struct err *e)
{
	int r = slot_try(dev, dir, row, ret, e);

	if (r == 0 && ret->slots & (ret->slots - 1) && !is_in_use(dir, ret))
		return err_set(e, EBADMSG, "root-key slot '%s': of another root key than the keystore's", row->file);
	return r;
}

/* Somebody who is there can give what one slot needs, or bring the medium of another. */
static int tell_needs(int dir, const struct err *needs, const struct err *away, struct err *e)
{
	char path[ANCHOR_PATH_MAX + 1];

	*e = needs->code ? *needs : *away;
	if (!needs->code)
		return err_hint(e, "mount what it is on");
	anchor_path(dir, path);
	return away->code ? err_hint(e, "or mount its anchor '%.70s'", path) : -e->code;
}

/* A slot that is damaged, not there, or that nobody has the key of does not stop the others; its damage is told. */
static int unlock(const struct device *dev, int dir, struct session *ret, struct err *e)
{
	struct err damage = { 0 }, needs = { 0 }, away = { 0 };
	int r = -ENOENT;

	for (size_t i = 0; r < 0 && i < ARRAY_SIZE(soft_slots); i++) {
		const struct soft_slot *row = &soft_slots[i];

		r = slot_try_used(dev, dir, row, ret, e);
		if ((r == -EBADMSG || (r == -ENOKEY && row->backend)) && !damage.code)
			damage = *e;
		if ((r == -ENOKEY || r == -EBUSY) && !needs.code)
			(void)err_set(&needs, r == -EBUSY ? EBUSY : EACCES, "keystore needs its %s: %s",
				      row->type == SLOT_TSK ? "trusted system key" : row->name, e->msg);
		else if (r == -ENODEV)
			away = *e;
		else if (r < 0 && r != -ENOENT && r != -EBADMSG && r != -ENOKEY && r != -EBUSY)
			return r;
	}
	if (r == 0 && damage.code && dev->env->note)
		dev->env->note(dev->env, "%s: another slot opened the keystore; see 'hwkey pks-check'", damage.msg);
	if (r == 0)
		return 0;
	if (needs.code || away.code)
		return tell_needs(dir, &needs, &away, e);
	return damage.code ? err_set(e, EBADMSG, "%s", damage.msg)
			   : err_set(e, EBADMSG, "root-key slots are missing: the keystore cannot be opened");
}

int root_unlock(const struct device *dev, int dir, struct err *e)
{
	AUTO_SECRET struct secret s = { 0 };
	int r;

	if (dev->session->len)
		return 0;
	r = secret_alloc(&s, sizeof(struct session), e);
	if (r == 0)
		r = check_modes(dev, dir, (struct session *)(void *)s.data, e);
	if (r == 0)
		r = unlock(dev, dir, (struct session *)(void *)s.data, e);
	if (r < 0)
		return r;
	s.len = sizeof(struct session);
	*dev->session = TAKE(s);
	return 0;
}

static int wipe(int dir, const char *name, struct err *e)
{
	int r = file_wipe_at(dir, name, e);

	return r < 0 ? err_prefix(e, "it may hold the root key of the keystore") : dir_sync(dir, e);
}

int root_wipe_temp(int dir, struct err *e)
{
	return has_temp(dir) ? wipe(dir, FILE_TEMP, e) : 0;
}

int root_wipe_plain(int dir, struct err *e)
{
	return root_has_slot(dir, &soft_slots[0]) ? wipe(dir, soft_slots[0].file, e) : 0;
}

/* A new file, whose clear bytes go before its name if it fails. */
static int write_clear(int dir, const struct soft_slot *row, const struct secret *file, struct err *e)
{
	struct err dropped;
	int r, fd = openat(dir, FILE_TEMP, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);

	if (fd < 0)
		return err_sys(e, "cannot write '%s'", row->file);
	r = fchmod(fd, 0400) < 0 ? -errno : write_all(fd, file->data, file->len);
	if (r == 0)
		r = fdatasync_retry(fd);
	(void)close(fd);	/* after the flush there is nothing left that could fail */
	if (r == 0)
		r = file_publish_at(dir, FILE_TEMP, row->file, false);
	if (r == 0)
		return 0;
	(void)root_wipe_temp(dir, &dropped);
	errno = -r;
	return err_sys(e, "cannot write '%s'", row->file);
}

static bool slot_is_good(int dir, const struct soft_slot *row, const struct session *session, const struct secret *given)
{
	AUTO_SECRET struct secret file = { 0 }, root = { 0 };
	struct err dropped;
	struct slot s;

	return root_slot_load(dir, row, &file, &s, &dropped) == 0 && secret_alloc(&root, ROOT_KEY, &dropped) == 0 &&
	       slot_open(file.data, &s, given, root.data, &dropped) == 0 &&
	       crypto_equal(root.data, session->root, ROOT_KEY) && s.epoch == session->epoch &&
	       !memcmp(s.system, session->system, UUID_SIZE);
}

/* A plain slot is the same whoever makes it: a good one stays. One that is not opens nothing, and goes first. */
static int plain_put(int dir, const struct soft_slot *row, const struct session *session, const struct secret *file,
		     bool replace, struct err *e)
{
	bool there = root_has_slot(dir, row);
	int r = 0;

	if (there && replace && slot_is_good(dir, row, session, NULL))
		return 0;
	if (there && replace)
		r = wipe(dir, row->file, e);
	return r < 0 ? r : write_clear(dir, row, file, e);
}

int root_slot_check(int dir, const struct soft_slot *row, const struct session *session, const struct secret *given,
		    struct err *e)
{
	return slot_is_good(dir, row, session, given)
		       ? 0 : err_set(e, EBADMSG, "slot '%s' as it was written does not open the keystore", row->name);
}

int root_slot_make(const struct session *session, enum slot_type type, const unsigned char root[ROOT_KEY],
		   const struct secret *given, struct secret *ret, struct err *e)
{
	struct slot s = { .type = type, .epoch = session->epoch };

	if (type == SLOT_PASSPHRASE)
		s.cost = slot_cost_default;
	memcpy(s.system, session->system, UUID_SIZE);
	return slot_make(&s, root, given, ret, e);
}

int root_slot_write(int dir, const struct soft_slot *row, const struct session *session, const struct secret *given,
		    bool replace, struct err *e)
{
	AUTO_SECRET struct secret file = { 0 };
	int r;

	if (row->type == SLOT_PASSPHRASE && (!given || !given->len))
		return err_set(e, EINVAL, "an empty passphrase protects nothing");
	r = root_slot_make(session, row->type, session->root, given, &file, e);
	if (r == 0)
		r = row->type == SLOT_PLAIN ? plain_put(dir, row, session, &file, replace, e)
					 : file_write_at(dir, row->file, file.data, file.len, &slot_attr, replace, e);
	return r < 0 ? r : dir_sync(dir, e);
}

enum slot_state slot_compare(const void *data, const struct slot *s, const struct session *session, struct err *ret_why)
{
	unsigned char id[ROOT_ID];

	if (memcmp(s->system, session->system, UUID_SIZE) != 0) {
		(void)err_set(ret_why, EBADMSG, "of another keystore");
		return SLOT_FOREIGN;
	}
	if (s->epoch != session->epoch) {
		(void)err_set(ret_why, EBADMSG, s->epoch < session->epoch ? "of an earlier root key"
			      : "of a later root key: is this keystore an old copy?");
		return s->epoch < session->epoch ? SLOT_STALE : SLOT_NEWER;
	}
	if (root_id(session->root, id, ret_why) < 0 || !crypto_equal(id, s->root_id, ROOT_ID)) {
		(void)err_set(ret_why, EBADMSG, "of another root key");
		return SLOT_FOREIGN;
	}
	return slot_verify(data, s, session->root, ret_why) < 0 ? SLOT_DAMAGED : SLOT_GOOD;
}

enum slot_state root_slot_state(int dir, const struct soft_slot *row, const struct session *session, struct err *ret_why)
{
	AUTO_SECRET struct secret file = { 0 };
	enum slot_state state;
	struct slot s;
	int r = root_slot_load(dir, row, &file, &s, ret_why);

	if (r < 0)
		return r == -ENOENT ? SLOT_NONE : r == -EBADMSG ? SLOT_DAMAGED : SLOT_UNREADABLE;
	state = slot_compare(file.data, &s, session, ret_why);
	if (state != SLOT_GOOD)
		(void)err_prefix(ret_why, "root-key slot '%s'", row->file);
	else if (s.type == SLOT_ANCHOR)
		state = anchor_state(dir, &s, session, ret_why);
	return state;
}

/* What a trust source sealed is only as good as what that gives back now, or would with a PIN. */
static bool is_spare(const struct device *dev, int dir, const struct soft_slot *row, struct err *ret_why)
{
	const struct session *session = session_of(dev);
	int r;

	if (root_slot_state(dir, row, session, ret_why) != SLOT_GOOD)
		return false;
	r = row->backend ? source_try(dev, dir, row, session, ret_why) : 0;
	return r == 0 || r == -EACCES;
}

int root_slot_remove(const struct device *dev, int dir, const struct soft_slot *row, struct err *e)
{
	struct err why = { 0 }, closed = { 0 };
	bool spare = false;

	if (!root_has_slot(dir, row))
		return err_set(e, ENOENT, "keystore has no slot '%s'", row->name);
	for (size_t i = ARRAY_SIZE(soft_slots); !spare && i-- > 0;) {
		if (&soft_slots[i] == row || !root_has_slot(dir, &soft_slots[i]))
			continue;
		spare = is_spare(dev, dir, &soft_slots[i], &why);
		if (!spare && soft_slots[i].backend)
			closed = why;
	}
	if (!spare && closed.code)
		return err_set(e, EBUSY, "slot '%s' is the last one that opens the keystore: %.160s", row->name,
			       closed.msg);
	if (!spare)
		return err_set(e, EBUSY, "slot '%s' is the last one that opens the keystore: add another one first",
			       row->name);
	return wipe(dir, row->file, e);
}
