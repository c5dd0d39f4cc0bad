// SPDX-License-Identifier: MIT
#include "lib/luks/luks-token.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/repo.h"

#define UUID "0f7f0b1e-6a7b-4c58-9f3e-0123456789ab"
#define PATTERN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define GOOD(name, slots, more) \
	"{\"type\":\"hwkey\",\"keyslots\":[" slots "],\"v\":1,\"name\":\"" name "\",\"backend\":\"soft\",\"blob\":\"c2VhbGVk\"," \
	"\"vol\":\"" UUID "\"," more "\"state\":\"ok\",\"created\":\"2026-01-31T12:00:00Z\"}"

static int parse(const char *text)
{
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	struct err e;

	return luks_token_parse(text, &t, &e);
}

static void a_token_is_read_and_written_back_as_it_is(void **state)
{
	static const char text[] = GOOD("vol1", "\"1\",\"31\"", "\"pattern\":\"" PATTERN "\",");
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	AUTO_BLOB struct blob back = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(luks_token_parse(text, &t, &e), 0);
	assert_string_equal(t.name, "vol1");
	assert_string_equal(t.backend, "soft");
	assert_int_equal(t.slots, UINT32_C(1) << 31 | 2);
	assert_false(t.pending);
	assert_int_equal(t.blob.len, 6);
	assert_memory_equal(t.blob.data, "sealed", 6);
	assert_int_equal(luks_token_format(&t, &back, &e), 0);
	assert_string_equal((char *)back.data, text);
	assert_int_equal(back.len, sizeof(text) - 1);
}

static void each_member_is_needed_and_checked(void **state)
{
	static const struct { const char *old, *new; } wrong[] = {
		{ "\"hwkey\"", "\"hwkex\"" }, { "\"hwkey\"", "7" }, { "\"type\"", "\"typo\"" },
		{ "[\"1\"]", "\"1\"" }, { "[\"1\"]", "[1]" }, { "[\"1\"]", "[\"32\"]" }, { "[\"1\"]", "[\"-1\"]" },
		{ "[\"1\"]", "[\"01\"]" }, { "[\"1\"]", "[\"1x\"]" }, { "[\"1\"]", "[\"\"]" }, { "\"keyslots\"", "\"slots\"" },
		{ "\"v\":1", "\"v\":2" }, { "\"v\":1", "\"v\":\"1\"" }, { "\"v\":1", "\"v\":1.0" }, { "\"v\":1", "\"w\":1" },
		{ "vol1", "" }, { "vol1", "../x" }, { "vol1", ".x" }, { "vol1", "-x" }, { "vol1", "a b" }, { "vol1", "a\\u0000" },
		{ "vol1", "a\\n" },
		{ "vol1", "\\u0085" },
		{ "soft", "" }, { "soft", "../soft" }, { "soft", "SOFT" }, { "soft", "soft\\u0000x" },
		{ "soft", "a23456789012345678901234567890123" },
		{ "c2VhbGVk", "" }, { "c2VhbGVk", "c2VhbGV" }, { "c2VhbGVk", "c2Vh bGVk" }, { "c2VhbGVk", "c2VhbGVl\\n" },
		{ UUID, UUID "0" }, { UUID, "x" }, { "\"" UUID "\"", "null" },
		{ PATTERN, PATTERN "0" }, { PATTERN, "" }, { PATTERN, "g" }, { "\"" PATTERN "\"", "{}" },
		{ "\"ok\"", "\"no\"" }, { "\"ok\"", "true" }, { "\"state\"", "\"stat\"" },
		{ "12:00:00Z", "12:00:00" }, { "12:00:00Z", "12:00:00Zx" }, { "T12", " 12" }, { "\"created\"", "\"c\"" },
	};
	static const char good[] = GOOD("vol1", "\"1\"", "\"pattern\":\"" PATTERN "\",");
	char text[2048];

	(void)state;
	assert_int_equal(parse(good), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		const char *at = strstr(good, wrong[i].old);

		assert_non_null(at);
		(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, wrong[i].new, at + strlen(wrong[i].old));
		if (parse(text) != -EBADMSG)
			fail_msg("accepted %s instead of %s", wrong[i].new, wrong[i].old);
	}
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		memcpy(text, good, n);
		text[n] = '\0';
		assert_int_equal(parse(text), -EBADMSG);
	}
	(void)snprintf(text, sizeof(text), "%s}", good);
	assert_int_equal(parse(text), -EBADMSG);
	(void)snprintf(text, sizeof(text), "[%s]", good);
	assert_int_equal(parse(text), -EBADMSG);
}

