// SPDX-License-Identifier: MIT
#include "lib/tpm-token.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* Beginnings of a TPMT_PUBLIC: type, name algorithm SHA-256, attributes, no policy, and something. */
static const unsigned char parent[] = { 0, 0x23, 0, 0xb, 0, 3, 4, 0x72, 0, 0, 1, 2, 3 };
static const unsigned char object[] = { 0, 8, 0, 0xb, 0, 0, 4, 0x12, 0, 0, 0, 0x10, 0, 0 };

static struct tpm_token sample(void)
{
	struct tpm_token t = { .kind = TOKEN_KEY, .bits = 256, .xts = true, .parent_handle = 0x81000001,
			       .parent = { parent, sizeof(parent) }, .public = { object, sizeof(object) },
			       .private = { (const unsigned char *)"private", 7 }, .machine = "sixteen octets.." };

	memset(t.salt, 0x5a, sizeof(t.salt));
	t.policy = (struct tpm_policy){ .pin = true, .n_branches = 2,
		.branch = { { TPM_SHA256, 1 << 7 | 1 << 11, { [7] = { 7 }, [11] = { 11 } } },
			    { TPM_SHA384, 1 << 23, { [23] = { 23, [47] = 1 } } } } };
	return t;
}

/* A whole token: LEN payload bytes and the tag, which only the TPM's backend can look into. */
static void build(const struct tpm_token *t, size_t len, struct blob *ret)
{
	AUTO_BLOB struct blob header = { 0 };
	struct err e;

	assert_int_equal(tpm_token_format_header(t, &header, &e), 0);
	assert_int_equal(blob_alloc(ret, header.len + 2 + len + TOKEN_TAG, &e), 0);
	memcpy(ret->data, header.data, header.len);
	be_put(ret->data + header.len, len, 2);
	memset(ret->data + header.len + 2, 0xcc, len + TOKEN_TAG);
}

static int parse(const struct blob *b)
{
	AUTO_TPM_TOKEN struct tpm_token t = { 0 };
	struct err e;

	return tpm_token_parse(b->data, b->len, &t, &e);
}

static void there_and_back(void **state)
{
	AUTO_TPM_TOKEN struct tpm_token t = { 0 };
	AUTO_BLOB struct blob b = { 0 };
	struct tpm_token from = sample();
	struct err e;

	(void)state;
	build(&from, 64, &b);
	assert_true(tpm_token_is(b.data, b.len));
	assert_int_equal(tpm_token_parse(b.data, b.len, &t, &e), 0);
	assert_int_equal(t.kind, TOKEN_KEY);
	assert_int_equal(t.bits, 256);
	assert_true(t.xts && !t.clear_bus && !t.imported);
	assert_int_equal(t.parent_handle, 0x81000001);
	assert_memory_equal(t.machine, from.machine, sizeof(t.machine));
	assert_memory_equal(t.salt, from.salt, sizeof(t.salt));
	assert_int_equal(t.parent.len, sizeof(parent));
	assert_memory_equal(t.parent.data, parent, sizeof(parent));
	assert_memory_equal(t.public.data, object, sizeof(object));
	assert_memory_equal(t.private.data, "private", 7);
	assert_int_equal(t.payload.len, 64);
	assert_ptr_equal(t.payload.data, b.data + t.aad_len + 2);
	assert_true(t.policy.pin);
	assert_int_equal(t.policy.n_branches, 2);
	assert_memory_equal(t.policy.branch, from.policy.branch, sizeof(from.policy.branch));
}

static void a_signed_policy_and_another_machine(void **state)
{
	AUTO_TPM_TOKEN struct tpm_token t = { 0 };
	AUTO_BLOB struct blob b = { 0 };
	struct tpm_token from = sample();
	unsigned char key[] = "a public key";
	struct err e;

	(void)state;
	from.imported = from.clear_bus = true;
	from.seed = (struct tpm_bytes){ (const unsigned char *)"seed", 4 };
	from.policy = (struct tpm_policy){ .public_key = { key, sizeof(key) }, .signed_bank = TPM_SHA256, .signed_pcrs = 1 << 11 };
	build(&from, 64, &b);
	assert_int_equal(tpm_token_parse(b.data, b.len, &t, &e), 0);
	assert_true(t.imported && t.clear_bus && !t.policy.pin);
	assert_memory_equal(t.seed.data, "seed", 4);
	assert_int_equal(t.policy.public_key.len, sizeof(key));
	assert_memory_equal(t.policy.public_key.data, key, sizeof(key));
	assert_int_equal(t.policy.signed_bank, TPM_SHA256);
	assert_int_equal(t.policy.signed_pcrs, 1 << 11);
	assert_int_equal(t.policy.n_branches, 0);
}

