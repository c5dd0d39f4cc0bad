// SPDX-License-Identifier: MIT
/* The software keystore: the face. It is on every machine; its body is backends/soft/. */
#include "lib/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/sys.h"
#include "lib/sysroot.h"
#include "soft/container.h"
#include "soft/keys.h"

static const char *const key_types[] = { "local", NULL };

/* 0, or -errno. */
static int look_in(const char *pks_dir, const char *dir, const char *file, struct stat *ret)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s/%s", pks_dir, dir, file);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return lstat(path, ret) < 0 ? -errno : 0;
}

static int look(const char *pks_dir, const char *file, struct stat *ret)
{
	return look_in(pks_dir, SOFT_DIR, file, ret);
}

/* What can be told without opening it: all else is for 'hwkey doctor', which opens the keystore. */
static bool is_container(const char *pks_dir, const char *file)
{
	struct stat st;
	int r = look(pks_dir, file, &st);

	if (r < 0)
		return r != -ENOENT;
	return S_ISREG(st.st_mode) && st.st_size >= CONTAINER_HEADER + CONTAINER_SIZE_MIN && st.st_size <= CONTAINER_MAX &&
	       (st.st_size - CONTAINER_HEADER) % CONTAINER_SIZE_STEP == 0;
}

/* What the header, which is clear, says of the newer of two containers: container.h. Nothing is proven. */
static uint32_t read_flags(const char *pks_dir, char file[2][SOFT_FILE_SIZE], uint32_t *ret_pending)
{
	unsigned char header[CONTAINER_HEADER];
	char path[PATH_MAX];
	uint64_t newest = 0;
	uint32_t flags = 0;

	for (unsigned i = 0; i < 2; i++) {
		int n = snprintf(path, sizeof(path), "%s/" SOFT_DIR "/%s", pks_dir, file[i]);
		AUTO_CLOSE int fd = n < (int)sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;

		if (fd < 0 || pread(fd, header, sizeof(header), 0) != sizeof(header) || be_get(header + 48, 8) <= newest)
			continue;
		newest = be_get(header + 48, 8);
		flags = (uint32_t)be_get(header + 152, 4);
		*ret_pending = (uint32_t)be_get(header + 168, 4);
	}
	return flags;
}

/* False: it cannot be used like any other. */
static bool describe_state(const char *pks_dir, char file[2][SOFT_FILE_SIZE], const char *grade, char *ret, size_t size)
{
	uint32_t pending = 0, flags = read_flags(pks_dir, file, &pending);
	const char *state = container_state(flags, pending ? "disabled: the first use of the next boot enables it"
							    : "disabled");

	(void)snprintf(ret, size, "%s%s%s", state ? state : "", state ? "; " : "", grade);
	return !(flags & CONTAINER_DISABLED);
}

/* False: neither container is whole, or it is disabled. */
static bool describe(const char *pks_dir, const char *partition, const char *grade, char *ret, size_t size)
{
	char file[2][SOFT_FILE_SIZE];
	bool good[2];

	for (unsigned i = 0; i < 2; i++) {
		soft_file(partition, i, file[i]);
		good[i] = is_container(pks_dir, file[i]);
	}
	if (good[0] && good[1])
		return describe_state(pks_dir, file, grade, ret, size);
	if (good[0] || good[1])
		(void)snprintf(ret, size, "'%.*s' is damaged, the other copy is used; %s", SOFT_FILE_SIZE, file[good[0]],
			       grade);
	else
		(void)snprintf(ret, size, "damaged: neither '%s' nor '%s' is whole", file[0], file[1]);
	return good[0] || good[1];
}

/* What a slot gives; of an anchor it says itself whether it is on a medium of its own. */
static const char *grade_of(const char *pks_dir, const struct soft_slot *row)
{
	char path[PATH_MAX], apart = 0;
	int n = snprintf(path, sizeof(path), "%s/" SOFT_DIR "/%s", pks_dir, row->file);
	AUTO_CLOSE int fd = row->type == SLOT_ANCHOR && n < (int)sizeof(path)
				    ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;

	return fd >= 0 && pread(fd, &apart, 1, SOFT_APART_AT) == 1 && !apart ? SOFT_GRADE_TOGETHER : row->grade;
}

/* False: there is something, which cannot be used as it is. */
static bool remark(const char *pks_dir, const char *partition, char *ret, size_t size)
{
	struct stat st;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(soft_slots); i++) {
		if (look(pks_dir, soft_slots[i].file, &st) == 0 || (i == 0 && look(pks_dir, FILE_TEMP, &st) == 0)) {
			return describe(pks_dir, partition, grade_of(pks_dir, &soft_slots[i]), ret, size);
		}
	}
	r = look(pks_dir, ".", &st);
	if (r == -ENOENT && look_in(pks_dir, SOFT_ERASE, ".", &st) == 0) {
		(void)snprintf(ret, size, "being erased: after a reboot 'hwkey secure-erase --pks' finishes that");
		return false;
	}
	(void)snprintf(ret, size, "%s", r == -ENOENT ? "not initialised yet: first use creates it" :
		       r == -EACCES ? "protection: unknown, no permission to look" :
		       r < 0 ? "damaged: no directory" : "damaged: no root-key slot");
	return r == -ENOENT;
}

static int probe(const struct env *env, struct device **list, struct err *e);

const struct backend backend_soft = {
	.name = "soft",
	.summary = "software keystore of this machine",
	.roles = ROLE_KEY | ROLE_SEAL | ROLE_STORE,
	.key_types = key_types,
	.ops = &soft_ops,
	.probe = probe,
};

/* A root key on the disk is only as safe as what may be booted there. */
static int add_details(const struct env *env, struct device *list, struct err *e)
{
	static const char *const states[] = {
		[SECURE_BOOT_UNKNOWN] = "unknown", [SECURE_BOOT_OFF] = "off", [SECURE_BOOT_AUDIT] = "audit",
		[SECURE_BOOT_ENFORCE] = "enforce",
	};
	const char *why;
	enum secure_boot state = secure_boot_read(env, &why);

	return device_detail(list, e, "secure boot: %s (%s)", states[state], why);
}

static int add(const struct env *env, const char *partition, unsigned roles, struct device **list, struct err *e)
{
	char why[sizeof(((struct device *)0)->why)] = "";
	bool usable = env->brief || remark(env->pks_dir, partition, why, sizeof(why));
	int r = device_add(list, &backend_soft, env, partition, "software keystore", DEVICE_ONLINE, why, e);

	if (r < 0)
		return r;
	while ((*list)->next)
		list = &(*list)->next;
	(*list)->faulty = !usable;
	(*list)->roles = roles;
	return env->thorough ? add_details(env, *list, e) : 0;
}

/* All keys are under wrapping keys of the first one: the others only keep objects. */
static int probe(const struct env *env, struct device **list, struct err *e)
{
	const struct env here = { 0 };		/* pks_dir is not below the sysroot */
	char path[PATH_MAX], name[SOFT_NAME_MAX + 1] = "";
	AUTO_FREE char *files = NULL;
	const char *at;
	size_t n = 0;
	int r = add(env, SOFT_LOCAL, backend_soft.roles, list, e);

	(void)snprintf(path, sizeof(path), "%s/" SOFT_DIR, env->pks_dir);
	if (r < 0 || !env->partitions || sys_names(&here, path, &files, &n) < 0)
		return r;
	for (at = files; r == 0 && soft_partition_next(&at, &n, name);)
		if (strcmp(name, SOFT_LOCAL) != 0)
			r = add(env, name, ROLE_STORE, list, e);
	return r;
}
