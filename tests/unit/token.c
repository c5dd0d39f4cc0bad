// SPDX-License-Identifier: MIT
#include "lib/token.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/backend.h"
#include "lib/blob.h"
#include "lib/err.h"

static size_t make(unsigned char *p, enum token_kind kind, unsigned bits, bool xts, size_t len)
{
	struct token t = { .kind = kind, .bits = bits, .xts = xts, .payload_len = len,
			   .partition = "partition's uuid", .wrapping_key = "wrapping key id." };

	memset(t.salt, 0x5a, sizeof(t.salt));
	token_format_header(&t, p);
	memset(p + TOKEN_HEADER, 0xcc, len + TOKEN_TAG);
	return TOKEN_HEADER + len + TOKEN_TAG;
}

static void there_and_back(void **state)
{
	unsigned char p[TOKEN_MAX];
	size_t len = make(p, TOKEN_KEY, 256, true, 64);
	struct token t;
	struct err e;

	(void)state;
	assert_int_equal(token_parse(p, len, &t, &e), 0);
	assert_int_equal(t.kind, TOKEN_KEY);
	assert_int_equal(t.bits, 256);
	assert_true(t.xts);
	assert_ptr_equal(t.payload, p + TOKEN_HEADER);
	assert_int_equal(t.payload_len, 64);
	assert_memory_equal(t.partition, "partition's uuid", 16);
	assert_memory_equal(t.wrapping_key, "wrapping key id.", 16);
}

static void shapes(void **state)
{
	static const struct { enum token_kind kind; unsigned bits; bool xts; size_t len; bool good; } cases[] = {
		{ TOKEN_KEY, 128, false, 16, true }, { TOKEN_KEY, 192, false, 24, true }, { TOKEN_KEY, 256, false, 32, true },
		{ TOKEN_KEY, 128, true, 32, true }, { TOKEN_KEY, 256, true, 32, false }, { TOKEN_KEY, 256, false, 64, false },
		{ TOKEN_KEY, 0, false, 32, false }, { TOKEN_KEY, 512, false, 64, false }, { TOKEN_SEALED, 0, false, 1, true },
		{ TOKEN_SEALED, 0, false, 1024, true }, { TOKEN_SEALED, 0, false, 1025, false }, { TOKEN_SEALED, 0, false, 0, false },
		{ TOKEN_SEALED, 256, false, 32, false }, { TOKEN_SEALED, 0, true, 32, false },
	};
	unsigned char p[TOKEN_MAX];
	struct token t;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = make(p, cases[i].kind, cases[i].bits, cases[i].xts, cases[i].len);

		assert_int_equal(token_parse(p, len, &t, &e), cases[i].good ? 0 : -EBADMSG);
		assert_int_equal(token_parse(p, len + 1, &t, &e), -EBADMSG);
	}
}

static void every_truncation_is_refused(void **state)
{
	unsigned char p[TOKEN_MAX];
	size_t whole = make(p, TOKEN_KEY, 256, false, 32);
	struct token t;
	struct err e;

	(void)state;
	for (size_t len = 0; len < whole; len++) {
		AUTO_BLOB struct blob cut = { 0 };

		assert_int_equal(blob_copy(&cut, p, len, &e), 0);
		assert_int_equal(token_parse(cut.data, len, &t, &e), -EBADMSG);
	}
}

/* The bits that are not random: magic, version, lengths, kind, AEAD, sizes, flags, unknown policies, zeros. */
static void every_fixed_bit_counts(void **state)
{
	unsigned char p[TOKEN_MAX];
	size_t len = make(p, TOKEN_KEY, 256, true, 64);
	struct token t;
	struct err e;

	(void)state;
	for (unsigned bit = 0; bit < 8 * TOKEN_HEADER; bit++) {
		if ((bit / 8 >= 16 && bit / 8 < 80) || (bit / 8 == 88 && bit % 8 >= 4 && bit % 8 < 7))
			continue;
		p[bit / 8] ^= (unsigned char)(1U << bit % 8);
		assert_int_equal(token_parse(p, len, &t, &e), -EBADMSG);
		p[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
}

static void policies(void **state)
{
	static const struct { uint32_t policy; bool good; } cases[] = {
		{ 0, true }, { POLICY_PWSET, true }, { POLICY_OSSECBOOTAUDIT, true }, { POLICY_OSSECBOOTENFORCE | POLICY_PWSET, true },
		{ POLICY_OSSECBOOTAUDIT | POLICY_OSSECBOOTENFORCE, false }, { POLICY_IMMUTABLE, false },
		{ POLICY_PWSET | POLICY_WORLDREADABLE, false }, { POLICY_WRAPPINGKEY, false }, { 0x80000000, false }, { 1, false },
	};
	unsigned char p[TOKEN_MAX];
	struct token t;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = make(p, TOKEN_SEALED, 0, false, 32);

		be_put(p + 88, cases[i].policy, 4);
		assert_int_equal(token_parse(p, len, &t, &e), cases[i].good ? 0 : -EBADMSG);
		if (cases[i].good)
			assert_int_equal(t.policy, cases[i].policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(shapes), cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_fixed_bit_counts), cmocka_unit_test(policies),
	};

	return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
