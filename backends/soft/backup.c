// SPDX-License-Identifier: MIT
#include "backup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/secret.h"
#include "tsk.h"

/* --- the file ---------------------------------------------------------------------------------------------------- */

static int check_together(const struct backup *b, struct err *e)
{
	uint32_t kind = b->header.flags & (CONTAINER_BACKUP | CONTAINER_EXPORT);

	if (b->slot.type != SLOT_PASSPHRASE && b->slot.type != SLOT_TSK)
		return err_set(e, EBADMSG, "its root key is in a slot that no backup has");
	if (kind != CONTAINER_BACKUP && kind != CONTAINER_EXPORT)
		return err_set(e, EBADMSG, "neither a backup nor an export");
	if (memcmp(b->slot.root_id, b->header.root_id, ROOT_ID) != 0)
		return err_set(e, EBADMSG, "put together of two files: what is in it is under another root key");
	return b->header.size > PARTITION_SIZE_MAX ? err_set(e, EBADMSG, "larger than a keystore can be") : 0;
}

int backup_parse(const void *data, size_t len, struct backup *ret, struct err *e)
{
	struct backup b = { .slot_data = data };
	int r;

	if (!slot_whole_len(data, len, &b.slot_len))
		return err_set(e, EBADMSG, "not a backup of the keystore, or cut");
	b.container_data = b.slot_data + b.slot_len;
	r = slot_parse(data, b.slot_len, &b.slot, e);
	if (r == 0)
		r = container_parse(b.container_data, len - b.slot_len, &b.header, e);
	if (r == 0)
		r = check_together(&b, e);
	if (r == 0)
		*ret = b;
	return r;
}

int backup_make(const struct blob *slot, const struct container *c, const unsigned char root[ROOT_KEY], const void *plain,
		struct blob *ret, struct err *e)
{
	AUTO_BLOB struct blob box = { 0 }, b = { 0 };
	struct container header = *c;
	int r = root_id(root, header.root_id, e);

	if (r == 0)
		r = random_bytes(header.salt, sizeof(header.salt), e);
	if (r == 0)
		r = container_seal(&header, root, plain, &box, e);
	if (r == 0)
		r = blob_alloc(&b, slot->len + box.len, e);
	if (r < 0)
		return r;
	memcpy(b.data, slot->data, slot->len);
	memcpy(b.data + slot->len, box.data, box.len);
	*ret = TAKE(b);
	return 0;
}

void backup_describe(const struct backup *b, struct backup_info *ret)
{
	*ret = (struct backup_info){ .generation = b->header.generation, .time = b->header.time };
	uuid_format(b->header.partition, ret->uuid);
	(void)snprintf(ret->slot, sizeof(ret->slot), "%s", root_slot_of_type(b->slot.type)->name);
}

/* --- making one ------------------------------------------------------------------------------------------------ */

/* A generation that is not on disk may be lost and its number used again: the backup would be of neither. */
static int open_settled(struct store *s, const struct device *dev, struct err *e)
{
	int r = store_open(s, dev, 0, e);

	if (r < 0 || s->boot.unflushed != s->now.generation)
		return r;
	store_done(s);
	r = store_open(s, dev, STORE_WRITE, e);
	return r < 0 ? r : store_flush(s, e);
}

int backup_slot(const struct session *session, enum slot_type type, const unsigned char root[ROOT_KEY],
		const struct secret *given, struct blob *ret, struct err *e)
{
	AUTO_SECRET struct secret file = { 0 };
	int r = root_slot_make(session, type, root, given, &file, e);

	return r < 0 ? r : blob_copy(ret, file.data, file.len, e);
}

int soft_backup(const struct device *dev, const struct secret *passphrase, struct blob *ret, struct backup_info *ret_info,
		struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	AUTO_BLOB struct blob slot = { 0 }, file = { 0 };
	unsigned char id[TSK_ID];
	struct container c;
	struct backup b;
	int r = open_settled(&s, dev, e);

	if (r < 0)
		return r;
	if (s.other == OTHER_NEWER && dev->env->warn)
		dev->env->warn(dev->env, "the backup lacks what was written last: the newer '%s' is damaged",
			       s.files[!s.newest]);
	c = s.now;
	c.flags |= CONTAINER_BACKUP;
	c.time = (uint64_t)time(NULL);
	r = passphrase ? backup_slot(session_of(dev), SLOT_PASSPHRASE, session_of(dev)->root, passphrase, &slot, e)
		       : tsk_slot_read(s.dir, session_of(dev), &slot, id, e);
	if (r == -ENOENT)
		return err_hint(e, "'hwkey pks-tsk' sets one, --passphrase does without");
	if (r == 0)
		r = backup_make(&slot, &c, session_of(dev)->root, s.objects.data, &file, e);
	if (r == 0)
		r = backup_parse(file.data, file.len, &b, e);
	if (r < 0)
		return r;
	backup_describe(&b, ret_info);
	*ret = TAKE(file);
	return 0;
}

