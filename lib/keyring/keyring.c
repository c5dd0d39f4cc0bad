// SPDX-License-Identifier: MIT
#include "lib/keyring.h"

#include <errno.h>
#include <keyutils.h>

#include "lib/module.h"

/* The possessor may do anything; the user's other sessions, which do not possess it, may see, read and find it. */
enum { PERMISSIONS = KEY_POS_ALL | KEY_USR_VIEW | KEY_USR_READ | KEY_USR_SEARCH };

static long find(const char *name)
{
	long key = keyctl_search(KEY_SPEC_USER_KEYRING, "user", name, 0);

	return key < 0 ? -errno : key;
}

static long read_key(long key, void *ret, size_t size)
{
	long n = keyctl_read((key_serial_t)key, ret, size);

	return n < 0 ? -errno : n;
}

static long remove_key(long key)
{
	return keyctl_unlink((key_serial_t)key, KEY_SPEC_USER_KEYRING) < 0 ? -errno : 0;
}

static long add(const char *name, const void *data, size_t len)
{
	key_serial_t key = add_key("user", name, data, len, KEY_SPEC_USER_KEYRING);
	int failed;

	if (key < 0)
		return -errno;
	if (keyctl_setperm(key, PERMISSIONS) == 0)
		return key;
	failed = errno;
	(void)remove_key(key);
	return -failed;
}

MODULE_EXPORT extern const struct keyring_module hwkey_module;
const struct keyring_module hwkey_module = {
	.find = find,
	.read = read_key,
	.add = add,
	.remove = remove_key,
};
