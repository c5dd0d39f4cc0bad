// SPDX-License-Identifier: MIT
#include "json.h"

#include <string.h>

json_object *json_read(const char *text, size_t max, int depth)
{
	size_t len = strnlen(text, max + 1);
	json_tokener *t = len <= max ? json_tokener_new_ex(depth) : NULL;
	json_object *j = NULL;

	if (t) {
		json_tokener_set_flags(t, JSON_TOKENER_STRICT);
		j = json_tokener_parse_ex(t, text, (int)len + 1);
		if (json_tokener_get_error(t) != json_tokener_success || !json_object_is_type(j, json_type_object)) {
			json_object_put(j);
			j = NULL;
		}
		json_tokener_free(t);
	}
	return j;
}

const char *json_text(json_object *j, const char *key)
{
	json_object *o;

	if (!json_object_object_get_ex(j, key, &o) || !json_object_is_type(o, json_type_string) ||
	    strlen(json_object_get_string(o)) != (size_t)json_object_get_string_len(o))
		return NULL;
	return json_object_get_string(o);
}
