// SPDX-License-Identifier: MIT
/* The header of sealed data: text to struct and back. */
#include "seal.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

static const char magic[] = "hwkey-sealed/";

struct cursor {
	const char *at, *end;
};

/* The code point at P, 0 if there is no well-formed one; *ret_n is its length. RFC 3629. */
static uint32_t utf8_char(const unsigned char *p, size_t left, size_t *ret_n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *p < 0x80 ? 1 : *p < 0xc0 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf8 ? 4 : 0;
	uint32_t c = n == 1 ? *p : *p & (0x7fU >> n);

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	*ret_n = n;
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : c;
}

/* Printable UTF-8 in one line, no blank at either end. */
static bool is_text(const char *s, size_t len)
{
	size_t n;

	if (len == 0 || s[0] == ' ' || s[len - 1] == ' ')
		return false;
	for (size_t i = 0; i < len; i += n) {
		uint32_t c = utf8_char((const unsigned char *)s + i, len - i, &n);

		if (c < ' ' || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029)
			return false;
	}
	return true;
}

/* "2025-01-31T12:00:00Z" */
static bool is_time(const char *s, size_t len)
{
	static const char form[] = "0000-00-00T00:00:00Z";

	if (len != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < len; i++)
		if (form[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return false;
	return true;
}

static bool starts(const struct cursor *c, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(c->end - c->at) >= n && !memcmp(c->at, text, n);
}

/* Takes the line "NAME: value". */
static int line_take(struct cursor *c, const char *name, const char **ret, size_t *ret_len, struct err *e)
{
	size_t n = strlen(name);
	const char *eol;

	if (!starts(c, name) || (size_t)(c->end - c->at) < n + 2 || memcmp(c->at + n, ": ", 2) != 0)
		return err_set(e, EBADMSG, "damaged header: no line '%s' where it belongs", name);
	*ret = c->at + n + 2;
	eol = memchr(*ret, '\n', (size_t)(c->end - *ret));
	if (!eol)
		return err_set(e, EBADMSG, "damaged header: line '%s' has no end", name);
	*ret_len = (size_t)(eol - *ret);
	c->at = eol + 1;
	return 0;
}

static int text_take(struct cursor *c, const char *name, char *ret, size_t size, struct err *e)
{
	const char *v;
	size_t len;
	int r = line_take(c, name, &v, &len, e);

	if (r < 0)
		return r;
	if (len >= size || !is_text(v, len))
		return err_set(e, EBADMSG, "damaged header: bad %s", name);
	memcpy(ret, v, len);
	ret[len] = '\0';
	return 0;
}

static int salt_take(struct cursor *c, unsigned char ret[32], struct err *e)
{
	char again[65];
	const char *v;
	size_t len;
	int r = line_take(c, "salt", &v, &len, e);

	if (r < 0)
		return r;
	if (len != 64 || hex_decode(v, len, ret) < 0)
		return err_set(e, EBADMSG, "damaged header: bad salt");
	hex_encode(ret, 32, again);
	return memcmp(again, v, 64) ? err_set(e, EBADMSG, "damaged header: bad salt") : 0;
}

static int version_take(struct cursor *c, struct err *e)
{
	unsigned version = 0;

	if (!starts(c, magic))
		return err_set(e, EBADMSG, "not sealed data");
	c->at += strlen(magic);
	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9' && version < 10000 && (version || *c->at != '0'); c->at++)
		version = version * 10 + (unsigned)(*c->at - '0');
	if (version == 0 || c->at == c->end || *c->at != '\n')
		return err_set(e, EBADMSG, "damaged header: bad version");
	c->at++;
	return version == SEALED_VERSION ? 0 : err_set(e, EOPNOTSUPP, "sealed in format %u, this program opens format %d",
						       version, SEALED_VERSION);
}

static int key_take(struct cursor *c, struct sealed_header *h, struct err *e)
{
	int r = line_take(c, "key", &h->key, &h->key_len, e);

	if (r == 0 && (h->key_len == 0 || h->key_len > (SEALED_KEY_MAX + 2) / 3 * 4))
		r = err_set(e, EBADMSG, "damaged header: bad key");
	if (r == 0 && !starts(c, "---\n"))
		r = err_set(e, EBADMSG, "damaged header: no end where it belongs");
	return r;
}

int sealed_parse(const void *data, size_t len, struct sealed_header *ret, struct err *e)
{
	struct cursor c = { .at = data, .end = (const char *)data + len };
	struct sealed_header h = { 0 };
	int r = version_take(&c, e);

	if (r == 0)
		r = text_take(&c, "backend", h.backend, sizeof(h.backend), e);
	if (r == 0)
		r = text_take(&c, "device", h.device, sizeof(h.device), e);
	if (r == 0)
		r = text_take(&c, "created", h.created, sizeof(h.created), e);
	if (r == 0 && !is_time(h.created, strlen(h.created)))
		r = err_set(e, EBADMSG, "damaged header: bad created");
	if (r == 0 && starts(&c, "label: "))
		r = text_take(&c, "label", h.label, sizeof(h.label), e);
	if (r == 0)
		r = salt_take(&c, h.salt, e);
	h.bound = (size_t)(c.at - (const char *)data);
	if (r == 0)
		r = key_take(&c, &h, e);
	if (r < 0)
		return r;
	h.len = (size_t)(c.at - (const char *)data) + strlen("---\n");
	*ret = h;
	return 0;
}

int sealed_format(const struct sealed_header *h, struct blob *ret, struct err *e)
{
	char text[1024], salt[65];
	int n;

	if (h->label[0] && !is_text(h->label, strlen(h->label)))
		return err_set(e, EINVAL, "a label is one line of printable text without blanks at its ends");
	if (!is_text(h->backend, strlen(h->backend)) || !is_text(h->device, strlen(h->device)) ||
	    !is_time(h->created, strlen(h->created)))
		return err_set(e, EINVAL, "device '%s' cannot be named in a header", h->device);
	hex_encode(h->salt, sizeof(h->salt), salt);
	n = snprintf(text, sizeof(text), "%s%d\nbackend: %s\ndevice: %s\ncreated: %s\n%s%s%ssalt: %s\n", magic,
		     SEALED_VERSION, h->backend, h->device, h->created, h->label[0] ? "label: " : "", h->label,
		     h->label[0] ? "\n" : "", salt);
	return blob_copy(ret, text, (size_t)n, e);
}
