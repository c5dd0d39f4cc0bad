// SPDX-License-Identifier: MIT
#include "pks-policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "err.h"

static const struct {
	uint32_t bit;
	const char *name;
} policies[] = {		/* what is not a writer's to set comes last */
	{ POLICY_OSSECBOOTAUDIT, "ossecbootaudit" }, { POLICY_OSSECBOOTENFORCE, "ossecbootenforce" },
	{ POLICY_PWSET, "pwset" }, { POLICY_WORLDREADABLE, "worldreadable" }, { POLICY_IMMUTABLE, "immutable" },
	{ POLICY_TRANSIENT, "transient" }, { POLICY_SIGNEDUPDATE, "signedupdate" }, { POLICY_WRAPPINGKEY, "wrappingkey" },
	{ POLICY_HVPROVISIONED, "hvprovisioned" },
};

void pks_policy_format(uint32_t policy, char sep, char *ret, size_t size)
{
	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		size_t n = strlen(ret);

		if (policy & policies[i].bit)
			(void)snprintf(ret + n, size - n, "%s%s", n ? (char[]){ sep, '\0' } : "", policies[i].name);
		policy &= ~policies[i].bit;
	}
	if (policy)
		(void)snprintf(ret + strlen(ret), size - strlen(ret), "%s0x%x", ret[0] ? (char[]){ sep, '\0'} : "", policy);
}

const char *pks_policy_word(size_t i)
{
	const uint32_t not_ours = POLICY_SIGNEDUPDATE | POLICY_WRAPPINGKEY | POLICY_HVPROVISIONED;

	return policies[i].bit & not_ours ? NULL : policies[i].name;
}

uint32_t pks_policy_find(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
		if (strlen(policies[i].name) == len && !memcmp(policies[i].name, word, len))
			return policies[i].bit;
	return 0;
}

const char *const pks_consumers[] = {
	[CONSUMER_FIRMWARE - 1] = "firmware", [CONSUMER_BOOTLOADER - 1] = "bootloader", [CONSUMER_OS - 1] = "os", NULL
};

const char *pks_consumer_name(enum consumer c)
{
	return pks_consumers[c - 1];
}

int pks_consumer_find(const char *name, enum consumer *ret, struct err *e)
{
	for (enum consumer c = CONSUMER_FIRMWARE; c <= CONSUMER_OS; c++) {
		if (name ? !strcasecmp(pks_consumer_name(c), name) : c == CONSUMER_OS) {
			*ret = c;
			return 0;
		}
	}
	return err_set(e, EINVAL, "no consumer '%s': one of firmware, bootloader, os", name);
}
