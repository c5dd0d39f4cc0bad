/* SPDX-License-Identifier: MIT */
/* The root key of a keystore: found through its slots, kept in the device's session. */
#ifndef HWKEY_SOFT_ROOT_H
#define HWKEY_SOFT_ROOT_H

#include <sys/types.h>

#include "lib/backend.h"
#include "lib/secret.h"
#include "names.h"
#include "slot.h"

struct stat;

enum { SLOT_ROOM = SLOT_MAX + 1 };	/* bytes: one more tells that a file is too long */

struct session {		/* what dev->session holds once the store was opened */
	unsigned char root[ROOT_KEY], system[UUID_SIZE];
	uint64_t epoch;
	unsigned slots;		/* bit n: soft_slots[n] was there */
	size_t sizes[ARRAY_SIZE(soft_slots)];	/* bytes: of the files of those; SIZE_MAX of the others */
	bool exposed;		/* other users can read the clear root key */
	bool noted, told, moved;	/* told: the grade of protection, a damaged container, that all was moved */
	bool passed[CONSUMER_OS + 1];	/* its password was right */
	unsigned char slot[SLOT_ROOM];	/* while it is opened: its file, which may have the clear root key */
};

static inline struct session *session_of(const struct device *dev)
{
	return (struct session *)(void *)dev->session->data;
}

/*
 * Opens the first slot in DIR that opens; asks for a passphrase only if no other slot does. Once per device.
 * EACCES: passphrase or key wrong, or nobody to give it; ENODEV: the anchor is not there; EBADMSG: no slot, or none
 * undamaged.
 */
int root_unlock(const struct device *, int dir, struct err *e);

/* EPERM if other users can read the clear root key: what is new is not put under it. */
int root_check_private(const struct device *, struct err *e);

/* Of the keystore: EPERM unless only root, or who runs this, can write FILE, which is ST; NULL: its directory. */
int root_check_stat(const struct device *, const char *file, const struct stat *st, struct err *e);

/* EINPROGRESS: an erase of the keystore in TOP is not finished. */
int root_check_erased(int top, const struct env *, struct err *e);

/* What the weakest slot gives, what a killed writer left counted as plain; NULL: there is none. */
const char *root_grade(int dir);
bool root_has_slot(int dir, const struct soft_slot *);
const struct soft_slot *root_slot_find(const char *name);
const struct soft_slot *root_slot_of_type(enum slot_type);	/* NULL: none is of that type */

/* ENOENT without a message: there is no such slot. The file may hold the clear root key. */
int root_slot_load(int dir, const struct soft_slot *, struct secret *ret_file, struct slot *ret, struct err *e);

enum slot_state {
	SLOT_NONE,
	SLOT_GOOD,
	SLOT_MISSING,		/* it was made, and its file is not there */
	SLOT_AWAY,		/* the medium is not there */
	SLOT_UNREADABLE,	/* what it is cannot be told */
	SLOT_DAMAGED,
	SLOT_FOREIGN,		/* of another keystore, or another root key */
	SLOT_STALE,		/* of an earlier root key of this keystore */
	SLOT_NEWER,		/* of a later one: the keystore is the old one */
};

/* A slot's file against the root key that opened the keystore, without what the user has for it; WHY is for a person. */
enum slot_state slot_compare(const void *data, const struct slot *, const struct session *, struct err *ret_why);
/* The same of what is in DIR, and of the half of an anchor. */
enum slot_state root_slot_state(int dir, const struct soft_slot *, const struct session *, struct err *ret_why);

/* The file of a slot of this keystore that holds ROOT, its own or another; GIVEN: what the user has for it. */
int root_slot_make(const struct session *, enum slot_type, const unsigned char root[ROOT_KEY], const struct secret *given,
		   struct secret *ret, struct err *e);
/* Writes the slot, durable on return. GIVEN: what the user has for it. EEXIST unless REPLACE. */
int root_slot_write(int dir, const struct soft_slot *, const struct session *, const struct secret *given,
		    bool replace, struct err *e);
/* Reads the slot and opens it, as the next process will. EBADMSG. */
int root_slot_check(int dir, const struct soft_slot *, const struct session *, const struct secret *given,
		    struct err *e);
/* What a killed writer left in DIR may be the clear root key: it is overwritten. The caller holds the lock. */
int root_wipe_temp(int dir, struct err *e);
int root_wipe_plain(int dir, struct err *e);	/* the same for a plain slot that is nobody's, if there is one */
/* Overwrites and removes the slot. EBUSY if no other undamaged one is left. */
int root_slot_remove(const struct device *, int dir, const struct soft_slot *, struct err *e);

#endif
