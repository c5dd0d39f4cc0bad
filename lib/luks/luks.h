/* SPDX-License-Identifier: MIT */
/*
 * LUKS2 volumes whose keyslots a key of the repository opens: the table of module "luks", which links libcryptsetup.
 *
 * The passphrase of a keyslot is the base64 of the unwrapped key, without a newline. The slot's token (luks-token.h)
 * carries it sealed by the key's backend and bound to this volume's header; whoever can unseal can open.
 * Every change is ordered so that a volume which could be opened before it can be opened at each moment of it. While a
 * volume is re-encrypted, what would change or open it gives EINPROGRESS.
 */
#ifndef HWKEY_LUKS_H
#define HWKEY_LUKS_H

#include <stdbool.h>
#include <stdint.h>

struct blob;
struct device;
struct env;
struct err;
struct luks;		/* an open volume */
struct seal_ops;
struct secret;
struct wrap_params;

struct luks_place {
	const char *volume;		/* block device or image file */
	const char *header;		/* NULL: on the volume */
};

/* Who unseals: looked up by the caller, because the module knows no backend. */
struct luks_source {
	/* EOPNOTSUPP: no such backend; ENODEV: its device is not here. */
	int (*find)(const struct luks_source *, const char *backend, const struct blob *sealed,
		    const struct device **ret_dev, const struct seal_ops **ret, struct err *e);
	struct device *devices;
	const struct env *env;
};

struct luks_key {			/* of the repository, unwrapped */
	const char *name;
	const char *backend;
	const struct device *device;
	const struct seal_ops *seal;
	const struct secret *clear;
	const struct blob *token;	/* of the repository: what seals the passphrase is no weaker ... */
	const struct wrap_params *wrap;	/* ... unless this says how, or what is new in it; NULL: as TOKEN */
	const char *pattern;		/* 64 hex digits; NULL: none */
	const char *former;		/* slots under this name with PATTERN are this key's, too; NULL: none */
};

/* What opens the volume to change it: PASSPHRASE, else a token, else what env->ask("hwkey.luks-passphrase") gives. */
struct luks_auth {
	const struct luks_source *source;
	const struct secret *passphrase;	/* NULL: not given */
	bool ask;				/* without trying tokens */
	const struct luks_key *key;		/* when tokens are dead: opens by itself; NULL: none */
	uint32_t key_slots;			/* that are perhaps KEY's: tried before any token is */
	const char *only;			/* test: only the slots of that key; NULL: all */
};

struct luks_format {
	const char *label;
	const char *cipher;		/* NULL: aes-xts-plain64 */
	uint32_t sector_size;		/* 0: what suits the device */
	uint64_t size;			/* bytes of an image to create; 0: VOLUME is there */
	bool wipe;			/* whatever is on it */
};

enum { LUKS_TEXT = 256 };

/* One line of status, test and repair: a keyslot, or a token without one. Strings live during the call only. */
struct luks_row {
	int slot, token;		/* -1: none */
	const char *type;		/* of the token; "passphrase" for a slot without one */
	const char *name, *backend, *pattern, *created;	/* NULL: none */
	const struct blob *blob;	/* the sealed passphrase; NULL: none */
	char needs[512];		/* of a TPM's token: what must hold to open it, for a person; empty: not known */
	const char *state;		/* "ok", "pending", "removing", "dead", "invalid", "unbound" */
	const char *priority, *kdf;	/* NULL without a slot */
	int result;			/* test: 0 or -errno */
	const char *what;		/* test, repair: for a person */
};

struct luks_see {
	int (*row)(void *ctx, const struct luks_row *, struct err *e);
	void *ctx;
};

struct luks_info { char uuid[37], label[49], cipher[64], pattern[65]; };	/* pattern empty: none */

enum luks_activate { LUKS_READONLY = 1 << 0 };

