// SPDX-License-Identifier: MIT
/* Structures and errors: Linux, arch/s390/include/uapi/asm/pkey.h and drivers/s390/crypto/pkey_{api,cca,ep11}.c */
#include "pkey.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "card.h"

#include "lib/blob.h"

struct seckey { uint8_t token[64]; };
struct protkey { uint32_t type, len; uint8_t key[64]; };

struct genseck { uint16_t card, domain; uint32_t keytype; struct seckey key; };
struct clr2seck { uint16_t card, domain; uint32_t keytype; uint8_t clear[32]; struct seckey key; };
struct sec2protk { uint16_t card, domain; struct seckey key; struct protkey protkey; };
struct clr2protk { uint32_t keytype; uint8_t clear[32]; struct protkey protkey; };
struct findcard { struct seckey key; uint16_t card, domain; };
struct skey2pkey { struct seckey key; struct protkey protkey; };
struct verifykey { struct seckey key; uint16_t card, domain, keysize; uint32_t attributes; };
struct genprotk { uint32_t keytype; struct protkey protkey; };
struct kblob2protk { uint64_t key; uint32_t keylen; struct protkey protkey; uint32_t pad; };
struct genseck2 { uint64_t apqns; uint32_t entries, type, size, flags; uint64_t key; uint32_t keylen, pad; };
struct clr2seck2 {
	uint64_t apqns;
	uint32_t entries, type, size, flags;
	uint8_t clear[32];
	uint64_t key;
	uint32_t keylen, pad;
};
struct verifykey2 { uint64_t key; uint32_t keylen; uint16_t card, domain; uint32_t type, size, flags, pad; };
struct kblob2protk2 {
	uint64_t key;
	uint32_t keylen, pad;
	uint64_t apqns;
	uint32_t entries;
	struct protkey protkey;
	uint32_t pad2;
};
struct apqns4k { uint64_t key; uint32_t keylen, flags; uint64_t apqns; uint32_t entries, pad; };
struct apqns4kt { uint32_t type; uint8_t cur[32], alt[32]; uint32_t flags; uint64_t apqns; uint32_t entries, pad; };
struct kblob2protk3 {
	uint64_t key;
	uint32_t keylen, pad;
	uint64_t apqns;
	uint32_t entries, type, len, pad2;
	uint64_t pkey;
};

union arg {
	struct genseck genseck; struct clr2seck clr2seck; struct sec2protk sec2protk; struct clr2protk clr2protk;
	struct findcard findcard; struct skey2pkey skey2pkey; struct verifykey verifykey; struct genprotk genprotk;
	struct protkey verifyprotk; struct kblob2protk kblob2protk; struct genseck2 genseck2; struct clr2seck2 clr2seck2;
	struct verifykey2 verifykey2; struct kblob2protk2 kblob2protk2; struct apqns4k apqns4k; struct apqns4kt apqns4kt;
	struct kblob2protk3 kblob2protk3;
	unsigned char bytes[144];
};

struct call {
	struct sim *sim;
	union arg arg;
	const unsigned char *key;	/* what the nested pointers held; NULL without one */
	size_t key_len;
	struct sim_list apqns;
	struct sim_apqn list[SIM_PKEY_APQNS_MAX];
	unsigned char *out;		/* for what the nested pointer gets: OUT_LEN bytes */
	size_t out_len;
	bool answer;			/* the structure is written back even though the call fails */
};

enum { PROTKEY_AES_128 = 1 };		/* key types 1, 2, 3: AES of 128, 192, 256 bits */
enum { TYPE_PROTKEY = 8, VERIFY_AES = 1, VERIFY_OLD = 0x100 };

static uint32_t keytype_bits(uint32_t keytype) { return keytype >= 1 && keytype <= 3 ? 64 + keytype * 64 : 0; }

/* ---- protected keys ---- */

static void protkey_set(struct protkey *p, const unsigned char *key, size_t len)
{
	*p = (struct protkey){ .type = PROTKEY_AES_128 + (uint32_t)(len - 48) / 8, .len = (uint32_t)len };
	memcpy(p->key, key, len);
}

static int protect_secure(struct sim *s, struct sim_list l, const unsigned char *token, size_t len, struct protkey *ret)
{
	unsigned char key[SIM_PROTECTED_MAX];
	size_t n;
	int r = sim_protect(s, l, token, len, key, &n);

	if (r == 0)
		protkey_set(ret, key, n);
	return r;
}

static int protect_clear(struct sim *s, uint32_t keytype, const unsigned char *clear, struct protkey *ret)
{
	unsigned char key[SIM_PROTECTED_MAX];
	size_t len = keytype_bits(keytype) / 8;
	int r = sim_protect_clear(s, clear, len, key);

	if (r == 0)
		protkey_set(ret, key, len + 32);
	return r;
}

