// SPDX-License-Identifier: MIT
/* The text of a .info file. Pure: no file is touched here. */
#include "repo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sha2.h>

#include "cleanup.h"
#include "err.h"

enum { PROPS_MAX = 512, HASH_HEX = 64 };

#define HASH_KEY "__hash__="
static const size_t hash_line = sizeof(HASH_KEY) - 1 + HASH_HEX + 1;	/* with its newline */

static struct prop *find(const struct props *p, const char *key)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->v[i].key, key))
			return &p->v[i];
	return NULL;
}

const char *props_get(const struct props *p, const char *key)
{
	const struct prop *found = find(p, key);

	return found ? found->value : NULL;
}

void props_done(struct props *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].key);
		free(p->v[i].value);
	}
	free(p->v);
	*p = (struct props){ 0 };
}

static int append(struct props *p, const char *key, size_t key_len, const char *value, size_t value_len, struct err *e)
{
	AUTO_FREE char *k = strndup(key, key_len), *v = strndup(value, value_len);
	struct prop *grown = p->v;

	if (p->n % 16 == 0)
		grown = realloc(p->v, (p->n + 16) * sizeof(*p->v));
	if (grown)
		p->v = grown;
	if (!k || !v || !grown)
		return err_nomem(e);
	p->v[p->n++] = (struct prop){ k, v };
	k = v = NULL;
	return 0;
}

static void drop(struct props *p, struct prop *at)
{
	free(at->key);
	free(at->value);
	p->n--;
	memmove(at, at + 1, (size_t)(p->v + p->n - at) * sizeof(*at));
}

static int check_pair(const char *key, const char *value, struct err *e)
{
	if (!key[0] || key[0] == '#' || strpbrk(key, "=\n") || !strcmp(key, "__hash__"))
		return err_set(e, EINVAL, "invalid property name '%s'", key);
	if (strchr(value, '\n'))
		return err_set(e, EINVAL, "the value of property '%s' has more than one line", key);
	if (strlen(key) + 1 + strlen(value) > INFO_LINE_MAX)
		return err_set(e, E2BIG, "the value of property '%s' is too long", key);
	return 0;
}

int props_set(struct props *p, const char *key, const char *value, struct err *e)
{
	struct prop *old = find(p, key);
	char *copy;
	int r = check_pair(key, value ? value : "", e);

	if (r < 0)
		return r;
	if (!value) {
		if (old)
			drop(p, old);
		return 0;
	}
	if (!old)
		return p->n == PROPS_MAX ? err_set(e, E2BIG, "too many properties") :
					   append(p, key, strlen(key), value, strlen(value), e);
	copy = strdup(value);
	if (!copy)
		return err_nomem(e);
	free(old->value);
	old->value = copy;
	return 0;
}

static void hash(const struct props *p, char ret[HASH_HEX + 1])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	SHA2_CTX ctx;

	SHA256Init(&ctx);
	for (size_t i = 0; i < p->n; i++) {
		SHA256Update(&ctx, (const uint8_t *)p->v[i].key, strlen(p->v[i].key));
		SHA256Update(&ctx, (const uint8_t *)p->v[i].value, strlen(p->v[i].value));
	}
	SHA256Final(sum, &ctx);
	hex_encode(sum, sizeof(sum), ret);
}

static int parse_line(const char *line, size_t len, struct props *p, struct err *e)
{
	const char *eq = memchr(line, '=', len);

	if (len == 0 || line[0] == '#' || (len >= strlen(HASH_KEY) && !memcmp(line, HASH_KEY, strlen(HASH_KEY))))
		return 0;
	if (memchr(line, '\0', len))
		return err_set(e, EBADMSG, "a line holds a zero byte");
	if (len > INFO_LINE_MAX || !eq || eq == line)
		return err_set(e, EBADMSG, "a line is too long or no property");
	if (p->n == PROPS_MAX)
		return err_set(e, EBADMSG, "too many properties");
	for (size_t i = 0; i < p->n; i++)
		if (!strncmp(p->v[i].key, line, (size_t)(eq - line)) && !p->v[i].key[eq - line])
			return err_set(e, EBADMSG, "a property is there twice");
	return append(p, line, (size_t)(eq - line), eq + 1, len - (size_t)(eq + 1 - line), e);
}

static int parse_lines(const char *text, size_t len, struct props *p, struct err *e)
{
	int r = 0;

	while (r == 0 && len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		if (!end)
			return err_set(e, EBADMSG, "the last line is cut");
		r = parse_line(text, n, p, e);
		text += n + 1;
		len -= n + 1;
	}
	return r;
}

int props_parse_lines(const char *text, size_t len, struct props *ret, struct err *e)
{
	struct props p = { 0 };
	int r = parse_lines(text, len, &p, e);

	if (r < 0)
		props_done(&p);
	else
		*ret = p;
	return r;
}

static bool ends_with_hash(const char *text, size_t len)
{
	const char *line = text + len - hash_line;

	return len >= hash_line && !memcmp(line, HASH_KEY, strlen(HASH_KEY)) && text[len - 1] == '\n' &&
	       (line == text || line[-1] == '\n');
}

int props_parse(const char *text, size_t len, struct props *ret, struct err *e)
{
	struct props p = { 0 };
	char sum[HASH_HEX + 1];
	int r;

	if (!ends_with_hash(text, len))
		return err_set(e, EBADMSG, "it is cut: the last line is no hash");
	r = props_parse_lines(text, len, &p, e);
	if (r < 0)
		return r;
	hash(&p, sum);
	if (memcmp(sum, text + len - 1 - HASH_HEX, HASH_HEX) != 0) {
		props_done(&p);
		return err_set(e, EBADMSG, "its hash is wrong");
	}
	*ret = p;
	return 0;
}

int props_format(const struct props *p, struct blob *ret, struct err *e)
{
	size_t len = hash_line;
	char sum[HASH_HEX + 1], *at, *end;
	int r;

	for (size_t i = 0; i < p->n; i++)
		len += strlen(p->v[i].key) + 1 + strlen(p->v[i].value) + 1;
	if (len > INFO_MAX)
		return err_set(e, E2BIG, "the properties are too long");
	r = blob_alloc(ret, len + 1, e);
	if (r < 0)
		return r;
	at = (char *)ret->data;
	end = at + len + 1;
	for (size_t i = 0; i < p->n; i++)
		at += snprintf(at, (size_t)(end - at), "%s=%s\n", p->v[i].key, p->v[i].value);
	hash(p, sum);
	(void)snprintf(at, (size_t)(end - at), HASH_KEY "%s\n", sum);
	ret->len = len;
	return 0;
}
