// SPDX-License-Identifier: MIT
#include "keys.h"

#include <errno.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/err.h"

static const char current_label[] = "default-wrapping-key", old_prefix[] = "wrapping-key-";

enum { OLD_ID_BYTES = 4 };	/* of the id, in the label of a wrapping key that is no longer current */

static struct object_name name_of(const char *label)
{
	return (struct object_name){ CONSUMER_OS, (const unsigned char *)label, strlen(label) };
}

bool wrapping_owns_label(const struct object_name *n)
{
	size_t current = strlen(current_label), old = strlen(old_prefix);

	return n->consumer == CONSUMER_OS && ((n->len == current && !memcmp(n->label, current_label, current)) ||
					      (n->len >= old && !memcmp(n->label, old_prefix, old)));
}

static int wrapping_id(const unsigned char *key, unsigned char ret[16], struct err *e)
{
	return crypto_hkdf(key, CRYPTO_KEY, "", 0, "hwkey-tok/1 id", 14, ret, 16, e);
}

static int from_record(const struct record *rec, struct wrapping *ret, struct err *e)
{
	const struct object_name current = name_of(current_label);

	if (!(rec->policy & POLICY_WRAPPINGKEY) || rec->len != CRYPTO_KEY)
		return err_set(e, EBADMSG, "a wrapping key of the keystore is malformed");
	ret->key = rec->data;
	ret->since = rec->generation;
	ret->current = rec->name.len == current.len && !memcmp(rec->name.label, current.label, current.len);
	return wrapping_id(rec->data, ret->id, e);
}

int wrapping_current(const struct store *s, struct wrapping *ret, struct err *e)
{
	const struct object_name current = name_of(current_label);
	struct record rec;

	return objects_find(&s->objects, &current, &rec) ? from_record(&rec, ret, e) : -ENOENT;
}

int wrapping_find(const struct store *s, const unsigned char *id, size_t len, struct wrapping *ret, struct err *e)
{
	struct record rec;

	for (size_t at = 0; objects_next(&s->objects, &at, &rec);) {
		struct wrapping w;
		int r;

		if (!(rec.policy & POLICY_WRAPPINGKEY))
			continue;
		r = from_record(&rec, &w, e);
		if (r < 0)
			return r;
		if (!memcmp(w.id, id, len)) {
			*ret = w;
			return 0;
		}
	}
	return -ENOENT;
}

static int add(struct store *s, const char *label, const unsigned char *key, struct err *e)
{
	const struct record rec = { .name = name_of(label), .policy = POLICY_WRAPPINGKEY,
				    .generation = s->now.generation + 1, .data = key, .len = CRYPTO_KEY };

	return objects_add(&s->objects, &rec, e);
}

/* The current one gets the label of an old one. */
static int retire(struct store *s, const struct wrapping *w, struct err *e)
{
	AUTO_SECRET struct secret key = { 0 };
	const struct object_name current = name_of(current_label);
	char label[sizeof(old_prefix) + 2 * OLD_ID_BYTES];
	int r = secret_copy(&key, w->key, CRYPTO_KEY, e);

	if (r < 0)
		return r;
	memcpy(label, old_prefix, sizeof(old_prefix));
	hex_encode(w->id, OLD_ID_BYTES, label + strlen(old_prefix));
	objects_remove(&s->objects, &current);
	return add(s, label, key.data, e);
}

/* A random key whose short id no other one has, so that its label will be free when it retires. */
static int key_new(const struct store *s, struct secret *ret, struct err *e)
{
	unsigned char id[16];
	struct wrapping other;
	int r;

	do {
		secret_done(ret);
		r = secret_random(ret, CRYPTO_KEY, e);
		if (r == 0)
			r = wrapping_id(ret->data, id, e);
		if (r == 0)
			r = wrapping_find(s, id, OLD_ID_BYTES, &other, e);
	} while (r == 0);
	return r == -ENOENT ? 0 : r;
}

int wrapping_renew(struct store *s, struct err *e)
{
	AUTO_SECRET struct secret key = { 0 };
	struct wrapping old;
	int r = key_new(s, &key, e);

	if (r < 0)
		return r;
	r = wrapping_current(s, &old, e);
	if (r == 0)
		r = retire(s, &old, e);
	else if (r == -ENOENT)
		r = 0;
	return r < 0 ? r : add(s, current_label, key.data, e);
}

int wrapping_commit(struct store *s, struct err *e)
{
	struct wrapping w;
	int r = wrapping_current(s, &w, e);

	while (r == 0 && w.since >= s->now.generation) {
		r = store_commit(s, e);
		if (r == 0)
			r = wrapping_current(s, &w, e);
	}
	return r;
}

/* A store opened for writing gets its first wrapping key, unless another process was faster. */
static int ensure_current(struct store *s, struct err *e)
{
	struct wrapping w;
	int r = wrapping_current(s, &w, e);

	if (r == -ENOENT)
		r = wrapping_renew(s, e);
	return r < 0 ? r : wrapping_commit(s, e);
}

