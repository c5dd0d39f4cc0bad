/* SPDX-License-Identifier: MIT */
/* What secure-erase is made of: each of its targets is looked at, named, confirmed, destroyed and reported. */
#ifndef HWKEY_CMD_ERASE_H
#define HWKEY_CMD_ERASE_H

#include "cmd.h"
#include "lib/blob.h"
#include "pks.h"

struct report {
	struct out *out;
	size_t rows;
};
/* A line of it: RESULT is what it is headed by. */
enum erase_result { ERASE_GONE, ERASE_REMAINS, ERASE_NEXT };
int erase_tell(struct report *, struct err *e, enum erase_result, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* erase-key.c: keys of the repository, with their keyslots in the volumes that are here. */
struct key_loss {		/* what is lost with some keys */
	size_t keys, volumes;	/* volumes that never open again */
	struct blob tokens;	/* of those keys, one after the other: others may come under their names */
};
#define AUTO_LOSS AUTO(key_loss_done)
static inline void key_loss_done(struct key_loss *l)
{
	blob_done(&l->tokens);
}
/* Refuses what cannot be erased; names what is lost, unless TELL is false. */
int erase_key_check(struct hwkey *, const char *name, bool tell, struct key_loss *, struct err *e);
/* hw->repo is open for writing. ALONE: other keys, and what opens them, stay. */
int erase_key(struct hwkey *, const char *name, bool alone, struct report *, struct err *e);

/* erase-pks.c: the keystore. */
struct pks_erasure {
	struct device *dev;
	const struct store_ops *ops;
	struct store_erased found;
	unsigned flags;		/* of enum erase_flags */
};
/* ENOENT: there is none. */
int erase_pks_check(struct hwkey *, struct pks_erasure *, struct err *e);
int erase_pks(struct hwkey *, const struct pks_erasure *, struct report *, struct err *e);

#endif
