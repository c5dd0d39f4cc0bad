/* SPDX-License-Identifier: MIT */
/* What list-devices' ways to show share: the table of all trust sources, that of Crypto Express, lszcrypt's own text. */
#ifndef HWKEY_CMD_LIST_DEVICES_H
#define HWKEY_CMD_LIST_DEVICES_H

#include "cmd.h"

struct list_options {
	bool tree, mkvp, lszcrypt, bus, domains, serial;
	bool ccaonly, ep11only, accelonly, cardonly, queueonly;
	char *capability;
	bool watch;
	char *interval;
};

/* The filters, as bits of enum ap_read. EINVAL: two that exclude each other. */
int list_filters(const struct list_options *, unsigned *ret, struct err *e);

bool device_is_asked(const struct device *, const struct args *ids);	/* no id: all are */
const char *device_state_name(const struct device *);			/* "online", "offline", "error" */

int list_watch(struct hwkey *, const struct list_options *, const struct args *, struct err *e);
int list_ap(struct hwkey *, const struct list_options *, const struct args *, struct err *e);
int list_lszcrypt(struct hwkey *, const struct list_options *, const struct args *, struct err *e);

#endif
