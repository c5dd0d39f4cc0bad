// SPDX-License-Identifier: MIT
/*
 * The kernel's trusted keys, as far as listing goes. The kernel does not say which source they use: that is inferred from
 * its command line, else from its order (tpm, tee, caam, dcp, pkwm) and what hardware there is.
 */
#include "lib/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/sys.h"

static int probe(const struct env *, struct device **list, struct err *e);
static int examine(const struct env *, struct examination *);

const struct backend backend_trusted = {
	.name = "trusted",
	.summary = "the kernel's trusted keys",
	.probe = probe,
	.examine = examine,
};

#define TEE_SERVICE "/sys/bus/tee/devices/optee-ta-f04a0fe7-1f5d-4b9b-abf7-619b85b4ce8c"

static const struct { const char *path, *source, *model; } order[] = {
	{ "/sys/class/tpm/tpm0", "tpm", "tpm0" },
	{ TEE_SERVICE, "tee", "OP-TEE" },
	{ "/sys/bus/platform/drivers/caam_jr", "caam", "CAAM" },
	{ "/sys/bus/platform/drivers/mxs-dcp", "dcp", "DCP" },
	{ "/sys/firmware/plpks/config/wrapping_features", "pkwm", "PowerVM" },
};

struct source { char name[16], how[96]; };

static void source_infer(const struct env *env, struct source *ret)
{
	(void)snprintf(ret->name, sizeof(ret->name), "unknown");
	(void)snprintf(ret->how, sizeof(ret->how), "no hardware for it was found");
	if (sys_cmdline_has(env, "trusted.source=", ret->name, sizeof(ret->name))) {
		(void)snprintf(ret->how, sizeof(ret->how), "by the kernel's command line");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		char text[24];

		if (!sys_exists(env, order[i].path) ||
		    (!strcmp(order[i].source, "pkwm") && (sys_read(env, order[i].path, text, sizeof(text)) < 0 ||
							  strspn(text, "0") == strlen(text))))
			continue;
		(void)snprintf(ret->name, sizeof(ret->name), "%s", order[i].source);
		(void)snprintf(ret->how, sizeof(ret->how), "inferred: %s is the first in the kernel's order",
			       order[i].model);
		return;
	}
}

static int probe(const struct env *env, struct device **list, struct err *e)
{
	struct source s;
	char model[32];

	if (trusted_is_registered(env) < 0)
		return -ENODEV;
	source_infer(env, &s);
	(void)snprintf(model, sizeof(model), "source %s", s.name);
	return device_add(list, &backend_trusted, env, "trusted", model, DEVICE_ONLINE, s.how, e);
}

static int examine(const struct env *env, struct examination *x)
{
	struct source s;
	int r = trusted_is_registered(env);

	source_infer(env, &s);
	if (r == 0)
		return x->tell(x, VERDICT_OK, "key type 'trusted' is registered; source %s, %s", s.name, s.how);
	if (r == -EPERM || r == -ENOSYS || r == -EACCES)
		return x->tell(x, VERDICT_ABSENT, "the kernel's keys cannot be used from here: %s", strerror(-r));
	if (!strcmp(s.name, "unknown"))
		return x->tell(x, VERDICT_ABSENT, "key type 'trusted' is not registered, and no hardware for it was found");
	return x->tell(x, VERDICT_WARNING, "key type 'trusted' is not registered, though there is hardware for source %s: "
		       "'modprobe trusted', or a kernel with CONFIG_TRUSTED_KEYS (Debian's have none)", s.name);
}
