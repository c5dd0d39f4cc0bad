// SPDX-License-Identifier: MIT
/* The header of sealed data. */
#include "lib/seal/seal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/blob.h"
#include "lib/err.h"

#define B "backend: soft\n"
#define D "device: local\n"
#define C "created: 2025-01-31T12:00:00Z\n"
#define L "label: Schl\xc3\xbcssel no. 1\n"
#define S "salt: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
#define K "key: AAAA\n"
#define V "hwkey-sealed/1\n"

static void good_headers(void **state)
{
	static const char *const texts[] = { V B D C L S K "---\n", V B D C S K "---\nbody" };
	struct sealed_header h;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_BLOB struct blob again = { 0 };

		assert_int_equal(sealed_parse(texts[i], strlen(texts[i]), &h, &e), 0);
		assert_string_equal(h.backend, "soft");
		assert_string_equal(h.device, "local");
		assert_string_equal(h.created, "2025-01-31T12:00:00Z");
		assert_string_equal(h.label, i ? "" : "Schl\xc3\xbcssel no. 1");
		assert_int_equal(h.salt[31], 0xff);
		assert_int_equal(h.key_len, 4);
		assert_memory_equal(h.key, "AAAA", 4);
		assert_string_equal(texts[i] + h.len, i ? "body" : "");
		assert_int_equal(sealed_format(&h, &again, &e), 0);
		assert_int_equal(again.len, h.bound);
		assert_memory_equal(again.data, texts[i], h.bound);
	}
}

static void bad_headers(void **state)
{
	static const struct {
		int code;
		const char *text;
	} bad[] = {
		{ EBADMSG, "" }, { EBADMSG, "hwkey" }, { EBADMSG, "\x7f" "ELF" },
		{ EBADMSG, " " V B D C S K "---\n" }, { EBADMSG, "\xef\xbb\xbf" V B D C S K "---\n" },
		{ EOPNOTSUPP, "hwkey-sealed/2\n" }, { EOPNOTSUPP, "hwkey-sealed/10\n" B D C S K "---\n" },
		{ EBADMSG, "hwkey-sealed/0\n" B D C S K "---\n" }, { EBADMSG, "hwkey-sealed/01\n" B D C S K "---\n" },
		{ EBADMSG, "hwkey-sealed/\n" B D C S K "---\n" }, { EBADMSG, "hwkey-sealed/1 \n" B D C S K "---\n" },
		{ EBADMSG, "hwkey-sealed/1\r\n" B D C S K "---\n" },
		{ EBADMSG, "hwkey-sealed/4294967297\n" B D C S K "---\n" },
		{ EBADMSG, V D B C S K "---\n" }, { EBADMSG, V B B D C S K "---\n" }, { EBADMSG, V B D C L L S K "---\n" },
		{ EBADMSG, V B D L C S K "---\n" }, { EBADMSG, V B D C S S K "---\n" }, { EBADMSG, V B D C S K K "---\n" },
		{ EBADMSG, V B D C S "x: y\n" K "---\n" }, { EBADMSG, V B D C S K "x: y\n---\n" },
		{ EBADMSG, V B D C S K "---" }, { EBADMSG, V B D C S K "----\n" },
		{ EBADMSG, V B D C S K "\n---\n" }, { EBADMSG, V "\n" B D C S K "---\n" },
		{ EBADMSG, V "Backend: soft\n" D C S K "---\n" }, { EBADMSG, V "backend:soft\n" D C S K "---\n" },
		{ EBADMSG, V "backend: \n" D C S K "---\n" }, { EBADMSG, V "backend:  soft\n" D C S K "---\n" },
		{ EBADMSG, V "backend: soft \n" D C S K "---\n" }, { EBADMSG, V "backend: soft\r\n" D C S K "---\n" },
		{ EBADMSG, V "backend: soft\t\n" D C S K "---\n" },
		{ EBADMSG, V "backend: 0123456789abcdef0123456789abcdef\n" D C S K "---\n" },
		{ EBADMSG, V B D C "label: \n" S K "---\n" }, { EBADMSG, V B D C "label: \x1b[2J\n" S K "---\n" },
		{ EBADMSG, V B D C "label: \x7f.\n" S K "---\n" }, { EBADMSG, V B D C "label: \xff\n" S K "---\n" },
		{ EBADMSG, V B D C "label: \xc0\x80\n" S K "---\n" },		/* overlong */
		{ EBADMSG, V B D C "label: \xc2\x9b" "2J\n" S K "---\n" },	/* CSI */
		{ EBADMSG, V B D C "label: \xed\xa0\x80\n" S K "---\n" },	/* surrogate */
		{ EBADMSG, V B D C "label: \xf4\x90\x80\x80\n" S K "---\n" },	/* beyond Unicode */
		{ EBADMSG, V B D C "label: \xe2\x80\xa8\n" S K "---\n" },	/* line separator */
		{ EBADMSG, V B D C "label: \xe2\x82\n" S K "---\n" },		/* cut character */
		{ EBADMSG, V B D "created: 2025-01-31T12:00:00\n" S K "---\n" },
		{ EBADMSG, V B D "created: 2025-01-31 12:00:00Z\n" S K "---\n" },
		{ EBADMSG, V B D "created: 2025-0a-31T12:00:00Z\n" S K "---\n" },
		{ EBADMSG, V B D C "salt: 00\n" K "---\n" }, { EBADMSG, V B D C "salt: \n" K "---\n" },
		{ EBADMSG, V B D C "salt: 00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\n" K "---\n" },
		{ EBADMSG, V B D C "salt: 00112233445566778899gabbccddeeff00112233445566778899aabbccddeeff\n" K "---\n" },
		{ EBADMSG, V B D C S "key: \n---\n" }, { EBADMSG, V B D C S "---\n" }, { EBADMSG, V B D C S "key: AAAA" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sealed_header h = { .len = 7 };
		struct err e = { 0 };
		int r = sealed_parse(bad[i].text, strlen(bad[i].text), &h, &e);

		if (r != -bad[i].code || e.code != bad[i].code || h.len != 7)
			fail_msg("row %zu: %d '%s'", i, r, e.msg);
	}
}

static void long_fields_are_bounded(void **state)
{
	AUTO_BLOB struct blob text = { 0 };
	struct sealed_header h;
	struct err e = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(blob_alloc(&text, 2 * SEALED_HEADER_MAX, &e), 0);
	n = (size_t)sprintf((char *)text.data, V B D C "label: %0*d\n" S K "---\n", SEALED_LABEL_MAX, 1);
	assert_int_equal(sealed_parse(text.data, n, &h, &e), 0);
	n = (size_t)sprintf((char *)text.data, V B D C "label: %0*d\n" S K "---\n", SEALED_LABEL_MAX + 1, 1);
	assert_int_equal(sealed_parse(text.data, n, &h, &e), -EBADMSG);
	n = (size_t)sprintf((char *)text.data, V B D C S "key: %0*d\n---\n", SEALED_HEADER_MAX, 1);
	assert_int_equal(sealed_parse(text.data, n, &h, &e), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_headers), cmocka_unit_test(bad_headers), cmocka_unit_test(long_fields_are_bounded),
	};

	return cmocka_run_group_tests_name("sealed-header", tests, NULL, NULL);
}
