// SPDX-License-Identifier: MIT
/* The roles key and seal. */
#include "keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/err.h"

static int key_shape(const struct key_params *p, size_t clear_len, struct token *ret, struct err *e)
{
	*ret = (struct token){ .kind = TOKEN_KEY, .xts = p->xts };
	return key_params_bits(p, "local", clear_len, &ret->bits, e);
}

static int wrap_policy(const struct wrap_params *p, uint32_t *ret, struct err *e)
{
	struct token t = { .policy = p ? p->policy : 0 };
	int r = p && p->like ? token_parse(p->like->data, p->like->len, &t, e) : 0;

	if (r == 0 && !token_policy_is_valid(t.policy))
		r = err_set(e, EINVAL, "what is wrapped has policy ossecbootaudit or ossecbootenforce, pwset, no other");
	*ret = t.policy;
	return r;
}

static int protect(const struct device *dev, const struct wrap_params *p, const struct token *shape,
		   const struct secret *clear, const struct blob *binding, struct blob *ret, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct token t = *shape;
	struct wrapping w;
	int r = wrap_policy(p, &t.policy, e);

	if (r == 0)
		r = wrapping_open(&s, dev, p, &w, e);
	if (r == 0)
		r = root_check_private(dev, e);
	if (r == 0)
		r = store_check_moved(&s, e);
	if (r == 0)
		r = token_wrap(&s, &w, &t, clear, binding, ret, e);
	if (r == 0)
		store_note(&s);
	return r;
}

static int key_wrap(const struct device *dev, const struct key_params *p, const struct secret *clear, struct blob *ret,
		    struct err *e)
{
	struct token t;
	int r = key_shape(p, clear->len, &t, e);

	if (r == 0 && !clear->len)
		r = err_set(e, EINVAL, "an empty key");
	return r < 0 ? r : protect(dev, &p->wrap, &t, clear, NULL, ret, e);
}

static int key_generate(const struct device *dev, const struct key_params *p, struct blob *ret, struct err *e)
{
	AUTO_SECRET struct secret clear = { 0 };
	struct token t;
	int r = key_shape(p, 0, &t, e);

	if (r == 0)
		r = secret_random(&clear, (size_t)t.bits / 8 * (t.xts ? 2 : 1), e);
	return r < 0 ? r : protect(dev, &p->wrap, &t, &clear, NULL, ret, e);
}

static int open_token(const struct device *dev, const struct blob *token, enum token_kind kind, const struct blob *binding,
		      struct secret *ret, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	int r = store_open(&s, dev, STORE_KEYS, e);

	return r < 0 ? r : token_unwrap(&s, token, kind, binding, ret, NULL, e);
}

static int key_unwrap(const struct device *dev, const struct blob *token, struct secret *ret, struct err *e)
{
	return open_token(dev, token, TOKEN_KEY, NULL, ret, e);
}

/* A person chose the label of one that genkey made; for the others it is enough which of them it is. */
static void describe(const struct wrapping *w, struct key_state *ret)
{
	char hex[2 * 4 + 1];
	bool chosen = w->state == WRAPPING_ACTIVE;

	hex_encode(w->id, 4, hex);
	*ret = (struct key_state){ .current = w->state != WRAPPING_OLD, .chosen = chosen };
	if (chosen)
		(void)snprintf(ret->under, sizeof(ret->under), "wrapping key %s ('%.*s')", hex, (int)w->name.len,
			       w->name.label);
	else
		(void)snprintf(ret->under, sizeof(ret->under), "wrapping key %s (%s)", hex,
			       ret->current ? "current" : "old");
}

static int key_verify(const struct device *dev, const struct blob *token, struct key_state *ret, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	AUTO_SECRET struct secret clear = { 0 };
	struct wrapping w;
	int r = store_open(&s, dev, STORE_KEYS, e);

	if (r == 0)
		r = token_unwrap(&s, token, TOKEN_KEY, NULL, &clear, &w, e);
	if (r == 0)
		describe(&w, ret);
	return r;
}

