/* SPDX-License-Identifier: MIT */
/* A machine in a directory of its own, with a software keystore on it, for unit tests: each has it by world_setup(). */
#ifndef HWKEY_TEST_WORLD_H
#define HWKEY_TEST_WORLD_H

#include <limits.h>

#include "backends/soft/keys.h"
#include "backends/soft/store.h"
#include "lib/env.h"
#include "lib/sysroot.h"

struct world {
	char base[64], dir[80], machine[80];	/* dir: the keystore, which is not there at first */
	char said[256];				/* the last note */
	struct env env;
	struct device *dev;			/* as this process found it */
	const char *answer;			/* to who asks for the passphrase; NULL: nobody answers */
	unsigned asked;
};

int world_setup(void **state);
int world_teardown(void **state);
#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

void world_restart(struct world *);			/* as a new process would find it */
void world_boot(struct world *, unsigned n);		/* the machine is in its boot N; at first in 1 */
void world_clear(struct world *);			/* no keystore any more */
/* A file of the machine; DATA NULL: none. */
void world_file(struct world *, const char *path, const void *data, size_t len);
void world_secure_boot(struct world *, enum secure_boot);	/* as Power's device tree tells it */

struct object_name world_name(enum consumer, const char *label);
/* The operations by a new process, which is given PASSWORD (NULL: none). All return a positive errno value, or 0. */
int world_write(struct world *, enum consumer, const char *label, uint32_t policy, unsigned flags, size_t len,
		const char *password);
int world_read(struct world *, enum consumer, const char *label, const char *password);
int world_remove(struct world *, enum consumer, const char *label, const char *password);
int world_password(struct world *, enum consumer, const char *password);
int world_resize(struct world *, bool power11, size_t size);
struct store_info world_info(struct world *);

#endif
