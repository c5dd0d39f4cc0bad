// SPDX-License-Identifier: MIT
#include "slot.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/secret.h"

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
	       be_get(p + 12, 2) >= SLOT_PLAIN && be_get(p + 12, 2) <= SLOT_KERNEL_TRUSTED && be_get(p + 14, 2) == 1 &&
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
	if (!cost_is_good(&s.cost, s.type) || (s.type <= SLOT_PASSPHRASE && s.payload_len != ROOT_KEY))
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

/* The key that authenticates a slot's header: from the passphrase, or from the root key itself. */
static int slot_key(const struct slot *s, const unsigned char *root, const struct secret *passphrase,
		    unsigned char ret[CRYPTO_KEY], struct err *e)
{
	if (s->type == SLOT_PASSPHRASE)
		return crypto_scrypt(passphrase, s->salt, sizeof(s->salt), s->cost.log_n, s->cost.r, s->cost.p, ret, e);
	return crypto_hkdf(root, ROOT_KEY, s->salt, sizeof(s->salt), "hwkey-rtk/1 header", 18, ret, CRYPTO_KEY, e);
}

/* Encrypts or copies the root key behind the header at P, then sets tag and checksum. */
static int slot_protect(const struct slot *s, const unsigned char *root, const struct secret *passphrase, unsigned char *p,
			struct err *e)
{
	unsigned char key[CRYPTO_KEY];
	bool wrapped = s->type == SLOT_PASSPHRASE;
	int r = slot_key(s, root, passphrase, key, e);

	if (r == 0)
		r = crypto_seal(key, s->nonce, p, TAG_AT, root, wrapped ? ROOT_KEY : 0, p + SLOT_HEADER, p + TAG_AT, e);
	explicit_bzero(key, sizeof(key));
	if (r == 0 && !wrapped)
		secret_bytes_copy(p + SLOT_HEADER, root, ROOT_KEY);
	if (r == 0)
		r = checksum(p, SLOT_HEADER + ROOT_KEY, p + CHECKSUM_AT, e);
	return r;
}

int slot_make(const struct slot *s, const unsigned char root[ROOT_KEY], const struct secret *passphrase, struct secret *ret,
	      struct err *e)
{
	AUTO_SECRET struct secret file = { 0 };
	struct slot full = *s;
	int r;

	if (s->type != SLOT_PLAIN && s->type != SLOT_PASSPHRASE)
		return err_set(e, EOPNOTSUPP, "this type of root-key slot cannot be made yet");
	full.payload_len = ROOT_KEY;
	r = root_id(root, full.root_id, e);
	if (r == 0)
		r = random_bytes(full.salt, sizeof(full.salt), e);
	if (r == 0)
		r = random_bytes(full.nonce, sizeof(full.nonce), e);
	if (r == 0)
		r = secret_alloc(&file, SLOT_HEADER + ROOT_KEY, e);
	if (r < 0)
		return r;
	file.len = SLOT_HEADER + ROOT_KEY;
	header_encode(&full, file.data);
	r = slot_protect(&full, root, passphrase, file.data, e);
	if (r < 0)
		return r;
	*ret = TAKE(file);
	return 0;
}

static int check_root(const struct slot *s, const unsigned char *root, struct err *e)
{
	unsigned char id[ROOT_ID];
	int r = root_id(root, id, e);

	if (r == 0 && !crypto_equal(id, s->root_id, ROOT_ID))
		r = err_set(e, EBADMSG, "holds another key than it says");
	return r;
}

int slot_open(const void *data, const struct slot *s, const struct secret *passphrase, unsigned char ret_root[ROOT_KEY],
	      struct err *e)
{
	unsigned char key[CRYPTO_KEY], aad[TAG_AT];
	bool wrapped = s->type == SLOT_PASSPHRASE;
	int r;

	if (s->type != SLOT_PLAIN && !wrapped)
		return err_set(e, EOPNOTSUPP, "root-key slots of type %u cannot be opened yet", s->type);
	memcpy(aad, data, sizeof(aad));
	memset(aad + CHECKSUM_AT, 0, CRYPTO_HASH);
	r = slot_key(s, s->payload, passphrase, key, e);
	if (r == 0)
		r = crypto_open(key, s->nonce, aad, sizeof(aad), s->payload, wrapped ? ROOT_KEY : 0, s->tag, ret_root, e);
	explicit_bzero(key, sizeof(key));
	if (r == -EBADMSG)
		return wrapped ? err_set(e, EACCES, "wrong passphrase")
			       : err_set(e, EBADMSG, "tampered with");
	if (r < 0)
		return r;
	if (!wrapped)
		secret_bytes_copy(ret_root, s->payload, ROOT_KEY);
	r = check_root(s, ret_root, e);
	if (r < 0)
		explicit_bzero(ret_root, ROOT_KEY);
	return r;
}
