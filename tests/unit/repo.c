// SPDX-License-Identifier: MIT
#include "lib/repo.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/module.h"
#include "lib/repo-internal.h"
#include "lib/token.h"

const char module_dir[] = "";

/* The N-th fsync(2) from now on fails. */
static int bad_sync;

int fsync(int fd)
{
	if (bad_sync && --bad_sync == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

/* So does the N-th unlinkat(2). */
static int bad_unlink;

int unlinkat(int fd, const char *name, int flags)
{
	if (bad_unlink && --bad_unlink == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_unlinkat, fd, name, flags);
}

#define AUTO_REPO AUTO(repo_done)

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/hwkey-repo-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[96];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void open_writer(struct repo *ret)
{
	struct err e;

	if (repo_open(ret, dir, REPO_WRITE, &e) < 0)
		fail_msg("%s", e.msg);
}

static const struct key aes = { .type = KEY_CCA_AESDATA, .bits = 256 };

static void add(struct repo *repo, const char *name, const char *token, const char *staged)
{
	AUTO_ENTRY struct entry entry = { 0 };
	struct err e;

	assert_int_equal(entry_init(&entry, name, &aes, &(struct entry_about){ .description = name }, &e), 0);
	assert_int_equal(blob_copy(&entry.token, token, strlen(token), &e), 0);
	if (staged)
		assert_int_equal(blob_copy(&entry.staged, staged, strlen(staged), &e), 0);
	if (repo_add(repo, &entry, &e) < 0)
		fail_msg("%s", e.msg);
}

static void put(const char *file, const char *text)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY);
	struct err e;

	assert_int_equal(file_write_at(fd, file, text, strlen(text), &(struct file_attr){ 0600, (gid_t)-1 }, true, &e), 0);
}

