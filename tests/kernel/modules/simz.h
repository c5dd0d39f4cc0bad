/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * /dev/simz: the kernel's simulated AP bus and paes ask, one program with the model of the cards answers. read() gives one
 * message, or EAGAIN; write() takes one. When the program closes the device, its devices leave the bus and open questions
 * get ENODEV.
 */
#ifndef SIMZ_H
#define SIMZ_H

#include <linux/types.h>

enum simz_op {
	/* Questions, from the kernel. Data: */
	SIMZ_SHOW = 1,		/* device, NUL, attribute, NUL; of the answer: the text */
	SIMZ_STORE,		/* device, NUL, attribute, NUL, text, NUL */
	SIMZ_KEY,		/* 1 for an XTS pair or 0, then secure-key tokens; of the answer: the effective AES key */
	/* To the kernel. */
	SIMZ_ANSWER,		/* with the id of its question */
	SIMZ_ADD,		/* a device: lines "name N", "parent N", "driver N", "env N=VALUE", "attr MODE N" */
};

struct simz_message {
	__u64 id;
	__u32 op;
	__s32 result;		/* of an answer: 0 or -errno */
	__u32 len, pad;		/* bytes of data */
	char data[];
};

enum { SIMZ_DATA_MAX = 16384 };

#ifdef __KERNEL__
/* Asks and sleeps until the answer, of at most ROOM bytes, is there. Its length, or -errno. */
int simz_ask(enum simz_op op, const void *data, size_t len, void *answer, size_t room);
#endif

#endif
