// SPDX-License-Identifier: MIT
/* The role store, and the table of the module. */
#include "access.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/module.h"
#include "lib/pks-policy.h"
#include "backup.h"
#include "counter.h"
#include "erase.h"
#include "ipl.h"
#include "keys.h"
#include "migrate.h"
#include "restore.h"
#include "slots.h"

static int check_name(const struct object_name *n, struct err *e)
{
	if (n->len < 1 || n->len > LABEL_MAX)
		return err_set(e, EINVAL, "a label has 1 to %d bytes, not %zu", LABEL_MAX, n->len);
	return 0;
}

/* Where a newer generation is damaged, what is read may not be the last that was written: also a quiet caller learns it. */
static void warn_stale(const struct store *s)
{
	const struct env *env = s->dev->env;

	if (s->other == OTHER_NEWER && env->warn)
		env->warn(env, "what is read may have been written anew since: '%s' is newer, and damaged",
			  s->files[!s->newest]);
}

static int object_read(const struct device *dev, const struct object_name *n, struct secret *ret, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct record rec;
	bool found;
	int r = check_name(n, e);

	if (r == 0)
		r = store_open(&s, dev, 0, e);
	if (r < 0)
		return r;
	found = store_find(&s, n, &rec);
	r = access_object(&s, ACCESS_READ, n, found ? &rec : NULL, found ? rec.policy : 0, e);
	if (r == 0 && !(rec.policy & POLICY_TRANSIENT))
		warn_stale(&s);
	return r < 0 ? r : secret_copy(ret, rec.data, rec.len, e);
}

/* What an object of a policy is kept in, and how many bytes it may hold with what is in the other one. */
static struct objects *place_of(struct store *s, uint32_t policy)
{
	s->objects.limit = s->objects.size - objects_charged(&s->boot.objects);
	s->boot.objects.limit = s->objects.size - objects_charged(&s->objects);
	s->boot.objects.whole = s->objects.size;
	return policy & POLICY_TRANSIENT ? &s->boot.objects : &s->objects;
}

static int store_keep(struct store *s, uint32_t policy, struct err *e)
{
	return policy & POLICY_TRANSIENT ? boot_save(&s->boot, s->dev->env, session_of(s->dev), e) : store_commit(s, e);
}

/* The policy of what is there stays. Space is looked at before whether the label is taken, as PowerVM does. */
static int put(struct store *s, struct record *new, bool replace, struct err *e)
{
	struct objects *place;
	struct record old;
	bool found = store_find(s, &new->name, &old);
	uint32_t wanted = new->policy;
	int r;

	new->policy = found && !wanted ? old.policy : wanted;
	r = access_object(s, ACCESS_WRITE, &new->name, found ? &old : NULL, found ? old.policy : new->policy, e);
	place = place_of(s, found ? old.policy : new->policy);
	if (r == 0 && found && !replace) {
		r = objects_fits(place, new, e);
		r = r < 0 ? r : err_set(e, EEXIST, "exists already");
	}
	if (r == 0 && found && new->policy != old.policy)
		r = err_set(e, EINVAL, "its policy was fixed when it was made");
	if (r < 0)
		return r;
	if (found)
		objects_remove(place, &new->name);
	return objects_add(place, new, e);
}

/* Bits that stand for what is not done here, or that are not a writer's to set, would promise what nobody keeps. */
static int check_policy(uint32_t policy, struct err *e)
{
	const uint32_t known = POLICY_OSSECBOOTAUDIT | POLICY_OSSECBOOTENFORCE | POLICY_PWSET | POLICY_WORLDREADABLE |
			       POLICY_IMMUTABLE | POLICY_TRANSIENT;

	if (policy & POLICY_SIGNEDUPDATE)
		return err_set(e, EOPNOTSUPP, "policy 'signedupdate': the software keystore takes no signed updates");
	if (policy & POLICY_WRAPPINGKEY)
		return err_set(e, EINVAL, "policy 'wrappingkey': such a key is made inside the keystore, never written");
	if (policy & POLICY_HVPROVISIONED)
		return err_set(e, EINVAL, "policy 'hvprovisioned': is the hypervisor's to set");
	return policy & ~known ? err_set(e, EINVAL, "unknown policy bits %#x", policy & ~known) : 0;
}

static int check_parameters(const struct object_name *n, uint32_t policy, const struct secret *data, struct err *e)
{
	int r = check_name(n, e);

	if (r == 0)
		r = check_policy(policy, e);
	return r == 0 && !data->len ? err_set(e, EINVAL, "an object has at least 1 byte of data") : r;
}

/* What the first use would refuse as well: it shall make no keystore. */
static int check_first(const struct record *new, struct err *e)
{
	if (wrapping_owns_label(&new->name))
		return err_set(e, EPERM, "label is kept for wrapping keys");
	if (new->policy & POLICY_PWSET)
		return err_set(e, EPERM, "policy 'pwset': consumer '%s' has set no password in this boot",
			       pks_consumer_name(new->name.consumer));
	return objects_check_size(STORE_SIZE_DEFAULT, new, e);
}

