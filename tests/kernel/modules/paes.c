// SPDX-License-Identifier: GPL-2.0
/*
 * Simulated paes, for tests: AES keyed by secure keys. Their effective key is asked of the simulated cards behind
 * /dev/simz, so what comes out is exactly what aes makes of that key. As on IBM Z, clear keys are refused, and a busy card
 * is asked again.
 */
#include <crypto/internal/skcipher.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "simz.h"

enum { KEY_MAX = 672, EFFECTIVE_MAX = 64 };		/* an XTS pair of EP11 tokens; a pair of AES-256 keys */

struct kind {
	struct skcipher_alg alg;
	const char *aes;		/* what works underneath */
	bool xts;
};

struct paes { struct crypto_skcipher *aes; };

static const struct kind *kind_of(struct crypto_skcipher *tfm)
{
	return container_of(crypto_skcipher_alg(tfm), struct kind, alg);
}

static bool is_clear(unsigned int len, bool xts)
{
	return len == 32 || len == (xts ? 64 : 16) || (!xts && len == 24);
}

/* Five tries, 0.2 to 1.6 seconds apart, as the real one. */
static int effective_key(const u8 *tokens, unsigned int len, bool xts, u8 key[EFFECTIVE_MAX])
{
	static const unsigned int delays[] = { 200, 400, 800, 1600 };
	u8 *ask = kmalloc(1 + len, GFP_KERNEL);
	int r;

	if (!ask)
		return -ENOMEM;
	ask[0] = xts;
	memcpy(ask + 1, tokens, len);
	r = simz_ask(SIMZ_KEY, ask, 1 + len, key, EFFECTIVE_MAX);
	for (unsigned int i = 0; r == -EBUSY && i < ARRAY_SIZE(delays); i++) {
		msleep(delays[i]);
		r = simz_ask(SIMZ_KEY, ask, 1 + len, key, EFFECTIVE_MAX);
	}
	kfree(ask);
	return r;
}

static int paes_setkey(struct crypto_skcipher *tfm, const u8 *tokens, unsigned int len)
{
	struct paes *p = crypto_skcipher_ctx(tfm);
	bool xts = kind_of(tfm)->xts;
	u8 key[EFFECTIVE_MAX];
	int r;

	if (is_clear(len, xts))
		return -EINVAL;
	r = effective_key(tokens, len, xts, key);
	if (r >= 0)
		r = crypto_skcipher_setkey(p->aes, key, r);
	memzero_explicit(key, sizeof(key));
	return r;
}

static struct skcipher_request *to_aes(struct skcipher_request *req)
{
	struct paes *p = crypto_skcipher_ctx(crypto_skcipher_reqtfm(req));
	struct skcipher_request *aes = skcipher_request_ctx(req);

	skcipher_request_set_tfm(aes, p->aes);
	skcipher_request_set_callback(aes, req->base.flags, req->base.complete, req->base.data);
	skcipher_request_set_crypt(aes, req->src, req->dst, req->cryptlen, req->iv);
	return aes;
}

static int paes_encrypt(struct skcipher_request *req) { return crypto_skcipher_encrypt(to_aes(req)); }
static int paes_decrypt(struct skcipher_request *req) { return crypto_skcipher_decrypt(to_aes(req)); }

static int paes_init_tfm(struct crypto_skcipher *tfm)
{
	struct paes *p = crypto_skcipher_ctx(tfm);

	p->aes = crypto_alloc_skcipher(kind_of(tfm)->aes, 0, CRYPTO_ALG_ASYNC);
	if (IS_ERR(p->aes))
		return PTR_ERR(p->aes);
	crypto_skcipher_set_reqsize(tfm, sizeof(struct skcipher_request) + crypto_skcipher_reqsize(p->aes));
	return 0;
}

static void paes_exit_tfm(struct crypto_skcipher *tfm)
{
	struct paes *p = crypto_skcipher_ctx(tfm);

	crypto_free_skcipher(p->aes);
}

/* Priorities as the real ones. */
#define PAES(mode, block, iv, prio, is_xts) { \
	.aes = #mode "(aes)", .xts = is_xts, .alg = { \
		.base = { .cra_name = #mode "(paes)", .cra_driver_name = #mode "-paes-simz", .cra_priority = prio, \
			  .cra_blocksize = block, .cra_ctxsize = sizeof(struct paes), .cra_module = THIS_MODULE }, \
		.min_keysize = 16, .max_keysize = KEY_MAX, .ivsize = iv, .setkey = paes_setkey, .encrypt = paes_encrypt, \
		.decrypt = paes_decrypt, .init = paes_init_tfm, .exit = paes_exit_tfm } }

static struct kind kinds[] = {
	PAES(ecb, 16, 0, 401, false), PAES(cbc, 16, 16, 402, false),
	PAES(ctr, 1, 16, 402, false), PAES(xts, 16, 16, 402, true),
};

static void kinds_done(unsigned int n)
{
	while (n--)
		crypto_unregister_skcipher(&kinds[n].alg);
}

static int __init paes_init(void)
{
	for (unsigned int n = 0; n < ARRAY_SIZE(kinds); n++) {
		int r = crypto_register_skcipher(&kinds[n].alg);

		if (r) {
			kinds_done(n);
			return r;
		}
	}
	return 0;
}

static void __exit paes_exit(void) { kinds_done(ARRAY_SIZE(kinds)); }

module_init(paes_init);
module_exit(paes_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Simulated paes, for tests");
