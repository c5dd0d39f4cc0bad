// SPDX-License-Identifier: MIT
/* The ioctls of /dev/pkey and the AP bus's attributes on the simulated cards: what goes in, what comes out, what is
 * refused. */
#include "tests/sim/pkey.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/blob.h"
#include "lib/module.h"
#include "tests/sim/attr.h"
#include "tests/sim/card.h"

const char module_dir[] = "";

/* The structures as the kernel's header has them, written down a second time. */
struct genseck { struct sim_apqn apqn; uint32_t type; unsigned char key[64]; };
struct genseck2 { const void *apqns; uint32_t entries, type, size, flags; void *key; uint32_t len; };
struct clr2seck2 {
	const void *apqns;
	uint32_t entries, type, size, flags;
	unsigned char clear[32];
	void *key;
	uint32_t len;
};
struct verifykey2 { const void *key; uint32_t len; struct sim_apqn apqn; uint32_t type, size, flags; };
struct apqns4k { const void *key; uint32_t len, flags; void *apqns; uint32_t entries; };
struct apqns4kt { uint32_t type; unsigned char cur[32], alt[32]; uint32_t flags; void *apqns; uint32_t entries; };
struct kblob2protk3 { const void *key; uint32_t len; const void *apqns; uint32_t entries, type, protlen; void *pkey; };

enum { GENSECK = 0xc0487001, GENSECK2 = 0xc0287011, CLR2SECK2 = 0xc0487012, VERIFYKEY2 = 0xc0207017, APQNS4K = 0xc020701b,
       APQNS4KT = 0xc058701c, KBLOB2PROTK3 = 0xc030701d };

static struct sim *machine_new(void)
{
	static struct sim s;
	unsigned char mk[SIM_MK] = { 1 };

	assert_int_equal(sim_init(&s), 0);
	assert_int_equal(sim_card_add(&s, 0, SIM_CCA, 8, "93AABE12"), 0);
	assert_int_equal(sim_card_add(&s, 2, SIM_EP11, 8, "93AABE14EP110001"), 0);
	assert_int_equal(sim_card_add(&s, 3, SIM_ACCELERATOR, 8, "93AABE15"), 0);
	for (uint16_t card = 0; card < 4; card++)
		for (uint16_t domain = 0x11; card != 1 && domain < 0x13; domain++) {
			struct sim_apqn id = { card, domain };

			assert_int_equal(sim_queue_add(&s, id), 0);
			if (card == 3)
				continue;
			assert_int_equal(sim_mk_load(sim_queue_find(&s, id), mk, SIM_FULL), 0);
			assert_int_equal(sim_mk_activate(&s, sim_queue_find(&s, id)), 0);
		}
	return &s;
}

static int machine(void **state)
{
	*state = machine_new();
	return 0;
}

/* Copies the ranges between the caller's memory, which is this process's, and BUF. */
static void transfer(const struct sim_range *r, size_t n, unsigned char *buf, size_t len, bool write)
{
	for (size_t i = 0; i < n && len; i++) {
		size_t now = r[i].len < len ? r[i].len : len;

		if (write)
			memcpy((void *)(uintptr_t)r[i].addr, buf, now);
		else
			memcpy(buf, (void *)(uintptr_t)r[i].addr, now);
		buf += now;
		len -= now;
	}
}

/* What a carrier does, round by round. */
static int pkey(struct sim *s, uint32_t cmd, void *arg)
{
	static unsigned char in[16384], out[SIM_PKEY_OUT_MAX];
	struct sim_plan p;
	size_t len = 0;
	int r, rounds = 0;

	for (;;) {
		r = sim_pkey_plan(cmd, (uintptr_t)arg, in, len, &p);
		if (r < 0)
			return r;
		if (p.complete)
			break;
		assert_in_range(++rounds, 1, 2);
		len = sim_ranges_len(p.in, p.n_in);
		assert_in_range(len, 1, sizeof(in));
		transfer(p.in, p.n_in, in, len, false);
	}
	r = sim_pkey_run(s, &p, in, out, &len);
	assert_true(len <= sim_ranges_len(p.out, p.n_out));
	transfer(p.out, p.n_out, out, len, true);
	return r;
}

