// SPDX-License-Identifier: MIT
#include "lib/repo.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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
	assert_int_equal(file_read_at(dir, name, INFO_MAX, ret, &e), 0);
}

/* What zkey wrote comes back byte by byte: order, hash and all. */
static void zkey_files(void **state)
{
	static const char *const names[] = { "cbc_cipher.info", "xts_cipher.info", "xts_data.info", "xts_ep11.info" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_BLOB struct blob text = { 0 }, again = { 0 };
		struct props p = { 0 };
		struct err e;

		read_fixture(names[i], &text);
		assert_int_equal(props_parse((char *)text.data, text.len, &p, &e), 0);
		assert_string_equal(props_get(&p, "iv-mode"), "plain64");
		assert_null(props_get(&p, "__hash__"));
		assert_int_equal(props_format(&p, &again, &e), 0);
		assert_int_equal(again.len, text.len);
		assert_memory_equal(again.data, text.data, text.len);
		props_done(&p);
	}
}

static void damage(void **state)
{
	AUTO_BLOB struct blob text = { 0 };
	struct props p = { 0 };
	struct err e;

	(void)state;
	read_fixture("xts_cipher.info", &text);
	for (size_t len = 0; len < text.len; len++)
		assert_int_equal(props_parse((char *)text.data, len, &p, &e), -EBADMSG);
	for (size_t bit = 0; bit < 8 * text.len; bit++) {
		text.data[bit / 8] ^= (unsigned char)(1U << bit % 8);
		assert_int_equal(props_parse((char *)text.data, text.len, &p, &e), -EBADMSG);
		text.data[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
	assert_null(p.v);
}

static void lines(void **state)
{
	static const char *const bad[] = { "a=b", "no property\n", "=x\n", "a=1\na=2\n" };
	struct props p = { 0 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(props_parse_lines(bad[i], strlen(bad[i]), &p, &e), -EBADMSG);
	assert_int_equal(props_parse_lines("a=\0b\n", 5, &p, &e), -EBADMSG);
	assert_int_equal(props_parse_lines("# c\n\nab=1=2\na=3\n__hash__=x\n", 27, &p, &e), 0);
	assert_int_equal(p.n, 2);
	assert_string_equal(props_get(&p, "ab"), "1=2");
	assert_string_equal(props_get(&p, "a"), "3");
	props_done(&p);
}

static void line_length(void **state)
{
	char text[INFO_LINE_MAX + 3];
	struct props p = { 0 };
	struct err e;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[1] = '=';
	text[INFO_LINE_MAX] = '\n';
	assert_int_equal(props_parse_lines(text, INFO_LINE_MAX + 1, &p, &e), 0);
	props_done(&p);
	text[INFO_LINE_MAX] = 'x';
	text[INFO_LINE_MAX + 1] = '\n';
	assert_int_equal(props_parse_lines(text, INFO_LINE_MAX + 2, &p, &e), -EBADMSG);
	text[INFO_LINE_MAX + 1] = '\0';
	assert_int_equal(props_set(&p, "x", text + 2, &e), -E2BIG);
	text[INFO_LINE_MAX] = '\0';
	assert_int_equal(props_set(&p, "x", text + 2, &e), 0);
	props_done(&p);
}

static void set(void **state)
{
	struct props p = { 0 };
	struct err e;
	char key[16];

	(void)state;
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(props_set(&p, key, "v", &e), 0);
	}
	assert_int_equal(props_set(&p, "k7", "new", &e), 0);
	assert_string_equal(p.v[7].value, "new");
	assert_int_equal(props_set(&p, "k7", NULL, &e), 0);
	assert_int_equal(props_set(&p, "k7", NULL, &e), 0);
	assert_int_equal(p.n, 99);
	assert_string_equal(p.v[7].key, "k8");
	assert_int_equal(props_set(&p, "a=b", "", &e), -EINVAL);
	assert_int_equal(props_set(&p, "a\nb", "", &e), -EINVAL);
	assert_int_equal(props_set(&p, "", "", &e), -EINVAL);
	assert_int_equal(props_set(&p, "#a", "", &e), -EINVAL);
	assert_int_equal(props_set(&p, "__hash__", "", &e), -EINVAL);
	assert_int_equal(props_set(&p, "a", "1\n2", &e), -EINVAL);
	assert_int_equal(p.n, 99);
	props_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zkey_files), cmocka_unit_test(damage), cmocka_unit_test(lines), cmocka_unit_test(line_length),
		cmocka_unit_test(set),
	};

	return cmocka_run_group_tests_name("props", tests, NULL, NULL);
}
