// SPDX-License-Identifier: MIT
/* The module "seal": data key, header and body put together. */
#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/backend.h"
#include "lib/err.h"
#include "lib/secret.h"
#include "lib/utc.h"
#include "stream.h"

static int header_fill(struct sealed_header *h, const struct device *dev, const char *label, struct err *e)
{
	int r = utc_now(h->created, e);

	if (r < 0)
		return r;
	if (label && strlen(label) >= sizeof(h->label))
		return err_set(e, EINVAL, "label is longer than %d bytes", SEALED_LABEL_MAX);
	(void)snprintf(h->backend, sizeof(h->backend), "%s", dev->backend->name);
	(void)snprintf(h->device, sizeof(h->device), "%s", dev->id);
	(void)snprintf(h->label, sizeof(h->label), "%s", label ? label : "");
	return random_bytes(h->salt, sizeof(h->salt), e);
}

static int key_seal(const struct device *dev, const struct seal_ops *ops, const struct wrap_params *wrap,
		    const struct secret *key, const struct blob *binding, struct blob *ret, struct err *e)
{
	int r = ops->seal(dev, wrap, key, binding, ret, e);

	if (r == 0 && ret->len > SEALED_KEY_MAX)
		r = err_set(e, EMSGSIZE, "device '%s' made a sealed key of %zu bytes, too many", dev->id, ret->len);
	return r;
}

/* The bound lines and the rest. */
static int header_finish(const struct blob *binding, const struct blob *key, struct blob *ret, struct err *e)
{
	AUTO_BLOB struct blob text = { 0 };
	int r = base64_encode(key->data, key->len, &text, e);

	if (r == 0)
		r = blob_alloc(ret, binding->len + strlen("key: \n---\n") + text.len, e);
	if (r < 0)
		return r;
	memcpy(ret->data, binding->data, binding->len);
	memcpy(ret->data + binding->len, "key: ", 5);
	memcpy(ret->data + binding->len + 5, text.data, text.len);
	memcpy(ret->data + binding->len + 5 + text.len, "\n---\n", 5);
	return 0;
}

static int stream_key(const struct secret *key, const unsigned char salt[32], const void *header, size_t len,
		      struct secret *ret, struct err *e)
{
	static const char use[] = "hwkey-sealed/1 stream";
	unsigned char info[sizeof(use) - 1 + CRYPTO_HASH];
	int r = secret_alloc(ret, CRYPTO_KEY, e);

	memcpy(info, use, sizeof(use) - 1);
	if (r == 0)
		r = crypto_sha256(header, len, info + sizeof(use) - 1, e);
	if (r == 0)
		r = crypto_hkdf(key->data, key->len, salt, 32, info, sizeof(info), ret->data, CRYPTO_KEY, e);
	return r;
}

int sealed_key(const struct sealed *s, struct blob *ret, struct err *e)
{
	return base64_decode(s->header.key, s->header.key_len, ret, e);
}

static int key_unseal(const struct device *dev, const struct seal_ops *ops, const struct sealed *s, struct secret *ret,
		      struct err *e)
{
	const struct blob binding = { .data = s->head.data, .len = s->header.bound };
	AUTO_BLOB struct blob sealed = { 0 };
	AUTO_SECRET struct secret key = { 0 };
	int r = sealed_key(s, &sealed, e);

	if (r == 0)
		r = ops->unseal(dev, &sealed, &binding, &key, e);
	if (r == -ENOKEY || r == -ENOENT) {	/* no keystore at all is as good as another one */
		e->code = EBADMSG;
		r = err_prefix(e, "not sealed by this machine");
	}
	if (r == 0 && key.len != CRYPTO_KEY)
		r = err_set(e, EBADMSG, "the sealed key is not one of sealed data");
	return r < 0 ? r : stream_key(&key, s->header.salt, s->head.data, s->header.len, ret, e);
}

/* Bytes sealed under a key that does not come back are lost: the backend must open now what it sealed. */
static int header_check(const struct device *dev, const struct seal_ops *ops, const struct blob *header,
			const struct secret *key, struct err *e)
{
	struct sealed s = { .head = *header };
	AUTO_SECRET struct secret again = { 0 };
	int r = sealed_parse(header->data, header->len, &s.header, e);

	if (r == 0)
		r = key_unseal(dev, ops, &s, &again, e);
	if (r == 0 && !crypto_equal(again.data, key->data, CRYPTO_KEY))
		r = err_set(e, EIO, "device '%s' does not open what it sealed", dev->id);
	return r;
}

