// SPDX-License-Identifier: MIT
#include "backends/soft/tsk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/secret.h"

static const unsigned char root[ROOT_KEY] = "the root key of the keystore....";

/* PASSPHRASE NULL: a plain slot; 32 bytes: one of a trusted system key. The cheapest scrypt there is. */
static void make(const char *passphrase, struct secret *ret)
{
	bool tsk = passphrase && strlen(passphrase) == TSK_KEY;
	struct slot s = { .type = tsk ? SLOT_TSK : passphrase ? SLOT_PASSPHRASE : SLOT_PLAIN,
			  .system = "system's uuid...", .epoch = 9 };
	AUTO_SECRET struct secret p = { 0 };
	struct err e;

	if (passphrase) {
		s.cost = tsk ? (struct slot_cost){ 0 } : (struct slot_cost){ 1, 1, 1 };
		assert_int_equal(secret_copy(&p, passphrase, strlen(passphrase), &e), 0);
	}
	assert_int_equal(slot_make(&s, root, &p, ret, &e), 0);
	assert_int_equal(ret->len, SLOT_HEADER + (tsk ? TSK_PAYLOAD : ROOT_KEY));
}

/* What the types are given. */
static const char *const given[] = { NULL, "secret", "the key that the admin keeps him" };
static const char *const wrong[] = { NULL, "Secret", "the key that the admin keeps her" };

static int reopen(const void *data, size_t len, const char *with, unsigned char *ret)
{
	AUTO_SECRET struct secret p = { 0 };
	struct err e = { 0 };
	struct slot s;
	int r = slot_parse(data, len, &s, &e);

	assert_int_equal(secret_copy(&p, with ? with : "", with ? strlen(with) : 0, &e), 0);
	return r < 0 ? r : slot_open(data, &s, &p, ret, &e);
}

static void there_and_back(void **state)
{
	static const unsigned char nothing[ROOT_KEY];

	(void)state;
	for (size_t type = 0; type < ARRAY_SIZE(given); type++) {
		AUTO_SECRET struct secret f = { 0 };
		unsigned char got[ROOT_KEY] = { 0 };
		struct slot s;
		struct err e;

		make(given[type], &f);
		assert_int_equal(reopen(f.data, f.len, given[type], got), 0);
		assert_memory_equal(got, root, ROOT_KEY);
		assert_int_equal(slot_parse(f.data, f.len, &s, &e), 0);
		assert_int_equal(s.epoch, 9);
		assert_memory_equal(s.system, "system's uuid...", 16);
		assert_int_equal(memcmp(f.data + SLOT_HEADER, root, ROOT_KEY) == 0, !given[type]);
		if (given[type]) {
			assert_int_equal(reopen(f.data, f.len, wrong[type], got), -EACCES);
			assert_memory_equal(got, nothing, ROOT_KEY);
		}
	}
}

static void every_bit_counts(void **state)
{
	unsigned char got[ROOT_KEY];

	(void)state;
	for (size_t type = 0; type < ARRAY_SIZE(given); type++) {
		AUTO_SECRET struct secret f = { 0 };

		make(given[type], &f);
		for (unsigned bit = 0; bit < 8 * f.len; bit++) {
			f.data[bit / 8] ^= (unsigned char)(1U << bit % 8);
			assert_int_equal(reopen(f.data, f.len, given[type], got), -EBADMSG);
			f.data[bit / 8] ^= (unsigned char)(1U << bit % 8);
		}
	}
}

/* Who can compute the checksum, but has not the key, is refused as well. */
static void every_header_bit_is_authenticated(void **state)
{
	unsigned char got[ROOT_KEY];
	struct err e;

	(void)state;
	for (size_t type = 0; type < ARRAY_SIZE(given); type++) {
		AUTO_SECRET struct secret f = { 0 }, g = { 0 };

		make(given[type], &f);
		assert_int_equal(secret_copy(&g, f.data, f.len, &e), 0);
		for (unsigned bit = 0; bit < 8 * f.len; bit++) {
			unsigned char *p = g.data;
			int r;

			if (bit / 8 >= 112 && bit / 8 < 144)
				continue;	/* the checksum itself */
			memcpy(p, f.data, f.len);
			p[bit / 8] ^= (unsigned char)(1U << bit % 8);
			memset(p + 112, 0, 32);
			assert_int_equal(crypto_sha256(p, g.len, p + 112, &e), 0);
			if (be_get(p + 56, 2) > 10)	/* a cost that is allowed and would take its time */
				continue;
			r = reopen(p, g.len, given[type], got);
			assert_true(r == -EBADMSG || (given[type] && r == -EACCES) || r == -EOPNOTSUPP);
		}
	}
}

static void every_truncation_is_refused(void **state)
{
	AUTO_SECRET struct secret f = { 0 };
	unsigned char got[ROOT_KEY];
	struct err e;

	(void)state;
	make(NULL, &f);
	for (size_t len = 0; len < f.len; len++) {
		AUTO_BLOB struct blob cut = { 0 };

		assert_int_equal(blob_copy(&cut, f.data, len, &e), 0);
		assert_int_equal(reopen(cut.data, len, "", got), -EBADMSG);
	}
}

/* A hostile slot cannot make us compute for hours: the bounds stand before the first use. */
static void cost_is_bounded(void **state)
{
	static const struct { struct slot_cost cost; bool good; } cases[] = {
		{ { 20, 16, 4 }, true }, { { 1, 1, 1 }, true }, { { 0, 8, 1 }, false }, { { 21, 8, 1 }, false },
		{ { 14, 0, 1 }, false }, { { 14, 17, 1 }, false }, { { 14, 8, 0 }, false }, { { 14, 8, 5 }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_SECRET struct secret f = { 0 };
		struct slot s;
		struct err e;

		make("secret", &f);
		be_put(f.data + 56, cases[i].cost.log_n, 2);
		be_put(f.data + 58, cases[i].cost.r, 2);
		be_put(f.data + 60, cases[i].cost.p, 2);
		memset(f.data + 112, 0, 32);
		assert_int_equal(crypto_sha256(f.data, f.len, f.data + 112, &e), 0);
		assert_int_equal(slot_parse(f.data, f.len, &s, &e), cases[i].good ? 0 : -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(every_header_bit_is_authenticated), cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(cost_is_bounded),
	};

	return cmocka_run_group_tests_name("slot", tests, NULL, NULL);
}
