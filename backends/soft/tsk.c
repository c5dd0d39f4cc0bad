// SPDX-License-Identifier: MIT
#include "tsk.h"

#include <errno.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/secret.h"
#include "root.h"

int tsk_parse(const struct secret *given, unsigned char ret[TSK_KEY], struct err *e)
{
	size_t len = given->len;

	if (len == TSK_KEY) {
		secret_bytes_copy(ret, given->data, TSK_KEY);
		return 0;
	}
	len -= len == 2 * TSK_KEY + 1 && given->data[len - 1] == '\n';
	if (len == 2 * TSK_KEY && hex_decode((const char *)given->data, len, ret) == 0)
		return 0;
	explicit_bzero(ret, TSK_KEY);
	return err_set(e, EINVAL, "not a trusted system key: that has %d bytes, or %d hexadecimal digits", TSK_KEY,
		       2 * TSK_KEY);
}

int tsk_id(const unsigned char key[TSK_KEY], unsigned char ret[TSK_ID], struct err *e)
{
	return crypto_hkdf(key, TSK_KEY, "", 0, "hwkey-pks/1 tsk-id", 18, ret, TSK_ID, e);
}

int tsk_compare(const unsigned char id[TSK_ID], const struct secret *given, struct err *e)
{
	unsigned char tsk[TSK_KEY], own[TSK_ID];
	int r = tsk_parse(given, tsk, e);

	if (r == 0)
		r = tsk_id(tsk, own, e);
	explicit_bzero(tsk, sizeof(tsk));
	return r == 0 && memcmp(id, own, TSK_ID) != 0 ? err_set(e, EACCES, "another trusted system key") : r;
}

struct wrapping {
	unsigned char id[TSK_ID], key[CRYPTO_KEY], aad[UUID_SIZE + ROOT_ID + 8];
};

static int wrapping_of(const struct slot *s, const struct secret *given, struct wrapping *ret, struct err *e)
{
	unsigned char tsk[TSK_KEY];
	int r = tsk_parse(given, tsk, e);

	if (r == 0)
		r = tsk_id(tsk, ret->id, e);
	if (r == 0)
		r = crypto_hkdf(tsk, TSK_KEY, s->salt, sizeof(s->salt), "hwkey-rtk/1 tsk", 15, ret->key, CRYPTO_KEY, e);
	explicit_bzero(tsk, sizeof(tsk));
	memcpy(ret->aad, s->system, UUID_SIZE);
	memcpy(ret->aad + UUID_SIZE, s->root_id, ROOT_ID);
	be_put(ret->aad + UUID_SIZE + ROOT_ID, s->epoch, 8);
	return r;
}

int tsk_wrap(const struct slot *s, const unsigned char root[ROOT_KEY], const struct secret *given, unsigned char *ret,
	     size_t *ret_len, struct err *e)
{
	struct wrapping w;
	int r = wrapping_of(s, given, &w, e);

	if (r == 0)
		r = crypto_seal(w.key, s->nonce, w.aad, sizeof(w.aad), root, ROOT_KEY, ret + TSK_ID,
				ret + TSK_ID + ROOT_KEY, e);
	explicit_bzero(w.key, sizeof(w.key));
	if (r < 0)
		return r;
	memcpy(ret, w.id, TSK_ID);
	*ret_len = TSK_PAYLOAD;
	return 0;
}

int tsk_unwrap(const struct slot *s, const struct secret *given, unsigned char ret_root[ROOT_KEY], struct err *e)
{
	const unsigned char *p = s->payload;
	struct wrapping w;
	int r = wrapping_of(s, given, &w, e);

	if (r == 0)
		r = tsk_compare(p, given, e);
	if (r == 0)
		r = crypto_open(w.key, s->nonce, w.aad, sizeof(w.aad), p + TSK_ID, ROOT_KEY, p + TSK_ID + ROOT_KEY,
				ret_root, e);
	explicit_bzero(w.key, sizeof(w.key));
	return r;
}

int tsk_slot_read(int dir, const struct session *session, struct blob *ret_file, unsigned char ret_id[TSK_ID],
		  struct err *e)
{
	const struct soft_slot *row = root_slot_find("tsk");
	AUTO_BLOB struct blob file = { 0 };
	struct slot s;
	int r = file_read_at(dir, row->file, SLOT_MAX, &file, e);

	if (r == -ENOENT)
		return err_set(e, ENOENT, "keystore has no trusted system key");
	if (r == 0)
		r = slot_parse(file.data, file.len, &s, e);
	if (r == 0 && s.type != row->type)
		r = err_set(e, EBADMSG, "of another type than its name says");
	if (r == 0)
		r = slot_verify(file.data, &s, session->root, e);
	if (r == 0 && (s.epoch != session->epoch || memcmp(s.system, session->system, UUID_SIZE) != 0))
		r = err_set(e, EBADMSG, "of another keystore, or of an earlier root key");
	if (r < 0)
		return err_prefix(e, "root-key slot '%s'", row->file);
	memcpy(ret_id, s.payload, TSK_ID);
	if (ret_file)
		*ret_file = TAKE(file);
	return 0;
}
