// SPDX-License-Identifier: MIT
/* The model of the cards: tokens against answers computed elsewhere, registers, wrong queues, faults, the state file. */
#include "tests/sim/card.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/module.h"
#include "lib/token.h"

const char module_dir[] = "";

static const struct sim_apqn q0 = { 0, 0x11 }, q1 = { 1, 0x11 }, q2 = { 2, 0x11 }, other = { 0, 0x12 };
static const enum sim_type types[] = { SIM_CCA_DATA, SIM_CCA_CIPHER, SIM_EP11_OLD, SIM_EP11_AES };

static void count(unsigned char *p, unsigned first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(first + i);
}

/* Fills NEW with a key of bytes FIRST, FIRST + 1, ... and activates it. */
static void change_mk(struct sim *s, struct sim_apqn id, unsigned first)
{
	unsigned char mk[SIM_MK];

	count(mk, first, sizeof(mk));
	assert_int_equal(sim_mk_load(sim_queue_find(s, id), mk, SIM_FULL), 0);
	assert_int_equal(sim_mk_activate(s, sim_queue_find(s, id)), 0);
}

/* Two CCA cards and an EP11 one, all under the same master key; one more domain under another. */
static int machine(void **state)
{
	static struct sim s;

	assert_int_equal(sim_init(&s), 0);
	assert_int_equal(sim_card_add(&s, 0, SIM_CCA, 8, "93AABE12"), 0);
	assert_int_equal(sim_card_add(&s, 1, SIM_CCA, 8, "93AABE13"), 0);
	assert_int_equal(sim_card_add(&s, 2, SIM_EP11, 8, "93AABE14EP110001"), 0);
	assert_int_equal(sim_queue_add(&s, q2), 0);
	assert_int_equal(sim_queue_add(&s, q1), 0);
	assert_int_equal(sim_queue_add(&s, other), 0);
	assert_int_equal(sim_queue_add(&s, q0), 0);
	assert_int_equal(s.queues[0].id.domain, 0x11);		/* kept in order */
	assert_int_equal(s.queues[3].id.card, 2);
	change_mk(&s, q0, 0);
	change_mk(&s, q1, 0);
	change_mk(&s, q2, 0);
	change_mk(&s, other, 0x80);
	*state = &s;
	return 0;
}

static int scrap(void **state)
{
	sim_done(*state);
	return 0;
}

static struct sim_apqn home(enum sim_type type) { return type < SIM_EP11_OLD ? q0 : q2; }
static struct sim_list one(const struct sim_apqn *a) { return (struct sim_list){ a, 1 }; }

static size_t make(struct sim *s, enum sim_type type, unsigned char token[SIM_TOKEN_MAX])
{
	struct sim_apqn at = home(type);
	unsigned char clear[32];
	size_t n;

	count(clear, 0x40, sizeof(clear));
	assert_int_equal(sim_generate(s, one(&at), type, 256, 0, clear, token, &n), 0);
	return n;
}

static void patterns(void **state)
{
	unsigned char mk[SIM_MK], vp[32];
	char hex[65];

	(void)state;
	count(mk, 0, sizeof(mk));
	assert_int_equal(sim_mkvp(SIM_CCA, mk, vp), 8);
	hex_encode(vp, 8, hex);
	assert_string_equal(hex, "491176b0f443c65a");
	assert_int_equal(sim_mkvp(SIM_EP11, mk, vp), 32);
	hex_encode(vp, 32, hex);
	assert_string_equal(hex, "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd");
}

