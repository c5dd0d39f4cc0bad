// SPDX-License-Identifier: MIT
#include "objects.h"

#include <errno.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/crypto.h"
#include "lib/err.h"
#include "lib/secret.h"

enum { RECORD_HEADER = 20, STATE_PRESENT = 1, STATE_REVOKED = 2 };

static const unsigned char magic[8] = { 'H', 'W', 'K', 'E', 'Y', 'O', 'B', 'J' };

static void header_store(struct objects *o)
{
	memcpy(o->data, magic, 8);
	be_put(o->data + 8, o->count, 4);
	be_put(o->data + 12, o->used, 4);
}

void objects_init(struct objects *ret, void *data, size_t size)
{
	*ret = (struct objects){ .data = data, .size = size, .whole = size, .limit = size, .used = OBJECTS_HEADER };
	memset(data, 0, size);
	header_store(ret);
}

/* The record at P with LEFT bytes behind it; its whole length, or 0 if it is malformed. */
static size_t record_decode(const unsigned char *p, size_t left, struct record *ret)
{
	size_t label, data;
	bool revoked;

	if (left < RECORD_HEADER)
		return 0;
	revoked = p[1] == STATE_REVOKED && be_get(p + 4, 4) & POLICY_WRAPPINGKEY;
	label = be_get(p + 2, 2);
	data = be_get(p + 8, 4);
	if (p[0] < CONSUMER_FIRMWARE || p[0] > CONSUMER_OS || (p[1] != STATE_PRESENT && !revoked) ||
	    label < 1 || label > LABEL_MAX || data < 1 || data > left || RECORD_HEADER + label + data > left)
		return 0;
	*ret = (struct record){
		.name = { (enum consumer)p[0], p + RECORD_HEADER, label }, .policy = (uint32_t)be_get(p + 4, 4),
		.revoked = revoked, .generation = be_get(p + 12, 8), .data = p + RECORD_HEADER + label, .len = data,
	};
	return RECORD_HEADER + label + data;
}

static void record_encode(const struct record *r, unsigned char *p)
{
	p[0] = (unsigned char)r->name.consumer;
	p[1] = r->revoked ? STATE_REVOKED : STATE_PRESENT;
	be_put(p + 2, r->name.len, 2);
	be_put(p + 4, r->policy, 4);
	be_put(p + 8, r->len, 4);
	be_put(p + 12, r->generation, 8);
	memcpy(p + RECORD_HEADER, r->name.label, r->name.len);
	secret_bytes_copy(p + RECORD_HEADER + r->name.len, r->data, r->len);
}

int object_name_compare(const struct object_name *a, const struct object_name *b)
{
	int c;

	if (a->consumer != b->consumer)
		return a->consumer < b->consumer ? -1 : 1;
	c = memcmp(a->label, b->label, a->len < b->len ? a->len : b->len);
	return c ? c : (a->len > b->len) - (a->len < b->len);
}

bool objects_next(const struct objects *o, size_t *at, struct record *ret)
{
	size_t n;

	if (!o->data)
		return false;
	if (*at == 0)
		*at = OBJECTS_HEADER;
	n = record_decode(o->data + *at, o->used - *at, ret);
	*at += n;
	return n > 0;
}

int objects_parse(void *data, size_t size, struct objects *ret, struct err *e)
{
	struct objects o = { .data = data, .size = size, .whole = size, .limit = size };
	struct record r, before = { 0 };
	size_t at = 0;
	unsigned n = 0;

	if (size < OBJECTS_HEADER || memcmp(data, magic, 8) != 0)
		return err_set(e, EBADMSG, "container holds no objects of the keystore");
	o.count = (unsigned)be_get(o.data + 8, 4);
	o.used = be_get(o.data + 12, 4);
	if (o.used < OBJECTS_HEADER || o.used > size)
		return err_set(e, EBADMSG, "objects of the keystore have a wrong length");
	for (; objects_next(&o, &at, &r); before = r, n++)
		if (n && object_name_compare(&before.name, &r.name) >= 0)
			return err_set(e, EBADMSG, "objects of the keystore are out of order");
	if (at != o.used || n != o.count || objects_charged(&o) > size)
		return err_set(e, EBADMSG, "objects of the keystore are malformed");
	*ret = o;
	return 0;
}

