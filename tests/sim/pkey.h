/* SPDX-License-Identifier: MIT */
/*
 * The ioctls of /dev/pkey on the cards of a struct sim, whatever carries them. A carrier asks for the plan of a call, which
 * names the caller's memory it will read and write; with what it read so far the plan may grow. Once the plan is complete
 * it runs the call on copies. So it serves CUSE (which fetches memory in rounds), a preloaded library and umockdev alike.
 * Structures have the caller's byte order and 64-bit pointers.
 */
#ifndef HWKEY_SIM_PKEY_H
#define HWKEY_SIM_PKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim;

struct sim_range {			/* of the caller's memory */
	uint64_t addr;
	size_t len;
};

struct sim_plan {
	const struct sim_ioctl *what;
	struct sim_range in[3], out[2];	/* read first to last; written first to last, as much as the call returns */
	size_t n_in, n_out;
	bool complete;			/* false: read IN and ask again */
};

enum { SIM_PKEY_OUT_MAX = 1024 };	/* no plan writes more */

size_t sim_ranges_len(const struct sim_range *, size_t n);

/* IN: what the ranges of the last plan held, one after the other; at first nothing. ENOTTY: no such ioctl. */
int sim_pkey_plan(uint32_t cmd, uint64_t arg, const void *in, size_t in_len, struct sim_plan *ret);
/* OUT gets the first *RET_LEN bytes of the OUT ranges, on some errors too. Returns what the ioctl returns. */
int sim_pkey_run(struct sim *, const struct sim_plan *, const void *in, unsigned char out[SIM_PKEY_OUT_MAX],
		 size_t *ret_len);

/* The tokens of /dev/pkey for keys that no card wraps: ZCRYPT's clear-key and protected-key tokens. */
enum { SIM_PKEY_BLOB_MIN = 8, SIM_PKEY_BLOB_MAX = 8192, SIM_PKEY_APQNS_MAX = 64 };

#endif
