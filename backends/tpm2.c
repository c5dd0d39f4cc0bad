// SPDX-License-Identifier: MIT
/* TPM 2.0, whose body is backends/tpm2/, and 1.2, as far as listing goes. */
#include "lib/backend.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/env.h"
#include "lib/sys.h"
#include "lib/sysroot.h"
#include "lib/tpm.h"

static const char *const key_types[] = { "tpm2", NULL };

static int probe(const struct env *, struct device **list, struct err *e);
static int examine(const struct env *, struct examination *);

const struct backend backend_tpm2 = {
	.name = "tpm2",
	.summary = "Trusted Platform Modules",
	.roles = ROLE_KEY | ROLE_SEAL,
	.key_types = key_types,
	.measures = true,
	.probe = probe,
	.examine = examine,
	.subsystems = (const char *const[]){ "tpm", "tpmrm", NULL },
};

enum { CLASS_MAX = 64 };

struct tpm {
	unsigned n;
	long version;			/* 2, 1; 0: unknown */
	char driver[32];		/* "": unknown */
	char banks[96];			/* "sha1, sha256"; "": unknown */
	char manager[24];		/* "/dev/tpmrm0", or "/dev/tpm0" of a TPM 1.2 */
	bool has_node;			/* the device node for us is there */
	bool may_use;			/* and lets us */
	bool encrypts;			/* the kernel's own sessions are encrypted */
};

static const char *class_path(const struct tpm *t, const char *file, char ret[CLASS_MAX])
{
	(void)snprintf(ret, CLASS_MAX, "/sys/class/tpm/tpm%u/%s", t->n, file);
	return ret;
}

static void banks_read(const struct env *env, struct tpm *t)
{
	AUTO_FREE char *names = NULL;
	char path[CLASS_MAX];
	size_t n, at = 0;

	if (sys_names(env, class_path(t, "", path), &names, &n) < 0)
		return;
	for (const char *name = names; n--; name += strlen(name) + 1)
		if (!strncmp(name, "pcr-", 4) && at < sizeof(t->banks))
			at += (size_t)snprintf(t->banks + at, sizeof(t->banks) - at, "%s%.16s", at ? ", " : "", name + 4);
}

static bool may_use(const struct env *env, const char *node)
{
	char path[PATH_MAX];
	struct err ignored;

	return sysroot_path(env, node, path, sizeof(path), &ignored) == 0 && access(path, R_OK | W_OK) == 0;
}

/* False: no TPM of that number. */
static bool tpm_read(const struct env *env, unsigned n, struct tpm *ret)
{
	char path[CLASS_MAX];

	*ret = (struct tpm){ .n = n };
	(void)snprintf(path, sizeof(path), "/sys/class/tpm/tpm%u", n);
	if (!sys_exists(env, path))
		return false;
	if (sys_read_number(env, class_path(ret, "tpm_version_major", path), &ret->version) < 0)
		ret->version = sys_exists(env, class_path(ret, "device/caps", path)) ? 1 : 0;	/* before Linux 5.6 */
	(void)snprintf(ret->manager, sizeof(ret->manager), ret->version == 1 ? "/dev/tpm%u" : "/dev/tpmrm%u", n);
	ret->has_node = sys_exists(env, ret->manager);
	ret->may_use = ret->has_node && may_use(env, ret->manager);
	if (env->brief && ret->may_use)
		return true;
	(void)sys_read_link(env, class_path(ret, "device/driver", path), ret->driver, sizeof(ret->driver));
	banks_read(env, ret);
	ret->encrypts = sys_exists(env, class_path(ret, "null_name", path));
	return true;
}

static const char *version_name(const struct tpm *t)
{
	return t->version == 2 ? "TPM 2.0" : t->version == 1 ? "TPM 1.2" : "TPM of unknown version";
}

/* Of a TPM 1.2 it is in sysfs: "Manufacturer: 0x49465800", four letters. */
static bool manufacturer_read(const struct env *env, const struct tpm *t, char ret[5])
{
	struct tpm_state state = { 0 };
	char path[CLASS_MAX], caps[256];
	unsigned v;

	if (t->version == 2 && tpm_ask(env, t->n, &state) == 0)
		memcpy(ret, state.manufacturer, 5);
	else if (t->version == 1 && sys_read(env, class_path(t, "device/caps", path), caps, sizeof(caps)) > 0 &&
		 sscanf(caps, "Manufacturer: 0x%8x", &v) == 1)
		for (int i = 0; i < 4; i++)
			ret[i] = (char)(v >> (24 - 8 * i) & 0x7f);
	return ret[0] >= ' ';
}

static int add_details(const struct env *env, const struct tpm *t, struct device *list, struct err *e)
{
	char manufacturer[5] = "";
	int r = 0;

	if (t->driver[0])
		r = device_detail(list, e, "driver: %s", t->driver);
	if (r == 0 && t->banks[0])
		r = device_detail(list, e, "PCR banks: %s", t->banks);
	if (r == 0)
		r = device_detail(list, e, "node: %s%s", t->manager, t->has_node ? "" : " is missing");
	if (r == 0 && t->version == 2)
		r = device_detail(list, e, "kernel's sessions: %s", t->encrypts ? "encrypted" : "in clear");
	if (r == 0 && env->thorough && manufacturer_read(env, t, manufacturer))
		r = device_detail(list, e, "manufacturer: %s", manufacturer);
	return r;
}

static void describe(const struct tpm *t, char *ret, size_t size)
{
	if (!t->has_node)
		(void)snprintf(ret, size, "no '%s'", t->manager);
	else if (!t->may_use)
		(void)snprintf(ret, size, "no permission for '%s': be root, or of group tss", t->manager);
	else
		(void)snprintf(ret, size, "driver %s", t->driver[0] ? t->driver : "unknown");
}

