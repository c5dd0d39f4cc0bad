// SPDX-License-Identifier: MIT
/* NXP's CAAM (i.MX, Layerscape), as far as listing goes: the kernel makes blobs with it for its trusted keys. */
#include "lib/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/sys.h"

static int probe(const struct env *, struct device **list, struct err *e);
static int examine(const struct env *, struct examination *);

const struct backend backend_caam = {
	.name = "caam",
	.summary = "NXP cryptographic accelerator (CAAM)",
	.probe = probe,
	.examine = examine,
	.subsystems = (const char *const[]){ "platform", NULL },
};

static int probe(const struct env *env, struct device **list, struct err *e)
{
	char device[64], ring[64];
	bool has_ring;
	int r;

	if (!sys_bound(env, "caam", device, sizeof(device)))
		return -ENODEV;
	has_ring = sys_bound(env, "caam_jr", ring, sizeof(ring));
	r = device_add(list, &backend_caam, env, "caam", "CAAM", has_ring ? DEVICE_ONLINE : DEVICE_OFFLINE,
		       has_ring ? "key of this chip, if its boot is closed (HAB)" : "no job ring: 'modprobe caam_jr'", e);
	if (r == 0)
		r = device_detail(*list, e, "device: %s", device);
	if (r == 0 && has_ring)
		r = device_detail(*list, e, "job ring: %s", ring);
	return r;
}

static int examine(const struct env *env, struct examination *x)
{
	char device[64];

	if (!sys_bound(env, "caam", device, sizeof(device)))
		return x->tell(x, VERDICT_ABSENT, "no device at driver 'caam': no such chip, or module caam is not loaded");
	if (!sys_bound(env, "caam_jr", device, sizeof(device)))
		return x->tell(x, VERDICT_WARNING, "CAAM without a job ring: 'modprobe caam_jr'");
	return x->tell(x, VERDICT_WARNING, "CAAM: as long as the boot is not closed (HAB) its key is a test key that every "
		       "chip has, and blobs die when it is closed; see 'dmesg | grep caam'");
}
