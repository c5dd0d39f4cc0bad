/* SPDX-License-Identifier: MIT */
/* One open LUKS2 volume, inside the module. One crypt_device lives through a whole operation: racing writers are seen. */
#ifndef HWKEY_LUKS_VOLUME_H
#define HWKEY_LUKS_VOLUME_H

#include <libcryptsetup.h>

#include "lib/blob.h"
#include "lib/secret.h"
#include "luks.h"
#include "luks-token.h"

struct luks {
	struct crypt_device *cd;
	char *volume;			/* as the user named it */
	int fd;				/* of the header, for luks_sync() */
	uint64_t seqid;			/* of the header as we read or wrote it */
	int recovery;			/* the pending token that luks_recovery_end() is about */
	char log[256];			/* the first error line since luks_fail() */
};

/*
 * What libcryptsetup returned and said, as one error; "'VOLUME': WHAT: ...". Returns -errno. EBUSY in our words if another
 * program changed the header meanwhile, for which libcryptsetup has no code of its own.
 */
int luks_fail(struct luks *, int r, struct err *e, const char *what);
/* A crypt_device for PLACE whose log goes to the volume. */
int luks_init(const struct luks_place *, struct luks **ret, struct err *e);
void luks_free(struct luks *);
int luks_open(const struct luks_place *, struct luks **ret, struct err *e);
void luks_info(struct luks *, struct luks_info *ret);
/* EINPROGRESS while a re-encryption is under way. */
int luks_check_steady(struct luks *, struct err *e);
/* The same, and EROFS or EACCES where the header cannot be written. */
int luks_check_writable(struct luks *, struct err *e);

/*
 * After each change of the header: libcryptsetup does not say when fsync(2) fails. A failed write-back is told once to
 * every descriptor that was open then, so to ours, too.
 */
int luks_sync(struct luks *, struct err *e);

/* Our minimal PBKDF for random passphrases of 256 bits: NIST SP 800-132's 1000 rounds; more would only cost time. */
int luks_use_minimal_kdf(struct luks *, struct err *e);

uint32_t luks_slots(struct luks *);			/* active ones that open the volume; bit n: slot n */
/* NULL: no token ID. *ret_type and text live until the next call that changes the header. */
const char *luks_token_text(struct luks *, int id, const char **ret_type);
/* 1: token ID is ours and well-formed, in RET. */
int luks_token_get(struct luks *, int id, struct luks_token *ret);
/* ID CRYPT_ANY_TOKEN: a new one. Returns the id. */
int luks_token_put(struct luks *, int id, const struct luks_token *, struct err *e);
/* Pending, with the slot's salt if it is there. */
int luks_recovery_put(struct luks *, int id, int slot, bool pending, struct err *e);
/* The slot that pending token ID is about, and whether the one that is there was made for it; -1: no such token. */
int luks_recovery_slot(struct luks *, int id, bool *ret_own);
int luks_token_drop(struct luks *, int id, struct err *e);
bool luks_salt(struct luks *, int slot, char ret[LUKS_SALT_SIZE]);
uint32_t luks_owned_slots(struct luks *);		/* that any token names */
int luks_slot_destroy(struct luks *, int slot, struct err *e);

/* 1: PASSPHRASE opens the volume by SLOT (CRYPT_ANY_SLOT: one of them). 0: it does not. */
int luks_try(struct luks *, int slot, const struct secret *passphrase, struct err *e);
int luks_try_each(struct luks *, uint32_t slots, const struct secret *passphrase, uint32_t *ret, struct err *e);

int luks_volume_binding(struct luks *, struct blob *ret, struct err *e);
int luks_seal(struct luks *, const struct luks_key *, const struct secret *passphrase, struct luks_token *ret,
	      struct err *e);
int luks_unseal_by(struct luks *, const struct device *, const struct seal_ops *, const struct luks_token *,
		   struct secret *ret, struct err *e);
/* The passphrase in T. EBADMSG: of another volume or changed; else what the source and the backend say. */
int luks_unseal(struct luks *, const struct luks_source *, const struct luks_token *t, struct secret *ret, struct err *e);

/* unlock.c: what opens the volume: its volume key, or a token that only its own plug-in can use. */
struct luks_opener {
	struct secret volume_key;
	int token;			/* if VOLUME_KEY is empty */
};

#define AUTO_OPENER AUTO(luks_opener_done)