static void first_generation(void **state)
{
	struct genseck g = { .apqn = { 0, 0x12 }, .type = 3 };
	struct {
		unsigned char key[64];
		struct sim_apqn apqn;
		uint16_t size;
		uint32_t attributes;
	} v = {.apqn = {0, 0}};
	struct { unsigned char key[64]; uint32_t type, len; unsigned char protected[64]; } p;
	struct { uint32_t type, len; unsigned char protected[64]; } w;

	assert_int_equal(pkey(*state, GENSECK, &g), 0);
	assert_int_equal(g.key[0], 1);
	memcpy(v.key, g.key, sizeof(v.key));
	assert_int_equal(pkey(*state, 0xc04c7007, &v), 0);
	assert_int_equal(v.size, 256);
	assert_int_equal(v.attributes, 1);
	assert_int_equal(v.apqn.domain, 0x11);		/* the first one with that master key */
	memcpy(p.key, g.key, sizeof(p.key));
	assert_int_equal(pkey(*state, 0xc0887006, &p), 0);
	assert_int_equal(p.type, 3);
	assert_int_equal(p.len, 64);
	memcpy(&w, &p.type, sizeof(w));
	assert_int_equal(pkey(*state, 0x40487009, &w), 0);	/* VERIFYPROTK */
	w.protected[40] ^= 1;
	assert_int_equal(pkey(*state, 0x40487009, &w), -EKEYEXPIRED);
	g.type = 9;
	assert_int_equal(pkey(*state, GENSECK, &g), -EINVAL);
	g.type = 3;
	g.apqn.card = 2;
	assert_int_equal(pkey(*state, GENSECK, &g), -ENODEV);
}

static void generate(void **state)
{
	static const struct sim_apqn at[] = { { 0, 0x12 }, { 2, 0x12 } };
	static const struct { uint32_t type, len; } types[] = { { 1, 64 }, { 2, 136 }, { 3, 320 }, { 6, 336 } };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		unsigned char key[512];
		struct genseck2 g = { at, ARRAY_SIZE(at), types[i].type, 256, 0, key, sizeof(key) };
		struct verifykey2 v = { key, types[i].len, { 0xffff, 0xffff } };

		memset(key, 0xee, sizeof(key));
		assert_int_equal(pkey(*state, GENSECK2, &g), 0);
		assert_int_equal(g.len, types[i].len);
		assert_int_equal(key[g.len], 0xee);			/* and no byte more */
		assert_int_equal(pkey(*state, VERIFYKEY2, &v), 0);
		assert_int_equal(v.type, types[i].type);
		assert_int_equal(v.size, 256);
		assert_int_equal(v.flags, SIM_MATCH_CUR);
		g.len = types[i].len - 1;
		assert_int_equal(pkey(*state, GENSECK2, &g), -EINVAL);
		g.entries = 65;
		assert_int_equal(pkey(*state, GENSECK2, &g), -EINVAL);
	}
}

static void apqn_lists(void **state)
{
	unsigned char key[136];
	struct genseck2 g = { NULL, 0, 2, 256, 0, key, sizeof(key) };
	struct sim_apqn found[8] = { { 0, 0 } };
	struct apqns4k k = { key, sizeof(key), 0, found, 8 };
	struct apqns4kt t = { .type = 6, .apqns = found, .entries = 8 };

	assert_int_equal(pkey(*state, GENSECK2, &g), 0);
	assert_int_equal(pkey(*state, APQNS4K, &k), 0);
	assert_int_equal(k.entries, 2);
	assert_int_equal(found[1].card, 0);
	assert_int_equal(found[1].domain, 0x12);
	k.entries = 1;
	assert_int_equal(pkey(*state, APQNS4K, &k), -ENOSPC);
	assert_int_equal(k.entries, 2);				/* told all the same */
	k.apqns = NULL;
	k.entries = 0;
	assert_int_equal(pkey(*state, APQNS4K, &k), 0);		/* only asking how many */
	assert_int_equal(k.entries, 2);
	assert_int_equal(pkey(*state, APQNS4KT, &t), 0);
	assert_int_equal(t.entries, 2);
	assert_int_equal(found[0].card, 2);
	t.flags = SIM_MATCH_CUR;
	assert_int_equal(pkey(*state, APQNS4KT, &t), -ENODEV);	/* a pattern of zeros */
	t.type = 9;
	assert_int_equal(pkey(*state, APQNS4KT, &t), -EINVAL);
	sim_queue_find(*state, (struct sim_apqn){ 0, 0x12 })->online = false;
	k.apqns = found;
	k.entries = 8;
	assert_int_equal(pkey(*state, APQNS4K, &k), 0);
	assert_int_equal(k.entries, 1);
}

