/* SPDX-License-Identifier: MIT */
/* The volumes that an entry of the repository names, as far as they are here. */
#ifndef HWKEY_KEY_VOLUMES_H
#define HWKEY_KEY_VOLUMES_H

#include "cmd.h"

/*
 * A new keyslot and token for the entry's key on each of its volumes that has one, the old ones removed after the proof.
 * A volume that is not here or fails is told by a note and counted; the others are done all the same.
 */
void key_volumes_renew(struct hwkey *, const struct entry *, size_t *failed);

/* EBADMSG: the header of one of its volumes holds another key's verification pattern. Absent volumes are passed over. */
int key_volumes_check(struct hwkey *, const struct entry *, struct err *e);

#endif
