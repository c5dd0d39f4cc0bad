/* SPDX-License-Identifier: MIT */
/* What the pks-* commands share: which store, which object, how both are shown. */
#ifndef HWKEY_CMD_PKS_H
#define HWKEY_CMD_PKS_H

#include "cmd.h"
#include "lib/pks-policy.h"

enum { PKS_DATA_MAX = 131072 };		/* bytes: the largest partition there is */
enum { PKS_BACKUP_MAX = 1 << 18 };	/* bytes: it, and what is around it in a backup */

/* What says which object, in each command's options as .from. */
struct pks_options { char *store, *consumer, *password_file; bool label_hex; };

#define PKS_OPT_STORE(s, m) \
	OPT_STR(s, m, "store", 0, "STORE", "Use this keystore, not local", .complete = COMPLETE_STORE)
#define PKS_OPT_CONSUMER(s, m) \
	OPT_STR(s, m, "consumer", 0, "CONSUMER", "Whose it is: firmware, bootloader, os (default)", \
		.choices = pks_consumers)
#define PKS_OPT_PASSWORD(s, m) \
	OPT_STR(s, m, "password-file", 0, "FILE", "The consumer's password ('-': standard input)", \
		.complete = COMPLETE_FILE)
#define PKS_OPTS_OBJECT(s) \
	PKS_OPT_STORE(s, from.store), \
	PKS_OPT_CONSUMER(s, from.consumer), \
	PKS_OPT_PASSWORD(s, from.password_file), \
	OPT_FLAG(s, from.label_hex, "label-hex", 0, "LABEL is in hexadecimal")

/* All devices, each keystore among them. */
int pks_enumerate(struct hwkey *, struct err *e);
/* STORE NULL: the first one. What it gives lives as long as hw->devices. */
int pks_open(struct hwkey *, const char *store, struct device **ret, const struct store_ops **ret_ops, struct err *e);

struct pks_object {			/* and the keystore that it is in, or will be */
	struct device *dev;
	const struct store_ops *ops;
	struct object_name name;	/* into BYTES */
	unsigned char bytes[LABEL_MAX];
	char text[4 * LABEL_MAX + 1];	/* for a person */
	struct hwkey *hw;		/* whose env knows PASSWORD */
	struct secret password;
};

#define AUTO_PKS_OBJECT AUTO(pks_object_done)

/* RET must be all zero, and not move afterwards. */
int pks_open_object(struct hwkey *, const struct pks_options *, const char *label, struct pks_object *ret, struct err *e);
void pks_object_done(struct pks_object *);
/* The object as the keystore lists it. ENOENT. */
int pks_find_object(const struct pks_object *, struct object *ret, struct err *e);
/* Prefixes E by the object it is about. */
int pks_failed(const struct pks_object *, struct err *e);
/* Bytes that are not printable ASCII, and the backslash, as \xNN. RET has 4 * LEN + 1 bytes. */
void pks_label_format(const unsigned char *label, size_t len, char *ret);

/* One newline at the end of a file is the editor's. */
int pks_read_password(const char *file, struct secret *ret, struct err *e);
/* From FILE, or if NULL as ask_new_secret() gets it: something that can be typed. */
int pks_new_passphrase(struct hwkey *, const char *file, const char *credential, const char *prompt, struct secret *ret,
		       struct err *e);
enum { PKS_TSK_FILE_MAX = 4096 };	/* bytes: what a file of a trusted system key surely is not longer than */
#define PKS_OPT_TSK(s, m) \
	OPT_STR(s, m, "tsk-file", 0, "FILE", "The trusted system key ('-': standard input)", .complete = COMPLETE_FILE)

/* Reads it, if FILE is given, and lets the keystore know it: it must stay until hw->env.pks_password is NULL again. */
int pks_give_password(struct hwkey *, const char *file, struct secret *password, struct err *e);
/* NAME,NAME,...; NULL: none. */
int pks_policy_parse(const char *list, uint32_t *ret, struct err *e);

/* --wrapping-key and --policy of what is wrapped. EINVAL. */
int pks_wrap_params(const char *wrapping_key, const char *policy, struct wrap_params *ret, struct err *e);

/* The store itself as one record. */
int pks_show_info(struct hwkey *, const struct device *, const struct store_ops *, struct err *e);

#endif
