/* SPDX-License-Identifier: MIT */
/* The caller's user keyring in the kernel, in which a secret outlives the process, not the boot. */
#ifndef HWKEY_KEYRING_H
#define HWKEY_KEYRING_H

#include <stddef.h>

struct err;
struct secret;

/* -ENOKEY without a message: no such key, or no keyrings here. */
int keyring_read(const char *name, struct secret *ret, struct err *e);
/* Replaces a key of that name. Its owner's other sessions can read it, too. */
int keyring_add(const char *name, const struct secret *, struct err *e);
int keyring_remove(const char *name, struct err *e);

/* The table of module "keyring", which links libkeyutils; used by lib/keyring.c only. 0 or more, or -errno. */
struct keyring_module {
	long (*find)(const char *name);				/* serial number */
	long (*read)(long key, void *ret, size_t size);		/* length of the whole */
	long (*add)(const char *name, const void *data, size_t len);
	long (*remove)(long key);
};

#endif
