/* SPDX-License-Identifier: MIT */
/* What a wrapping key of the platform keystore still opens, as far as the repository knows. */
#ifndef HWKEY_CMD_PKS_USERS_H
#define HWKEY_CMD_PKS_USERS_H

#include "pks.h"

struct key_users {
	size_t n;
	char first[400];		/* for a person: "key 'vol1'" */
	const char *remedy;		/* how that one is moved away */
};

/*
 * Keys whose token, or staged token, is under the wrapping key ID; keys with a volume that the last rewrap did not reach;
 * and volumes of keys with a token in the header that is under it. A volume that is not here or cannot be read is noted, a
 * damaged key is an error: what it is under cannot be told.
 */
int key_users_find(struct hwkey *, const unsigned char id[16], struct key_users *ret, struct err *e);

#endif
