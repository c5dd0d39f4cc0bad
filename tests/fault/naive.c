// SPDX-License-Identifier: MIT
/*
 * naive HOW DIR set VALUE | naive HOW DIR dump: a store of one value, written well or badly, for the harness to judge.
 *   good      temporary file, fsync, rename, fsync of the directory      slots   two slots in one file, one fdatasync
 *   link      O_TMPFILE, fsync, linkat (first write only)
 *   swap      as good, in a directory that appears by rename (first write only)
 *   nosync    as good without any fsync          nodirsync  as good without the fsync of the directory
 *   truncate  in place                           deaf       as good, but looks at no result
 *   swapbad   as swap without fsync of the new directory before its rename
 *   remains   as good, but a temporary file of a killed run stops the next one
 *   retry     as good, but repeats a failing fsync and believes the second answer
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct slot {			/* at 0 and 4096 of "slots" */
	uint32_t generation, sum;
	char value[4000];
};

static const char *how;

static int is(const char *name) { return !strcmp(how, name); }

static void must(int ok, const char *what)
{
	if (ok || is("deaf"))
		return;
	fprintf(stderr, "naive: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void write_value(int fd, const char *value)
{
	size_t len = strlen(value), half = len / 2;	/* two writes: so that there is something between */

	must(write(fd, value, half) == (ssize_t)half, "write");
	must(write(fd, value + half, len - half) == (ssize_t)(len - half), "write");
}

static void sync_fd(int fd, const char *what)
{
	if (is("nosync"))
		return;
	if (fsync(fd) < 0)
		must(is("retry") && fsync(fd) == 0, what);
}

static uint32_t sum_of(const struct slot *s)
{
	uint32_t sum = s->generation * 2654435761u + 1;

	for (size_t i = 0; i < sizeof(s->value); i++)
		sum = sum * 31 + (unsigned char)s->value[i];
	return sum;
}

/* The newest slot with a right sum; -1: none. */
static int slot_read(int dir, struct slot ret[2])
{
	int fd = openat(dir, "slots", O_RDONLY | O_CLOEXEC), best = -1;

	memset(ret, 0, 2 * sizeof(*ret));
	if (fd < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		if (pread(fd, &ret[i], sizeof(ret[i]), 4096 * i) == sizeof(ret[i]) && ret[i].sum == sum_of(&ret[i]) &&
		    (best < 0 || ret[i].generation > ret[best].generation))
			best = i;
	close(fd);
	return best;
}

static void slots_set(int dir, const char *value)
{
	struct slot s[2], new = { 0 };
	int best = slot_read(dir, s), fd = openat(dir, "slots", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	must(fd >= 0, "open slots");
	new.generation = best < 0 ? 1 : s[best].generation + 1;
	strncpy(new.value, value, sizeof(new.value) - 1);
	new.sum = sum_of(&new);
	must(pwrite(fd, &new, sizeof(new), 4096 * !best) == sizeof(new), "pwrite");
	must(fdatasync(fd) == 0, "fdatasync");
	if (best < 0)
		must(fsync(dir) == 0, "fsync");
}

static void link_set(int dir, const char *value)
{
	char path[64];
	int fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	must(fd >= 0, "O_TMPFILE");
	write_value(fd, value);
	must(fsync(fd) == 0, "fsync");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	must(linkat(AT_FDCWD, path, dir, "value", AT_SYMLINK_FOLLOW) == 0, "linkat");
	must(fsync(dir) == 0, "fsync");
}

static void swap_set(int dir, const char *value)
{
	int sub, fd;

	must(mkdirat(dir, ".new", 0700) == 0 || errno == EEXIST, "mkdir");
	sub = openat(dir, ".new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(sub >= 0, "open .new");
	fd = openat(sub, "value", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd >= 0, "open");
	write_value(fd, value);
	must(fsync(fd) == 0, "fsync");
	must(is("swapbad") || fsync(sub) == 0, "fsync");
	must(renameat(dir, ".new", dir, "system") == 0, "rename");
	must(fsync(dir) == 0, "fsync");
}

static void file_set(int dir, const char *value)
{
	int flags = is("remains") ? O_EXCL : O_TRUNC;
	int fd = openat(dir, is("truncate") ? "value" : "value.tmp", O_WRONLY | O_CREAT | flags | O_CLOEXEC, 0600);

	must(fd >= 0, "open");
	write_value(fd, value);
	sync_fd(fd, "fsync");
	must(close(fd) == 0, "close");
	if (!is("truncate"))
		must(renameat(dir, "value.tmp", dir, "value") == 0, "rename");
	if (!is("nodirsync"))
		sync_fd(dir, "fsync of the directory");
}

static int dump(int dir)
{
	char text[4096];
	struct slot s[2];
	int best, fd = openat(dir, !strncmp(how, "swap", 4) ? "system/value" : "value", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (is("slots")) {
		best = slot_read(dir, s);
		return best < 0 ? 1 : (puts(s[best].value), 0);
	}
	if (fd < 0)
		return errno == ENOENT && faccessat(dir, "system", F_OK, 0) < 0 ? (puts("(none)"), 0) : 1;
	n = read(fd, text, sizeof(text));
	return n < 0 ? 1 : (printf("%.*s\n", (int)n, text), 0);
}

int main(int argc, char **argv)
{
	int dir;

	if (argc < 4)
		return 2;
	how = argv[1];
	dir = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(dir >= 0, "open directory");
	if (!strcmp(argv[3], "dump"))
		return dump(dir);
	if (argc < 5)
		return 2;
	if (is("slots"))
		slots_set(dir, argv[4]);
	else if (is("link"))
		link_set(dir, argv[4]);
	else if (!strncmp(how, "swap", 4))
		swap_set(dir, argv[4]);
	else
		file_set(dir, argv[4]);
	return 0;
}
