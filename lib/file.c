// SPDX-License-Identifier: MIT
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "blob.h"
#include "cleanup.h"
#include "err.h"

static int check_size(const struct stat *st, const char *name, size_t max, struct err *e)
{
	if (!S_ISREG(st->st_mode))
		return err_set(e, EBADMSG, "'%s' is not a regular file", name);
	if ((uintmax_t)st->st_size > max)
		return err_set(e, EFBIG, "'%s' is larger than %zu bytes", name, max);
	return 0;
}

/* Reads up to LEN bytes; a file that shrank meanwhile gives fewer. */
static int read_exact(int fd, struct blob *b, const char *name, struct err *e)
{
	size_t got = 0;

	while (got < b->len) {
		ssize_t n = read(fd, b->data + got, b->len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "cannot read '%s'", name);
		if (n == 0)
			break;
		got += (size_t)n;
	}
	b->len = got;
	return 0;
}

int file_read_stat_at(int dirfd, const char *name, size_t max, struct blob *ret, struct stat *ret_st, struct err *e)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	AUTO_BLOB struct blob b = { 0 };
	int r;

	*ret_st = (struct stat){ 0 };
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_sys(e, "cannot open '%s'", name);
	if (fstat(fd, ret_st) < 0)
		return err_sys(e, "cannot read '%s'", name);
	r = check_size(ret_st, name, max, e);
	if (r == 0)
		r = blob_alloc(&b, (size_t)ret_st->st_size, e);
	if (r == 0)
		r = read_exact(fd, &b, name, e);
	if (r < 0)
		return r;
	*ret = TAKE(b);
	return 0;
}

int file_read_at(int dirfd, const char *name, size_t max, struct blob *ret, struct err *e)
{
	struct stat st;

	return file_read_stat_at(dirfd, name, max, ret, &st, e);
}

int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int pwrite_all(int fd, const void *data, size_t len, off_t at)
{
	const char *p = data;

	while (len) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int fdatasync_retry(int fd)
{
	int r;

	do
		r = fdatasync(fd);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int fsync_retry(int fd)
{
	int r;

	do
		r = fsync(fd);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int dir_sync(int dirfd, struct err *e)
{
	return fsync_retry(dirfd) < 0 ? err_sys(e, "cannot make the directory durable") : 0;
}

int dir_create(const char *path, struct err *e)
{
	AUTO_FREE char *copy = strdup(path);
	AUTO_CLOSE int at = open(path[0] == '/' ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *save, *part = copy ? strtok_r(copy, "/", &save) : NULL;
	int r = copy ? 0 : err_nomem(e);

	while (r == 0 && at >= 0 && part) {
		int fd, made = mkdirat(at, part, 0700);

		if (made < 0 && errno != EEXIST)
			break;
		if (made == 0)
			r = dir_sync(at, e);
		fd = openat(at, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(at);
		at = fd;
		part = strtok_r(NULL, "/", &save);
	}
	return r < 0 ? r : at < 0 || part ? err_sys(e, "cannot create directory '%s'", path) : 0;
}

/* What a killed writer left under the temporary name is nobody's: the caller holds the lock. */
static int temp_create(int dirfd)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(dirfd, FILE_TEMP, flags, 0600);

	if (fd < 0 && errno == EEXIST && unlinkat(dirfd, FILE_TEMP, 0) == 0)
		fd = openat(dirfd, FILE_TEMP, flags, 0600);
	return fd;
}

static int temp_fill(int fd, const void *data, size_t len, const struct file_attr *a)
{
	int r = write_all(fd, data, len);

	if (r == 0 && a && a->gid != (gid_t)-1 && fchown(fd, (uid_t)-1, a->gid) < 0 && errno != EPERM)
		r = -errno;
	if (r == 0 && a && fchmod(fd, a->mode) < 0)
		r = -errno;
	if (r == 0)
		r = fsync_retry(fd);
	if (close(fd) < 0 && errno != EINTR && r == 0)
		r = -errno;
	return r;
}

/* File systems without RENAME_NOREPLACE get link + unlink, which is as exclusive. */
int file_publish_at(int dirfd, const char *temp, const char *name, bool replace)
{
	if (replace)
		return renameat(dirfd, temp, dirfd, name) < 0 ? -errno : 0;
	if (renameat2(dirfd, temp, dirfd, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (linkat(dirfd, temp, dirfd, name, 0) < 0)
		return -errno;
	(void)unlinkat(dirfd, temp, 0);
	return 0;
}

int file_write_at(int dirfd, const char *name, const void *data, size_t len, const struct file_attr *a, bool replace,
		  struct err *e)
{
	int r, fd = temp_create(dirfd);

	if (fd < 0)
		return err_sys(e, "cannot write '%s'", name);
	r = temp_fill(fd, data, len, a);
	if (r == 0)
		r = file_publish_at(dirfd, FILE_TEMP, name, replace);
	if (r == 0)
		return 0;
	(void)unlinkat(dirfd, FILE_TEMP, 0);
	errno = -r;
	return err_sys(e, "cannot write '%s'", name);
}

/* 0 as well where there is nothing to overwrite. */
static int overwrite(int dirfd, const char *name)
{
	static const unsigned char zero[65536];
	const int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int r, fd = openat(dirfd, name, flags);
	struct stat st;

	if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0600, 0) == 0)
		fd = openat(dirfd, name, flags);
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? 0 : -errno;
	r = fstat(fd, &st) < 0 ? -errno : 0;
	for (off_t at = 0; r == 0 && S_ISREG(st.st_mode) && at < st.st_size; at += (off_t)sizeof(zero)) {
		size_t rest = (size_t)(st.st_size - at);

		r = pwrite_all(fd, zero, rest < sizeof(zero) ? rest : sizeof(zero), at);
	}
	if (r == 0 && S_ISREG(st.st_mode))
		r = fdatasync_retry(fd);
	return close(fd) < 0 && errno != EINTR && r == 0 ? -errno : r;
}

int file_wipe_at(int dirfd, const char *name, struct err *e)
{
	int r = overwrite(dirfd, name);

	if (r == 0 && unlinkat(dirfd, name, 0) < 0)
		r = -errno;
	if (r == 0 || r == -ENOENT)
		return 0;
	errno = -r;
	return err_sys(e, "cannot overwrite and remove '%s'", name);
}

static int flock_wait(int fd)
{
	const struct timespec tick = { .tv_nsec = 5000000 };

	for (int waited = 0; waited <= LOCK_WAIT_MS; waited += 5) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		(void)nanosleep(&tick, NULL);
	}
	return -ETIMEDOUT;
}

int lock_take(int dirfd, const char *name, const struct file_attr *a, int *ret_fd, struct err *e)
{
	int r, fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, a->mode);

	if (fd < 0)
		return err_sys(e, "cannot open lock '%s'", name);
	r = flock_wait(fd);
	if (r == 0) {
		*ret_fd = fd;
		return 0;
	}
	(void)close(fd);
	errno = -r;
	return err_sys(e, "cannot lock '%s'", name);
}
