// SPDX-License-Identifier: MIT
#include "keylocker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "cleanup.h"
#include "env.h"
#include "sys.h"

enum { CPUINFO_MAX = 1 << 20 };		/* bytes: two thousand processors */

void keylocker_decode(const struct cpuid *c, struct keylocker *ret)
{
	*ret = (struct keylocker){
		.cpu = c->l7_ecx >> 23 & 1, .hypervisor = c->l1_ecx >> 31, .raw = true,
	};
	if (!ret->cpu)
		return;
	ret->cpl0_only = c->l19_eax & 1;
	ret->no_encrypt = c->l19_eax >> 1 & 1;
	ret->no_decrypt = c->l19_eax >> 2 & 1;
	ret->active = c->l19_ebx & 1;
	ret->wide = c->l19_ebx >> 2 & 1;
	ret->backup = c->l19_ebx >> 4 & 1;
}

bool cpuid_parse(const char *text, struct cpuid *ret)
{
	bool found = false;

	*ret = (struct cpuid){ 0 };
	for (; *text; text = strchrnul(text, '\n'), text += *text == '\n') {
		unsigned leaf, sub, a, b, c, d;

		if (sscanf(text, "%8x.%8x %8x %8x %8x %8x", &leaf, &sub, &a, &b, &c, &d) != 6)
			continue;
		if (leaf == 1) {
			ret->l1_ecx = c;
		} else if (leaf == 7 && sub == 0) {
			ret->l7_ecx = c;
			found = true;
		} else if (leaf == 0x19) {
			ret->l19_eax = a;
			ret->l19_ebx = b;
			ret->l19_ecx = c;
		}
	}
	return found;
}

/* The line of the first processor. */
static bool flags_read(const struct env *env, struct keylocker *ret)
{
	AUTO_FREE char *cpuinfo = malloc(CPUINFO_MAX);
	ssize_t n = cpuinfo ? sys_read_bytes(env, "/proc/cpuinfo", cpuinfo, CPUINFO_MAX - 1) : -ENOMEM;
	char *flags;

	if (n < 0)
		return false;
	cpuinfo[n] = '\0';
	flags = strstr(cpuinfo, "flags\t\t:");
	if (!flags)
		return false;
	*strchrnul(flags, '\n') = '\0';
	*ret = (struct keylocker){
		.active = text_has_word(flags, "aeskle"),
		.cpu = text_has_word(flags, "aeskle") || text_has_word(flags, "keylocker"),
		.hypervisor = text_has_word(flags, "hypervisor"),
	};
	return true;
}

bool cpuid_read(struct cpuid *ret)
{
	*ret = (struct cpuid){ 0 };
#if defined(__x86_64__) || defined(__i386__)
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d))
		return false;
	ret->l1_ecx = c;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
		ret->l7_ecx = c;
	if (__get_cpuid_count(0x19, 0, &a, &b, &c, &d)) {
		ret->l19_eax = a;
		ret->l19_ebx = b;
		ret->l19_ecx = c;
	}
	return true;
#else
	return false;
#endif
}

void cpuid_format(const struct cpuid *c, char *ret, size_t size)
{
	(void)snprintf(ret, size, "1.0 0 0 %x 0\n7.0 0 0 %x 0\n19.0 %x %x %x 0\n", c->l1_ecx, c->l7_ecx, c->l19_eax,
		       c->l19_ebx, c->l19_ecx);
}

bool keylocker_read(const struct env *env, struct keylocker *ret)
{
	char text[512];
	struct cpuid c;
	ssize_t n;

	if (!env->sysroot) {
		if (!cpuid_read(&c))
			return false;
		keylocker_decode(&c, ret);
		return true;
	}
	n = sys_read_bytes(env, "/answers/cpuid", text, sizeof(text) - 1);
	if (n < 0)
		return flags_read(env, ret);
	text[n] = '\0';
	if (!cpuid_parse(text, &c))
		return false;
	keylocker_decode(&c, ret);
	return true;
}
