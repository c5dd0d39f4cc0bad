// SPDX-License-Identifier: MIT
#include "cex-nodes.h"

#include <stdio.h>
#include <string.h>

#include "lib/ap.h"
#include "lib/backend.h"
#include "lib/err.h"
#include "lib/sys.h"

enum { RANGES = 96, PATH = 320 };	/* bytes of a text, of a path with a file name in it */

static const struct { const char *module, *keys; } handlers[] = {
	{ "pkey_cca", "CCA keys" }, { "pkey_ep11", "EP11 keys" }, { "pkey_pckmo", "clear keys" },
	{ "pkey_uv", "secrets of secure execution" },
};

static bool has_module(const struct env *env, const char *module)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/sys/module/%s", module);
	return sys_exists(env, path);
}

bool pkey_is_split(const struct env *env)
{
	char release[64];
	unsigned major = 0, minor = 0;

	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
		if (has_module(env, handlers[i].module))
			return true;
	return sys_read(env, "/proc/sys/kernel/osrelease", release, sizeof(release)) > 0 &&
	       sscanf(release, "%4u.%4u", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 12));
}

/* "from: CCA keys, ...". False: it has none. */
static bool format_handlers(const struct env *env, char *ret, size_t size)
{
	size_t n = 0;

	if (!pkey_is_split(env)) {
		(void)snprintf(ret, size, "makes protected keys from all kinds of keys");
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(handlers) && n < size; i++)
		if (has_module(env, handlers[i].module))
			n += (size_t)snprintf(ret + n, size - n, "%s%s", n ? ", " : "makes protected keys from: ",
					      handlers[i].keys);
	if (n == 0)
		(void)snprintf(ret, size, "no handler of keys: 'modprobe pkey_cca', 'modprobe pkey_ep11', 'modprobe "
			       "pkey_pckmo'");
	return n > 0;
}

static int add_pkey(const struct env *env, const struct backend *b, bool needed, struct device **list, struct err *e)
{
	bool there = sys_exists(env, "/dev/pkey"), usable = false;
	char text[128] = "no '/dev/pkey': 'modprobe pkey'";

	if (!there && !needed)
		return 0;
	if (there)
		usable = format_handlers(env, text, sizeof(text));
	return device_add(list, b, env, "pkey", "/dev/pkey", usable ? DEVICE_ONLINE : DEVICE_OFFLINE, text, e);
}

static int add_z90crypt(const struct env *env, const struct backend *b, bool needed, struct device **list, struct err *e)
{
	bool there = sys_exists(env, "/dev/z90crypt");

	if (!there && !needed)
		return 0;
	return device_add(list, b, env, "z90crypt", "/dev/z90crypt", there ? DEVICE_ONLINE : DEVICE_OFFLINE,
			  there ? "requests to all cards" : "no '/dev/z90crypt': 'modprobe zcrypt_cex4'", e);
}

/* --- nodes that 'zcryptctl create' makes ------------------------------------------------------------------------ */

static const struct mask { const char *file, *what; int digits; } masks[] = {
	{ "apmask", "cards", 2 }, { "aqmask", "domains", 4 }, { "admask", "control domains", 4 },
	{ "ioctlmask", "ioctls", 2 },
};

/* "00-03, 0a"; "none"; "" unknown */
static void format_mask(const struct env *env, const char *node, const struct mask *m, char ret[RANGES])
{
	bool bits[AP_IDS + 1] = { false };
	char path[PATH], text[2 + AP_IDS / 4 + 8];
	size_t n = 0;

	ret[0] = '\0';
	(void)snprintf(path, sizeof(path), "/sys/class/zcrypt/%s/%s", node, m->file);
	if (sys_read(env, path, text, sizeof(text)) < 0 || ap_parse_mask(text, bits) < 0)
		return;
	for (int i = 0, last; i < AP_IDS; i = last + 1) {
		for (last = i; bits[last + 1] && bits[i];)
			last++;
		if (!bits[i] || n >= RANGES)
			continue;
		n += (size_t)snprintf(ret + n, RANGES - n, "%s%0*x", n ? ", " : "", m->digits, (unsigned)i);
		if (last > i && n < RANGES)
			n += (size_t)snprintf(ret + n, RANGES - n, "-%0*x", m->digits, (unsigned)last);
	}
	if (n == 0)
		(void)snprintf(ret, RANGES, "none");
}

static int add_node(const struct env *env, const struct backend *b, const char *node, struct device **list, struct err *e)
{
	char path[PATH], model[64], cards[RANGES], domains[RANGES], text[128];
	bool there;
	int r;

	(void)snprintf(path, sizeof(path), "/dev/%s", node);
	there = sys_exists(env, path);
	(void)snprintf(model, sizeof(model), "%.60s", path);
	format_mask(env, node, &masks[0], cards);
	format_mask(env, node, &masks[1], domains);
	(void)snprintf(text, sizeof(text), "requests to cards %.40s, domains %.40s", cards[0] ? cards : "unknown",
		       domains[0] ? domains : "unknown");
	r = device_add(list, b, env, node, model, there ? DEVICE_ONLINE : DEVICE_OFFLINE,
		       there ? text : "no node: is udev there?", e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(masks); i++) {
		format_mask(env, node, &masks[i], cards);
		r = device_detail(*list, e, "%s: %s", masks[i].what, cards[0] ? cards : "unknown");
	}
	return r;
}

static int each_node(const struct env *env, int (*see)(void *ctx, const char *node), void *ctx)
{
	AUTO_FREE char *names = NULL;
	size_t n = 0;
	int r = 0;

	if (sys_names(env, "/sys/class/zcrypt", &names, &n) < 0)
		return 0;
	for (const char *name = names; r == 0 && n--; name += strlen(name) + 1)
		if (strcmp(name, "create") != 0 && strcmp(name, "destroy") != 0)
			r = see(ctx, name);
	return r;
}

struct found { const struct env *env; const struct backend *backend; struct device **list; struct err *e; };

static int see_node(void *ctx, const char *node)
{
	struct found *f = ctx;

	return add_node(f->env, f->backend, node, f->list, f->e);
}

int nodes_add(const struct env *env, const struct backend *b, bool bus, bool needed, struct device **list, struct err *e)
{
	struct found f = { env, b, list, e };
	int r = add_pkey(env, b, needed, list, e);

	if (r < 0 || !bus)
		return r;
	r = add_z90crypt(env, b, needed, list, e);
	return r < 0 ? r : each_node(env, see_node, &f);
}

/* --- doctor ----------------------------------------------------------------------------------------------------- */

struct story { const struct env *env; struct examination *x; };

/* zcryptctl makes a node that lets nothing through. */
static int see_examine(void *ctx, const char *node)
{
	struct story *s = ctx;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(masks); i++) {
		char text[RANGES];

		format_mask(s->env, node, &masks[i], text);
		if (!strcmp(text, "none") && strcmp(masks[i].file, "admask") != 0)
			r = s->x->tell(s->x, VERDICT_WARNING, "node '/dev/%.60s' lets nothing through, its %s is empty: "
				       "see 'zcryptctl'", node, masks[i].file);
	}
	return r;
}

int nodes_examine(const struct env *env, struct examination *x)
{
	struct story s = { env, x };
	char text[128];
	int r = 0;

	if (sys_exists(env, "/dev/pkey")) {
		bool usable = format_handlers(env, text, sizeof(text));

		r = x->tell(x, usable ? VERDICT_OK : VERDICT_WARNING, "'/dev/pkey': %s", text);
	}
	return r < 0 ? r : each_node(env, see_examine, &s);
}