/* Any token: 0 type, 4 version. Clear (2) and protected (1): 8 key type u32, 12 length u32, 16 key. */
static int protect_blob(struct call *c, struct protkey *ret)
{
	const unsigned char *t = c->key;
	unsigned char clear[32];
	uint64_t len;
	int r;

	if (t[0] != 0 || (t[4] != 1 && t[4] != 2))
		return protect_secure(c->sim, c->apqns, t, c->key_len, ret);
	if (c->key_len < 16)
		return -EINVAL;
	len = be_get(t + 12, 4);
	if (len > c->key_len - 16)
		return -EINVAL;
	if (t[4] == 2) {
		if (len == 0 || len != keytype_bits((uint32_t)be_get(t + 8, 4)) / 8)
			return -EINVAL;
		return protect_clear(c->sim, (uint32_t)be_get(t + 8, 4), t + 16, ret);
	}
	r = sim_protected_open(c->sim, t + 16, len, clear);
	OPENSSL_cleanse(clear, sizeof(clear));
	if (r == 0)
		protkey_set(ret, t + 16, len);
	return r == -EKEYEXPIRED ? -EIO : r;
}

/* ---- the first generation: AESDATA only, everything in the structure ---- */

static struct sim_list one(const struct sim_apqn *a) { return (struct sim_list){ a, 1 }; }

static int run_genseck(struct call *c)
{
	struct genseck *a = &c->arg.genseck;
	struct sim_apqn at = { a->card, a->domain };
	unsigned char token[SIM_TOKEN_MAX];
	size_t n;
	int r = sim_generate(c->sim, one(&at), SIM_CCA_DATA, keytype_bits(a->keytype), 0, NULL, token, &n);

	if (r == 0)
		memcpy(a->key.token, token, sizeof(a->key.token));
	return r;
}

static int run_clr2seck(struct call *c)
{
	struct clr2seck *a = &c->arg.clr2seck;
	struct sim_apqn at = { a->card, a->domain };
	unsigned char token[SIM_TOKEN_MAX];
	size_t n;
	int r = sim_generate(c->sim, one(&at), SIM_CCA_DATA, keytype_bits(a->keytype), 0, a->clear, token, &n);

	if (r == 0)
		memcpy(a->key.token, token, sizeof(a->key.token));
	return r;
}

static int run_sec2protk(struct call *c)
{
	struct sec2protk *a = &c->arg.sec2protk;
	struct sim_apqn at = { a->card, a->domain };

	return protect_secure(c->sim, one(&at), a->key.token, sizeof(a->key.token), &a->protkey);
}

static int run_clr2protk(struct call *c)
{
	struct clr2protk *a = &c->arg.clr2protk;

	return protect_clear(c->sim, a->keytype, a->clear, &a->protkey);
}

static int run_skey2pkey(struct call *c)
{
	struct skey2pkey *a = &c->arg.skey2pkey;

	return protect_secure(c->sim, (struct sim_list){ 0 }, a->key.token, sizeof(a->key.token), &a->protkey);
}

static int verify_data(struct call *c, const struct seckey *key, struct sim_verdict *v)
{
	*v = (struct sim_verdict){ .apqn = { SIM_ANY, SIM_ANY } };
	return sim_verify(c->sim, key->token, sizeof(key->token), v);
}

static int run_findcard(struct call *c)
{
	struct findcard *a = &c->arg.findcard;
	struct sim_verdict v;
	int r = verify_data(c, &a->key, &v);

	a->card = v.apqn.card;
	a->domain = v.apqn.domain;
	return r;
}

static int run_verifykey(struct call *c)
{
	struct verifykey *a = &c->arg.verifykey;
	struct sim_verdict v;
	int r = verify_data(c, &a->key, &v);

	a->card = v.apqn.card;
	a->domain = v.apqn.domain;
	a->keysize = (uint16_t)v.bits;
	a->attributes = VERIFY_AES | (v.flags == SIM_MATCH_OLD ? VERIFY_OLD : 0);
	return r;
}

static int run_genprotk(struct call *c)
{
	unsigned char clear[32];
	int r;

	if (RAND_bytes(clear, sizeof(clear)) != 1)
		return -EIO;
	r = protect_clear(c->sim, c->arg.genprotk.keytype, clear, &c->arg.genprotk.protkey);
	OPENSSL_cleanse(clear, sizeof(clear));
	return r;
}

static int run_verifyprotk(struct call *c)
{
	struct protkey *a = &c->arg.verifyprotk;
	unsigned char clear[32];
	int r;

	if (!keytype_bits(a->type) || a->len != keytype_bits(a->type) / 8 + 32)
		return -EINVAL;
	r = sim_protected_open(c->sim, a->key, a->len, clear);
	OPENSSL_cleanse(clear, sizeof(clear));
	return r;
}

