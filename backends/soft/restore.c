// SPDX-License-Identifier: MIT
/* A copy of the keystore is put back: first what must not be lost by that, then the steps. */
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "backup.h"
#include "counter.h"
#include "keys.h"
#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/file.h"

/* Generations that may have come after a backup and are lost: no number of theirs is used again. */
enum { LOST_GENERATIONS = 1 << 20 };

/* --- what must not be lost ------------------------------------------------------------------------------------- */

static int check_system(const struct backup *b, const struct store *s, struct err *e)
{
	char theirs[37], ours[37];

	if (!memcmp(b->slot.system, session_of(s->dev)->system, UUID_SIZE) &&
	    !memcmp(b->header.partition, s->now.partition, UUID_SIZE))
		return 0;
	uuid_format(b->header.partition, theirs);
	uuid_format(s->now.partition, ours);
	return err_set(e, EBADMSG, "backup is of keystore %s, this is %s", theirs, ours);
}

/* One that was exported lives elsewhere, or is about to: what is put back here would be a second one. */
static int check_generation(const struct backup *b, const struct store *s, const struct restore *how, struct err *e)
{
	int r = store_check_moved(s, e);

	if (r < 0)
		return r;
	if (b->header.generation >= s->now.generation || how->flags & RESTORE_ROLLBACK)
		return 0;
	return err_set(e, EBADMSG, "backup has generation %llu, the keystore %llu: what was changed since would be lost; "
		       "--accept-rollback restores it", (unsigned long long)b->header.generation,
		       (unsigned long long)s->now.generation);
}

/* Labels are any bytes: those of a person are told, with the others replaced. */
static const char *printable(const struct record *rec, char ret[LABEL_MAX + 1])
{
	size_t i;

	for (i = 0; i < rec->name.len; i++)
		ret[i] = rec->name.label[i] < ' ' || rec->name.label[i] > '~' ? '?' : (char)rec->name.label[i];
	ret[i] = '\0';
	return ret;
}

static int check_immutable(const struct snapshot *n, const struct store *s, const struct restore *how, struct err *e)
{
	char label[LABEL_MAX + 1];
	struct record old, new;

	if (how->flags & RESTORE_ROLLBACK)
		return 0;
	for (size_t at = 0; objects_next(&s->objects, &at, &old);)
		if (old.policy & POLICY_IMMUTABLE &&
		    !(objects_find(&n->objects, &old.name, &new) && record_is_same(&old, &new)))
			return err_set(e, EPERM, "policy 'immutable': object '%s' is not in the backup as it is here; "
				       "--accept-rollback restores it", printable(&old, label));
	return 0;
}

static int check_transient(const struct snapshot *n, const struct store *s, struct err *e)
{
	char label[LABEL_MAX + 1];
	struct record rec, other;

	for (size_t at = 0; objects_next(&s->boot.objects, &at, &rec);)
		if (objects_find(&n->objects, &rec.name, &other))
			return err_set(e, ENOTEMPTY, "object '%s' of this boot stands in the way of the one in the backup: "
				       "remove it first", printable(&rec, label));
	if (objects_charged(&n->objects) + objects_charged(&s->boot.objects) > n->size)
		return err_set(e, ENOTEMPTY, "transient objects of this boot take the room that the backup needs: remove "
			       "them first");
	return 0;
}

static bool holds(const struct objects *o, const unsigned char id[16])
{
	const struct store view = { .objects = *o };
	struct wrapping w;
	struct err dropped;

	return wrapping_find(&view, id, sizeof(w.id), &w, &dropped) == 0;
}

/* The key outside that an id opens, for a person. */
static const char *needed_by(const struct restore *how, const unsigned char id[16])
{
	for (size_t i = 0; i < how->n_needed; i++)
		if (!memcmp(how->needed[i].wrapping_key, id, sizeof(how->needed[i].wrapping_key)))
			return how->needed[i].key;
	return NULL;
}

