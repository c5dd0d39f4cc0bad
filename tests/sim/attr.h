/* SPDX-License-Identifier: MIT */
/*
 * The AP bus in sysfs, as the kernel shows the cards of a struct sim: text of attributes, and what writing to one does.
 * A device is named as its directory: "" the bus itself, "card00" a card, "00.0011" a queue.
 *
 * One attribute is not the kernel's: `sim`, write only, where a test does what else an administrator's workstation, the
 * hardware console or bad luck do:
 *	card	config 0|1, checkstop 0|1
 *	queue	the same, and
 *		new HEX | new-part HEX | commit | clear | activate	the NEW master-key register; activate: to CUR
 *		fail AFTER ERRNO [COUNT]				COUNT requests fail, after AFTER that do not
 */
#ifndef HWKEY_SIM_ATTR_H
#define HWKEY_SIM_ATTR_H

#include <stdio.h>

struct sim;

/* The whole text goes to F. ENODEV, ENOENT: no such device, no such attribute; EACCES: not readable. */
int sim_attr_show(struct sim *, const char *device, const char *name, FILE *f);
/* TEXT with or without a newline at its end. EINVAL as the kernel has it; EACCES: not writable. 1: the state has changed.
 */
int sim_attr_store(struct sim *, const char *device, const char *name, const char *text);

/*
 * What /dev/z90crypt says of each card (ZCRYPT_STATUS_MASK): 0 when it has no queue in the default domain, 0d offline,
 * 07 CCA, 0a to 0c others.
 */
void sim_status_mask(struct sim *, unsigned char ret[256]);

/*
 * All that is needed to make the device: lines of
 *	name NAME | parent NAME | driver NAME | env NAME=VALUE | attr MODE NAME
 */
int sim_device_describe(struct sim *, const char *device, FILE *f);

#endif
