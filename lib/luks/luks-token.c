// SPDX-License-Identifier: MIT
#include "luks-token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/crypto.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/repo.h"
#include "lib/utc.h"

enum { VERSION = 1, DEPTH_MAX = 8, DIGEST_MAX = 1024 };
enum { JSON_MAX = 8 << 20, JSON_DEPTH = 32 };	/* of a header: twice LUKS2's largest JSON area, for indentation */

#define BINDING_TAG "hwkey-luks/1"
enum { UUID_LEN = 36 };

static const char backend_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
static const char base64_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
static const char hex_chars[] = "0123456789abcdef";
static const char uuid_chars[] = "0123456789abcdefABCDEF-";

/* 1 to MAX characters, all from SET. */
static bool is_of(const char *s, const char *set, size_t max)
{
	size_t len = s ? strnlen(s, max + 1) : 0;

	return len > 0 && len <= max && strspn(s, set) == len;
}

static bool is_time(const char *s)
{
	static const char shape[] = "0000-00-00T00:00:00Z";

	for (size_t i = 0; i < sizeof(shape); i++)
		if (shape[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != shape[i])
			return false;
	return true;
}

/* "0" to "31"; -1: anything else. */
static int slot_number(const char *s)
{
	long n;

	if (!is_of(s, "0123456789", 2) || (s[0] == '0' && s[1]))
		return -1;
	n = strtol(s, NULL, 10);
	return n < LUKS_SLOTS ? (int)n : -1;
}

static int parse_slots(json_object *j, uint32_t *ret)
{
	json_object *a;
	uint32_t set = 0;

	if (!json_object_object_get_ex(j, "keyslots", &a) || !json_object_is_type(a, json_type_array))
		return -EBADMSG;
	for (size_t i = 0; i < json_object_array_length(a); i++) {
		json_object *o = json_object_array_get_idx(a, i);
		int n = json_object_is_type(o, json_type_string) ? slot_number(json_object_get_string(o)) : -1;

		if (n < 0)
			return -EBADMSG;
		set |= UINT32_C(1) << n;
	}
	*ret = set;
	return 0;
}

uint32_t luks_token_slots(const char *text)
{
	AUTO_JSON json_object *j = json_read(text, LUKS_TOKEN_TEXT_MAX, DEPTH_MAX);
	uint32_t set = 0;

	if (j)
		(void)parse_slots(j, &set);
	return set;
}

static bool is_version(json_object *j)
{
	json_object *o;

	return json_object_object_get_ex(j, "v", &o) && json_object_is_type(o, json_type_int) &&
	       json_object_get_int64(o) == VERSION;
}

/* What is wrong with the members that are text; NULL: nothing, and they are in RET. */
static const char *parse_members(json_object *j, struct luks_token *ret)
{
	const char *name = json_text(j, "name"), *backend = json_text(j, "backend"), *vol = json_text(j, "vol");
	const char *state = json_text(j, "state"), *created = json_text(j, "created"), *pattern = json_text(j, "pattern");
	const char *salt = json_text(j, "salt");

	if (!name || strlen(name) >= sizeof(ret->name) || !repo_valid_name(name))
		return "name";
	if (!is_of(backend, backend_chars, sizeof(ret->backend) - 1))
		return "backend";
	if (!is_of(vol, uuid_chars, UUID_LEN) || strlen(vol) != UUID_LEN)
		return "vol";
	if (json_object_object_get_ex(j, "pattern", NULL) && (!is_of(pattern, hex_chars, 64) || strlen(pattern) != 64))
		return "pattern";
	if (!state || (strcmp(state, "ok") != 0 && strcmp(state, "pending") != 0))
		return "state";
	if (!created || !is_time(created))
		return "created";
	if (parse_slots(j, &ret->slots) < 0)
		return "keyslots";
	if (json_object_object_get_ex(j, "salt", NULL) && !is_of(salt, base64_chars, LUKS_SALT_SIZE - 1))
		return "salt";
	(void)snprintf(ret->salt, sizeof(ret->salt), "%s", salt ? salt : "");
	(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	(void)snprintf(ret->backend, sizeof(ret->backend), "%s", backend);
	(void)snprintf(ret->vol, sizeof(ret->vol), "%s", vol);
	(void)snprintf(ret->pattern, sizeof(ret->pattern), "%s", pattern ? pattern : "");
	(void)snprintf(ret->created, sizeof(ret->created), "%s", created);
	ret->pending = !strcmp(state, "pending");
	return NULL;
}

int luks_token_parse(const char *text, struct luks_token *ret, struct err *e)
{
	AUTO_JSON json_object *j = json_read(text, LUKS_TOKEN_TEXT_MAX, DEPTH_MAX);
	const char *type = j ? json_text(j, "type") : NULL, *blob = j ? json_text(j, "blob") : NULL, *wrong;
	struct luks_token t = { 0 };
	int r;

	if (!type || strcmp(type, LUKS_TOKEN_TYPE) != 0)
		return err_set(e, EBADMSG, "no token of type '" LUKS_TOKEN_TYPE "'");
	if (!is_version(j))
		return err_set(e, EBADMSG, "token of an unknown version");
	wrong = parse_members(j, &t);
	if (wrong)
		return err_set(e, EBADMSG, "malformed token: '%s' is missing or invalid", wrong);
	if (!blob || !*blob || strlen(blob) > (LUKS_BLOB_MAX + 2) / 3 * 4)
		return err_set(e, EBADMSG, "malformed token: 'blob' is missing or too long");
	r = base64_decode(blob, strlen(blob), &t.blob, e);
	if (r < 0)
		return err_prefix(e, "malformed token");
	*ret = t;
	return 0;
}

void luks_token_done(struct luks_token *t)
{
	blob_done(&t->blob);
	*t = (struct luks_token){ 0 };
}

/* These take VALUE over, and are false when there is no memory, of which VALUE may be the first victim. */
static bool add(json_object *j, const char *key, json_object *value)
{
	if (j && value && json_object_object_add(j, key, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

static bool add_text(json_object *j, const char *key, const char *text)
{
	return add(j, key, json_object_new_string(text));
}

static bool append(json_object *array, json_object *value)
{
	if (value && json_object_array_add(array, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

static json_object *slots_array(uint32_t slots)
{
	json_object *a = json_object_new_array();
	bool ok = a;
	char number[8];

	for (int i = 0; ok && i < LUKS_SLOTS; i++) {
		if (slots & UINT32_C(1) << i) {
			(void)snprintf(number, sizeof(number), "%d", i);
			ok = append(a, json_object_new_string(number));
		}
	}
	if (ok)
		return a;
	json_object_put(a);
	return NULL;
}

static int to_text(json_object *j, struct blob *ret, struct err *e)
{
	const char *s = json_object_to_json_string_ext(j, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	int r = s ? blob_copy(ret, s, strlen(s) + 1, e) : err_nomem(e);

	if (r == 0)
		ret->len--;
	return r;
}

int luks_token_format(const struct luks_token *t, struct blob *ret, struct err *e)
{
	AUTO_JSON json_object *j = json_object_new_object();
	AUTO_BLOB struct blob text = { 0 };
	char created[UTC_SIZE] = "";
	int r = base64_encode(t->blob.data, t->blob.len, &text, e);

	if (r == 0 && !t->created[0])
		r = utc_now(created, e);
	if (r < 0)
		return r;
	if (!add_text(j, "type", LUKS_TOKEN_TYPE) || !add(j, "keyslots", slots_array(t->slots)) ||
	    !add(j, "v", json_object_new_int(VERSION)) || !add_text(j, "name", t->name) ||
	    !add_text(j, "backend", t->backend) || !add_text(j, "blob", (const char *)text.data) ||
	    !add_text(j, "vol", t->vol) || (t->pattern[0] && !add_text(j, "pattern", t->pattern)) ||
	    !add_text(j, "state", t->pending ? "pending" : "ok") ||
	    (t->pending && t->salt[0] && !add_text(j, "salt", t->salt)) ||
	    !add_text(j, "created", t->created[0] ? t->created : created))
		return err_nomem(e);
	return to_text(j, ret, e);
}

int luks_recovery_format(int slot, bool pending, const char *salt, struct blob *ret, struct err *e)
{
	AUTO_JSON json_object *j = json_object_new_object();

	if (!add_text(j, "type", LUKS_RECOVERY_TYPE) || !add(j, "v", json_object_new_int(VERSION)) ||
	    !add(j, "keyslots", slots_array(pending ? 0 : UINT32_C(1) << slot)) ||
	    (pending && (!add_text(j, "state", "pending") || !add(j, "slot", json_object_new_int(slot)) ||
			 (salt && !add_text(j, "salt", salt)))))
		return err_nomem(e);
	return to_text(j, ret, e);
}

int luks_recovery_pending(const char *text, char ret_salt[LUKS_SALT_SIZE])
{
	AUTO_JSON json_object *j = json_read(text, LUKS_TOKEN_TEXT_MAX, DEPTH_MAX);
	const char *type = j ? json_text(j, "type") : NULL, *state = j ? json_text(j, "state") : NULL;
	const char *salt = j ? json_text(j, "salt") : NULL;
	json_object *slot;
	uint32_t slots;
	int64_t n;

	if (!type || strcmp(type, LUKS_RECOVERY_TYPE) != 0 || !state || strcmp(state, "pending") != 0 || !is_version(j) ||
	    parse_slots(j, &slots) < 0 || slots || !json_object_object_get_ex(j, "slot", &slot) ||
	    !json_object_is_type(slot, json_type_int) ||
	    (json_object_object_get_ex(j, "salt", NULL) && !is_of(salt, base64_chars, LUKS_SALT_SIZE - 1)))
		return -1;
	n = json_object_get_int64(slot);
	if (n < 0 || n >= LUKS_SLOTS)
		return -1;
	(void)snprintf(ret_salt, LUKS_SALT_SIZE, "%s", salt ? salt : "");
	return (int)n;
}

bool luks_slot_salt(const char *text, int slot, char ret[LUKS_SALT_SIZE])
{
	AUTO_JSON json_object *j = json_read(text, JSON_MAX, JSON_DEPTH);
	json_object *slots, *s, *kdf;
	const char *salt = NULL;
	char number[12];

	(void)snprintf(number, sizeof(number), "%d", slot);
	if (j && json_object_object_get_ex(j, "keyslots", &slots) && json_object_object_get_ex(slots, number, &s) &&
	    json_object_object_get_ex(s, "kdf", &kdf) && json_object_is_type(kdf, json_type_object))
		salt = json_text(kdf, "salt");
	if (!is_of(salt, base64_chars, LUKS_SALT_SIZE - 1))
		return false;
	(void)snprintf(ret, LUKS_SALT_SIZE, "%s", salt);
	return true;
}

static const char *pattern_member(json_object *j, const char *key)
{
	const char *p = j ? json_text(j, key) : NULL;

	return is_of(p, hex_chars, 64) && strlen(p) == 64 ? p : NULL;
}

bool luks_pattern_parse(const char *text, char ret[65])
{
	AUTO_JSON json_object *j = json_read(text, LUKS_TOKEN_TEXT_MAX, DEPTH_MAX);
	const char *p = pattern_member(j, "verification-pattern");

	if (p)
		(void)snprintf(ret, 65, "%s", p);
	return p;
}

int luks_pattern_format(const char *old, const char *pattern, struct blob *ret, struct err *e)
{
	AUTO_JSON json_object *o = old ? json_read(old, LUKS_TOKEN_TEXT_MAX, DEPTH_MAX) : NULL;
	AUTO_JSON json_object *j = json_object_new_object();
	const char *integrity = pattern_member(o, "integrity-verification-pattern");

	if (!add_text(j, "type", LUKS_PATTERN_TYPE) || !add(j, "keyslots", json_object_new_array()) ||
	    !add_text(j, "verification-pattern", pattern) ||
	    (integrity && !add_text(j, "integrity-verification-pattern", integrity)))
		return err_nomem(e);
	return to_text(j, ret, e);
}

size_t luks_json_size(const char *text)
{
	AUTO_JSON json_object *j = json_read(text, JSON_MAX, JSON_DEPTH);
	const char *plain = j ? json_object_to_json_string_ext(j, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
			      : NULL;

	return plain ? strlen(plain) : strlen(text);
}

/* The lowest-numbered segment that is encrypted and no backup of a re-encryption. */
static const char *first_segment(json_object *segments)
{
	const char *first = NULL;

	json_object_object_foreach(segments, id, s) {
		const char *type = json_object_is_type(s, json_type_object) ? json_text(s, "type") : NULL;

		if (type && !strcmp(type, "crypt") && !json_object_object_get_ex(s, "flags", NULL) &&
		    is_of(id, "0123456789", 9) && (!first || strtol(id, NULL, 10) < strtol(first, NULL, 10)))
			first = id;
	}
	return first;
}

static bool has_string(json_object *array, const char *s)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		json_object *o = json_object_array_get_idx(array, i);

		if (json_object_is_type(o, json_type_string) && !strcmp(json_object_get_string(o), s))
			return true;
	}
	return false;
}

static json_object *digest_of(json_object *digests, const char *segment)
{
	json_object *a;

	json_object_object_foreach(digests, id, d) {
		(void)id;
		if (json_object_is_type(d, json_type_object) && json_object_object_get_ex(d, "segments", &a) &&
		    json_object_is_type(a, json_type_array) && has_string(a, segment))
			return d;
	}
	return NULL;
}

static int binding_format(const char *uuid, const struct blob *salt, const struct blob *digest, struct blob *ret,
			  struct err *e)
{
	enum { TAG = sizeof(BINDING_TAG) - 1 };
	unsigned char *p;
	int r = blob_alloc(ret, TAG + UUID_LEN + 2 + salt->len + 2 + digest->len, e);

	if (r < 0)
		return r;
	p = ret->data;
	memcpy(p, BINDING_TAG, TAG);
	memcpy(p + TAG, uuid, UUID_LEN);
	p += TAG + UUID_LEN;
	be_put(p, salt->len, 2);
	memcpy(p + 2, salt->data, salt->len);
	p += 2 + salt->len;
	be_put(p, digest->len, 2);
	memcpy(p + 2, digest->data, digest->len);
	return 0;
}

static int decode_member(json_object *j, const char *key, struct blob *ret, struct err *e)
{
	const char *s = json_text(j, key);

	if (!s || !*s || strlen(s) > DIGEST_MAX)
		return err_set(e, EBADMSG, "the volume key's digest has no valid '%s'", key);
	return base64_decode(s, strlen(s), ret, e);
}

int luks_binding(const char *text, const char *uuid, struct blob *ret, struct err *e)
{
	AUTO_JSON json_object *j = json_read(text, JSON_MAX, JSON_DEPTH);
	AUTO_BLOB struct blob salt = { 0 }, digest = { 0 };
	json_object *segments, *digests, *d = NULL;
	const char *first = NULL;
	int r;

	if (!uuid || strlen(uuid) != UUID_LEN)
		return err_set(e, EBADMSG, "the volume has no valid UUID");
	if (j && json_object_object_get_ex(j, "segments", &segments) && json_object_is_type(segments, json_type_object) &&
	    json_object_object_get_ex(j, "digests", &digests) && json_object_is_type(digests, json_type_object))
		first = first_segment(segments);
	if (first)
		d = digest_of(digests, first);
	if (!d)
		return err_set(e, EBADMSG, "the volume's header names no digest of its volume key");
	r = decode_member(d, "salt", &salt, e);
	if (r == 0)
		r = decode_member(d, "digest", &digest, e);
	return r < 0 ? r : binding_format(uuid, &salt, &digest, ret, e);
}
