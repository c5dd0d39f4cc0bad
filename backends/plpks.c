// SPDX-License-Identifier: MIT
/* The Platform KeyStore of a PowerVM partition, as far as listing goes. */
#include "lib/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/pks-policy.h"
#include "lib/sys.h"

static int probe(const struct env *, struct device **list, struct err *e);
static int examine(const struct env *, struct examination *);

const struct backend backend_plpks = {
	.name = "plpks",
	.summary = "Platform KeyStore of PowerVM",
	.probe = probe,
	.examine = examine,
};

#define CONFIG "/sys/firmware/plpks/config"		/* Linux 7.0 */
#define OLD_CONFIG "/sys/firmware/secvar/config"	/* Linux 6.3, with secure variables only */

enum { FUNCTIONS_MAX = 4096 };		/* bytes of the property */

enum boot { BOOT_OFF, BOOT_AUDIT, BOOT_ENFORCE, BOOT_UNKNOWN };

struct plpks {
	bool is_partition;		/* of a PowerVM, or what looks like it (QEMU) */
	bool has_calls;			/* firmware has the keystore's calls */
	const char *config;		/* NULL: the kernel shows none */
	long version, total, used, object_max;	/* -1: unknown */
	char wrapping[24];		/* "": the kernel does not say */
	char format[40];		/* of secure variables; "": the kernel shows none */
	enum boot boot;
};

static const char *const boots[] = {
	[BOOT_OFF] = "off", [BOOT_AUDIT] = "audit", [BOOT_ENFORCE] = "enforce", [BOOT_UNKNOWN] = "unknown",
};

static const char *const nodes[] = {
	"papr-sysparm", "papr-vpd", "papr-indices", "papr-platform-dump", "papr-physical-attestation", "papr-hvpipe",
};

static long number(const struct env *env, const char *dir, const char *file)
{
	char path[64];
	long v;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	return sys_read_number(env, path, &v) < 0 ? -1 : v;
}

static enum boot boot_read(const struct env *env)
{
	unsigned char data[8];
	ssize_t n = sys_read_bytes(env, "/proc/device-tree/ibm,secure-boot", data, sizeof(data));
	uint64_t v = n == 4 ? be_get(data, 4) : BOOT_UNKNOWN;

	if (n == -ENOENT)
		return BOOT_OFF;
	return v < BOOT_UNKNOWN ? (enum boot)v : BOOT_UNKNOWN;
}

static void plpks_read(const struct env *env, struct plpks *ret)
{
	char functions[FUNCTIONS_MAX];
	ssize_t n = sys_read_bytes(env, "/proc/device-tree/rtas/ibm,hypertas-functions", functions, sizeof(functions));

	*ret = (struct plpks){ .is_partition = n >= 0 };
	if (n < 0)
		return;
	ret->has_calls = bytes_have_string(functions, (size_t)n, "hcall-pks");
	ret->config = sys_exists(env, CONFIG) ? CONFIG : sys_exists(env, OLD_CONFIG) ? OLD_CONFIG : NULL;
	(void)sys_read(env, "/sys/firmware/secvar/format", ret->format, sizeof(ret->format));
	(void)sys_read(env, CONFIG "/wrapping_features", ret->wrapping, sizeof(ret->wrapping));
	ret->boot = boot_read(env);
	if (!ret->config)
		return;
	ret->version = number(env, ret->config, "version");
	ret->total = number(env, ret->config, "total_size");
	ret->used = number(env, ret->config, "used_space");
	ret->object_max = number(env, ret->config, "max_object_size");
}

static const char *key_mode(const struct plpks *p)
{
	if (!p->format[0])
		return "not shown by this kernel";
	if (!strcmp(p->format, "ibm,plpks-sb-v0"))
		return "static keys";
	return !strcmp(p->format, "ibm,plpks-sb-v1") ? "dynamic keys" : p->format;
}

static bool can_wrap(const struct plpks *p)
{
	return p->wrapping[0] && strspn(p->wrapping, "0") != strlen(p->wrapping);
}

static int add_nodes(const struct env *env, struct device *list, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(nodes); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/dev/%s", nodes[i]);
		if (sys_exists(env, path))
			r = device_detail(list, e, "node: %s", path);
	}
	return r;
}

