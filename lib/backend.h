/* SPDX-License-Identifier: MIT */
/*
 * What a backend is: the driver of one kind of trust source.
 *
 * backends/NAME.c holds its face, a const struct backend that costs nothing to link: name, probe and the roles it plays.
 * backends/NAME/ holds its body, a const struct backend_ops. One that needs libraries of its own is in the shared object
 * NAME.so, which is linked normally to them and loaded by backend_ops() when a command uses the device; another one is
 * linked with its face, which names it. In the body a NULL role means "cannot"; a test keeps face and body in step.
 */
#ifndef HWKEY_BACKEND_H
#define HWKEY_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "token.h"

struct blob;
struct device;
struct env;
struct err;
struct event;
struct secret;
struct tpm_params;

enum role {
	ROLE_KEY = 1 << 0,	/* keys of the repository: generate, wrap, rewrap, ... */
	ROLE_SEAL = 1 << 1,	/* small secrets bound to a context: data keys, passphrases of LUKS2 slots */
	ROLE_STORE = 1 << 2,	/* a platform keystore: labelled objects */
};

enum device_state {
	DEVICE_ONLINE,			/* usable, perhaps after a question through env->ask */
	DEVICE_OFFLINE,			/* there, not usable */
};

struct device {
	const struct backend *backend;
	char id[64];			/* unique on this machine: "local", "tpm0", "00.0035" */
	char model[64];
	enum device_state state;
	bool faulty;			/* .why says of what; an online one is chosen all the same, and refuses */
	unsigned roles;			/* of enum role: the backend's, or fewer where probe says so */
	char why[160];			/* if not online what to do about it, else what protects its keys */
	char *details;			/* more for a person, malloc'd: "name: value" lines; NULL: none */
	bool inside;			/* a part of the last device before it that is no part: a domain of a card */
	const struct env *env;
	struct secret *session;		/* the body's own, empty at first, kept from call to call, wiped with the device */
	struct device *next;
};

enum verdict { VERDICT_OK, VERDICT_ABSENT, VERDICT_WARNING, VERDICT_BAD };

