// SPDX-License-Identifier: MIT
/* The software keystore: the face. It is on every machine; its body is backends/soft/. */
#include "lib/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "lib/env.h"
#include "lib/file.h"
#include "soft/names.h"

static const char *const key_types[] = { "local", NULL };

/* 0, or -errno. */
static int look(const char *pks_dir, const char *file)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s/%s", pks_dir, SOFT_DIR, file);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static const char *remark(const char *pks_dir)
{
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(soft_slots); i++)
		if (look(pks_dir, soft_slots[i].file) == 0 || (i == 0 && look(pks_dir, FILE_TEMP) == 0))
			return soft_slots[i].grade;
	r = look(pks_dir, ".");
	if (r == -ENOENT)
		return "not initialised yet: first use creates it";
	return r < 0 ? "protection: unknown, no permission to look" : "damaged: no root-key slot";
}

static int probe(const struct env *env, struct device **list, struct err *e);

const struct backend backend_soft = {
	.name = "soft",
	.summary = "software keystore of this machine",
	.roles = ROLE_KEY | ROLE_SEAL | ROLE_STORE,
	.key_types = key_types,
	.probe = probe,
};

static int probe(const struct env *env, struct device **list, struct err *e)
{
	return device_add(list, &backend_soft, env, "local", "software keystore", DEVICE_ONLINE, remark(env->pks_dir), e);
}
