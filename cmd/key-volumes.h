/* SPDX-License-Identifier: MIT */
/* The volumes that an entry of the repository names, as far as they are here. */
#ifndef HWKEY_KEY_VOLUMES_H
#define HWKEY_KEY_VOLUMES_H

#include "cmd.h"

/*
 * Volumes whose keyslots still stand for the token before the last rewrap, "VOL:DM,..." as in "volumes". Written together
 * with the new token, so that a rewrap which was cut short, or did not find a volume, is finished by the next one.
 */
#define PROP_RENEW_VOLUMES "hwkey-renew-volumes"

/*
 * Does them: a new keyslot and token on each that has one of the entry's key, the old ones removed after the proof. Asks
 * nobody. What is not here or fails is told by a note, counted, and stays in the property.
 */
int key_volumes_renew(struct hwkey *, struct entry *, size_t *failed, struct err *e);

/*
 * EBADMSG: the header of one of its volumes holds another key's verification pattern, or a dead token. ENOKEY: nothing of
 * the key. Else what kept a volume from being looked at; of several the worst. Absent volumes are only noted, and those of
 * type plain have no header.
 */
int key_volumes_check(struct hwkey *, const struct entry *, struct err *e);

#endif
