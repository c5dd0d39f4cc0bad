// SPDX-License-Identifier: MIT
#include "slot.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/secret.h"
#include "anchor.h"
#include "source.h"
#include "tsk.h"

enum { LEN_AT = 108, CHECKSUM_AT = 112, ZERO_AT = 144, TAG_AT = 240 };

static const unsigned char magic[8] = { 'H', 'W', 'K', 'E', 'Y', 'R', 'T', 'K' };

/* OWASP's scrypt parameters with the smaller memory: 64 MiB. */
const struct slot_cost slot_cost_default = { .log_n = 16, .r = 8, .p = 2 };

/* Bounds what a hostile file can make us compute. */
static bool cost_is_good(const struct slot_cost *c, enum slot_type type)
{
	if (type != SLOT_PASSPHRASE)
		return c->log_n == 0 && c->r == 0 && c->p == 0;
	return c->log_n >= 1 && c->log_n <= 20 && c->r >= 1 && c->r <= 16 && c->p >= 1 && c->p <= 4;
}

int root_id(const unsigned char root[ROOT_KEY], unsigned char ret[ROOT_ID], struct err *e)
{
	return crypto_hkdf(root, ROOT_KEY, "", 0, "hwkey-pks/1 root-id", 19, ret, ROOT_ID, e);
}

/* SHA-256 of the file with the checksum as zeros. DATA is SLOT_MAX bytes at most; the copy may hold a clear root key. */
static int checksum(const unsigned char *data, size_t len, unsigned char ret[CRYPTO_HASH], struct err *e)
{
	unsigned char copy[SLOT_MAX];
	int r;

	secret_bytes_copy(copy, data, len);
	memset(copy + CHECKSUM_AT, 0, CRYPTO_HASH);
	r = crypto_sha256(copy, len, ret, e);
	explicit_bzero(copy, len);
	return r;
}

static bool header_is_good(const unsigned char *p)
{
	return !memcmp(p, magic, 8) && be_get(p + 8, 2) == 1 && be_get(p + 10, 2) == SLOT_HEADER &&
	       be_get(p + 12, 2) >= SLOT_PLAIN && be_get(p + 12, 2) < SLOT_TYPES && be_get(p + 14, 2) == 1 &&
	       be_get(p + 62, 2) == 0 && bytes_are_zero(p + ZERO_AT, TAG_AT - ZERO_AT);
}

static void header_decode(const unsigned char *p, struct slot *s)
{
	s->type = (enum slot_type)be_get(p + 12, 2);
	memcpy(s->system, p + 16, UUID_SIZE);
	memcpy(s->root_id, p + 32, ROOT_ID);
	s->epoch = be_get(p + 48, 8);
	s->cost.log_n = (unsigned)be_get(p + 56, 2);
	s->cost.r = (unsigned)be_get(p + 58, 2);
	s->cost.p = (unsigned)be_get(p + 60, 2);
	memcpy(s->salt, p + 64, sizeof(s->salt));
	memcpy(s->nonce, p + 96, CRYPTO_NONCE);
	s->payload_len = be_get(p + LEN_AT, 4);
	memcpy(s->tag, p + TAG_AT, CRYPTO_TAG);
	s->payload = p + SLOT_HEADER;
}

static void header_encode(const struct slot *s, unsigned char *p)
{
	memset(p, 0, SLOT_HEADER);
	memcpy(p, magic, 8);
	be_put(p + 8, 1, 2);
	be_put(p + 10, SLOT_HEADER, 2);
	be_put(p + 12, s->type, 2);
	be_put(p + 14, 1, 2);
	memcpy(p + 16, s->system, UUID_SIZE);
	memcpy(p + 32, s->root_id, ROOT_ID);
	be_put(p + 48, s->epoch, 8);
	be_put(p + 56, s->cost.log_n, 2);
	be_put(p + 58, s->cost.r, 2);
	be_put(p + 60, s->cost.p, 2);
	memcpy(p + 64, s->salt, sizeof(s->salt));
	memcpy(p + 96, s->nonce, CRYPTO_NONCE);
	be_put(p + LEN_AT, s->payload_len, 4);
}