bool objects_find(const struct objects *o, const struct object_name *name, struct record *ret)
{
	struct record r;

	for (size_t at = 0; objects_next(o, &at, &r);) {
		if (object_name_compare(&r.name, name) == 0) {
			*ret = r;
			return true;
		}
	}
	return false;
}

static size_t charge(const struct object_name *name, size_t len)
{
	return OBJECT_OVERHEAD + name->len + len;
}

size_t objects_charged(const struct objects *o)
{
	if (!o->data)
		return 0;
	return o->used - OBJECTS_HEADER + (size_t)o->count * (OBJECT_OVERHEAD - RECORD_HEADER);
}

/* Old wrapping keys are what grows without anybody writing an object. */
static int full(const struct objects *o, size_t need, size_t have, struct err *e)
{
	struct record r;
	size_t bytes = 0;
	unsigned n = 0;

	for (size_t at = 0; objects_next(o, &at, &r);) {
		if (r.policy & POLICY_WRAPPINGKEY) {
			bytes += charge(&r.name, r.len);
			n++;
		}
	}
	return err_set(e, ENOSPC, "keystore is full: %zu bytes needed, %zu of %zu free; wrapping keys, old ones too: %u, "
		       "%zu bytes%s", need, have, o->limit, n, bytes, n ? "; pks-genkey --revoke and pks-remove free "
		       "those that nothing needs" : "");
}

bool record_is_same(const struct record *a, const struct record *b)
{
	return a->policy == b->policy && a->len == b->len && crypto_equal(a->data, b->data, a->len);
}

int objects_check_size(size_t size, const struct record *r, struct err *e)
{
	if (charge(&r->name, r->len) <= size)
		return 0;
	return err_set(e, EFBIG, "%zu bytes are too many: the keystore holds %zu, an object takes %d and its label",
		       r->len, size, OBJECT_OVERHEAD);
}

int objects_fits(const struct objects *o, const struct record *new, struct err *e)
{
	size_t need = charge(&new->name, new->len), charged = objects_charged(o);
	size_t have = o->limit > charged ? o->limit - charged : 0;
	int r = objects_check_size(o->whole, new, e);

	return r == 0 && need > have ? full(o, need, have, e) : r;
}

/* An object is charged more than its record takes, so what passes the accounting also fits. */
int objects_add(struct objects *o, const struct record *new, struct err *e)
{
	size_t at = 0, place = OBJECTS_HEADER, whole = RECORD_HEADER + new->name.len + new->len;
	struct record r;
	int err = objects_fits(o, new, e);

	if (err < 0)
		return err;
	while (objects_next(o, &at, &r) && object_name_compare(&r.name, &new->name) < 0)
		place = at;
	secret_bytes_copy(o->data + place + whole, o->data + place, o->used - place);
	record_encode(new, o->data + place);
	o->used += whole;
	o->count++;
	header_store(o);
	return 0;
}

void objects_remove(struct objects *o, const struct object_name *name)
{
	struct record r;
	size_t at = 0, from = OBJECTS_HEADER;

	for (; objects_next(o, &at, &r); from = at) {
		if (object_name_compare(&r.name, name) != 0)
			continue;
		secret_bytes_copy(o->data + from, o->data + at, o->used - at);
		explicit_bzero(o->data + o->used - (at - from), at - from);
		o->used -= at - from;
		o->count--;
		header_store(o);
		return;
	}
}

void objects_revoke(struct objects *o, const struct record *r, bool revoked)
{
	o->data[r->name.label - o->data - RECORD_HEADER + 1] = revoked ? STATE_REVOKED : STATE_PRESENT;
}
