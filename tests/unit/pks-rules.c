// SPDX-License-Identifier: MIT
/* What a boot keeps, how large a keystore and an object can be, where secure boot is seen: each row is one case. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "backends/soft/access.h"
#include "backends/soft/keys.h"
#include "lib/blob.h"
#include "lib/err.h"
#include "tests/support/world.h"

#define EFI "/sys/firmware/efi"
#define VARS EFI "/efivars"
#define GUID "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* --- what a boot keeps -------------------------------------------------------------------------------------------- */

static void a_password_is_set_once_in_a_boot(void **state)
{
	struct world *w = *state;
	char long_one[PASSWORD_MAX + 2];

	memset(long_one, 'x', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	assert_int_equal(world_password(w, CONSUMER_OS, "early"), ENOENT);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 1, NULL), 0);
	assert_int_equal(world_password(w, CONSUMER_OS, ""), EINVAL);
	assert_int_equal(world_password(w, CONSUMER_OS, long_one), EINVAL);
	assert_int_equal(world_password(w, CONSUMER_OS, long_one + 1), 0);
	assert_int_equal(world_password(w, CONSUMER_OS, "second"), EEXIST);
	assert_int_equal(world_password(w, CONSUMER_FIRMWARE, "mine"), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 1, "second"), EPERM);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 1, long_one + 1), 0);
	assert_int_equal(world_write(w, CONSUMER_BOOTLOADER, "b", 0, 0, 1, NULL), 0);
	world_boot(w, 2);
	assert_int_equal(world_write(w, CONSUMER_OS, "c", 0, 0, 1, long_one + 1), EPERM);
	assert_int_equal(world_write(w, CONSUMER_OS, "c", 0, 0, 1, NULL), 0);
	assert_int_equal(world_password(w, CONSUMER_OS, "second"), 0);
	world_boot(w, 1);	/* of a boot that is over nothing counts, even if it is pretended again */
	assert_int_equal(world_write(w, CONSUMER_OS, "d", 0, 0, 1, NULL), 0);
}

static void transient_objects_go_with_the_boot(void **state)
{
	struct world *w = *state;
	struct store_info info;
	struct err e;

	assert_int_equal(world_write(w, CONSUMER_OS, "stays", 0, 0, 100, NULL), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "goes", POLICY_TRANSIENT, 0, 60000, NULL), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "goes", POLICY_TRANSIENT, 0, 1, NULL), EEXIST);
	assert_int_equal(world_write(w, CONSUMER_OS, "stays", POLICY_TRANSIENT, WRITE_REPLACE, 1, NULL), EINVAL);
	assert_int_equal(world_write(w, CONSUMER_OS, "more", 0, 0, 6000, NULL), ENOSPC);	/* one account for both */
	assert_int_equal(world_write(w, CONSUMER_OS, "more", POLICY_TRANSIENT, 0, 6000, NULL), ENOSPC);
	assert_int_equal(world_write(w, CONSUMER_OS, "goes", 0, WRITE_REPLACE, 50000, NULL), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "more", 0, 0, 6000, NULL), 0);
	world_restart(w);
	assert_int_equal(soft_ops.store->info(w->dev, &info, &e), 0);
	assert_int_equal(info.objects, 3);
	assert_int_equal(info.used, 3 * OBJECT_OVERHEAD + 5 + 4 + 4 + 100 + 50000 + 6000);
	world_boot(w, 2);
	world_restart(w);
	assert_int_equal(soft_ops.store->info(w->dev, &info, &e), 0);
	assert_int_equal(info.objects, 2);
}

static void a_lock_lasts_until_the_boot(void **state)
{
	struct world *w = *state;
	struct err e;

	assert_int_equal(world_write(w, CONSUMER_BOOTLOADER, "a", POLICY_WORLDREADABLE, 0, 1, NULL), 0);
	assert_int_equal(soft_ops.store->lock(w->dev, CONSUMER_BOOTLOADER, &e), 0);
	assert_int_equal(soft_ops.store->lock(w->dev, CONSUMER_BOOTLOADER, &e), 0);
	assert_int_equal(world_write(w, CONSUMER_BOOTLOADER, "a", 0, WRITE_REPLACE, 1, NULL), EPERM);
	assert_int_equal(world_write(w, CONSUMER_BOOTLOADER, "b", 0, 0, 1, NULL), EPERM);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 1, NULL), 0);
	world_boot(w, 2);
	assert_int_equal(world_write(w, CONSUMER_BOOTLOADER, "a", 0, WRITE_REPLACE, 1, NULL), 0);
}

