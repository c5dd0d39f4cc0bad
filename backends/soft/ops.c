// SPDX-License-Identifier: MIT
/* The role store, and the table of the module. */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/module.h"

/* Bits whose meaning is enforced here; an object with any other would be less safe than it says. */
enum { POLICIES = POLICY_WORLDREADABLE | POLICY_IMMUTABLE };

static int check_name(const struct object_name *n, struct err *e)
{
	if (n->len < 1 || n->len > LABEL_MAX)
		return err_set(e, EINVAL, "a label has 1 to %d bytes, not %zu", LABEL_MAX, n->len);
	return 0;
}

static int check_change(const struct object_name *n, const struct record *old, struct err *e)
{
	if (wrapping_owns_label(n))
		return err_set(e, EPERM, "label is kept for wrapping keys");
	if (old && old->policy & POLICY_IMMUTABLE)
		return err_set(e, EPERM, "is immutable");
	return 0;
}

static int object_read(const struct device *dev, const struct object_name *n, struct secret *ret, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct record rec;
	int r = check_name(n, e);

	if (r == 0)
		r = store_open(&s, dev, 0, e);
	if (r < 0)
		return r;
	if (!objects_find(&s.objects, n, &rec))
		return store_misses(&s, e);
	if (rec.policy & POLICY_WRAPPINGKEY)
		return err_set(e, EPERM, "is a wrapping key, which nobody can read");
	return secret_copy(ret, rec.data, rec.len, e);
}

static int put(struct store *s, const struct record *new, bool replace, struct err *e)
{
	struct record old;
	bool found = objects_find(&s->objects, &new->name, &old);
	int r = check_change(&new->name, found ? &old : NULL, e);

	if (r < 0)
		return r;
	if (found && !replace)
		return err_set(e, EEXIST, "exists already");
	if (found)
		objects_remove(&s->objects, &new->name);
	return objects_add(&s->objects, new, e);
}

static int object_write(const struct device *dev, const struct object_name *n, uint32_t policy, bool replace,
			const struct secret *data, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct record new = { .name = *n, .policy = policy, .data = data->data, .len = data->len };
	struct err too_big;
	bool fits = objects_check_size(STORE_SIZE_DEFAULT, &new, &too_big) == 0;
	int r = check_name(n, e);

	if (r == 0)
		r = check_change(n, NULL, e);
	if (r < 0)
		return r;
	if (policy & ~(uint32_t)POLICIES)
		return err_set(e, EOPNOTSUPP, "policy bits %#x are not enforced by the software keystore",
			       policy & ~(uint32_t)POLICIES);
	if (!data->len)
		return err_set(e, EINVAL, "an object has at least 1 byte of data");
	r = store_open(&s, dev, STORE_WRITE | (fits ? STORE_CREATE : 0), e);
	if (r == -ENOENT && !fits)
		return -(*e = too_big).code;
	if (r < 0)
		return r;
	new.generation = s.now.generation + 1;
	r = put(&s, &new, replace, e);
	if (r == 0)
		r = store_commit(&s, e);
	if (r == 0)
		store_note(&s);
	return r;
}

static int object_remove(const struct device *dev, const struct object_name *n, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct record old;
	int r = check_name(n, e);

	if (r == 0)
		r = store_open(&s, dev, STORE_WRITE, e);
	if (r < 0)
		return r;
	if (!objects_find(&s.objects, n, &old))
		return store_misses(&s, e);
	r = check_change(n, &old, e);
	if (r < 0)
		return r;
	objects_remove(&s.objects, n);
	r = store_commit(&s, e);
	if (r == 0)
		store_note(&s);
	return r;
}

static void describe(const struct record *rec, struct object *ret)
{
	*ret = (struct object){ .consumer = rec->name.consumer, .label_len = rec->name.len, .policy = rec->policy,
				.size = rec->policy & POLICY_WRAPPINGKEY ? 0 : rec->len, .generation = rec->generation };
	memcpy(ret->label, rec->name.label, rec->name.len);
}