static bool there(const char *file)
{
	char path[320];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void move(const char *from, const char *to)
{
	char a[320], b[320];

	(void)snprintf(a, sizeof(a), "%s/%s", dir, from);
	(void)snprintf(b, sizeof(b), "%s/%s", dir, to);
	assert_int_equal(rename(a, b), 0);
}

static void assert_key(const struct repo *repo, const char *name, const char *token, const char *staged, const char *text)
{
	AUTO_ENTRY struct entry entry = { 0 };
	struct err e;

	if (repo_read(repo, name, &entry, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(entry.token.len, strlen(token));
	assert_memory_equal(entry.token.data, token, strlen(token));
	assert_int_equal(entry.staged.len, staged ? strlen(staged) : 0);
	assert_string_equal(props_get(&entry.props, "description"), text);
}

static void assert_no_key(const struct repo *repo, const char *name)
{
	AUTO_ENTRY struct entry entry = { 0 };
	struct err e;

	assert_int_equal(repo_read(repo, name, &entry, &e), -ENOENT);
}

static void names(void **state)
{
	static const char *const good[] = { "a", "vol1", "a.b", "x_y-z", "a,b", "a;b", "$x", "gr\xc3\xb6\xc3\x9f", "@+%:~" };
	static const char *const bad[] = { "", ".", ".a", "-a", "a b", "a/b", "a\\b", "a*", "a?", "a'", "a\"", "a\nb", "a\tb", "a\x7f",
					   "a\xc2\x9b" };
	char longest[NAME_LEN_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(repo_valid_name(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(repo_valid_name(bad[i]));
	memset(longest, 'a', sizeof(longest));
	longest[NAME_LEN_MAX + 1] = '\0';
	assert_false(repo_valid_name(longest));
	longest[NAME_LEN_MAX] = '\0';
	assert_true(repo_valid_name(longest));
}

static void life(void **state)
{
	AUTO_REPO struct repo repo = { .dirfd = -1, .lockfd = -1 };
	AUTO_ENTRY struct entry entry = { 0 };
	AUTO_FREE char **list = NULL;
	struct err e;
	size_t n;

	(void)state;
	open_writer(&repo);
	add(&repo, "b", "token b", "staged b");
	add(&repo, "a", "token a", NULL);
	put("a.pass", "secret");
	assert_int_equal(repo_names(&repo, &list, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0], "a");
	assert_string_equal(list[1], "b");
	assert_null(list[2]);
	assert_int_equal(repo_rename(&repo, "a", "b", &e), -EEXIST);
	assert_int_equal(repo_rename(&repo, "none", "c", &e), -ENOENT);
	assert_int_equal(repo_rename(&repo, "a", ".c", &e), -EINVAL);
	assert_int_equal(repo_rename(&repo, "a", "c", &e), 0);
	assert_no_key(&repo, "a");
	assert_false(there("a.skey") || there("a.pass") || there(".hwkey.intent"));
	assert_true(there("c.pass"));
	assert_key(&repo, "c", "token a", NULL, "a");
	assert_int_equal(repo_read(&repo, "b", &entry, &e), 0);
	assert_int_equal(props_set(&entry.props, "x-unknown", "kept", &e), 0);
	assert_int_equal(repo_update(&repo, &entry, false, &e), 0);
	free(entry.name);
	entry.name = strdup("d");
	assert_int_equal(repo_update(&repo, &entry, false, &e), -ENOENT);
	assert_int_equal(repo_update(&repo, &entry, true, &e), -ENOENT);
	assert_int_equal(repo_copy(&repo, "c", &entry, &e), 0);
	assert_int_equal(repo_copy(&repo, "c", &entry, &e), -EEXIST);
	assert_key(&repo, "d", "token a", NULL, "b");
	assert_true(there("d.pass"));
	assert_int_equal(repo_remove(&repo, "c", &e), 0);
	assert_int_equal(repo_remove(&repo, "c", &e), -ENOENT);
	assert_false(there("c.info") || there("c.skey") || there("c.pass"));
	assert_key(&repo, "b", "token b", "staged b", "b");
}

static void update_with_token(void **state)
{
	AUTO_REPO struct repo repo = { .dirfd = -1, .lockfd = -1 };
	AUTO_ENTRY struct entry entry = { 0 };
	struct err e;

	(void)state;
	open_writer(&repo);
	add(&repo, "a", "old", NULL);
	assert_int_equal(repo_read(&repo, "a", &entry, &e), 0);
	assert_int_equal(blob_copy(&entry.staged, "new", 3, &e), 0);
	assert_int_equal(repo_update(&repo, &entry, true, &e), 0);
	assert_key(&repo, "a", "old", "new", "a");
	blob_done(&entry.token);
	entry.token = entry.staged;
	entry.staged = (struct blob){ 0 };
	assert_int_equal(repo_update(&repo, &entry, true, &e), 0);
	assert_key(&repo, "a", "new", NULL, "a");
	assert_false(there("a.renc"));
}

/* What a killed writer may leave, and what the next opener makes of it. */
static void unfinished_add(void **state)
{
	AUTO_REPO struct repo repo = { .dirfd = -1, .lockfd = -1 };

	(void)state;
	put("a.skey", "half");
	put(".hwkey.tmp", "rubbish");
	put(".hwkey.intent", "settle a\n");
	open_writer(&repo);
	assert_false(there("a.skey") || there(".hwkey.intent"));
	add(&repo, "a", "token", NULL);
	assert_false(there(".hwkey.tmp"));
	put(".hwkey.intent", "settle a\n");
	repo_done(&repo);
	open_writer(&repo);
	assert_key(&repo, "a", "token", NULL, "a");
}

static void unfinished_rename(void **state)
{
	AUTO_REPO struct repo repo = { .dirfd = -1, .lockfd = -1 };

	(void)state;
	open_writer(&repo);
	add(&repo, "a", "token", NULL);
	put("b.skey", "token");
	put(".hwkey.intent", "settle a b\n");
	repo_done(&repo);
	open_writer(&repo);		/* undone */
	assert_key(&repo, "a", "token", NULL, "a");
	assert_false(there("b.skey"));
	put("b.skey", "token");
	put(".hwkey.intent", "settle a b\n");
	move("a.info", "b.info");
	repo_done(&repo);
	open_writer(&repo);		/* finished */
	assert_key(&repo, "b", "token", NULL, "a");
	assert_no_key(&repo, "a");
	assert_false(there("a.skey"));
}

/* N of the new files were already renamed when the writer was killed. */
static void unfinished_update(void **state)
{
	(void)state;
	for (int n = 0; n <= 2; n++) {
		AUTO_REPO struct repo repo = { .dirfd = -1, .lockfd = -1 };
		AUTO_ENTRY struct entry entry = { 0 };
		AUTO_BLOB struct blob info = { 0 };
		struct err e;

		open_writer(&repo);
		add(&repo, "a", "old", "new");
		assert_int_equal(repo_read(&repo, "a", &entry, &e), 0);
		assert_int_equal(props_set(&entry.props, "description", "changed", &e), 0);
		assert_int_equal(props_format(&entry.props, &info, &e), 0);
		info.data[info.len] = '\0';
		put(".hwkey.new-skey", "new");
		put(".hwkey.new-info", (char *)info.data);
		put(".hwkey.intent", "complete a\n");
		if (n >= 1)
			move(".hwkey.new-skey", "a.skey");
		if (n >= 2)
			move(".hwkey.new-info", "a.info");
		repo_done(&repo);
		assert_int_equal(repo_open(&repo, dir, 0, &e), 0);	/* a reader finishes it, too */
		assert_key(&repo, "a", "new", n == 2 ? "new" : NULL, "changed");
		assert_false(there(".hwkey.intent") || there(".hwkey.new-info"));
		repo_done(&repo);
		open_writer(&repo);
		assert_int_equal(repo_remove(&repo, "a", &e), 0);
	}
}

static void foreign_intent(void **state)
{
	static const char *const bad[] = { "", "settle\n", "settle a", "settle ../a\n", "destroy a\n", "settle a b c\n", "\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_REPO struct repo repo = { .dirfd = -1, .lockfd = -1 };
		struct err e;

		put("a.skey", "the only copy");
		put(".hwkey.intent", bad[i]);
		open_writer(&repo);
		assert_true(there("a.skey") && there(".hwkey.intent"));
		assert_int_equal(repo_remove(&repo, "a", &e), -EBADMSG);
		assert_true(there("a.skey"));
	}
}

static void orphan_is_kept(void **state)
{
	AUTO_REPO struct repo repo = { .dirfd = -1, .lockfd = -1 };
	AUTO_ENTRY struct entry entry = { 0 }, read = { 0 };
	struct err e;

	(void)state;
	open_writer(&repo);
	put("a.skey", "the only copy");
	assert_int_equal(entry_init(&entry, "a", &aes, &(struct entry_about){ 0 }, &e), 0);
	assert_int_equal(blob_copy(&entry.token, "new", 3, &e), 0);
	assert_int_equal(repo_add(&repo, &entry, &e), -EEXIST);
	assert_non_null(strstr(e.msg, "hwkey check"));
	assert_int_equal(repo_read(&repo, "a", &read, &e), -EBADMSG);
	assert_true(there("a.skey"));
}

static int change_description(struct repo *repo, bool token_too, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };

	assert_int_equal(repo_read(repo, "a", &entry, e), 0);
	assert_int_equal(props_set(&entry.props, "description", "changed", e), 0);
	return repo_update(repo, &entry, token_too, e);
}

static int add_b(struct repo *repo, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };

	assert_int_equal(entry_init(&entry, "b", &aes, &(struct entry_about){ .description = "b" }, e), 0);
	assert_int_equal(blob_copy(&entry.token, "token", 5, e), 0);
	return repo_add(repo, &entry, e);
}

static int change_a(struct repo *repo, struct err *e) { return change_description(repo, false, e); }
static int update_a(struct repo *repo, struct err *e) { return change_description(repo, true, e); }
static int rename_a(struct repo *repo, struct err *e) { return repo_rename(repo, "a", "c", e); }
static int remove_a(struct repo *repo, struct err *e) { return repo_remove(repo, "a", e); }

/* What a reader sees. */
static void look(char *ret, size_t size)
{
	AUTO_REPO struct repo repo = { .dirfd = -1, .lockfd = -1 };
	AUTO_FREE char **names = NULL;
	struct err e;
	size_t n, used = 0;

	assert_int_equal(repo_open(&repo, dir, 0, &e), 0);
	assert_int_equal(repo_names(&repo, &names, &n, &e), 0);
	for (size_t i = 0; i < n; i++) {
		AUTO_ENTRY struct entry entry = { 0 };

		assert_int_equal(repo_read(&repo, names[i], &entry, &e), 0);
		used += (size_t)snprintf(ret + used, size - used, "%s %s;", names[i], props_get(&entry.props, "description"));
	}
}

struct change {
	int (*run)(struct repo *, struct err *);
	const char *after, *says;
};

/* The change whose N-th FAULT fails; whether there was such a one, and whether it was told that all is done all the same. */
static bool change_with(const struct change *c, int *fault, int n, bool *told)
{
	AUTO_REPO struct repo repo = { .dirfd = -1, .lockfd = -1 };
	char seen[128] = "";
	struct err e = { 0 };
	bool hit;

	open_writer(&repo);
	add(&repo, "a", "token", NULL);
	*fault = n;
	if (c->run(&repo, &e) == 0) {		/* then nothing is left to be done */
		assert_int_equal(e.code, 0);
		assert_false(there(INTENT));
		assert_int_equal(there("a.skey"), there("a.info"));
	}
	hit = *fault == 0;
	*fault = 0;
	repo_done(&repo);
	*told = *told || (e.code && strstr(e.msg, c->says));
	look(seen, sizeof(seen));
	assert_string_equal(seen, !e.code || strstr(e.msg, c->says) ? c->after : "a a;");
	assert_false(there(INTENT));
	assert_int_equal(there("a.skey"), there("a.info"));
	return hit;
}

/* An error means that nothing has changed, or it says that all has. */
static void says_what_is_done(void **state)
{
	static const struct change changes[] = {
		{ add_b, "a a;b b;", "is added" }, { change_a, "a changed;", "is changed" }, { update_a, "a changed;", "is changed" },
		{ rename_a, "c a;", "is renamed" }, { remove_a, "", "is removed" },
	};
	int *const faults[] = { &bad_sync, &bad_unlink };

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		bool told = false;

		for (size_t f = 0; f < ARRAY_SIZE(faults); f++) {
			bool hit = true;

			for (int n = 1; hit; n++) {
				make_dir(state);
				hit = change_with(&changes[i], faults[f], n, &told);
				assert_int_equal(remove_dir(state), 0);
			}
		}
		assert_true(told);
	}
}

static int count(void *ctx, const struct repo_problem *p)
{
	int *n = ctx;

	n[p->mended]++;
	return 0;
}

static void check(struct repo *repo, bool repair, int mended, int left)
{
	int n[2] = { 0 };
	struct err e;

	assert_int_equal(repo_check(repo, repair, count, n, &e), 0);
	assert_int_equal(n[true], mended);
	assert_int_equal(n[false], left);
}

static void checks(void **state)
{
	AUTO_REPO struct repo repo = { .dirfd = -1, .lockfd = -1 };

	(void)state;
	open_writer(&repo);
	check(&repo, false, 0, 0);
	put("junk.skey", "no token");
	put("b.info", "description=b\n");
	put("c.renc", "staged");
	put(".hwkey.new-skey", "x");
	put("un related.info", "");
	check(&repo, false, 0, 5);
	check(&repo, true, 3, 2);	/* junk.skey and the bad name stay */
	assert_true(there("b.info.orphan") && there("c.renc.orphan") && there("junk.skey") && there("un related.info"));
	assert_false(there("b.info") || there("c.renc") || there(".hwkey.new-skey"));
	check(&repo, false, 0, 2);
}

static void volumes(void **state)
{
	static const char *const bad[] = { "/dev/a", "dev/a:b", ":b", "/:b", "/dev/a:", "/dev/a:x;touch", "/dev/a b:c", "/dev/*:a",
					   "/dev/a:b,", ",", "UUID=:a", "/dev/a:b:c", "/dev/a:..", "/dev/a:-b", "/dev/\x01:a" };
	AUTO_ENTRY struct entry entry = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(entry_init(&entry, "a", &aes, &(struct entry_about){ .volumes = "/dev/ab:ab,/dev/a:a" }, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(entry_change(&entry, &(struct entry_about){ .volumes = bad[i] }, &e), -EINVAL);
	assert_int_equal(entry_change(&entry, &(struct entry_about){ .volumes = "-/dev/b:b" }, &e), -ENOENT);
	assert_int_equal(entry_change(&entry, &(struct entry_about){ .volumes = "-/dev/a:a" }, &e), 0);
	assert_string_equal(props_get(&entry.props, "volumes"), "/dev/ab:ab");
	assert_int_equal(entry_change(&entry, &(struct entry_about){ .volumes = "+UUID=1-2:c,/dev/ab:ab" }, &e), 0);
	assert_string_equal(props_get(&entry.props, "volumes"), "/dev/ab:ab,UUID=1-2:c");
	assert_true(volumes_match(props_get(&entry.props, "volumes"), "/dev/*"));
	assert_true(volumes_match(props_get(&entry.props, "volumes"), "*:c"));
	assert_false(volumes_match(props_get(&entry.props, "volumes"), "/dev/a"));
	assert_false(volumes_match("", "*"));
	assert_int_equal(entry_change(&entry, &(struct entry_about){ .apqns = "1.2,0A.3c" }, &e), 0);
	assert_string_equal(props_get(&entry.props, "apqns"), "01.0002,0a.003c");
	assert_int_equal(entry_change(&entry, &(struct entry_about){ .apqns = "-1.2" }, &e), 0);
	assert_string_equal(props_get(&entry.props, "apqns"), "0a.003c");
	assert_int_equal(entry_change(&entry, &(struct entry_about){ .apqns = "1" }, &e), -EINVAL);
	assert_int_equal(entry_change(&entry, &(struct entry_about){ .apqns = "1. 2" }, &e), -EINVAL);
	assert_int_equal(entry_change(&entry, &(struct entry_about){ .sector_size = "513" }, &e), -EINVAL);
	assert_int_equal(entry_change(&entry, &(struct entry_about){ .volume_type = "plain" }, &e), 0);
	assert_string_equal(props_get(&entry.props, "volume-type"), "PLAIN");
	assert_int_equal(entry_change(&entry, &(struct entry_about){ .description = "a\x1b[0m" }, &e), -EINVAL);
}

static void devices(void **state)
{
	static const struct { const char *vol, *dm, *device; } want[] = {
		{ "/dev/sda1", "a", "/dev/sda1" }, { "UUID=1-2", "b", "/dev/disk/by-uuid/1-2" },
		{ "LABEL=l", "c", "/dev/disk/by-label/l" }, { "PARTUUID=3", "d", "/dev/disk/by-partuuid/3" },
		{ "PARTLABEL=p", "e", "/dev/disk/by-partlabel/p" }, { "ID=scsi-4", "f", "/dev/disk/by-id/scsi-4" },
		{ "/dev/x", "", "/dev/x" },
	};
	const char *at = "/dev/sda1:a,UUID=1-2:b,,LABEL=l:c,PARTUUID=3:d,PARTLABEL=p:e,ID=scsi-4:f,/dev/x,", *none = NULL;
	char device[PATH_MAX];
	struct volume_item v;
	size_t n = 0;

	(void)state;
	for (; volumes_next(&at, &v); n++) {
		assert_true(n < ARRAY_SIZE(want));
		assert_int_equal(v.len, strlen(want[n].vol));
		assert_memory_equal(v.vol, want[n].vol, v.len);
		assert_int_equal(v.dm_len, strlen(want[n].dm));
		assert_memory_equal(v.dm, want[n].dm, v.dm_len);
		volume_device(&v, device);
		assert_string_equal(device, want[n].device);
	}
	assert_int_equal(n, ARRAY_SIZE(want));
	assert_false(volumes_next(&none, &v));
}

static void property_order(void **state)
{
	static const char *const order[] = { "cipher", "iv-mode", "creation-time", "description", "key-type", "volumes", "apqns",
					     "sector-size", "volume-type", "verification-pattern" };
	static const char vp[] = "cd6b103236fbd87dba93e9001e29bc3d5e885d6abd1577e3e0e0a5f49e444894";
	AUTO_ENTRY struct entry entry = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(entry_init(&entry, "a", &aes, &(struct entry_about){ .pattern = vp }, &e), 0);
	assert_int_equal(entry.props.n, ARRAY_SIZE(order));
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		assert_string_equal(entry.props.v[i].key, order[i]);
	assert_int_equal(strlen(props_get(&entry.props, "creation-time")), 19);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names), IN_DIR(life), IN_DIR(update_with_token), IN_DIR(unfinished_add),
		IN_DIR(unfinished_rename), IN_DIR(unfinished_update), IN_DIR(foreign_intent), IN_DIR(orphan_is_kept),
		IN_DIR(checks), cmocka_unit_test(says_what_is_done), cmocka_unit_test(volumes), cmocka_unit_test(devices),
		cmocka_unit_test(property_order),
	};

	return cmocka_run_group_tests_name("repo", tests, NULL, NULL);
}
