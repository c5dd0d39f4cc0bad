// SPDX-License-Identifier: MIT
#include "tpm-token.h"

#include <errno.h>
#include <string.h>

#include "err.h"

static const unsigned char magic[8] = { 'H', 'W', 'K', 'E', 'Y', 'T', 'P', 'M' };

/* TPM 2.0 library specification, part 2: TPMI_ALG_PUBLIC, the first two bytes of a TPMT_PUBLIC. */
enum { ALG_RSA = 0x0001, ALG_KEYEDHASH = 0x0008, ALG_ECC = 0x0023 };

enum { VERSION = 1, FLAG_XTS = 1, FLAG_PIN = 2, FLAG_CLEAR_BUS = 4, FLAG_IMPORTED = 8, SIGNED = 6 };

bool tpm_token_is(const void *data, size_t len)
{
	return len >= sizeof(magic) && !memcmp(data, magic, sizeof(magic));
}

/* --- reading --------------------------------------------------------------------------------------------------- */

struct reader {
	const unsigned char *at;
	size_t left;
};

/* A length and that many bytes. */
static bool read_field(struct reader *r, struct tpm_bytes *ret)
{
	size_t n = r->left < 2 ? SIZE_MAX : be_get(r->at, 2);

	if (n > TPM_TOKEN_FIELD_MAX || n > r->left - 2)
		return false;
	*ret = (struct tpm_bytes){ r->at + 2, n };
	r->at += 2 + n;
	r->left -= 2 + n;
	return true;
}

static bool is_bits(uint64_t bits)
{
	return bits == 128 || bits == 192 || bits == 256;
}

static bool read_fixed(const unsigned char *p, struct tpm_token *t)
{
	uint64_t kind = be_get(p + 10, 2), flags = be_get(p + 12, 2), bits = be_get(p + 14, 2);

	t->kind = (enum token_kind)kind;
	t->xts = flags & FLAG_XTS;
	t->policy.pin = flags & FLAG_PIN;
	t->clear_bus = flags & FLAG_CLEAR_BUS;
	t->imported = flags & FLAG_IMPORTED;
	t->bits = (unsigned)bits;
	t->parent_handle = (uint32_t)be_get(p + 16, 4);
	memcpy(t->machine, p + 20, sizeof(t->machine));
	memcpy(t->salt, p + 36, sizeof(t->salt));
	return be_get(p + 8, 2) == VERSION && flags < 2 * FLAG_IMPORTED &&
	       (kind == TOKEN_KEY ? is_bits(bits) : kind == TOKEN_SEALED && bits == 0 && !t->xts);
}

static bool is_public(const struct tpm_bytes *b, unsigned alg)
{
	enum { SMALLEST = 10 };		/* type 2, name algorithm 2, attributes 4, length of the policy 2 */

	return b->len >= SMALLEST && be_get(b->data, 2) == alg;
}

static bool good_pcrs(enum tpm_bank bank, uint32_t pcrs)
{
	return tpm_bank_size(bank) && pcrs && pcrs < UINT32_C(1) << TPM_PCRS;
}

static bool read_branch(struct reader *r, struct tpm_branch *b)
{
	size_t size;

	if (r->left < SIGNED)
		return false;
	b->bank = (enum tpm_bank)be_get(r->at, 2);
	b->pcrs = (uint32_t)be_get(r->at + 2, 4);
	size = tpm_bank_size(b->bank);
	r->at += SIGNED;
	r->left -= SIGNED;
	if (!good_pcrs(b->bank, b->pcrs) || r->left < size * (size_t)__builtin_popcount(b->pcrs))
		return false;
	for (unsigned i = 0; i < TPM_PCRS; i++) {
		if (!(b->pcrs & UINT32_C(1) << i))
			continue;
		memcpy(b->values[i], r->at, size);
		r->at += size;
		r->left -= size;
	}
	return true;
}

static bool read_branches(const struct tpm_bytes *field, struct tpm_policy *p)
{
	struct reader r = { field->data, field->len };

	while (r.left) {
		if (p->n_branches == TPM_BRANCHES || !read_branch(&r, &p->branch[p->n_branches]))
			return false;
		p->n_branches++;
	}
	return true;
}

static bool read_signed(const struct tpm_bytes *field, bool is_signed, struct tpm_policy *p)
{
	if (field->len != (is_signed ? SIGNED : 0))
		return false;
	if (!is_signed)
		return true;
	p->signed_bank = (enum tpm_bank)be_get(field->data, 2);
	p->signed_pcrs = (uint32_t)be_get(field->data + 2, 4);
	return good_pcrs(p->signed_bank, p->signed_pcrs);
}

/* What is wrong; NULL: nothing. All but the signer's key, which needs memory, is in T. */
static const char *read_fields(struct reader *r, struct tpm_token *t, struct tpm_bytes *ret_signer)
{
	struct tpm_bytes pcrs, branches;

	if (!read_field(r, &t->parent) || !read_field(r, &t->public) || !read_field(r, &t->private) ||
	    !read_field(r, &t->seed) || !read_field(r, ret_signer) || !read_field(r, &pcrs) || !read_field(r, &branches))
		return "is cut";
	if (!is_public(&t->parent, ALG_ECC) && !is_public(&t->parent, ALG_RSA))
		return "names no parent";
	if (!is_public(&t->public, ALG_KEYEDHASH) || !t->private.len || t->imported != (t->seed.len > 0))
		return "holds no sealed object";
	if (!read_signed(&pcrs, ret_signer->len > 0, &t->policy) || !read_branches(&branches, &t->policy))
		return "has a malformed policy";
	return NULL;
}