/* What stands in for this boot's state must have been made in it, by this keystore. */
static void a_damaged_state_refuses(void **state)
{
	struct world *w = *state;
	char path[256];
	struct store_info info;
	struct err e;
	int fd;

	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 1, NULL), 0);
	assert_int_equal(world_password(w, CONSUMER_OS, "word"), 0);
	assert_int_equal(soft_ops.store->info(w->dev, &info, &e), 0);
	for (char *p = info.uuid, *to = info.uuid; ; p++)
		if (*p != '-' && !(*to++ = *p))
			break;
	(void)snprintf(path, sizeof(path), "%s/run/hwkey/pks/%s/boot", w->machine, info.uuid);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 300), 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, WRITE_REPLACE, 1, "word"), EBADMSG);
	world_boot(w, 2);		/* of which boot it is cannot be told */
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, WRITE_REPLACE, 1, NULL), EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, WRITE_REPLACE, 1, NULL), 0);
	world_file(w, "/proc/sys/kernel/random/boot_id", NULL, 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, WRITE_REPLACE, 1, NULL), EOPNOTSUPP);
}

/* --- sizes -------------------------------------------------------------------------------------------------------- */

enum holds { NOTHING, OBJECT, TRANSIENT, IMMUTABLE, WRAPPING };

static const struct {
	bool running, power11;		/* something was changed in this boot; larger sizes are allowed */
	size_t from, to;		/* from 0: disabled */
	int result;
	size_t now, pending;
	enum holds holds;
} sizes[] = {
	/* running, Power11, from, to: result, size, pending size; what is in it */
	{ false, false, 4096, 4096, 0, 4096, 0 },
	{ false, false, 4096, 4095, EINVAL, 4096, 0 },
	{ false, false, 4096, 4097, EINVAL, 4096, 0 },
	{ false, false, 4096, 5120, 0, 5120, 0 },
	{ false, false, 4096, 5119, EINVAL, 4096, 0 },
	{ false, false, 4096, 65536, 0, 65536, 0 },
	{ false, false, 4096, 65537, EINVAL, 4096, 0 },
	{ false, false, 4096, 66560, EINVAL, 4096, 0 },
	{ false, false, 4096, 131072, EINVAL, 4096, 0 },
	{ false, true, 4096, 66560, 0, 66560, 0 },
	{ false, true, 65536, 131072, 0, 131072, 0 },
	{ false, true, 131072, 65536, EINVAL, 131072, 0 },
	{ false, true, 65536, 131073, EINVAL, 65536, 0 },
	{ false, true, 65536, 132096, EINVAL, 65536, 0 },
	{ false, false, 65536, 64512, EINVAL, 65536, 0 },
	{ false, false, 65536, 1024, EINVAL, 65536, 0 },
	{ false, false, 65536, 0, 0, 0, 0 },
	{ false, false, 0, 0, 0, 0, 0 },
	{ false, false, 0, 4096, 0, 4096, 0 },
	{ false, false, 0, 65536, 0, 65536, 0 },
	{ true, false, 4096, 4096, 0, 4096, 0 },
	{ true, false, 4096, 5120, 0, 4096, 5120 },
	{ true, false, 4096, 65536, 0, 4096, 65536 },
	{ true, false, 4096, 65537, EINVAL, 4096, 0 },
	{ true, false, 65536, 64512, EINVAL, 65536, 0 },
	{ true, true, 65536, 131072, 0, 65536, 131072 },
	{ true, false, 65536, 0, 0, 0, 0 },
	{ true, false, 0, 4096, 0, 0, 4096 },
	{ true, true, 4096, 0, 0, 0, 0 },
	{ true, true, 131072, 65536, EINVAL, 131072, 0 },
	{ true, false, 65536, 131072, EINVAL, 65536, 0 },
	{ true, true, 65536, 65537, EINVAL, 65536, 0 },
	{ false, false, 4096, 0, ENOTEMPTY, 4096, 0, OBJECT },
	{ true, false, 4096, 0, ENOTEMPTY, 4096, 0, OBJECT },
	{ true, false, 4096, 0, ENOTEMPTY, 4096, 0, TRANSIENT },
	{ false, false, 4096, 0, ENOTEMPTY, 4096, 0, IMMUTABLE },
	{ true, false, 4096, 0, ENOTEMPTY, 4096, 0, IMMUTABLE },
	{ false, false, 4096, 0, ENOTEMPTY, 4096, 0, WRAPPING },
	{ false, false, 4096, 5120, 0, 5120, 0, OBJECT },
	{ false, false, 4096, 5120, 0, 5120, 0, IMMUTABLE },
	{ true, false, 4096, 5120, 0, 4096, 5120, TRANSIENT },
	{ false, false, 5120, 4096, EINVAL, 5120, 0, OBJECT },
};