/* Wrapping keys that are here: besides what the repository needs they may open sealed data, and volumes elsewhere. */
static int check_wrapping(const struct snapshot *n, const struct store *s, const struct restore *how, struct err *e)
{
	struct wrapping w;
	struct record rec;
	int r = 0;

	for (size_t at = 0; r == 0 && objects_next(&s->objects, &at, &rec);) {
		if (!(rec.policy & POLICY_WRAPPINGKEY))
			continue;
		r = wrapping_from(&rec, &w, e);
		if (r < 0 || holds(&n->objects, w.id))
			continue;
		if (needed_by(how, w.id))
			return err_set(e, EBUSY, "key '%s' would be lost: the backup has not the wrapping key that it "
				       "needs", needed_by(how, w.id));
		return err_set(e, EBUSY, "a wrapping key would be lost, and what was sealed with it: it is newer than the "
			       "backup");
	}
	return r;
}

/*
 * Keys that a keystore which is lost has wrapped: another backup may have what opens them. Where a key
 * came from says nothing: wrapping keys move from keystore to keystore.
 */
static int check_needed(const struct snapshot *n, const struct restore *how, struct err *e)
{
	for (size_t i = 0; i < how->n_needed; i++) {
		const struct needed *need = &how->needed[i];

		if (!holds(&n->objects, need->wrapping_key))
			return err_set(e, EBUSY, "key '%s' needs a wrapping key that is not in this backup: is there a "
				       "newer one, or is the key of another keystore?", need->key);
	}
	return 0;
}

static int check_keys(const struct snapshot *n, const struct store *s, const struct restore *how, struct err *e)
{
	if (how->flags & RESTORE_LOSE_KEYS)
		return 0;
	return s && s->now.generation ? check_wrapping(n, s, how, e) : check_needed(n, how, e);
}

/* --- putting it back ------------------------------------------------------------------------------------------- */

static int next_generation(uint64_t here, uint64_t backup, bool lost, uint64_t *ret, struct err *e)
{
	uint64_t last = here > backup ? here : backup;

	if (last > UINT64_MAX - 4 * (uint64_t)LOST_GENERATIONS)
		return err_set(e, EBADMSG, "backup has an impossible generation");
	*ret = last + (lost ? LOST_GENERATIONS : 0);
	return 0;
}

/* Revoking is for good until a person takes it back: a backup from before is not that person. */
static void keep_revoked(const struct store *s, struct snapshot *n)
{
	struct record old, new;

	for (size_t at = 0; objects_next(&s->objects, &at, &old);)
		if (old.revoked && objects_find(&n->objects, &old.name, &new) && record_is_same(&old, &new))
			objects_revoke(&n->objects, &new, true);
}

/* The counter of what is lost says nothing of what takes its place. */
static void drop_counter(const struct device *dev, uint64_t anchor)
{
	if (!anchor)
		return;
	counter_forget(dev->env, anchor);
	if (dev->env->warn)
		dev->env->warn(dev->env, "older states are not refused any more: 'hwkey pks-config --counter' makes a new "
			       "counter");
}

/* The store's contents become the snapshot's, in memory. */
static int take_over(struct store *s, const struct backup *b, struct snapshot *n, struct err *e)
{
	const struct session *session = session_of(s->dev);
	struct container *now = &s->now;
	uint32_t pending = now->pending > b->header.pending ? now->pending : b->header.pending;
	uint32_t size = pending > n->size ? pending : n->size;
	bool lost = !now->generation;
	int r = boot_load(&s->boot, s->dev->env, session, s->uuid, n->memory.data + n->size,
			  boot_room(n->size), e);

	if (r == 0 && lost)
		r = access_all(s, e);
	if (r == 0)
		r = check_transient(n, s, e);
	if (r == 0 && !lost && size > partition_claim(now))
		r = pool_check(s, size, e);
	if (r == 0)
		r = next_generation(now->generation, b->header.generation, lost, &now->generation, e);
	if (r == 0)
		r = root_id(session->root, now->root_id, e);
	if (r < 0)
		return r;
	keep_revoked(s, n);
	secret_done(&s->memory);
	s->memory = TAKE(n->memory);
	s->objects = n->objects;
	now->size = n->size;
	now->pending = pending > n->size ? pending : 0;
	now->flags = ((now->flags | b->header.flags) & CONTAINER_POWER11) | (b->header.flags & CONTAINER_MOVED);
	s->moved = false;	/* this commit is the last one of a backup that was made while exported */
	if (lost)
		drop_counter(s->dev, b->header.anchor);
	return 0;
}

