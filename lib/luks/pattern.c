// SPDX-License-Identifier: MIT
/* zkey's token that carries the verification pattern: one per volume, replaced in place. */
#include "volume.h"

#include <string.h>

#include "lib/err.h"

/* NULL: no such token. */
static const char *find(struct luks *l, int *ret_id)
{
	const char *type, *text;

	for (int id = 0; id < LUKS_TOKENS; id++) {
		text = luks_token_text(l, id, &type);
		if (text && !strcmp(type, LUKS_PATTERN_TYPE)) {
			*ret_id = id;
			return text;
		}
	}
	return NULL;
}

bool luks_get_pattern(struct luks *l, char ret[65])
{
	int id;
	const char *text = find(l, &id);

	return text && luks_pattern_parse(text, ret);
}

int luks_set_pattern(struct luks *l, const char *pattern, struct err *e)
{
	AUTO_BLOB struct blob text = { 0 };
	int id = CRYPT_ANY_TOKEN;
	const char *old = find(l, &id);
	int r = luks_pattern_format(old, pattern, &text, e);

	if (r < 0)
		return r;
	if (old && !strcmp(old, (const char *)text.data))
		return 0;
	r = luks_check_writable(l, e);
	if (r < 0)
		return r;
	r = crypt_token_json_set(l->cd, id, (const char *)text.data);
	return r < 0 ? luks_fail(l, r, e, "cannot write the verification pattern") : luks_sync(l, e);
}
