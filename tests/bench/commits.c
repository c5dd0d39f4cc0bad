// SPDX-License-Identifier: MIT
/* commits N: writes an object of the keystore N times in one process, each time for good, as a service would. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/backend.h"
#include "lib/cleanup.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/secret.h"

static int write_often(struct device *list, long n, struct err *e)
{
	const struct object_name name = { CONSUMER_OS, (const unsigned char *)"object", 6 };
	AUTO_SECRET struct secret data = { 0 };
	const struct backend_ops *ops;
	struct device *dev;
	int r = device_select(list, ROLE_STORE, NULL, &dev, e);

	if (r == 0)
		r = backend_ops(dev, &ops, e);
	if (r == 0)
		r = secret_random(&data, 32, e);
	while (r == 0 && n--)
		r = ops->store->write(dev, &name, 0, WRITE_REPLACE, &data, e);
	return r;
}

int main(int argc, char **argv)
{
	const struct env env = { .pks_dir = getenv("HWKEY_PKS_DIR"), .sysroot = getenv("HWKEY_SYSROOT"),
				 .keystore_create = true };
	struct device *list = NULL;
	struct err e = { 0 };
	int r = argc == 2 && env.pks_dir ? device_enumerate(&env, false, &list, &e) : err_set(&e, EINVAL, "commits N");

	if (r == 0)
		r = write_often(list, strtol(argv[1], NULL, 10), &e);
	device_free_list(list);
	if (r < 0)
		(void)fprintf(stderr, "commits: %s\n", e.msg);
	return r < 0;
}
