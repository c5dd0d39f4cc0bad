/* SPDX-License-Identifier: MIT */
/*
 * A file that leaves the machine: a backup, or an export. It is a root-key slot (slot.h) of type passphrase or tsk and,
 * right behind it, a container (container.h) under the root key in that slot; nothing else. Which of the two it is says
 * the container's flag. Each header has its own version and is authenticated: the slot's by what opens it, the
 * container's by the root key. They belong together when slot and container name the same root key.
 *
 * backup: the root key is the keystore's, so that the file also opens what is left of the keystore; the container is of the
 * partition and the generation that it was made from.
 */
#ifndef HWKEY_SOFT_BACKUP_H
#define HWKEY_SOFT_BACKUP_H

#include "container.h"

struct blob;

enum { BACKUP_MAX = SLOT_MAX + CONTAINER_MAX };		/* bytes */

struct backup {				/* points into the parsed bytes */
	const unsigned char *slot_data, *container_data;
	struct slot slot;
	size_t slot_len;
	struct container header;
};

/* EBADMSG with a reason unless the bytes are one well-formed backup or export. Does not ask whether it is genuine. */
int backup_parse(const void *data, size_t len, struct backup *ret, struct err *e);

/* Of PLAIN, which has c->size bytes, under ROOT, which the slot holds whose bytes SLOT are. */
int backup_make(const struct blob *slot, const struct container *c, const unsigned char root[ROOT_KEY], const void *plain,
		struct blob *ret, struct err *e);

#endif
