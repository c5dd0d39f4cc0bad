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

#include "store.h"

struct blob;
struct env;

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

/* As those who make and open them see one. */
void backup_describe(const struct backup *, struct backup_info *ret);
/* Of that KIND, a flag of the container. EBADMSG. */
int backup_read(const struct blob *file, uint32_t kind, struct backup *ret, struct err *e);
/* A slot's bytes that hold ROOT, the keystore's or another; GIVEN opens it. */
int backup_slot(const struct session *, enum slot_type, const unsigned char root[ROOT_KEY], const struct secret *given,
		struct blob *ret, struct err *e);
/* What opens a slot of that type, for who has not given it; WHAT it is in: "backup", "export". */
int backup_ask(const struct env *, const char *what, enum slot_type, struct secret *ret, struct err *e);
/* The root key that it is under: the keystore's own, or what its slot holds. RET gets ROOT_KEY bytes. */
int backup_root(const struct device *, const struct backup *, const struct secret *given, struct secret *ret,
		struct err *e);

struct snapshot {			/* what is in one */
	struct secret memory;		/* for a partition of SIZE and its boot */
	struct objects objects;
	uint32_t size;
};

#define AUTO_SNAPSHOT AUTO(snapshot_done)

/* With room for SIZE bytes if that is more than it has. EBADMSG. */
int snapshot_open(const struct backup *, const unsigned char root[ROOT_KEY], uint32_t size, struct snapshot *ret,
		  struct err *e);
void snapshot_done(struct snapshot *);

/* Operations of struct store_ops. */
int soft_backup(const struct device *, const struct secret *passphrase, struct blob *ret, struct backup_info *ret_info,
		struct err *e);
int soft_backup_look(const struct device *, const struct blob *file, const struct secret *given, struct backup_info *ret,
		     struct err *e);

#endif