/* --- opening one ----------------------------------------------------------------------------------------------- */

void snapshot_done(struct snapshot *n)
{
	secret_done(&n->memory);
}

int snapshot_open(const struct backup *b, const unsigned char root[ROOT_KEY], uint32_t size, struct snapshot *n,
		  struct err *e)
{
	int r;

	n->size = b->header.size > size ? b->header.size : size;
	r = secret_alloc(&n->memory, n->size + boot_room(n->size), e);
	if (r == 0)
		r = container_open(&b->header, b->container_data, root, n->memory.data, e);
	return r < 0 ? r : objects_parse(n->memory.data, n->size, &n->objects, e);
}

static bool is_under(const struct backup *b, const struct device *dev)
{
	unsigned char id[ROOT_ID];
	struct err dropped;

	return dev->session->len && root_id(session_of(dev)->root, id, &dropped) == 0 &&
	       !memcmp(id, b->slot.root_id, ROOT_ID);
}

int backup_ask(const struct env *env, const char *what, enum slot_type type, struct secret *ret, struct err *e)
{
	bool tsk = type == SLOT_TSK;
	const char *name = tsk ? root_slot_of_type(type)->credential : "hwkey.pks-backup-passphrase";
	const char *prompt = tsk ? "Trusted system key of the backup, in hexadecimal:" : "Passphrase of the backup:";
	int r = env->ask ? env->ask(env, name, prompt, ret, e) : err_set(e, ENOKEY, "nobody can be asked");

	return r == -ENOKEY ? err_set(e, EACCES, "%s needs its %s: %s, or %s", what,
				      tsk ? "trusted system key" : "passphrase", strdupa(e->msg),
				      tsk ? "--tsk-file" : "--passphrase-file") : r;
}

int backup_root(const struct device *dev, const struct backup *b, const struct secret *given, struct secret *ret,
		struct err *e)
{
	AUTO_SECRET struct secret asked = { 0 };
	int r = 0;

	if (is_under(b, dev))
		return secret_copy(ret, session_of(dev)->root, ROOT_KEY, e);
	if (!given)
		r = backup_ask(dev->env, "backup", b->slot.type, &asked, e);
	if (r == 0)
		r = secret_alloc(ret, ROOT_KEY, e);
	if (r < 0)
		return r;
	r = slot_open(b->slot_data, &b->slot, given ? given : &asked, ret->data, e);
	return r < 0 ? err_prefix(e, "backup") : 0;
}

int backup_read(const struct blob *file, uint32_t kind, struct backup *ret, struct err *e)
{
	int r = backup_parse(file->data, file->len, ret, e);

	if (r == 0 && !(ret->header.flags & kind))
		r = kind == CONTAINER_BACKUP ? err_set(e, EBADMSG, "an export, not a backup: 'hwkey pks-import' takes it")
					     : err_set(e, EBADMSG, "a backup, not an export: 'hwkey pks-restore' takes it");
	return r;
}

/* EXDEV: of another keystore, or not as it is now. */
static int compare(const struct device *dev, const struct backup *b, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	unsigned char id[TSK_ID];
	int r = store_open(&s, dev, STORE_DISABLED, e);

	if (r < 0)
		return err_prefix(e, "not compared");
	if (memcmp(b->header.partition, s.now.partition, UUID_SIZE) != 0 || !is_under(b, dev))
		return err_set(e, EXDEV, "of another keystore, or of another root key than it has now");
	if (b->slot.type == SLOT_TSK && (tsk_slot_read(s.dir, session_of(dev), NULL, id, e) < 0 ||
					 memcmp(b->slot.payload, id, TSK_ID) != 0))
		return err_set(e, EXDEV, "under another trusted system key than the keystore has now");
	return 0;
}

int soft_backup_look(const struct device *dev, const struct blob *file, const struct secret *given, struct backup_info *ret,
		     struct err *e)
{
	AUTO_SNAPSHOT struct snapshot n = { 0 };
	AUTO_SECRET struct secret root = { 0 };
	struct err doubt = { 0 };
	struct backup b;
	int r = backup_read(file, CONTAINER_BACKUP, &b, e);

	if (r == 0 && (given || compare(dev, &b, &doubt) == 0)) {
		r = backup_root(dev, &b, given, &root, e);
		if (r == 0)
			r = slot_verify(b.slot_data, &b.slot, root.data, e);
		if (r == 0)
			r = snapshot_open(&b, root.data, 0, &n, e);
	}
	if (r < 0)
		return r;
	backup_describe(&b, ret);
	(void)snprintf(ret->doubt, sizeof(ret->doubt), "%s", doubt.msg);
	return 0;
}