static void shapes(void **state)
{
	static const struct { enum token_kind kind; unsigned bits; bool xts; size_t len; bool good; } cases[] = {
		{ TOKEN_KEY, 128, false, 16, true }, { TOKEN_KEY, 192, false, 24, true }, { TOKEN_KEY, 128, true, 32, true },
		{ TOKEN_KEY, 256, true, 32, false }, { TOKEN_KEY, 256, false, 64, false }, { TOKEN_KEY, 0, false, 32, false },
		{ TOKEN_KEY, 512, false, 64, false }, { TOKEN_SEALED, 0, false, 1, true }, { TOKEN_SEALED, 0, false, 4096, true },
		{ TOKEN_SEALED, 0, false, 4097, false }, { TOKEN_SEALED, 0, false, 0, false }, { TOKEN_SEALED, 256, false, 32, false },
		{ TOKEN_SEALED, 0, true, 32, false }, { 0, 0, false, 32, false }, { 3, 0, false, 32, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BLOB struct blob b = { 0 };
		struct tpm_token t = sample();

		t.kind = cases[i].kind;
		t.bits = cases[i].bits;
		t.xts = cases[i].xts;
		build(&t, cases[i].len, &b);
		assert_int_equal(parse(&b), cases[i].good ? 0 : -EBADMSG);
	}
}

/* What a field may not be; each of them is written as it is. */
static void wrong_fields(void **state)
{
	static unsigned char key[] = "key";
	static const struct tpm_bytes none = { 0 }, seed = { key, 3 };
	struct { const char *what; struct tpm_token t; } cases[] = {
		{ "no parent", sample() }, { "a parent that is no key", sample() }, { "an object that is a key", sample() },
		{ "no object", sample() }, { "a seed", sample() }, { "no seed", sample() }, { "PCR 24", sample() },
		{ "no PCR", sample() }, { "signed: no PCR", sample() }, { "signed: no bank", sample() },
	};

	(void)state;
	cases[0].t.parent = none;
	cases[1].t.parent = cases[1].t.public;
	cases[2].t.public = cases[2].t.parent;
	cases[3].t.private = none;
	cases[4].t.seed = seed;
	cases[5].t.imported = true;
	cases[6].t.policy.branch[1].pcrs = 1 << 24;
	cases[7].t.policy.branch[1].pcrs = 0;
	cases[8].t.policy.public_key = cases[9].t.policy.public_key = (struct blob){ key, 3 };
	cases[8].t.policy.signed_bank = TPM_SHA256;
	cases[9].t.policy.signed_pcrs = 1;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BLOB struct blob b = { 0 };

		build(&cases[i].t, 64, &b);
		if (parse(&b) != -EBADMSG)
			fail_msg("took one with %s", cases[i].what);
	}
}

static void too_many_branches(void **state)
{
	AUTO_BLOB struct blob b = { 0 }, nine = { 0 };
	struct tpm_token t = sample();
	size_t branch = 6 + 32;
	unsigned char *length;
	struct err e;

	(void)state;
	t.policy.n_branches = TPM_BRANCHES;
	for (unsigned i = 0; i < TPM_BRANCHES; i++)
		t.policy.branch[i] = (struct tpm_branch){ .bank = TPM_SHA256, .pcrs = 1 };
	build(&t, 64, &b);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(blob_alloc(&nine, b.len + branch, &e), 0);
	memcpy(nine.data, b.data, b.len - 2 - 64 - TOKEN_TAG);
	memcpy(nine.data + b.len - 2 - 64 - TOKEN_TAG, b.data + b.len - 2 - 64 - TOKEN_TAG - branch, branch + 2 + 64 + TOKEN_TAG);
	memcpy(nine.data + b.len - 2 - 64 - TOKEN_TAG, nine.data + b.len - 2 - 64 - TOKEN_TAG - branch, branch);
	be_put(nine.data + nine.len - TOKEN_TAG - 64 - 2, 64, 2);
	length = nine.data + b.len - 2 - 64 - TOKEN_TAG - 8 * branch - 2;
	assert_int_equal(be_get(length, 2), 8 * branch);
	be_put(length, 9 * branch, 2);
	assert_int_equal(parse(&nine), -EBADMSG);
}

