// SPDX-License-Identifier: MIT
/* Secrets from and to files and pipes. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/output.h"

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

int read_plain_file(const char *file, size_t max, struct blob *ret, struct err *e)
{
	AUTO_CLOSE int fd = is_stdio(file) ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	AUTO_SECRET struct secret bytes = { 0 };
	int r;

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", file);
	r = secret_read(&bytes, fd, max, e);
	if (r == 0)
		r = blob_copy(ret, bytes.data, bytes.len, e);
	return r < 0 ? err_prefix(e, "'%s'", file) : 0;
}

int write_plain_file(const char *path, const struct blob *b, bool replace, struct err *e)
{
	const struct output_to to = { .path = path, .replace = replace, .fd = -1 };
	AUTO_OUTPUT struct output out = OUTPUT_NONE;
	int r = output_open(&out, &to, e);

	if (r == 0)
		r = output_create(&out, e);
	if (r == 0)
		r = output_write(&out, b->data, b->len, e);
	return r < 0 ? r : output_publish(&out, e);
}

static int check_stdout(bool force_tty, struct err *e)
{
	if (isatty(STDOUT_FILENO) && !force_tty)
		return err_set(e, EACCES, "will not print a secret to a terminal: use --force-tty, a pipe or a file");
	if ((fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return err_set(e, EBADF, "standard output cannot be written to");
	return 0;
}

int check_secret_output(const char *file, bool force_tty, struct err *e)
{
	const struct output_to to = { .path = file, .fd = -1 };
	AUTO_OUTPUT struct output out = OUTPUT_NONE;
	int r;

	if (is_stdio(file))
		return check_stdout(force_tty, e);
	r = output_open(&out, &to, e);
	return r < 0 ? r : output_create(&out, e);
}

int write_secret_output(const char *file, const struct secret *s, bool force_tty, struct err *e)
{
	const struct output_to to = { .path = is_stdio(file) ? NULL : file, .fd = STDOUT_FILENO };
	AUTO_OUTPUT struct output out = OUTPUT_NONE;
	int r = to.path ? 0 : check_stdout(force_tty, e);

	if (r == 0)
		r = output_open(&out, &to, e);
	if (r == 0)
		r = output_create(&out, e);
	if (r == 0)
		r = output_write(&out, s->data, s->len, e);
	return r < 0 ? r : output_publish(&out, e);
}
