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
extern const struct backend_ops soft_ops;	/* all three: what hwkey_module aliases */

struct wrapping {		/* one wrapping key */
	const unsigned char *key;	/* CRYPTO_KEY bytes, in the store's memory until it changes */
	unsigned char id[16];
	bool current;
	uint64_t since;		/* generation that brought it, or its label: older containers do not have it */
};

/* Labels that only wrapping keys have. */
bool wrapping_owns_label(const struct object_name *);

/* Opens the store with at least one wrapping key in it, which is made at first need. */
int wrapping_open(struct store *ret, const struct device *, struct wrapping *ret_current, struct err *e);
/* Adds a new current one to a store opened for writing; the old one stays for old tokens. Not committed yet. */
int wrapping_renew(struct store *, struct err *e);
/* Commits, if need be, until both containers hold the current one: without it all that is under it is lost. */
int wrapping_commit(struct store *, struct err *e);
/* The one whose id starts with these bytes; ENOENT without a message. */
int wrapping_find(const struct store *, const unsigned char *id, size_t len, struct wrapping *ret, struct err *e);
/* ENOENT without a message. */
int wrapping_current(const struct store *, struct wrapping *ret, struct err *e);

/* T says kind, bits and xts; the rest is filled in. BINDING may be NULL. */
int token_wrap(const struct store *, const struct wrapping *, const struct token *t, const struct secret *clear,
	       const struct blob *binding, struct blob *ret, struct err *e);
/* EBADMSG: foreign, tampered with, or another binding. RET_UNDER may be NULL. */
int token_unwrap(const struct store *, const struct blob *token, enum token_kind, const struct blob *binding,
		 struct secret *ret, struct wrapping *ret_under, struct err *e);

#endif
