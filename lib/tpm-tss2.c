// SPDX-License-Identifier: MIT
/*
 * Key files of TSS2, draft-bottomley-tpm2-keys: of the types the sealed one.
 *   SEQUENCE { OID 2.23.133.10.1.5,  [0] BOOLEAN emptyAuth,  [1] SEQUENCE OF policy,  [2] secret,  [3] authPolicy,
 *              [4] description,  [5] rsaParent,  INTEGER parent,  OCTETS TPM2B_PUBLIC,  OCTETS TPM2B_PRIVATE }
 *   policy: SEQUENCE { [0] INTEGER command code,  [1] OCTETS of its parameters }; all tags explicit, [0] to [5] optional
 */
#include "tpm-foreign.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypto.h"
#include "err.h"

/* Tags of DER, and command codes of TPM 2.0, part 2. */
enum { DER_BOOLEAN = 1, DER_INTEGER = 2, DER_OCTETS = 4, DER_OID = 6, DER_SEQUENCE = 0x30, DER_EXPLICIT = 0xa0 };
enum { CC_POLICY_AUTH_VALUE = 0x16b, CC_POLICY_COMMAND_CODE = 0x16c, CC_POLICY_PCR = 0x17f };
enum { RH_OWNER = 0x40000001, LONG = 4096, SELECTION = 10 };

static const unsigned char oid[] = { 0x67, 0x81, 0x05, 0x0a, 0x01, 0x05 };

/* --- reading ------------------------------------------------------------------------------------------------------- */

struct der {
	const unsigned char *at;
	size_t left;
};

/* The next thing, if it has that TAG: RET is what is in it. Lengths as DER has them: the shortest way. */
static bool der_take(struct der *d, unsigned tag, struct der *ret)
{
	size_t len, head = 2;

	if (d->left < 2 || d->at[0] != tag)
		return false;
	len = d->at[1];
	if (len == 0x81 || len == 0x82) {
		head += len - 0x80;
		if (d->left < head)
			return false;
		len = be_get(d->at + 2, (unsigned)head - 2);
		if (len < (head == 3 ? 0x80U : 0x100U))
			return false;
	} else if (len > 0x7f) {
		return false;
	}
	if (len > LONG || len > d->left - head)
		return false;
	*ret = (struct der){ d->at + head, len };
	d->at += head + len;
	d->left -= head + len;
	return true;
}

static bool der_explicit(struct der *d, unsigned n, unsigned tag, struct der *ret)
{
	struct der outer;

	return der_take(d, DER_EXPLICIT + n, &outer) && der_take(&outer, tag, ret) && !outer.left;
}

/* Of up to 32 bits, without sign. */
static bool der_number(const struct der *d, uint32_t *ret)
{
	if (d->left < 1 || d->left > 5 || d->at[0] & 0x80 || (d->left == 5 && d->at[0]) ||
	    (d->left > 1 && !d->at[0] && !(d->at[1] & 0x80)))
		return false;
	*ret = (uint32_t)be_get(d->at, (unsigned)d->left);
	return true;
}

/*
 * PolicyPCR: TPML_PCR_SELECTION and the bare digest, as openssl_tpm2_engine has it; or TPM2B_DIGEST and the selection, as
 * the command has it. The digest is in the object's policy, too.
 */
static bool read_pcrs(const struct der *d, struct tpm_policy *p)
{
	const unsigned char *s = d->at;
	size_t left = d->left;
	enum tpm_bank bank;
	uint32_t pcrs;

	if (left >= 2 && (s[1] || left == 2 + SELECTION)) {
		size_t digest = 2 + be_get(s, 2);

		if (digest > left || left - digest != SELECTION)
			return false;
		s += digest;
		left = SELECTION;
	}
	if (left < SELECTION || be_get(s, 4) != 1 || s[6] != 3 || p->n_branches)
		return false;
	bank = (enum tpm_bank)be_get(s + 4, 2);
	pcrs = (uint32_t)(s[7] | s[8] << 8 | s[9] << 16);
	if (!tpm_bank_size(bank) || !pcrs)
		return false;
	p->branch[p->n_branches++] = (struct tpm_branch){ .bank = bank, .pcrs = pcrs };
	return true;
}

/* One command of the policy, in the order in which they are sent. */
static bool read_command(struct der *d, struct tpm_foreign *f)
{
	struct der command, code, rest;
	uint32_t n;

	if (!der_take(d, DER_SEQUENCE, &command) || !der_explicit(&command, 0, DER_INTEGER, &code) ||
	    !der_number(&code, &n) || !der_explicit(&command, 1, DER_OCTETS, &rest) || command.left)
		return false;
	if (n == CC_POLICY_PCR && !f->policy.pin)
		return read_pcrs(&rest, &f->policy);
	if (n == CC_POLICY_AUTH_VALUE && !rest.left)
		f->policy.pin = true;
	else
		(void)snprintf(f->beyond, sizeof(f->beyond), "the TPM's policy command 0x%x", n);
	return true;
}

