// SPDX-License-Identifier: MIT
#include "sys.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "env.h"

/*
 * 0, -ENODEV when the kernel has no such key type, or -errno. "new" lacks its length: a kernel that knows the type refuses
 * it (EINVAL), and no key is made. Of a captured machine: its /answers/trusted, "registered" or "absent".
 */
int trusted_is_registered(const struct env *env)
{
	char text[16];

	if (env->sysroot)
		return sys_read(env, "/answers/trusted", text, sizeof(text)) > 0 && !strcmp(text, "registered") ?
		       0 : -ENODEV;
	if (syscall(SYS_add_key, "trusted", "hwkey", "new", (size_t)3, KEY_SPEC_THREAD_KEYRING) >= 0 || errno == EINVAL)
		return 0;
	return -errno;
}
