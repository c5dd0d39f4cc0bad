// SPDX-License-Identifier: MIT
/* The face of module "keyring": who needs no keyring does not load libkeyutils. */
#include "keyring.h"

#include <errno.h>

#include "err.h"
#include "module.h"
#include "secret.h"

enum { KEY_MAX = 4096 };	/* bytes */

static int load(const struct keyring_module **ret, struct err *e)
{
	const void *module;
	int r = module_load("keyring", &module, e);

	if (r == 0)
		*ret = module;
	return r;
}

static int failed(struct err *e, long r, const char *what, const char *name)
{
	errno = (int)-r;
	return err_sys(e, "cannot %s key '%s' of the user keyring", what, name);
}

int keyring_read(const char *name, struct secret *ret, struct err *e)
{
	AUTO_SECRET struct secret s = { 0 };
	const struct keyring_module *m;
	int r = load(&m, e);
	long key, n;

	if (r < 0)
		return r;
	key = m->find(name);
	if (key < 0)
		return -ENOKEY;
	r = secret_alloc(&s, KEY_MAX, e);
	if (r < 0)
		return r;
	n = m->read(key, s.data, KEY_MAX);
	if (n < 0 || n > KEY_MAX)
		return failed(e, n < 0 ? n : -EFBIG, "read", name);
	s.len = (size_t)n;
	*ret = s;
	s = (struct secret){ 0 };
	return 0;
}

int keyring_add(const char *name, const struct secret *s, struct err *e)
{
	const struct keyring_module *m;
	int r = load(&m, e);
	long n;

	if (r < 0)
		return r;
	n = m->add(name, s->data, s->len);
	return n < 0 ? failed(e, n, "add", name) : 0;
}

int keyring_remove(const char *name, struct err *e)
{
	const struct keyring_module *m;
	int r = load(&m, e);
	long n;

	if (r < 0)
		return r;
	n = m->find(name);
	if (n >= 0)
		n = m->remove(n);
	return n < 0 ? failed(e, n, "remove", name) : 0;
}
