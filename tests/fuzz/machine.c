// SPDX-License-Identifier: MIT
/* What machines say of themselves: CPUID registers, a TPM's replies and answers, device-tree properties,
 * files of modprobe.d. The first byte chooses. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/keylocker.h"
#include "lib/sys.h"
#include "lib/tpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void cpuid(const char *text)
{
	struct keylocker k;
	struct cpuid c, again;
	char back[256];

	if (!cpuid_parse(text, &c))
		return;
	keylocker_decode(&c, &k);
	assert(k.cpu || !k.active);
	cpuid_format(&c, back, sizeof(back));
	assert(cpuid_parse(back, &again));
	assert(!memcmp(&c, &again, sizeof(c)));
}

static void reply(const unsigned char *data, size_t len)
{
	struct tpm_pair pairs[TPM_PAIRS];
	int n = tpm_parse_capability(data, len, pairs);

	assert(n <= TPM_PAIRS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = len ? malloc(len) : NULL;
	struct tpm_state state;
	char option[16];
	long v;

	if (!text)
		return 0;
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	switch (data[0]) {
	case 'c':
		cpuid(text);
		break;
	case 't':
		reply(data + 1, len - 1);
		break;
	case 'a':
		tpm_parse_answers(text, &state);
		assert(memchr(state.manufacturer, '\0', sizeof(state.manufacturer)));
		break;
	case 'o':
		if (modprobe_option(text, "trusted", "source", option, sizeof(option)))
			assert(memchr(option, '\0', sizeof(option)));
		break;
	case 'n':
		(void)text_number(text, 10, &v);
		(void)text_number(text, 16, &v);
		(void)text_has_word(text, "aeskle");
		break;
	default:
		if (bytes_have_string((const char *)data + 1, len - 1, "hcall-pks"))
			assert(memmem(data + 1, len - 1, "hcall-pks", 10));
	}
	free(text);
	return 0;
}
