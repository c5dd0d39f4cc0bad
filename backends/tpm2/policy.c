// SPDX-License-Identifier: MIT
/* Policy digests as the TPM computes them: TPM 2.0 library specification, part 3, Enhanced Authorization. */
#include "tpm.h"

#include <errno.h>
#include <string.h>

#include "lib/crypto.h"

enum { SELECTION = 10, INPUT_MAX = CRYPTO_HASH * (TPM_BRANCHES + 1) + 4 };
static const TPM2B_DIGEST zero = { .size = CRYPTO_HASH };	/* what a session begins with */

/* What a command hashes: the digest so far, its code, its parameters. */
struct input {
	unsigned char data[INPUT_MAX];
	size_t len;
};

static void put(struct input *in, const void *data, size_t len)
{
	memcpy(in->data + in->len, data, len);
	in->len += len;
}

static struct input begin(const TPM2B_DIGEST *so_far, TPM2_CC command)
{
	struct input in = { 0 };
	unsigned char code[4];

	be_put(code, command, sizeof(code));
	put(&in, so_far->buffer, CRYPTO_HASH);
	put(&in, code, sizeof(code));
	return in;
}

static int finish(const struct input *in, TPM2B_DIGEST *ret, struct err *e)
{
	ret->size = CRYPTO_HASH;
	return crypto_sha256(in->data, in->len, ret->buffer, e);
}

/* One TPMS_PCR_SELECTION in a list: 4 count 1  2 bank  1 size 3  3 bits, PCR 0 the lowest of the first byte. */
static void put_selection(struct input *in, const struct tpm_branch *b)
{
	unsigned char s[SELECTION];

	be_put(s, 1, 4);
	be_put(s + 4, b->bank, 2);
	s[6] = 3;
	for (unsigned i = 0; i < 3; i++)
		s[7 + i] = (unsigned char)(b->pcrs >> 8 * i);
	put(in, s, sizeof(s));
}

int pcr_digest(const struct tpm_branch *b, TPM2B_DIGEST *ret, struct err *e)
{
	unsigned char all[TPM_PCRS * TPM_DIGEST_MAX];
	size_t len = 0, size = tpm_bank_size(b->bank);

	for (unsigned n = 0; n < TPM_PCRS; n++)
		if (b->pcrs & 1U << n) {
			memcpy(all + len, b->values[n], size);
			len += size;
		}
	ret->size = CRYPTO_HASH;
	return crypto_sha256(all, len, ret->buffer, e);
}

static int add_pcrs(const struct tpm_branch *b, TPM2B_DIGEST *d, struct err *e)
{
	struct input in = begin(d, TPM2_CC_PolicyPCR);
	TPM2B_DIGEST values;
	int r = pcr_digest(b, &values, e);

	if (r < 0)
		return r;
	put_selection(&in, b);
	put(&in, values.buffer, CRYPTO_HASH);
	return finish(&in, d, e);
}

/* PolicyAuthorize begins anew: the key's Name, then, hashed on its own, a reference that is empty. */
static int add_signer(const struct blob *public_key, TPM2B_DIGEST *d, struct err *e)
{
	struct input in = begin(&zero, TPM2_CC_PolicyAuthorize);
	TPM2B_NAME name;
	int r = signer_name(public_key, &name, e);

	if (r < 0)
		return r;
	put(&in, name.name, name.size);
	r = finish(&in, d, e);
	return r < 0 ? r : crypto_sha256(d->buffer, CRYPTO_HASH, d->buffer, e);
}

int policy_pcr_digest(const struct tpm_branch *b, TPM2B_DIGEST *ret, struct err *e)
{
	*ret = zero;
	return add_pcrs(b, ret, e);
}

int policy_branch_digests(const struct tpm_policy *p, TPML_DIGEST *ret, struct err *e)
{
	TPM2B_DIGEST first = zero;
	int r = p->public_key.len ? add_signer(&p->public_key, &first, e) : 0;

	ret->count = p->n_branches;
	for (unsigned i = 0; r == 0 && i < p->n_branches; i++) {
		ret->digests[i] = first;
		r = add_pcrs(&p->branch[i], &ret->digests[i], e);
	}
	return r;
}

/* PolicyOR begins anew, too. */
static int add_branches(const struct tpm_policy *p, TPM2B_DIGEST *d, struct err *e)
{
	struct input in = begin(&zero, TPM2_CC_PolicyOR);
	TPML_DIGEST list;
	int r = policy_branch_digests(p, &list, e);

	if (r < 0)
		return r;
	*d = list.digests[0];
	if (list.count == 1)
		return 0;
	for (unsigned i = 0; i < list.count; i++)
		put(&in, list.digests[i].buffer, CRYPTO_HASH);
	return finish(&in, d, e);
}

int policy_digest(const struct tpm_policy *p, TPM2B_DIGEST *ret, struct err *e)
{
	TPM2B_DIGEST d = zero;
	struct input in;
	int r = 0;

	if (p->n_branches)
		r = add_branches(p, &d, e);
	else if (p->public_key.len)
		r = add_signer(&p->public_key, &d, e);
	if (r == 0 && p->pin) {
		in = begin(&d, TPM2_CC_PolicyAuthValue);
		r = finish(&in, &d, e);
	} else if (r == 0 && policy_is_empty(p)) {
		in = begin(&d, TPM2_CC_PolicyCommandCode);
		put(&in, (unsigned char[]){ 0, 0, TPM2_CC_Unseal >> 8, TPM2_CC_Unseal & 0xff }, 4);
		r = finish(&in, &d, e);
	}
	if (r == 0)
		*ret = d;
	return r;
}
