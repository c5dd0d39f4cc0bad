// SPDX-License-Identifier: MIT
/* The roles key and seal, and the table of the module. */
#include "tpm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/crypto.h"
#include "lib/module.h"
#include "foreign.h"
#include "memory.h"
#include "nv.h"

/* --- under what it is to be ------------------------------------------------------------------------------------- */

static int wrap_check(const struct wrap_params *p, struct err *e)
{
	if (p->wrapping_key)
		return err_set(e, EINVAL, "a TPM has no wrapping keys to choose from: not '%s'", p->wrapping_key);
	if (p->policy)
		return err_set(e, EINVAL, "a TPM knows no policy of the keystore's: choose PCRs or a PIN");
	return 0;
}

/* What PARAMS choose; of LIKE what they leave out. LIKE may be NULL. */
static int policy_choose(struct tpm *t, const struct tpm_params *params, struct tpm_policy *like, struct tpm_policy *ret,
			 struct err *e)
{
	struct tpm_params p = params ? *params : (struct tpm_params){ 0 };
	char pcrs[128];
	int r;

	if (like && !like->n_branches && !p.pcrs && p.pcr_values)
		return err_set(e, EINVAL, "is bound to no PCRs yet: --pcrs says to which, as they are now");
	if (like && like->n_branches && !p.pcrs) {
		tpm_pcrs_format(like->branch[0].pcrs, like->branch[0].bank, pcrs, sizeof(pcrs));
		p.pcrs = pcrs;
	}
	r = policy_make(t, &p, ret, e);
	if (r < 0 || !like)
		return r;
	ret->pin = ret->pin || like->pin;
	if (ret->public_key.len)
		return 0;
	ret->public_key = TAKE(like->public_key);
	ret->signed_bank = like->signed_bank;
	ret->signed_pcrs = like->signed_pcrs;
	return 0;
}

static int policy_of(struct tpm *t, const struct wrap_params *p, struct tpm_token *ret, struct err *e)
{
	AUTO_TPM_TOKEN struct tpm_token like = { 0 };
	int r = wrap_check(p, e);

	if (r < 0 || !p->like)
		return r < 0 ? r : policy_choose(t, p->tpm, NULL, &ret->policy, e);
	r = tpm_token_parse(p->like->data, p->like->len, &like, e);
	ret->policy = TAKE(like.policy);
	ret->clear_bus = like.clear_bus;
	return r;
}

/* --- protecting and opening ------------------------------------------------------------------------------------- */

/* It need not open here and now. With --pcrs it opens as the machine is, whatever else there is. */
static bool is_for_later(const struct wrap_params *p)
{
	return p->like || (p->tpm && ((p->tpm->pcr_values && !p->tpm->pcrs) || p->tpm->public_key));
}

/* TOKEN's policy is chosen. */
static int protect(struct tpm *t, const struct wrap_params *p, struct tpm_token *token, const struct secret *clear,
		   const struct blob *binding, struct blob *ret, struct err *e)
{
	const struct tpm_params *params = p->tpm;
	struct sealing s = { .clear_bus = token->clear_bus || (params && params->allow_clear_bus),
			     .later = is_for_later(p) };
	TPM2B_PUBLIC parent;
	int r = 0;

	if (params && params->pin)
		s.pin = params->pin;
	else if (token->policy.pin)
		r = pin_get(t->dev, &s.pin, e);
	if (r == 0 && params && params->device_key) {
		r = import_parent(params->device_key, &parent, e);
		s.parent = &parent;
	}
	return r < 0 ? r : token_seal(t, token, &s, clear, binding, ret, e);
}

static int protect_new(const struct device *dev, const struct wrap_params *p, const struct tpm_token *shape,
		       const struct secret *clear, const struct blob *binding, struct blob *ret, struct err *e)
{
	static const struct wrap_params none;
	AUTO_TPM_TOKEN struct tpm_token token = *shape;
	AUTO_TPM struct tpm t = { .dev = dev, .loaded = ESYS_TR_NONE };
	int r = 0;

	p = p ? p : &none;
	if (!p->tpm || !p->tpm->device_key)	/* another machine's is not asked */
		r = tpm_open(dev, &t, e);
	if (r == 0)
		r = policy_of(&t, p, &token, e);
	return r < 0 ? r : protect(&t, p, &token, clear, binding, ret, e);
}

