/* SPDX-License-Identifier: MIT */
/*
 * What a machine says of itself in small text files: this one, or a captured one (env->sysroot, env->sysfs). Paths are
 * those of a running machine: "/sys/...", "/proc/...", "/dev/...".
 *
 * The files are foreign: what is missing, empty, unreadable or too long for the caller's buffer is -errno, and what a
 * terminal must not see is '?'. A caller says "unknown" then; none of this is an error of the run.
 */
#ifndef HWKEY_SYS_H
#define HWKEY_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct env;

int sys_open(const struct env *, const char *path, int flags);		/* descriptor or -errno; O_CLOEXEC is added */
bool sys_exists(const struct env *, const char *path);
int sys_read(const struct env *, const char *path, char *ret, size_t size);	/* as attr_read() */
ssize_t sys_read_bytes(const struct env *, const char *path, void *ret, size_t size);	/* raw; -EFBIG: SIZE or more */
int sys_read_number(const struct env *, const char *path, long *ret);
/* The last part of what the symbolic link PATH points to: a driver's name. */
int sys_read_link(const struct env *, const char *path, char *ret, size_t size);

/* The first line of NAME in DIRFD, its length, or -errno: -ENODATA when it is empty, -EFBIG over SIZE - 1 bytes. */
int attr_read(int dirfd, const char *name, char *ret, size_t size);
int attr_read_text(int dirfd, const char *name, char *ret, size_t size);	/* all lines */
int attr_read_link(int dirfd, const char *name, char *ret, size_t size);

bool text_has_word(const char *text, const char *word);	/* WORD between white space, commas, ends */
/* Is WORD one of the strings, each with a NUL, that DATA holds: a device-tree property. */
bool bytes_have_string(const char *data, size_t len, const char *word);

int text_number(const char *text, int base, long *ret);		/* nothing but digits, with '-' before or 0x: or -EINVAL */

/* Calls SEE with each name in DIRFD but "." and "..", in no order, until it returns other than 0. */
int dir_names(int dirfd, int (*see)(void *ctx, const char *name), void *ctx);
/* Sorted; *ret is malloc'd, one after the other with their NULs, *ret_n of them. -ENOENT: no directory. */
int dir_names_sorted(int dirfd, char **ret, size_t *ret_n);
int sys_names(const struct env *, const char *path, char **ret, size_t *ret_n);

/* Has the kernel the key type "trusted"? 0 yes, -ENODEV no, -errno unknown. No key is made. */
int trusted_is_registered(const struct env *);

/* A device of the platform driver DRIVER, "30900000.crypto". */
bool sys_bound(const struct env *, const char *driver, char *ret, size_t size);

/*
 * What module MODULE is told by OPTION, in order of preference: on the kernel's command line, MODULE.OPTION=VALUE, or if it
 * is loaded from a file, in modprobe.d(5). Of several the last counts. RET gets VALUE, "" where it has none, and RET_WHERE
 * who says so, for a person. False: nobody does.
 */
bool sys_module_option(const struct env *, const char *module, const char *option, char *ret, size_t size,
		       char ret_where[64]);
bool sys_module_flag(const struct env *, const char *module, const char *option);	/* it is, and not "0", "n", ... */
/* The same of the text of one file of modprobe.d, which is changed; pure. */
bool modprobe_option(char *text, const char *module, const char *option, char *ret, size_t size);
/* Calls SEE with each file of modprobe.d in the order in which modprobe reads them, "/etc/modprobe.d/x.conf". */
void sys_modprobe_files(const struct env *, void (*see)(void *ctx, const char *path), void *ctx);

/*
 * Many attributes for few system calls: one openat() each, and for a whole batch one read (io_submit) and one close.
 * attr_want() may read what was wanted before; all is there after attr_batch_done().
 */
struct want {
	char *text;		/* of WANT_SIZE: the first line, "" where there is none */
	int fd;
};
enum { WANT_SIZE = 32, WANT_MAX = 64 };	/* bytes of a value with its NUL; values in a batch */

struct attr_batch {
	struct want want[WANT_MAX];
	size_t n;
	unsigned long aio;	/* the kernel's context; 0: none, one by one */
	bool asked;
};

void attr_want(struct attr_batch *, int dirfd, const char *name, char text[WANT_SIZE]);
void attr_batch_read(struct attr_batch *);
void attr_batch_done(struct attr_batch *);

#endif
