// SPDX-License-Identifier: MIT
#include "slots.h"

#include <errno.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "anchor.h"
#include "counter.h"
#include "source.h"
#include "store.h"
#include "tsk.h"

static int find_slot(const char *name, const struct soft_slot **ret, struct err *e)
{
	*ret = root_slot_find(name);
	return *ret ? 0 : err_set(e, EOPNOTSUPP, "the software keystore has no slots '%s'", name);
}

/* The trust source proved that it opens what it sealed: it is not asked again, nor is a person. */
static int source_put(struct store *s, const struct soft_slot *row, const struct wrap_params *params, bool replace,
		      struct err *e)
{
	AUTO_SECRET struct secret sealed = { 0 };
	const struct session *session = session_of(s->dev);
	int r = source_seal(s->dev, row, session, params, &sealed, e);

	if (r == 0)
		r = root_slot_write(s->dir, row, session, &sealed, replace, e);
	if (r == 0 && root_slot_state(s->dir, row, session, e) != SLOT_GOOD)
		return -e->code;
	return r;
}

/* The store must open, objects and all, before the ways to open it are changed. */
int soft_slot_add(const struct device *dev, const char *name, const struct secret *given, const struct wrap_params *params,
		  bool replace, struct err *e)
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
	if (row->type == SLOT_ANCHOR)
		r = anchor_set(dev, s.dir, session_of(dev), (const char *)given->data, replace, e);
	else if (row->backend)
		return source_put(&s, row, params, replace, e);
	else
		r = root_slot_write(s.dir, row, session_of(dev), given, replace, e);
	if (r == 0)
		r = root_slot_check(s.dir, row, session_of(dev), given, e);
	return r;
}

int soft_slot_remove(const struct device *dev, const char *name, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	const struct soft_slot *row;
	int r = find_slot(name, &row, e);

	if (r == 0)
		r = store_open(&s, dev, STORE_WRITE, e);
	if (r == 0 && row->type == SLOT_ANCHOR)
		r = anchor_remove(dev, s.dir, session_of(dev), e);
	else if (r == 0)
		r = root_slot_remove(dev, s.dir, row, e);
	return r;
}

/* Opens the slot with the key, if one is given. */
int soft_tsk(const struct device *dev, const struct secret *given, char *ret_id, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	unsigned char id[TSK_ID];
	int r = store_open(&s, dev, STORE_DISABLED, e);

	if (r == 0)
		r = tsk_slot_read(s.dir, session_of(dev), NULL, id, e);
	if (r == 0 && given)
		r = tsk_compare(id, given, e);
	if (r == 0 && given)
		r = root_slot_check(s.dir, root_slot_find("tsk"), session_of(dev), given, e);
	if (r == 0)
		hex_encode(id, TSK_ID, ret_id);
	return r;
}

int soft_counter(const struct device *dev, bool on, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	int r = store_open(&s, dev, STORE_WRITE | (on ? STORE_CREATE : 0), e);

	return r < 0 ? r : counter_set(&s, on, e);
}