static void put(struct world *w, enum holds what)
{
	static const uint32_t policies[] = { [TRANSIENT] = POLICY_TRANSIENT, [IMMUTABLE] = POLICY_IMMUTABLE };
	AUTO_BLOB struct blob token = { 0 };
	struct err e;

	if (what == WRAPPING)
		assert_int_equal(soft_ops.key->generate(w->dev, &(struct key_params){ 0 }, &token, &e), 0);
	else if (what != NOTHING)
		assert_int_equal(world_write(w, CONSUMER_OS, "held", policies[what], 0, 1, NULL), 0);
}

/* Begins a session, and leaves no trace but that. */
static void run_something(struct world *w, bool disabled)
{
	struct err e;

	world_restart(w);
	if (disabled) {
		assert_int_equal(soft_ops.store->resize(w->dev, true, NULL, &e), 0);
		return;
	}
	assert_int_equal(world_write(w, CONSUMER_FIRMWARE, "a", 0, 0, 1, NULL), 0);
	assert_int_equal(world_remove(w, CONSUMER_FIRMWARE, "a", NULL), 0);
}

static void every_size(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		bool lasts = sizes[i].holds != TRANSIENT;
		struct store_info info;

		world_clear(w);
		world_boot(w, 2 * (unsigned)i);
		assert_int_equal(world_resize(w, sizes[i].power11, sizes[i].from ? sizes[i].from : 4096), 0);
		if (!sizes[i].from)
			assert_int_equal(world_resize(w, false, 0), 0);
		if (lasts)
			put(w, sizes[i].holds);
		world_boot(w, 2 * (unsigned)i + 1);
		if (!lasts)
			put(w, sizes[i].holds);
		if (sizes[i].running)
			run_something(w, !sizes[i].from);
		if (world_resize(w, false, sizes[i].to) != sizes[i].result)
			print_error("row %zu\n", i);
		assert_int_equal(world_resize(w, false, sizes[i].to), sizes[i].result);
		info = world_info(w);
		assert_int_equal(info.total, sizes[i].now);
		assert_int_equal(info.pending, sizes[i].pending);
	}
}

static void a_pending_size_comes_with_the_boot(void **state)
{
	struct world *w = *state;
	AUTO_SECRET struct secret data = { 0 };
	const struct object_name n = world_name(CONSUMER_OS, "a");
	struct err e;

	assert_int_equal(world_resize(w, false, 4096), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 4096 - 65, NULL), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 1, NULL), ENOSPC);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 4096, NULL), EFBIG);
	assert_int_equal(world_resize(w, false, 8192), 0);
	assert_int_equal(world_info(w).pending, 8192);
	assert_int_equal(world_resize(w, false, 6144), 0);
	assert_int_equal(world_info(w).pending, 6144);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 1, NULL), ENOSPC);
	assert_int_equal(world_resize(w, false, 0), ENOTEMPTY);
	world_boot(w, 2);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 6144 - 4096 - 65, NULL), 0);
	assert_int_equal(world_info(w).total, 6144);
	assert_int_equal(world_info(w).used, 6144);
	assert_int_equal(soft_ops.store->read(w->dev, &n, &data, &e), 0);
	assert_int_equal(data.len, 4096 - 65);
}

