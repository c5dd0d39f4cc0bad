// SPDX-License-Identifier: MIT
#include "lib/crypto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/secret.h"

static void bytes(unsigned char *p, unsigned first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(first + i);
}

static void assert_hex(const void *p, size_t n, const char *want)
{
	char got[2 * 64 + 1];

	assert_in_range(n, 1, 64);
	hex_encode(p, n, got);
	assert_string_equal(got, want);
}

static void hkdf_vectors(void **state)
{
	unsigned char root[32], uuid[16], salt[32], out[32], info[25] = "hwkey-pks/1 store";
	struct err e;

	(void)state;
	bytes(root, 0, 32);
	bytes(uuid, 0x10, 16);
	bytes(salt, 0x80, 32);
	assert_int_equal(crypto_hkdf(root, 32, "", 0, "hwkey-pks/1 root-id", 19, out, 16, &e), 0);
	assert_hex(out, 16, "8641f467cb8db611503efcffde533dc9");
	assert_int_equal(crypto_hkdf(root, 32, uuid, 16, "hwkey-pks/1 partition", 21, out, 32, &e), 0);
	assert_hex(out, 32, "249a0e57803213877b736238299d73bebd7dc877c3b0e0febb29b619623a880d");
	be_put(info + 17, 7, 8);
	assert_int_equal(crypto_hkdf(out, 32, salt, 32, info, 25, out, 32, &e), 0);
	assert_hex(out, 32, "be1b6edb120c45064fbee94d2d5cfc9ee50adcd65c0bdc798dc41e556068fded");
}

/* RFC 7914, section 12, vector 2 (32 of its 64 bytes: a KDF's output is a prefix of the longer one). */
static void scrypt_vector(void **state)
{
	AUTO_SECRET struct secret pass = { 0 };
	unsigned char out[32];
	struct err e;

	(void)state;
	assert_int_equal(secret_copy(&pass, "password", 8, &e), 0);
	assert_int_equal(crypto_scrypt(&pass, "NaCl", 4, 10, 8, 16, out, &e), 0);
	assert_hex(out, 32, "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162");
	assert_int_equal(crypto_scrypt(&pass, "NaCl", 4, 0, 8, 16, out, &e), -EBADMSG);
	assert_int_equal(crypto_scrypt(&pass, "NaCl", 4, 64, 8, 16, out, &e), -EBADMSG);
	assert_int_equal(crypto_scrypt(&pass, "NaCl", 4, 10, 0, 16, out, &e), -EBADMSG);
}