/* Made with Python's hashlib and hmac and the openssl command; master key 00..1f, key 40..5f. */
static const struct { enum sim_type type; const char *hex; } known[] = {
	{ SIM_CCA_DATA,
		"010000000400c000491176b0f443c65aa37edf3f975abaef937b62c78d5bb157a36e5f05ba7cce858453a779401a16dd0000"
		"00000000000001000020c15f9756" },
	{ SIM_CCA_CIPHER,
		"01000088050000000301491176b0f443c65a0000000000000000020200000100001a0000000002800002000102c000000003"
		"08c8000001012d9292e6e12cfb63b47dc75c3cf8fd06626cb38abc49e6a975f82ce114c546d0ccc305a404dc28766fc2335f"
		"b426330ba1be17768ab958a1ddf7a12ff2ce241a721aaa13d3be514c3180fbe324cd4590" },
	{ SIM_EP11_AES,		/* and zeros to its end */
		"000001500600010000000000000000000000000000000000000000000000000000000000000000000000000000000000630d"
		"cd2966c4336691125448bbb25b4f0000000000200c0000000000000000001234a0a1a2a3a4a5a6a7a8a9aaabacad91d9ff98"
		"1bf9646682953656efd4e99ab801768aac69ee9739af0b64261dfd6ec6170fd58095956e541f6a98dae46e59cc72e5fb8652"
		"4684a7c0c93f149401ee5b3a3146119ea592d7ece1bab5daaee1c6223ed1f8e51a6bae10ac7beda4ac02d30c0177a4ef0d34"
		"e3c3026d179981e01ecd3971a16a0092403e57d9a9a30d123b0eb190fa73d9374ab7049842472831c35b07edb4b768caafb0"
		"49ffda2ab8a55baf9aef4978812f853dad852a473476" },
};

static void known_tokens(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		unsigned char want[SIM_TOKEN_MAX] = { 0 }, got[SIM_TOKEN_MAX], mk[SIM_MK], key[32], clear[32];
		struct sim_token t;
		size_t n;

		count(mk, 0, sizeof(mk));
		count(key, 0x40, sizeof(key));
		assert_int_equal(hex_decode(known[i].hex, strlen(known[i].hex), want), 0);
		n = make(*state, known[i].type, got);
		if (known[i].type != SIM_EP11_AES)		/* which has a random IV */
			assert_memory_equal(got, want, n);
		assert_int_equal(sim_token_parse(want, n, &t), 0);
		assert_int_equal(t.type, known[i].type);
		assert_int_equal(t.len, n);
		assert_int_equal(sim_token_open(want, &t, mk, clear, &n), 0);
		assert_int_equal(n, 32);
		assert_memory_equal(clear, key, 32);
	}
}

/* The plain parts are those of tokens that zkey wrote, except the master key's pattern; and our own reader takes them. */
static void formats(void **state)
{
	static const struct {
		enum sim_type type;
		enum key_type parsed;
		const char *file;
		size_t plain, vp, vp_len;
	} t[] = {
		{SIM_CCA_DATA, KEY_CCA_AESDATA, "xts_data.skey", 16, 8, 8},
		{SIM_CCA_CIPHER, KEY_CCA_AESCIPHER, "cbc_cipher.skey", 56, 10, 8},
		{SIM_EP11_AES, KEY_EP11_AES, "xts_ep11.skey", 82, 48, 16},
		{SIM_EP11_OLD, KEY_EP11_AES, NULL},
	};
	AUTO_CLOSE int dir = open("tests/data/zkey-repository", O_RDONLY | O_DIRECTORY);

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		unsigned char token[SIM_TOKEN_MAX];
		size_t n = make(*state, t[i].type, token);
		AUTO_BLOB struct blob b = { 0 };
		struct err e;
		struct key k;

		assert_int_equal(key_parse(token, n, &k, &e), 0);
		assert_int_equal(k.type, t[i].parsed);
		assert_int_equal(k.bits, 256);
		if (!t[i].file)
			continue;
		assert_int_equal(file_read_at(dir, t[i].file, TOKEN_MAX, &b, &e), 0);
		memcpy(b.data + t[i].vp, token + t[i].vp, t[i].vp_len);
		assert_memory_equal(token, b.data, t[i].plain);
	}
}

