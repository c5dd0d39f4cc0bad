// SPDX-License-Identifier: MIT
/* Whatever parses is written back and parses again, to the same text. */
#include "lib/err.h"
#include "lib/repo.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct props p = { 0 }, again = { 0 };
	struct blob first = { 0 }, second = { 0 };
	struct err e;

	if (size <= INFO_MAX && props_parse_lines((const char *)data, size, &p, &e) == 0 && props_format(&p, &first, &e) == 0) {
		if (props_parse((char *)first.data, first.len, &again, &e) < 0 || props_format(&again, &second, &e) < 0 ||
		    first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
			abort();
	}
	props_done(&p);
	props_done(&again);
	(void)props_parse((const char *)data, size, &p, &e);
	props_done(&p);
	blob_done(&first);
	blob_done(&second);
	return 0;
}
