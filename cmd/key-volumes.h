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
 * Does them: a new keyslot and token on each that has one of the entry's key, with the PIN that was GIVEN if it is new,
 * the old ones removed after the proof. Asks nobody. What is not here or fails is told by a note, counted, and stays in
 * the property.
 */
int key_volumes_renew(struct hwkey *, struct entry *, const struct wrap_params *given, size_t *failed,
		      struct err *e);

/*
 * EBADMSG: the header of one of its volumes holds another key's verification pattern, or a dead token. ENOKEY: nothing of
 * the key. Else what kept a volume from being looked at; of several the worst. Absent volumes are only noted, and those of
 * type plain have no header.
 */
int key_volumes_check(struct hwkey *, const struct entry *, struct err *e);

/* Those that are here and open by states of PCRs alone, joined by '\n'; empty: none. */
void key_volumes_hanging(struct hwkey *, const struct entry *, char *ret, size_t size);

enum key_volume_state {
	KEY_VOLUME_ABSENT, KEY_VOLUME_UNKNOWN,	/* not here; here, and .why it cannot be looked at */
	KEY_VOLUME_PLAIN, KEY_VOLUME_PAES,	/* the key is the volume key: without a header; wrapped in its keyslots */
	KEY_VOLUME_NONE,			/* no token of the key */
	KEY_VOLUME_SLOT, KEY_VOLUME_LAST,	/* keyslots of the key; nothing else opens it */
};

struct key_volume {
	const char *path;
	enum key_volume_state state;
	char name[201];			/* of the key, in its tokens */
	const char *pattern;		/* NULL: none */
	bool namesake;			/* it has a keyslot of another key of that name, too */
	char why[512];
};

/* Calls TELL for each of the entry's volumes: what erasing the key would mean to it. An error of TELL ends it. */
int key_volumes_judge(struct hwkey *, const struct entry *,
		      int (*tell)(void *ctx, const struct key_volume *, struct err *e), void *ctx, struct err *e);
/* Removes the key's keyslots and tokens, also the last way in. */
int key_volume_erase(struct hwkey *, const struct key_volume *, struct err *e);

#endif