static int plain_wrap(const struct slot *s, const unsigned char *root, const struct secret *given, unsigned char *ret,
		      size_t *ret_len, struct err *e)
{
	(void)s, (void)given, (void)e;
	secret_bytes_copy(ret, root, ROOT_KEY);
	*ret_len = ROOT_KEY;
	return 0;
}

static int plain_unwrap(const struct slot *s, const struct secret *given, unsigned char *ret_root, struct err *e)
{
	(void)given, (void)e;
	secret_bytes_copy(ret_root, s->payload, ROOT_KEY);
	return 0;
}

/* The passphrase's own tag is the slot's: it is opened apart. */
static const struct slot_kind kinds[SLOT_TYPES] = {
	[SLOT_PLAIN] = { plain_wrap, plain_unwrap, ROOT_KEY },
	[SLOT_PASSPHRASE] = { .payload = ROOT_KEY },
	[SLOT_TSK] = { tsk_wrap, tsk_unwrap, TSK_PAYLOAD },
	[SLOT_TPM2] = { source_wrap, source_unwrap, 0 },
	[SLOT_ANCHOR] = { anchor_wrap, anchor_unwrap, 0 },
	[SLOT_HALF] = { tsk_wrap, tsk_unwrap, TSK_PAYLOAD },
};

int slot_parse(const void *data, size_t len, struct slot *ret, struct err *e)
{
	const unsigned char *p = data;
	unsigned char sum[CRYPTO_HASH];
	struct slot s = { 0 };
	int r;

	if (len < SLOT_HEADER || len > SLOT_MAX || !header_is_good(p))
		return err_set(e, EBADMSG, "not a root-key slot");
	header_decode(p, &s);
	if (s.payload_len < 1 || s.payload_len > SLOT_PAYLOAD_MAX || len != SLOT_HEADER + s.payload_len)
		return err_set(e, EBADMSG, "cut or of a wrong length");
	if (!cost_is_good(&s.cost, s.type) || (kinds[s.type].payload && s.payload_len != kinds[s.type].payload))
		return err_set(e, EBADMSG, "impossible parameters");
	r = checksum(p, len, sum, e);
	if (r < 0)
		return r;
	if (memcmp(sum, p + CHECKSUM_AT, CRYPTO_HASH) != 0)
		return err_set(e, EBADMSG, "damaged");
	*ret = s;
	return 0;
}

bool slot_whole_len(const void *data, size_t len, size_t *ret)
{
	size_t n;

	if (len < SLOT_HEADER || !header_is_good(data))
		return false;
	n = SLOT_HEADER + be_get((const unsigned char *)data + LEN_AT, 4);
	*ret = n;
	return n <= SLOT_MAX && n <= len;
}

/* What the tag covers: of the file, with checksum and tag as zeros. */
static size_t aad_copy(const struct slot *s, const unsigned char *file, unsigned char ret[SLOT_MAX])
{
	size_t len = s->type <= SLOT_PASSPHRASE ? TAG_AT : SLOT_HEADER + s->payload_len;

	memcpy(ret, file, len);
	memset(ret + CHECKSUM_AT, 0, CRYPTO_HASH);
	if (len > TAG_AT)
		memset(ret + TAG_AT, 0, CRYPTO_TAG);
	return len;
}

static int header_key(const struct slot *s, const unsigned char *root, unsigned char ret[CRYPTO_KEY], struct err *e)
{
	return crypto_hkdf(root, ROOT_KEY, s->salt, sizeof(s->salt), "hwkey-rtk/1 header", 18, ret, CRYPTO_KEY, e);
}

static int passphrase_key(const struct slot *s, const struct secret *passphrase, unsigned char ret[CRYPTO_KEY],
			  struct err *e)
{
	return crypto_scrypt(passphrase, s->salt, sizeof(s->salt), s->cost.log_n, s->cost.r, s->cost.p, ret, e);
}

