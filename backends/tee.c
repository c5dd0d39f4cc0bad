// SPDX-License-Identifier: MIT
/* A trusted execution environment (OP-TEE), as far as listing goes: its service for the kernel's trusted keys. */
#include "lib/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/sys.h"

static int probe(const struct env *, struct device **list, struct err *e);
static int examine(const struct env *, struct examination *);

const struct backend backend_tee = {
	.name = "tee",
	.summary = "trusted execution environment (OP-TEE)",
	.probe = probe,
	.examine = examine,
	.subsystems = (const char *const[]){ "tee", NULL },
};

#define SERVICE "/sys/bus/tee/devices/optee-ta-f04a0fe7-1f5d-4b9b-abf7-619b85b4ce8c"	/* trusted keys */

enum service { SERVICE_NONE, SERVICE_UNBOUND, SERVICE_BOUND };

struct tee {
	char revision[64];
	enum service service;
};

static const char *const service_names[] = {
	[SERVICE_NONE] = "no trusted-keys service",
	[SERVICE_UNBOUND] = "trusted-keys service, no driver for it",
	[SERVICE_BOUND] = "trusted-keys service",
};

static bool tee_read(const struct env *env, struct tee *ret)
{
	char driver[32];

	if (!sys_exists(env, "/sys/class/tee/tee0"))
		return false;
	(void)sys_read(env, "/sys/class/tee/tee0/revision", ret->revision, sizeof(ret->revision));	/* Linux 6.19 */
	ret->service = SERVICE_NONE;
	if (sys_read_link(env, SERVICE "/driver", driver, sizeof(driver)) > 0)
		ret->service = SERVICE_BOUND;
	else if (sys_exists(env, SERVICE))
		ret->service = SERVICE_UNBOUND;
	return true;
}

static int probe(const struct env *env, struct device **list, struct err *e)
{
	struct tee t;
	char text[128];
	int r;

	if (!tee_read(env, &t))
		return -ENODEV;
	(void)snprintf(text, sizeof(text), "%s%s", service_names[t.service],
		       sys_exists(env, "/dev/tee0") ? "" : "; no '/dev/tee0'");
	r = device_add(list, &backend_tee, env, "tee0", "OP-TEE",
		       t.service == SERVICE_BOUND ? DEVICE_ONLINE : DEVICE_OFFLINE, text, e);
	if (r == 0 && t.revision[0])
		r = device_detail(*list, e, "revision: %s", t.revision);
	return r;
}

static int examine(const struct env *env, struct examination *x)
{
	struct tee t;

	if (!tee_read(env, &t))
		return x->tell(x, VERDICT_ABSENT, "no '/sys/class/tee/tee0': no secure world, or module optee is not "
			       "loaded");
	switch (t.service) {
	case SERVICE_NONE:
		return x->tell(x, VERDICT_WARNING, "OP-TEE has no trusted-keys service "
			       "(f04a0fe7-1f5d-4b9b-abf7-619b85b4ce8c) at boot: build it into OP-TEE as early TA; one "
			       "below /lib/optee_armtz comes too late");
	case SERVICE_UNBOUND:
		return x->tell(x, VERDICT_WARNING, "OP-TEE's trusted-keys service has no driver: 'modprobe trusted', of a "
			       "kernel with CONFIG_TRUSTED_KEYS_TEE");
	case SERVICE_BOUND:
		break;
	}
	return x->tell(x, VERDICT_OK, "OP-TEE%s%s with its trusted-keys service", t.revision[0] ? " " : "", t.revision);
}
