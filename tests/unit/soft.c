// SPDX-License-Identifier: MIT
/* The roles of the software keystore, called as commands call them. */
#include "backends/soft/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "tests/support/world.h"

static const struct key_params xts256 = { .xts = true };

static void key_roundtrip(void **state)
{
	struct world *w = *state;
	AUTO_BLOB struct blob token = { 0 }, wrapped = { 0 };
	AUTO_SECRET struct secret clear = { 0 };
	struct key_state ks;
	char vp[65], vp2[65];
	struct token t;
	struct err e;

	assert_int_equal(soft_ops.key->generate(w->dev, &xts256, &token, &e), 0);
	assert_string_equal(w->said, "protection: plain file, no protection against a disk thief");
	assert_int_equal(token_parse(token.data, token.len, &t, &e), 0);
	assert_int_equal(t.payload_len, 64);
	world_restart(w);
	assert_int_equal(soft_ops.key->unwrap(w->dev, &token, &clear, &e), 0);
	assert_int_equal(clear.len, 64);
	assert_string_equal(w->said, "");
	assert_int_equal(soft_ops.key->verify(w->dev, &token, &ks, &e), 0);
	assert_true(ks.current);
	assert_int_equal(soft_ops.key->pattern(w->dev, &token, vp, &e), 0);
	assert_int_equal(soft_ops.key->wrap(w->dev, &xts256, &clear, &wrapped, &e), 0);
	assert_int_equal(soft_ops.key->pattern(w->dev, &wrapped, vp2, &e), 0);
	assert_string_equal(vp, vp2);
	assert_memory_not_equal(token.data + TOKEN_HEADER, wrapped.data + TOKEN_HEADER, 64);
}

static void wrap_checks_sizes(void **state)
{
	static const struct { struct key_params p; size_t len; int r; } cases[] = {
		{ { .xts = true }, 64, 0 }, { { .xts = true }, 32, 0 }, { { .xts = true }, 48, 0 }, { { .bits = 256 }, 32, 0 },
		{ { 0 }, 16, 0 }, { { 0 }, 24, 0 }, { { 0 }, 17, -EINVAL }, { { 0 }, 64, -EINVAL }, { { .xts = true }, 16, -EINVAL },
		{ { .xts = true }, 65, -EINVAL }, { { .bits = 256 }, 16, -EINVAL }, { { .bits = 512 }, 64, -EINVAL }, { { 0 }, 0, -EINVAL },
		{ { .type = "local" }, 32, 0 }, { { .type = "cca-aescipher" }, 32, -EINVAL },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_SECRET struct secret clear = { 0 };
		AUTO_BLOB struct blob token = { 0 };
		struct err e;

		assert_int_equal(secret_random(&clear, cases[i].len, &e), 0);
		assert_int_equal(soft_ops.key->wrap(w->dev, &cases[i].p, &clear, &token, &e), cases[i].r);
	}
}

static void rewrap_many_under_one_new_key(void **state)
{
	struct world *w = *state;
	struct blob old[3] = { 0 }, new[3] = { 0 }, same[3] = { 0 };
	struct key_state ks;
	struct token t[3];
	struct err e;

	for (int i = 0; i < 3; i++)
		assert_int_equal(soft_ops.key->generate(w->dev, &xts256, &old[i], &e), 0);
	assert_int_equal(soft_ops.key->rewrap(w->dev, 0, &(struct wrap_params){ 0 }, old, 3, same, &e), 0);
	assert_memory_equal(same[0].data + 32, old[0].data + 32, 16);
	assert_int_equal(soft_ops.key->rewrap(w->dev, REWRAP_TO_NEW, &(struct wrap_params){ 0 }, old, 3, new, &e), 0);
	world_restart(w);
	for (int i = 0; i < 3; i++) {
		char a[65], b[65];

		assert_int_equal(token_parse(new[i].data, new[i].len, &t[i], &e), 0);
		assert_memory_equal(t[i].wrapping_key, t[0].wrapping_key, 16);
		assert_memory_not_equal(t[i].wrapping_key, old[i].data + 32, 16);
		assert_int_equal(soft_ops.key->pattern(w->dev, &old[i], a, &e), 0);
		assert_int_equal(soft_ops.key->pattern(w->dev, &new[i], b, &e), 0);
		assert_string_equal(a, b);
		assert_int_equal(soft_ops.key->verify(w->dev, &old[i], &ks, &e), 0);
		assert_false(ks.current);
		assert_int_equal(soft_ops.key->verify(w->dev, &new[i], &ks, &e), 0);
		assert_true(ks.current);
	}
	for (int i = 0; i < 3; i++) {
		blob_done(&old[i]);
		blob_done(&new[i]);
		blob_done(&same[i]);
	}
}