static int run_kblob2protk(struct call *c) { return protect_blob(c, &c->arg.kblob2protk.protkey); }

/* ---- the later ones: lists of APQNs, any type ---- */

static int give_token(struct call *c, uint64_t to, uint32_t *len, const unsigned char *token, size_t n)
{
	if (to && *len < n)
		return -EINVAL;
	if (to) {
		memcpy(c->out, token, n);
		c->out_len = n;
	}
	*len = (uint32_t)n;
	return 0;
}

static int run_genseck2(struct call *c)
{
	struct genseck2 *a = &c->arg.genseck2;
	unsigned char token[SIM_TOKEN_MAX];
	size_t n;
	int r = sim_generate(c->sim, c->apqns, a->type, a->size, a->flags, NULL, token, &n);

	return r < 0 ? r : give_token(c, a->key, &a->keylen, token, n);
}

static int run_clr2seck2(struct call *c)
{
	struct clr2seck2 *a = &c->arg.clr2seck2;
	unsigned char token[SIM_TOKEN_MAX];
	size_t n;
	int r = sim_generate(c->sim, c->apqns, a->type, a->size, a->flags, a->clear, token, &n);

	OPENSSL_cleanse(a->clear, sizeof(a->clear));
	return r < 0 ? r : give_token(c, a->key, &a->keylen, token, n);
}

static int run_verifykey2(struct call *c)
{
	struct verifykey2 *a = &c->arg.verifykey2;
	struct sim_verdict v = { .apqn = { a->card, a->domain } };
	int r = sim_verify(c->sim, c->key, c->key_len, &v);

	a->card = v.apqn.card;
	a->domain = v.apqn.domain;
	a->type = v.type;
	a->size = v.bits;
	a->flags = v.flags;
	return r;
}

static int run_kblob2protk2(struct call *c) { return protect_blob(c, &c->arg.kblob2protk2.protkey); }

static int run_kblob2protk3(struct call *c)
{
	struct kblob2protk3 *a = &c->arg.kblob2protk3;
	struct protkey p;
	int r = protect_blob(c, &p);

	if (r < 0)
		return r;
	a->type = p.type;
	return give_token(c, a->pkey, &a->len, p.key, p.len);
}

static int give_apqns(struct call *c, const struct sim_apqn *found, size_t n, uint64_t to, uint32_t *entries)
{
	uint32_t room = *entries;

	*entries = (uint32_t)n;
	c->answer = true;
	if (room && room < n)
		return -ENOSPC;
	if (to && !room && n)
		return -EINVAL;
	if (to) {
		memcpy(c->out, found, n * sizeof(*found));
		c->out_len = n * sizeof(*found);
	}
	return 0;
}

static int run_apqns4k(struct call *c)
{
	struct apqns4k *a = &c->arg.apqns4k;
	struct sim_apqn found[SIM_QUEUES];
	size_t n;
	int r = sim_apqns_for_key(c->sim, c->key, c->key_len, a->flags, found, &n);

	return r < 0 ? r : give_apqns(c, found, n, a->apqns, &a->entries);
}

static int run_apqns4kt(struct call *c)
{
	struct apqns4kt *a = &c->arg.apqns4kt;
	struct sim_apqn found[SIM_QUEUES];
	size_t n;
	int r = sim_apqns_for_type(c->sim, a->type, a->cur, a->alt, a->flags, found, &n);

	return r < 0 ? r : give_apqns(c, found, n, a->apqns, &a->entries);
}

/* ---- the table, and how a call is carried ---- */

/* Where in the structure a pointer and its length are; LEN 0: none. */
struct pointer { unsigned char at, len, unit; };

static const struct sim_ioctl {
	uint32_t cmd;			/* _IOWR('p', number, structure): its size is bits 16 to 29 */
	int (*run)(struct call *);
	struct pointer key, apqns, out;
} ioctls[] = {
#define AT(type, pointer, length, unit) { offsetof(struct type, pointer), offsetof(struct type, length), unit }
	{0xc0487001, run_genseck},
	{0xc0687002, run_clr2seck},
	{0xc08c7003, run_sec2protk},
	{0xc06c7004, run_clr2protk},
	{0xc0447005, run_findcard},
	{0xc0887006, run_skey2pkey},
	{0xc04c7007, run_verifykey},
	{0xc04c7008, run_genprotk},
	{0x40487009, run_verifyprotk},
	{0xc058700a, run_kblob2protk, .key = AT(kblob2protk, key, keylen, 1)},
	{0xc0287011, run_genseck2, .apqns = AT(genseck2, apqns, entries, 4), .out = AT(genseck2, key, keylen, 1)},
	{0xc0487012, run_clr2seck2, .apqns = AT(clr2seck2, apqns, entries, 4), .out = AT(clr2seck2, key, keylen, 1)},
	{0xc0207017, run_verifykey2, .key = AT(verifykey2, key, keylen, 1)},
	{0xc068701a, run_kblob2protk2, .key = AT(kblob2protk2, key, keylen, 1),
	 .apqns = AT(kblob2protk2, apqns, entries, 4)},
	{0xc020701b, run_apqns4k, .key = AT(apqns4k, key, keylen, 1), .out = AT(apqns4k, apqns, entries, 4)},
	{0xc058701c, run_apqns4kt, .out = AT(apqns4kt, apqns, entries, 4)},
	{0xc030701d, run_kblob2protk3, .key = AT(kblob2protk3, key, keylen, 1),
	 .apqns = AT(kblob2protk3, apqns, entries, 4), .out = AT(kblob2protk3, pkey, len, 1)},
#undef AT
};

