// SPDX-License-Identifier: MIT
#include "lib/token.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/blob.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/module.h"

const char module_dir[] = "";

static void read_fixture(const char *name, struct blob *ret)
{
	AUTO_CLOSE int dir = open("tests/data/zkey-repository", O_RDONLY | O_DIRECTORY);
	struct err e;

	assert_true(dir >= 0);
	assert_int_equal(file_read_at(dir, name, TOKEN_MAX, ret, &e), 0);
}

static void zkey_tokens(void **state)
{
	static const struct { const char *file; enum key_type type; unsigned bits; bool xts; const char *pattern; } good[] = {
		{ "cbc_cipher.skey", KEY_CCA_AESCIPHER, 256, false, "71ecf46a35bd8924" },
		{ "xts_cipher.skey", KEY_CCA_AESCIPHER, 512, true, "71ecf46a35bd8924" },
		{ "xts_data.skey", KEY_CCA_AESDATA, 512, true, "71ecf46a35bd8924" },
		{ "xts_ep11.skey", KEY_EP11_AES, 512, true, "0af32f3e0ffc14bd2a2ea2efb34c22da" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		AUTO_BLOB struct blob b = { 0 };
		char hex[65];
		struct key k;
		struct err e;

		read_fixture(good[i].file, &b);
		assert_int_equal(key_parse(b.data, b.len, &k, &e), 0);
		assert_int_equal(k.type, good[i].type);
		assert_int_equal(k.bits, good[i].bits);
		assert_int_equal(k.xts, good[i].xts);
		hex_encode(k.pattern, k.pattern_len, hex);
		assert_string_equal(hex, good[i].pattern);
		for (size_t len = 0; len < b.len; len++)
			assert_int_equal(key_parse(b.data, len, &k, &e) == 0, good[i].xts && len == b.len / 2);
	}
}

/* Two keys, each whole, that do not make one XTS key. */
static void unequal_halves(void **state)
{
	static const struct { const char *file; size_t at; unsigned char bit; } changes[] = {
		{ "xts_data.skey", 64 + 8, 1 },			/* master-key pattern */
		{ "xts_data.skey", 64 + 4, 1 },			/* version */
		{ "xts_cipher.skey", 136 + 10, 0x80 },
		{ "xts_cipher.skey", 136 + 28, 1 },		/* payload format: bits not told */
		{ "xts_ep11.skey", 336 + 16 + 32, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		AUTO_BLOB struct blob b = { 0 };
		struct key k;
		struct err e;

		read_fixture(changes[i].file, &b);
		b.data[changes[i].at] ^= changes[i].bit;
		assert_int_equal(key_parse(b.data, b.len, &k, &e), -EBADMSG);
	}
}

static void old_ep11(void **state)
{
	unsigned char p[640] = { 0 };
	struct key k;
	struct err e;

	(void)state;
	be_put(p + 2, 320, 2);
	p[4] = 3;
	p[32] = 0xab;
	be_put(p + 64, 0x1234, 2);
	assert_int_equal(key_parse(p, 320, &k, &e), 0);
	assert_int_equal(k.type, KEY_EP11_AES);
	assert_int_equal(k.bits, 0);
	assert_int_equal(k.pattern[0], 0xab);
	memcpy(p + 320, p, 320);
	assert_int_equal(key_parse(p, 640, &k, &e), 0);
	assert_true(k.xts);
	be_put(p + 2, 321, 2);
	assert_int_equal(key_parse(p, 320, &k, &e), -EBADMSG);
}

static void pvsecrets(void **state)
{
	static const struct { unsigned type, bits; bool xts; } types[] = {
		{ 4, 128 }, { 5, 192 }, { 6, 256 }, { 7, 256, true }, { 8, 512, true }, { 2, 0 }, { 3, 0 }, { 9, 0 }, { 0xffff, 0 },
	};
	unsigned char p[44] = { [4] = 9, [12] = 0x77 };
	struct key k;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		be_put(p + 8, types[i].type, 2);
		assert_int_equal(key_parse(p, sizeof(p), &k, &e), types[i].bits ? 0 : -EBADMSG);
		if (types[i].bits) {
			assert_int_equal(k.bits, types[i].bits);
			assert_int_equal(k.xts, types[i].xts);
			assert_int_equal(k.pattern[0], 0x77);
		}
	}
}

static void own_token(void **state)
{
	unsigned char p[TOKEN_HEADER + 64 + TOKEN_TAG];
	struct token t = { .kind = TOKEN_KEY, .bits = 256, .xts = true, .payload_len = 64, .wrapping_key = { 0x42 } };
	struct key k;
	struct err e;

	(void)state;
	memset(p, 0xee, sizeof(p));
	token_format_header(&t, p);
	assert_int_equal(key_parse(p, sizeof(p), &k, &e), 0);
	assert_int_equal(k.type, KEY_LOCAL);
	assert_int_equal(k.bits, 512);
	assert_int_equal(k.pattern_len, 16);
	assert_int_equal(k.pattern[0], 0x42);
	assert_int_equal(key_parse(p, sizeof(p) - 1, &k, &e), -EBADMSG);
	t = (struct token){ .kind = TOKEN_SEALED, .payload_len = 64 };
	token_format_header(&t, p);
	assert_int_equal(key_parse(p, sizeof(p), &k, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "not a key"));
}

static void names(void **state)
{
	(void)state;
	for (enum key_type t = KEY_LOCAL; t <= KEY_TPM2; t++) {
		assert_true(key_type_name(t)[0] != '\0');
		assert_true(key_type_backend(t)[0] != '\0');
	}
	assert_string_equal(key_type_name(KEY_EP11_AES), "EP11-AES");
	assert_string_equal(key_type_backend(KEY_LOCAL), "soft");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zkey_tokens), cmocka_unit_test(unequal_halves), cmocka_unit_test(old_ep11),
		cmocka_unit_test(pvsecrets), cmocka_unit_test(own_token), cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
