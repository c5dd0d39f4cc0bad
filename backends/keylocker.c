// SPDX-License-Identifier: MIT
/* x86 Key Locker: is reported, with the reason why it cannot be used. No kernel up to 7.2 has a driver. */
#include "lib/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/keylocker.h"
#include "lib/sys.h"

static int probe(const struct env *, struct device **list, struct err *e);
static int examine(const struct env *, struct examination *);

const struct backend backend_keylocker = {
	.name = "keylocker",
	.summary = "x86 Key Locker",
	.probe = probe,
	.examine = examine,
};

enum { CRYPTO_MAX = 1 << 18 };		/* bytes of /proc/crypto */

static bool has_driver(const struct env *env)
{
	AUTO_FREE char *text = malloc(CRYPTO_MAX);
	ssize_t n = text ? sys_read_bytes(env, "/proc/crypto", text, CRYPTO_MAX - 1) : -ENOMEM;

	if (n < 0)
		return false;
	text[n] = '\0';
	return text_has_word(text, "xts-aes-aeskl");
}

/* NULL: nothing stands in the way. */
static const char *obstacle(const struct env *env, const struct keylocker *k)
{
	if (k->hypervisor)
		return "a virtual machine: its key would not survive a move";
	if (!k->active && !has_driver(env))
		return "not switched on: this kernel has no driver for it (none up to 7.2 has)";
	if (!k->active)
		return "not switched on by the firmware";
	return has_driver(env) ? NULL : "this kernel has no driver xts-aes-aeskl";
}

static int probe(const struct env *env, struct device **list, struct err *e)
{
	const char *why;
	struct keylocker k;
	int r;

	if (!keylocker_read(env, &k) || !k.cpu)
		return -ENODEV;
	why = obstacle(env, &k);
	r = device_add(list, &backend_keylocker, env, "keylocker", "AES Key Locker", why ? DEVICE_OFFLINE : DEVICE_ONLINE,
		       why ? why : "dm-crypt cipher capi:xts-aes-aeskl-plain64", e);
	if (r == 0 && k.raw)
		r = device_detail(*list, e, "AESKLE: %s", k.active ? "yes" : "no");
	if (r == 0 && k.raw)
		r = device_detail(*list, e, "wide: %s", k.wide ? "yes" : "no");
	if (r == 0 && k.raw)
		r = device_detail(*list, e, "backup: %s", k.backup ? "yes" : "no, the key is lost in sleep");
	if (r == 0)
		r = device_detail(*list, e, "hypervisor: %s", k.hypervisor ? "yes" : "no");
	return r;
}

static int examine(const struct env *env, struct examination *x)
{
	const char *why;
	struct keylocker k;

	if (!keylocker_read(env, &k))
		return x->tell(x, VERDICT_ABSENT, "no x86 processor");
	if (!k.cpu)
		return x->tell(x, VERDICT_ABSENT, "this processor has no Key Locker (CPUID 7.0 ECX[23])");
	why = obstacle(env, &k);
	return x->tell(x, why ? VERDICT_WARNING : VERDICT_OK, "Key Locker %s%s", why ? "cannot be used: " : "is ready",
		       why ? why : "");
}
