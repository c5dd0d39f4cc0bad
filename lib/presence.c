// SPDX-License-Identifier: MIT
#include "presence.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "sys.h"

enum { VT_MAJOR = 4, VT_LAST = 63 };	/* linux/major.h; from 64 on these are serial lines */

/* Its number, as proc(5) has it: 0 without one. -1: not told. */
static long terminal_of_caller(const struct env *env)
{
	char stat[1024];
	const char *p;
	int nr;

	if (sys_read(env, "/proc/self/stat", stat, sizeof(stat)) < 0)
		return -1;
	p = strrchr(stat, ')');		/* the command's name before it may hold anything */
	return p && sscanf(p + 1, " %*c %*d %*d %*d %d", &nr) == 1 ? nr : -1;
}

/* A pty has no entry below /sys/dev/char with a device behind it, and is never the kernel's console. */
static bool is_local(const struct env *env, unsigned major, unsigned minor)
{
	char path[PATH_MAX], name[64], consoles[256];

	if (major == VT_MAJOR && minor >= 1 && minor <= VT_LAST)
		return true;
	(void)snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", major, minor);
	if (sys_read_link(env, path, name, sizeof(name)) < 0)
		return false;
	if (sys_read(env, "/sys/class/tty/console/active", consoles, sizeof(consoles)) > 0 && text_has_word(consoles, name))
		return true;
	(void)snprintf(path, sizeof(path), "/sys/class/tty/%s/device", name);
	return sys_exists(env, path);
}

int presence_check(const struct env *env, struct err *e)
{
	long nr = terminal_of_caller(env);

	if (nr > 0 && is_local(env, (unsigned)(nr >> 8 & 0xfff), (unsigned)((nr & 0xff) | (nr >> 12 & 0xfff00))))
		return 0;
	return err_set(e, EPERM, "needs somebody at the machine, at a virtual terminal or a serial line of it: this is %s",
		       nr > 0 ? "a pty" : "no terminal");
}