static bool read_options(struct der *d, struct tpm_foreign *f)
{
	struct der empty = { 0 }, policy = { 0 }, other;
	bool has_policy;

	if (der_explicit(d, 0, DER_BOOLEAN, &empty) && empty.left != 1)
		return false;
	has_policy = der_explicit(d, 1, DER_SEQUENCE, &policy);
	while (policy.left)
		if (!read_command(&policy, f))
			return false;
	for (unsigned n = 2; n <= 5; n++)
		if (der_take(d, DER_EXPLICIT + n, &other) && (n == 5 || (n == 3 && !has_policy)))
			(void)snprintf(f->beyond, sizeof(f->beyond), n == 3 ? "one of several policies" : "an RSA parent");
	f->policy.pin |= !has_policy && !(empty.left && empty.at[0]);
	return true;
}

/* A TPM2B that fills its OCTETS. */
static int copy_2b(const struct der *d, struct blob *ret, struct err *e)
{
	if (d->left <= 2 || be_get(d->at, 2) != d->left - 2)
		return err_set(e, EBADMSG, "a TPM's object in a key file is malformed");
	return blob_copy(ret, d->at + 2, d->left - 2, e);
}

int tpm_tss2_parse(const unsigned char *p, size_t len, struct tpm_foreign *ret, struct err *e)
{
	enum { SEALED = 0x0008, SMALLEST = 10 };	/* TPM_ALG_KEYEDHASH */
	AUTO_TPM_FOREIGN struct tpm_foreign f = { .maker = TPM_BY_TSS2 };
	struct der file = { p, len }, seq, type, number, public, private;
	uint32_t parent;
	int r;

	if (!der_take(&file, DER_SEQUENCE, &seq) || file.left || !der_take(&seq, DER_OID, &type))
		return err_set(e, EBADMSG, "not a key file of TSS2");
	if (type.left != sizeof(oid) || memcmp(type.at, oid, sizeof(oid)) != 0)
		return err_set(e, EBADMSG, "a key file of TSS2, but not of sealed data");
	if (!read_options(&seq, &f) || !der_take(&seq, DER_INTEGER, &number) || !der_number(&number, &parent) ||
	    !der_take(&seq, DER_OCTETS, &public) || !der_take(&seq, DER_OCTETS, &private) || seq.left)
		return err_set(e, EBADMSG, "a key file of TSS2 is malformed");
	r = copy_2b(&public, &f.public, e);
	if (r == 0)
		r = copy_2b(&private, &f.private, e);
	if (r < 0)
		return r;
	if (f.public.len < SMALLEST || be_get(f.public.data, 2) != SEALED)
		return err_set(e, EBADMSG, "a key file of TSS2, but not of sealed data");
	f.parent_handle = parent == RH_OWNER ? 0 : parent;
	*ret = TAKE(f);
	return 0;
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

struct writer {				/* from the end to the beginning, so that lengths are known */
	unsigned char bytes[LONG];
	size_t left;
	bool full;
};

static void put(struct writer *w, const void *data, size_t len)
{
	if (len > w->left) {
		w->full = true;
		return;
	}
	w->left -= len;
	memcpy(w->bytes + w->left, data, len);
}

static void put_number(struct writer *w, uint64_t v, unsigned size)
{
	unsigned char b[8];

	be_put(b, v, size);
	put(w, b, size);
}

/* Before what was put since END. */
static void put_head(struct writer *w, unsigned tag, size_t end)
{
	size_t len = end - w->left;

	put_number(w, len, len < 0x100 ? 1 : 2);
	if (len > 0x7f)
		put_number(w, len < 0x100 ? 0x81 : 0x82, 1);
	put_number(w, tag, 1);
}

static void put_integer(struct writer *w, uint32_t v)
{
	size_t end = w->left;
	unsigned size = 1;

	while (size < 5 && (uint64_t)v >> (8 * size - 1))
		size++;
	put_number(w, v, size);
	put_head(w, DER_INTEGER, end);
}

static void put_2b(struct writer *w, const struct blob *b)
{
	size_t end = w->left;

	put(w, b->data, b->len);
	put_number(w, b->len, 2);
	put_head(w, DER_OCTETS, end);
}

/* PolicyPCR of the branch, whose values' digest goes with the selection. */
static int put_pcrs(struct writer *w, const struct tpm_branch *b, struct err *e)
{
	unsigned char values[TPM_PCRS * TPM_DIGEST_MAX], digest[CRYPTO_HASH];
	size_t len = 0, size = tpm_bank_size(b->bank), end = w->left, code;
	int r;

	for (unsigned n = 0; n < TPM_PCRS; n++) {
		if (b->pcrs & UINT32_C(1) << n) {
			memcpy(values + len, b->values[n], size);
			len += size;
		}
	}
	r = crypto_sha256(values, len, digest, e);
	put(w, digest, sizeof(digest));
	for (unsigned i = 3; i-- > 0;)
		put_number(w, b->pcrs >> 8 * i & 0xff, 1);
	put_number(w, 3, 1);
	put_number(w, b->bank, 2);
	put_number(w, 1, 4);
	put_head(w, DER_OCTETS, end);
	put_head(w, DER_EXPLICIT + 1, end);
	code = w->left;
	put_integer(w, CC_POLICY_PCR);
	put_head(w, DER_EXPLICIT, code);
	put_head(w, DER_SEQUENCE, end);
	return r;
}

static int put_options(struct writer *w, const struct tpm_policy *p, bool kernel, struct err *e)
{
	static const unsigned char yes = 0xff;
	size_t end = w->left;
	int r = 0;

	if (p->n_branches && !kernel) {
		r = put_pcrs(w, &p->branch[0], e);
		put_head(w, DER_SEQUENCE, end);
		put_head(w, DER_EXPLICIT + 1, end);
		end = w->left;
	}
	put(w, &yes, 1);
	put_head(w, DER_BOOLEAN, end);
	put_head(w, DER_EXPLICIT, end);
	return r;
}

int tpm_tss2_check(const struct tpm_policy *p, struct err *e)
{
	const char *odd = p->pin ? "PIN" : p->public_key.len ? "signed policy" : p->n_branches > 1 ? "alternatives" : NULL;

	return odd ? err_set(e, EOPNOTSUPP, "a key file of TSS2 cannot say what opens it: no %s of hwkey's", odd) : 0;
}

int tpm_tss2_format(const struct tpm_foreign *f, bool kernel, struct blob *ret, struct err *e)
{
	struct writer w = { .left = LONG };
	size_t end;
	int r;

	r = tpm_tss2_check(&f->policy, e);
	if (r < 0)
		return r;
	put_2b(&w, &f->private);
	put_2b(&w, &f->public);
	put_integer(&w, f->parent_handle ? f->parent_handle : RH_OWNER);
	r = put_options(&w, &f->policy, kernel, e);
	end = w.left;
	put(&w, oid, sizeof(oid));
	put_head(&w, DER_OID, end);
	put_head(&w, DER_SEQUENCE, LONG);
	if (r < 0 || w.full)
		return r < 0 ? r : err_set(e, EMSGSIZE, "too long for a key file of TSS2");
	return blob_copy(ret, w.bytes + w.left, LONG - w.left, e);
}

/* --- PEM ----------------------------------------------------------------------------------------------------------- */

int pem_decode(const char *text, size_t len, const char *type, struct blob *ret, struct err *e)
{
	AUTO_FREE char *plain = malloc(len + 1);
	char begin[64], end[64];
	const char *stop;
	size_t n, m, at = 0;

	if (!plain)
		return err_nomem(e);
	n = (size_t)snprintf(begin, sizeof(begin), "-----BEGIN %s-----\n", type);
	m = (size_t)snprintf(end, sizeof(end), "\n-----END %s-----", type);
	stop = len > n && !memcmp(text, begin, n) ? memmem(text + n, len - n, end, m) : NULL;
	if (!stop || (size_t)(text + len - stop) > m + 1)
		return err_set(e, EBADMSG, "no PEM of a %s", type);
	for (const char *c = text + n; c < stop; c++)
		if (*c != '\n')
			plain[at++] = *c;
	return base64_decode(plain, at, ret, e);
}

int pem_encode(const struct blob *der, const char *type, struct blob *ret, struct err *e)
{
	enum { LINE = 64 };
	AUTO_BLOB struct blob text = { 0 };
	AUTO_FREE char *pem = NULL;
	size_t size = 0;
	FILE *f;
	int r = base64_encode(der->data, der->len, &text, e);

	if (r < 0)
		return r;
	f = open_memstream(&pem, &size);
	if (!f)
		return err_nomem(e);
	(void)fprintf(f, "-----BEGIN %s-----\n", type);
	for (size_t at = 0; at < text.len; at += LINE)
		(void)fprintf(f, "%.*s\n", LINE, (const char *)text.data + at);
	(void)fprintf(f, "-----END %s-----\n", type);
	return fclose(f) != 0 ? err_nomem(e) : blob_copy(ret, pem, size, e);
}