static int header_make(const struct device *dev, const struct seal_ops *ops, const struct wrap_params *wrap,
		       const char *label, struct blob *ret_header, struct secret *ret_key, struct err *e)
{
	AUTO_BLOB struct blob binding = { 0 }, sealed = { 0 };
	AUTO_SECRET struct secret key = { 0 };
	struct sealed_header h = { 0 };
	int r = header_fill(&h, dev, label, e);

	if (r == 0)
		r = sealed_format(&h, &binding, e);
	if (r == 0)
		r = secret_random(&key, CRYPTO_KEY, e);
	if (r == 0)
		r = key_seal(dev, ops, wrap, &key, &binding, &sealed, e);
	if (r == 0)
		r = header_finish(&binding, &sealed, ret_header, e);
	if (r == 0)
		r = stream_key(&key, h.salt, ret_header->data, ret_header->len, ret_key, e);
	return r < 0 ? r : header_check(dev, ops, ret_header, ret_key, e);
}

/* While the data came, what they are under may have been revoked or removed. */
static int header_check_again(const struct device *dev, const struct seal_ops *ops, const struct blob *header,
			      const struct secret *key, struct err *e)
{
	int r = header_check(dev, ops, header, key, e);

	return r < 0 ? err_prefix(e, "what was sealed does not open") : 0;
}

static int input_open(const char *file, int *ret_fd, const char **ret_name, struct err *e)
{
	const bool is_stdin = !file || !strcmp(file, "-");
	struct stat st;

	*ret_name = is_stdin ? "standard input" : file;
	*ret_fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (*ret_fd < 0)
		return err_sys(e, "cannot open '%s'", *ret_name);
	if (!is_stdin && fstat(*ret_fd, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, EISDIR, "'%s' is a directory", *ret_name);
	return 0;
}

int data_seal(const struct device *dev, const struct seal_ops *ops, const struct wrap_params *wrap, const char *file,
	      const char *label, const struct output_to *to, struct err *e)
{
	AUTO_OUTPUT struct output out = OUTPUT_NONE;
	AUTO_BLOB struct blob header = { 0 };
	AUTO_SECRET struct secret key = { 0 };
	AUTO_CLOSE int fd = -1;
	struct source in = { 0 };
	int r = input_open(file, &fd, &in.name, e);

	in.fd = fd;
	if (r == 0)
		r = output_open(&out, to, e);

	if (r == 0)
		r = header_make(dev, ops, wrap, label, &header, &key, e);
	if (r == 0)
		r = output_create(&out, e);
	in.stop = out.stop;
	if (r == 0)
		r = output_write(&out, header.data, header.len, e);
	if (r == 0)
		r = stream_seal(key.data, &in, &out, e);
	if (r == 0)
		r = header_check_again(dev, ops, &header, &key, e);
	if (r == 0)
		r = output_publish(&out, e);
	return r;
}

/* Reads until the header's end is there and waits for no more: what a pipe will say may depend on it. */
static int head_read(struct sealed *s, struct err *e)
{
	const struct source in = { .fd = s->fd, .name = s->name, .stop = -1 };
	size_t len = 0, n = 1;
	int r = blob_alloc(&s->head, SEALED_HEADER_MAX, e);

	while (r == 0 && n != 0 && len < s->head.len && !memmem(s->head.data, len, "\n---\n", 5)) {
		r = source_some(&in, s->head.data + len, s->head.len - len, &n, e);
		len += r == 0 ? n : 0;
	}
	s->head.len = len;
	return r;
}

void sealed_done(struct sealed *s)
{
	auto_close(&s->fd);
	blob_done(&s->head);
	*s = (struct sealed)SEALED_NONE;
}

int sealed_open(const char *file, struct sealed *ret, struct err *e)
{
	AUTO(sealed_done) struct sealed s = SEALED_NONE;
	int r = input_open(file, &s.fd, &s.name, e);

	if (r == 0)
		r = head_read(&s, e);
	if (r < 0)
		return r;
	r = sealed_parse(s.head.data, s.head.len, &s.header, e);
	if (r < 0)
		return err_prefix(e, "'%s'", s.name);
	*ret = s;
	s = (struct sealed)SEALED_NONE;
	return 0;
}

int data_unseal(const struct device *dev, const struct seal_ops *ops, const struct sealed *s, const struct output_to *to,
		struct err *e)
{
	struct source in = { .fd = s->fd, .name = s->name, .ahead = s->head.data + s->header.len,
			     .n_ahead = s->head.len - s->header.len };
	AUTO_OUTPUT struct output out = OUTPUT_NONE;
	AUTO_SECRET struct secret key = { 0 };
	int r = output_open(&out, to, e);

	if (r == 0) {
		r = key_unseal(dev, ops, s, &key, e);
		if (r < 0)
			(void)err_prefix(e, "'%s'", s->name);
	}
	if (r == 0)
		r = output_create(&out, e);
	in.stop = out.stop;
	if (r == 0) {
		r = stream_open(key.data, &in, &out, e);
		if (r == -EBADMSG)
			r = err_prefix(e, "'%s'", s->name);
	}
	if (r == 0)
		r = output_publish(&out, e);
	return r;
}