/* What is damaged may be of use to somebody: it is kept, and not for what a restore that failed has left in its place. */
static int keep_lost(struct store *s, struct err *e)
{
	for (unsigned i = 0; i < 2; i++)
		if (renameat2(s->dir, s->files[i], s->dir, s->kept[i], RENAME_NOREPLACE) < 0 && errno != ENOENT &&
		    errno != EEXIST)
			return err_sys(e, "cannot keep the damaged '%s' of keystore '%s'", s->files[i],
				       s->dev->env->pks_dir);
	s->other_len = 0;
	return dir_sync(s->dir, e);
}

static int restore_into(struct store *s, const struct backup *b, const struct restore *how, struct err *e)
{
	AUTO_SECRET struct secret root = { 0 };
	AUTO_SNAPSHOT struct snapshot n = { 0 };
	bool lost = !s->now.generation;
	int r = check_system(b, s, e);

	if (r == 0 && !lost)
		r = access_all(s, e);
	if (r == 0 && !lost)
		r = check_generation(b, s, how, e);
	if (r == 0)
		r = backup_root(s->dev, b, how->given, &root, e);
	if (r == 0)
		r = snapshot_open(b, root.data, s->now.size, &n, e);
	if (r == 0 && !lost)
		r = check_immutable(&n, s, how, e);
	if (r == 0)
		r = check_keys(&n, s, how, e);
	if (r == 0 && !lost)
		r = store_flush(s, e);
	if (r == 0)
		r = take_over(s, b, &n, e);
	if (r == 0 && lost)
		r = keep_lost(s, e);
	return r < 0 ? r : store_commit_both(s, e);
}

/* The device's session is that of the backup's root key: what opens the keystore is lost, or all of it. */
static int session_adopt(const struct device *dev, const struct backup *b, const struct restore *how, struct err *e)
{
	AUTO_SECRET struct secret root = { 0 }, s = { 0 };
	struct session *session;
	int r = backup_root(dev, b, how->given, &root, e);

	if (r == 0)
		r = secret_alloc(&s, sizeof(*session), e);
	if (r < 0)
		return r;
	s.len = sizeof(*session);
	session = (struct session *)(void *)s.data;
	secret_bytes_copy(session->root, root.data, ROOT_KEY);
	memcpy(session->system, b->slot.system, UUID_SIZE);
	session->epoch = b->slot.epoch;
	*dev->session = TAKE(s);
	return 0;
}

