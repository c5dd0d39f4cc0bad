// SPDX-License-Identifier: MIT
/* Where a volume is: only files and block devices, one writer of a new header at a time, and whether data is there. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* SEEK_DATA, open file description locks */
#endif
#include "volume.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "lib/err.h"
#include "lib/file.h"

/* A read-only block device can be opened for writing; each write fails. */
static int check_not_readonly(int fd, const char *path, struct err *e)
{
	int readonly = 0;

	if (ioctl(fd, BLKROGET, &readonly) == 0 && readonly)
		return err_set(e, EROFS, "'%s' is a read-only device", path);
	return 0;
}

int luks_place_open(const char *path, int flags, struct err *e)
{
	struct stat st;
	int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC), r;	/* a FIFO would wait for its other end */

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_sys(e, "cannot open volume '%s'", path);
	r = fstat(fd, &st) < 0 ? err_sys(e, "cannot read '%s'", path) : 0;
	if (r == 0 && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		r = err_set(e, EOPNOTSUPP, "'%s' is neither a block device nor a file", path);
	if (r == 0 && S_ISBLK(st.st_mode) && (flags & O_ACCMODE) != O_RDONLY)
		r = check_not_readonly(fd, path, e);
	if (r < 0)
		(void)close(fd);
	return r < 0 ? r : fd;
}

int luks_place_check_writable(int fd, const char *path, struct err *e)
{
	AUTO_CLOSE int again = -1;
	char self[32];

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	again = open(self, O_RDWR | O_CLOEXEC);
	return again < 0 ? err_sys(e, "cannot write to '%s'", path) : check_not_readonly(again, path, e);
}

/* Data at offset 0 would be written over the header. */
int luks_place_differ(int volume, int header, const char *path, struct err *e)
{
	struct stat a, b;
	bool same;

	if (fstat(volume, &a) < 0 || fstat(header, &b) < 0)
		return err_sys(e, "cannot read '%s'", path);
	same = S_ISBLK(a.st_mode) ? S_ISBLK(b.st_mode) && a.st_rdev == b.st_rdev
				  : a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	return same ? err_set(e, EINVAL, "--header '%s' is the volume itself", path) : 0;
}

/* libcryptsetup takes and releases flock(2) on the same file; a lock of this kind does not meet it. */
int luks_place_lock(int fd, const char *path, struct err *e)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return err_set(e, EBUSY, "'%s' is being formatted by another process", path);
	return err_sys(e, "cannot lock '%s'", path);
}

/* 1: only zeros and holes from AT to END. */
static int is_blank(int fd, off_t at, off_t end, unsigned char *buf, size_t size)
{
	while (at < end) {
		off_t data = lseek(fd, at, SEEK_DATA);
		ssize_t n;

		if (data < 0 && errno == ENXIO)
			return 1;
		at = data > at ? data : at;	/* a device knows no holes */
		if (at >= end)
			return 1;
		n = pread(fd, buf, (size_t)(end - at) < size ? (size_t)(end - at) : size, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 1;
		if (!bytes_are_zero(buf, (size_t)n))
			return 0;
		at += n;
	}
	return 1;
}

int luks_place_blank(int fd, const char *path, struct err *e)
{
	enum { HEAD = 16 << 20, TAIL = 1 << 20, PIECE = 1 << 20 };	/* bytes: of a header, of a backup at the end */
	AUTO_FREE unsigned char *buf = malloc(PIECE);
	off_t size = blkid_get_dev_size(fd);
	int r;

	if (!buf)
		return err_nomem(e);
	r = is_blank(fd, 0, size < HEAD ? size : HEAD, buf, PIECE);
	if (r == 1 && size > HEAD)
		r = is_blank(fd, size - TAIL > HEAD ? size - TAIL : HEAD, size, buf, PIECE);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "cannot read '%s'", path);
	}
	return r;
}

int luks_place_zero(int fd, off_t end, const char *path, struct err *e)
{
	enum { PIECE = 1 << 20 };
	AUTO_FREE unsigned char *buf = malloc(PIECE);
	int r;

	if (!buf)
		return err_nomem(e);
	r = is_blank(fd, 0, end, buf, PIECE);
	errno = -r;
	return r < 0 ? err_sys(e, "cannot read '%s'", path) : r;
}

int luks_place_sync_dir(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	AUTO_CLOSE int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (!dir)
		return err_nomem(e);
	return fd < 0 ? err_sys(e, "cannot open directory '%s'", dir) : dir_sync(fd, e);
}
