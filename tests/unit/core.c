// SPDX-License-Identifier: MIT
/* err, blob, secret, opt: the small parts everything stands on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/opt.h"
#include "lib/secret.h"
#include "lib/utc.h"

static time_t clock_now;

time_t time(time_t *ret)
{
	if (ret)
		*ret = clock_now;
	return clock_now;
}

static void times_are_utc_or_none(void **state)
{
	char text[UTC_SIZE];
	struct err e;

	(void)state;
	clock_now = 1735689599;
	assert_int_equal(utc_now(text, &e), 0);
	assert_string_equal(text, "2024-12-31T23:59:59Z");
	clock_now = 253402300800;		/* 10000-01-01 */
	assert_int_equal(utc_now(text, &e), -ERANGE);
}

static void errors_have_their_exit_status(void **state)
{
	static const struct { int code, status; } table[] = {
		{ 0, 0 }, { EIO, 1 }, { EPROTO, 1 }, { EINVAL, 2 }, { ENOENT, 3 }, { ENOKEY, 3 }, { EACCES, 4 }, { EPERM, 4 },
		{ ENODEV, 5 }, { EOPNOTSUPP, 5 }, { ETIMEDOUT, 5 }, { EBADMSG, 6 }, { EEXIST, 7 }, { EBUSY, 7 },
		{ ENOSPC, 8 }, { EFBIG, 8 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(err_exit_status(table[i].code), table[i].status);
}

static void errors_are_prefixed_and_cut_not_overrun(void **state)
{
	struct err e = { 0 };
	char prefix[600];

	(void)state;
	assert_int_equal(err_set(&e, ENOENT, "no key '%s'", "x"), -ENOENT);
	assert_int_equal(err_prefix(&e, "list"), -ENOENT);
	assert_string_equal(e.msg, "list: no key 'x'");
	memset(prefix, 'p', sizeof(prefix) - 1);
	prefix[sizeof(prefix) - 1] = '\0';
	assert_int_equal(err_prefix(&e, "%s", prefix), -ENOENT);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	errno = EINVAL;		/* a system call's, not the user's */
	assert_int_equal(err_exit_status(-err_sys(&e, "x")), 1);
}

static void big_endian_and_hex(void **state)
{
	unsigned char b[8] = { 0 };
	char text[17];

	(void)state;
	be_put(b, 0x0102030405060708, 8);
	assert_memory_equal(b, "\1\2\3\4\5\6\7\10", 8);
	assert_int_equal(be_get(b + 1, 3), 0x020304);
	hex_encode(b, 8, text);
	assert_string_equal(text, "0102030405060708");
	assert_int_equal(hex_decode("fFa0", 4, b), 0);
	assert_memory_equal(b, "\xff\xa0", 2);
	assert_int_equal(hex_decode("fFa", 3, b), -EINVAL);
	assert_int_equal(hex_decode("fg", 2, b), -EINVAL);
}

static void secrets_are_read_whole_within_the_limit(void **state)
{
	AUTO_SECRET struct secret s = { 0 };
	struct err e = { 0 };
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "geheim", 6), 6);
	assert_int_equal(close(p[1]), 0);
	assert_int_equal(secret_read(&s, p[0], 6, &e), 0);
	assert_int_equal(s.len, 6);
	assert_memory_equal(s.data, "geheim", 6);
	assert_int_equal(close(p[0]), 0);
	secret_done(&s);
	assert_null(s.data);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "geheim", 6), 6);
	assert_int_equal(close(p[1]), 0);
	assert_int_equal(secret_read(&s, p[0], 5, &e), -EFBIG);
	assert_null(s.data);
	assert_int_equal(close(p[0]), 0);
}

static void secrets_have_room_of_their_own_which_is_zero(void **state)
{
	const size_t sizes[] = { 1, 64, 65, 4096, 132096, 100000, 100000, 1 << 20 };
	struct secret s[ARRAY_SIZE(sizes)] = { 0 };
	struct err e = { 0 };

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			assert_int_equal(secret_alloc(&s[i], sizes[i], &e), 0);
			assert_int_equal(s[i].size, sizes[i]);
			for (size_t n = 0; n < sizes[i]; n++)
				assert_int_equal(s[i].data[n], 0);
			memset(s[i].data, (int)i + 1, sizes[i]);
		}
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			assert_int_equal(s[i].data[0], i + 1);
			assert_int_equal(s[i].data[sizes[i] - 1], i + 1);
		}
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)	/* the last first, or the first first */
			secret_done(&s[round == 1 ? ARRAY_SIZE(sizes) - 1 - i : i]);
	}
}

