// SPDX-License-Identifier: MIT
/* A consumer's password of this boot. */
#include "access.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/keyring.h"
#include "lib/pks-policy.h"

enum { KEY_NAME = 64 };

/* Of the key in the user keyring. */
static void key_name(const struct store *s, enum consumer c, char ret[KEY_NAME])
{
	char hex[2 * UUID_SIZE + 1];

	hex_encode(s->now.partition, UUID_SIZE, hex);
	(void)snprintf(ret, KEY_NAME, "hwkey:pks:%s:%s", hex, pks_consumer_name(c));
}

static int is_right(const struct boot_consumer *c, const struct secret *password, bool *ret, struct err *e)
{
	unsigned char v[CRYPTO_HASH];
	int r = password->len && password->len <= PASSWORD_MAX ? boot_verifier(c, password, v, e) : -EPERM;

	*ret = r == 0 && crypto_equal(v, c->verifier, sizeof(v));
	explicit_bzero(v, sizeof(v));
	return r == -EPERM ? 0 : r;
}

/* Not given by name: from the keyring, or from a person. */
static int find_password(const struct store *s, enum consumer c, struct secret *ret, struct err *e)
{
	const struct env *env = s->dev->env;
	char name[KEY_NAME], prompt[80];
	int r;

	key_name(s, c, name);
	r = keyring_read(name, ret, e);
	if (r == 0)
		return 0;
	(void)snprintf(prompt, sizeof(prompt), "Password of consumer '%s':", pks_consumer_name(c));
	r = env->ask ? env->ask(env, "hwkey.pks-password", prompt, ret, e) : err_set(e, ENOKEY, "nobody can be asked");
	if (r == -ENOKEY)
		return err_set(e, EACCES, "consumer '%s' needs its password: %s", pks_consumer_name(c), strdupa(e->msg));
	return r;
}

int access_password(const struct store *s, enum consumer consumer, struct err *e)
{
	AUTO_SECRET struct secret found = { 0 };
	const struct boot_consumer *c = &s->boot.consumers[consumer];
	const struct secret *password = s->dev->env->pks_password;
	bool right = false, *passed = &session_of(s->dev)->passed[consumer];
	int r = 0;

	if (c->password == PASSWORD_NULL)
		return password ? err_set(e, EPERM, "consumer '%s' has no password in this boot: leave it out",
					  pks_consumer_name(consumer)) : 0;
	if (*passed)
		return 0;
	if (!password) {
		r = find_password(s, consumer, &found, e);
		password = &found;
	}
	if (r == 0)
		r = is_right(c, password, &right, e);
	if (r < 0)
		return r;
	*passed = right;
	return right ? 0 : err_set(e, EPERM, "wrong password of consumer '%s'", pks_consumer_name(consumer));
}

/* Random digits, so that it can be a line of a file, too. */
static int generate(struct secret *ret, struct err *e)
{
	AUTO_SECRET struct secret raw = { 0 }, text = { 0 };
	int r = secret_random(&raw, PASSWORD_MAX / 2, e);

	if (r == 0)
		r = secret_alloc(&text, PASSWORD_MAX + 1, e);
	if (r < 0)
		return r;
	hex_encode(raw.data, raw.len, (char *)text.data);
	text.len = PASSWORD_MAX;
	*ret = text;
	text = (struct secret){ 0 };
	return 0;
}

static int put(struct store *s, enum consumer consumer, enum password kind, const struct secret *password, struct err *e)
{
	struct boot_consumer *c = &s->boot.consumers[consumer];
	int r = random_bytes(c->salt, sizeof(c->salt), e);

	c->password = kind;
	if (r == 0)
		r = boot_verifier(c, password, c->verifier, e);
	return r < 0 ? r : boot_save(&s->boot, s->dev->env, session_of(s->dev), e);
}

/* Into the keyring first: what is set and known to nobody would stay so until the next boot. */
static int put_generated(struct store *s, enum consumer consumer, struct secret *ret, struct err *e)
{
	AUTO_SECRET struct secret password = { 0 };
	struct err dropped;
	char name[KEY_NAME];
	int r = generate(&password, e);

	key_name(s, consumer, name);
	if (r == 0)
		r = keyring_add(name, &password, e);
	if (r < 0)
		return r;
	r = put(s, consumer, PASSWORD_GENERATED, &password, e);
	if (r < 0) {
		(void)keyring_remove(name, &dropped);
		return r;
	}
	*ret = password;
	password = (struct secret){ 0 };
	return 0;
}

int password_set(struct store *s, enum consumer consumer, const struct secret *chosen, struct secret *ret_generated,
		 struct err *e)
{
	if (s->boot.consumers[consumer].password != PASSWORD_NULL)
		return err_set(e, EEXIST, "password of consumer '%s' is set already in this boot",
			       pks_consumer_name(consumer));
	if (!chosen)
		return put_generated(s, consumer, ret_generated, e);
	if (!chosen->len || chosen->len > PASSWORD_MAX)
		return err_set(e, EINVAL, "a password has 1 to %d bytes, not %zu", PASSWORD_MAX, chosen->len);
	return put(s, consumer, PASSWORD_CHOSEN, chosen, e);
}
