// SPDX-License-Identifier: MIT
/* The machine's text files, the batch reader, and the parsers of the AP bus's attributes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/ap.h"
#include "lib/cleanup.h"
#include "lib/env.h"
#include "lib/sys.h"

static char dir[] = "/tmp/hwkey-sys.XXXXXX";

static void put(const char *name, const char *data, size_t len)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	char big[100];

	(void)state;
	assert_non_null(mkdtemp(dir));
	memset(big, 'x', sizeof(big));
	put("one", "1\n", 2);
	put("bare", "1", 1);
	put("lines", "a\nb\n", 4);
	put("empty", "", 0);
	put("newline", "\n", 1);
	put("nul", "a\0b\n", 4);
	put("foreign", "\xff\x1b[31m\n", 7);
	put("full", big, WANT_SIZE - 1);
	put("over", big, WANT_SIZE);
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static const struct { const char *name, *text; } files[] = {
	{ "one", "1" }, { "bare", "1" }, { "lines", "a" }, { "empty", "" }, { "newline", "" }, { "nul", "a?b" },
	{ "foreign", "??[31m" }, { "full", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" }, { "over", "" }, { "none", "" },
};

static void attributes_are_lines_or_unknown(void **state)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY);
	char text[WANT_SIZE + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int r = attr_read(fd, files[i].name, text, sizeof(text));

		assert_string_equal(text, files[i].text);
		assert_true(files[i].text[0] ? r == (int)strlen(text) : r < 0);
	}
	assert_int_equal(attr_read(fd, "none", text, sizeof(text)), -ENOENT);
	assert_int_equal(attr_read(fd, "empty", text, sizeof(text)), -ENODATA);
	assert_int_equal(attr_read(fd, "over", text, 16), -EFBIG);
	assert_int_equal(attr_read_text(fd, "lines", text, sizeof(text)), 4);
	assert_string_equal(text, "a\nb\n");
}

static void a_batch_reads_the_same(void **state)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY);
	AUTO_CLOSE int other = open("/dev/null", O_RDONLY);

	(void)state;
	for (int aio = 0; aio < 2; aio++) {
		struct attr_batch b = { .asked = !aio };	/* without: as if the kernel had none */
		char text[3 * WANT_MAX][WANT_SIZE];

		for (size_t i = 0; i < ARRAY_SIZE(text); i++)
			attr_want(&b, fd, files[i % ARRAY_SIZE(files)].name, text[i]);
		attr_batch_done(&b);
		for (size_t i = 0; i < ARRAY_SIZE(text); i++)
			assert_string_equal(text[i], files[i % ARRAY_SIZE(files)].text);
	}
	assert_true(fcntl(other, F_GETFD) >= 0);		/* nobody else's descriptor was closed */
	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_int_equal(fcntl(other + 1, F_GETFD), -1);	/* and none of its own left open */
}

static void a_captured_machine_stands_before_everything(void **state)
{
	struct env env = { .sysroot = dir, .sysfs = "/nowhere" };
	AUTO_FREE char *names = NULL;
	char text[32];
	size_t n;
	long v;

	(void)state;
	assert_int_equal(sys_read(&env, "/one", text, sizeof(text)), 1);
	assert_int_equal(sys_read_number(&env, "/one", &v), 0);
	assert_int_equal(sys_read(&env, "/sys/one", text, sizeof(text)), -ENOENT);
	env = (struct env){ .sysfs = dir };
	assert_int_equal(sys_read(&env, "/sys/one", text, sizeof(text)), 1);
	assert_int_equal(sys_names(&env, "/sys/", &names, &n), 0);
	assert_int_equal(n, ARRAY_SIZE(files) - 1);
	assert_string_equal(names, "bare");
	env = (struct env){ 0 };
	assert_true(sys_exists(&env, "/proc/self"));
}

static void masks_are_whole_or_refused(void **state)
{
	char text[2 + 64 + 1] = "0x8";
	bool bits[AP_IDS];

	(void)state;
	memset(text + 3, '0', 62);
	text[65] = '1';
	assert_int_equal(ap_parse_mask(text, bits), 0);
	for (int i = 0; i < AP_IDS; i++)
		assert_int_equal(bits[i], i == 0 || i == 255);
	text[65] = 'g';
	assert_int_equal(ap_parse_mask(text, bits), -EINVAL);
	text[65] = '\0';
	assert_int_equal(ap_parse_mask(text, bits), -EINVAL);
	assert_int_equal(ap_parse_mask("", bits), -EINVAL);
}

static void ids(void **state)
{
	static const struct { const char *text; int r, card, domain; } rows[] = {
		{ "00", 0, 0, -1 }, { "fF", 0, 255, -1 }, { "3", 0, 3, -1 }, { "00.0011", 0, 0, 17 }, { ".0011", 0, -1, 17 },
		{ "", -EINVAL, 0, 0 }, { ".", -EINVAL, 0, 0 }, { "100", -EINVAL, 0, 0 }, { "00.0100", -EINVAL, 0, 0 },
		{ "00.", -EINVAL, 0, 0 }, { "00.11111", -EINVAL, 0, 0 }, { "../00", -EINVAL, 0, 0 }, { "card00", -EINVAL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int card = 0, domain = 0;

		assert_int_equal(ap_parse_id(rows[i].text, &card, &domain), rows[i].r);
		assert_int_equal(card, rows[i].card);
		assert_int_equal(domain, rows[i].domain);
	}
}

static void statuses(void **state)
{
	static const struct { const char *online, *config, *chkstop, *status, *want; } rows[] = {
		{ "1", "", "", "", "online" }, { "0", "1", "0", "", "offline" }, { "0", "0", "1", "", "deconfig" },
		{ "0", "1", "1", "", "chkstop" }, { "", "1", "0", "in use", "in use" }, { "", "", "", "", "" },
		{ "x", "?", "0", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[WANT_SIZE];

		ap_parse_status(rows[i].online, rows[i].config, rows[i].chkstop, rows[i].status, text);
		assert_string_equal(text, rows[i].want);
	}
}

static void registers(void **state)
{
	struct ap_register reg[AP_REGISTERS];

	(void)state;
	assert_int_equal(ap_parse_mkvps("AES NEW: partial 0x6a\nnonsense\nAES CUR: valid 0x71ecf46a35bd8924\nWK NEW: empty -\n- -\n", reg), 3);
	assert_string_equal(reg[0].state, "partial");
	assert_string_equal(reg[1].key, "AES");
	assert_string_equal(reg[1].which, "CUR");
	assert_string_equal(reg[1].pattern, "71ecf46a35bd8924");
	assert_string_equal(reg[2].key, "WK");
	assert_string_equal(reg[2].pattern, "");
	assert_int_equal(ap_parse_mkvps("AES CUR: - -", reg), 1);
	assert_string_equal(reg[0].state, "-");
	assert_int_equal(ap_parse_mkvps("", reg), 0);
	assert_int_equal(ap_parse_mkvps("AES CUR: valid\n: : : :\nAES CUR valid 0x1\nLONGNAMES CUR: valid 0x1\n", reg), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_are_lines_or_unknown),
		cmocka_unit_test(a_batch_reads_the_same),
		cmocka_unit_test(a_captured_machine_stands_before_everything),
		cmocka_unit_test(masks_are_whole_or_refused),
		cmocka_unit_test(ids),
		cmocka_unit_test(statuses),
		cmocka_unit_test(registers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