struct examination {			/* doctor's ear: every call is a line for a person */
	int (*tell)(struct examination *, enum verdict, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
};

struct notice {			/* what an event means */
	char id[64];		/* of which device */
	char what[32];		/* "add", "online=0", ... */
};

struct backend {
	const char *name;		/* also of its shared object */
	const char *summary;
	unsigned roles;			/* of enum role: what its devices can at most; 0: can only be listed, has no body */
	const char *const *key_types;	/* for generate --type, lower case, NULL-terminated, strongest first */
	bool measures;			/* binds to a state: takes wrap_params.tpm, others .wrapping_key and .policy */
	const struct backend_ops *ops;	/* the body that is linked with it; NULL: NAME.so has it */
	/* Appends what is on this machine to *list. -ENODEV: nothing. Cheap, opens no key, asks nothing. */
	int (*probe)(const struct env *, struct device **list, struct err *e);
	/*
	 * What was looked for, what was found, what is missing and what to do, on a machine without it as well. May ask
	 * devices. NULL: there is no more to say than probe does.
	 */
	int (*examine)(const struct env *, struct examination *);
	/* Kernel subsystems whose events say that probe may tell something else now, NULL-terminated; NULL: none. */
	const char *const *subsystems;
	/*
	 * Of a backend whose probe takes long, or whose devices may change and change back: what an event means, and the
	 * device as it is now is appended to *list unless it is gone. 1; 0: nothing.
	 */
	int (*notice)(const struct env *, const struct event *, struct notice *ret, struct device **list, struct err *e);
};

/* --- ROLE_KEY ------------------------------------------------------------------------------------------------ */

/* Under what a secret is put, and what must hold to open it. All zero: the trust source's own key, always. */
struct wrap_params {
	const char *wrapping_key;	/* label of one that genkey made; NULL: the trust source's current own one */
	uint32_t policy;		/* see token_policy_is_valid() */
	const struct blob *like;	/* instead of all else: as this key token, so that nothing weaker stands for it */
	const struct tpm_params *tpm;	/* for a TPM: which state it must be in; NULL: any */
};

struct tpm_params {			/* all zero: the TPM alone; texts as in lib/tpm-policy.h */
	const char *pcrs;		/* with the values that they have now */
	const char *pcr_values;		/* or will have: text of a file, each branch one that opens */
	const struct blob *public_key;	/* PEM: what its owner signs opens, too */
	const char *signed_pcrs;	/* which PCRs that is about */
	const struct secret *pin;	/* new one */
	const struct blob *device_key;	/* TPM2B_PUBLIC or PEM of another machine's storage root key */
	bool allow_clear_bus;		/* also where the TPM cannot encrypt what goes over the bus */
	bool allow_weak;		/* also PCRs that firmware does not extend, and SHA-1 */
};

struct key_params {
	const char *type;		/* lower case, as in key_types; NULL: the backend's first */
	unsigned bits;			/* of one clear key: 128, 192, 256; 0: 256 */
	bool xts;			/* two keys of that size */
	struct wrap_params wrap;
};

/* How many bits one clear key of PARAMS has. TYPE: the only one that the backend makes. CLEAR_LEN 0: it is to be made. */
int key_params_bits(const struct key_params *, const char *type, size_t clear_len, unsigned *ret, struct err *e);

enum rewrap_flags {
	REWRAP_TO_NEW = 1 << 0,		/* under a wrapping key made for it */
};

struct key_state {			/* verify: the token opens here, and under what */
	char under[320];		/* for a person: "wrapping key 1a2b... (current)" */
	bool current;			/* false: rewrap would move it */
	bool chosen;			/* under one that genkey made: leaves it only for one that is named */
};

enum key_form {				/* how another program takes a key of a TPM */
	KEY_TSS2,			/* "-----BEGIN TSS2 PRIVATE KEY-----" */
	KEY_KERNEL,			/* hex digits, as the kernel's trusted keys are loaded */
};

struct key_ops {			/* generate and verify are there always, the others may be NULL: "cannot" */
	int (*generate)(const struct device *, const struct key_params *, struct blob *ret_token, struct err *e);
	int (*wrap)(const struct device *, const struct key_params *, const struct secret *clear, struct blob *ret_token,
		    struct err *e);
	/*
	 * The same effective key under what PARAMS choose; all zero: the same policy, under the current (or a new) wrapping
	 * key, in the TPM's present state. Several tokens share one new wrapping key. What .tpm leaves out stays: the PCRs
	 * (in their present state, beside what .pcr_values say), who signs, the PIN.
	 */
	int (*rewrap)(const struct device *, unsigned flags, const struct wrap_params *, const struct blob *tokens,
		      size_t n, struct blob *ret_tokens, struct err *e);
	int (*verify)(const struct device *, const struct blob *token, struct key_state *ret, struct err *e);
	int (*unwrap)(const struct device *, const struct blob *token, struct secret *ret_clear, struct err *e);
	/* 64 lower-case hex digits and a NUL: zkey's verification pattern of the effective key. */
	int (*pattern)(const struct device *, const struct blob *token, char ret[65], struct err *e);
	/* The key that another program sealed: see key_is_foreign(). What must hold to open it stays as it was. */
	int (*import)(const struct device *, const struct key_params *, const struct blob *foreign, struct blob *ret_token,
		      struct err *e);
	/* Sealed anew, for another program. */
	int (*export_)(const struct device *, const struct blob *token, enum key_form, struct blob *ret, struct err *e);
};

/* --- ROLE_SEAL ----------------------------------------------------------------------------------------------- */

enum { SEAL_SECRET_MAX = 1024 };	/* bytes */

struct seal_ops {
	/* BINDING is authenticated, not stored: unseal fails with EBADMSG unless it is given the same bytes. */
	int (*seal)(const struct device *, const struct wrap_params *, const struct secret *, const struct blob *binding,
		    struct blob *ret, struct err *e);
	int (*unseal)(const struct device *, const struct blob *sealed, const struct blob *binding, struct secret *ret,
		      struct err *e);
	/*
	 * What must hold to open SEALED, or a key token, and whether it does: one VERDICT_BAD line for each thing that does
	 * not, with what it is now and what to do. Asks for nothing, changes nothing. NULL: there is nothing to say.
	 */
	int (*explain)(const struct device *, const struct blob *sealed, struct examination *, struct err *e);
	/* What another program sealed, as it wrote it down: see lib/tpm-foreign.h. NULL: others write nothing of it. */
	int (*unseal_foreign)(const struct device *, const struct blob *, struct secret *ret, struct err *e);
	/* Whether SEALED, or a key token, was made for this device, open or not. NULL: only opening it tells. */
	bool (*owns)(const struct device *, const struct blob *sealed);
};

/* --- ROLE_STORE ---------------------------------------------------------------------------------------------- */

enum consumer { CONSUMER_FIRMWARE = 1, CONSUMER_BOOTLOADER = 2, CONSUMER_OS = 3 };

enum { LABEL_MAX = 239, OBJECT_OVERHEAD = 64 };	/* bytes; overhead is what accounting adds per object */

/* PowerVM's bits (IBM numbering: bit n is 0x80000000 >> n). */
enum policy {
	POLICY_OSSECBOOTAUDIT = 0x40000000, POLICY_OSSECBOOTENFORCE = 0x20000000, POLICY_PWSET = 0x10000000,
	POLICY_WORLDREADABLE = 0x08000000, POLICY_IMMUTABLE = 0x04000000, POLICY_TRANSIENT = 0x02000000,
	POLICY_SIGNEDUPDATE = 0x01000000, POLICY_WRAPPINGKEY = 0x00800000, POLICY_HVPROVISIONED = 0x00000008,
};

struct object_name {
	enum consumer consumer;
	const unsigned char *label;	/* any bytes */
	size_t len;			/* 1 to LABEL_MAX */
};

enum wrapping_state {			/* of an object that is a wrapping key */
	WRAPPING_NONE,			/* it is none */
	WRAPPING_CURRENT, WRAPPING_OLD,	/* of the keystore itself */
	WRAPPING_ACTIVE,		/* made by genkey */
	WRAPPING_REVOKED,		/* opens and wraps nothing */
};

struct object {				/* what list shows of one */
	enum consumer consumer;
	unsigned char label[LABEL_MAX];
	size_t label_len;
	uint32_t policy;
	size_t size;			/* of the data; 0 for a wrapping key, which is never readable */
	uint64_t generation;		/* of the store when it was written */
	enum wrapping_state wrapping;
	unsigned char wrapping_id[16];	/* as in tokens that are under it */
};

struct store_info {
	char uuid[37];
	uint64_t generation;
	size_t total, used;		/* bytes, overhead counted; total 0: disabled */
	size_t max, pending;		/* total can be this; it will be this after the next boot, 0: no change */
	size_t objects;
	uint64_t unconfirmed;		/* generation that may not be on disk yet; 0: all is */
	char protection[128];		/* what the weakest root-key slot gives, for a person */
	char slots[128];		/* names of the root-key slots, joined by '\n' */
	char passwords[32];		/* consumers that have set one in this boot, joined by '\n' */
	char locked[32];		/* those whose objects are closed until the next boot */
	bool exposed;			/* other users can read its clear root key */
	char rollback[64];		/* what stops who puts back an older state, for a person; empty: nothing */
	char damaged[160];		/* names of files that are damaged, joined by '\n'; empty: none */
	char health[160];		/* "healthy", "degraded: " and why, or why it cannot be used like any other */
};

/* The steps of PowerVM's start of a keystore, in its order. */
enum {
	CHECK_ANCHOR, CHECK_SLOTS, CHECK_TRUST, CHECK_COPIES, CHECK_FILES, CHECK_CONTENTS, CHECK_READY, CHECK_FLUSH,
	CHECK_BACKUP, CHECK_STEPS
};

enum check_result {			/* the worse the higher */
	CHECK_SKIPPED, CHECK_OK,
	CHECK_DONE, CHECK_REPAIRED,	/* it was due, or wrong, and is right now */
	CHECK_DUE,			/* what the first use of a boot does by itself has not been done yet */
	CHECK_DEGRADED,			/* a copy less: the store works */
	CHECK_FAILED,
};

struct check_step {
	enum check_result result;
	char detail[256];		/* for a person */
};

enum check_flags {
	CHECK_REPAIR = 1 << 0,
	CHECK_HEAL_FOREIGN = 1 << 1,	/* also overwrite a copy of the root key that is of another one */
	CHECK_REANCHOR = 1 << 2,	/* first: what is here counts, whatever the counter against rollback says */
};

enum write_flags {
	WRITE_REPLACE = 1 << 0,
	WRITE_NO_WAIT = 1 << 1,		/* not durable on return: confirm waits for that. Also for remove */
	REMOVE_WRAPPING_KEY = 1 << 2,	/* for remove: also one that is revoked, and with it all that is under it */
};

enum erase_flags {
	ERASE_CHECK = 1 << 0,		/* only whether it would be refused, and what is there */
	ERASE_AT_ONCE = 1 << 1,		/* the data need no boot after that in which the root key went */
	ERASE_OTHERS = 1 << 2,		/* with objects of other partitions */
};

struct store_erased {
	char id[37];			/* the system's, which who wants this types; empty: nothing tells it */
	bool begun;			/* before this call */
	bool done;			/* nothing is left, or would be; false: the data wait for another boot */
	char anchor[1025];		/* path of what its root key needs beside its disk, which goes, too; empty: none */
	bool left;			/* the anchor could not be reached */
};

struct backup_info {		/* what a backup says of itself */
	char uuid[37];			/* of the partition */
	char slot[16];			/* what opens it where the keystore is lost: name of a root-key slot's type */
	uint64_t generation, time;	/* time: seconds since 1970 */
	char doubt[512];		/* of a look: what keeps it from being known as genuine; empty: it is */
};

struct needed {				/* a key outside the store that only a wrapping key in it opens */
	const char *key;		/* for a person */
	unsigned char partition[16], wrapping_key[16];
};

enum restore_flags {
	RESTORE_ROLLBACK = 1 << 0,	/* also an older generation, and what changes immutable objects */
	RESTORE_LOSE_KEYS = 1 << 1,	/* also without wrapping keys that are here, or needed */
	RESTORE_ROOT = 1 << 2,		/* only the way to open the keystore, where that is lost */
};

struct restore {
	unsigned flags;
	const struct secret *given;	/* what opens it; NULL: asked for, where it is needed */
	const struct needed *needed;
	size_t n_needed;
};

struct store_ops {
	int (*read)(const struct device *, const struct object_name *, struct secret *ret, struct err *e);
	/* EEXIST if there is one, unless replaced. POLICY 0 of one that is replaced: as it was. Durable on return. */
	int (*write)(const struct device *, const struct object_name *, uint32_t policy, unsigned flags,
		     const struct secret *, struct err *e);
	/* EKEYREVOKED: a wrapping key that can be removed, but was not meant. */
	int (*remove)(const struct device *, const struct object_name *, unsigned flags, struct err *e);
	/*
	 * Waits until what was last done with an object is on disk. ENOENT if there is none; REMOVED: EEXIST if there is
	 * one. NULL: it cannot tell.
	 */
	int (*confirm)(const struct device *, const struct object_name *, bool removed, struct err *e);
	/* *ret is malloc'd, sorted by consumer and label. */
	int (*list)(const struct device *, struct object **ret, size_t *ret_n, struct err *e);
	int (*info)(const struct device *, struct store_info *ret, struct err *e);
	/*
	 * One more way to open the store ("plain"; "passphrase", "tsk", which are GIVEN: EINVAL if it cannot be one;
	 * "anchor", whose path, NUL and all, is; "tpm2", under WRAP, NULL: the TPM alone).
	 * REPLACE false: EEXIST if there is one of that name. The last way that opens it is never removed: EBUSY. NULL
	 * where the store has no such choice.
	 */
	int (*slot_add)(const struct device *, const char *slot, const struct secret *given, const struct wrap_params *wrap,
			bool replace, struct err *e);
	int (*slot_remove)(const struct device *, const char *slot, struct err *e);
	/*
	 * A counter in a TPM that moves with each change, so that an older state of the store is refused: EBADMSG. EEXIST,
	 * ENOENT: it is so already. NULL: the store is safe from that, or cannot be.
	 */
	int (*counter)(const struct device *, bool on, struct err *e);
	/*
	 * The id of the trusted system key whose slot the store has: ENOENT without one. GIVEN, if not NULL: EACCES unless
	 * it is that key. NULL where there is none ever.
	 */
	int (*tsk)(const struct device *, const struct secret *given, char ret_id[33], struct err *e);
	/*
	 * What the start of a boot does; RET gets what was found, also on error. EBADMSG: a step failed; other errors, and
	 * what cannot be opened: steps behind it are skipped. NULL: there is nothing to check.
	 */
	int (*check)(const struct device *, unsigned flags, struct check_step ret[CHECK_STEPS], struct err *e);
	/* POWER11: lets it be larger from now on. SIZE, if not NULL: its new total, 0 disables; see store_info.pending. */
	int (*resize)(const struct device *, bool power11, const size_t *size, struct err *e);
	/*
	 * Makes another store beside this one, NAME, of the default size if SIZE is NULL: EEXIST; ENOSPC: too much with
	 * the others. NULL: there is only one.
	 */
	int (*create)(const struct device *, const char *name, bool power11, const size_t *size, struct err *e);
	/* Removes one that was made so and is disabled: EBUSY. */
	int (*destroy)(const struct device *, struct err *e);
	/*
	 * Sets a consumer's password, once in a boot (EEXIST): CHOSEN, or if NULL a random one, which RET_GENERATED gets
	 * and the user keyring keeps.
	 */
	int (*password)(const struct device *, enum consumer, const struct secret *chosen, struct secret *ret_generated,
			struct err *e);
	/* Closes a consumer's objects until the next boot. */
	int (*lock)(const struct device *, enum consumer, struct err *e);
	/*
	 * Makes a wrapping key, 32 random bytes that never leave the store. One of that POLICY that is there already will
	 * do, with a note; else EEXIST. NULL: the store wraps nothing, and nor can it revoke.
	 */
	int (*genkey)(const struct device *, const struct object_name *, uint32_t policy, struct err *e);
	/* REVOKED: the wrapping key opens and wraps nothing from now on, until it is called again to undo that. */
	int (*revoke)(const struct device *, const struct object_name *, bool revoked, struct err *e);
	/*
	 * Destroys the whole store: first what opens it, then, in a later boot, what is left of the data. Whatever stops
	 * it, it goes on when called again, and meanwhile the store does not open: EINPROGRESS. EBUSY if other
	 * partitions hold objects. RET comes from a call with ERASE_CHECK: EBUSY if it is another store by now.
	 */
	int (*erase)(const struct device *, unsigned flags, struct store_erased *ret, struct err *e);
	/* All but the transient objects, to be opened with PASSPHRASE or, if NULL, the trusted system key. */
	int (*backup)(const struct device *, const struct secret *passphrase, struct blob *ret,
		      struct backup_info *ret_info, struct err *e);
	/*
	 * What it is. EBADMSG: damaged. Genuine is what GIVEN opens (EACCES), or if that is NULL what is of this keystore
	 * under its present root key and trusted system key.
	 */
	int (*backup_look)(const struct device *, const struct blob *backup, const struct secret *given,
			   struct backup_info *ret, struct err *e);
	/*
	 * Puts it back; makes the keystore where there is none. EBADMSG: damaged, of another keystore, or older than what
	 * is here; EPERM: a policy or lock forbids it; EBUSY: a wrapping key would be lost; ENOTEMPTY: transient objects
	 * are in the way. On error what was here stays. RET_INFO may be NULL.
	 */
	int (*restore)(const struct device *, const struct blob *backup, const struct restore *,
		       struct backup_info *ret_info, struct err *e);
	/*
	 * What import() gives another store, under the trusted system key (NULL: asked for). From then on the store takes
	 * no changes; *ret_begun: only since this call. ENOENT: it has no such key; EACCES: it is another one.
	 */
	int (*export_)(const struct device *, const struct secret *tsk, struct blob *ret, bool *ret_begun, struct err *e);
	int (*export_cancel)(const struct device *, struct err *e);	/* ENOENT: it was not exported */
	/* The objects go, once RECEIPT proves that they are elsewhere: EACCES. CHECK: only whether they would. */
	int (*export_finish)(const struct device *, const char *receipt, bool check, struct err *e);
	/*
	 * Into a store without objects: ENOTEMPTY. The same again does nothing. ENOENT: there is none, or it has no trusted
	 * system key; EACCES: it has another one.
	 */
	int (*import)(const struct device *, const struct blob *, const struct secret *tsk, char ret_receipt[33],
		      struct err *e);
};

/* --- counters ------------------------------------------------------------------------------------------------- */

/* Numbers that only grow, whatever is done to the disk. AUTH, CRYPTO_KEY secret bytes, is who made it. */
struct counter_ops {
	/* HANDLE tells it from others of this device. ENOSPC: the device has no room for one more. */
	int (*create)(const struct device *, const struct secret *auth, uint32_t *ret_handle, uint64_t *ret, struct err *e);
	/* ENOENT: it is not there; EACCES: it is another one's. */
	int (*read)(const struct device *, uint32_t handle, const struct secret *auth, uint64_t *ret, struct err *e);
	int (*increment)(const struct device *, uint32_t handle, const struct secret *auth, uint64_t *ret, struct err *e);
	int (*remove)(const struct device *, uint32_t handle, struct err *e);
};

/* ------------------------------------------------------------------------------------------------------------- */

struct backend_ops {			/* the face's .ops, or symbol hwkey_module of NAME.so */
	const struct key_ops *key;
	const struct seal_ops *seal;
	const struct store_ops *store;
	const struct counter_ops *counter;	/* NULL: it has none */
	/* Makes a TPM's storage root key persistent: EEXIST if it is. NULL: there is no such key. */
	int (*make_srk)(const struct device *, struct err *e);
};

extern const struct backend *const backends[];	/* backends/registry.c; NULL-terminated, in order of preference */

const struct backend *backend_find(const char *name);	/* NULL: no such backend */

/* Appends. Who adds many gives the place of the last one's .next: appending looks for the end of the list. */
int device_add(struct device **list, const struct backend *, const struct env *, const char *id, const char *model,
	       enum device_state, const char *why, struct err *e);
/* Adds a line to the details of the last device of LIST. */
int device_detail(struct device *list, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/*
 * ALL false: only of backends that can do something; the others are not even looked for.
 * A backend whose probe fails is one offline device that says why: the others are not its victims.
 */
int device_enumerate(const struct env *, bool all, struct device **ret, struct err *e);
/* The devices of one backend: what opens a token that names it. ENODEV without one. */
int device_enumerate_backend(const struct env *, const char *name, struct device **ret, struct err *e);
void device_free_list(struct device *);

/* The device called ID (or BACKEND:ID); without ID the first one online that plays ROLE. *ret stays LIST's. */
int device_select(struct device *list, enum role, const char *id, struct device **ret, struct err *e);
/*
 * The device of the backend called NAME, as a token or a sealed file does, that TOKEN was made for, else, or without TOKEN,
 * the first one online.
 */
int device_of_backend(struct device *list, const char *name, const struct blob *token, struct device **ret,
		      struct err *e);
/* The device that opens the key token TOKEN, and its operations. */
int device_of_key(struct device *list, const struct blob *token, struct device **ret, const struct key_ops **ret_ops,
		  struct err *e);

/* For one trust source that needs another: device_of_backend() and its body. *ret_list is the caller's to free. */
int backend_source(const struct env *, const char *name, const struct blob *token, struct device **ret_list,
		   struct device **ret, const struct backend_ops **ret_ops, struct err *e);

/* The body of DEV's backend, loaded if need be; *ret lives until the process ends. */
int backend_ops(const struct device *, const struct backend_ops **ret, struct err *e);

#endif