int wrapping_open(struct store *ret, const struct device *dev, struct wrapping *ret_current, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct wrapping w;
	int r = store_open(&s, dev, STORE_KEYS, e);

	if (r == 0)
		r = wrapping_current(&s, &w, e);
	if (r == 0 ? w.since >= s.now.generation : r == -ENOENT) {
		store_done(&s);
		r = store_open(&s, dev, STORE_KEYS | STORE_WRITE | STORE_CREATE, e);
		if (r == 0)
			r = ensure_current(&s, e);
		if (r == 0)
			r = wrapping_current(&s, &w, e);
	}
	if (r < 0)
		return r;
	*ret_current = w;
	*ret = s;
	s = (struct store)STORE_CLOSED;
	return 0;
}

/* --- tokens ------------------------------------------------------------------------------------------------------ */

static const unsigned char nonce[CRYPTO_NONCE];		/* zeros: a token's key is used once */

static int token_key(const struct token *t, const struct wrapping *w, unsigned char ret[CRYPTO_KEY], struct err *e)
{
	return crypto_hkdf(w->key, CRYPTO_KEY, t->salt, sizeof(t->salt), "hwkey-tok/1 wrap", 16, ret, CRYPTO_KEY, e);
}

static int token_aad(const void *header, const struct blob *binding, struct blob *ret, struct err *e)
{
	size_t more = binding ? binding->len : 0;
	int r = blob_alloc(ret, TOKEN_HEADER + more, e);

	if (r < 0)
		return r;
	memcpy(ret->data, header, TOKEN_HEADER);
	if (more)
		memcpy(ret->data + TOKEN_HEADER, binding->data, more);
	return 0;
}

int token_wrap(const struct store *s, const struct wrapping *w, const struct token *like, const struct secret *clear,
	       const struct blob *binding, struct blob *ret, struct err *e)
{
	AUTO_BLOB struct blob b = { 0 }, aad = { 0 };
	unsigned char key[CRYPTO_KEY];
	struct token t = *like;
	int r;

	if (clear->len < 1 || clear->len > TOKEN_PAYLOAD_MAX)
		return err_set(e, clear->len ? EFBIG : EINVAL, "cannot seal %zu bytes: 1 to %d fit", clear->len,
			       TOKEN_PAYLOAD_MAX);
	t.payload_len = clear->len;
	memcpy(t.partition, s->now.partition, UUID_SIZE);
	memcpy(t.wrapping_key, w->id, sizeof(t.wrapping_key));
	r = random_bytes(t.salt, sizeof(t.salt), e);
	if (r == 0)
		r = blob_alloc(&b, TOKEN_HEADER + clear->len + TOKEN_TAG, e);
	if (r < 0)
		return r;
	token_format_header(&t, b.data);
	r = token_aad(b.data, binding, &aad, e);
	if (r == 0)
		r = token_key(&t, w, key, e);
	if (r == 0)
		r = crypto_seal(key, nonce, aad.data, aad.len, clear->data, clear->len, b.data + TOKEN_HEADER,
				b.data + TOKEN_HEADER + clear->len, e);
	explicit_bzero(key, sizeof(key));
	if (r < 0)
		return r;
	*ret = TAKE(b);
	return 0;
}

/* The wrapping key decides: one that was imported opens what was wrapped where it came from. */
static int check_origin(const struct store *s, const struct token *t, enum token_kind kind, struct wrapping *ret,
			struct err *e)
{
	char hex[2 * UUID_SIZE + 1];
	int r;

	if (t->kind != kind)
		return err_set(e, EBADMSG, "%s", kind == TOKEN_KEY ? "sealed data, not a key" : "a key, not sealed data");
	r = wrapping_find(s, t->wrapping_key, sizeof(t->wrapping_key), ret, e);
	if (r != -ENOENT)
		return r;
	hex_encode(t->partition, UUID_SIZE, hex);
	if (memcmp(t->partition, s->now.partition, UUID_SIZE) != 0)
		return err_set(e, EBADMSG, "sealed by another keystore (partition %s)", hex);
	return err_set(e, EBADMSG, "sealed by this keystore (partition %s) with a wrapping key that is not in it: "
		       "was an older copy of it restored?", hex);
}

int token_unwrap(const struct store *s, const struct blob *token, enum token_kind kind, const struct blob *binding,
		 struct secret *ret, struct wrapping *ret_under, struct err *e)
{
	AUTO_SECRET struct secret clear = { 0 };
	AUTO_BLOB struct blob aad = { 0 };
	unsigned char key[CRYPTO_KEY];
	struct wrapping w;
	struct token t;
	int r = token_parse(token->data, token->len, &t, e);

	if (r == 0)
		r = check_origin(s, &t, kind, &w, e);
	if (r == 0)
		r = token_aad(token->data, binding, &aad, e);
	if (r == 0)
		r = secret_alloc(&clear, t.payload_len, e);
	if (r == 0)
		r = token_key(&t, &w, key, e);
	if (r < 0)
		return r;
	r = crypto_open(key, nonce, aad.data, aad.len, t.payload, t.payload_len, t.payload + t.payload_len, clear.data, e);
	explicit_bzero(key, sizeof(key));
	if (r == -EBADMSG)
		return err_set(e, EBADMSG, "%s", kind == TOKEN_KEY ? "token was tampered with"
								    : "tampered with, or sealed for another purpose");
	if (r < 0)
		return r;
	clear.len = t.payload_len;
	*ret = TAKE(clear);
	if (ret_under)
		*ret_under = w;
	return 0;
}