/* Header, payload, tag and checksum at P. */
static int slot_protect(struct slot *s, const unsigned char *root, const struct secret *given, unsigned char *p,
			struct err *e)
{
	unsigned char key[CRYPTO_KEY], aad[SLOT_MAX];
	bool encrypts = s->type == SLOT_PASSPHRASE;
	int r = 0;

	s->payload_len = ROOT_KEY;
	if (!encrypts)
		r = kinds[s->type].wrap(s, root, given, p + SLOT_HEADER, &s->payload_len, e);
	if (r < 0)
		return r;
	header_encode(s, p);
	r = encrypts ? passphrase_key(s, given, key, e) : header_key(s, root, key, e);
	if (r == 0)
		r = crypto_seal(key, s->nonce, aad, aad_copy(s, p, aad), root, encrypts ? ROOT_KEY : 0, p + SLOT_HEADER,
				p + TAG_AT, e);
	explicit_bzero(key, sizeof(key));
	return r < 0 ? r : checksum(p, SLOT_HEADER + s->payload_len, p + CHECKSUM_AT, e);
}

int slot_make(const struct slot *s, const unsigned char root[ROOT_KEY], const struct secret *given, struct secret *ret,
	      struct err *e)
{
	AUTO_SECRET struct secret file = { 0 };
	struct slot full = *s;
	int r;

	if (s->type != SLOT_PASSPHRASE && !kinds[s->type].wrap)
		return err_set(e, EOPNOTSUPP, "this type of root-key slot cannot be made yet");
	r = root_id(root, full.root_id, e);
	if (r == 0)
		r = random_bytes(full.salt, sizeof(full.salt), e);
	if (r == 0)
		r = random_bytes(full.nonce, sizeof(full.nonce), e);
	if (r == 0)
		r = secret_alloc(&file, SLOT_MAX, e);
	if (r == 0)
		r = slot_protect(&full, root, given, file.data, e);
	if (r < 0)
		return r;
	file.len = SLOT_HEADER + full.payload_len;
	*ret = TAKE(file);
	return 0;
}

int slot_verify(const void *data, const struct slot *s, const unsigned char root[ROOT_KEY], struct err *e)
{
	unsigned char key[CRYPTO_KEY], aad[SLOT_MAX], id[ROOT_ID];
	int r = root_id(root, id, e);

	if (r == 0 && !crypto_equal(id, s->root_id, ROOT_ID))
		return err_set(e, EBADMSG, "holds another key than it says");
	if (r < 0 || s->type == SLOT_PASSPHRASE)
		return r;
	r = header_key(s, root, key, e);
	if (r == 0)
		r = crypto_open(key, s->nonce, aad, aad_copy(s, data, aad), NULL, 0, s->tag, NULL, e);
	explicit_bzero(key, sizeof(key));
	return r == -EBADMSG ? err_set(e, EBADMSG, "tampered with") : r;
}

static int passphrase_open(const void *data, const struct slot *s, const struct secret *passphrase, unsigned char *ret_root,
			   struct err *e)
{
	unsigned char key[CRYPTO_KEY], aad[SLOT_MAX];
	int r = passphrase_key(s, passphrase, key, e);

	if (r == 0)
		r = crypto_open(key, s->nonce, aad, aad_copy(s, data, aad), s->payload, ROOT_KEY, s->tag, ret_root, e);
	explicit_bzero(key, sizeof(key));
	return r == -EBADMSG ? err_set(e, EACCES, "wrong passphrase") : r;
}

int slot_open(const void *data, const struct slot *s, const struct secret *given, unsigned char ret_root[ROOT_KEY],
	      struct err *e)
{
	int r;

	if (s->type == SLOT_PASSPHRASE)
		r = passphrase_open(data, s, given, ret_root, e);
	else if (kinds[s->type].unwrap)
		r = kinds[s->type].unwrap(s, given, ret_root, e);
	else
		return err_set(e, EOPNOTSUPP, "root-key slots of type %u cannot be opened yet", s->type);
	if (r == 0)
		r = slot_verify(data, s, ret_root, e);
	if (r < 0)
		explicit_bzero(ret_root, ROOT_KEY);
	return r;
}
