/* SPDX-License-Identifier: MIT */
/* Wrapping keys, which are objects of the store that nobody can read, and the tokens made with them (lib/token.h). */
#ifndef HWKEY_SOFT_KEYS_H
#define HWKEY_SOFT_KEYS_H

#include "lib/token.h"
#include "store.h"

struct blob;

extern const struct key_ops soft_key_ops;
extern const struct seal_ops soft_seal_ops;
extern const struct store_ops soft_store_ops;

int key_make(const struct device *, const struct object_name *, uint32_t policy, struct err *e);
int key_revoke(const struct device *, const struct object_name *, bool revoked, struct err *e);

extern const struct backend_ops soft_ops;	/* all three */

struct wrapping {		/* one wrapping key */
	struct object_name name;	/* as .key, in the store's memory until it changes */
	const unsigned char *key;	/* CRYPTO_KEY bytes */
	unsigned char id[16];
	enum wrapping_state state;
	uint32_t policy;	/* that must hold when it is used */
	uint64_t since;		/* generation that brought it, or its label: older containers do not have it */
};

/* Labels that only the keystore's own wrapping keys have. */
bool wrapping_owns_label(const struct object_name *);
bool wrapping_is_current(const struct object_name *);

/*
 * Opens the store and gives the wrapping key that PARAMS (NULL: the current one) choose. The current one is made at first
 * need. ENOKEY: there is none of that label; EKEYREVOKED.
 */
int wrapping_open(struct store *ret, const struct device *, const struct wrap_params *, struct wrapping *ret_wrapping,
		  struct err *e);
/* The same in a store opened for writing: durable in both containers. */
int wrapping_ensure(struct store *, const struct wrap_params *, struct wrapping *ret, struct err *e);
/* In one opened for reading; -ENOENT without a message: there is no current one. */
int wrapping_choose(const struct store *, const struct wrap_params *, struct wrapping *ret, struct err *e);
/* Adds a new current one to a store opened for writing; the old one stays for old tokens. Not committed yet. */
int wrapping_renew(struct store *, struct err *e);
/* Adds one of that name, which must not be there. Not committed yet. */
int wrapping_add(struct store *, const struct object_name *, uint32_t policy, struct err *e);
/* Commits, if need be, until both containers hold it: without it all that is under it is lost. */
int wrapping_commit(struct store *, const struct wrapping *, struct err *e);
/* What an object is as a wrapping key; EBADMSG. */
int wrapping_from(const struct record *, struct wrapping *ret, struct err *e);
/* The one whose id starts with these bytes; ENOENT without a message. */
int wrapping_find(const struct store *, const unsigned char *id, size_t len, struct wrapping *ret, struct err *e);
/* ENOENT without a message. */
int wrapping_current(const struct store *, struct wrapping *ret, struct err *e);

/* T says kind, bits, xts, policy; the rest is filled in. BINDING may be NULL. EPERM names a policy that does not hold. */
int token_wrap(const struct store *, const struct wrapping *, const struct token *t, const struct secret *clear,
	       const struct blob *binding, struct blob *ret, struct err *e);
/* EBADMSG: foreign, tampered with, or another binding. EPERM as above; EKEYREVOKED. RET_UNDER may be NULL. */
int token_unwrap(const struct store *, const struct blob *token, enum token_kind, const struct blob *binding,
		 struct secret *ret, struct wrapping *ret_under, struct err *e);

#endif