void luks_opener_done(struct luks_opener *);
int luks_authorize(struct luks *, const struct luks_auth *, struct luks_opener *ret, struct err *e);
int luks_test(struct luks *, const struct luks_auth *, const struct luks_see *, struct err *e);
int luks_activate(struct luks *, const struct luks_auth *, const struct luks_key *, const char *name, unsigned flags,
		  struct err *e);

/* place.c */
int luks_place_open(const char *path, int flags, struct err *e);	/* -ENOENT without a message */
int luks_place_check_writable(int fd, const char *path, struct err *e);	/* FD, open for reading, could be for writing */
int luks_place_differ(int volume, int header, const char *path, struct err *e);	/* EINVAL: they are one; PATH: header */
int luks_place_lock(int fd, const char *path, struct err *e);	/* until FD, open for writing, is closed; EBUSY */
int luks_place_blank(int fd, const char *path, struct err *e);	/* 1: zeros where a header would be, and at the end */
int luks_place_zero(int fd, off_t end, const char *path, struct err *e);	/* 1: nothing but zeros before END */
int luks_place_sync_dir(const char *path, struct err *e);	/* the directory that PATH is in */

/* format.c */
int luks_found(const char *volume, char ret[LUKS_TEXT], struct err *e);
int luks_format_check(const struct luks_place *, const struct luks_format *, struct err *e);
int luks_format(const struct luks_place *, const struct luks_format *, const struct luks_key *, struct luks **ret,
		struct err *e);

/* enroll.c */
int luks_enroll(struct luks *, const struct luks_auth *, const struct luks_key *, const char *replace, struct err *e);
/* Right after luks_format() OPENER is NULL: libcryptsetup still has the volume key. */
int luks_enroll_with(struct luks *, const struct luks_source *, const struct luks_opener *, const struct luks_key *,
		     const char *replace, struct err *e);
int luks_recovery(struct luks *, const struct luks_auth *, struct secret *ret, int *ret_slot, struct err *e);
int luks_recovery_end(struct luks *, bool given, struct err *e);

/* ways.c */
struct luks_ways {
	uint32_t proven;	/* slots that a token of ours opens here */
	uint32_t unproven;	/* that a passphrase, a recovery key or another's token may open */
};

/* If SLOTS and tokens IDS were gone. A slot whose token is dead, pending or another machine's is neither of the two. */
struct luks_ways luks_ways_without(struct luks *, const struct luks_source *, uint32_t slots, uint32_t ids);
/* Tells the user when none is proven. */
void luks_ways_note(struct luks *, const struct luks_source *, const struct luks_ways *);
bool luks_slot_is_plain(struct luks *, int slot);	/* made by luks_use_minimal_kdf() */

/* unenroll.c */
int luks_unenroll(struct luks *, const struct luks_source *, const struct luks_remove *, struct err *e);
/*
 * The slots that are certainly T's: those that its PASSPHRASE opens; the user is told of the others. PASSPHRASE NULL: it
 * cannot be unsealed here; then the one slot that it names, if it is one. ENOTEMPTY: it names several.
 */
int luks_token_own(struct luks *, const struct luks_source *, const struct luks_token *t, const struct secret *passphrase,
		   uint32_t *ret, struct err *e);
/* Marks token ID, destroys its OWN slots, drops it: what a cut leaves is finished by repair. */
int luks_token_retire(struct luks *, int id, struct luks_token *, uint32_t own, struct err *e);

/* erase.c */
int luks_erase(const struct luks_place *, const struct env *, bool check, struct luks_erased *ret, struct err *e);

/* status.c, repair.c, pattern.c */
int luks_status(struct luks *, const struct luks_see *, struct err *e);
/* Without the members that only test and repair have. TOKEN is parsed into T, which must outlive the row. */
void luks_row_fill(struct luks *, int slot, int token, struct luks_token *t, struct luks_row *ret);
/* Pending tokens and duplicates: what an interrupted change leaves. Cheap when there is nothing. */
int luks_settle(struct luks *, const struct luks_source *, const struct luks_see *, struct err *e);
int luks_repair(struct luks *, const struct luks_source *, const struct luks_see *, struct err *e);
bool luks_get_pattern(struct luks *, char ret[65]);
int luks_set_pattern(struct luks *, const char *pattern, struct err *e);

#endif
