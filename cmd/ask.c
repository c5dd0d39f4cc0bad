// SPDX-License-Identifier: MIT
/* Questions to a person: secrets and confirmations. A script answers secrets through $CREDENTIALS_DIRECTORY. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>

#include "lib/file.h"

enum { SECRET_MAX = 4096, LINE_SECRET_MAX = 512 };	/* bytes: credential file, typed line */

__attribute__((format(printf, 1, 0))) static void say(const char *fmt, va_list ap)
{
	AUTO_FREE char *text = NULL;

	if (vasprintf(&text, fmt, ap) >= 0)
		(void)fprintf(stderr, "hwkey: %s\n", text);	/* in one piece, whoever else writes there */
}

void note(const struct env *env, const char *fmt, ...)
{
	const struct hwkey *hw = env->ctx;
	va_list ap;

	if (hw->quiet)
		return;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void warn(const struct env *env, const char *fmt, ...)
{
	va_list ap;

	(void)env;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

/* Without a newline at its end. -ENOENT without a message: no such credential. */
static int read_credential(const char *name, struct secret *ret, struct err *e)
{
	const char *path = secure_getenv("CREDENTIALS_DIRECTORY");
	AUTO_CLOSE int dir = -1, fd = -1;
	struct stat st;
	int r;

	if (!path || !*path)
		return -ENOENT;
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_sys(e, "cannot open credential '%s'", name);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, EACCES, "credential '%s' is not a regular file", name);
	r = secret_read(ret, fd, SECRET_MAX, e);
	if (r < 0)
		return err_prefix(e, "credential '%s'", name);
	if (ret->len && ret->data[ret->len - 1] == '\n')
		ret->len--;
	return 0;
}

/* A signal waits while the terminal is not as it was: STOP is readable when one is pending. */
struct guard {
	sigset_t mask;
	int stop;
};

static int guard_begin(struct guard *g, struct err *e)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP };
	sigset_t stops;

	(void)sigemptyset(&stops);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaddset(&stops, signals[i]);
	g->stop = signalfd(-1, &stops, SFD_CLOEXEC);
	if (g->stop < 0 || sigprocmask(SIG_BLOCK, &stops, &g->mask) < 0)
		return err_sys(e, "cannot use the terminal");
	return 0;
}

static void guard_end(struct guard *g)
{
	(void)close(g->stop);
	(void)sigprocmask(SIG_SETMASK, &g->mask, NULL);
}

/* The next byte: 1, 0 at the end, or -errno. */
static int read_byte(int fd, const struct guard *g, unsigned char *ret, struct err *e)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = g->stop, .events = POLLIN } };
	ssize_t n;

	while (poll(p, ARRAY_SIZE(p), -1) < 0)
		if (errno != EINTR)
			return err_sys(e, "cannot read from the terminal");
	if (p[1].revents)
		return err_set(e, EINTR, "interrupted");
	do
		n = read(fd, ret, 1);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_sys(e, "cannot read from the terminal") : (int)n;
}

/* One line, byte by byte: a buffered reader would keep a copy. A line that is too long is read to its end all the same. */
static int read_line(int fd, const struct guard *g, struct secret *s, struct err *e)
{
	bool fits = true;
	int r;

	while ((r = read_byte(fd, g, s->data + s->len, e)) == 1 && s->data[s->len] != '\n') {
		fits = fits && s->len + 1 < LINE_SECRET_MAX;
		s->len += fits;
	}
	if (r < 0)
		return r;
	if (!fits)
		return err_set(e, EFBIG, "answer is longer than %d bytes", LINE_SECRET_MAX - 1);
	return s->len ? 0 : err_set(e, ENOKEY, "no answer");
}

/* Asks and reads while the terminal is guarded. */
static int converse(int tty, const struct guard *g, const char *text, bool echo, struct secret *s, struct err *e)
{
	struct termios saved, quiet;
	int r;

	if (tcgetattr(tty, &saved) < 0)
		return err_sys(e, "cannot use the terminal");
	quiet = saved;
	if (!echo)
		quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)dprintf(tty, "%s ", text);
	if (tcsetattr(tty, TCSAFLUSH, &quiet) < 0)
		return err_sys(e, "cannot use the terminal");
	r = read_line(tty, g, s, e);
	(void)tcsetattr(tty, TCSAFLUSH, &saved);	/* what was typed after an error is not for the shell */
	if (!echo)
		(void)dprintf(tty, "\n");
	return r;
}

