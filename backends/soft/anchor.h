/* SPDX-License-Identifier: MIT */
/*
 * The anchor: the root key on a medium beside the disk (a USB stick, an SD card, the EFI system partition), as PowerVM
 * has it on its anchor card. It takes two files. The half, a slot file of its own type on that medium, has the root key
 * wrapped under a random key as under a trusted system key (tsk.h). Slot "anchor" of the keystore has that key, and the
 * path of the half. Neither opens anything without the other, so that the half needs no modes, which FAT has not.
 *
 * Payload of slot "anchor":  0 32 key of the half   32 1 it is on another file system   33 ... its absolute path
 */
#ifndef HWKEY_SOFT_ANCHOR_H
#define HWKEY_SOFT_ANCHOR_H

#include "root.h"

enum { ANCHOR_PATH_MAX = 1024 };	/* bytes */

/* Of the table of slot.c. GIVEN is the payload. Unwrap: ENODEV if the half is not there; EBADMSG. */
int anchor_wrap(const struct slot *, const unsigned char root[ROOT_KEY], const struct secret *given, unsigned char *ret,
		size_t *ret_len, struct err *e);
int anchor_unwrap(const struct slot *, const struct secret *given, unsigned char ret_root[ROOT_KEY], struct err *e);

/*
 * Puts a half at PATH, then the slot in place: until then the one before opens the keystore, and its half, if it can be
 * reached, is removed afterwards. EEXIST: there is a file at PATH, or a slot, unless REPLACE and the file is a half.
 */
int anchor_set(const struct device *, int dir, const struct session *, const char *path, bool replace, struct err *e);
/* Removes the slot as root_slot_remove() does, and then the half. */
int anchor_remove(const struct device *, int dir, const struct session *, struct err *e);

/* What became of the half of a slot that is good; WHY gets a line for a person. */
enum slot_state anchor_state(int dir, const struct slot *, const struct session *, struct err *ret_why);
/*
 * Writes the half of the keystore's slot, whatever is there. Not ASKED: ENODEV unless it belongs on the keystore's own file
 * system, for what is mounted elsewhere may be somebody else's.
 */
int anchor_heal(int dir, const struct session *, bool asked, struct err *e);
/* Path of the half, "" if it cannot be told. */
void anchor_path(int dir, char ret[ANCHOR_PATH_MAX + 1]);
/* Not on the keystore's own file system, as far as the slot can be read. */
bool anchor_is_apart(int dir);
/* Overwrites and removes the half, without opening anything. False: it may be there still. */
bool anchor_erase(int dir);

#endif