#ifdef __SANITIZE_ADDRESS__
enum { HELD = 1000 };		/* each is a mapping of its own there */
#else
enum { HELD = 100000 };
#endif

/* Takes secrets filled with BYTE, and gives them back, many times: did each hold what it was filled with? */
static bool holds(int byte)
{
	struct secret s = { 0 };
	struct err e = { 0 };
	bool ok = true;

	for (unsigned i = 0; ok && i < HELD; i++) {
		ok = secret_alloc(&s, 64, &e) == 0;
		for (size_t n = 0; ok && n < 64; n++)
			*(volatile unsigned char *)&s.data[n] = (unsigned char)byte;
		for (size_t n = 0; ok && n < 64; n++)
			ok = *(volatile unsigned char *)&s.data[n] == byte;
		secret_done(&s);
	}
	return ok;
}

static void *thread(void *byte)
{
	return holds(*(const int *)byte) ? byte : NULL;
}

static void secrets_are_apart_from_those_of_a_child_and_of_other_threads(void **state)
{
	int bytes[4] = { 1, 2, 3, 4 }, status;
	struct secret before = { 0 };
	pthread_t threads[4];
	struct err e = { 0 };
	pid_t child;
	void *ok;

	(void)state;
	assert_int_equal(secret_alloc(&before, 64, &e), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(!holds(0xcc));
	assert_true(holds(0xaa));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread, &bytes[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &ok), 0);
		assert_non_null(ok);
	}
	secret_done(&before);
}

struct values { bool flag; char *text; uint32_t number; };

static const char *const colours[] = { "red", "blue", NULL };
static const struct opt rows[] = {
	OPT_FLAG(struct values, flag, "flag", 'f', "A flag"),
	OPT_STR(struct values, text, "text", 't', "TEXT", "A text", .choices = colours),
	OPT_U32(struct values, number, "number", 'n', "N", "A number"),
	{ 0 }
};

static int parse(const char **argv, struct values *v, int *ret_argc)
{
	const struct opt_group g = { rows, v };
	struct args args = { 0 };
	struct err e = { 0 };
	int argc = 0, r;

	while (argv[argc])
		argc++;
	r = opt_parse("test", argc, argv, &g, 1, &args, &e);
	*ret_argc = args.argc;
	opt_done(&g, 1, &args);
	return r;
}

static void options_are_parsed_and_refused(void **state)
{
	static const struct { const char *argv[6]; int want, argc; } table[] = {
		{ { "x", "-f", "a", "--number", "7", NULL }, 0, 1 },
		{ { "x", "--text=red", "a", "b", NULL }, 0, 2 },
		{ { "x", "--text=green", NULL }, -EINVAL, 0 },
		{ { "x", "--number=-1", NULL }, -EINVAL, 0 },
		{ { "x", "--number=4294967296", NULL }, -EINVAL, 0 },
		{ { "x", "--number=1x", NULL }, -EINVAL, 0 },
		{ { "x", "-f", "-f", NULL }, -EINVAL, 0 },
		{ { "x", "--frob", NULL }, -EINVAL, 0 },
		{ { "x", "--text", NULL }, -EINVAL, 0 },
		{ { "x", "--", "-f", NULL }, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct values v = { 0 };
		const char *argv[6];
		int argc = -1;

		memcpy(argv, table[i].argv, sizeof(argv));
		assert_int_equal(parse(argv, &v, &argc), table[i].want);
		if (table[i].want == 0)
			assert_int_equal(argc, table[i].argc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_have_their_exit_status), cmocka_unit_test(times_are_utc_or_none),
		cmocka_unit_test(errors_are_prefixed_and_cut_not_overrun),
		cmocka_unit_test(big_endian_and_hex),
		cmocka_unit_test(secrets_are_read_whole_within_the_limit),
		cmocka_unit_test(secrets_have_room_of_their_own_which_is_zero),
		cmocka_unit_test(secrets_are_apart_from_those_of_a_child_and_of_other_threads),
		cmocka_unit_test(options_are_parsed_and_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
