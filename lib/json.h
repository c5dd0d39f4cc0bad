/* SPDX-License-Identifier: MIT */
/* Reading JSON that anybody may have written. Linked only into objects that link json-c. */
#ifndef HWKEY_JSON_H
#define HWKEY_JSON_H

#include <json-c/json.h>

#include "cleanup.h"

static inline void json_freep(json_object **j) { json_object_put(*j); }
#define AUTO_JSON AUTO(json_freep)

/* TEXT, which is one object of at most MAX bytes that nests at most DEPTH levels, and nothing else; NULL: it is not. */
json_object *json_read(const char *text, size_t max, int depth);
/* A string member without a NUL inside; NULL: absent or something else. */
const char *json_text(json_object *, const char *key);

#endif
