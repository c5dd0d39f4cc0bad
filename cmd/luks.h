/* SPDX-License-Identifier: MIT */
/* What the commands for LUKS2 volumes share. */
#ifndef HWKEY_CMD_LUKS_H
#define HWKEY_CMD_LUKS_H

#include "cmd.h"
#include "lib/luks/luks.h"

struct wrap_given;
struct wrap_options;

/* A volume in use by a command: the module, who unseals, and what opens the volume. */
struct volume {
	const struct luks_module *ops;
	struct luks_source source;
	struct luks_auth auth;
	struct secret passphrase;
	struct luks *luks;		/* NULL until opened */
};

#define AUTO_VOLUME AUTO(volume_done)

/* KEY_FILE NULL: tokens, then a prompt; ASK: a prompt at once. RET must not move afterwards. */
int volume_prepare(struct hwkey *, const char *key_file, bool ask, struct volume *ret, struct err *e);
int volume_open(struct volume *, const char *path, const char *header, struct err *e);
void volume_done(struct volume *);

/* A key of the repository, unwrapped by its backend. */
struct volume_key {
	struct luks_key luks;
	struct entry entry;
	struct secret clear;
	struct wrap_params wrap;
	char pattern[65];
};

#define AUTO_VOLUME_KEY AUTO(volume_key_done)

/* The device and body of the backend that opens ENTRY's token. */
int volume_key_backend(struct hwkey *, const struct entry *, struct device **ret_dev, const struct backend_ops **ret,
		       struct err *e);
/* The verification pattern of ENTRY's token, empty if the backend has none; EBADMSG: it is not the one that ENTRY says. */
int volume_key_pattern(const struct device *, const struct key_ops *, const struct entry *, char ret[65], struct err *e);
int volume_key_load(struct hwkey *, const char *name, struct volume_key *ret, struct err *e);
/*
 * Its keyslots are sealed under what was GIVEN instead of the key's own policy. NEW: the policy stays, but for a
 * PIN that is new. KEY does not move afterwards.
 */
void volume_key_wrap(struct volume_key *key, const struct wrap_params *given, bool new);
/* The same from a command's options, which GIVEN keeps. EINVAL: they do not fit the key's trust source. */
int volume_key_must(struct hwkey *, struct volume_key *key, const struct wrap_options *, struct wrap_given *given,
		    struct err *e);
void volume_key_done(struct volume_key *);

/* Whether the volume opens by states of PCRs alone: no passphrase, no recovery key, nothing that another change spares. */
int volume_hangs_on_pcrs(struct volume *, bool *ret, struct err *e);
/* A note that says so, and what to do. */
void volume_advise(struct volume *, const char *path);

/*
 * To OUTPUT, or to standard output, terminals included: being read by a person is what it is for. On error no slot stays.
 */
int recovery_add_and_write(struct volume *, const char *output, int *ret_slot, struct err *e);

#define HEADER_OPT(s) \
	OPT_STR(s, header, "header", 0, "FILE", "The LUKS2 header is in FILE", .complete = COMPLETE_FILE)
#define KEY_FILE_OPT(s) \
	OPT_STR(s, key_file, "key-file", 0, "FILE", "Open the volume by the passphrase in FILE (-: standard input)", \
		.complete = COMPLETE_FILE)
#define ASK_OPT(s) \
	OPT_FLAG(s, ask, "ask", 0, "Ask for a passphrase of the volume without trying its tokens")

#endif