static void every_size(void **state)
{
	struct sim *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		for (uint32_t bits = 128; bits <= 256; bits += 64) {
			unsigned char token[SIM_TOKEN_MAX], clear[32], got[64];
			struct sim_apqn at = home(types[i]);
			struct sim_verdict v = { .apqn = { SIM_ANY, SIM_ANY } };
			size_t n, len;

			count(clear, 7, sizeof(clear));
			assert_int_equal(sim_generate(s, one(&at), types[i], bits, 0, clear, token, &n), 0);
			assert_int_equal(sim_verify(s, token, n, &v), 0);
			assert_int_equal(v.type, types[i]);
			assert_int_equal(v.bits, bits);
			assert_int_equal(v.flags, SIM_MATCH_CUR);
			assert_int_equal(sim_effective_key(s, false, token, n, got, &len), 0);
			assert_int_equal(len, bits / 8);
			assert_memory_equal(got, clear, len);
			assert_int_equal(sim_generate(s, one(&at), types[i], bits + 8, 0, NULL, token, &n), -EINVAL);
		}
	assert_int_equal(sim_generate(s, one(&q0), (enum sim_type)9, 256, 0, NULL, NULL, NULL), -EINVAL);
}

/*
 * No bit of a token can change unseen: it is no token any more, or another's, or the card refuses it. Except in an EP11
 * header: 9 reserved bytes and one bit that makes 256 bits 0 (not told), and 16 bytes of the session field beside it.
 */
