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

struct source {
	char name[16], how[96];
	bool asked, here;		/* asked for by an option; its hardware is here */
	char rng[16];			/* "": not asked for */
};

/* Built in, it is no module that modprobe.d could tell anything. */
static bool option(const struct env *env, const char *name, char *ret, size_t size, char where[64])
{
	return sys_module_option(env, "trusted", name, ret, size, where) &&
	       (where[0] != '\'' || sys_exists(env, "/sys/module/trusted") || trusted_is_registered(env) < 0);
}

static bool is_here(const struct env *env, size_t i)
{
	char text[24];

	return sys_exists(env, order[i].path) &&
	       (strcmp(order[i].source, "pkwm") != 0 || (sys_read(env, order[i].path, text, sizeof(text)) > 0 &&
							 strspn(text, "0") != strlen(text)));
}

/* Which one of ORDER the kernel takes NAME for, by how it begins; -1: none. */
static int source_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (!strncmp(name, order[i].source, strlen(order[i].source)))
			return (int)i;
	return -1;
}

static void source_infer(const struct env *env, struct source *ret)
{
	char where[64];
	size_t i = 0;

	*ret = (struct source){ .name = "unknown", .how = "no hardware for it was found" };
	if (!option(env, "rng", ret->rng, sizeof(ret->rng), where))
		ret->rng[0] = '\0';
	if (option(env, "source", ret->name, sizeof(ret->name), where)) {
		int k = source_find(ret->name);

		ret->asked = true;
		ret->here = k >= 0 && is_here(env, (size_t)k);
		(void)snprintf(ret->how, sizeof(ret->how), "by %s", where);
		return;
	}
	while (i < ARRAY_SIZE(order) && !is_here(env, i))
		i++;
	if (i == ARRAY_SIZE(order))
		return;
	ret->here = true;
	(void)snprintf(ret->name, sizeof(ret->name), "%s", order[i].source);
	(void)snprintf(ret->how, sizeof(ret->how), "inferred: %s is the first in the kernel's order", order[i].model);
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

/* The kernel takes no other, and then has no trusted keys at all. */
static bool rng_is_known(const struct source *s)
{
	static const char *const own[] = { "tpm", "tee" };	/* sources with random numbers of their own */
	bool known = !s->rng[0] || !strcmp(s->rng, "default") || !strcmp(s->rng, "kernel");

	for (size_t i = 0; !known && i < ARRAY_SIZE(own); i++)
		known = !strcmp(s->rng, own[i]) && (!s->asked || !strncmp(s->name, own[i], strlen(own[i])));
	return known;
}

#define MISSING "key type 'trusted' is not registered"

static int examine_missing(const struct source *s, struct examination *x)
{
	/* OP-TEE's source, where the kernel has it, is content without a secure world: those after it get no turn. */
	bool behind_tee = !s->asked && source_find(s->name) > source_find("tee");

	if (!rng_is_known(s))
		return x->tell(x, VERDICT_BAD, MISSING ": option 'trusted.rng=%s' is none that the kernel takes for this "
			       "source", s->rng);
	if (s->asked && source_find(s->name) < 0)
		return x->tell(x, VERDICT_BAD, MISSING ": there is no source '%s', asked for %s", s->name, s->how);
	if (s->asked && !s->here)
		return x->tell(x, VERDICT_WARNING, MISSING ": source %s is asked for %s, and no hardware for it was found",
			       s->name, s->how);
	if (!s->here)
		return x->tell(x, VERDICT_ABSENT, MISSING ", and no hardware for it was found");
	return x->tell(x, VERDICT_WARNING, MISSING ", though there is hardware for source %s: 'modprobe trusted', or a "
		       "kernel with CONFIG_TRUSTED_KEYS (Debian's have none)%s%s%s", s->name,
		       behind_tee ? "; one with OP-TEE's source, too, needs 'trusted.source=" : "",
		       behind_tee ? s->name : "", behind_tee ? "'" : "");
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
	return examine_missing(&s, x);
}
