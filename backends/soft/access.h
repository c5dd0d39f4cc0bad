/* SPDX-License-Identifier: MIT */
/* Who may do what with which object now: passwords and policies, in PowerVM's order of evaluation. */
#ifndef HWKEY_SOFT_ACCESS_H
#define HWKEY_SOFT_ACCESS_H

#include "store.h"

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_REMOVE, ACCESS_REVOKE };

/*
 * Of the password: NULL while none is set, else the one given, or in the user keyring, or asked for. EPERM; EACCES if
 * none is at hand.
 */
int access_password(const struct store *, enum consumer, struct err *e);

/*
 * OBJECT is what is there by that name, NULL if nothing is; POLICY the bits it has or will have. EPERM names the policy;
 * ENOENT if it must be there.
 */
int access_object(const struct store *, enum access, const struct object_name *, const struct record *object,
		  uint32_t policy, struct err *e);

/* That the bits hold at this moment: PWSET of CONSUMER, and those of secure boot. */
int access_policy(const struct store *, enum consumer, uint32_t policy, struct err *e);
/* That the bits of a wrapping key and of what is under it hold: of consumer os; PWSET asks for its password, too. */
int access_wrapping(const struct store *, uint32_t policy, struct err *e);
/* EPERM if CONSUMER's objects are closed until the next boot. */
int access_lock(const struct store *, enum consumer, struct err *e);
/* No consumer's are closed, and of each that has set a password it is given: for what is done to all objects at once. */
int access_all(const struct store *, struct err *e);

/* Sets it once in a boot (EEXIST): CHOSEN, or if NULL a random one, which RET_GENERATED gets and the user keyring. */
int password_set(struct store *, enum consumer, const struct secret *chosen, struct secret *ret_generated, struct err *e);

#endif