static int object_list(const struct device *dev, struct object **ret, size_t *ret_n, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct object *list;
	struct record rec;
	size_t n = 0;
	int r = store_open(&s, dev, 0, e);

	if (r < 0 && r != -ENOENT)
		return r;
	list = calloc(r == 0 && s.objects.count ? s.objects.count : 1, sizeof(*list));
	if (!list)
		return err_nomem(e);
	for (size_t at = 0; r == 0 && objects_next(&s.objects, &at, &rec);)
		describe(&rec, &list[n++]);
	*ret = list;
	*ret_n = n;
	return 0;
}

static void format_uuid(const unsigned char *u, char ret[37])
{
	(void)snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2],
		       u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
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
		(void)snprintf(ret, size, "%s", container_files[!s->newest]);
	for (size_t i = 0; i < ARRAY_SIZE(container_kept); i++)
		if (faccessat(s->dir, container_kept[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			(void)snprintf(ret + strlen(ret), size - strlen(ret), "%s%s", ret[0] ? "\n" : "",
				       container_kept[i]);
}

static int store_describe(const struct device *dev, struct store_info *ret, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	const struct soft_slot *weakest;
	struct store_info info = { 0 };
	int r = store_open(&s, dev, 0, e);

	if (r < 0)
		return r;
	weakest = root_weakest(s.dir);
	format_uuid(s.now.partition, info.uuid);
	info.generation = s.now.generation;
	info.total = s.objects.size;
	info.used = objects_charged(&s.objects);
	info.objects = s.objects.count;
	(void)snprintf(info.protection, sizeof(info.protection), "%s", weakest ? strchr(weakest->grade, ' ') + 1 : "");
	format_slots(s.dir, info.slots, sizeof(info.slots));
	format_damaged(&s, info.damaged, sizeof(info.damaged));
	*ret = info;
	return 0;
}

/* --- ways to open it --------------------------------------------------------------------------------------------- */

static int find_slot(const char *name, const struct soft_slot **ret, struct err *e)
{
	*ret = root_slot_find(name);
	return *ret ? 0 : err_set(e, EOPNOTSUPP, "the software keystore has no slots '%s'", name);
}

/* The store must open, objects and all, before the ways to open it are changed. */
static int slot_add(const struct device *dev, const char *name, const struct secret *passphrase, bool replace,
		    struct err *e)
{
	bool makes = replace || strcmp(name, "plain") != 0;	/* a new keystore has that one already */
	AUTO_STORE struct store s = STORE_CLOSED;
	const struct soft_slot *row;
	int r = find_slot(name, &row, e);

	if (r == 0)
		r = store_open(&s, dev, STORE_WRITE | (makes ? STORE_CREATE : 0), e);
	if (r < 0)
		return r;
	if (!replace && root_has_slot(s.dir, row))
		return err_set(e, EEXIST, "keystore has a slot '%s' already", name);
	r = root_slot_write(s.dir, row, session_of(dev), passphrase, replace, e);
	if (r == 0)
		r = root_slot_check(s.dir, row, session_of(dev), passphrase, e);
	return r;
}

static int slot_remove(const struct device *dev, const char *name, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	const struct soft_slot *row;
	int r = find_slot(name, &row, e);

	if (r == 0)
		r = store_open(&s, dev, STORE_WRITE, e);
	if (r == 0)
		r = root_slot_remove(s.dir, row, session_of(dev), e);
	return r;
}

const struct store_ops soft_store_ops = {
	.read = object_read,
	.write = object_write,
	.remove = object_remove,
	.list = object_list,
	.info = store_describe,
	.slot_add = slot_add,
	.slot_remove = slot_remove,
};

/* The tests link all modules into one and reach this one under its own name. */
const struct backend_ops soft_ops = {
	.key = &soft_key_ops,
	.seal = &soft_seal_ops,
	.store = &soft_store_ops,
};

MODULE_EXPORT extern const struct backend_ops hwkey_module __attribute__((alias("soft_ops")));
