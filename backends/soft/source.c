// SPDX-License-Identifier: MIT
#include "source.h"

#include <errno.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"

int source_wrap(const struct slot *s, const unsigned char root[ROOT_KEY], const struct secret *given, unsigned char *ret,
		size_t *ret_len, struct err *e)
{
	(void)s, (void)root;
	if (given->len > SLOT_PAYLOAD_MAX)
		return err_set(e, EMSGSIZE, "what was sealed has %zu bytes, a slot room for %d", given->len,
			       SLOT_PAYLOAD_MAX);
	memcpy(ret, given->data, given->len);
	*ret_len = given->len;
	return 0;
}

int source_unwrap(const struct slot *s, const struct secret *given, unsigned char ret_root[ROOT_KEY], struct err *e)
{
	(void)s;
	if (given->len != ROOT_KEY)
		return err_set(e, EBADMSG, "the trust source gave back something else");
	secret_bytes_copy(ret_root, given->data, ROOT_KEY);
	return 0;
}

static int find(const struct device *dev, const char *backend, const struct blob *sealed, struct device **ret_list,
		struct device **ret, const struct seal_ops **ret_ops, struct err *e)
{
	const struct backend_ops *ops;
	int r = backend_source(dev->env, backend, sealed, ret_list, ret, &ops, e);

	if (r == 0 && !ops->seal)
		r = err_set(e, EOPNOTSUPP, "device '%s' seals nothing", (*ret)->id);
	if (r == 0)
		*ret_ops = ops->seal;
	return r;
}

static const char context[] = "hwkey-rtk/1 sealed";

enum { BINDING_SIZE = sizeof(context) + UUID_SIZE };

static struct blob binding_of(const unsigned char system[UUID_SIZE], unsigned char room[BINDING_SIZE])
{
	memcpy(room, context, sizeof(context));
	memcpy(room + sizeof(context), system, UUID_SIZE);
	return (struct blob){ .data = room, .len = BINDING_SIZE };
}

int source_seal(const struct device *dev, const struct soft_slot *row, const struct session *session,
		const struct wrap_params *params, struct secret *ret, struct err *e)
{
	const struct wrap_params none = { 0 };
	AUTO_SECRET struct secret root = { 0 };
	AUTO_BLOB struct blob sealed = { 0 };
	unsigned char room[BINDING_SIZE];
	const struct blob binding = binding_of(session->system, room);
	struct device *list = NULL, *source;
	const struct seal_ops *ops;
	int r = secret_copy(&root, session->root, ROOT_KEY, e);

	if (r == 0)
		r = find(dev, row->backend, NULL, &list, &source, &ops, e);
	if (r == 0)
		r = ops->seal(source, params ? params : &none, &root, &binding, &sealed, e);
	if (r == 0)
		r = secret_copy(ret, sealed.data, sealed.len, e);
	device_free_list(list);
	return r;
}

static int unseal(const struct device *dev, const struct soft_slot *row, const struct slot *s, struct secret *ret,
		  struct err *e)
{
	const struct blob sealed = { .data = (unsigned char *)(uintptr_t)s->payload, .len = s->payload_len };
	unsigned char room[BINDING_SIZE];
	const struct blob binding = binding_of(s->system, room);
	struct device *list = NULL, *source;
	const struct seal_ops *ops;
	int r = find(dev, row->backend, &sealed, &list, &source, &ops, e);

	if (r == 0)
		r = ops->unseal(source, &sealed, &binding, ret, e);
	device_free_list(list);
	return r;
}

int source_unseal(const struct device *dev, const struct soft_slot *row, const struct slot *s, struct secret *ret,
		  struct err *e)
{
	int r = unseal(dev, row, s, ret, e);

	if (r < 0 && r != -EBADMSG && r != -EBUSY)
		e->code = ENOKEY;
	return r < 0 ? -e->code : 0;
}

int source_try(const struct device *dev, int dir, const struct soft_slot *row, const struct session *session, struct err *e)
{
	AUTO_SECRET struct secret file = { 0 }, root = { 0 };
	struct env silent = *dev->env;
	struct device quiet = *dev;
	struct slot s;
	int r = root_slot_load(dir, row, &file, &s, e);

	silent.ask = NULL;
	quiet.env = &silent;
	if (r == 0)
		r = unseal(&quiet, row, &s, &root, e);
	if (r == 0 && (root.len != ROOT_KEY || !crypto_equal(root.data, session->root, ROOT_KEY)))
		r = err_set(e, EBADMSG, "slot '%s' has another root key", row->name);
	return r;
}