static void lengths_are_bounded(void **state)
{
	enum { SIZE = 40000 };
	char *text = malloc(SIZE);

	(void)state;
	assert_non_null(text);
	for (int n = 199; n < 203; n++) {
		(void)snprintf(text, SIZE, "{\"type\":\"hwkey\",\"keyslots\":[],\"v\":1,\"name\":\"%0*d\",\"backend\":\"soft\","
			       "\"blob\":\"c2VhbGVk\",\"vol\":\"" UUID "\",\"state\":\"ok\",\"created\":\"2026-01-31T12:00:00Z\"}", n, 1);
		assert_int_equal(parse(text), n <= 200 ? 0 : -EBADMSG);
	}
	memset(text, ' ', SIZE - 1);
	memcpy(text, "{\"type\":\"hwkey\"", 15);
	text[SIZE - 2] = '}';
	text[SIZE - 1] = '\0';
	assert_int_equal(parse(text), -EBADMSG);
	memset(text, '[', SIZE - 1);
	assert_int_equal(parse(text), -EBADMSG);
	free(text);
}

/* Whatever the repository takes for a name, a token takes, and nothing else. */
static void names_are_those_of_the_repository(void **state)
{
	char name[4], text[512];

	(void)state;
	for (int where = 0; where < 2; where++) {
		for (int c = ' '; c < 0x7f; c++) {
			if (c == '"' || c == '\\')
				continue;
			(void)snprintf(name, sizeof(name), where ? "a%c" : "%ca", c);
			(void)snprintf(text, sizeof(text), "{\"type\":\"hwkey\",\"keyslots\":[],\"v\":1,\"name\":\"%s\","
				       "\"backend\":\"soft\",\"blob\":\"c2VhbGVk\",\"vol\":\"" UUID "\",\"state\":\"ok\","
				       "\"created\":\"2026-01-31T12:00:00Z\"}", name);
			if ((parse(text) == 0) != repo_valid_name(name))
				fail_msg("name '%s'", name);
		}
	}
}

#define HEADER(segments, digests) "{\"segments\":{" segments "},\"digests\":{" digests "},\"keyslots\":{}}"
#define SEGMENT(id) "\"" id "\":{\"type\":\"crypt\",\"offset\":\"16777216\"}"
#define DIGEST(id, of, salt, value) \
	"\"" id "\":{\"type\":\"pbkdf2\",\"segments\":[\"" of "\"],\"salt\":\"" salt "\",\"digest\":\"" value "\"}"

static int bind(const char *text, struct blob *ret)
{
	struct err e;

	return luks_binding(text, UUID, ret, &e);
}

static void the_binding_is_uuid_salt_and_digest_of_the_first_segment(void **state)
{
	static const char want[] = "hwkey-luks/1" UUID "\0\4salt\0\6digest";
	static const char *const same[] = {
		HEADER(SEGMENT("0"), DIGEST("0", "0", "c2FsdA==", "ZGlnZXN0")),
		HEADER(SEGMENT("1") "," SEGMENT("0"), DIGEST("0", "1", "eA==", "eA==") "," DIGEST("1", "0", "c2FsdA==", "ZGlnZXN0")),
		HEADER(SEGMENT("10") "," SEGMENT("9"), DIGEST("0", "10", "eA==", "eA==") "," DIGEST("1", "9", "c2FsdA==", "ZGlnZXN0")),
		HEADER("\"0\":{\"type\":\"linear\"}," SEGMENT("1"), DIGEST("3", "1", "c2FsdA==", "ZGlnZXN0")),
		HEADER("\"0\":{\"type\":\"crypt\",\"flags\":[\"backup-final\"]}," SEGMENT("1"),
		       DIGEST("3", "1", "c2FsdA==", "ZGlnZXN0")),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		AUTO_BLOB struct blob b = { 0 };

		assert_int_equal(bind(same[i], &b), 0);
		assert_int_equal(b.len, sizeof(want) - 1);
		assert_memory_equal(b.data, want, b.len);
	}
}