/* A keystore that is disabled or damaged says so before parameters are looked at. WHY goes with BAD, or with NEVER. */
static int open_to_write(struct store *ret, const struct device *dev, int bad, int never, const struct err *why,
			 struct err *e)
{
	int r = store_open(ret, dev, STORE_WRITE | (never ? 0 : STORE_CREATE), e);

	if ((r == 0 && bad) || (r == -ENOENT && never)) {
		*e = *why;
		return -why->code;
	}
	return r;
}

static int object_write(const struct device *dev, const struct object_name *n, uint32_t policy, unsigned flags,
			const struct secret *data, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct record new = { .name = *n, .policy = policy, .data = data->data, .len = data->len };
	struct err why = { 0 };
	int bad = check_parameters(n, policy, data, &why), r;

	r = open_to_write(&s, dev, bad, bad ? bad : check_first(&new, &why), &why, e);

	if (r < 0)
		return r;
	new.generation = s.now.generation + 1;
	s.no_wait = flags & WRITE_NO_WAIT;
	r = put(&s, &new, flags & WRITE_REPLACE, e);
	if (r == 0)
		r = store_keep(&s, new.policy, e);
	if (r == 0)
		store_note(&s);
	return r;
}

/* Gone is gone: from the older container, too. */
static int key_remove(struct store *s, const struct object_name *n, struct err *e)
{
	int r = access_lock(s, n->consumer, e);

	return r < 0 ? r : store_commit_both(s, e);
}

static int object_remove(const struct device *dev, const struct object_name *n, unsigned flags, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct record old;
	bool found;
	int r = check_name(n, e);

	if (r == 0)
		r = store_open(&s, dev, STORE_WRITE, e);
	if (r < 0)
		return r;
	found = store_find(&s, n, &old);
	if (!found && store_other_has_revoked(&s, n)) {	/* a removal was cut short between the two */
		r = access_password(&s, n->consumer, e);
		return r < 0 ? r : key_remove(&s, n, e);
	}
	r = access_object(&s, ACCESS_REMOVE, n, found ? &old : NULL, found ? old.policy : 0, e);
	if (r == 0 && old.policy & POLICY_WRAPPINGKEY && !(flags & REMOVE_WRAPPING_KEY))
		r = err_set(e, EKEYREVOKED, "is a wrapping key: what is under it would be lost");
	if (r < 0)
		return r;
	objects_remove(place_of(&s, old.policy), n);
	s.no_wait = flags & WRITE_NO_WAIT;
	r = old.policy & POLICY_WRAPPINGKEY ? key_remove(&s, n, e) : store_keep(&s, old.policy, e);
	if (r == 0)
		store_note(&s);
	return r;
}

static int object_confirm(const struct device *dev, const struct object_name *n, bool removed, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct record rec;
	bool there;
	int r = check_name(n, e);

	if (r == 0)
		r = store_open(&s, dev, STORE_WRITE, e);
	if (r == 0)
		r = access_password(&s, n->consumer, e);
	if (r == 0)
		r = store_flush(&s, e);
	if (r == 0 && s.boot.unflushed) {
		s.boot.unflushed = 0;
		r = boot_save(&s.boot, dev->env, session_of(dev), e);
	}
	if (r < 0)
		return r;
	there = store_find(&s, n, &rec);
	if (removed && there)
		return err_set(e, EEXIST, "is there, not removed");
	return removed || there ? 0 : store_misses(&s, e);
}

static int describe(const struct record *rec, struct object *ret, struct err *e)
{
	struct wrapping w = { 0 };
	int r = rec->policy & POLICY_WRAPPINGKEY ? wrapping_from(rec, &w, e) : 0;

	*ret = (struct object){ .consumer = rec->name.consumer, .label_len = rec->name.len, .policy = rec->policy,
				.size = rec->policy & POLICY_WRAPPINGKEY ? 0 : rec->len, .generation = rec->generation,
				.wrapping = w.state };
	memcpy(ret->label, rec->name.label, rec->name.len);
	memcpy(ret->wrapping_id, w.id, sizeof(w.id));
	return r;
}

static int by_name(const void *a, const void *b)
{
	const struct object *x = a, *y = b;
	const struct object_name m = { x->consumer, x->label, x->label_len }, n = { y->consumer, y->label, y->label_len };

	return object_name_compare(&m, &n);
}

static int object_list(const struct device *dev, struct object **ret, size_t *ret_n, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	AUTO_FREE struct object *list = NULL;
	struct record rec;
	size_t n = 0;
	int r = store_open(&s, dev, 0, e);

	if (r == -ENOENT)	/* one that never was is an empty one */
		r = store_check_first(dev->env, e);
	if (r < 0)
		return r;
	list = calloc(s.objects.count + s.boot.objects.count + 1, sizeof(*list));
	r = list ? 0 : err_nomem(e);
	for (size_t at = 0; r == 0 && objects_next(&s.objects, &at, &rec);)
		r = describe(&rec, &list[n++], e);
	for (size_t at = 0; r == 0 && objects_next(&s.boot.objects, &at, &rec);)
		r = describe(&rec, &list[n++], e);
	if (r < 0)
		return r;
	qsort(list, n, sizeof(*list), by_name);
	*ret = list;
	*ret_n = n;
	list = NULL;
	return 0;
}