static void protect(void **state)
{
	static const struct sim_apqn at = { 0, 0x11 };
	unsigned char key[136], out[64], clear[48] = { 0, 0, 0, 0, 2 };
	struct clr2seck2 c = { &at, 1, 2, 256, 0, { 5, 6, 7 }, key, sizeof(key) };
	struct kblob2protk3 p = {key, sizeof(key), &at, 1, 0, sizeof(out), out},
			    b = {clear, 48, &at, 1, 0, sizeof(out), out};
	unsigned char effective[32];

	assert_int_equal(pkey(*state, CLR2SECK2, &c), 0);
	assert_int_equal(pkey(*state, KBLOB2PROTK3, &p), 0);
	assert_int_equal(p.protlen, 64);
	assert_int_equal(p.type, 3);
	assert_int_equal(sim_protected_open(*state, out, 64, effective), 0);
	assert_int_equal(effective[2], 7);
	p.protlen = 63;
	assert_int_equal(pkey(*state, KBLOB2PROTK3, &p), -EINVAL);
	be_put(clear + 8, 3, 4);				/* a clear-key token */
	be_put(clear + 12, 32, 4);
	assert_int_equal(pkey(*state, KBLOB2PROTK3, &b), 0);
	be_put(clear + 12, 33, 4);
	b.protlen = sizeof(out);
	assert_int_equal(pkey(*state, KBLOB2PROTK3, &b), -EINVAL);
	b.len = 7;
	assert_int_equal(pkey(*state, KBLOB2PROTK3, &b), -EINVAL);
	b.len = 8193;
	assert_int_equal(pkey(*state, KBLOB2PROTK3, &b), -EINVAL);
	assert_int_equal(pkey(*state, 0xc0047099, &b), -ENOTTY);
}