static void a_disabled_keystore_refuses(void **state)
{
	struct world *w = *state;
	AUTO_SECRET struct secret data = { 0 };
	const struct object_name n = world_name(CONSUMER_OS, "a");
	struct blob token = { 0 };
	struct err e;

	assert_int_equal(world_write(w, CONSUMER_OS, "a", POLICY_TRANSIENT, 0, 1, NULL), 0);
	assert_int_equal(world_resize(w, false, 0), ENOTEMPTY);
	assert_int_equal(soft_ops.store->remove(w->dev, &n, 0, &e), 0);
	assert_int_equal(world_resize(w, false, 0), 0);
	assert_int_equal(soft_ops.store->read(w->dev, &n, &data, &e), -ENXIO);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 0, NULL), ENXIO);	/* before parameters */
	assert_int_equal(soft_ops.store->remove(w->dev, &n, 0, &e), -ENXIO);
	assert_int_equal(soft_ops.key->generate(w->dev, &(struct key_params){ 0 }, &token, &e), -ENXIO);
	assert_int_equal(world_resize(w, false, 65536), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 1, NULL), ENXIO);
	world_boot(w, 2);
	assert_int_equal(soft_ops.store->read(w->dev, &n, &data, &e), -ENOENT);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 1, NULL), 0);
	assert_int_equal(world_info(w).total, 65536);
}

/* --- objects ------------------------------------------------------------------------------------------------------ */

static const struct {
	size_t size, label, data;	/* bytes: of the keystore, the label, the data */
	int result;
} objects[] = {
	{ 4096, 1, 0, EINVAL },
	{ 4096, 1, 1, 0 },
	{ 4096, 1, 4096 - OBJECT_OVERHEAD - 1, 0 },
	{ 4096, 1, 4096 - OBJECT_OVERHEAD, EFBIG },
	{ 4096, 1, 4096, EFBIG },
	{ 65536, 1, 0, EINVAL },
	{ 65536, 1, 65536 - OBJECT_OVERHEAD - 1, 0 },
	{ 65536, 1, 65536 - OBJECT_OVERHEAD, EFBIG },
	{ 131072, 1, 131072 - OBJECT_OVERHEAD - 1, 0 },
	{ 131072, 1, 131072 - OBJECT_OVERHEAD, EFBIG },
	{ 4096, 0, 1, EINVAL },
	{ 4096, 238, 1, 0 },
	{ 4096, 239, 1, 0 },
	{ 4096, 239, 4096 - OBJECT_OVERHEAD - 239, 0 },
	{ 4096, 239, 4096 - OBJECT_OVERHEAD - 238, EFBIG },
	{ 4096, 240, 1, EINVAL },
	{ 4096, 65536, 1, EINVAL },
};

static int write_bytes(struct world *w, const void *label, size_t label_len, uint32_t policy, size_t len)
{
	const struct object_name n = { CONSUMER_OS, label, label_len };
	AUTO_SECRET struct secret data = { 0 }, back = { 0 };
	struct err e;
	int r;

	assert_int_equal(secret_random(&data, len + 1, &e), 0);
	data.len = len;
	r = soft_ops.store->write(w->dev, &n, policy, 0, &data, &e);
	if (r < 0)
		return -r;
	world_restart(w);
	assert_int_equal(soft_ops.store->read(w->dev, &n, &back, &e), 0);
	assert_int_equal(back.len, len);
	assert_memory_equal(back.data, data.data, len);
	return 0;
}

static void every_object(void **state)
{
	static const uint32_t policies[] = { 0, POLICY_TRANSIENT };
	static unsigned char label[65536];
	struct world *w = *state;

	memset(label, 'x', sizeof(label));
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		for (size_t p = 0; p < ARRAY_SIZE(policies); p++) {
			int r;

			world_clear(w);
			world_boot(w, 2 * (unsigned)i + (unsigned)p);
			assert_int_equal(world_resize(w, true, objects[i].size), 0);
			r = write_bytes(w, label, objects[i].label, policies[p], objects[i].data);
			if (r != objects[i].result)
				print_error("row %zu, policy %#x\n", i, policies[p]);
			assert_int_equal(r, objects[i].result);
		}
	}
}