static void a_header_without_a_digest_binds_nothing(void **state)
{
	static const char *const bad[] = {
		"", "{}", "[]", "null", HEADER("", ""), HEADER(SEGMENT("0"), ""), HEADER("", DIGEST("0", "0", "c2FsdA==", "ZGlnZXN0")),
		HEADER(SEGMENT("0"), DIGEST("0", "1", "c2FsdA==", "ZGlnZXN0")), HEADER(SEGMENT("0"), DIGEST("0", "0", "", "ZGlnZXN0")),
		HEADER(SEGMENT("0"), DIGEST("0", "0", "c2FsdA==", "!")), HEADER(SEGMENT("0"), "\"0\":{\"segments\":[\"0\"]}"),
		HEADER(SEGMENT("0"), "\"0\":{\"segments\":\"0\"}"), HEADER(SEGMENT("0"), "\"0\":7"),
		HEADER("\"0\":7", DIGEST("0", "0", "c2FsdA==", "ZGlnZXN0")), "{\"segments\":7,\"digests\":{}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_BLOB struct blob b = { 0 };

		if (bind(bad[i], &b) != -EBADMSG)
			fail_msg("bound to %s", bad[i]);
	}
}

static void zkeys_pattern_token_is_kept_but_random_bytes_are_not(void **state)
{
	static const struct { const char *old, *want; } v[] = {
		{ NULL, "" }, { "junk", "" }, { "{\"integrity-verification-pattern\":\"\\u0001\"}", "" },
		{ "{\"integrity-verification-pattern\":\"" PATTERN "\"}", ",\"integrity-verification-pattern\":\"" PATTERN "\"" },
	};
	char want[512], got[65];
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		AUTO_BLOB struct blob b = { 0 };

		(void)snprintf(want, sizeof(want), "{\"type\":\"paes-verification-pattern\",\"keyslots\":[],"
			       "\"verification-pattern\":\"" PATTERN "\"%s}", v[i].want);
		assert_int_equal(luks_pattern_format(v[i].old, PATTERN, &b, &e), 0);
		assert_string_equal((char *)b.data, want);
		assert_true(luks_pattern_parse((char *)b.data, got));
		assert_string_equal(got, PATTERN);
	}
	assert_false(luks_pattern_parse("{\"verification-pattern\":\"" PATTERN "0\"}", got));
	assert_false(luks_pattern_parse("{}", got));
}

static void slots_of_any_token(void **state)
{
	(void)state;
	assert_int_equal(luks_token_slots("{\"type\":\"clevis\",\"keyslots\":[\"0\",\"5\"]}"), 33);
	assert_int_equal(luks_token_slots("{\"type\":\"clevis\",\"keyslots\":[0]}"), 0);
	assert_int_equal(luks_token_slots("{}"), 0);
	assert_int_equal(luks_token_slots("x"), 0);
	assert_int_equal(luks_json_size("{ \"a\" : [ 1, 2 ] }"), 11);
	assert_int_equal(luks_json_size("no json"), 7);
}

static void a_recovery_key_is_pending_until_its_token_names_the_slot(void **state)
{
	static const char *const not_pending[] = {
		"{\"type\":\"hwkey-recovery\",\"v\":1,\"keyslots\":[],\"state\":\"pending\"}",
		"{\"type\":\"hwkey-recovery\",\"v\":1,\"keyslots\":[],\"state\":\"pending\",\"slot\":32}",
		"{\"type\":\"hwkey-recovery\",\"v\":1,\"keyslots\":[],\"state\":\"pending\",\"slot\":-1}",
		"{\"type\":\"hwkey-recovery\",\"v\":1,\"keyslots\":[],\"state\":\"pending\",\"slot\":\"3\"}",
		"{\"type\":\"hwkey-recovery\",\"v\":1,\"keyslots\":[\"3\"],\"state\":\"pending\",\"slot\":3}",
		"{\"type\":\"hwkey-recovery\",\"v\":2,\"keyslots\":[],\"state\":\"pending\",\"slot\":3}",
		"{\"type\":\"hwkey-recovery\",\"v\":1,\"keyslots\":[],\"slot\":3}",
		"{\"type\":\"other\",\"v\":1,\"keyslots\":[],\"state\":\"pending\",\"slot\":3}", "x", "",
		"{\"type\":\"hwkey-recovery\",\"v\":1,\"keyslots\":[],\"state\":\"pending\",\"slot\":3,\"salt\":\"\"}",
		"{\"type\":\"hwkey-recovery\",\"v\":1,\"keyslots\":[],\"state\":\"pending\",\"slot\":3,\"salt\":1}",
	};
	AUTO_BLOB struct blob pending = { 0 }, made = { 0 }, done = { 0 };
	char salt[LUKS_SALT_SIZE];
	struct err e;

	(void)state;
	assert_int_equal(luks_recovery_format(3, true, NULL, &pending, &e), 0);
	assert_int_equal(luks_recovery_pending((char *)pending.data, salt), 3);
	assert_string_equal(salt, "");
	assert_int_equal(luks_recovery_format(3, true, "c2FsdA==", &made, &e), 0);
	assert_int_equal(luks_recovery_pending((char *)made.data, salt), 3);
	assert_string_equal(salt, "c2FsdA==");
	assert_int_equal(luks_token_slots((char *)pending.data), 0);
	assert_int_equal(luks_recovery_format(31, false, NULL, &done, &e), 0);
	assert_string_equal((char *)done.data, "{\"type\":\"hwkey-recovery\",\"v\":1,\"keyslots\":[\"31\"]}");
	assert_int_equal(luks_recovery_pending((char *)done.data, salt), -1);
	for (size_t i = 0; i < ARRAY_SIZE(not_pending); i++)
		assert_int_equal(luks_recovery_pending(not_pending[i], salt), -1);
}