static bool read_payload(struct reader *r, struct tpm_token *t)
{
	if (!read_field(r, &t->payload) || r->left != TOKEN_TAG || !t->payload.len)
		return false;
	return t->kind != TOKEN_KEY || t->payload.len == (size_t)t->bits / 8 * (t->xts ? 2 : 1);
}

int tpm_token_parse(const void *data, size_t len, struct tpm_token *ret, struct err *e)
{
	AUTO_TPM_TOKEN struct tpm_token t = { 0 };
	struct reader in = { data, len };
	struct tpm_bytes signer;
	const char *wrong;
	int r;

	if (len < TPM_TOKEN_FIXED || len > TPM_TOKEN_MAX || !tpm_token_is(data, len) || !read_fixed(data, &t))
		return err_set(e, EBADMSG, "not a token of a TPM");
	in.at += TPM_TOKEN_FIXED;
	in.left -= TPM_TOKEN_FIXED;
	wrong = read_fields(&in, &t, &signer);
	t.aad_len = len - in.left;
	if (!wrong && !read_payload(&in, &t))
		wrong = "is cut or has a wrong length";
	if (wrong)
		return err_set(e, EBADMSG, "a TPM's token %s", wrong);
	r = signer.len ? blob_copy(&t.policy.public_key, signer.data, signer.len, e) : 0;
	if (r < 0)
		return r;
	*ret = TAKE(t);
	return 0;
}

/* --- writing --------------------------------------------------------------------------------------------------- */

struct writer {
	unsigned char bytes[TPM_TOKEN_MAX];
	size_t len;
	bool full;
};

static void write_number(struct writer *w, uint64_t v, unsigned size)
{
	if (sizeof(w->bytes) - w->len < size) {
		w->full = true;
		return;
	}
	be_put(w->bytes + w->len, v, size);
	w->len += size;
}

static void write_bytes(struct writer *w, const void *data, size_t len)
{
	if (sizeof(w->bytes) - w->len < len) {
		w->full = true;
		return;
	}
	if (len)
		memcpy(w->bytes + w->len, data, len);
	w->len += len;
}

static void write_field(struct writer *w, const void *data, size_t len)
{
	w->full |= len > TPM_TOKEN_FIELD_MAX;
	write_number(w, len, 2);
	write_bytes(w, data, len);
}

static void write_pcrs(struct writer *w, enum tpm_bank bank, uint32_t pcrs)
{
	write_number(w, bank, 2);
	write_number(w, pcrs, 4);
}

static void write_branches(struct writer *w, const struct tpm_policy *p)
{
	size_t at = w->len;

	write_number(w, 0, 2);
	for (unsigned i = 0; i < p->n_branches; i++) {
		const struct tpm_branch *b = &p->branch[i];

		write_pcrs(w, b->bank, b->pcrs);
		for (unsigned n = 0; n < TPM_PCRS; n++)
			if (b->pcrs & UINT32_C(1) << n)
				write_bytes(w, b->values[n], tpm_bank_size(b->bank));
	}
	w->full |= w->len - at > TPM_TOKEN_FIELD_MAX + 2;
	if (!w->full)
		be_put(w->bytes + at, w->len - at - 2, 2);
}

static void write_fixed(struct writer *w, const struct tpm_token *t)
{
	write_bytes(w, magic, sizeof(magic));
	write_number(w, VERSION, 2);
	write_number(w, t->kind, 2);
	write_number(w, (t->xts ? FLAG_XTS : 0U) | (t->policy.pin ? FLAG_PIN : 0U) | (t->clear_bus ? FLAG_CLEAR_BUS : 0U) |
		     (t->imported ? FLAG_IMPORTED : 0U), 2);
	write_number(w, t->bits, 2);
	write_number(w, t->parent_handle, 4);
	write_bytes(w, t->machine, sizeof(t->machine));
	write_bytes(w, t->salt, sizeof(t->salt));
}

int tpm_token_format_header(const struct tpm_token *t, struct blob *ret, struct err *e)
{
	const struct tpm_policy *p = &t->policy;
	struct writer w = { .len = 0 };

	write_fixed(&w, t);
	write_field(&w, t->parent.data, t->parent.len);
	write_field(&w, t->public.data, t->public.len);
	write_field(&w, t->private.data, t->private.len);
	write_field(&w, t->seed.data, t->seed.len);
	write_field(&w, p->public_key.data, p->public_key.len);
	write_number(&w, p->public_key.len ? SIGNED : 0, 2);
	if (p->public_key.len)
		write_pcrs(&w, p->signed_bank, p->signed_pcrs);
	write_branches(&w, p);
	if (w.full)
		return err_set(e, EMSGSIZE, "the policy is too long for a token: name fewer PCRs or states");
	return blob_copy(ret, w.bytes, w.len, e);
}

void tpm_token_done(struct tpm_token *t)
{
	tpm_policy_done(&t->policy);
	*t = (struct tpm_token){ 0 };
}
