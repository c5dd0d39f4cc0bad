// SPDX-License-Identifier: MIT
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/err.h"
#include "lib/file.h"

extern const struct backend backend_soft;

static int answer(const struct env *env, const char *name, const char *prompt, struct secret *ret, struct err *e)
{
	struct world *w = env->ctx;

	if (strcmp(name, "hwkey.pks-passphrase") != 0)
		return err_set(e, ENOKEY, "nobody is here");
	assert_non_null(prompt);
	w->asked++;
	return w->answer ? secret_copy(ret, w->answer, strlen(w->answer), e) : err_set(e, ENOKEY, "nobody is here");
}

static void hear(const struct env *env, const char *fmt, ...)
{
	struct world *w = env->ctx;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(w->said, sizeof(w->said), fmt, ap);
	va_end(ap);
}

void world_restart(struct world *w)
{
	struct err e;

	device_free_list(w->dev);
	w->dev = NULL;
	w->said[0] = '\0';
	w->asked = 0;
	assert_int_equal(backend_soft.probe(&w->env, &w->dev, &e), 0);
}

int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	(void)snprintf(w->base, sizeof(w->base), "%s/hwkey-world.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(w->base));
	(void)snprintf(w->dir, sizeof(w->dir), "%s/a/b", w->base);
	(void)snprintf(w->machine, sizeof(w->machine), "%s/machine", w->base);
	w->env = (struct env){ .pks_dir = w->dir, .sysroot = w->machine, .keystore_create = true, .ask = answer,
			       .note = hear, .ctx = w };
	world_boot(w, 1);
	world_restart(w);
	*state = w;
	return 0;
}

static void remove_all(const char *path)
{
	char cmd[256];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", path);
	assert_int_equal(system(cmd), 0);
}

int world_teardown(void **state)
{
	struct world *w = *state;

	device_free_list(w->dev);
	remove_all(w->base);
	free(w);
	return 0;
}

void world_clear(struct world *w)
{
	remove_all(w->dir);
	world_restart(w);
}

void world_file(struct world *w, const char *path, const void *data, size_t len)
{
	char full[256], *slash;
	struct err e;
	int fd;

	(void)snprintf(full, sizeof(full), "%s%s", w->machine, path);
	if (!data) {
		assert_true(unlink(full) == 0 || errno == ENOENT || errno == ENOTDIR);
		return;
	}
	slash = strrchr(full, '/');
	*slash = '\0';
	assert_int_equal(dir_create(full, &e), 0);
	*slash = '/';
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, data, len), 0);
	assert_int_equal(close(fd), 0);
}

void world_boot(struct world *w, unsigned n)
{
	char id[64];
	int len = snprintf(id, sizeof(id), "%08x-0000-4000-8000-000000000000\n", n);

	world_file(w, "/proc/sys/kernel/random/boot_id", id, (size_t)len);
}

void world_secure_boot(struct world *w, enum secure_boot state)
{
	static const unsigned char values[][4] = {
		[SECURE_BOOT_UNKNOWN] = { 9 }, [SECURE_BOOT_OFF] = { 0 }, [SECURE_BOOT_AUDIT] = { 0, 0, 0, 1 },
		[SECURE_BOOT_ENFORCE] = { 0, 0, 0, 2 },
	};

	world_file(w, "/proc/device-tree/ibm,secure-boot", values[state], 4);
}

struct object_name world_name(enum consumer c, const char *label)
{
	return (struct object_name){ c, (const unsigned char *)label, strlen(label) };
}

/* What a new process was given lives in GIVEN. */
static void start(struct world *w, const char *password, struct secret *given)
{
	*given = (struct secret){ (unsigned char *)(uintptr_t)password, password ? strlen(password) : 0, 1 };
	w->env.pks_password = password ? given : NULL;
	world_restart(w);
}

int world_write(struct world *w, enum consumer c, const char *label, uint32_t policy, unsigned flags, size_t len,
		const char *password)
{
	const struct object_name n = world_name(c, label);
	AUTO_SECRET struct secret data = { 0 };
	struct secret given;
	struct err e;
	int r;

	assert_int_equal(secret_alloc(&data, len + 1, &e), 0);
	data.len = len;
	start(w, password, &given);
	r = soft_ops.store->write(w->dev, &n, policy, flags, &data, &e);
	w->env.pks_password = NULL;
	return -r;
}

int world_read(struct world *w, enum consumer c, const char *label, const char *password)
{
	const struct object_name n = world_name(c, label);
	AUTO_SECRET struct secret data = { 0 };
	struct secret given;
	struct err e;
	int r;

	start(w, password, &given);
	r = soft_ops.store->read(w->dev, &n, &data, &e);
	w->env.pks_password = NULL;
	return -r;
}

int world_remove(struct world *w, enum consumer c, const char *label, const char *password)
{
	const struct object_name n = world_name(c, label);
	struct secret given;
	struct err e;
	int r;

	start(w, password, &given);
	r = soft_ops.store->remove(w->dev, &n, 0, &e);
	w->env.pks_password = NULL;
	return -r;
}

int world_password(struct world *w, enum consumer c, const char *password)
{
	const struct secret chosen = { (unsigned char *)(uintptr_t)password, strlen(password), 1 };
	AUTO_SECRET struct secret generated = { 0 };
	struct err e;

	world_restart(w);
	return -soft_ops.store->password(w->dev, c, &chosen, &generated, &e);
}

int world_resize(struct world *w, bool power11, size_t size)
{
	struct err e;

	world_restart(w);
	return -soft_ops.store->resize(w->dev, power11, &size, &e);
}

struct store_info world_info(struct world *w)
{
	struct store_info info;
	struct err e;

	world_restart(w);
	assert_int_equal(soft_ops.store->info(w->dev, &info, &e), 0);
	return info;
}
