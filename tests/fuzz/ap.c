// SPDX-License-Identifier: MIT
/* Masks, ids, statuses and master-key registers of the AP bus. The first byte chooses. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);


static void status(char *text)
{
	char a[4][WANT_SIZE] = { "", "", "", "" }, ret[WANT_SIZE];

	for (int i = 0; i < 4 && text; i++) {
		char *s = strsep(&text, "\n");
		size_t n = strnlen(s, WANT_SIZE - 1);

		memcpy(a[i], s, n);
		a[i][n] = '\0';
	}
	ap_parse_status(a[0], a[1], a[2], a[3], ret);
	assert(memchr(ret, '\0', WANT_SIZE));
}

static void registers(const char *text)
{
	struct ap_register reg[AP_REGISTERS];
	size_t n = ap_parse_mkvps(text, reg);

	assert(n <= AP_REGISTERS);
	for (size_t i = 0; i < n; i++) {
		assert(reg[i].key[0] && reg[i].which[0] && reg[i].state[0]);
		assert(strspn(reg[i].pattern, "0123456789abcdef") == strlen(reg[i].pattern));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = len ? malloc(len) : NULL;
	bool bits[AP_IDS];
	int card = -2, domain = -2;

	if (!text)
		return 0;
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	switch (data[0]) {
	case 'm':
		(void)ap_parse_mask(text, bits);
		break;
	case 'i':
		if (ap_parse_id(text, &card, &domain) == 0)
			assert(card >= -1 && card < AP_IDS && domain >= -1 && domain < AP_IDS && (card >= 0 || domain >= 0));
		break;
	case 's':
		status(text);
		break;
	default:
		registers(text);
	}
	free(text);
	return 0;
}