#define LABEL(text) { text, sizeof(text) - 1 }
static const struct { const char *bytes; size_t len; } labels[] = {
	LABEL("a"), LABEL("A"), LABEL("\0"), LABEL("\0\0"), LABEL("a\0"), LABEL("a\0b"), LABEL("/"), LABEL("../a"), LABEL("."),
	LABEL(".."),
	LABEL("\xc3\xa9"), LABEL("\xff"), LABEL("\xff\xff"), LABEL("\x7f"), LABEL(" "), LABEL("\n"), LABEL("a\n"), LABEL("%s"),
	LABEL("-a"), LABEL("\\x00"), LABEL("d\0b\0"), LABEL("PLPKSWR\0\0\2\x10\0\0\0\0\0key"), LABEL("/default/pri\0"),
};

/* All of them at once, each an object of its own, sorted as bytes. */
static void every_label(void **state)
{
	struct world *w = *state;
	AUTO_FREE struct object *list = NULL;
	struct err e;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		assert_int_equal(write_bytes(w, labels[i].bytes, labels[i].len, 0, i + 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		assert_int_equal(write_bytes(w, labels[i].bytes, labels[i].len, 0, 1), EEXIST);
	assert_int_equal(soft_ops.store->list(w->dev, &list, &n, &e), 0);
	assert_int_equal(n, ARRAY_SIZE(labels));
	for (size_t i = 1; i < n; i++) {
		const struct object_name a = { list[i - 1].consumer, list[i - 1].label, list[i - 1].label_len };
		const struct object_name b = { list[i].consumer, list[i].label, list[i].label_len };

		assert_true(object_name_compare(&a, &b) < 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		const struct object_name name = { CONSUMER_OS, (const unsigned char *)labels[i].bytes, labels[i].len };

		assert_int_equal(soft_ops.store->remove(w->dev, &name, 0, &e), 0);
	}
	assert_int_equal(world_info(w).objects, 0);
}

/* --- immutable ---------------------------------------------------------------------------------------------------- */

enum attempt { READ, WRITE, REPLACE, REMOVE, DISABLE, GROW, BOOT, PASSWORD };

static const struct { enum attempt what; int result; } immutable[] = {
	{ READ, 0 },
	{ WRITE, EPERM },
	{ REPLACE, EPERM },
	{ REMOVE, EPERM },
	{ DISABLE, ENOTEMPTY },
	{ BOOT, 0 },
	{ READ, 0 },
	{ REPLACE, EPERM },
	{ REMOVE, EPERM },
	{ DISABLE, ENOTEMPTY },
	{ GROW, 0 },
	{ BOOT, 0 },
	{ WRITE, EPERM },
	{ REPLACE, EPERM },
	{ REMOVE, EPERM },
	{ DISABLE, ENOTEMPTY },
	{ PASSWORD, 0 },
	{ REPLACE, EPERM },
	{ REMOVE, EPERM },
	{ READ, 0 },
};

static int try(struct world *w, enum attempt what, unsigned n, const char *password)
{
	switch (what) {
	case READ:
		return world_read(w, CONSUMER_OS, "a", password);
	case WRITE: case REPLACE:
		return world_write(w, CONSUMER_OS, "a", 0, what == REPLACE ? WRITE_REPLACE : 0, 2, password);
	case REMOVE:
		return world_remove(w, CONSUMER_OS, "a", password);
	case DISABLE:
		return world_resize(w, false, 0);
	case GROW:
		return world_resize(w, false, 8192);
	case BOOT:
		world_boot(w, n + 2);
		return 0;
	case PASSWORD:
		return world_password(w, CONSUMER_OS, "word");
	}
	return -1;
}

static void what_is_immutable_stays(void **state)
{
	struct world *w = *state;
	const char *password = NULL;

	assert_int_equal(world_resize(w, false, 4096), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", POLICY_IMMUTABLE, 0, 1, NULL), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(immutable); i++) {
		int r = try(w, immutable[i].what, i, password);

		if (r != immutable[i].result)
			print_error("row %u\n", i);
		assert_int_equal(r, immutable[i].result);
		if (immutable[i].what == PASSWORD)
			password = "word";
		assert_int_equal(world_info(w).used, OBJECT_OVERHEAD + 2);
	}
}

/* --- where secure boot is seen ------------------------------------------------------------------------------------ */

static const struct {
	int tree, efi, secure, setup, audit;	/* -1: not there */
	enum secure_boot want;
} machines[] = {
	/* ibm,secure-boot; /sys/firmware/efi with its variables; SecureBoot, SetupMode, AuditMode */
	{ -1, 0, -1, -1, -1, SECURE_BOOT_OFF },
	{ 0, 0, -1, -1, -1, SECURE_BOOT_OFF },
	{ 1, 0, -1, -1, -1, SECURE_BOOT_AUDIT },
	{ 2, 0, -1, -1, -1, SECURE_BOOT_ENFORCE },
	{ 3, 0, -1, -1, -1, SECURE_BOOT_UNKNOWN },
	{ -1, 1, -1, -1, -1, SECURE_BOOT_UNKNOWN },	/* efivarfs is not mounted */
	{ -1, 2, -1, -1, -1, SECURE_BOOT_OFF },		/* it is, without such a variable */
	{ -1, 2, 0, 0, -1, SECURE_BOOT_OFF },
	{ -1, 2, 0, 1, -1, SECURE_BOOT_OFF },
	{ -1, 2, 1, 0, -1, SECURE_BOOT_ENFORCE },
	{ -1, 2, 1, 0, 0, SECURE_BOOT_ENFORCE },
	{ -1, 2, 1, 1, -1, SECURE_BOOT_OFF },
	{ -1, 2, 0, 1, 1, SECURE_BOOT_AUDIT },
	{ -1, 2, 1, -1, -1, SECURE_BOOT_UNKNOWN },
	{ -1, 2, 7, 0, -1, SECURE_BOOT_UNKNOWN },
	{ -1, 2, 1, 7, -1, SECURE_BOOT_UNKNOWN },
	{ -1, 2, 0, 0, 0, SECURE_BOOT_OFF },
	{ -1, 2, 0, 0, 1, SECURE_BOOT_AUDIT },
	{ -1, 2, 0, 1, 0, SECURE_BOOT_OFF },
	{ -1, 2, 1, 1, 1, SECURE_BOOT_AUDIT },
	{ -1, 2, 0, -1, -1, SECURE_BOOT_OFF },
	{ 255, 0, -1, -1, -1, SECURE_BOOT_UNKNOWN },
};

static void efi_variable(struct world *w, const char *path, int value)
{
	const unsigned char bytes[] = { 6, 0, 0, 0, (unsigned char)value };

	world_file(w, path, value < 0 ? NULL : bytes, sizeof(bytes));
}

static void secure_boot_sources(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		const unsigned char tree[] = { 0, 0, 0, (unsigned char)machines[i].tree };
		char cmd[256];
		const char *why;

		(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s/sys' '%s/proc/device-tree'", w->machine, w->machine);
		assert_int_equal(system(cmd), 0);
		world_file(w, "/proc/device-tree/ibm,secure-boot", machines[i].tree < 0 ? NULL : tree, sizeof(tree));
		if (machines[i].efi) {
			world_file(w, VARS "/x", "", 0);
			if (machines[i].efi == 1)
				world_file(w, VARS "/x", NULL, 0);
		}
		efi_variable(w, VARS "/SecureBoot" GUID, machines[i].secure);
		efi_variable(w, VARS "/SetupMode" GUID, machines[i].setup);
		efi_variable(w, VARS "/AuditMode" GUID, machines[i].audit);
		if (secure_boot_read(&w->env, &why) != machines[i].want)
			print_error("row %zu: %s\n", i, why);
		assert_int_equal(secure_boot_read(&w->env, &why), machines[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) WORLD_TEST(f)
		TEST(a_password_is_set_once_in_a_boot), TEST(transient_objects_go_with_the_boot),
		TEST(a_lock_lasts_until_the_boot), TEST(a_damaged_state_refuses), TEST(every_size),
		TEST(a_pending_size_comes_with_the_boot), TEST(every_object), TEST(every_label),
		TEST(what_is_immutable_stays), TEST(a_disabled_keystore_refuses), TEST(secure_boot_sources),
	};

	return cmocka_run_group_tests_name("pks-rules", tests, NULL, NULL);
}
