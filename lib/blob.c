// SPDX-License-Identifier: MIT
#include "blob.h"

#include <errno.h>
#include <string.h>

#include "err.h"

int blob_alloc(struct blob *ret, size_t len, struct err *e)
{
	unsigned char *p = calloc(1, len ? len : 1);

	if (!p)
		return err_nomem(e);
	*ret = (struct blob){ .data = p, .len = len };
	return 0;
}

int blob_copy(struct blob *ret, const void *data, size_t len, struct err *e)
{
	int r = blob_alloc(ret, len, e);

	if (r == 0 && len)
		memcpy(ret->data, data, len);
	return r;
}

void blob_done(struct blob *b)
{
	free(b->data);
	*b = (struct blob){ 0 };
}

static const char digits[] = "0123456789abcdef";

void hex_encode(const void *data, size_t len, char *ret)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++) {
		ret[2 * i] = digits[p[i] >> 4];
		ret[2 * i + 1] = digits[p[i] & 15];
	}
	ret[2 * len] = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(const char *text, size_t len, unsigned char *ret)
{
	if (len % 2)
		return -EINVAL;
	for (size_t i = 0; i < len; i += 2) {
		int hi = digit(text[i]), lo = digit(text[i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		ret[i / 2] = (unsigned char)(hi << 4 | lo);
	}
	return 0;
}

void uuid_format(const unsigned char uuid[16], char ret[37])
{
	for (unsigned i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*ret++ = '-';
		hex_encode(&uuid[i], 1, ret);
		ret += 2;
	}
}
