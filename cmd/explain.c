// SPDX-License-Identifier: MIT
#include "explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/pks-policy.h"
#include "lib/tpm-token.h"

struct lines {
	struct examination x;
	char *text;			/* EXPLAIN_MAX bytes */
	size_t len;
};

static int tell(struct examination *, enum verdict, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int tell(struct examination *x, enum verdict v, const char *fmt, ...)
{
	struct lines *l = (struct lines *)((char *)x - offsetof(struct lines, x));
	va_list ap;
	int n;

	if (v != VERDICT_BAD || l->len >= EXPLAIN_MAX - 2)
		return 0;
	if (l->len)
		l->text[l->len++] = '\n';
	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, EXPLAIN_MAX - l->len, fmt, ap);
	va_end(ap);
	l->len = n < 0 ? l->len : l->len + (size_t)n < EXPLAIN_MAX ? l->len + (size_t)n : EXPLAIN_MAX - 1;
	return 0;
}

static bool wants_pin(const struct blob *token)
{
	AUTO_TPM_TOKEN struct tpm_token t = { 0 };
	struct err ignored;

	return tpm_token_parse(token->data, token->len, &t, &ignored) == 0 && t.policy.pin;
}

void explain_now(struct device *list, const char *backend, const struct blob *token, char ret[EXPLAIN_MAX])
{
	const struct backend *b = backend_find(backend);
	struct lines l = { .x = { tell }, .text = ret };
	const struct backend_ops *ops;
	struct device *dev;
	struct err e = { 0 };
	int r;

	ret[0] = '\0';
	if (!b || !b->measures)
		return;
	r = device_of_backend(list, backend, token, &dev, &e);
	if (r == 0)
		r = backend_ops(dev, &ops, &e);
	if (r == 0 && (!ops->seal || !ops->seal->explain))
		return;
	if (r == 0)
		r = ops->seal->explain(dev, token, &l.x, &e);
	if (r < 0)
		(void)snprintf(ret, EXPLAIN_MAX, "%s", e.msg);
	else if (!l.len)
		(void)snprintf(ret, EXPLAIN_MAX, wants_pin(token) ? "opens with its PIN" : "opens");
}

void explain_policy(const struct blob *token, char *ret, size_t size)
{
	AUTO_TPM_TOKEN struct tpm_token tpm = { 0 };
	struct token t;
	struct err ignored;

	*ret = '\0';
	if (tpm_token_is(token->data, token->len) && tpm_token_parse(token->data, token->len, &tpm, &ignored) == 0)
		tpm_policy_describe(&tpm.policy, ret, size);
	else if (token_parse(token->data, token->len, &t, &ignored) == 0)
		pks_policy_format(t.policy, '\n', ret, size);
}