static int open_token(const struct device *dev, const struct blob *token, enum token_kind kind, const struct blob *binding,
		      struct secret *ret, struct err *e)
{
	AUTO_TPM struct tpm t = { .dev = dev, .loaded = ESYS_TR_NONE };
	int r = token_is_remembered(dev, token) ? 0 : tpm_open(dev, &t, e);

	return r < 0 ? r : token_unseal(&t, token, kind, binding, ret, e);
}

/* --- keys ------------------------------------------------------------------------------------------------------- */

static int shape_of(const struct key_params *p, size_t clear_len, struct tpm_token *ret, struct err *e)
{
	*ret = (struct tpm_token){ .kind = TOKEN_KEY, .xts = p->xts };
	return key_params_bits(p, "tpm2", clear_len, &ret->bits, e);
}

static int key_wrap(const struct device *dev, const struct key_params *p, const struct secret *clear, struct blob *ret,
		    struct err *e)
{
	struct tpm_token shape;
	int r = shape_of(p, clear->len, &shape, e);

	if (r == 0 && !clear->len)
		r = err_set(e, EINVAL, "an empty key");
	return r < 0 ? r : protect_new(dev, &p->wrap, &shape, clear, NULL, ret, e);
}

static int key_generate(const struct device *dev, const struct key_params *p, struct blob *ret, struct err *e)
{
	AUTO_SECRET struct secret clear = { 0 };
	struct tpm_token shape;
	int r = shape_of(p, 0, &shape, e);

	if (r == 0)
		r = secret_random(&clear, (size_t)shape.bits / 8 * (shape.xts ? 2 : 1), e);
	return r < 0 ? r : protect_new(dev, &p->wrap, &shape, &clear, NULL, ret, e);
}

static int key_unwrap(const struct device *dev, const struct blob *token, struct secret *ret, struct err *e)
{
	return open_token(dev, token, TOKEN_KEY, NULL, ret, e);
}

/* Rewrapping puts what is under a primary key, which is made for each use, under the persistent one. */
static int describe(struct tpm *t, const struct blob *token, struct key_state *ret, struct err *e)
{
	AUTO_TPM_TOKEN struct tpm_token parsed = { 0 };
	struct srk srk = { 0 };
	char policy[224];
	int r = tpm_token_parse(token->data, token->len, &parsed, e);

	if (r == 0 && !parsed.parent_handle)
		r = srk_find(t, &srk, e);
	if (r < 0)
		return r;
	tpm_policy_describe(&parsed.policy, policy, sizeof(policy));
	*ret = (struct key_state){ .current = !srk.persistent && !parsed.imported };
	(void)snprintf(ret->under, sizeof(ret->under), "%s of '%s': %s",
		       parsed.parent_handle ? "storage root key" : "primary key", t->dev->id, policy);
	return 0;
}

static int key_verify(const struct device *dev, const struct blob *token, struct key_state *ret, struct err *e)
{
	AUTO_SECRET struct secret clear = { 0 };
	AUTO_TPM struct tpm t = { 0 };
	int r = tpm_open(dev, &t, e);

	if (r == 0)
		r = token_unseal(&t, token, TOKEN_KEY, NULL, &clear, e);
	return r < 0 ? r : describe(&t, token, ret, e);
}

static int key_pattern(const struct device *dev, const struct blob *token, char ret[65], struct err *e)
{
	AUTO_TPM_TOKEN struct tpm_token parsed = { 0 };
	AUTO_SECRET struct secret clear = { 0 };
	int r = tpm_token_parse(token->data, token->len, &parsed, e);

	if (r == 0)
		r = key_unwrap(dev, token, &clear, e);
	return r < 0 ? r : crypto_pattern(&clear, parsed.xts, ret, e);
}

/* --- rewrap ----------------------------------------------------------------------------------------------------- */

static int token_rewrap(struct tpm *t, const struct wrap_params *p, const struct blob *old, const struct secret *clear,
			struct blob *ret, struct err *e)
{
	AUTO_TPM_TOKEN struct tpm_token was = { 0 }, token = { 0 };
	int r = tpm_token_parse(old->data, old->len, &was, e);

