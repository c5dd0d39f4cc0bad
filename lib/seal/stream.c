// SPDX-License-Identifier: MIT
/* Segments: the format is in seal.h. */
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/secret.h"
#include "seal.h"

enum { SEGMENT_SEALED = SEALED_SEGMENT + CRYPTO_TAG };

/* Until there is something to read, or a signal to obey. */
static int source_wait(const struct source *s, struct err *e)
{
	struct pollfd p[] = { { .fd = s->fd, .events = POLLIN }, { .fd = s->stop, .events = POLLIN } };

	while (poll(p, ARRAY_SIZE(p), -1) < 0)
		if (errno != EINTR)
			return err_sys(e, "cannot wait for '%s'", s->name);
	return p[1].revents ? err_set(e, EINTR, "interrupted") : 0;
}

int source_some(const struct source *s, void *ret, size_t len, size_t *ret_len, struct err *e)
{
	bool wait = s->stop >= 0;

	for (;;) {
		int r = wait ? source_wait(s, e) : 0;
		ssize_t n = r == 0 ? read(s->fd, ret, len) : 0;

		if (r < 0)
			return r;
		if (n >= 0) {
			*ret_len = (size_t)n;
			return 0;
		}
		if (errno != EAGAIN && errno != EINTR)
			return err_sys(e, "cannot read '%s'", s->name);
		wait |= errno == EAGAIN;
	}
}

int source_read(struct source *s, void *ret, size_t len, size_t *ret_len, struct err *e)
{
	size_t got = len < s->n_ahead ? len : s->n_ahead, n = 1;
	int r = 0;

	if (got)
		memcpy(ret, s->ahead, got);
	s->ahead += got;
	s->n_ahead -= got;
	for (; r == 0 && n != 0 && got < len; got += r == 0 ? n : 0)
		r = source_some(s, (unsigned char *)ret + got, len - got, &n, e);
	*ret_len = got;
	return r;
}

int stream_nonce(uint64_t segment, bool last, unsigned char ret[CRYPTO_NONCE], struct err *e)
{
	if (segment > UINT32_MAX)
		return err_set(e, EFBIG, "too long: 2^32 segments of %d bytes are the most", SEALED_SEGMENT);
	memset(ret, 0, CRYPTO_NONCE);
	be_put(ret + 7, segment, 4);
	ret[11] = last;
	return 0;
}

/*
 * A segment is the last one if no byte follows it, so one byte more than a segment is asked for; that byte is the
 * first of the next round.
 */
static int round_read(struct source *in, unsigned char *buf, size_t segment, bool first, size_t *ret_len, bool *ret_last,
		      struct err *e)
{
	size_t n, have = first ? 0 : 1;
	int r;

	if (!first)
		buf[0] = buf[segment];
	r = source_read(in, buf + have, segment + 1 - have, &n, e);
	if (r < 0)
		return r;
	*ret_last = have + n <= segment;
	*ret_len = *ret_last ? have + n : segment;
	return 0;
}

int stream_seal(const unsigned char key[CRYPTO_KEY], struct source *in, struct output *out, struct err *e)
{
	AUTO_SECRET struct secret clear = { 0 };
	AUTO_BLOB struct blob sealed = { 0 };
	unsigned char nonce[CRYPTO_NONCE];
	bool last = false;
	size_t len;
	int r = secret_alloc(&clear, SEALED_SEGMENT + 1, e);

	if (r == 0)
		r = blob_alloc(&sealed, SEGMENT_SEALED, e);
	for (uint64_t n = 0; r == 0 && !last; n++) {
		r = round_read(in, clear.data, SEALED_SEGMENT, n == 0, &len, &last, e);
		if (r == 0)
			r = stream_nonce(n, last, nonce, e);
		if (r == 0)
			r = crypto_seal(key, nonce, NULL, 0, clear.data, len, sealed.data, sealed.data + len, e);
		if (r == 0)
			r = output_write(out, sealed.data, len + CRYPTO_TAG, e);
	}
	return r;
}

/* Of a sealed segment; the message says which, as earlier ones may be out already. */
static int segment_open(const unsigned char key[CRYPTO_KEY], uint64_t segment, bool last, const unsigned char *sealed,
			size_t len, struct secret *ret, struct err *e)
{
	unsigned char nonce[CRYPTO_NONCE];
	int r = stream_nonce(segment, last, nonce, e);

	if (r < 0)
		return r;
	if (len < CRYPTO_TAG)
		return err_set(e, EBADMSG, "cut short in segment %llu", (unsigned long long)segment);
	ret->len = len - CRYPTO_TAG;
	r = crypto_open(key, nonce, NULL, 0, sealed, ret->len, sealed + ret->len, ret->data, e);
	if (r == -EBADMSG)
		return err_set(e, EBADMSG, "segment %llu was changed, moved or cut", (unsigned long long)segment);
	return r;
}

int stream_open(const unsigned char key[CRYPTO_KEY], struct source *in, struct output *out, struct err *e)
{
	AUTO_SECRET struct secret clear = { 0 };
	AUTO_BLOB struct blob sealed = { 0 };
	bool last = false;
	size_t len;
	int r = secret_alloc(&clear, SEALED_SEGMENT, e);

	if (r == 0)
		r = blob_alloc(&sealed, SEGMENT_SEALED + 1, e);
	for (uint64_t n = 0; r == 0 && !last; n++) {
		r = round_read(in, sealed.data, SEGMENT_SEALED, n == 0, &len, &last, e);
		if (r == 0)
			r = segment_open(key, n, last, sealed.data, len, &clear, e);
		if (r == 0)
			r = output_write(out, clear.data, clear.len, e);
	}
	return r;
}
