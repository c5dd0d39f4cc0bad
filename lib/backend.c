// SPDX-License-Identifier: MIT
#include "backend.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "blob.h"
#include "err.h"
#include "module.h"
#include "secret.h"

const struct backend *backend_find(const char *name)
{
	for (size_t i = 0; backends[i]; i++)
		if (!strcmp(backends[i]->name, name))
			return backends[i];
	return NULL;
}

int device_add(struct device **list, const struct backend *b, const struct env *env, const char *id, const char *model,
	       enum device_state state, const char *why, struct err *e)
{
	struct device *d = calloc(1, sizeof(*d));
	struct secret *session = calloc(1, sizeof(*session));

	if (!d || !session) {
		free(d);
		free(session);
		return err_nomem(e);
	}
	d->session = session;
	d->backend = b;
	d->env = env;
	d->state = state;
	d->roles = b->roles;
	(void)snprintf(d->id, sizeof(d->id), "%s", id);
	(void)snprintf(d->model, sizeof(d->model), "%s", model);
	(void)snprintf(d->why, sizeof(d->why), "%s", why);
	while (*list)
		list = &(*list)->next;
	*list = d;
	return 0;
}

int device_detail(struct device *list, struct err *e, const char *fmt, ...)
{
	char line[256], *all = NULL;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	while (list->next)
		list = list->next;
	if (asprintf(&all, "%s%s%s", list->details ? list->details : "", list->details ? "\n" : "", line) < 0)
		return err_nomem(e);
	free(list->details);
	list->details = all;
	return 0;
}

/* What stops one backend must not stop the others: it becomes a device that says why it is not usable. */
static int probe(const struct backend *b, const struct env *env, struct device **list, struct err *e)
{
	struct err why = { 0 };
	int r = b->probe(env, list, &why);

	if (r == 0 || r == -ENODEV)
		return 0;
	return device_add(list, b, env, b->name, "", DEVICE_OFFLINE, why.msg, e);
}

int device_enumerate(const struct env *env, bool all, struct device **ret, struct err *e)
{
	struct device *list = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && backends[i]; i++)
		if (all || backends[i]->roles)
			r = probe(backends[i], env, &list, e);
	if (r < 0)
		device_free_list(list);
	else
		*ret = list;
	return r;
}

int device_enumerate_backend(const struct env *env, const char *name, struct device **ret, struct err *e)
{
	const struct backend *b = backend_find(name);
	struct device *list = NULL;
	int r = b ? probe(b, env, &list, e) : 0;

	if (r == 0 && !list)
		r = err_set(e, ENODEV, "trust source '%s' is not on this machine", name);
	if (r == 0)
		*ret = list;
	return r;
}

void device_free_list(struct device *d)
{
	while (d) {
		struct device *next = d->next;

		secret_done(d->session);
		free(d->session);
		free(d->details);
		free(d);
		d = next;
	}
}

static bool is_called(const struct device *d, const char *id)
{
	size_t n = strlen(d->backend->name);

	return !strcmp(d->id, id) || (!strncmp(id, d->backend->name, n) && id[n] == ':' && !strcmp(d->id, id + n + 1));
}

static int select_by_id(struct device *list, enum role role, const char *id, struct device **ret, struct err *e)
{
	for (struct device *d = list; d; d = d->next) {
		if (!is_called(d, id))
			continue;
		if (!(d->roles & role))
			return err_set(e, EOPNOTSUPP, "device '%s' (%s) cannot do this", id, d->backend->name);
		if (d->state != DEVICE_ONLINE)
			return err_set(e, ENODEV, "device '%s' is not usable: %s", id, d->why);
		*ret = d;
		return 0;
	}
	return err_set(e, ENODEV, "no device '%s' here that can do this; see 'hwkey list-devices'", id);
}

int device_select(struct device *list, enum role role, const char *id, struct device **ret, struct err *e)
{
	if (id)
		return select_by_id(list, role, id, ret, e);
	for (struct device *d = list; d; d = d->next) {
		if ((d->roles & role) && d->state == DEVICE_ONLINE) {
			*ret = d;
			return 0;
		}
	}
	return err_set(e, ENODEV, "no device online that can do this; see 'hwkey doctor'");
}

static struct device *device_online(struct device *list, const char *name)
{
	while (list && (strcmp(list->backend->name, name) != 0 || list->state != DEVICE_ONLINE))
		list = list->next;
	return list;
}

/* DEV is the first of one or more; a device is only asked if there are more. */
static struct device *device_that_owns(struct device *dev, const struct blob *token)
{
	const struct backend_ops *ops;
	struct err ignored;

	if (!token || !device_online(dev->next, dev->backend->name) || backend_ops(dev, &ops, &ignored) < 0 || !ops->seal ||
	    !ops->seal->owns)
		return dev;
	for (struct device *d = dev; d; d = device_online(d->next, d->backend->name))
		if (ops->seal->owns(d, token))
			return d;
	return dev;
}

int device_of_backend(struct device *list, const char *name, const struct blob *token, struct device **ret, struct err *e)
{
	const struct backend *b = backend_find(name);
	struct device *dev = device_online(list, name);
	const struct device *seen = NULL;

	if (b && !b->roles)
		return err_set(e, EOPNOTSUPP, "trust source '%s' can only be listed so far", name);
	if (dev) {
		*ret = device_that_owns(dev, token);
		return 0;
	}
	for (const struct device *d = list; d; d = d->next)
		if (!strcmp(d->backend->name, name))
			seen = d;
	if (seen)
		return err_set(e, ENODEV, "device '%s' is not usable: %s", seen->id, seen->why);
	return err_set(e, ENODEV, "trust source '%s' is not on this machine", name);
}

int backend_source(const struct env *env, const char *name, const struct blob *token, struct device **ret_list,
		   struct device **ret, const struct backend_ops **ret_ops, struct err *e)
{
	struct device *list = NULL;
	int r = device_enumerate_backend(env, name, &list, e);

	if (r == 0)
		r = device_of_backend(list, name, token, ret, e);
	if (r == 0)
		r = backend_ops(*ret, ret_ops, e);
	if (r < 0)
		device_free_list(list);
	else
		*ret_list = list;
	return r;
}

int backend_ops(const struct device *dev, const struct backend_ops **ret, struct err *e)
{
	const void *table = dev->backend->ops;
	int r = table ? 0 : module_load(dev->backend->name, &table, e);

	if (r == 0)
		*ret = table;
	return r;
}
