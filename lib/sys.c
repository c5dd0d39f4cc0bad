// SPDX-License-Identifier: MIT
#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "env.h"

enum { ENTRIES_SIZE = 32768 };	/* bytes of a directory, read at once: as much as readdir() takes */

static int place(const struct env *env, const char *path, char ret[PATH_MAX])
{
	int n;

	if (env->sysroot)
		n = snprintf(ret, PATH_MAX, "%s%s", env->sysroot, path);
	else if (env->sysfs && !strncmp(path, "/sys/", 5))
		n = snprintf(ret, PATH_MAX, "%s%s", env->sysfs, path + 4);
	else
		n = snprintf(ret, PATH_MAX, "%s", path);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int sys_open(const struct env *env, const char *path, int flags)
{
	char at[PATH_MAX];
	int r = place(env, path, at);
	int fd;

	if (r < 0)
		return r;
	fd = open(at, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

bool sys_exists(const struct env *env, const char *path)
{
	char at[PATH_MAX];

	return place(env, path, at) == 0 && faccessat(AT_FDCWD, at, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Reads FD to its end: a capture's files may come in pieces, an attribute comes whole. */
static ssize_t read_whole(int fd, char *ret, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, ret + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return (ssize_t)n;
		n += (size_t)got;
	}
	return -EFBIG;
}

/* In place: what a terminal must not see, and what is not ASCII, is '?'. */
static void clean(char *text)
{
	for (; *text; text++)
		if ((*text < ' ' && *text != '\n') || *text == 0x7f)	/* char may be signed: bytes over 0x7f too */
			*text = '?';
}

static int text_end(char *text, ssize_t n, bool one_line)
{
	if (n < 0)
		return (int)n;
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)text[i] >= 0x7f || text[i] == '\0')
			text[i] = '?';
	text[n] = '\0';
	if (one_line)
		text[strcspn(text, "\n")] = '\0';
	clean(text);
	return text[0] ? (int)strlen(text) : -ENODATA;
}

static int read_text(int dirfd, const char *name, char *ret, size_t size, bool one_line)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r = fd < 0 ? -errno : text_end(ret, read_whole(fd, ret, size - 1), one_line);

	if (r < 0)
		ret[0] = '\0';
	return r;
}

int attr_read(int dirfd, const char *name, char *ret, size_t size)
{
	return read_text(dirfd, name, ret, size, true);
}

int attr_read_text(int dirfd, const char *name, char *ret, size_t size)
{
	return read_text(dirfd, name, ret, size, false);
}

int attr_read_link(int dirfd, const char *name, char *ret, size_t size)
{
	char target[512];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target));
	ssize_t start = n;

	ret[0] = '\0';
	if (n < 0)
		return -errno;
	while (start > 0 && target[start - 1] != '/')
		start--;
	if (n == sizeof(target) || (size_t)(n - start) >= size)
		return -EFBIG;
	memcpy(ret, target + start, (size_t)(n - start));
	return text_end(ret, n - start, true);
}

int sys_read(const struct env *env, const char *path, char *ret, size_t size)
{
	char at[PATH_MAX];
	int r = place(env, path, at);

	ret[0] = '\0';
	return r < 0 ? r : attr_read(AT_FDCWD, at, ret, size);
}

ssize_t sys_read_bytes(const struct env *env, const char *path, void *ret, size_t size)
{
	AUTO_CLOSE int fd = sys_open(env, path, O_RDONLY);

	return fd < 0 ? fd : read_whole(fd, ret, size);
}

int sys_read_number(const struct env *env, const char *path, long *ret)
{
	char text[32];
	int r = sys_read(env, path, text, sizeof(text));

	return r < 0 ? r : text_number(text, 10, ret);
}

int sys_read_link(const struct env *env, const char *path, char *ret, size_t size)
{
	char at[PATH_MAX];
	int r = place(env, path, at);

	ret[0] = '\0';
	return r < 0 ? r : attr_read_link(AT_FDCWD, at, ret, size);
}