static void what_is_too_long_is_refused(void **state)
{
	AUTO_BLOB struct blob b = { 0 };
	unsigned char big[TPM_TOKEN_FIELD_MAX + 1] = { 0 };
	struct tpm_token t = sample();
	struct err e;

	(void)state;
	t.policy.n_branches = TPM_BRANCHES;
	for (unsigned i = 0; i < TPM_BRANCHES; i++)
		t.policy.branch[i] = (struct tpm_branch){ .bank = TPM_SHA512, .pcrs = 0xffffff };
	assert_int_equal(tpm_token_format_header(&t, &b, &e), -EMSGSIZE);
	t = sample();
	t.private = (struct tpm_bytes){ big, sizeof(big) };
	assert_int_equal(tpm_token_format_header(&t, &b, &e), -EMSGSIZE);
	t.private.len--;
	assert_int_equal(tpm_token_format_header(&t, &b, &e), 0);
}

static void every_other_length_is_refused(void **state)
{
	AUTO_BLOB struct blob whole = { 0 }, longer = { 0 };
	struct tpm_token t = sample();
	struct err e;

	(void)state;
	build(&t, 64, &whole);
	for (size_t len = 0; len < whole.len; len++) {
		AUTO_BLOB struct blob cut = { 0 };

		assert_int_equal(blob_copy(&cut, whole.data, len, &e), 0);
		assert_int_equal(parse(&cut), -EBADMSG);
	}
	assert_int_equal(blob_alloc(&longer, whole.len + 1, &e), 0);
	memcpy(longer.data, whole.data, whole.len);
	assert_int_equal(parse(&longer), -EBADMSG);
}

/* Of the fixed part: magic, version, kind, flags but those that mean something alone, bits. */
static void fixed_bits_count(void **state)
{
	AUTO_BLOB struct blob b = { 0 };
	struct tpm_token t = sample();

	(void)state;
	build(&t, 64, &b);
	for (unsigned bit = 0; bit < 8 * 16; bit++) {
		if (bit / 8 == 13 && (bit % 8 == 1 || bit % 8 == 2))	/* PIN, encrypted sessions */
			continue;
		b.data[bit / 8] ^= (unsigned char)(1U << bit % 8);
		assert_int_equal(parse(&b), -EBADMSG);
		b.data[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
	assert_int_equal(parse(&b), 0);
}

/* Its pattern: SHA-256 of the parent's public area. */
static void as_a_key(void **state)
{
	AUTO_BLOB struct blob b = { 0 }, sealed = { 0 };
	struct tpm_token t = sample();
	char hex[65];
	struct key k;
	struct err e;

	(void)state;
	build(&t, 64, &b);
	assert_int_equal(key_parse(b.data, b.len, &k, &e), 0);
	assert_int_equal(k.type, KEY_TPM2);
	assert_int_equal(k.bits, 512);
	assert_true(k.xts);
	hex_encode(k.pattern, k.pattern_len, hex);
	assert_string_equal(hex, "201245532cce7cf018d448f2f7b8557a5f4fe1eb2ca22d24c4bb24ce55d018e3");
	assert_int_equal(key_parse(b.data, b.len - 1, &k, &e), -EBADMSG);
	t.kind = TOKEN_SEALED;
	t.bits = 0;
	t.xts = false;
	build(&t, 64, &sealed);
	assert_int_equal(key_parse(sealed.data, sealed.len, &k, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "not a key"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(a_signed_policy_and_another_machine),
		cmocka_unit_test(shapes), cmocka_unit_test(wrong_fields), cmocka_unit_test(too_many_branches),
		cmocka_unit_test(what_is_too_long_is_refused), cmocka_unit_test(every_other_length_is_refused),
		cmocka_unit_test(fixed_bits_count), cmocka_unit_test(as_a_key),
	};

	return cmocka_run_group_tests_name("tpm-token", tests, NULL, NULL);
}