	token.kind = was.kind;
	token.bits = was.bits;
	token.xts = was.xts;
	token.clear_bus = was.clear_bus;
	if (r == 0)
		r = p->like ? policy_of(t, p, &token, e) : policy_choose(t, p->tpm, &was.policy, &token.policy, e);
	return r < 0 ? r : protect(t, p, &token, clear, NULL, ret, e);
}

/* Nothing is made before every token is known to open. */
static int tokens_open(struct tpm *t, const struct blob *tokens, size_t n, struct secret *ret, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = token_unseal(t, &tokens[i], TOKEN_KEY, NULL, &ret[i], e);
	return r;
}

static int tokens_rewrap(struct tpm *t, const struct wrap_params *p, const struct blob *tokens, const struct secret *clear,
			 size_t n, struct blob *ret, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int r = token_rewrap(t, p, &tokens[i], &clear[i], &ret[i], e);

		while (r < 0 && i)
			blob_done(&ret[--i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int key_rewrap(const struct device *dev, unsigned flags, const struct wrap_params *p, const struct blob *tokens,
		      size_t n, struct blob *ret, struct err *e)
{
	AUTO_FREE struct secret *clear = calloc(n + 1, sizeof(*clear));
	AUTO_TPM struct tpm t = { 0 };
	int r = clear ? wrap_check(p, e) : err_nomem(e);

	if (r == 0 && n > MEMORY_TOKENS && (is_for_later(p) || (p->tpm && (p->tpm->pin || p->tpm->device_key))))
		r = err_set(e, E2BIG, "more than %d keys at once: name some of them", MEMORY_TOKENS);
	if (r == 0 && flags & REWRAP_TO_NEW)
		r = err_set(e, EINVAL, "a TPM has one storage root key for all: there is no new one to move to");
	if (r == 0)
		r = tpm_open(dev, &t, e);
	if (r == 0)
		r = tokens_open(&t, tokens, n, clear, e);
	if (r == 0)
		r = tokens_rewrap(&t, p, tokens, clear, n, ret, e);
	for (size_t i = 0; clear && i < n; i++)
		secret_done(&clear[i]);
	return r;
}

/* --- keys of other programs -------------------------------------------------------------------------------------- */

static int open_foreign(const struct device *dev, struct tpm_foreign *f, struct secret *ret, struct err *e)
{
	AUTO_TPM struct tpm t = { 0 };
	int r = tpm_open(dev, &t, e);

	return r < 0 ? r : foreign_unseal(&t, f, ret, e);
}

/* A TPM has room for three objects: what opening needed is gone before something is sealed. */
static int key_import(const struct device *dev, const struct key_params *p, const struct blob *text, struct blob *ret,
		      struct err *e)
{
	AUTO_TPM_FOREIGN struct tpm_foreign f = { 0 };
	AUTO_TPM_TOKEN struct tpm_token token = { 0 };
	AUTO_SECRET struct secret clear = { 0 };
	AUTO_TPM struct tpm t = { 0 };
	struct key_params params = *p;
	int r = tpm_foreign_parse(text->data, text->len, &f, e);

	if (r == 0 && f.maker == TPM_BY_CLEVIS)
		r = err_set(e, EOPNOTSUPP, "what clevis sealed is a passphrase, not a key");
	if (r == 0)
		r = open_foreign(dev, &f, &clear, e);
	params.xts |= clear.len == 64;			/* longer than any single key */
	if (r == 0)
		r = shape_of(&params, clear.len, &token, e);
	token.policy = TAKE(f.policy);
	if (r == 0)
		r = tpm_open(dev, &t, e);
	return r < 0 ? r : protect(&t, &p->wrap, &token, &clear, NULL, ret, e);
}

static int to_text(const struct blob *der, enum key_form form, struct blob *ret, struct err *e)
{
	int r = form == KEY_TSS2 ? 0 : blob_alloc(ret, 2 * der->len + 1, e);

	if (form == KEY_TSS2)
		return pem_encode(der, "TSS2 PRIVATE KEY", ret, e);
	if (r < 0)
		return r;
	hex_encode(der->data, der->len, (char *)ret->data);
	ret->data[2 * der->len] = '\n';
	return 0;
}

static int key_export(const struct device *dev, const struct blob *token, enum key_form form, struct blob *ret,
		      struct err *e)
{
	AUTO_TPM_TOKEN struct tpm_token parsed = { 0 };
	AUTO_SECRET struct secret clear = { 0 };
	AUTO_BLOB struct blob der = { 0 };
	AUTO_TPM struct tpm t = { 0 };
	int r = tpm_token_parse(token->data, token->len, &parsed, e);

	if (r == 0)
		r = tpm_tss2_check(&parsed.policy, e);		/* before anybody is asked for anything */
	if (r == 0)
		r = key_unwrap(dev, token, &clear, e);
	if (r == 0)
		r = tpm_open(dev, &t, e);
	if (r == 0)
		r = foreign_seal(&t, &parsed.policy, &clear, form == KEY_KERNEL, &der, e);
	return r < 0 ? r : to_text(&der, form, ret, e);
}

static const struct key_ops key_ops = {
	.generate = key_generate,
	.wrap = key_wrap,
	.rewrap = key_rewrap,
	.verify = key_verify,
	.unwrap = key_unwrap,
	.pattern = key_pattern,
	.import = key_import,
	.export_ = key_export,
};

/* --- seal ------------------------------------------------------------------------------------------------------- */

static int seal(const struct device *dev, const struct wrap_params *p, const struct secret *clear,
		const struct blob *binding, struct blob *ret, struct err *e)
{
	return protect_new(dev, p, &(struct tpm_token){ .kind = TOKEN_SEALED }, clear, binding, ret, e);
}

static int unseal(const struct device *dev, const struct blob *sealed, const struct blob *binding, struct secret *ret,
		  struct err *e)
{
	return open_token(dev, sealed, TOKEN_SEALED, binding, ret, e);
}

/* The storage root key is compared; nothing is opened. */
static int explain_parent(struct tpm *t, const struct tpm_token *token, struct examination *x)
{
	struct err why = { 0 };
	struct srk srk;

	if (srk_explain(t, token, &srk, &why) == 0)
		return x->tell(x, VERDICT_OK, "TPM '%s' holds its storage root key", t->dev->id);
	return x->tell(x, VERDICT_BAD, "%s", why.msg);
}

static int explain(const struct device *dev, const struct blob *sealed, struct examination *x, struct err *e)
{
	AUTO_TPM_TOKEN struct tpm_token token = { 0 };
	AUTO_TPM struct tpm t = { 0 };
	struct err why = { 0 };
	bool holds;
	int r = tpm_token_parse(sealed->data, sealed->len, &token, e);

	if (r == 0)
		r = tpm_open(dev, &t, e);
	if (r == 0)
		r = explain_parent(&t, &token, x);
	if (r == 0)
		r = policy_explain(&t, &token.policy, x, &holds, e);
	if (r == 0 && token.policy.pin && tpm_check_lockout(&t, &why) < 0)
		r = x->tell(x, VERDICT_BAD, "%s", why.msg);
	return r;
}

static bool owns(const struct device *dev, const struct blob *sealed)
{
	AUTO_TPM_TOKEN struct tpm_token token = { 0 };
	AUTO_TPM struct tpm t = { 0 };
	struct err ignored = { 0 };

	return tpm_token_parse(sealed->data, sealed->len, &token, &ignored) == 0 && tpm_open(dev, &t, &ignored) == 0 &&
	       srk_is_of(&t, &token);
}

static int unseal_foreign(const struct device *dev, const struct blob *text, struct secret *ret, struct err *e)
{
	AUTO_TPM_FOREIGN struct tpm_foreign f = { 0 };
	int r = tpm_foreign_parse(text->data, text->len, &f, e);

	return r < 0 ? r : open_foreign(dev, &f, ret, e);
}

static const struct seal_ops seal_ops = {
	.seal = seal,
	.unseal = unseal,
	.explain = explain,
	.unseal_foreign = unseal_foreign,
	.owns = owns,
};

static int make_srk(const struct device *dev, struct err *e)
{
	AUTO_TPM struct tpm t = { 0 };
	int r = tpm_open(dev, &t, e);

	return r < 0 ? r : srk_make_persistent(&t, e);
}

/* The tests link all modules into one and reach this one under its own name. */
extern const struct backend_ops tpm2_ops;
const struct backend_ops tpm2_ops = {
	.key = &key_ops,
	.seal = &seal_ops,
	.counter = &tpm2_counter_ops,
	.make_srk = make_srk,
};

MODULE_EXPORT extern const struct backend_ops hwkey_module __attribute__((alias("tpm2_ops")));
