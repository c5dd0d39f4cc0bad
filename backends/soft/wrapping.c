// SPDX-License-Identifier: MIT
#include "keys.h"

#include <errno.h>
#include <string.h>

#include "access.h"
#include "lib/blob.h"
#include "lib/err.h"

static const char current_label[] = "default-wrapping-key", old_prefix[] = "wrapping-key-";

enum { OLD_ID_BYTES = 4 };	/* of the id, in the label of a wrapping key that is no longer current */

static struct object_name name_of(const char *label)
{
	return (struct object_name){ CONSUMER_OS, (const unsigned char *)label, strlen(label) };
}

bool wrapping_is_current(const struct object_name *n)
{
	const struct object_name current = name_of(current_label);

	return object_name_compare(n, &current) == 0;
}

bool wrapping_owns_label(const struct object_name *n)
{
	size_t old = strlen(old_prefix);

	return wrapping_is_current(n) ||
	       (n->consumer == CONSUMER_OS && n->len >= old && !memcmp(n->label, old_prefix, old));
}

static int wrapping_id(const unsigned char *key, unsigned char ret[16], struct err *e)
{
	return crypto_hkdf(key, CRYPTO_KEY, "", 0, "hwkey-tok/1 id", 14, ret, 16, e);
}

static enum wrapping_state state_of(const struct record *rec)
{
	if (rec->revoked)
		return WRAPPING_REVOKED;
	if (!wrapping_owns_label(&rec->name))
		return WRAPPING_ACTIVE;
	return wrapping_is_current(&rec->name) ? WRAPPING_CURRENT : WRAPPING_OLD;
}

int wrapping_from(const struct record *rec, struct wrapping *ret, struct err *e)
{
	if (!(rec->policy & POLICY_WRAPPINGKEY) || rec->len != CRYPTO_KEY)
		return err_set(e, EBADMSG, "a wrapping key of the keystore is malformed");
	*ret = (struct wrapping){ .name = rec->name, .key = rec->data, .since = rec->generation, .state = state_of(rec),
				  .policy = rec->policy & ~(uint32_t)POLICY_WRAPPINGKEY };
	return wrapping_id(rec->data, ret->id, e);
}

int wrapping_current(const struct store *s, struct wrapping *ret, struct err *e)
{
	const struct object_name n = name_of(current_label);
	struct record rec;

	return objects_find(&s->objects, &n, &rec) ? wrapping_from(&rec, ret, e) : -ENOENT;
}

int wrapping_find(const struct store *s, const unsigned char *id, size_t len, struct wrapping *ret, struct err *e)
{
	struct record rec;

	for (size_t at = 0; objects_next(&s->objects, &at, &rec);) {
		struct wrapping w;
		int r;

		if (!(rec.policy & POLICY_WRAPPINGKEY))
			continue;
		r = wrapping_from(&rec, &w, e);
		if (r < 0)
			return r;
		if (!memcmp(w.id, id, len)) {
			*ret = w;
			return 0;
		}
	}
	return -ENOENT;
}

static int check_revoked(const struct wrapping *w, struct err *e)
{
	int len = (int)w->name.len;

	if (w->state != WRAPPING_REVOKED)
		return 0;
	return err_set(e, EKEYREVOKED, "wrapping key '%.*s' is revoked: 'hwkey pks-genkey --unrevoke %.*s' lets it be used",
		       len, w->name.label, len, w->name.label);
}

static int find_label(const struct store *s, const char *label, struct wrapping *ret, struct err *e)
{
	const struct object_name n = name_of(label);
	struct record rec;
	int r;

	if (!objects_find(&s->objects, &n, &rec))
		return err_set(e, ENOKEY, "no wrapping key '%s': 'hwkey pks-genkey' makes one", label);
	if (!(rec.policy & POLICY_WRAPPINGKEY))
		return err_set(e, EINVAL, "object '%s' is no wrapping key", label);
	r = wrapping_from(&rec, ret, e);
	return r < 0 ? r : check_revoked(ret, e);
}

/* One that was chosen by name stays chosen; else it is the keystore's current one. */
static int find_like(const struct store *s, const struct blob *token, struct wrapping *ret, struct err *e)
{
	struct token t;
	int r = token_parse(token->data, token->len, &t, e);

	if (r == 0)
		r = wrapping_find(s, t.wrapping_key, sizeof(t.wrapping_key), ret, e);
	if (r == -ENOENT)
		return err_set(e, ENOKEY, "the wrapping key that it is to be under is gone");
	if (r == 0)
		r = check_revoked(ret, e);
	return r < 0 || ret->state == WRAPPING_ACTIVE ? r : wrapping_current(s, ret, e);
}