static void format_slots(int dir, char *ret, size_t size)
{
	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(soft_slots); i++)
		if (root_has_slot(dir, &soft_slots[i]))
			(void)snprintf(ret + strlen(ret), size - strlen(ret), "%s%s", ret[0] ? "\n" : "",
				       soft_slots[i].name);
}

/* The file that is damaged or missing now, and those kept. */
static void format_damaged(const struct store *s, char *ret, size_t size)
{
	ret[0] = '\0';
	if (s->other != OTHER_GOOD || !store_other_is_whole(s))
		(void)snprintf(ret, size, "%s", s->files[!s->newest]);
	for (unsigned i = 0; i < 2; i++)
		if (store_has_kept(s, i))
			(void)snprintf(ret + strlen(ret), size - strlen(ret), "%s%s", ret[0] ? "\n" : "",
				       s->kept[i]);
}

/* Those that are locked, or that have set a password in this boot. */
static void format_consumers(const struct store *s, bool locked, char *ret, size_t size)
{
	ret[0] = '\0';
	for (int c = CONSUMER_FIRMWARE; c <= CONSUMER_OS; c++)
		if (locked ? s->boot.consumers[c].locked : s->boot.consumers[c].password != PASSWORD_NULL)
			(void)snprintf(ret + strlen(ret), size - strlen(ret), "%s%s", ret[0] ? "\n" : "",
				       pks_consumer_name((enum consumer)c));
}

static int store_describe(const struct device *dev, struct store_info *ret, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	const char *grade;
	struct store_info info = { 0 };
	int r = store_open(&s, dev, STORE_DISABLED, e);

	if (r < 0)
		return r;
	grade = root_grade(s.dir);
	uuid_format(s.now.partition, info.uuid);
	info.generation = s.now.generation;
	info.total = s.now.flags & CONTAINER_DISABLED ? 0 : s.objects.size;
	info.max = store_size_max(&s.now);
	info.unconfirmed = s.boot.unflushed == s.now.generation ? s.boot.unflushed : 0;
	info.pending = s.now.pending;
	info.exposed = session_of(dev)->exposed;
	info.used = store_charged(&s);
	info.objects = s.objects.count + s.boot.objects.count;
	format_consumers(&s, false, info.passwords, sizeof(info.passwords));
	format_consumers(&s, true, info.locked, sizeof(info.locked));
	(void)snprintf(info.protection, sizeof(info.protection), "%s", grade ? strchr(grade, ' ') + 1 : "");
	format_slots(s.dir, info.slots, sizeof(info.slots));
	counter_describe(&s, info.rollback, sizeof(info.rollback));
	format_damaged(&s, info.damaged, sizeof(info.damaged));
	ipl_health(&s, info.health, sizeof(info.health));
	*ret = info;
	return 0;
}

/* --- its size ---------------------------------------------------------------------------------------------------- */

static int set_size(const struct device *dev, bool power11, const size_t *size, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	int r = store_open(&s, dev, STORE_WRITE | STORE_CREATE | STORE_DISABLED, e);

	return r < 0 ? r : store_configure(&s, power11, size, e);
}

/* --- of this boot ------------------------------------------------------------------------------------------------ */

static int set_password(const struct device *dev, enum consumer c, const struct secret *chosen,
			struct secret *ret_generated, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	int r = store_open(&s, dev, STORE_WRITE, e);

	return r < 0 ? r : password_set(&s, c, chosen, ret_generated, e);
}

static int lock_consumer(const struct device *dev, enum consumer c, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	int r = store_open(&s, dev, STORE_WRITE, e);

	if (r == 0)
		r = access_password(&s, c, e);
	if (r < 0 || s.boot.consumers[c].locked)
		return r;
	s.boot.consumers[c].locked = true;
	return boot_save(&s.boot, dev->env, session_of(dev), e);
}

const struct store_ops soft_store_ops = {
	.read = object_read,
	.write = object_write,
	.remove = object_remove,
	.confirm = object_confirm,
	.list = object_list,
	.info = store_describe,
	.resize = set_size,
	.create = partition_create,
	.destroy = partition_remove,
	.password = set_password,
	.lock = lock_consumer,
	.genkey = key_make,
	.revoke = key_revoke,
	.backup = soft_backup,
	.backup_look = soft_backup_look,
	.restore = soft_restore,
	.export_ = soft_export,
	.export_cancel = soft_export_cancel,
	.export_finish = soft_export_finish,
	.import = soft_import,
	.slot_add = soft_slot_add,
	.slot_remove = soft_slot_remove,
	.tsk = soft_tsk,
	.counter = soft_counter,
	.erase = store_erase,
	.check = ipl_check,
};

const struct backend_ops soft_ops = {
	.key = &soft_key_ops,
	.seal = &soft_seal_ops,
	.store = &soft_store_ops,
};