static void the_salt_of_a_slot(void **state)
{
	static const char *const none[] = {
		"{}", "x", "{\"keyslots\":[]}", "{\"keyslots\":{\"2\":{\"kdf\":{\"salt\":\"eA==\"}}}}",
		"{\"keyslots\":{\"1\":1}}", "{\"keyslots\":{\"1\":{\"kdf\":[\"salt\"]}}}",
		"{\"keyslots\":{\"1\":{\"kdf\":{\"salt\":\"\"}}}}", "{\"keyslots\":{\"1\":{\"kdf\":{\"salt\":\"a b\"}}}}",
	};
	char salt[LUKS_SALT_SIZE];

	(void)state;
	assert_true(luks_slot_salt("{\"keyslots\":{\"1\":{\"kdf\":{\"salt\":\"eA==\"}}}}", 1, salt));
	assert_string_equal(salt, "eA==");
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_false(luks_slot_salt(none[i], 1, salt));
}

/* In place of json-c's own: from the call of that number on there is no memory. */
static unsigned calls_left = (unsigned)-1;

struct json_object *json_object_new_string(const char *s)
{
	struct json_object *(*real)(const char *) = (struct json_object *(*)(const char *))dlsym(RTLD_NEXT, __func__);

	return calls_left && calls_left-- ? real(s) : NULL;
}

int json_object_array_add(struct json_object *a, struct json_object *value)
{
	int (*real)(struct json_object *, struct json_object *) =
		(int (*)(struct json_object *, struct json_object *))dlsym(RTLD_NEXT, __func__);

	return calls_left && calls_left-- ? real(a, value) : -1;
}

static void a_token_without_memory_for_all_of_it_is_no_token(void **state)
{
	struct luks_token t = { .name = "vol1", .backend = "soft", .vol = UUID, .pattern = PATTERN, .slots = 3,
				.created = "2026-01-31T12:00:00Z", .blob = { (unsigned char *)"sealed", 6 } };
	struct err e;
	int r[3] = { -ENOMEM, -ENOMEM, -ENOMEM };
	unsigned n = 0;

	(void)state;
	for (; r[0] < 0; n++) {
		struct blob text[3] = { 0 };

		calls_left = n;
		r[0] = luks_token_format(&t, &text[0], &e);
		calls_left = n;
		r[1] = luks_pattern_format(NULL, PATTERN, &text[1], &e);
		calls_left = n;
		r[2] = luks_recovery_format(3, true, "eA==", &text[2], &e);
		for (int i = 0; i < 3; i++) {
			assert_true(r[i] == 0 || (r[i] == -ENOMEM && !text[i].data));
			blob_done(&text[i]);
		}
	}
	assert_int_equal(n, 12 + 1);	/* 8 members, 2 slots of 2 calls; each was the first to fail once */
	calls_left = (unsigned)-1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_read_and_written_back_as_it_is),
		cmocka_unit_test(each_member_is_needed_and_checked),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(names_are_those_of_the_repository),
		cmocka_unit_test(the_binding_is_uuid_salt_and_digest_of_the_first_segment),
		cmocka_unit_test(a_header_without_a_digest_binds_nothing),
		cmocka_unit_test(zkeys_pattern_token_is_kept_but_random_bytes_are_not),
		cmocka_unit_test(slots_of_any_token),
		cmocka_unit_test(a_recovery_key_is_pending_until_its_token_names_the_slot),
		cmocka_unit_test(the_salt_of_a_slot),
		cmocka_unit_test(a_token_without_memory_for_all_of_it_is_no_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
