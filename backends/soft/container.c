// SPDX-License-Identifier: MIT
#include "container.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/err.h"

enum { NONCE_AT = 136, TAG_AT = 240 };

static const unsigned char magic[8] = { 'H', 'W', 'K', 'E', 'Y', 'P', 'K', 'S' };

static void header_encode(const struct container *c, unsigned char *p)
{
	memset(p, 0, CONTAINER_HEADER);
	memcpy(p, magic, 8);
	be_put(p + 8, 1, 2);
	be_put(p + 10, CONTAINER_HEADER, 2);
	be_put(p + 12, 1, 2);
	be_put(p + 14, 1, 2);
	memcpy(p + 16, c->partition, UUID_SIZE);
	memcpy(p + 32, c->root_id, ROOT_ID);
	be_put(p + 48, c->generation, 8);
	be_put(p + 56, c->anchor, 8);
	be_put(p + 64, c->counter, 8);
	memcpy(p + 72, c->previous, CRYPTO_HASH);
	memcpy(p + 104, c->salt, sizeof(c->salt));
	be_put(p + NONCE_AT + 4, c->generation, 8);
	be_put(p + 148, c->size, 4);
	be_put(p + 152, c->flags, 4);
	be_put(p + 156, c->time, 8);
	be_put(p + 164, c->size, 4);
	be_put(p + 168, c->pending, 4);
}

static void header_decode(const unsigned char *p, struct container *c)
{
	memcpy(c->partition, p + 16, UUID_SIZE);
	memcpy(c->root_id, p + 32, ROOT_ID);
	c->generation = be_get(p + 48, 8);
	c->anchor = be_get(p + 56, 8);
	c->counter = be_get(p + 64, 8);
	memcpy(c->previous, p + 72, CRYPTO_HASH);
	memcpy(c->salt, p + 104, sizeof(c->salt));
	c->size = (uint32_t)be_get(p + 148, 4);
	c->flags = (uint32_t)be_get(p + 152, 4);
	c->time = be_get(p + 156, 8);
	c->pending = (uint32_t)be_get(p + 168, 4);
}

static bool size_is_good(uint32_t size)
{
	return size >= CONTAINER_SIZE_MIN && size <= CONTAINER_SIZE_MAX && size % CONTAINER_SIZE_STEP == 0;
}

/* A header is good when encoding what it says gives the same bytes: nothing stands in it that is not understood. */
int container_parse(const void *data, size_t len, struct container *ret, struct err *e)
{
	unsigned char again[CONTAINER_HEADER];
	struct container c = { 0 };

	if (len < CONTAINER_HEADER)
		return err_set(e, EBADMSG, "not a container of the keystore");
	header_decode(data, &c);
	header_encode(&c, again);
	if (memcmp(data, again, TAG_AT) != 0 || c.flags > 31)
		return err_set(e, EBADMSG, "not a container of the keystore");
	if (c.pending && !size_is_good(c.pending))
		return err_set(e, EBADMSG, "container has an impossible size");
	if (!size_is_good(c.size) || len != (size_t)CONTAINER_HEADER + c.size)
		return err_set(e, EBADMSG, "container is cut or has a wrong length");
	*ret = c;
	return 0;
}

static int write_key(const struct container *c, const unsigned char *root, unsigned char ret[CRYPTO_KEY], struct err *e)
{
	unsigned char part[CRYPTO_KEY], info[25] = "hwkey-pks/1 store";
	int r = crypto_hkdf(root, ROOT_KEY, c->partition, UUID_SIZE, "hwkey-pks/1 partition", 21, part, sizeof(part), e);

	be_put(info + 17, c->generation, 8);
	if (r == 0)
		r = crypto_hkdf(part, sizeof(part), c->salt, sizeof(c->salt), info, sizeof(info), ret, CRYPTO_KEY, e);
	explicit_bzero(part, sizeof(part));
	return r;
}

int container_seal(const struct container *c, const unsigned char root[ROOT_KEY], const void *plain, struct blob *ret,
		   struct err *e)
{
	AUTO_BLOB struct blob b = { 0 };
	unsigned char key[CRYPTO_KEY];
	int r = blob_alloc(&b, CONTAINER_HEADER + (size_t)c->size, e);

	if (r < 0)
		return r;
	header_encode(c, b.data);
	r = write_key(c, root, key, e);
	if (r == 0)
		r = crypto_seal(key, b.data + NONCE_AT, b.data, TAG_AT, plain, c->size, b.data + CONTAINER_HEADER,
				b.data + TAG_AT, e);
	explicit_bzero(key, sizeof(key));
	if (r < 0)
		return r;
	*ret = TAKE(b);
	return 0;
}

int container_open(const struct container *c, const void *data, const unsigned char root[ROOT_KEY], void *ret_plain,
		   struct err *e)
{
	const unsigned char *p = data;
	unsigned char key[CRYPTO_KEY];
	int r = write_key(c, root, key, e);

	if (r == 0)
		r = crypto_open(key, p + NONCE_AT, p, TAG_AT, p + CONTAINER_HEADER, c->size, p + TAG_AT, ret_plain, e);
	explicit_bzero(key, sizeof(key));
	return r == -EBADMSG ? err_set(e, EBADMSG, "container is damaged or was tampered with") : r;
}