static size_t arg_size(uint32_t cmd) { return cmd >> 16 & 0x3fff; }

static struct sim_range range_at(const unsigned char *arg, struct pointer p)
{
	struct sim_range r = { 0 };
	uint32_t n = 0;

	if (p.len) {
		memcpy(&r.addr, arg + p.at, sizeof(r.addr));
		memcpy(&n, arg + p.len, sizeof(n));
	}
	r.len = r.addr ? (size_t)n * p.unit : 0;
	return r;
}

size_t sim_ranges_len(const struct sim_range *ranges, size_t n)
{
	size_t len = 0;

	while (n--)
		len += ranges[n].len;
	return len;
}

/* No answer is longer than this, so no more of the caller's buffer is asked for. */
static size_t capped(size_t len) { return len < SIM_TOKEN_MAX ? len : SIM_TOKEN_MAX; }

int sim_pkey_plan(uint32_t cmd, uint64_t arg, const void *in, size_t in_len, struct sim_plan *ret)
{
	struct sim_plan p = { .in = { { arg, arg_size(cmd) } }, .n_in = 1, .out = { { arg, arg_size(cmd) } }, .n_out = 1 };
	struct sim_range r;

	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++)
		if (ioctls[i].cmd == cmd)
			p.what = &ioctls[i];
	if (!p.what)
		return -ENOTTY;
	if (in_len >= p.in[0].len) {
		if (p.what->key.len) {
			r = range_at(in, p.what->key);
			if (r.len < SIM_PKEY_BLOB_MIN || r.len > SIM_PKEY_BLOB_MAX)
				return -EINVAL;
			p.in[p.n_in++] = r;
		}
		r = range_at(in, p.what->apqns);
		if (r.len > SIM_PKEY_APQNS_MAX * sizeof(struct sim_apqn))
			return -EINVAL;
		if (r.len)
			p.in[p.n_in++] = r;
		r = range_at(in, p.what->out);
		r.len = capped(r.len);
		if (r.len)
			p.out[p.n_out++] = r;
		p.complete = in_len >= sim_ranges_len(p.in, p.n_in);
	}
	*ret = p;
	return 0;
}

int sim_pkey_run(struct sim *s, const struct sim_plan *p, const void *in, unsigned char out[SIM_PKEY_OUT_MAX],
		 size_t *ret_len)
{
	const unsigned char *next = in;
	size_t size = p->in[0].len, nested = 1;
	struct call c = { .sim = s, .out = out + size };
	int r;

	memcpy(c.arg.bytes, next, size);
	next += size;
	if (p->what->key.len) {
		c.key = next;
		c.key_len = p->in[nested].len;
		next += p->in[nested++].len;
	}
	if (nested < p->n_in) {
		memcpy(c.list, next, p->in[nested].len);
		c.apqns = (struct sim_list){ c.list, p->in[nested].len / sizeof(c.list[0]) };
	}
	r = p->what->run(&c);
	*ret_len = 0;
	if ((r == 0 || c.answer) && p->what->cmd >> 31) {
		memcpy(out, c.arg.bytes, size);
		*ret_len = size + c.out_len;
	}
	OPENSSL_cleanse(&c, sizeof(c));
	return r;
}

#define SIZE(n, type) _Static_assert(sizeof(struct type) == (n), #type)
SIZE(72, genseck);
SIZE(104, clr2seck);
SIZE(140, sec2protk);
SIZE(108, clr2protk);
SIZE(68, findcard);
SIZE(136, skey2pkey);
SIZE(76, verifykey); SIZE(76, genprotk); SIZE(72, protkey); SIZE(88, kblob2protk); SIZE(40, genseck2); SIZE(72, clr2seck2);
SIZE(32, verifykey2); SIZE(104, kblob2protk2); SIZE(32, apqns4k); SIZE(88, apqns4kt); SIZE(48, kblob2protk3);
