// SPDX-License-Identifier: MIT
/* Whatever parses is written back and parses again, to the same text. */
#include "lib/err.h"
#include "lib/luks/luks-token.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct luks_token t = { 0 }, again = { 0 };
	struct blob first = { 0 }, second = { 0 }, binding = { 0 };
	char *text = calloc(1, size + 1), pattern[65];
	struct err e;

	if (!text)
		return 0;
	memcpy(text, data, size);
	if (luks_token_parse(text, &t, &e) == 0 &&
	    (luks_token_format(&t, &first, &e) < 0 || luks_token_parse((char *)first.data, &again, &e) < 0 ||
	     luks_token_format(&again, &second, &e) < 0 || strcmp((char *)first.data, (char *)second.data) != 0))
		abort();
	(void)luks_token_slots(text);
	(void)luks_pattern_parse(text, pattern);
	(void)luks_json_size(text);
	(void)luks_binding(text, "0f7f0b1e-6a7b-4c58-9f3e-0123456789ab", &binding, &e);
	luks_token_done(&t);
	luks_token_done(&again);
	blob_done(&first);
	blob_done(&second);
	blob_done(&binding);
	free(text);
	return 0;
}
