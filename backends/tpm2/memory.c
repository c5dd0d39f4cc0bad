// SPDX-License-Identifier: MIT
#include "memory.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/crypto.h>

#include "lib/crypto.h"

enum { OBJECTS = 32 };

struct memory {
	struct secret pin;			/* .data is .bytes */
	unsigned char bytes[PIN_MAX];
	bool stretched;
	unsigned char salt[32];
	TPM2B_AUTH auth;
	unsigned n_objects;			/* ever: the newest OBJECTS of them are there */
	struct { unsigned char salt[32], object[32]; } objects[OBJECTS];
};

static struct memory *memory_of(const struct device *dev)
{
	struct err ignored = { 0 };

	if (!dev->session->data && secret_alloc(dev->session, sizeof(struct memory), &ignored) < 0)
		return NULL;
	return (struct memory *)(void *)dev->session->data;
}

/* --- PIN --------------------------------------------------------------------------------------------------------- */

int pin_set(const struct device *dev, const struct secret *pin, struct err *e)
{
	struct memory *m = memory_of(dev);

	if (!m)
		return err_nomem(e);
	if (pin->len < 1 || pin->len > PIN_MAX)
		return err_set(e, EINVAL, "a PIN has 1 to %d bytes, not %zu", PIN_MAX, pin->len);
	secret_bytes_copy(m->bytes, pin->data, pin->len);
	m->pin = (struct secret){ .data = m->bytes, .len = pin->len, .size = sizeof(m->bytes) };
	m->stretched = false;
	return 0;
}

void pin_forget(const struct device *dev)
{
	struct memory *m = memory_of(dev);

	if (!m)
		return;
	OPENSSL_cleanse(m->bytes, sizeof(m->bytes));
	m->pin = (struct secret){ 0 };
	m->stretched = false;
}

static int pin_ask(const struct device *dev, struct err *e)
{
	const struct env *env = dev->env;
	AUTO_SECRET struct secret pin = { 0 };
	char prompt[128];
	int r;

	(void)snprintf(prompt, sizeof(prompt), "PIN for TPM '%s'", dev->id);
	r = env->ask ? env->ask(env, "hwkey.tpm2-pin", prompt, &pin, e) : err_set(e, ENOKEY, "nobody can be asked");
	if (r == -ENOKEY) {
		e->code = EACCES;
		return err_prefix(e, "the TPM wants its PIN");
	}
	return r < 0 ? r : pin_set(dev, &pin, e);
}

int pin_get(const struct device *dev, const struct secret **ret, struct err *e)
{
	struct memory *m = memory_of(dev);
	int r;

	if (!m)
		return err_nomem(e);
	r = m->pin.len ? 0 : pin_ask(dev, e);
	*ret = &m->pin;
	return r;
}

int pin_stretch(const struct secret *pin, const unsigned char salt[32], TPM2B_AUTH *ret, struct err *e)
{
	int r = crypto_scrypt(pin, salt, 32, 15, 8, 1, ret->buffer, e);

	ret->size = r == 0 ? CRYPTO_KEY : 0;
	while (ret->size && !ret->buffer[ret->size - 1])	/* a TPM drops them, too */
		ret->size--;
	return r;
}

int pin_auth(const struct device *dev, const struct secret *pin, const unsigned char salt[32], TPM2B_AUTH *ret,
	     struct err *e)
{
	struct memory *m = memory_of(dev);
	int r = m ? 0 : err_nomem(e);

	if (r == 0 && !(m->stretched && !memcmp(m->salt, salt, 32))) {
		r = pin_stretch(pin, salt, &m->auth, e);
		memcpy(m->salt, salt, 32);
		m->stretched = r == 0;
	}
	if (r == 0)
		*ret = m->auth;
	return r;
}

/* --- objects ------------------------------------------------------------------------------------------------------- */

void object_remember(const struct device *dev, const unsigned char salt[32], const unsigned char object[32])
{
	struct memory *m = memory_of(dev);

	if (!m)
		return;
	memcpy(m->objects[m->n_objects % OBJECTS].salt, salt, 32);
	secret_bytes_copy(m->objects[m->n_objects % OBJECTS].object, object, 32);
	m->n_objects++;
}

bool object_recall(const struct device *dev, const unsigned char salt[32], unsigned char ret[32])
{
	const struct memory *m = memory_of(dev);

	for (unsigned i = 0; m && i < OBJECTS && i < m->n_objects; i++) {
		if (memcmp(m->objects[i].salt, salt, 32) != 0)
			continue;
		secret_bytes_copy(ret, m->objects[i].object, 32);
		return true;
	}
	return false;
}
