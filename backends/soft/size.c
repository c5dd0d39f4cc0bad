// SPDX-License-Identifier: MIT
/* How large the keystore is: it grows between boots only, never shrinks, and is disabled only when it is empty. */
#include "store.h"

#include <errno.h>
#include <string.h>

#include "lib/env.h"
#include "lib/err.h"

size_t store_size_max(const struct container *c)
{
	return c->flags & CONTAINER_POWER11 ? PARTITION_SIZE_MAX : STORE_SIZE_DEFAULT;
}

int store_check_size(const struct container *c, size_t size, struct err *e)
{
	size_t max = store_size_max(c);

	if (size % CONTAINER_SIZE_STEP || size > max || (size && size < CONTAINER_SIZE_MIN))
		return err_set(e, EINVAL, "a keystore has %d to %zu bytes in steps of %d, or 0, not %zu",
			       CONTAINER_SIZE_MIN, max, CONTAINER_SIZE_STEP, size);
	return 0;
}

/* The contents move to memory of the new size; the next commit keeps it. */
static int resize(struct store *s, uint32_t size, struct err *e)
{
	AUTO_SECRET struct secret m = { 0 };
	int r = secret_alloc(&m, size + boot_room(size), e);

	if (r < 0)
		return r;
	secret_bytes_copy(m.data, s->objects.data, s->objects.used);
	r = objects_parse(m.data, size, &s->objects, e);
	if (r == 0)		/* there is none of this boot: that is when a size changes */
		r = boot_load(&s->boot, s->dev->env, session_of(s->dev), s->uuid, m.data + size, boot_room(size), e);
	if (r < 0)
		return r;
	secret_done(&s->memory);
	s->memory = m;
	m = (struct secret){ 0 };
	s->now.size = size;
	s->resized = true;
	s->now.pending = 0;
	s->now.flags &= ~(uint32_t)CONTAINER_DISABLED;
	return 0;
}

int store_apply_pending(struct store *s, struct err *e)
{
	return s->now.pending && !s->boot.here ? resize(s, s->now.pending, e) : 0;
}

static int disable(struct store *s, struct err *e)
{
	unsigned objects = s->objects.count + s->boot.objects.count;

	if (objects)
		return err_set(e, ENOTEMPTY, "keystore holds %u object%s: it is disabled only when it is empty", objects,
			       objects == 1 ? "" : "s");
	s->now.pending = 0;
	s->now.flags |= CONTAINER_DISABLED;
	return 0;
}

static int check_size(const struct store *s, size_t size, struct err *e)
{
	int r = store_check_size(&s->now, size, e);

	if (r < 0)
		return r;
	if (size && size < s->now.size && !s->created && !(s->now.flags & CONTAINER_DISABLED))
		return err_set(e, EINVAL, "a keystore does not shrink: it has %u bytes", s->now.size);
	return size > partition_claim(&s->now) ? pool_check(s, size, e) : 0;
}

static int set_size(struct store *s, size_t size, bool *ret_changed, struct err *e)
{
	bool disabled = s->now.flags & CONTAINER_DISABLED, same = size == (disabled ? 0 : s->now.size);
	int r = check_size(s, size, e);

	*ret_changed = r == 0 && (!same || s->now.pending);
	if (!*ret_changed)
		return r;
	if (!size)
		return disable(s, e);
	if (!s->boot.here && !same)
		return resize(s, (uint32_t)size, e);
	s->now.pending = same ? 0 : (uint32_t)size;
	return 0;
}

int store_configure(struct store *s, bool power11, const size_t *size, struct err *e)
{
	bool larger = power11 && !(s->now.flags & CONTAINER_POWER11), changed = false;
	int r = 0;

	if (larger)
		s->now.flags |= CONTAINER_POWER11;
	if (size)
		r = set_size(s, *size, &changed, e);
	return r == 0 && (larger || changed) ? store_commit(s, e) : r;
}