/* A TPM 1.2 can only be listed. */
static int add(const struct env *env, const struct tpm *t, struct device **list, struct err *e)
{
	char id[16], text[128];
	int r;

	(void)snprintf(id, sizeof(id), "tpm%u", t->n);
	describe(t, text, sizeof(text));
	while (*list)
		list = &(*list)->next;
	r = device_add(list, &backend_tpm2, env, id, version_name(t), t->may_use ? DEVICE_ONLINE : DEVICE_OFFLINE, text, e);
	if (r < 0)
		return r;
	if (t->version != 2)
		(*list)->roles = 0;
	return env->brief ? 0 : add_details(env, t, *list, e);
}

/* Those that env->tcti names. */
static int add_named(const struct env *env, struct device **list, struct err *e)
{
	const char *at = env->tcti + strspn(env->tcti, " ");
	int r = 0;

	for (unsigned n = 0; r == 0 && *at; n++) {
		size_t len = strcspn(at, " ");
		char id[16], name[128];

		(void)snprintf(id, sizeof(id), "tpm%u", n);
		(void)snprintf(name, sizeof(name), "%.*s", (int)len, at);
		r = device_add(list, &backend_tpm2, env, id, "TPM 2.0", DEVICE_ONLINE, name, e);
		at += len;
		at += strspn(at, " ");
	}
	return r;
}

static int each(const struct env *env, int (*see)(void *ctx, const struct env *, const struct tpm *), void *ctx)
{
	AUTO_FREE char *names = NULL;
	size_t n = 0;
	int r = sys_names(env, "/sys/class/tpm", &names, &n);

	if (r < 0 || n == 0)
		return -ENODEV;
	for (const char *name = names; r == 0 && n--; name += strlen(name) + 1) {
		struct tpm tpm;
		unsigned i;
		char end;

		if (sscanf(name, "tpm%3u%c", &i, &end) == 1 && tpm_read(env, i, &tpm))
			r = see(ctx, env, &tpm);
	}
	return r;
}

struct found { struct device **list; struct err *e; };

static int see_probe(void *ctx, const struct env *env, const struct tpm *t)
{
	struct found *f = ctx;

	return add(env, t, f->list, f->e);
}

static int probe(const struct env *env, struct device **list, struct err *e)
{
	struct found f = { list, e };

	if (env->tcti)
		return add_named(env, list, e);
	return each(env, see_probe, &f);
}

/* --- doctor ---------------------------------------------------------------------------------------------------- */

static int examine_state(const struct env *env, const struct tpm *t, struct examination *x)
{
	struct tpm_state state;
	int r = tpm_ask(env, t->n, &state);

	if (r == -EACCES || r == -EPERM)
		return x->tell(x, VERDICT_WARNING, "tpm%u: no permission for '%s': be root, or of group tss", t->n,
			       t->manager);
	if (r < 0)
		return x->tell(x, VERDICT_WARNING, "tpm%u: does not answer: %s", t->n, strerror(-r));
	r = x->tell(x, VERDICT_OK, "tpm%u: manufacturer %s", t->n, state.manufacturer[0] ? state.manufacturer : "unknown");
	if (r == 0 && state.locked_out)
		r = x->tell(x, VERDICT_BAD, "tpm%u: in lockout after %u wrong answers, takes none now: wait %u seconds for "
			    "each, or 'tpm2_dictionarylockout --clear-lockout'", t->n, state.tries, state.recovery);
	if (r == 0 && !state.has_srk)
		r = x->tell(x, VERDICT_WARNING, "tpm%u: no persistent storage root key 0x81000001: each use makes one "
			    "anew, slowly; 'hwkey doctor --make-srk --device tpm%u' stores it", t->n, t->n);
	return r;
}

struct story { struct examination *x; unsigned n; };

static int see_examine(void *ctx, const struct env *env, const struct tpm *t)
{
	struct story *s = ctx;
	struct examination *x = s->x;
	int r = x->tell(x, VERDICT_OK, "tpm%u: %s, driver %s, PCR banks %s", t->n, version_name(t),
			t->driver[0] ? t->driver : "unknown", t->banks[0] ? t->banks : "unknown");

	s->n++;
	if (r == 0 && !t->has_node)
		return x->tell(x, VERDICT_BAD, "tpm%u: no '%s': is udev or devtmpfs there?", t->n, t->manager);
	if (r == 0 && t->version == 1)
		r = x->tell(x, VERDICT_WARNING, "tpm%u: a TPM 1.2 serves the kernel's trusted keys only; its firmware may "
			    "offer 2.0", t->n);
	if (r == 0 && t->banks[0] && !strstr(t->banks, "sha256") && !strstr(t->banks, "sha384"))
		r = x->tell(x, VERDICT_WARNING, "tpm%u: no PCR bank but SHA-1's: activate SHA-256 in the firmware, or with "
			    "'tpm2_pcrallocate'",
			    t->n);
	return r == 0 && t->version == 2 ? examine_state(env, t, x) : r;
}

static int examine(const struct env *env, struct examination *x)
{
	struct story s = { .x = x };
	int r;

	if (env->tcti)
		return x->tell(x, VERDICT_OK, "by tpm2-tss' names, from tpm0 on: '%s'", env->tcti);
	r = each(env, see_examine, &s);

	if (r == -ENODEV)
		return x->tell(x, VERDICT_ABSENT, "no TPM in '/sys/class/tpm': switched off in the firmware (TPM, fTPM, "
			       "PTT), or no driver");
	if (r == 0 && s.n > 1)
		r = x->tell(x, VERDICT_WARNING, "%u TPMs: the kernel's trusted keys know tpm0 alone", s.n);
	return r;
}
