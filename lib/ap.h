/* SPDX-License-Identifier: MIT */
/*
 * The AP bus of IBM Z: Crypto Express cards and their domains (queues), as sysfs shows them. One pass, card attributes
 * read once, nothing sent to a card unless AP_MKVPS asks for it.
 */
#ifndef HWKEY_AP_H
#define HWKEY_AP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys.h"

struct env;
struct err;

enum ap_mode { AP_MODE_UNKNOWN, AP_MODE_CCA, AP_MODE_ACCEL, AP_MODE_EP11 };

/* Bits of ap_functions of a card, from the left: FUNCTIONS' letters. 0xc000 of a queue: its secure-execution state. */
enum {
	AP_FUNC_RSA4K = 0x60000000, AP_FUNC_CCA = 0x10000000, AP_FUNC_ACCEL = 0x08000000, AP_FUNC_EP11 = 0x04000000,
	AP_FUNC_FILTER = 0x01000000, AP_FUNC_FULL = 0x00800000, AP_FUNC_RESTRICTED = 0x00400000,
};

enum { AP_IDS = 256, AP_NAME = 24 };	/* cards, and domains of a card; bytes of a name */
enum { MKVPS_TEXT = 1024 };		/* bytes of the attribute mkvps, with a NUL */

struct ap_card {
	unsigned id;
	int dirfd;
	uint32_t functions;
	enum ap_mode mode;
	bool deconfigured;
	char type[WANT_SIZE], hwtype[WANT_SIZE], depth[WANT_SIZE];	/* "": unknown */
};

struct ap_device {			/* a card, or one of its queues */
	const struct ap_card *card;
	int domain;			/* -1: the card itself */
	char id[8];			/* "00", "00.0011" */
	bool has_online;		/* else it is not zcrypt's: another driver has it, or none */
	char status[WANT_SIZE];		/* "online", "offline", "deconfig", "chkstop", "in use", ...; "": unknown */
	/* The rest only with AP_COUNTS or AP_VERBOSE; "": unknown, or does not apply. */
	char requests[WANT_SIZE], pending[WANT_SIZE];
	char driver[AP_NAME];		/* of zcrypt or vfio_ap; "": none of them */
	const char *sestat;		/* NULL: this bus has none */
};

enum ap_read {
	AP_COUNTS = 1 << 0,		/* requests */
	AP_VERBOSE = 1 << 1,		/* all the others */
	AP_CARD_ONLY = 1 << 2, AP_QUEUE_ONLY = 1 << 3,
	AP_ONLY_CCA = 1 << 4, AP_ONLY_ACCEL = 1 << 5, AP_ONLY_EP11 = 1 << 6,
};

struct ap_query {
	unsigned read;			/* of enum ap_read */
	int card, domain;		/* -1: any */
	bool lazy;			/* a card without type or online hides its queues, as with lszcrypt */
};

struct ap_bus {
	int dirfd;			/* /sys/devices/ap */
	bool has_se;			/* queues have a secure-execution state */
};

#define AUTO_AP AUTO(ap_close)	/* struct ap_bus bus = { .dirfd = -1 } */

/* ENODEV: no AP bus on this machine. */
int ap_open(const struct env *, struct ap_bus *ret, struct err *e);
void ap_close(struct ap_bus *);		/* accepts { .dirfd = -1 } */

bool ap_exists(const struct ap_bus *, int card, int domain);	/* domain -1: the card; card -1: that domain of any */

/*
 * Calls SEE with each device that QUERY asks for, by card and domain, a card before its queues, until it returns other
 * than 0. What vanishes meanwhile is not there.
 */
int ap_walk(const struct ap_bus *, const struct ap_query *, int (*see)(void *ctx, const struct ap_device *), void *ctx,
	    struct err *e);

const char *ap_mode_name(enum ap_mode);			/* "CCA-Coproc", "Unknown" */
void ap_functions_text(uint32_t functions, char ret[11]);

/* The master-key registers of a queue, as the kernel writes them. This asks the card. 0 or -errno. */
int ap_read_mkvps(const struct ap_device *, char ret[MKVPS_TEXT]);

/* --- pure parsers of what the kernel writes --- */

/* "00", "00.0011", ".0011", hexadecimal. -EINVAL. */
int ap_parse_id(const char *text, int *ret_card, int *ret_domain);

/* "0x" and 64 hex digits: bit 0 is the leftmost. -EINVAL. */
int ap_parse_mask(const char *text, bool ret[AP_IDS]);

/* "" where unknown. ONLINE, CONFIG, CHKSTOP, STATUS are the attributes of these names, "" where there is none. */
void ap_parse_status(const char *online, const char *config, const char *chkstop, const char *status, char ret[WANT_SIZE]);

struct ap_register {			/* a line of mkvps: "AES CUR: valid 0x71ecf46a35bd8924" */
	char key[8];			/* "AES", "APKA", "ASYM"; "WK" of EP11 */
	char which[4];			/* "NEW", "CUR", "OLD" */
	char state[16];			/* "empty", "partial", "full", "valid", "invalid", "committed", ...; "-" unknown */
	char pattern[80];		/* hex digits; "" where there is none */
};
enum { AP_REGISTERS = 12 };
size_t ap_parse_mkvps(const char *text, struct ap_register ret[AP_REGISTERS]);	/* lines of another form are skipped */

#endif