static int add_details(const struct env *env, const struct plpks *p, struct device *list, struct err *e)
{
	char policies[16], names[160], path[64];
	long bits;
	int r = device_detail(list, e, "size: %ld bytes, %ld used, objects of up to %ld", p->total, p->used, p->object_max);

	(void)snprintf(path, sizeof(path), "%s/supported_policies", p->config);
	if (r == 0 && sys_read(env, path, policies, sizeof(policies)) > 0 && text_number(policies, 16, &bits) == 0) {
		pks_policy_format((uint32_t)bits, ' ', names, sizeof(names));
		r = device_detail(list, e, "policies: %s", names);
	}
	if (r == 0)
		r = device_detail(list, e, "secure variables: %s", key_mode(p));
	if (r == 0)
		r = device_detail(list, e, "secure boot: %s", boots[p->boot]);
	if (r == 0)
		r = device_detail(list, e, "key wrapping: %s", can_wrap(p) ? "yes" : p->wrapping[0] ? "no" : "unknown");
	return r == 0 ? add_nodes(env, list, e) : r;
}

static int probe(const struct env *env, struct device **list, struct err *e)
{
	struct plpks p;
	char model[64];
	int r;

	plpks_read(env, &p);
	if (!p.is_partition || !p.has_calls)
		return -ENODEV;
	if (!p.config)
		return device_add(list, &backend_plpks, env, "plpks", "Platform KeyStore", DEVICE_OFFLINE,
				  "off for this partition (HMC: keystore_kbytes), or not shown by this kernel", e);
	(void)snprintf(model, sizeof(model), "Platform KeyStore %ld", p.version);
	r = device_add(list, &backend_plpks, env, "plpks", model, DEVICE_ONLINE,
		       can_wrap(&p) ? "kept by the hypervisor; wraps keys" : "kept by the hypervisor", e);
	return r < 0 ? r : add_details(env, &p, *list, e);
}

/* The kernel shows the keystore since 7.0: one that does not, though it could, has none. */
static int examine_off(const struct env *env, struct examination *x)
{
	char release[64];
	unsigned major = 0;

	if (sys_read(env, "/proc/sys/kernel/osrelease", release, sizeof(release)) > 0)
		(void)sscanf(release, "%4u", &major);
	if (major >= 7)
		return x->tell(x, VERDICT_WARNING, "firmware has the keystore, this partition none: give it "
			       "keystore_kbytes on the HMC, while it is off, and look for 'plpks' in dmesg (or a kernel "
			       "without CONFIG_PSERIES_PLPKS)");
	return x->tell(x, VERDICT_WARNING, "firmware has the keystore, this kernel (%s) does not show it: it needs 7.0, or "
		       "6.3 with CONFIG_PPC_SECURE_BOOT; else the partition has none (HMC: keystore_kbytes)",
		       release[0] ? release : "unknown");
}

static int examine(const struct env *env, struct examination *x)
{
	struct plpks p;
	int r;

	plpks_read(env, &p);
	if (!p.is_partition)
		return x->tell(x, VERDICT_ABSENT, "no PowerVM partition");
	if (!p.has_calls)
		return x->tell(x, VERDICT_ABSENT, "firmware without the keystore's calls (hcall-pks)");
	if (!p.config)
		return examine_off(env, x);
	r = x->tell(x, VERDICT_OK, "keystore of %ld bytes, %ld used; secure boot %s; %s", p.total, p.used, boots[p.boot],
		    can_wrap(&p) ? "wraps keys" : "wraps no keys");
	if (r == 0 && !p.format[0])
		r = x->tell(x, VERDICT_WARNING, "the keystore is on, but this kernel has no secure variables "
			    "(CONFIG_PPC_SECURE_BOOT): no user program can read or write objects");
	else if (r == 0)
		r = x->tell(x, VERDICT_OK, "secure variables: %s", key_mode(&p));
	if (r == 0 && p.total > 0 && p.used >= p.total - p.total / 16)
		r = x->tell(x, VERDICT_WARNING, "the keystore is nearly full");
	return r;
}
