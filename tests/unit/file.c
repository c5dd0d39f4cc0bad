// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/file.h"

static const struct file_attr attr = { .mode = 0640, .gid = (gid_t)-1 };

struct dir { char path[64]; int fd; };

static int dir_setup(void **state)
{
	struct dir *d = calloc(1, sizeof(*d));

	(void)snprintf(d->path, sizeof(d->path), "/tmp/hwkey-unit.XXXXXX");
	if (!mkdtemp(d->path))
		return -1;
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = d;
	return d->fd < 0;
}

static int dir_teardown(void **state)
{
	struct dir *d = *state;
	static const char *const names[] = { "a", "b", "link", FILE_TEMP, ".lock" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlinkat(d->fd, names[i], 0);
	(void)close(d->fd);
	(void)rmdir(d->path);
	free(d);
	return 0;
}

static void assert_content(int dirfd, const char *name, const char *want)
{
	AUTO_BLOB struct blob b = { 0 };
	struct err e = { 0 };

	assert_int_equal(file_read_at(dirfd, name, 100, &b, &e), 0);
	assert_int_equal(b.len, strlen(want));
	assert_memory_equal(b.data, want, b.len);
}

static void writes_whole_and_replaces(void **state)
{
	struct dir *d = *state;
	struct err e = { 0 };
	struct stat st;

	(void)umask(0);
	assert_int_equal(file_write_at(d->fd, "a", "one", 3, &attr, false, &e), 0);
	assert_content(d->fd, "a", "one");
	assert_int_equal(fstatat(d->fd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(file_write_at(d->fd, "a", "two", 3, &attr, false, &e), -EEXIST);
	assert_content(d->fd, "a", "one");
	assert_int_equal(file_write_at(d->fd, "a", "two", 3, &attr, true, &e), 0);
	assert_content(d->fd, "a", "two");
	assert_int_equal(faccessat(d->fd, FILE_TEMP, F_OK, 0), -1);
}

static void replaces_what_a_killed_writer_left(void **state)
{
	struct dir *d = *state;
	struct err e = { 0 };
	int fd = openat(d->fd, FILE_TEMP, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0 && write(fd, "half", 4) == 4 && close(fd) == 0);
	assert_int_equal(file_write_at(d->fd, "a", "one", 3, &attr, false, &e), 0);
	assert_content(d->fd, "a", "one");
}

static void follows_no_symbolic_link(void **state)
{
	struct dir *d = *state;
	AUTO_BLOB struct blob b = { 0 };
	struct err e = { 0 };
	struct stat st;
	int fd;

	assert_int_equal(symlinkat("b", d->fd, "link"), 0);
	assert_int_equal(file_read_at(d->fd, "link", 100, &b, &e), -ELOOP);
	assert_int_equal(file_write_at(d->fd, "link", "x", 1, &attr, false, &e), -EEXIST);
	assert_int_equal(file_write_at(d->fd, "link", "x", 1, &attr, true, &e), 0);	/* the link itself is replaced */
	assert_int_equal(faccessat(d->fd, "b", F_OK, 0), -1);
	assert_int_equal(fstatat(d->fd, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(unlinkat(d->fd, "link", 0), 0);
	assert_int_equal(symlinkat("b", d->fd, ".lock"), 0);
	assert_int_equal(lock_take(d->fd, ".lock", &attr, &fd, &e), -ELOOP);
}

static void reads_regular_files_within_the_limit(void **state)
{
	struct dir *d = *state;
	AUTO_BLOB struct blob b = { 0 };
	struct err e = { 0 };

	assert_int_equal(file_read_at(d->fd, "a", 100, &b, &e), -ENOENT);
	assert_string_equal(e.msg, "");
	assert_int_equal(file_write_at(d->fd, "a", "12345", 5, &attr, false, &e), 0);
	assert_int_equal(file_read_at(d->fd, "a", 4, &b, &e), -EFBIG);
	assert_int_equal(file_read_at(d->fd, ".", 4, &b, &e), -EBADMSG);
	assert_int_equal(mknodat(d->fd, "b", S_IFIFO | 0600, 0), 0);
	assert_int_equal(file_read_at(d->fd, "b", 100, &b, &e), -EBADMSG);	/* and does not hang */
	assert_null(b.data);
}

static void creates_directories(void **state)
{
	struct dir *d = *state;
	char top[64], path[96];
	struct err e = { 0 };
	struct stat st;

	(void)snprintf(top, sizeof(top), "/proc/self/fd/%d", d->fd);
	(void)snprintf(path, sizeof(path), "%s/new/er//est/", top);
	assert_int_equal(dir_create(path, &e), 0);
	assert_int_equal(dir_create(path, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(file_write_at(d->fd, "file", "x", 1, &attr, false, &e), 0);
	(void)snprintf(path, sizeof(path), "%s/file/new", top);
	assert_int_equal(dir_create(path, &e), -ENOTDIR);
	assert_non_null(strstr(e.msg, path));
	assert_int_equal(unlinkat(d->fd, "new/er/est", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(d->fd, "new/er", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(d->fd, "new", AT_REMOVEDIR), 0);
}

static void has_one_lock_holder(void **state)
{
	struct dir *d = *state;
	struct err e = { 0 };
	int fd = -1, other;

	assert_int_equal(lock_take(d->fd, ".lock", &attr, &fd, &e), 0);
	other = openat(d->fd, ".lock", O_RDWR | O_CLOEXEC);
	assert_true(other >= 0);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(close(other), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_whole_and_replaces, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(replaces_what_a_killed_writer_left, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(follows_no_symbolic_link, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(reads_regular_files_within_the_limit, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(creates_directories, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(has_one_lock_holder, dir_setup, dir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
