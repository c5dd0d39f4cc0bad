// SPDX-License-Identifier: MIT
/* Secrets from and to files and pipes. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/file.h"

static bool is_stdio(const char *file)
{
	return !file || !strcmp(file, "-");
}

static int check_private(int fd, const char *file, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot read '%s'", file);
	if (S_ISREG(st.st_mode) && st.st_mode & (S_IROTH | S_IWOTH))
		return err_set(e, EPERM, "'%s' is open to other users: chmod o= it first", file);
	return 0;
}

int read_secret_file(const char *file, size_t max, struct secret *ret, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	int r;

	if (is_stdio(file)) {
		r = secret_read(ret, STDIN_FILENO, max, e);
		return r < 0 ? err_prefix(e, "standard input") : 0;
	}
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", file);
	r = check_private(fd, file, e);
	if (r < 0)
		return r;
	r = secret_read(ret, fd, max, e);
	return r < 0 ? err_prefix(e, "'%s'", file) : 0;
}

static int write_stdout(const struct secret *s, bool force_tty, struct err *e)
{
	int r;

	if (isatty(STDOUT_FILENO) && !force_tty)
		return err_set(e, EACCES, "will not print a secret to a terminal: use --force-tty, a pipe or --output");
	r = write_all(STDOUT_FILENO, s->data, s->len);
	if (r == 0)
		return 0;
	errno = -r;
	return err_sys(e, "cannot write to standard output");
}

/* The directory of PATH and the name in it; PATH is changed. */
static int open_parent(char *path, const char **ret_name, struct err *e)
{
	char *slash = strrchr(path, '/');
	const char *dir = !slash ? "." : slash == path ? "/" : path;
	int fd;

	*ret_name = slash ? slash + 1 : path;
	if (slash)
		*slash = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "cannot open directory '%s'", dir) : fd;
}

int write_secret_output(const char *output, const struct secret *s, bool force_tty, struct err *e)
{
	AUTO_FREE char *path = NULL;
	AUTO_CLOSE int dir = -1;
	const char *name;
	int r;

	if (is_stdio(output))
		return write_stdout(s, force_tty, e);
	path = strdup(output);
	if (!path)
		return err_nomem(e);
	dir = open_parent(path, &name, e);
	if (dir < 0)
		return dir;
	r = file_write_at(dir, name, s->data, s->len, &(struct file_attr){ 0600, (gid_t)-1 }, false, e);
	return r < 0 ? r : dir_sync(dir, e);
}