int text_number(const char *text, int base, long *ret)
{
	char *end;
	long v;

	if ((text[0] < '0' || text[0] > '9') && text[0] != '-' && !(base == 16 && strchr("abcdefABCDEF", text[0])))
		return -EINVAL;
	errno = 0;
	v = strtol(text, &end, base);
	if (errno || end == text || *end)
		return -EINVAL;
	*ret = v;
	return 0;
}

bool text_has_word(const char *text, const char *word)
{
	static const char between[] = " \t\n,:";
	size_t len = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += len)
		if ((at == text || strchr(between, at[-1])) && (!at[len] || strchr(between, at[len])))
			return true;
	return false;
}

bool bytes_have_string(const char *data, size_t len, const char *word)
{
	size_t n = strlen(word) + 1;

	for (size_t at = 0; at < len; at += strnlen(data + at, len - at) + 1)
		if (len - at >= n && !memcmp(data + at, word, n))
			return true;
	return false;
}

int dir_names(int dirfd, int (*see)(void *ctx, const char *name), void *ctx)
{
	AUTO_FREE char *entries = malloc(ENTRIES_SIZE);	/* the compiler would clear it on the stack */
	ssize_t n = 0;
	int r = !entries ? -ENOMEM : lseek(dirfd, 0, SEEK_SET) < 0 ? -errno : 0;

	while (r == 0 && (n = getdents64(dirfd, entries, ENTRIES_SIZE)) > 0) {
		const struct dirent64 *entry = (const void *)entries;

		for (ssize_t at = 0; r == 0 && at < n; entry = (const void *)(entries + at)) {
			at += entry->d_reclen;
			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
				r = see(ctx, entry->d_name);
		}
	}
	return r == 0 && n < 0 ? -errno : r;
}

struct names { char *text; size_t len, size, n; };

static int name_add(void *ctx, const char *name)
{
	struct names *names = ctx;
	size_t need = strlen(name) + 1;

	if (names->len + need > names->size) {
		size_t size = 2 * names->size + need + 256;
		char *bigger = realloc(names->text, size);

		if (!bigger)
			return -ENOMEM;
		names->text = bigger;
		names->size = size;
	}
	memcpy(names->text + names->len, name, need);
	names->len += need;
	names->n++;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in one allocation, in order. */
static int names_sort(const struct names *names, char **ret)
{
	AUTO_FREE const char **order = calloc(names->n + 1, sizeof(*order));
	char *sorted = malloc(names->len + 1), *to = sorted;
	const char *at = names->text;

	if (!order || !sorted) {
		free(sorted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < names->n; i++, at += strlen(at) + 1)
		order[i] = at;
	if (names->n)
		qsort(order, names->n, sizeof(*order), compare);
	for (size_t i = 0; i < names->n; i++)
		to = stpcpy(to, order[i]) + 1;
	*ret = sorted;
	return 0;
}

int dir_names_sorted(int dirfd, char **ret, size_t *ret_n)
{
	struct names names = { 0 };
	int r = dir_names(dirfd, name_add, &names);

	if (r == 0)
		r = names_sort(&names, ret);
	free(names.text);
	if (r == 0)
		*ret_n = names.n;
	return r;
}

int sys_names(const struct env *env, const char *path, char **ret, size_t *ret_n)
{
	AUTO_CLOSE int fd = sys_open(env, path, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? fd : dir_names_sorted(fd, ret, ret_n);
}

bool sys_bound(const struct env *env, const char *driver, char *ret, size_t size)
{
	AUTO_FREE char *names = NULL;
	char path[128];
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "/sys/bus/platform/drivers/%s", driver);
	if (sys_names(env, path, &names, &n) < 0)
		return false;
	for (const char *name = names; n--; name += strlen(name) + 1) {
		if (name[0] < '0' || name[0] > '9')	/* bind, uevent, module, ... */
			continue;
		(void)snprintf(ret, size, "%s", name);
		return true;
	}
	return false;
}
