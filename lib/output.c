// SPDX-License-Identifier: MIT
/*
 * A file that appears whole or not at all. Where the file system can, it has no name until it is whole (O_TMPFILE), so
 * that even a kill leaves nothing; elsewhere, and for the moment a replacing takes, it has a random one.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "file.h"
#include "secret.h"

static int fail(const struct output *o, const char *what, struct err *e)
{
	return o->path ? err_sys(e, "cannot %s '%s'", what, o->path) : err_sys(e, "cannot %s to standard output", what);
}

static int dir_open(struct output *o, struct err *e)
{
	const char *slash = strrchr(o->path, '/');
	AUTO_FREE char *dir = slash ? strndup(o->path, slash == o->path ? 1 : (size_t)(slash - o->path)) : strdup(".");

	if (!dir)
		return err_nomem(e);
	o->name = slash ? slash + 1 : o->path;
	if (!*o->name)
		return err_set(e, EINVAL, "output '%s' names no file", o->path);
	o->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return o->dirfd < 0 ? err_sys(e, "cannot open directory '%s'", dir) : 0;
}

/* Now, so that a long run does not fail at its end; publishing decides. */
static int vacancy_check(const struct output *o, struct err *e)
{
	struct stat st;

	if (fstatat(o->dirfd, o->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(o, "write", e);
	if (!o->replace)
		return err_set(e, EEXIST, "output '%s' exists already", o->path);
	return S_ISREG(st.st_mode) ? 0 : err_set(e, EEXIST, "output '%s' is not a regular file", o->path);
}

int output_open(struct output *ret, const struct output_to *to, struct err *e)
{
	struct output o = OUTPUT_NONE;
	int r = 0;

	o.path = to->path;
	o.replace = to->replace;
	if (o.path)
		r = dir_open(&o, e);
	else
		o.fd = to->fd;
	if (r == 0 && o.path)
		r = vacancy_check(&o, e);
	if (r == 0)
		*ret = o;
	else
		output_done(&o);
	return r;
}

/* From here to output_done() a signal waits: whoever reads for us sees STOP. */
static int temp_begin(struct output *o, struct err *e)
{
	sigset_t stops;
	uint64_t id;
	int r;

	(void)sigemptyset(&stops);
	(void)sigaddset(&stops, SIGHUP);
	(void)sigaddset(&stops, SIGINT);
	(void)sigaddset(&stops, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &stops, &o->mask) < 0)
		return fail(o, "block signals for", e);
	o->stop = signalfd(-1, &stops, SFD_CLOEXEC);
	if (o->stop < 0) {
		r = fail(o, "block signals for", e);
		(void)sigprocmask(SIG_SETMASK, &o->mask, NULL);
		return r;
	}
	r = random_bytes(&id, sizeof(id), e);
	if (r == 0)
		(void)snprintf(o->temp, sizeof(o->temp), ".hwkey-%016llx", (unsigned long long)id);
	return r;
}

static int temp_create(struct output *o, struct err *e)
{
	int r = temp_begin(o, e);

	if (r < 0)
		return r;
	o->fd = openat(o->dirfd, o->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (o->fd >= 0)
		return 0;
	o->temp[0] = '\0';	/* whatever has that name is not ours */
	return fail(o, "create", e);
}

int output_create(struct output *o, struct err *e)
{
	int r = 0;

	if (!o->path)
		return 0;
	o->fd = openat(o->dirfd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	if (o->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL || errno == ENOENT))
		r = temp_create(o, e);
	else if (o->fd < 0)
		r = fail(o, "create", e);
	if (r == 0 && fchmod(o->fd, 0600) < 0)	/* whatever the umask */
		r = fail(o, "create", e);
	return r;
}

int output_write(struct output *o, const void *data, size_t len, struct err *e)
{
	int r = write_all(o->fd, data, len);

	if (r == 0)
		return 0;
	errno = -r;
	return fail(o, "write", e);
}

/* Gives the nameless file a name. The first way needs a privilege or a new kernel, the second /proc. */
static int fd_link(const struct output *o, const char *name)
{
	char self[32];

	if (linkat(o->fd, "", o->dirfd, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
	return linkat(AT_FDCWD, self, o->dirfd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* A name can replace another only by rename(2), which needs one to begin with. */
static int name_give(struct output *o, struct err *e)
{
	int r;

	if (!o->temp[0] && !o->replace)
		return fd_link(o, o->name);
	if (!o->temp[0]) {
		r = temp_begin(o, e);
		if (r == 0)
			r = fd_link(o, o->temp);
		if (r < 0) {
			o->temp[0] = '\0';
			return r;
		}
	}
	r = file_publish_at(o->dirfd, o->temp, o->name, o->replace);
	if (r == 0)
		o->temp[0] = '\0';
	return r;
}

static int file_publish(struct output *o, struct err *e)
{
	int r = fsync_retry(o->fd);

	if (r == 0)
		r = name_give(o, e);
	if (r < 0) {
		errno = -r;
		return fail(o, "write", e);
	}
	r = dir_sync(o->dirfd, e);
	if (r < 0 && o->replace)
		return err_prefix(e, "output '%s' is written, but may not survive a power cut", o->path);
	if (r < 0)
		(void)unlinkat(o->dirfd, o->name, 0);
	return r;
}

int output_publish(struct output *o, struct err *e)
{
	struct stat st;

	if (o->path)
		return file_publish(o, e);
	if (fstat(o->fd, &st) == 0 && S_ISREG(st.st_mode) && fsync_retry(o->fd) < 0)
		return fail(o, "write", e);
	return 0;
}

void output_done(struct output *o)
{
	if (o->path && o->fd >= 0)
		(void)close(o->fd);	/* fsync said what there was to say */
	if (o->temp[0])
		(void)unlinkat(o->dirfd, o->temp, 0);
	if (o->dirfd >= 0)
		(void)close(o->dirfd);
	if (o->stop >= 0) {
		(void)close(o->stop);
		(void)sigprocmask(SIG_SETMASK, &o->mask, NULL);
	}
	*o = (struct output)OUTPUT_NONE;
}