struct luks_remove {			/* one of: */
	const char *name;		/* all slots and tokens of that key: ENOTEMPTY if that are two keys' ... */
	const char *pattern;		/* ... but not of another key of that name; NULL: not known */
	int slot;			/* -1: not this */
	bool recovery;			/* all recovery keys ... */
	int recovery_keep;		/* ... but this slot; -1: none */
	bool force_last;		/* the last way in, too */
	bool check;			/* only whether it would be refused */
};

struct luks_erased {			/* what is there to erase, or was */
	char uuid[37];			/* empty: the header is damaged, and does not tell */
	unsigned slots, tokens, recovery;	/* keyslots; tokens in all, and those of recovery keys */
	uint64_t bytes;			/* of headers and keyslots */
};

struct luks_module {
	/* What is on VOLUME, as in "ext4 file system"; empty: nothing known. ENOENT without a message: no such file. */
	int (*found)(const char *volume, char ret[LUKS_TEXT], struct err *e);

	/* What format would refuse before it looks at the volume's contents: for who would have to ask for the key. */
	int (*format_check)(const struct luks_place *, const struct luks_format *, struct err *e);
	/*
	 * Unless WIPE, ENOTEMPTY when something is there. ENOENT: no volume, and no SIZE to make one; EEXIST: there is one
	 * already. The volume is open for more on return.
	 */
	int (*format)(const struct luks_place *, const struct luks_format *, const struct luks_key *, struct luks **ret,
		      struct err *e);
	/* LUKS1 and what is no LUKS: EOPNOTSUPP. A damaged header: EBADMSG. */
	int (*open)(const struct luks_place *, struct luks **ret, struct err *e);
	void (*free)(struct luks *);	/* accepts NULL */
	void (*info)(struct luks *, struct luks_info *ret);

	/* A slot for KEY; a slot of the same name, or of REPLACE, is removed when the new one is proven. */
	int (*enroll)(struct luks *, const struct luks_auth *, const struct luks_key *, const char *replace, struct err *e);
	/* EBUSY if nothing would open the volume any more. ENOENT: nothing to remove. */
	int (*unenroll)(struct luks *, const struct luks_source *, const struct luks_remove *, struct err *e);
	/*
	 * A keyslot for a new recovery key, which the caller gives to its user and then says so. Until then it is pending,
	 * and goes when it is said that it was not GIVEN, or by whatever mends what was interrupted.
	 */
	int (*recovery)(struct luks *, const struct luks_auth *, struct secret *ret, int *ret_slot, struct err *e);
	int (*recovery_end)(struct luks *, bool given, struct err *e);

	int (*status)(struct luks *, const struct luks_see *, struct err *e);
	/*
	 * Finishes or undoes what was interrupted; a row for each thing done, or left. Nothing to do: no row, no write.
	 * An error, after all that could be done, if something interrupted was left, or if something could not be read.
	 */
	int (*repair)(struct luks *, const struct luks_source *, const struct luks_see *, struct err *e);
	/* Tries each token, and AUTH's passphrase if given. EACCES if nothing opens it. */
	int (*test)(struct luks *, const struct luks_auth *, const struct luks_see *, struct err *e);
	/* NAME NULL: only proves that it opens. KEY NULL: by AUTH. ENODEV: no device mapper here. */
	int (*activate)(struct luks *, const struct luks_auth *, const struct luks_key *, const char *name, unsigned flags,
			struct err *e);

	/*
	 * Destroys what opens a volume that is not in use (else EBUSY): its keyslots, then both headers, and reads whether
	 * they are gone. A damaged header is erased as well; one that was cut short is continued. CHECK: only whether it
	 * would be refused.
	 */
	int (*erase)(const struct luks_place *, const struct env *, bool check, struct luks_erased *ret, struct err *e);

	/* Where this libcryptsetup looks for token plug-ins; NULL: nowhere. */
	const char *(*plugin_dir)(void);

	/* zkey's token of the verification pattern, replaced in place. */
	int (*set_pattern)(struct luks *, const char *pattern, struct err *e);
};

extern const struct luks_module luks_module;	/* the table, for whoever is linked to it */

#endif