static void rewrap_changes_nothing_if_one_is_bad(void **state)
{
	struct world *w = *state;
	struct blob old[2] = { 0 }, new[2] = { 0 };
	struct store_info before, after;
	struct err e;

	for (int i = 0; i < 2; i++)
		assert_int_equal(soft_ops.key->generate(w->dev, &xts256, &old[i], &e), 0);
	old[1].data[TOKEN_HEADER] ^= 1;
	assert_int_equal(soft_ops.store->info(w->dev, &before, &e), 0);
	assert_int_equal(soft_ops.key->rewrap(w->dev, REWRAP_TO_NEW, &(struct wrap_params){ 0 }, old, 2, new, &e), -EBADMSG);
	assert_int_equal(soft_ops.store->info(w->dev, &after, &e), 0);
	assert_int_equal(before.generation, after.generation);
	assert_null(new[0].data);
	assert_null(new[1].data);
	blob_done(&old[0]);
	blob_done(&old[1]);
}

static void every_token_bit_counts(void **state)
{
	struct world *w = *state;
	AUTO_BLOB struct blob token = { 0 };
	AUTO_STORE struct store s = STORE_CLOSED;
	struct err e;

	assert_int_equal(soft_ops.key->generate(w->dev, &(struct key_params){ 0 }, &token, &e), 0);
	assert_int_equal(store_open(&s, w->dev, 0, &e), 0);
	for (unsigned bit = 0; bit < 8 * token.len; bit++) {
		AUTO_SECRET struct secret clear = { 0 };

		token.data[bit / 8] ^= (unsigned char)(1U << bit % 8);
		assert_int_equal(token_unwrap(&s, &token, TOKEN_KEY, NULL, &clear, NULL, &e), -EBADMSG);
		assert_null(clear.data);
		token.data[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
}

static void seal_is_bound(void **state)
{
	struct world *w = *state;
	struct blob here = { (unsigned char *)(uintptr_t)"here", 4 }, there = { (unsigned char *)(uintptr_t)"there", 5 };
	AUTO_SECRET struct secret data = { 0 }, back = { 0 }, big = { 0 }, none = { 0 };
	AUTO_BLOB struct blob sealed = { 0 }, key = { 0 };
	struct err e;

	assert_int_equal(secret_copy(&data, "data", 4, &e), 0);
	assert_int_equal(soft_ops.seal->seal(w->dev, NULL, &data, &here, &sealed, &e), 0);
	assert_int_equal(soft_ops.seal->unseal(w->dev, &sealed, &there, &back, &e), -EBADMSG);
	assert_int_equal(soft_ops.seal->unseal(w->dev, &sealed, NULL, &back, &e), -EBADMSG);
	assert_int_equal(soft_ops.key->unwrap(w->dev, &sealed, &back, &e), -EBADMSG);
	assert_int_equal(soft_ops.seal->unseal(w->dev, &sealed, &here, &back, &e), 0);
	assert_int_equal(back.len, 4);
	assert_memory_equal(back.data, "data", 4);
	assert_int_equal(secret_random(&big, SEAL_SECRET_MAX + 1, &e), 0);
	assert_int_equal(soft_ops.seal->seal(w->dev, NULL, &big, &here, &key, &e), -EFBIG);
	assert_int_equal(secret_alloc(&none, 1, &e), 0);
	assert_int_equal(soft_ops.seal->seal(w->dev, NULL, &none, &here, &key, &e), -EINVAL);
	big.len--;
	assert_int_equal(soft_ops.seal->seal(w->dev, NULL, &big, &here, &key, &e), 0);
}

static void foreign_keystore_is_named(void **state)
{
	struct world *w = *state;
	AUTO_BLOB struct blob token = { 0 }, own = { 0 };
	AUTO_SECRET struct secret clear = { 0 };
	char other[96];
	struct err e;

	assert_int_equal(soft_ops.key->generate(w->dev, &xts256, &token, &e), 0);
	(void)snprintf(other, sizeof(other), "%s/other", w->base);
	w->env.pks_dir = other;
	world_restart(w);
	assert_int_equal(soft_ops.key->unwrap(w->dev, &token, &clear, &e), -ENOENT);
	assert_int_equal(soft_ops.key->generate(w->dev, &xts256, &own, &e), 0);
	assert_int_equal(soft_ops.key->unwrap(w->dev, &token, &clear, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "another keystore"));
}

static void nothing_is_created_where_that_is_forbidden(void **state)
{
	struct world *w = *state;
	AUTO_BLOB struct blob token = { 0 };
	struct store_info info;
	struct err e;

	w->env.keystore_create = false;
	assert_int_equal(soft_ops.key->generate(w->dev, &xts256, &token, &e), -ENOENT);
	assert_int_equal(access(w->dir, F_OK), -1);
	w->env.keystore_create = true;
	assert_int_equal(soft_ops.store->info(w->dev, &info, &e), -ENOENT);
	assert_int_equal(access(w->dir, F_OK), -1);
	assert_non_null(strstr(w->dev->why, "not initialised yet"));
}

static void passphrase_only(void **state)
{
	struct world *w = *state;
	AUTO_SECRET struct secret p = { 0 };
	AUTO_BLOB struct blob token = { 0 };
	struct store_info info;
	struct key_state ks;
	struct err e;

	assert_int_equal(secret_copy(&p, "correct horse", 13, &e), 0);
	assert_int_equal(soft_ops.key->generate(w->dev, &xts256, &token, &e), 0);
	assert_int_equal(soft_ops.store->slot_remove(w->dev, "plain", &e), -EBUSY);
	assert_int_equal(soft_ops.store->slot_add(w->dev, "passphrase", &p, NULL, false, &e), 0);
	assert_int_equal(soft_ops.store->slot_add(w->dev, "passphrase", &p, NULL, false, &e), -EEXIST);
	assert_int_equal(soft_ops.store->slot_remove(w->dev, "plain", &e), 0);
	assert_int_equal(soft_ops.store->info(w->dev, &info, &e), 0);
	assert_string_equal(info.protection, "passphrase (scrypt)");
	assert_int_equal(soft_ops.store->slot_remove(w->dev, "passphrase", &e), -EBUSY);
	world_restart(w);
	assert_string_equal(w->dev->why, "protection: passphrase (scrypt)");
	assert_int_equal(soft_ops.key->verify(w->dev, &token, &ks, &e), -EACCES);
	w->answer = "wrong horse";
	assert_int_equal(soft_ops.key->verify(w->dev, &token, &ks, &e), -EACCES);
	w->answer = "correct horse";
	w->asked = 0;
	assert_int_equal(soft_ops.key->verify(w->dev, &token, &ks, &e), 0);
	assert_int_equal(soft_ops.key->verify(w->dev, &token, &ks, &e), 0);
	assert_int_equal(w->asked, 1);
}

static int writes(struct world *w, enum consumer c, const char *label, uint32_t policy, bool replace, const char *data)
{
	const struct object_name n = { c, (const unsigned char *)label, strlen(label) };
	AUTO_SECRET struct secret s = { 0 };
	struct err e;

	assert_int_equal(secret_copy(&s, data, strlen(data), &e), 0);
	return soft_ops.store->write(w->dev, &n, policy, replace ? WRITE_REPLACE : 0, &s, &e);
}

static void consumers_and_policies(void **state)
{
	struct world *w = *state;
	const struct object_name n = { CONSUMER_OS, (const unsigned char *)"x", 1 },
				 locked = { CONSUMER_FIRMWARE, (const unsigned char *)"x", 1 },
				 wrapping = { CONSUMER_OS, (const unsigned char *)"default-wrapping-key", 20 };
	AUTO_SECRET struct secret s = { 0 };
	AUTO_FREE struct object *list = NULL;
	AUTO_BLOB struct blob token = { 0 };
	struct err e;
	size_t count;

	assert_int_equal(writes(w, CONSUMER_OS, "x", 0, false, "os"), 0);
	assert_int_equal(writes(w, CONSUMER_OS, "x", 0, false, "os"), -EEXIST);
	assert_int_equal(writes(w, CONSUMER_FIRMWARE, "x", POLICY_IMMUTABLE, false, "fw"), 0);
	assert_int_equal(writes(w, CONSUMER_FIRMWARE, "x", 0, true, "FW"), -EPERM);
	assert_int_equal(soft_ops.store->remove(w->dev, &locked, 0, &e), -EPERM);
	world_file(w, "/proc/sys/kernel/random/boot_id", NULL, 0);
	assert_int_equal(writes(w, CONSUMER_OS, "y", POLICY_TRANSIENT, false, "t"), -EOPNOTSUPP);
	world_boot(w, 1);
	assert_int_equal(writes(w, CONSUMER_OS, "y", POLICY_WRAPPINGKEY, false, "t"), -EINVAL);
	assert_int_equal(writes(w, CONSUMER_OS, "y", 1, false, "t"), -EINVAL);
	assert_int_equal(writes(w, CONSUMER_OS, "default-wrapping-key", 0, false, "t"), -EPERM);
	assert_int_equal(writes(w, CONSUMER_OS, "wrapping-key-12", 0, false, "t"), -EPERM);
	assert_int_equal(soft_ops.key->generate(w->dev, &xts256, &token, &e), 0);
	assert_int_equal(soft_ops.store->read(w->dev, &wrapping, &s, &e), -EPERM);
	assert_int_equal(soft_ops.store->remove(w->dev, &wrapping, 0, &e), -EPERM);
	assert_int_equal(soft_ops.store->read(w->dev, &n, &s, &e), 0);
	assert_memory_equal(s.data, "os", 2);
	assert_int_equal(soft_ops.store->list(w->dev, &list, &count, &e), 0);
	assert_int_equal(count, 3);
	assert_int_equal(list[0].consumer, CONSUMER_FIRMWARE);
	assert_int_equal(list[1].policy, POLICY_WRAPPINGKEY);
	assert_int_equal(list[1].size, 0);
	assert_int_equal(list[2].size, 2);
}

/* Which file a commit writes: never the only good one. */
static void the_older_file_is_overwritten(void **state)
{
	struct world *w = *state;
	char path[2][128];
	struct err e;

	for (int i = 0; i < 2; i++)
		(void)snprintf(path[i], sizeof(path[i]), "%s/system/local.%c", w->dir, "AB"[i]);
	assert_int_equal(writes(w, CONSUMER_OS, "x", 0, true, "1"), 0);
	for (int round = 0; round < 6; round++) {
		AUTO_STORE struct store s = STORE_CLOSED;
		int fd;

		assert_int_equal(store_open(&s, w->dev, 0, &e), 0);
		if (round % 2) {	/* the older one is damaged, or gone */
			assert_int_equal(unlink(path[!s.newest]), 0);
		} else {
			fd = open(path[!s.newest], O_WRONLY);
			assert_int_equal(pwrite(fd, "x", 1, 300), 1);
			assert_int_equal(ftruncate(fd, round ? 1000 : 66000), 0);
			assert_int_equal(close(fd), 0);
		}
		assert_int_equal(writes(w, CONSUMER_OS, "x", 0, true, "2"), 0);
	}
	assert_int_equal(unlink(path[0]), 0);
	assert_int_equal(unlink(path[1]), 0);
	assert_int_equal(writes(w, CONSUMER_OS, "x", 0, true, "2"), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) WORLD_TEST(f)
		TEST(key_roundtrip), TEST(wrap_checks_sizes), TEST(rewrap_many_under_one_new_key),
		TEST(rewrap_changes_nothing_if_one_is_bad), TEST(every_token_bit_counts), TEST(seal_is_bound),
		TEST(foreign_keystore_is_named), TEST(nothing_is_created_where_that_is_forbidden), TEST(passphrase_only),
		TEST(consumers_and_policies), TEST(the_older_file_is_overwritten),
	};

	return cmocka_run_group_tests_name("soft", tests, NULL, NULL);
}
