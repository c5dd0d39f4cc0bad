// SPDX-License-Identifier: MIT
/* Each file of a keystore, as it is on disk: no bit of its header can be flipped and no byte cut off without a refusal. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "backends/soft/backup.h"
#include "lib/blob.h"
#include "lib/crypto.h"
#include "lib/err.h"
#include "lib/file.h"
#include "tests/support/world.h"

/* Bytes: of the keystore; in which each bit counts: the header, in a backup both headers, and some more. */
enum { SIZE = 4096, HEADERS = 640 };

static const unsigned char root[ROOT_KEY] = "the root key of a backup";
static const char tsk[] = "0123456789abcdef0123456789abcdef";

struct kind {
	const char *name;
	void (*find)(struct world *, char *ret, size_t size);	/* its path */
	int (*use)(struct world *, const char *path);		/* by a new process: 0 or a positive errno value */
};

/* Under the lock a file that is damaged is not read again in the hope of a writer. */
static int open_store(struct world *w, const char *path)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct err e;

	(void)path;
	world_restart(w);
	return -store_open(&s, w->dev, STORE_WRITE, &e);
}

static int open_backup(struct world *w, const char *path)
{
	const struct secret given = { (unsigned char *)(uintptr_t)tsk, sizeof(tsk) - 1, 1 };
	AUTO_SECRET struct secret plain = { 0 };
	AUTO_BLOB struct blob file = { 0 };
	unsigned char key[ROOT_KEY];
	struct backup b;
	struct err e;
	int r = file_read_at(AT_FDCWD, path, BACKUP_MAX, &file, &e);

	(void)w;
	if (r == 0)
		r = backup_parse(file.data, file.len, &b, &e);
	if (r == 0)
		r = slot_open(b.slot_data, &b.slot, &given, key, &e);
	if (r == 0)
		r = secret_alloc(&plain, b.header.size, &e);
	if (r == 0)
		r = container_open(&b.header, b.container_data, key, plain.data, &e);
	return -r;
}

/* The newest container, alone. */
static void find_container(struct world *w, char *ret, size_t size)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	char other[256];
	struct err e;

	assert_int_equal(store_open(&s, w->dev, 0, &e), 0);
	(void)snprintf(ret, size, "%s/" SOFT_DIR "/%s", w->dir, s.files[s.newest]);
	(void)snprintf(other, sizeof(other), "%s/" SOFT_DIR "/%s", w->dir, s.files[!s.newest]);
	assert_int_equal(unlink(other), 0);
}

static void find_slot(struct world *w, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s/" SOFT_DIR "/root.plain", w->dir);
	assert_int_equal(chmod(ret, 0600), 0);
}

static void find_boot(struct world *w, char *ret, size_t size)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	char hex[2 * UUID_SIZE + 1];
	struct err e;

	assert_int_equal(store_open(&s, w->dev, 0, &e), 0);
	hex_encode(s.uuid, UUID_SIZE, hex);
	(void)snprintf(ret, size, "%s/run/hwkey/pks/%s/boot", w->machine, hex);
}

static void make_backup(struct world *w, char *ret, size_t size)
{
	const struct secret given = { (unsigned char *)(uintptr_t)tsk, sizeof(tsk) - 1, 1 };
	static const unsigned char plain[SIZE];
	const struct slot slot = { .type = SLOT_TSK, .system = "a system", .epoch = 1 };
	const struct container c = { .generation = 7, .size = SIZE, .flags = CONTAINER_BACKUP };
	AUTO_SECRET struct secret bytes = { 0 };
	AUTO_BLOB struct blob b = { 0 };
	struct blob file;
	struct err e;
	FILE *f;

	assert_int_equal(slot_make(&slot, root, &given, &bytes, &e), 0);
	file = (struct blob){ bytes.data, bytes.len };
	assert_int_equal(backup_make(&file, &c, root, plain, &b, &e), 0);
	(void)snprintf(ret, size, "%s/backup", w->base);
	f = fopen(ret, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(b.data, 1, b.len, f), b.len);
	assert_int_equal(fclose(f), 0);
}

static void make(struct world *w, void (*find)(struct world *, char *, size_t), char *path, size_t size)
{
	assert_int_equal(world_resize(w, false, SIZE), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 100, NULL), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "t", POLICY_TRANSIENT, 0, 100, NULL), 0);
	find(w, path, size);
}

static void flip(int fd, unsigned char *bytes, size_t bit)
{
	bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
	assert_int_equal(pwrite(fd, bytes + bit / 8, 1, (off_t)(bit / 8)), 1);
}

static void refuses(struct world *w, const struct kind *k, const char *path, const char *what, size_t n)
{
	int r = k->use(w, path);

	if (r != EBADMSG)
		print_error("%s, %s %zu: %d\n", k->name, what, n, r);
	assert_int_equal(r, EBADMSG);
}

static void every_flip_and_cut(struct world *w, const struct kind *k)
{
	AUTO_BLOB struct blob file = { 0 };
	char path[256];
	struct err e;
	int fd;

	make(w, k->find, path, sizeof(path));
	assert_int_equal(k->use(w, path), 0);
	assert_int_equal(file_read_at(AT_FDCWD, path, BACKUP_MAX, &file, &e), 0);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	for (size_t bit = 0; bit < 8 * file.len; bit += bit < 8 * HEADERS ? 1 : 8 * 61 + 1) {
		flip(fd, file.data, bit);
		refuses(w, k, path, "bit", bit);
		flip(fd, file.data, bit);
	}
	assert_int_equal(pwrite(fd, "x", 1, (off_t)file.len), 1);
	refuses(w, k, path, "more than", file.len);
	for (size_t len = file.len; len--;) {
		assert_int_equal(ftruncate(fd, (off_t)len), 0);
		refuses(w, k, path, "cut to", len);
	}
	assert_int_equal(pwrite(fd, file.data, file.len, 0), (ssize_t)file.len);
	assert_int_equal(k->use(w, path), 0);
	assert_int_equal(close(fd), 0);
}

static void container(void **state)
{
	every_flip_and_cut(*state, &(struct kind){ "container", find_container, open_store });
}

static void slot(void **state)
{
	every_flip_and_cut(*state, &(struct kind){ "slot", find_slot, open_store });
}

static void boot_file(void **state)
{
	every_flip_and_cut(*state, &(struct kind){ "boot file", find_boot, open_store });
}

static void backup(void **state)
{
	every_flip_and_cut(*state, &(struct kind){ "backup", make_backup, open_backup });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(container), WORLD_TEST(slot), WORLD_TEST(boot_file), WORLD_TEST(backup),
	};

	return cmocka_run_group_tests_name("tamper", tests, NULL, NULL);
}