/* There is no keystore: it is made of the backup, under what opens that. */
static int restore_whole(const struct device *dev, const struct backup *b, const struct restore *how, struct err *e)
{
	const struct soft_slot *row = root_slot_of_type(b->slot.type);
	AUTO_BLOB struct blob slot = { 0 };
	AUTO_STORE struct store s = STORE_CLOSED;
	AUTO_SNAPSHOT struct snapshot n = { 0 };
	struct container c = b->header;
	int r;

	if (memcmp(b->header.partition, b->slot.system, UUID_SIZE) != 0)
		return err_set(e, EBADMSG, "backup is of another keystore than '" SOFT_LOCAL "', which comes first where "
			       "there is none");
	r = snapshot_open(b, session_of(dev)->root, 0, &n, e);
	if (r == 0)
		r = check_keys(&n, NULL, how, e);
	if (r == 0)
		r = next_generation(0, c.generation, true, &c.generation, e);
	if (r == 0)
		r = blob_copy(&slot, b->slot_data, b->slot_len, e);
	if (r == 0)
		r = store_lock(&s, dev, e);
	if (r < 0)
		return r;
	if (faccessat(s.top, SOFT_DIR, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(e, EEXIST, "another keystore was made in '%s' meanwhile", dev->env->pks_dir);
	drop_counter(dev, c.anchor);
	c.flags &= ~(uint32_t)CONTAINER_BACKUP;
	c.anchor = c.counter = 0;
	memset(c.previous, 0, sizeof(c.previous));
	return store_recreate(s.top, session_of(dev), row, &slot, &c, n.memory.data, e);
}

/* A file of another keystore is not what the backup's root key opens; neither is it anybody's to replace. */
static int check_files(const struct store *s, const struct backup *b, struct err *e)
{
	for (unsigned i = 0; i < 2; i++) {
		AUTO_BLOB struct blob file = { 0 };
		struct err dropped;
		struct container c;

		if (file_read_at(s->dir, s->files[i], CONTAINER_MAX, &file, &dropped) == 0 &&
		    container_parse(file.data, file.len, &c, &dropped) == 0 &&
		    memcmp(c.partition, b->header.partition, UUID_SIZE) != 0)
			return err_set(e, EBADMSG, "backup is of another keystore than '%s'", s->files[i]);
	}
	return 0;
}

static int restore_slot(const struct store *s, const struct backup *b, struct err *e)
{
	static const struct file_attr attr = { 0400, (gid_t)-1 };
	const struct soft_slot *row = root_slot_of_type(b->slot.type);
	int r = check_files(s, b, e);

	if (r == 0)
		r = file_write_at(s->dir, row->file, b->slot_data, b->slot_len, &attr, true, e);
	return r < 0 ? r : dir_sync(s->dir, e);
}

/* The keystore is there, but no slot opens it. */
static int restore_rootless(const struct device *dev, const struct backup *b, const struct restore *how, struct err *e)
{
	unsigned lost = how->flags & RESTORE_ROOT ? 0 : STORE_LOST;
	AUTO_STORE struct store s = STORE_CLOSED;
	int r = store_open(&s, dev, STORE_WRITE | STORE_DISABLED | lost, e);

	if (r == 0 && !(how->flags & RESTORE_ROOT)) {
		r = s.now.generation ? check_generation(b, &s, how, e) : 0;
		if (r < 0)
			return err_hint(e, "--root-key-only puts back only what opens it");
	}
	if (r == 0)
		r = restore_slot(&s, b, e);
	return r < 0 || how->flags & RESTORE_ROOT ? r : restore_into(&s, b, how, e);
}

static int restore(const struct device *dev, const struct backup *b, const struct restore *how, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct err why;
	int r = store_open(&s, dev, STORE_WRITE | STORE_DISABLED | STORE_LOST, &why);

	if (r == 0 && how->flags & RESTORE_ROOT)
		return err_set(e, EEXIST, "keystore '%s' opens: no slot of it is lost", dev->env->pks_dir);
	if (r == 0)
		return restore_into(&s, b, how, e);
	if (r != -ENOENT && (r != -EBADMSG || dev->session->len)) {
		*e = why;
		return r;
	}
	store_done(&s);
	if (session_adopt(dev, b, how, e) < 0)
		return -e->code;
	return r == -ENOENT ? restore_whole(dev, b, how, e) : restore_rootless(dev, b, how, e);
}

int soft_restore(const struct device *dev, const struct blob *file, const struct restore *how, struct backup_info *ret_info,
		 struct err *e)
{
	struct backup b;
	int r = backup_read(file, CONTAINER_BACKUP, &b, e);

	if (r == 0)
		r = restore(dev, &b, how, e);
	if (r == 0 && ret_info)
		backup_describe(&b, ret_info);
	return r;
}
