// SPDX-License-Identifier: MIT
#include "token.h"

#include <errno.h>
#include <string.h>

#include "backend.h"
#include "blob.h"
#include "err.h"

static const unsigned char magic[8] = { 'H', 'W', 'K', 'E', 'Y', 'T', 'O', 'K' };

bool token_policy_is_valid(uint32_t policy)
{
	const uint32_t secure_boot = POLICY_OSSECBOOTAUDIT | POLICY_OSSECBOOTENFORCE;

	return !(policy & ~(secure_boot | POLICY_PWSET)) && (policy & secure_boot) != secure_boot;
}

static bool good_header(const unsigned char *p)
{
	uint64_t kind = be_get(p + 12, 2), bits = be_get(p + 80, 4), flags = be_get(p + 84, 2);
	bool key = kind == TOKEN_KEY;

	return !memcmp(p, magic, 8) && be_get(p + 8, 2) == 1 && be_get(p + 10, 2) == TOKEN_HEADER &&
	       (key || kind == TOKEN_SEALED) && be_get(p + 14, 2) == 1 && flags <= (key ? 1U : 0U) &&
	       (key ? bits == 128 || bits == 192 || bits == 256 : bits == 0) &&
	       token_policy_is_valid((uint32_t)be_get(p + 88, 4)) && bytes_are_zero(p + 92, 4);
}

int token_parse(const void *data, size_t len, struct token *ret, struct err *e)
{
	const unsigned char *p = data;
	struct token t = { 0 };

	if (len < TOKEN_HEADER + TOKEN_TAG || !good_header(p))
		return err_set(e, EBADMSG, "not a token of the local keystore");
	t.kind = (enum token_kind)be_get(p + 12, 2);
	t.bits = (unsigned)be_get(p + 80, 4);
	t.xts = be_get(p + 84, 2) & 1;
	t.payload_len = be_get(p + 86, 2);
	t.policy = (uint32_t)be_get(p + 88, 4);
	if (t.payload_len < 1 || t.payload_len > TOKEN_PAYLOAD_MAX || len != TOKEN_HEADER + t.payload_len + TOKEN_TAG)
		return err_set(e, EBADMSG, "token is cut or has a wrong length");
	if (t.kind == TOKEN_KEY && t.payload_len != (size_t)t.bits / 8 * (t.xts ? 2 : 1))
		return err_set(e, EBADMSG, "token's size and key size disagree");
	memcpy(t.partition, p + 16, 16);
	memcpy(t.wrapping_key, p + 32, 16);
	memcpy(t.salt, p + 48, 32);
	t.payload = p + TOKEN_HEADER;
	*ret = t;
	return 0;
}

void token_format_header(const struct token *t, unsigned char ret[TOKEN_HEADER])
{
	memset(ret, 0, TOKEN_HEADER);
	memcpy(ret, magic, 8);
	be_put(ret + 8, 1, 2);
	be_put(ret + 10, TOKEN_HEADER, 2);
	be_put(ret + 12, t->kind, 2);
	be_put(ret + 14, 1, 2);
	memcpy(ret + 16, t->partition, 16);
	memcpy(ret + 32, t->wrapping_key, 16);
	memcpy(ret + 48, t->salt, 32);
	be_put(ret + 80, t->bits, 4);
	be_put(ret + 84, t->xts ? 1 : 0, 2);
	be_put(ret + 86, t->payload_len, 2);
	be_put(ret + 88, t->policy, 4);
}