static int key_pattern(const struct device *dev, const struct blob *token, char ret[65], struct err *e)
{
	AUTO_SECRET struct secret clear = { 0 };
	struct token t;
	int r = token_parse(token->data, token->len, &t, e);

	if (r == 0)
		r = key_unwrap(dev, token, &clear, e);
	return r < 0 ? r : crypto_pattern(&clear, t.xts, ret, e);
}

/* --- rewrap ------------------------------------------------------------------------------------------------------ */

/* Nothing is changed before every token is known to open. */
static int tokens_check(const struct store *s, const struct blob *tokens, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		AUTO_SECRET struct secret clear = { 0 };
		int r = token_unwrap(s, &tokens[i], TOKEN_KEY, NULL, &clear, NULL, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int token_rewrap(const struct store *s, const struct wrapping *w, const struct blob *old, struct blob *ret,
			struct err *e)
{
	AUTO_SECRET struct secret clear = { 0 };
	struct token t;
	int r = token_parse(old->data, old->len, &t, e);

	if (r == 0)
		r = token_unwrap(s, old, TOKEN_KEY, NULL, &clear, NULL, e);
	return r < 0 ? r : token_wrap(s, w, &t, &clear, NULL, ret, e);
}

static int tokens_rewrap(const struct store *s, const struct wrapping *w, const struct blob *tokens, size_t n,
			 struct blob *ret, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int r = token_rewrap(s, w, &tokens[i], &ret[i], e);

		while (r < 0 && i)
			blob_done(&ret[--i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Where they move to. */
static int target(struct store *s, unsigned flags, const char *label, struct wrapping *ret, struct err *e)
{
	const struct wrap_params to = { .wrapping_key = label };
	int r = flags & REWRAP_TO_NEW ? wrapping_renew(s, e) : 0;

	if (r == 0 && s->lock >= 0)
		return wrapping_ensure(s, &to, ret, e);
	if (r == 0)
		r = wrapping_choose(s, &to, ret, e);
	return r == -ENOENT ? err_set(e, ENOKEY, "keystore has no wrapping key") : r;
}

static int key_rewrap(const struct device *dev, unsigned flags, const struct wrap_params *params,
		      const struct blob *tokens, size_t n, struct blob *ret, struct err *e)
{
	const char *label = params->wrapping_key;
	AUTO_STORE struct store s = STORE_CLOSED;
	struct wrapping w;
	int r = store_open(&s, dev, STORE_KEYS | (flags & REWRAP_TO_NEW || label ? STORE_WRITE : 0), e);

	if (r == 0)
		r = tokens_check(&s, tokens, n, e);
	if (r == 0)
		r = target(&s, flags, label, &w, e);
	if (r == 0)
		r = tokens_rewrap(&s, &w, tokens, n, ret, e);
	if (r == 0)
		store_note(&s);
	return r;
}

const struct key_ops soft_key_ops = {
	.generate = key_generate,
	.wrap = key_wrap,
	.rewrap = key_rewrap,
	.verify = key_verify,
	.unwrap = key_unwrap,
	.pattern = key_pattern,
};

/* --- seal -------------------------------------------------------------------------------------------------------- */

static int seal(const struct device *dev, const struct wrap_params *p, const struct secret *clear,
		const struct blob *binding, struct blob *ret, struct err *e)
{
	return protect(dev, p, &(struct token){ .kind = TOKEN_SEALED }, clear, binding, ret, e);
}

static int unseal(const struct device *dev, const struct blob *sealed, const struct blob *binding, struct secret *ret,
		  struct err *e)
{
	return open_token(dev, sealed, TOKEN_SEALED, binding, ret, e);
}

const struct seal_ops soft_seal_ops = {
	.seal = seal,
	.unseal = unseal,
};
