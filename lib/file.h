/* SPDX-License-Identifier: MIT */
/*
 * Files that are there whole or not at all. Every name is relative to a directory descriptor and is never followed
 * through a symbolic link. Writers of one directory hold its lock (lock_take), so one temporary name is enough: what a
 * killed writer left under it is replaced by the next one.
 */
#ifndef HWKEY_FILE_H
#define HWKEY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct blob;
struct err;
struct stat;

#define FILE_TEMP ".hwkey.tmp"

struct file_attr {
	mode_t mode;		/* exactly this, whatever the umask */
	gid_t gid;		/* (gid_t)-1: leave */
};

/* When absent -ENOENT, the one error without a message; ELOOP for a symbolic link; EFBIG over MAX. Regular files only. */
int file_read_at(int dirfd, const char *name, size_t max, struct blob *ret, struct err *e);
/* The same, and what was opened: RET_ST is also set, or all zeros if nothing was opened, where that is refused. */
int file_read_stat_at(int dirfd, const char *name, size_t max, struct blob *ret, struct stat *ret_st, struct err *e);

/*
 * Writes FILE_TEMP, fsyncs it and renames it to NAME. REPLACE false: EEXIST if NAME is there. On error NAME is as it was.
 * Without attributes (NULL) it is 0600 as far as the file system has modes: FAT refuses to be told of one.
 * The rename is durable after dir_sync(); a caller with several files syncs once.
 */
int file_write_at(int dirfd, const char *name, const void *data, size_t len, const struct file_attr *, bool replace,
		  struct err *e);
int dir_sync(int dirfd, struct err *e);
/* The directory PATH and those above it, as far as they are missing: 0700, durable. */
int dir_create(const char *path, struct err *e);
/* The last step of it, for who writes TEMP in pieces: renames TEMP to NAME. 0 or -errno; -EEXIST as above. */
int file_publish_at(int dirfd, const char *temp, const char *name, bool replace);

/*
 * Zeros over all of NAME, durable, before the name goes: its bytes do not stay in freed blocks. What a flash chip or a file
 * system that copies on write keeps of them is out of reach. A link, or what else is no file, only goes. Not there: fine.
 * dir_sync() makes it durable that the name is gone.
 */
int file_wipe_at(int dirfd, const char *name, struct err *e);

int write_all(int fd, const void *data, size_t len);			/* 0 or -errno */
int pwrite_all(int fd, const void *data, size_t len, off_t at);		/* 0 or -errno */
int fsync_retry(int fd);		/* 0 or -errno; EINTR is retried, an error never is */
int fdatasync_retry(int fd);		/* the same */

/*
 * Exclusive lock on NAME in DIRFD (created if absent) by flock(2), released by closing *ret_fd. Waits up to
 * LOCK_WAIT_MS, then ETIMEDOUT. Readers take no lock.
 */
enum { LOCK_WAIT_MS = 60000 };
int lock_take(int dirfd, const char *name, const struct file_attr *, int *ret_fd, struct err *e);

#endif
