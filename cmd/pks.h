/* SPDX-License-Identifier: MIT */
/* What the pks-* commands share: which store, which object, how both are shown. */
#ifndef HWKEY_CMD_PKS_H
#define HWKEY_CMD_PKS_H

#include "cmd.h"

enum { PKS_DATA_MAX = 131072 };		/* bytes: the largest partition there is */

extern const char *const pks_stores[], *const pks_consumers[];

/* What says which object, in each command's options as .from. */
struct pks_options { char *store, *consumer; bool label_hex; };

#define PKS_OPT_STORE(s, m) \
	OPT_STR(s, m, "store", 0, "STORE", "Use this keystore: local (default)", .choices = pks_stores)
#define PKS_OPTS_OBJECT(s) \
	PKS_OPT_STORE(s, from.store), \
	OPT_STR(s, from.consumer, "consumer", 0, "CONSUMER", "Whose object it is: os (default)", \
		.choices = pks_consumers), \
	OPT_FLAG(s, from.label_hex, "label-hex", 0, "LABEL is in hexadecimal")

int pks_open(struct hwkey *, const char *store, struct device **ret, const struct store_ops **ret_ops, struct err *e);

struct pks_object {			/* and the keystore that it is in, or will be */
	struct device *dev;
	const struct store_ops *ops;
	struct object_name name;	/* into BYTES */
	unsigned char bytes[LABEL_MAX];
	char text[4 * LABEL_MAX + 1];	/* for a person */
};

/* RET must not move afterwards. */
int pks_open_object(struct hwkey *, const struct pks_options *, const char *label, struct pks_object *ret, struct err *e);
/* Prefixes E by the object it is about. */
int pks_failed(const struct pks_object *, struct err *e);
/* Bytes that are not printable ASCII, and the backslash, as \xNN. RET has 4 * LEN + 1 bytes. */
void pks_label_format(const unsigned char *label, size_t len, char *ret);

const char *pks_consumer_name(enum consumer);
/* Names joined by SEP; unknown bits in hex. */
void pks_policy_format(uint32_t policy, char sep, char *ret, size_t size);
/* NAME,NAME,...; NULL: none. */
int pks_policy_parse(const char *list, uint32_t *ret, struct err *e);

/* The store itself as one record. */
int pks_show_info(struct hwkey *, const struct device *, const struct store_ops *, struct err *e);

#endif
