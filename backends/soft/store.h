/* SPDX-License-Identifier: MIT */
/*
 * The keystore on disk: env->pks_dir/system with the root-key slots and for each partition the container files NAME.A
 * and NAME.B. Of the two the one with the higher authentic generation counts. A commit overwrites the other one in place
 * and flushes it once, so a power cut leaves the old or the new generation.
 *
 * A file that is damaged may be a commit that was cut short, or hold what no other file does: that cannot be told. The
 * other file counts then, with a note, and the first commit after it keeps a damaged newer one as NAME.?.damaged.
 *
 * The first partition is "local", and its UUID the system's. A partition's UUID follows from its name, so that nobody can
 * give one's containers the name of another: the first 16 bytes of SHA-256(system's UUID || name), with the version set to
 * 8 (RFC 9562). All are under the one root key and the one lock.
 */
#ifndef HWKEY_SOFT_STORE_H
#define HWKEY_SOFT_STORE_H

#include "boot.h"
#include "container.h"
#include "lib/secret.h"
#include "objects.h"
#include "root.h"

struct blob;

enum { STORE_SIZE_DEFAULT = 65536, POOL_SIZE = 1048576 };	/* bytes: of a partition; of all together, at most */

enum store_flags {
	STORE_WRITE = 1 << 0,		/* holds the writers' lock until store_done() */
	STORE_CREATE = 1 << 1,		/* first use makes the keystore, if env allows it */
	STORE_DISABLED = 1 << 2,	/* also one that is disabled */
	STORE_KEYS = 1 << 3,		/* only for wrapping keys: needs no state of this boot, and is not stopped by it */
	STORE_LOST = 1 << 4,		/* also one of which no container opens: .now.generation is 0, no .memory */
	STORE_REANCHOR = 1 << 5,	/* whatever its counter says */
};

enum other {			/* what the file of the other generation is */
	OTHER_GOOD,
	OTHER_BAD,			/* missing or damaged */
	OTHER_NEWER,			/* damaged, and by its header of this keystore and a higher generation */
};

struct store {
	const struct device *dev;
	char name[SOFT_NAME_MAX + 1];	/* of the partition */
	unsigned char uuid[UUID_SIZE];	/* of the partition */
	char files[2][SOFT_FILE_SIZE], kept[2][SOFT_FILE_SIZE + 8];	/* its containers; where a damaged one is kept */
	int top, dir, lock;		/* env->pks_dir, if it was needed, its system/, the lock */
	struct secret memory;		/* of .objects and .boot */
	struct objects objects;
	struct boot boot;
	struct container now;		/* header of the generation in .objects */
	unsigned char hash[CRYPTO_HASH];	/* of those 256 bytes */
	bool stuck;			/* it may or may not have made its last step */
	uint64_t counted;		/* what the counter of .now.anchor says: counter.h */
	unsigned newest;		/* 0: it is in .files[0], 1: in .files[1] */
	bool no_wait;			/* the next commit does not wait for the disk: store_flush() does */
	bool created, resized;		/* by this store_open(); the next commit keeps the size */
	bool moved;			/* it was exported, and takes no changes */
	bool checked;			/* ipl_check() is at it: no need of ipl_start() */
	enum other other;
	size_t other_len;		/* of the other file: 0 if it is missing */
};

#define AUTO_STORE AUTO(store_done)
#define STORE_CLOSED { .top = -1, .dir = -1, .lock = -1 }

/*
 * The partition that DEV is. ENOENT: not initialised; ENXIO: disabled; EBADMSG: which part is missing or damaged. RET must
 * be STORE_CLOSED.
 */
int store_open(struct store *ret, const struct device *, unsigned flags, struct err *e);
/* commit.c: makes .objects the next generation, durable on return. On error the old generation stays. */
int store_commit(struct store *, struct err *e);
/* The generation before stays in its file until the new one was read back; then both files hold the new contents. */
int store_commit_both(struct store *, struct err *e);
int store_check_moved(const struct store *, struct err *e);	/* EPERM if it takes no changes */
/*
 * Waits until the newest generation is on disk, if it may not be: one that was committed without waiting, in this boot. On
 * error it is lost.
 */
int store_flush(struct store *, struct err *e);
/* Reads from the files what the last commit wrote, as the next process will. EBADMSG. */
int store_verify(struct store *, struct err *e);
void store_done(struct store *);
/*
 * The newest generation of the partition NAME, without the state of this boot. S has .dev and .dir; with .lock it is read
 * once, else again for as long as a writer may be at it.
 */
int store_load(struct store *s, const char *name, struct err *e);
/* Which partition S is of. EINVAL. */
int store_name(struct store *s, const char *name, struct err *e);
/* Whether the file that is not in use opens, too; opening the store looks at its header only. */
bool store_other_is_whole(const struct store *);
/* Whether that file opens and has a wrapping key of that name that was revoked. The caller holds the lock. */
bool store_other_has_revoked(const struct store *, const struct object_name *);
/* Persistent or transient. */
bool store_find(const struct store *, const struct object_name *, struct record *ret);
bool store_has_kept(const struct store *, unsigned which);	/* a damaged container of .kept */
int store_check_kept(const struct store *, struct err *e);	/* EBUSY: one is kept, and may hold objects */
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
size_t store_size_max(const struct container *);
/* EINVAL: not one of the sizes that there are. */
int store_check_size(const struct container *, size_t size, struct err *e);

/* For who takes one that is not there for an empty one. ENOENT: it was there, and keys need it. */
int store_check_first(const struct env *, struct err *e);

/* The place of a keystore, made if it is missing, and the lock: for who makes SOFT_DIR. RET must be STORE_CLOSED. */
int store_lock(struct store *ret, const struct device *, struct err *e);

/* create.c: makes SOFT_DIR in TOP, whole or not at all. The caller holds the lock. */
int store_create(int top, struct err *e);
/* Of SLOT_DATA, as the slot file ROW, and PLAIN as the contents of the first partition, as C says; after c->generation. */
int store_recreate(int top, const struct session *, const struct soft_slot *row, const struct blob *slot_data,
		   const struct container *c, const void *plain, struct err *e);
/* Both containers of an empty partition, durable on return: C says which, how large, with which flags. */
int containers_create(int dir, const char *partition, const struct session *, const struct container *c, struct err *e);

/*
 * partition.c. Create makes the partition NAME beside that of DEV: EEXIST, ENOSPC. Remove wants one that is disabled:
 * EBUSY. Both are durable on return.
 */
int partition_create(const struct device *, const char *name, bool power11, const size_t *size, struct err *e);
int partition_remove(const struct device *, struct err *e);
int partition_uuid(const struct session *, const char *name, unsigned char ret[UUID_SIZE], struct err *e);
/* What one takes from the pool: its size, or the one that is to come if that is larger; a disabled one takes nothing. */
size_t partition_claim(const struct container *);
/* ENOSPC: with SIZE for S all of them would be larger than POOL_SIZE. The caller holds the lock. */
int pool_check(const struct store *s, size_t size, struct err *e);

#endif