static void assert_attr(struct sim *s, const char *device, const char *name, const char *want)
{
	AUTO_FREE char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int r;

	assert_non_null(f);
	r = sim_attr_show(s, device, name, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(r, 0);
	assert_string_equal(text, want);
}

/* The texts are those of real machines: see what lszcrypt makes of them. */
static void attributes(void **state)
{
	static const struct { const char *device, *name, *text;
	} is[] = {
		{"", "ap_domain", "0\n"},
		{"", "ap_usage_domain_mask", "0x0000600000000000000000000000000000000000000000000000000000000000\n"},
		{"", "features", "APSC APXA QACT RC8A\n"},
		{"", "config_time", "30\n"},
		{"card00", "type", "CEX8C\n"},
		{"card02", "type", "CEX8P\n"},
		{"card03", "type", "CEX8A\n"},
		{"card00", "hwtype", "14\n"},
		{"card00", "modalias", "ap:t0E\n"},
		{"card00", "ap_functions", "0x92808000\n"},
		{"card02", "serialnr", "93AABE14EP110001\n"},
		{"card02", "API_ordinalnr", "6\n"},
		{"card02", "FW_version", "8.36\n"},
		{"card02", "op_modes", "FIPS2009 BSI2009\n"},
		{"00.0011", "online", "1\n"},
		{"00.0011", "states", "OPERATING [IDLE]\n"},
		{"02.0011", "mkvps",
		 "WK CUR: valid 0x01d0fabd251fcbbe2b93b4b927b26ad2a1a99077152e45ded1e678afa45dbec5\nWK NEW: empty -\n"},
		{"00.0011", "mkvps",
		 "AES NEW: empty 0x0000000000000000\nAES CUR: valid 0xad83447e1179d22a\nAES OLD: invalid "
		 "0x0000000000000000\n"
		 "APKA NEW: empty 0x0000000000000000\nAPKA CUR: invalid 0x0000000000000000\nAPKA OLD: invalid "
		 "0x0000000000000000\n"
		 "ASYM NEW: empty 0x00000000000000000000000000000000\nASYM CUR: invalid "
		 "0x00000000000000000000000000000000\n"
		 "ASYM OLD: invalid 0x00000000000000000000000000000000\n"},
	};
	FILE *null = fopen("/dev/null", "w");

	assert_non_null(null);
	for (size_t i = 0; i < ARRAY_SIZE(is); i++)
		assert_attr(*state, is[i].device, is[i].name, is[i].text);
	assert_int_equal(sim_attr_show(*state, "card00", "API_ordinalnr", null), -ENOENT);	/* EP11 has it */
	assert_int_equal(sim_attr_show(*state, "03.0011", "mkvps", null), -ENOENT);
	assert_int_equal(sim_attr_show(*state, "card01", "type", null), -ENODEV);
	assert_int_equal(sim_attr_show(*state, "card00x", "type", null), -ENODEV);
	assert_int_equal(sim_attr_show(*state, "00.0013", "online", null), -ENODEV);
	assert_int_equal(sim_attr_show(*state, "card00", "sim", null), -EACCES);
	assert_int_equal(sim_attr_store(*state, "card00", "type", "x"), -EACCES);
	assert_int_equal(fclose(null), 0);
}

static void switching(void **state)
{
	struct sim *s = *state;

	assert_int_equal(sim_attr_store(s, "card00", "online", "0\n"), 1);
	assert_attr(s, "00.0012", "online", "0\n");			/* with its queues */
	assert_int_equal(sim_attr_store(s, "00.0012", "online", "1\n"), -EINVAL);
	assert_int_equal(sim_attr_store(s, "card00", "online", "2"), -EINVAL);
	assert_int_equal(sim_attr_store(s, "card00", "online", ""), -EINVAL);
	assert_int_equal(sim_attr_store(s, "card00", "online", "1"), 1);
	assert_attr(s, "00.0012", "online", "1\n");
	assert_int_equal(sim_attr_store(s, "00.0012", "online", "0"), 1);
	assert_attr(s, "card00", "online", "1\n");
	assert_attr(s, "00.0012", "mkvps",
		    "AES NEW: - -\nAES CUR: - -\nAES OLD: - -\nAPKA NEW: - -\nAPKA CUR: - -\nAPKA OLD: - -\n"
		    "ASYM NEW: - -\nASYM CUR: - -\nASYM OLD: - -\n");
	assert_int_equal(sim_attr_store(s, "card02", "config", "0"), 1);
	assert_attr(s, "02.0011", "config", "0\n");
	assert_attr(s, "card02", "online", "0\n");
	assert_int_equal(sim_attr_store(s, "card02", "online", "1"), -ENODEV);
	assert_int_equal(sim_attr_store(s, "02.0011", "config", "1"), -EACCES);		/* only cards have that switch */
	assert_int_equal(sim_attr_store(s, "00.0011", "sim", "checkstop 1"), 1);
	assert_attr(s, "00.0011", "chkstop", "1\n");
	assert_attr(s, "00.0011", "states", "CHECKSTOPPED [IDLE]\n");
	assert_int_equal(sim_attr_store(s, "00.0011", "online", "1"), -ENODEV);
	assert_int_equal(sim_attr_store(s, "", "ap_domain", "17"), 0);
	assert_attr(s, "", "ap_domain", "17\n");
	assert_int_equal(sim_attr_store(s, "", "ap_domain", "85"), -EINVAL);
}

static void control(void **state)
{
	static const char part[] = "new-part 0200000000000000000000000000000000000000000000000000000000000000";
	static const struct sim_apqn id = { 2, 0x11 };
	struct sim *s = *state;
	struct sim_queue *q = sim_queue_find(s, id);

	assert_int_equal(sim_attr_store(s, "02.0011", "sim", part), 1);
	assert_attr(s, "02.0011", "mkvps",
		    "WK CUR: valid 0x01d0fabd251fcbbe2b93b4b927b26ad2a1a99077152e45ded1e678afa45dbec5\n"
		    "WK NEW: uncommitted 0x5778f985db754c6628691f56fadae50c65fddbe8eb2e93039633fefa05d45e31\n");
	assert_int_equal(sim_attr_store(s, "02.0011", "sim", "activate"), -EINVAL);
	assert_int_equal(sim_attr_store(s, "02.0011", "sim", "commit"), 1);
	assert_int_equal(sim_attr_store(s, "02.0011", "sim", "activate\n"), 1);
	assert_attr(s, "02.0011", "mkvps",
		    "WK CUR: valid 0x5778f985db754c6628691f56fadae50c65fddbe8eb2e93039633fefa05d45e31\nWK NEW: empty -\n");
	assert_int_equal(sim_attr_store(s, "02.0011", "sim", "new 00"), -EINVAL);
	assert_int_equal(sim_attr_store(s, "02.0011", "sim", "fail 2 EBUSY 3"), 1);
	assert_int_equal(q->fault.after, 2);
	assert_int_equal(q->fault.error, EBUSY);
	assert_int_equal(q->fault.count, 3);
	assert_int_equal(sim_attr_store(s, "02.0011", "sim", "fail 2 EWHAT"), -EINVAL);
	assert_int_equal(sim_attr_store(s, "02.0011", "sim", "nonsense"), -EINVAL);
	assert_int_equal(sim_attr_store(s, "card02", "sim", "activate"), -EINVAL);
}

static void described(void **state)
{
	AUTO_FREE char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(sim_device_describe(*state, "02.0011", f), 0);
	assert_int_equal(fclose(f), 0);
	assert_non_null(strstr(text, "name 02.0011\nparent card02\ndriver cex4queue\nenv MODE=ep11\n"));
	assert_non_null(strstr(text, "attr 0444 mkvps\n"));
	assert_non_null(strstr(text, "attr 0644 online\n"));
	assert_non_null(strstr(text, "attr 0200 sim\n"));
	assert_null(strstr(text, "serialnr"));
}

#define T(f) cmocka_unit_test_setup(f, machine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(first_generation), T(generate),  T(apqn_lists), T(protect),
		T(attributes),	     T(switching), T(control),	  T(described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