int wrapping_choose(const struct store *s, const struct wrap_params *p, struct wrapping *ret, struct err *e)
{
	if (p && p->like)
		return find_like(s, p->like, ret, e);
	if (p && p->wrapping_key && strcmp(p->wrapping_key, current_label) != 0)
		return find_label(s, p->wrapping_key, ret, e);
	return wrapping_current(s, ret, e);
}

static int add(struct store *s, const struct object_name *n, uint32_t policy, const unsigned char *key, struct err *e)
{
	const struct record rec = { .name = *n, .policy = policy | POLICY_WRAPPINGKEY,
				    .generation = s->now.generation + 1, .data = key, .len = CRYPTO_KEY };

	return objects_add(&s->objects, &rec, e);
}

/* The current one gets the label of an old one. */
static int retire(struct store *s, const struct wrapping *w, struct err *e)
{
	AUTO_SECRET struct secret key = { 0 };
	const struct object_name now = name_of(current_label);
	char label[sizeof(old_prefix) + 2 * OLD_ID_BYTES];
	struct object_name old;
	int r = secret_copy(&key, w->key, CRYPTO_KEY, e);

	if (r < 0)
		return r;
	memcpy(label, old_prefix, sizeof(old_prefix));
	hex_encode(w->id, OLD_ID_BYTES, label + strlen(old_prefix));
	old = name_of(label);
	objects_remove(&s->objects, &now);
	return add(s, &old, 0, key.data, e);
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

int wrapping_add(struct store *s, const struct object_name *n, uint32_t policy, struct err *e)
{
	AUTO_SECRET struct secret key = { 0 };
	int r = key_new(s, &key, e);

	return r < 0 ? r : add(s, n, policy, key.data, e);
}

int wrapping_renew(struct store *s, struct err *e)
{
	const struct object_name now = name_of(current_label);
	struct wrapping old;
	int r = wrapping_current(s, &old, e);

	if (r == 0)
		r = retire(s, &old, e);
	return r < 0 && r != -ENOENT ? r : wrapping_add(s, &now, 0, e);
}

int wrapping_commit(struct store *s, const struct wrapping *w, struct err *e)
{
	int r = 0;

	while (r == 0 && w->since >= s->now.generation)
		r = store_commit(s, e);
	return r;
}

int wrapping_ensure(struct store *s, const struct wrap_params *p, struct wrapping *ret, struct err *e)
{
	int r = wrapping_choose(s, p, ret, e);

	if (r == -ENOENT) {
		r = wrapping_renew(s, e);
		if (r == 0)
			r = wrapping_choose(s, p, ret, e);
	}
	return r < 0 ? r : wrapping_commit(s, ret, e);
}

int wrapping_open(struct store *ret, const struct device *dev, const struct wrap_params *p, struct wrapping *ret_wrapping,
		  struct err *e)
{
	unsigned create = p && (p->wrapping_key || p->like) ? 0 : STORE_CREATE;
	AUTO_STORE struct store s = STORE_CLOSED;
	struct wrapping w;
	int r = store_open(&s, dev, STORE_KEYS, e);

	if (r == 0)
		r = wrapping_choose(&s, p, &w, e);
	if (r == 0 ? w.since >= s.now.generation : r == -ENOENT) {
		store_done(&s);
		r = store_open(&s, dev, STORE_KEYS | STORE_WRITE | create, e);
		if (r == 0)
			r = wrapping_ensure(&s, p, &w, e);
	}
	if (r < 0)
		return r;
	*ret_wrapping = w;
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

	r = access_wrapping(s, w->policy | t.policy, e);
	if (r < 0)
		return r;
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
		return r < 0 ? r : check_revoked(ret, e);
	hex_encode(t->partition, UUID_SIZE, hex);
	if (memcmp(t->partition, s->now.partition, UUID_SIZE) != 0)
		return err_set(e, EBADMSG, "sealed by another keystore (partition %s)", hex);
	return err_set(e, EBADMSG, "sealed by this keystore (partition %s) with a wrapping key that is not in it: "
		       "removed, or was an older copy of it restored?", hex);
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
	if (r == 0)
		r = access_wrapping(s, w.policy | t.policy, e);
	if (r < 0)
		return r;
	clear.len = t.payload_len;
	*ret = TAKE(clear);
	if (ret_under)
		*ret_under = w;
	return 0;
}
