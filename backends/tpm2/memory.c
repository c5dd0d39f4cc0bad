// SPDX-License-Identifier: MIT
#include "memory.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/crypto.h>

#include "lib/crypto.h"

struct known {				/* of one token */
	unsigned char salt[32];
	bool has_auth, has_object;
	TPM2B_AUTH auth;
	unsigned char object[32];
};

struct memory {
	struct secret pin;		/* .data is .bytes */
	unsigned char bytes[PIN_MAX];
	unsigned n;			/* tokens ever */
	struct known tokens[MEMORY_TOKENS];
};

/* NULL: nothing is remembered. */
static struct memory *memory_of(const struct device *dev)
{
	return (struct memory *)(void *)dev->session->data;
}

static int memory_get(const struct device *dev, struct memory **ret, struct err *e)
{
	int r = dev->session->data ? 0 : secret_alloc(dev->session, sizeof(struct memory), e);

	*ret = memory_of(dev);
	return r;
}

static struct known *token_find(const struct device *dev, const unsigned char salt[32])
{
	struct memory *m = memory_of(dev);

	for (unsigned i = 0; m && i < m->n && i < MEMORY_TOKENS; i++)
		if (!memcmp(m->tokens[i].salt, salt, 32))
			return &m->tokens[i];
	return NULL;
}

/* In the place of the oldest one. */
static int token_get(const struct device *dev, const unsigned char salt[32], struct known **ret, struct err *e)
{
	struct memory *m;
	int r = memory_get(dev, &m, e);

	*ret = r == 0 ? token_find(dev, salt) : NULL;
	if (r < 0 || *ret)
		return r;
	*ret = &m->tokens[m->n++ % MEMORY_TOKENS];
	**ret = (struct known){ 0 };
	memcpy((*ret)->salt, salt, 32);
	return 0;
}

/* --- PIN ------------------------------------------------------------------------------------------------------- */

int pin_stretch(const struct secret *pin, const unsigned char salt[32], TPM2B_AUTH *ret, struct err *e)
{
	int r;

	if (pin->len < 1 || pin->len > PIN_MAX)
		return err_set(e, EINVAL, "a PIN has 1 to %d bytes, not %zu", PIN_MAX, pin->len);
	r = crypto_scrypt(pin, salt, 32, 15, 8, 1, ret->buffer, e);
	ret->size = r == 0 ? CRYPTO_KEY : 0;
	while (ret->size && !ret->buffer[ret->size - 1])	/* a TPM drops them, too */
		ret->size--;
	return r;
}

static int pin_ask(const struct device *dev, struct memory *m, struct err *e)
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
	if (r == 0 && (pin.len < 1 || pin.len > PIN_MAX))
		r = err_set(e, EACCES, "a PIN has 1 to %d bytes, not %zu", PIN_MAX, pin.len);
	if (r < 0)
		return r;
	secret_bytes_copy(m->bytes, pin.data, pin.len);
	m->pin = (struct secret){ .data = m->bytes, .len = pin.len, .size = sizeof(m->bytes) };
	return 0;
}

int pin_get(const struct device *dev, const struct secret **ret, struct err *e)
{
	struct memory *m;
	int r = memory_get(dev, &m, e);

	if (r == 0 && !m->pin.len)
		r = pin_ask(dev, m, e);
	if (r == 0)
		*ret = &m->pin;
	return r;
}

int pin_auth(const struct device *dev, const struct secret *pin, const unsigned char salt[32], TPM2B_AUTH *ret,
	     struct err *e)
{
	struct known *t = token_find(dev, salt);
	int r = 0;

	if (!t || !t->has_auth) {
		r = pin ? 0 : pin_get(dev, &pin, e);
		if (r == 0)
			r = token_get(dev, salt, &t, e);
		if (r == 0)
			r = pin_stretch(pin, salt, &t->auth, e);
		if (r == 0)
			t->has_auth = true;
	}
	if (r == 0)
		*ret = t->auth;
	return r;
}

void pin_forget(const struct device *dev, const unsigned char *salt)
{
	struct memory *m = memory_of(dev);
	struct known *t = salt ? token_find(dev, salt) : NULL;

	if (t)
		OPENSSL_cleanse(t, sizeof(*t));
	if (m)
		OPENSSL_cleanse(m->bytes, sizeof(m->bytes));
	if (m)
		m->pin = (struct secret){ 0 };
}

/* --- objects --------------------------------------------------------------------------------------------------- */

int object_remember(const struct device *dev, const unsigned char salt[32], const unsigned char object[32], struct err *e)
{
	struct known *t;
	int r = token_get(dev, salt, &t, e);

	if (r < 0)
		return r;
	secret_bytes_copy(t->object, object, 32);
	t->has_object = true;
	return 0;
}

bool object_recall(const struct device *dev, const unsigned char salt[32], unsigned char ret[32])
{
	const struct known *t = token_find(dev, salt);

	if (!t || !t->has_object)
		return false;
	secret_bytes_copy(ret, t->object, 32);
	return true;
}
