// SPDX-License-Identifier: MIT
#include "migrate.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "backup.h"
#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "tsk.h"

enum { RECEIPT = 16 };		/* bytes */

/* Of S, which is marked. RET gets ROOT_KEY bytes. */
static int transfer_key(const struct store *s, struct secret *ret, struct err *e)
{
	unsigned char info[26] = "hwkey-pks/1 export";
	int r = secret_alloc(ret, ROOT_KEY, e);

	be_put(info + 18, s->now.generation, 8);
	if (r == 0)
		r = crypto_hkdf(session_of(s->dev)->root, ROOT_KEY, s->uuid, UUID_SIZE, info, sizeof(info), ret->data,
				ROOT_KEY, e);
	return r;
}

static int receipt_make(const struct secret *transfer, char ret[2 * RECEIPT + 1], struct err *e)
{
	unsigned char receipt[RECEIPT];
	int r = crypto_hkdf(transfer->data, ROOT_KEY, "", 0, "hwkey-pks/1 receipt", 19, receipt, sizeof(receipt), e);

	if (r == 0)
		hex_encode(receipt, RECEIPT, ret);
	return r;
}

/* The key given, or asked for, which must be the one of ID. */
static int take_tsk(const struct env *env, const unsigned char id[TSK_ID], const struct secret *given, struct secret *ret,
		    struct err *e)
{
	int r = given ? secret_copy(ret, given->data, given->len, e) : backup_ask(env, "export", SLOT_TSK, ret, e);

	return r < 0 ? r : tsk_compare(id, ret, e);
}

/* --- from here --------------------------------------------------------------------------------------------------- */

static int mark(struct store *s, bool moved, struct err *e)
{
	s->moved = false;
	s->now.flags = moved ? s->now.flags | CONTAINER_MOVED : s->now.flags & ~(uint32_t)CONTAINER_MOVED;
	return store_commit(s, e);
}

static int export_make(const struct store *s, const struct secret *tsk, struct blob *ret, struct err *e)
{
	AUTO_SECRET struct secret transfer = { 0 };
	AUTO_BLOB struct blob slot = { 0 };
	struct container c = s->now;
	int r = transfer_key(s, &transfer, e);

	c.flags = (c.flags & CONTAINER_POWER11) | CONTAINER_EXPORT;
	c.time = (uint64_t)time(NULL);
	if (r == 0)
		r = backup_slot(session_of(s->dev), SLOT_TSK, transfer.data, tsk, &slot, e);
	return r < 0 ? r : backup_make(&slot, &c, transfer.data, s->objects.data, ret, e);
}

int soft_export(const struct device *dev, const struct secret *given, struct blob *ret, bool *ret_begun, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	AUTO_SECRET struct secret tsk = { 0 };
	unsigned char id[TSK_ID];
	bool begun;
	int r = store_open(&s, dev, STORE_WRITE, e);

	if (r == 0)
		r = access_all(&s, e);
	if (r == 0 && !s.moved && s.other == OTHER_NEWER)
		r = err_set(e, EBADMSG, "the newer '%s' is damaged, and what was written last would stay behind: "
			    "'hwkey pks-check --repair' goes on without it", s.files[!s.newest]);
	if (r == 0)
		r = tsk_slot_read(s.dir, session_of(dev), NULL, id, e);
	if (r == -ENOENT && dev->session->len)
		return err_hint(e, "'hwkey pks-tsk' sets the one of the system that it is to go to");
	if (r == 0)
		r = take_tsk(dev->env, id, given, &tsk, e);
	if (r == 0 && s.boot.objects.count && dev->env->warn)
		dev->env->warn(dev->env, "transient objects stay here, until the next boot");
	if (r < 0)
		return r;
	begun = !s.moved;
	r = begun ? mark(&s, true, e) : 0;
	if (r == 0)
		r = export_make(&s, &tsk, ret, e);
	if (r == 0)
		*ret_begun = begun;
	else if (begun && s.now.flags & CONTAINER_MOVED)
		(void)mark(&s, false, &(struct err){ 0 });
	return r;
}

static int open_moved(struct store *s, const struct device *dev, unsigned flags, struct err *e)
{
	int r = store_open(s, dev, flags, e);

	return r == 0 && !s->moved ? err_set(e, ENOENT, "keystore '%s' was not exported", s->name) : r;
}

int soft_export_cancel(const struct device *dev, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	int r = open_moved(&s, dev, STORE_WRITE, e);

	return r < 0 ? r : mark(&s, false, e);
}

/* One that is disabled has seen the receipt already: the generation that it is of is gone, and so are the objects. */
static int check_receipt(const struct store *s, const char *receipt, struct err *e)
{
	AUTO_SECRET struct secret transfer = { 0 };
	char own[2 * RECEIPT + 1];
	int r;

	if (s->now.flags & CONTAINER_DISABLED)
		return 0;
	r = transfer_key(s, &transfer, e);
	if (r == 0)
		r = receipt_make(&transfer, own, e);
	if (r == 0 && (strlen(receipt) != 2 * RECEIPT || !crypto_equal(own, receipt, 2 * RECEIPT)))
		r = err_set(e, EACCES, "receipt is not of the export that this keystore waits for");
	return r;
}

