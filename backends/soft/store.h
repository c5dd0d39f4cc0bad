/* SPDX-License-Identifier: MIT */
/*
 * The keystore on disk: env->pks_dir/system with the root-key slots and the container files local.A and local.B of the
 * one partition, whose UUID is the system's. The file with the higher authentic generation counts. A commit overwrites
 * the other one in place and flushes it once, so a power cut leaves the old or the new generation.
 *
 * A file that is damaged may be a commit that was cut short, or hold what no other file does: that cannot be told. The
 * other file counts then, with a note, and the first commit after it keeps a damaged newer one as local.?.damaged.
 */
#ifndef HWKEY_SOFT_STORE_H
#define HWKEY_SOFT_STORE_H

#include "boot.h"
#include "container.h"
#include "lib/secret.h"
#include "objects.h"
#include "root.h"

enum { STORE_SIZE_DEFAULT = 65536 };

enum store_flags {
	STORE_WRITE = 1 << 0,		/* holds the writers' lock until store_done() */
	STORE_CREATE = 1 << 1,		/* first use makes the keystore, if env allows it */
	STORE_DISABLED = 1 << 2,	/* also one that is disabled */
	STORE_KEYS = 1 << 3,		/* only for wrapping keys: needs no state of this boot, and is not stopped by it */
};

enum other {			/* what the file of the other generation is */
	OTHER_GOOD,
	OTHER_BAD,			/* missing or damaged */
	OTHER_NEWER,			/* damaged, and by its header of this keystore and a higher generation */
};

struct store {
	const struct device *dev;
	int top, dir, lock;		/* env->pks_dir, its system/, the lock */
	struct secret memory;		/* of .objects and .boot */
	struct objects objects;
	struct boot boot;
	struct container now;		/* header of the generation in .objects */
	unsigned char hash[CRYPTO_HASH];	/* of those 256 bytes */
	unsigned newest;		/* 0: it is in local.A, 1: in local.B */
	bool no_wait;			/* the next commit does not wait for the disk: store_flush() does */
	bool created;			/* by this store_open() */
	enum other other;
	size_t other_len;		/* of the other file: 0 if it is missing */
};

#define AUTO_STORE AUTO(store_done)
#define STORE_CLOSED { .top = -1, .dir = -1, .lock = -1 }

extern const char *const container_files[2], *const container_kept[2];

/* ENOENT: not initialised; ENXIO: disabled; EBADMSG: which part is missing or damaged. RET must be STORE_CLOSED. */
int store_open(struct store *ret, const struct device *, unsigned flags, struct err *e);
/* Makes .objects the next generation, durable on return. On error the old generation stays. */
int store_commit(struct store *, struct err *e);
/*
 * Waits until the newest generation is on disk, if it may not be: one that was committed without waiting, in this boot. On
 * error it is lost.
 */
int store_flush(struct store *, struct err *e);
void store_done(struct store *);
/* Whether the file that is not in use opens, too; opening the store looks at its header only. */
bool store_other_is_whole(const struct store *);
/* Persistent or transient. */
bool store_find(const struct store *, const struct object_name *, struct record *ret);
size_t store_charged(const struct store *);	/* both together, as accounted */
/* For an object that is not in it: ENOENT, or EBADMSG if it may be in a newer generation that is damaged. */
int store_misses(const struct store *, struct err *e);

/* Tells the grade of protection, once per device. */
void store_note(const struct store *);

/*
 * size.c. A size that is due is applied by who opens for writing; the next commit keeps it. A new size counts from the next
 * boot on if this one is under way; 0 disables. EINVAL; ENOTEMPTY. Committed on return.
 */
int store_apply_pending(struct store *, struct err *e);
int store_configure(struct store *, bool power11, const size_t *size, struct err *e);
size_t store_size_max(const struct store *);

/* create.c: makes SOFT_DIR in TOP, whole or not at all. The caller holds the lock. */
int store_create(int top, struct err *e);

#endif