static int prompt(int tty, const char *text, bool echo, struct secret *ret, struct err *e)
{
	AUTO_SECRET struct secret s = { 0 };
	struct guard g;
	int r = secret_alloc(&s, LINE_SECRET_MAX, e);

	if (r == 0)
		r = guard_begin(&g, e);
	if (r < 0)
		return r;
	r = converse(tty, &g, text, echo, &s, e);
	guard_end(&g);			/* a signal that waited is obeyed here */
	if (r < 0)
		return r;
	*ret = TAKE(s);
	return 0;
}

static int open_tty(const struct env *env, const char *name, struct err *e)
{
	const struct hwkey *hw = env->ctx;
	int tty = hw->batch ? -1 : open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (tty >= 0)
		return tty;
	return err_set(e, ENOKEY, "nobody can be asked here: give credential '%s' in $CREDENTIALS_DIRECTORY", name);
}

int ask_secret(const struct env *env, const char *name, const char *text, struct secret *ret, struct err *e)
{
	AUTO_CLOSE int tty = -1;
	int r = read_credential(name, ret, e);

	if (r != -ENOENT)
		return r;
	tty = open_tty(env, name, e);
	return tty < 0 ? tty : prompt(tty, text, false, ret, e);
}

int ask_new_secret(const struct env *env, const char *name, const char *text, struct secret *ret, struct err *e)
{
	AUTO_SECRET struct secret first = { 0 }, again = { 0 };
	AUTO_CLOSE int tty = -1;
	int r = read_credential(name, ret, e);

	if (r != -ENOENT)
		return r;
	tty = open_tty(env, name, e);
	if (tty < 0)
		return tty;
	r = prompt(tty, text, false, &first, e);
	if (r == 0)
		r = prompt(tty, "Again:", false, &again, e);
	if (r < 0)
		return r;
	if (first.len == 0)
		return err_set(e, EINVAL, "an empty passphrase protects nothing");
	if (first.len != again.len || memcmp(first.data, again.data, first.len) != 0)
		return err_set(e, EINVAL, "the two passphrases differ");
	*ret = TAKE(first);
	return 0;
}

/* No answer is an empty one. INSTEAD: the option that answers. */
static int ask_answer(const struct hwkey *hw, const char *text, const char *instead, struct secret *ret, struct err *e)
{
	const bool can_ask = !hw->batch && isatty(STDIN_FILENO);	/* a script's question is nobody's */
	AUTO_CLOSE int tty = can_ask ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) : -1;
	int r;

	if (tty < 0)
		return err_set(e, EACCES, "needs a confirmation and nobody can be asked here: use %s", instead);
	r = prompt(tty, text, true, ret, e);
	return r == -ENOKEY ? 0 : r;
}

int confirm(struct hwkey *hw, const char *question, struct err *e)
{
	AUTO_SECRET struct secret answer = { 0 };
	char text[256];
	int r;

	(void)snprintf(text, sizeof(text), "%s [y/N]", question);
	r = ask_answer(hw, text, "--force", &answer, e);
	if (r < 0)
		return r;
	if (answer.len && (answer.data[0] == 'y' || answer.data[0] == 'Y'))
		return 0;
	return err_set(e, EACCES, "not confirmed");
}

int confirm_word(struct hwkey *hw, const char *word, struct err *e)
{
	AUTO_SECRET struct secret answer = { 0 };
	char text[PATH_MAX + 64];
	int r;

	(void)snprintf(text, sizeof(text), "This cannot be undone. Type '%s' to go on:", word);
	r = ask_answer(hw, text, "--i-understand", &answer, e);
	if (r < 0)
		return r;
	if (answer.len == strlen(word) && !memcmp(answer.data, word, answer.len))
		return 0;
	return err_set(e, EACCES, "not confirmed");
}
