// SPDX-License-Identifier: MIT
/*
 * Protected keys: what a card gives for a secure key, and what the CPU encrypts with. The model's: the clear key in
 * AES-256-XTS (which keeps its length) under the boot's wrapping key, then SHA-256 of that as its pattern.
 */
#include "card.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

static int wrapping_run(const struct sim *s, bool encrypt, const unsigned char *in, size_t len, unsigned char *out)
{
	static const unsigned char tweak[16];
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n, ok;

	ok = c && EVP_CipherInit_ex(c, EVP_aes_256_xts(), NULL, s->wrapping_key, tweak, encrypt) == 1 &&
	     EVP_CipherUpdate(c, out, &n, in, (int)len) == 1;
	EVP_CIPHER_CTX_free(c);
	return ok ? 0 : -EIO;
}

int sim_protect_clear(const struct sim *s, const unsigned char *clear, size_t len, unsigned char ret[SIM_PROTECTED_MAX])
{
	if (len != 16 && len != 24 && len != 32)
		return -EINVAL;
	SHA256(s->wrapping_key, sizeof(s->wrapping_key), ret + len);
	return wrapping_run(s, true, clear, len, ret);
}

int sim_protected_open(const struct sim *s, const unsigned char *protected, size_t len, unsigned char ret_clear[32])
{
	unsigned char pattern[32];

	if (len != 48 && len != 56 && len != 64)
		return -EINVAL;
	SHA256(s->wrapping_key, sizeof(s->wrapping_key), pattern);
	if (memcmp(protected + len - 32, pattern, sizeof(pattern)) != 0)
		return -EKEYEXPIRED;
	return wrapping_run(s, false, protected, len - 32, ret_clear);
}

/* A CCA card takes a key under its OLD master key too. */
static int protect_at(struct sim *s, struct sim_apqn id, const struct sim_token *t, const unsigned char *token,
		      unsigned char *ret, size_t *ret_len)
{
	const struct sim_card *c = sim_card_find(s, id.card);
	unsigned char clear[32];
	struct sim_queue *q;
	size_t n;
	int r;

	if (!c || c->mode != t->mode || c->level < t->level)
		return -ENODEV;
	r = sim_queue_request(s, id, &q);
	if (r < 0)
		return r;
	r = -EIO;
	for (enum sim_register from = SIM_CUR; r == -EIO && from <= SIM_OLD; from++)
		if (q->mk[from].fill == SIM_FULL)
			r = sim_token_open(token, t, q->mk[from].key, clear, &n);
	if (r == 0)
		r = sim_protect_clear(s, clear, n, ret);
	if (r == 0)
		*ret_len = n + 32;
	OPENSSL_cleanse(clear, sizeof(clear));
	return r;
}

int sim_protect(struct sim *s, struct sim_list l, const unsigned char *token, size_t len,
		unsigned char ret[SIM_PROTECTED_MAX], size_t *ret_len)
{
	struct sim_apqn all[SIM_QUEUES];
	struct sim_token t;
	int r = sim_token_parse(token, len, &t);

	if (r < 0 || !t.exportable)
		return -EINVAL;
	if (l.n == 0 || (l.n == 1 && l.apqns[0].card == SIM_ANY && l.apqns[0].domain == SIM_ANY)) {
		r = sim_apqns_for_key(s, token, len, 0, all, &l.n);
		if (r < 0)
			return r;
		l.apqns = all;
	}
	r = -ENODEV;
	for (size_t i = 0; r < 0 && i < l.n; i++)
		r = protect_at(s, l.apqns[i], &t, token, ret, ret_len);
	return r;
}

/* One token's key. If no queue has its master key that is the caller's fault, unless no queue is there at all. */
static int effective_half(struct sim *s, const unsigned char *token, const struct sim_token *t, unsigned char *ret,
			  size_t *n)
{
	unsigned char protected[SIM_PROTECTED_MAX];
	struct sim_apqn any[SIM_QUEUES];
	size_t len, queues;
	int r = sim_protect(s, (struct sim_list){ 0 }, token, t->len, protected, &len);

	if (r == -ENODEV && sim_apqns_for_type(s, t->type, NULL, NULL, 0, any, &queues) == 0)
		return -EINVAL;
	if (r < 0)
		return r;
	*n = len - 32;
	return sim_protected_open(s, protected, len, ret);
}

int sim_effective_key(struct sim *s, bool xts, const unsigned char *tokens, size_t len, unsigned char ret[64],
		      size_t *ret_len)
{
	struct sim_token t[2];
	unsigned char key[64];
	size_t n[2] = { 0, 0 };
	int r = sim_token_parse(tokens, len, &t[0]);

	if (r < 0 || len != t[0].len * (xts ? 2 : 1) || (xts && sim_token_parse(tokens + t[0].len, t[0].len, &t[1]) < 0))
		return -EINVAL;
	r = effective_half(s, tokens, &t[0], key, &n[0]);
	if (r == 0 && xts) {
		r = effective_half(s, tokens + t[0].len, &t[1], key + n[0], &n[1]);
		if (r == 0 && n[0] != n[1])
			r = -EINVAL;
	}
	if (r == 0)
		memcpy(ret, key, *ret_len = n[0] + n[1]);
	OPENSSL_cleanse(key, sizeof(key));
	return r;
}