static void tampered(void **state)
{
	static const size_t free_bits[] = { 0, 0, 9 * 8 + 1, (9 + 16) * 8 + 1 };
	struct sim *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		unsigned char token[SIM_TOKEN_MAX], key[64];
		size_t n = make(s, types[i], token), len, slack = types[i] >= SIM_EP11_OLD ? 64 : 0, accepted = 0;

		for (size_t bit = 0; bit < 8 * (n - slack); bit++) {
			token[bit / 8] ^= (unsigned char)(1 << bit % 8);
			accepted += sim_effective_key(s, false, token, n, key, &len) == 0;
			token[bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
		assert_int_equal(accepted, free_bits[i]);
		token[n > 80 ? n - 80 : 20] ^= 1;		/* of what only the card can judge */
		assert_int_equal(sim_effective_key(s, false, token, n, key, &len), -EIO);
		token[n > 80 ? n - 80 : 20] ^= 1;
		for (len = 0; len < n; len++)
			assert_int_equal(sim_effective_key(s, false, token, len, key, &(size_t){ 0 }), -EINVAL);
		assert_int_equal(sim_effective_key(s, false, token, n, key, &len), 0);
	}
}

static void wrong_queues(void **state)
{
	unsigned char token[SIM_TOKEN_MAX], protected[SIM_PROTECTED_MAX];
	static const struct sim_apqn absent = { 0, 0x13 };
	struct sim_verdict v = { .apqn = other };
	struct sim *s = *state;
	size_t n = make(s, SIM_CCA_CIPHER, token), len;

	assert_int_equal(sim_protect(s, one(&other), token, n, protected, &len), -EIO);		/* another master key */
	assert_int_equal(sim_protect(s, one(&q2), token, n, protected, &len), -ENODEV);		/* EP11 */
	assert_int_equal(sim_protect(s, one(&absent), token, n, protected, &len), -ENODEV);
	assert_int_equal(sim_protect(s, one(&q1), token, n, protected, &len), 0);		/* the same master key */
	assert_int_equal(
		sim_protect(s, (struct sim_list){(struct sim_apqn[]){other, absent, q0}, 3}, token, n, protected, &len), 0);
	assert_int_equal(sim_verify(s, token, n, &v), -ENODEV);
	assert_int_equal(sim_generate(s, one(&q2), SIM_CCA_DATA, 256, 0, NULL, token, &n), -ENODEV);
	assert_int_equal(sim_generate(s, one(&q0), SIM_EP11_AES, 256, 0, NULL, token, &n), -ENODEV);
	sim_card_find(s, 0)->level = 5;								/* too old for AESCIPHER */
	assert_int_equal(sim_generate(s, one(&q0), SIM_CCA_CIPHER, 256, 0, NULL, token, &n), -ENODEV);
	assert_int_equal(sim_generate(s, one(&q0), SIM_CCA_DATA, 256, 0, NULL, token, &n), 0);
}

static void unusable_queues(void **state)
{
	struct sim *s = *state;
	struct sim_queue *q = sim_queue_find(s, q2);
	struct sim_card *c = sim_card_find(s, 2);
	bool *off[] = {&q->checkstop, &c->checkstop, &q->passed_through},
	     *on[] = {&q->online, &q->config, &c->online, &c->config};
	unsigned char token[SIM_TOKEN_MAX], key[64];
	size_t n = make(s, SIM_EP11_AES, token), len;

	for (size_t i = 0; i < ARRAY_SIZE(on) + ARRAY_SIZE(off); i++) {
		bool *flag = i < ARRAY_SIZE(on) ? on[i] : off[i - ARRAY_SIZE(on)];

		*flag = !*flag;
		assert_int_equal(sim_effective_key(s, false, token, n, key, &len), -ENODEV);
		assert_int_equal(sim_generate(s, one(&q2), SIM_EP11_AES, 256, 0, NULL, token, &len), -ENODEV);
		*flag = !*flag;
		assert_int_equal(sim_effective_key(s, false, token, n, key, &len), 0);
	}
}

static size_t queues_of(struct sim *s, const unsigned char *token, size_t len, uint32_t flags)
{
	struct sim_apqn found[SIM_QUEUES];
	size_t n = 0;
	int r = sim_apqns_for_key(s, token, len, flags, found, &n);

	assert_true(r == 0 || r == -ENODEV);
	assert_int_equal(r == 0, n > 0);
	return n;
}

static void master_key_change(void **state)
{
	unsigned char old[SIM_TOKEN_MAX], mk[SIM_MK], key[64], was[64];
	struct sim *s = *state;
	struct sim_queue *q = sim_queue_find(s, q0);
	struct sim_verdict v = { .apqn = q0 };
	size_t n = make(s, SIM_CCA_CIPHER, old), len;

	assert_int_equal(sim_effective_key(s, false, old, n, was, &len), 0);
	assert_int_equal(queues_of(s, old, n, SIM_MATCH_CUR), 2);
	assert_int_equal(sim_mk_activate(s, q), -EINVAL);			/* nothing loaded */
	assert_int_equal(sim_reencipher(s, q0, SIM_TO_NEW, old, n), -EIO);
	count(mk, 0x20, sizeof(mk));
	assert_int_equal(sim_mk_load(q, mk, SIM_PART), 0);
	assert_int_equal(sim_reencipher(s, q0, SIM_TO_NEW, old, n), -EIO);	/* only part of it */
	assert_int_equal(sim_mk_activate(s, q), -EINVAL);
	assert_int_equal(sim_mk_commit(q), 0);
	assert_int_equal(sim_mk_commit(q), -EINVAL);
	assert_int_equal(sim_mk_load(q, mk, SIM_FULL), -EINVAL);		/* full: to be cleared first */

	unsigned char new[SIM_TOKEN_MAX];
	memcpy(new, old, n);
	assert_int_equal(sim_reencipher(s, q0, SIM_TO_NEW, new, n), 0);
	assert_int_equal(queues_of(s, new, n, 0), 0);				/* not yet anywhere */
	assert_int_equal(sim_mk_activate(s, q), 0);
	assert_int_equal(q->mk[SIM_NEW].fill, SIM_EMPTY);
	assert_int_equal(queues_of(s, new, n, SIM_MATCH_CUR), 1);
	assert_int_equal(queues_of(s, new, n, SIM_MATCH_OLD), 0);
	assert_int_equal(queues_of(s, old, n, SIM_MATCH_OLD), 1);
	assert_int_equal(queues_of(s, old, n, SIM_MATCH_CUR), 1);		/* the other card was not changed */
	assert_int_equal(sim_verify(s, old, n, &v), 0);
	assert_int_equal(v.flags, SIM_MATCH_OLD);
	assert_int_equal(sim_effective_key(s, false, new, n, key, &len), 0);
	assert_memory_equal(key, was, 32);

	unsigned char late[SIM_TOKEN_MAX];
	memcpy(late, old, n);
	assert_int_equal(sim_reencipher(s, q0, SIM_FROM_OLD, late, n), 0);
	assert_int_equal(queues_of(s, late, n, SIM_MATCH_CUR), 1);
	assert_int_equal(sim_reencipher(s, q0, SIM_FROM_OLD, late, n), -EIO);	/* it is not under OLD any more */
	assert_int_equal(sim_reencipher(s, q2, SIM_FROM_OLD, old, n), -ENODEV);

	change_mk(s, q0, 0x60);
	change_mk(s, q1, 0x60);
	change_mk(s, q0, 0x70);
	change_mk(s, q1, 0x70);
	assert_int_equal(queues_of(s, old, n, 0), 0);
	assert_int_equal(sim_effective_key(s, false, old, n, key, &len), -EINVAL);
	assert_int_equal(sim_verify(s, old, n, &(struct sim_verdict){ .apqn = { SIM_ANY, SIM_ANY } }), -ENODEV);
}

/* EP11 has no OLD: who forgets to re-encipher has lost the key. */
static void ep11_change(void **state)
{
	unsigned char token[SIM_TOKEN_MAX], kept[SIM_TOKEN_MAX], key[64], mk[SIM_MK];
	struct sim *s = *state;
	size_t n = make(s, SIM_EP11_AES, token), len;
	struct sim_apqn found[SIM_QUEUES];

	assert_int_equal(sim_apqns_for_key(s, token, n, SIM_MATCH_OLD, found, &len), -EINVAL);
	count(mk, 0x20, sizeof(mk));
	assert_int_equal(sim_mk_load(sim_queue_find(s, q2), mk, SIM_FULL), 0);
	memcpy(kept, token, n);
	assert_int_equal(sim_reencipher(s, q2, SIM_TO_NEW, kept, n), 0);
	assert_memory_equal(kept, token, 48);			/* the header */
	assert_int_equal(sim_mk_activate(s, sim_queue_find(s, q2)), 0);
	assert_int_equal(sim_effective_key(s, false, token, n, key, &len), -EINVAL);
	assert_int_equal(sim_reencipher(s, q2, SIM_FROM_OLD, token, n), -EIO);
	assert_int_equal(sim_effective_key(s, false, kept, n, key, &len), 0);
	assert_int_equal(key[0], 0x40);
}

static void faults(void **state)
{
	unsigned char token[SIM_TOKEN_MAX], protected[SIM_PROTECTED_MAX];
	struct sim *s = *state;
	struct sim_queue *q = sim_queue_find(s, q0);
	size_t n = make(s, SIM_CCA_DATA, token), len;
	unsigned before = q->requests;

	q->fault = (struct sim_fault){ .after = 1, .count = 2, .error = EBUSY };
	assert_int_equal(sim_protect(s, one(&q0), token, n, protected, &len), 0);
	assert_int_equal(sim_protect(s, one(&q0), token, n, protected, &len), -EBUSY);
	assert_int_equal(sim_protect(s, (struct sim_list){(struct sim_apqn[]){q0, q1}, 2}, token, n, protected, &len), 0);
	assert_int_equal(sim_protect(s, one(&q0), token, n, protected, &len), 0);
	assert_int_equal(q->requests - before, 4);
}

static void protected_keys(void **state)
{
	unsigned char token[SIM_TOKEN_MAX], protected[SIM_PROTECTED_MAX], clear[32], want[32];
	struct sim *s = *state, next;
	size_t n = make(s, SIM_CCA_DATA, token), len;

	count(want, 0x40, sizeof(want));
	assert_int_equal(sim_protect(s, one(&q0), token, n, protected, &len), 0);
	assert_int_equal(len, 64);
	assert_memory_not_equal(protected, want, 32);
	assert_int_equal(sim_protected_open(s, protected, len, clear), 0);
	assert_memory_equal(clear, want, 32);
	assert_int_equal(sim_protected_open(s, protected, 63, clear), -EINVAL);
	assert_int_equal(sim_init(&next), 0);			/* a reboot */
	assert_int_equal(sim_protected_open(&next, protected, len, clear), -EKEYEXPIRED);
}

static void not_exportable(void **state)
{
	unsigned char token[SIM_TOKEN_MAX], protected[SIM_PROTECTED_MAX];
	size_t n, len;

	assert_int_equal(sim_generate(*state, one(&q2), SIM_EP11_AES, 256, 0x00000c00, NULL, token, &n), 0);
	assert_int_equal(sim_protect(*state, one(&q2), token, n, protected, &len), -EINVAL);
}

static void pairs(void **state)
{
	unsigned char two[2 * SIM_TOKEN_MAX], key[64], clear[32];
	struct sim *s = *state;
	size_t n = make(s, SIM_CCA_CIPHER, two), len;

	count(clear, 0x60, sizeof(clear));
	assert_int_equal(sim_generate(s, one(&q1), SIM_CCA_CIPHER, 256, 0, clear, two + n, &len), 0);
	assert_int_equal(sim_effective_key(s, true, two, 2 * n, key, &len), 0);
	assert_int_equal(len, 64);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(key[i], 0x40 + i);
	assert_int_equal(sim_effective_key(s, true, two, n, key, &len), -EINVAL);
	assert_int_equal(sim_effective_key(s, false, two, 2 * n, key, &len), -EINVAL);
	assert_int_equal(sim_generate(s, one(&q1), SIM_CCA_CIPHER, 128, 0, clear, two + n, &len), 0);
	assert_int_equal(sim_effective_key(s, true, two, 2 * n, key, &len), -EINVAL);		/* unequal halves */
	count(two, 0, 64);
	assert_int_equal(sim_effective_key(s, true, two, 64, key, &len), -EINVAL);		/* a clear key */
}

static void state_file(void **state)
{
	AUTO_CLOSE int dir = -1;
	struct sim *s = *state, next;
	struct sim_queue *q = sim_queue_find(s, q0);
	char path[] = "/tmp/sim-card.XXXXXX", text[] = "queue 09.0011 1 1 0 0\n";
	const struct file_attr attr = { 0600, (gid_t)-1 };
	unsigned char mk[SIM_MK];
	struct err e;

	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(dir >= 0);
	count(mk, 0x30, sizeof(mk));
	assert_int_equal(sim_mk_load(q, mk, SIM_PART), 0);
	q->checkstop = true;
	q->fault = (struct sim_fault){ .after = 3, .count = 1, .error = EIO };
	sim_card_find(s, 1)->online = false;
	assert_int_equal(sim_init(&next), 0);
	assert_int_equal(sim_load(&next, dir, "cards", &e), -ENOENT);
	assert_int_equal(sim_save(s, dir, "cards", &e), 0);
	assert_int_equal(sim_load(&next, dir, "cards", &e), 0);
	assert_int_equal(next.n_cards, s->n_cards);
	assert_memory_equal(next.cards, s->cards, sizeof(s->cards));
	assert_int_equal(next.n_queues, s->n_queues);
	assert_memory_equal(next.queues, s->queues, sizeof(s->queues));
	assert_memory_not_equal(next.wrapping_key, s->wrapping_key, sizeof(s->wrapping_key));
	assert_int_equal(file_write_at(dir, "cards", text, strlen(text), &attr, true, &e), 0);
	assert_int_equal(sim_init(&next), 0);
	assert_int_equal(sim_load(&next, dir, "cards", &e), -EBADMSG);		/* a queue of no card */
	assert_int_equal(unlinkat(dir, "cards", 0) | rmdir(path), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, machine, scrap)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(patterns),	T(known_tokens), T(formats),	     T(every_size),
		T(tampered),	T(wrong_queues), T(unusable_queues), T(master_key_change),
		T(ep11_change), T(faults),	 T(protected_keys),  T(not_exportable),
		T(pairs),	T(state_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