/* The GCM specification's test case 14, and what must be refused. */
static void gcm(void **state)
{
	static const unsigned char zero[32];
	unsigned char out[16], tag[16], clear[16];
	struct err e;

	(void)state;
	assert_int_equal(crypto_seal(zero, zero, NULL, 0, zero, 16, out, tag, &e), 0);
	assert_hex(out, 16, "cea7403d4d606b6e074ec5d3baf39d18");
	assert_hex(tag, 16, "d0d1c8a799996bf0265b98b5d48ab919");
	assert_int_equal(crypto_open(zero, zero, NULL, 0, out, 16, tag, clear, &e), 0);
	assert_memory_equal(clear, zero, 16);
	assert_int_equal(crypto_open(zero, zero, NULL, 0, out, 15, tag, clear, &e), -EBADMSG);
	assert_int_equal(crypto_open(zero, zero, "x", 1, out, 16, tag, clear, &e), -EBADMSG);
	for (unsigned bit = 0; bit < 128; bit++) {
		memset(clear, 0xaa, 16);
		tag[bit / 8] ^= (unsigned char)(1U << bit % 8);
		assert_int_equal(crypto_open(zero, zero, NULL, 0, out, 16, tag, clear, &e), -EBADMSG);
		assert_memory_equal(clear, zero, 16);	/* wiped */
		tag[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
	/* nothing but authenticated data */
	assert_int_equal(crypto_seal(zero, zero, "header", 6, NULL, 0, NULL, tag, &e), 0);
	assert_int_equal(crypto_open(zero, zero, "header", 6, NULL, 0, tag, NULL, &e), 0);
	assert_int_equal(crypto_open(zero, zero, "headeR", 6, NULL, 0, tag, NULL, &e), -EBADMSG);
	/* in place */
	memcpy(clear, "sixteen bytes...", 16);
	assert_int_equal(crypto_seal(zero, zero, NULL, 0, clear, 16, clear, tag, &e), 0);
	assert_int_equal(crypto_open(zero, zero, NULL, 0, clear, 16, tag, clear, &e), 0);
	assert_memory_equal(clear, "sixteen bytes...", 16);
}

static void sha256(void **state)
{
	unsigned char out[32];
	struct err e;

	(void)state;
	assert_int_equal(crypto_sha256("abc", 3, out, &e), 0);
	assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(crypto_equal("ab", "ab", 2));
	assert_false(crypto_equal("ab", "aB", 2));
}

static void base64(void **state)
{
	static const struct { const char *clear, *text; } good[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "foobar", "Zm9vYmFy" },
	};
	static const char *const bad[] = {
		"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "=Zg=", "====", "Zm 9", " Zm9v===", "Zm9v\n\n\n\n", "Zg==Zg==", "Zm9-",
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		AUTO_BLOB struct blob t = { 0 }, b = { 0 };
		AUTO_SECRET struct secret s = { 0 }, st = { 0 };

		assert_int_equal(base64_encode(good[i].clear, strlen(good[i].clear), &t, &e), 0);
		assert_string_equal((char *)t.data, good[i].text);
		assert_int_equal(t.len, strlen(good[i].text));
		assert_int_equal(base64_decode(good[i].text, t.len, &b, &e), 0);
		assert_int_equal(b.len, strlen(good[i].clear));
		assert_memory_equal(b.data, good[i].clear, b.len);
		assert_int_equal(secret_copy(&s, good[i].clear, strlen(good[i].clear), &e), 0);
		assert_int_equal(base64_encode_secret(&s, &st, &e), 0);
		assert_int_equal(st.len, t.len);
		assert_memory_equal(st.data, t.data, t.len);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_BLOB struct blob b = { 0 };

		assert_int_equal(base64_decode(bad[i], strlen(bad[i]), &b, &e), -EBADMSG);
		assert_null(b.data);
	}
}

/* The first two were measured through zkey itself. */
static void patterns(void **state)
{
	static const struct { size_t len; bool xts; const char *vp; } good[] = {
		{ 64, true, "cd6b103236fbd87dba93e9001e29bc3d5e885d6abd1577e3e0e0a5f49e444894" },
		{ 32, false, "f29000b62a499fd0a9f39a6add2e7780d4e96925c0bfcffb52f8a187ee774aab" },
	};
	unsigned char key[64];
	char vp[65];
	struct err e;

	(void)state;
	bytes(key, 0, 64);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		AUTO_SECRET struct secret s = { 0 };

		assert_int_equal(secret_copy(&s, key, good[i].len, &e), 0);
		assert_int_equal(crypto_pattern(&s, good[i].xts, vp, &e), 0);
		assert_string_equal(vp, good[i].vp);
	}
	for (size_t len = 0; len <= 64; len++) {
		AUTO_SECRET struct secret s = { 0 };

		assert_int_equal(secret_copy(&s, key, len, &e), 0);
		assert_int_equal(crypto_pattern(&s, false, vp, &e) == 0, len == 16 || len == 24 || len == 32);
		assert_int_equal(crypto_pattern(&s, true, vp, &e) == 0, len == 32 || len == 48 || len == 64);
	}
}

/* IEEE 1619-2007, XTS-AES applied to zeros with equal (zero) halves: vector 1. */
static void pattern_equal_halves(void **state)
{
	static const unsigned char zero[32];
	AUTO_SECRET struct secret s = { 0 };
	char vp[65];
	struct err e;

	(void)state;
	assert_int_equal(secret_copy(&s, zero, 32, &e), 0);
	assert_int_equal(crypto_pattern(&s, true, vp, &e), 0);
	assert_string_equal(vp, "917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hkdf_vectors), cmocka_unit_test(scrypt_vector), cmocka_unit_test(gcm),
		cmocka_unit_test(sha256), cmocka_unit_test(base64), cmocka_unit_test(patterns),
		cmocka_unit_test(pattern_equal_halves),
	};

	return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