/* Nothing is left of the objects in either file. */
int soft_export_finish(const struct device *dev, const char *receipt, bool check, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	int r = open_moved(&s, dev, STORE_DISABLED | (check ? 0 : STORE_WRITE), e);

	if (r == 0)
		r = access_all(&s, e);
	if (r == 0)
		r = check_receipt(&s, receipt, e);
	if (r == 0 && !(s.now.flags & CONTAINER_DISABLED))	/* what a damaged container held was not exported */
		r = store_check_kept(&s, e);
	if (r < 0 || check)
		return r;
	objects_init(&s.objects, s.objects.data, s.objects.size);
	objects_init(&s.boot.objects, s.boot.objects.data, s.boot.objects.size);
	s.moved = false;
	s.now.flags |= CONTAINER_DISABLED;
	s.now.pending = 0;
	r = store_commit_both(&s, e);
	for (unsigned i = 0; r == 0 && i < 2; i++)
		if (unlinkat(s.dir, s.kept[i], 0) < 0 && errno != ENOENT)
			r = err_sys(e, "cannot remove '%s' of the keystore that was moved", s.kept[i]);
	return r < 0 || !s.boot.here ? r : boot_save(&s.boot, dev->env, session_of(dev), e);
}

/* --- to here ----------------------------------------------------------------------------------------------------- */

/* All of it is there already, and nothing else: an import that did not live to tell the receipt. */
static bool is_there(const struct store *s, const struct snapshot *n)
{
	struct record a, b;

	if (s->objects.count != n->objects.count || s->boot.objects.count)
		return false;
	for (size_t at = 0; objects_next(&n->objects, &at, &a);)
		if (!objects_find(&s->objects, &a.name, &b) || !record_is_same(&a, &b))
			return false;
	return true;
}

static int unpack(struct store *s, const struct snapshot *n, struct err *e)
{
	struct record rec;
	int r = 0;

	if (s->objects.count || s->boot.objects.count)
		return err_set(e, ENOTEMPTY, "keystore '%s' holds objects: what is imported needs one that is empty",
			       s->name);
	for (size_t at = 0; r == 0 && objects_next(&n->objects, &at, &rec);) {
		rec.generation = s->now.generation + 1;
		r = objects_add(&s->objects, &rec, e);
	}
	if (r == -ENOSPC || r == -EFBIG)
		return err_hint(e, "'hwkey pks-config --size' makes the keystore larger");
	return r < 0 ? r : store_commit_both(s, e);
}

/* What can be told without the key: before anybody is asked for it. */
static int check_import(const struct store *s, const struct backup *b, struct err *e)
{
	unsigned char id[TSK_ID];
	int r = store_check_moved(s, e);

	if (r == 0)
		r = access_all(s, e);
	if (r == 0)
		r = tsk_slot_read(s->dir, session_of(s->dev), NULL, id, e);
	if (r == -ENOENT)
		return err_hint(e, "'hwkey pks-tsk --set' sets the one of the export");
	if (r == 0 && (b->slot.type != SLOT_TSK || memcmp(b->slot.payload, id, TSK_ID) != 0))
		r = err_set(e, EACCES, "export is under another trusted system key than this keystore has");
	if (r == 0 && !memcmp(b->header.partition, s->uuid, UUID_SIZE))
		r = err_set(e, EEXIST, "export is of this very keystore: 'hwkey pks-export --cancel' takes it back");
	if (r == 0 && !memcmp(b->slot.system, session_of(s->dev)->system, UUID_SIZE))
		r = err_set(e, EEXIST, "export is of a keystore of this very system: it goes to another one");
	return r;
}

int soft_import(const struct device *dev, const struct blob *file, const struct secret *given, char ret_receipt[33],
		struct err *e)
{
	AUTO_SNAPSHOT struct snapshot n = { 0 };
	AUTO_SECRET struct secret tsk = { 0 }, transfer = { 0 };
	AUTO_STORE struct store s = STORE_CLOSED;
	struct backup b;
	int r = backup_read(file, CONTAINER_EXPORT, &b, e);

	if (r == 0)
		r = store_open(&s, dev, STORE_WRITE, e);
	if (r == 0)
		r = check_import(&s, &b, e);
	if (r == 0)
		r = take_tsk(dev->env, b.slot.payload, given, &tsk, e);
	if (r == 0)
		r = secret_alloc(&transfer, ROOT_KEY, e);
	if (r == 0)
		r = slot_open(b.slot_data, &b.slot, &tsk, transfer.data, e);
	if (r == 0)
		r = snapshot_open(&b, transfer.data, 0, &n, e);
	if (r == 0 && !is_there(&s, &n))
		r = unpack(&s, &n, e);
	return r < 0 ? r : receipt_make(&transfer, ret_receipt, e);
}
