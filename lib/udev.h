/* SPDX-License-Identifier: MIT */
/* What the kernel tells of devices as it happens, its uevents: the table of module "udev", which links libudev. */
#ifndef HWKEY_UDEV_H
#define HWKEY_UDEV_H

#include <stdbool.h>

struct err;
struct monitor;

struct event {				/* its strings live until the next one */
	const char *action;		/* "add", "remove", "change", "bind", "unbind", ... */
	const char *subsystem, *name;	/* "ap", "00.0011" */
	const char *(*property)(const struct event *, const char *name);	/* NULL: it has none of that name */
	void *device;
};

struct udev_module {
	/*
	 * Listens for events of these subsystems. AFTER_UDEVD: to what udevd passes on when its rules are done, so that
	 * nodes have their permissions; it tells nothing where no udevd runs. Else to the kernel.
	 */
	int (*open)(struct monitor **ret, const char *const *subsystems, bool after_udevd, struct err *e);
	int (*fd)(const struct monitor *);	/* to be polled */
	/* 1: RET is the next event; 0: there is none now; -ENOBUFS, without a message: some were lost. */
	int (*next)(struct monitor *, struct event *ret, struct err *e);
	void (*free)(struct monitor *);		/* accepts NULL */
};

#endif
