/* SPDX-License-Identifier: MIT */
/* What of the repository a wrapping key of the platform keystore still opens. */
#ifndef HWKEY_CMD_PKS_USERS_H
#define HWKEY_CMD_PKS_USERS_H

#include "pks.h"

struct key_users {
	size_t n;
	char first[NAME_LEN_MAX + 1];	/* name of a key */
	bool volumes;			/* that one's own token is not; a volume of it still waits for rewrap */
};

/*
 * Keys whose token, or staged token, is under the wrapping key ID, and those with a volume that the last rewrap did not
 * reach. A damaged one is an error: what it is under cannot be told.
 */
int key_users_find(struct hwkey *, const unsigned char id[16], struct key_users *ret, struct err *e);

/* The object as the keystore lists it. ENOENT. */
int pks_find_object(const struct pks_object *, struct object *ret, struct err *e);

#endif
