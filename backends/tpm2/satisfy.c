// SPDX-License-Identifier: MIT
/* Policies and the TPM's present state: made from it, satisfied by it, compared with it. */
#include "tpm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/crypto.h"

/* --- how the state differs ------------------------------------------------------------------------------------- */

enum { SHOWN = 8 };				/* bytes of a value that a person is told */

struct difference {				/* from the branch that is nearest to the present state */
	unsigned branch;
	uint32_t pcrs;				/* that differ; 0: it holds */
	struct tpm_branch now;
};

static bool is_same_selection(const struct tpm_branch *a, const struct tpm_branch *b)
{
	return a->bank == b->bank && a->pcrs == b->pcrs;
}

static uint32_t pcrs_that_differ(const struct tpm_branch *a, const struct tpm_branch *b)
{
	uint32_t differ = 0;

	for (unsigned n = 0; n < TPM_PCRS; n++)
		if (a->pcrs & 1U << n && memcmp(a->values[n], b->values[n], tpm_bank_size(a->bank)) != 0)
			differ |= 1U << n;
	return differ;
}

static int difference_find(struct tpm *t, const struct tpm_policy *p, struct difference *ret, struct err *e)
{
	struct tpm_branch now = { 0 };
	int gone = 0;			/* a bank of one branch need not stop the others */

	*ret = (struct difference){ .pcrs = UINT32_MAX };
	for (unsigned i = 0; i < p->n_branches; i++) {
		const struct tpm_branch *b = &p->branch[i];
		uint32_t differ;
		int r = 0;

		if (!is_same_selection(b, &now)) {
			now = (struct tpm_branch){ .bank = b->bank, .pcrs = b->pcrs };
			r = pcr_read(t, &now, e);
		}
		if (r == -EOPNOTSUPP) {
			gone = r;
			now = (struct tpm_branch){ 0 };
			continue;
		}
		if (r < 0)
			return r;
		differ = pcrs_that_differ(b, &now);
		if (__builtin_popcount(differ) < __builtin_popcount(ret->pcrs))
			*ret = (struct difference){ .branch = i, .pcrs = differ, .now = now };
	}
	return ret->pcrs == UINT32_MAX ? gone : 0;
}

/* "PCR 7 (secure boot state) was 0123456789abcdef, is fedcba9876543210" */
static void difference_format(const struct tpm_branch *was, const struct tpm_branch *now, unsigned n, char ret[160])
{
	char before[2 * SHOWN + 1], after[2 * SHOWN + 1];

	hex_encode(was->values[n], SHOWN, before);
	hex_encode(now->values[n], SHOWN, after);
	(void)snprintf(ret, 160, "PCR %u (%s) was %s, is %s", n, tpm_pcr_meaning(n), before, after);
}

/* Why none of the branches was taken. EAGAIN: one of them holds by now. */
static int difference_fail(struct tpm *t, const struct tpm_policy *p, struct err *e)
{
	struct difference d;
	char all[320] = "", one[160];
	unsigned told = 0;
	int r = difference_find(t, p, &d, e);

	if (r < 0)
		return r;
	if (!d.pcrs)
		return err_set(e, EAGAIN, "PCRs changed meanwhile: try again");
	for (unsigned n = 0; n < TPM_PCRS; n++)
		if (d.pcrs & 1U << n && told++ < 3) {
			difference_format(&p->branch[d.branch], &d.now, n, one);
			(void)snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", all[0] ? "; " : "", one);
		}
	if (told > 3)
		(void)snprintf(all + strlen(all), sizeof(all) - strlen(all), "; and %u more", told - 3);
	return err_set(e, EPERM, "the machine is in another state%s: %s; boot as before, or use a recovery key",
		       p->n_branches > 1 ? " than each that opens it" : "", all);
}

/* --- satisfying ------------------------------------------------------------------------------------------------ */

/* VALUES: digest that the TPM is to compare; NULL: it takes what is there. */
static TSS2_RC pcr_command(struct tpm *t, ESYS_TR session, const struct tpm_branch *b, const TPM2B_DIGEST *values)
{
	static const TPM2B_DIGEST none;
	TPML_PCR_SELECTION selection;
	TSS2_RC rc;

	pcr_selection(b, &selection);
	TPM_TRY(rc, Esys_PolicyPCR(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, values ? values : &none,
				   &selection));
	return rc;
}

static int session_digest(struct tpm *t, ESYS_TR session, TPM2B_DIGEST *ret, struct err *e)
{
	TPM2B_DIGEST *d = NULL;
	TSS2_RC rc;

	TPM_TRY(rc, Esys_PolicyGetDigest(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &d));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, "compute the policy", e);
	*ret = *d;
	Esys_Free(d);
	return 0;
}

static int signer_load(struct tpm *t, const struct blob *public_key, ESYS_TR *ret, struct err *e)
{
	TPM2B_PUBLIC public;
	TSS2_RC rc;
	int r = signer_public(public_key, &public, e);

	if (r < 0)
		return r;
	TPM_TRY(rc, Esys_LoadExternal(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, &public, ESYS_TR_RH_OWNER,
				      ret));
	if (tpm_rc_base(rc) == TPM2_RC_VALUE || tpm_rc_base(rc) == TPM2_RC_KEY_SIZE)
		return err_set(e, EOPNOTSUPP, "the TPM takes no public keys of RSA with %u bits: 2048 are taken by each",
			       public.publicArea.parameters.rsaDetail.keyBits);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, "load the public key", e);
	tpm_keep(t, *ret);
	return 0;
}

/* The TPM's word that the signature is by that key. *RET is freed by Esys_Free(). */
static int signature_verify(struct tpm *t, const struct blob *public_key, const struct pcr_signature *s,
			    TPMT_TK_VERIFIED **ret, struct err *e)
{
	TPMT_SIGNATURE signature = { .sigAlg = TPM2_ALG_RSASSA, .signature.rsassa.hash = TPM2_ALG_SHA256 };
	TPM2B_PUBLIC_KEY_RSA *bytes = &signature.signature.rsassa.sig;
	TPM2B_DIGEST digest = { .size = CRYPTO_HASH };
	ESYS_TR key = ESYS_TR_NONE;
	TSS2_RC rc;
	int r = crypto_sha256(s->policy.buffer, s->policy.size, digest.buffer, e);

	if (r == 0 && s->signature.len > sizeof(bytes->buffer))
		r = err_set(e, EKEYREJECTED, "signature of PCR values is too long");
	if (r == 0)
		r = signer_load(t, public_key, &key, e);
	if (r < 0)
		return r;
	bytes->size = (UINT16)s->signature.len;
	memcpy(bytes->buffer, s->signature.data, s->signature.len);
	TPM_TRY(rc, Esys_VerifySignature(t->esys, key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest, &signature, ret));
	tpm_flush(t, key);
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, rc, "verify the signature of PCR values", e);
}

static int satisfy_signed(struct tpm *t, ESYS_TR session, const struct tpm_policy *p, struct err *e)
{
	const struct tpm_branch b = { .bank = p->signed_bank, .pcrs = p->signed_pcrs };
	AUTO_PCR_SIGNATURE struct pcr_signature s = { 0 };
	AUTO_BLOB struct blob json = { 0 };
	static const TPM2B_NONCE no_reference;
	TPMT_TK_VERIFIED *ticket = NULL;
	TPM2B_DIGEST digest;
	TPM2B_NAME name;
	TSS2_RC rc;
	int r = pcr_signature_read(t->dev->env, &json, e);

	if (r < 0)
		return r;
	rc = pcr_command(t, session, &b, NULL);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, "take PCRs into the policy", e);
	r = session_digest(t, session, &digest, e);
	if (r == 0)
		r = pcr_signature_find((char *)json.data, &p->public_key, b.bank, b.pcrs, &digest, &s, e);
	if (r == 0)
		r = signer_name(&p->public_key, &name, e);
	if (r == 0)
		r = signature_verify(t, &p->public_key, &s, &ticket, e);
	if (r < 0)
		return r;
	TPM_TRY(rc, Esys_PolicyAuthorize(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest, &no_reference,
					 &name, ticket));
	Esys_Free(ticket);
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, rc, "take the signature of PCR values", e);
}

/* Where all branches are about the same PCRs PolicyOR finds out which one it is; else they are tried one by one. */
static TSS2_RC branch_command(struct tpm *t, ESYS_TR session, const struct tpm_policy *p, const TPM2B_DIGEST *values)
{
	bool same = p->n_branches > 1;
	TSS2_RC rc = TPM2_RC_VALUE;

	for (unsigned i = 1; i < p->n_branches; i++)
		same = same && is_same_selection(&p->branch[0], &p->branch[i]);
	if (same)
		return pcr_command(t, session, &p->branch[0], NULL);
	for (unsigned i = 0; i < p->n_branches && tpm_rc_base(rc) == TPM2_RC_VALUE; i++)
		rc = pcr_command(t, session, &p->branch[i], &values[i]);
	return rc;
}

static int satisfy_branches(struct tpm *t, ESYS_TR session, const struct tpm_policy *p, struct err *e)
{
	TPM2B_DIGEST values[TPM_BRANCHES];
	TPML_DIGEST branches;
	TSS2_RC rc;
	int r = policy_branch_digests(p, &branches, e);

	for (unsigned i = 0; r == 0 && i < p->n_branches; i++)
		r = pcr_digest(&p->branch[i], &values[i], e);
	if (r < 0)
		return r;
	rc = branch_command(t, session, p, values);
	if (rc == TSS2_RC_SUCCESS && p->n_branches > 1)
		TPM_TRY(rc, Esys_PolicyOR(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &branches));
	if (rc == TSS2_RC_SUCCESS)
		return 0;
	if (tpm_rc_base(rc) == TPM2_RC_VALUE)
		return difference_fail(t, p, e);
	return tpm_fail(t, rc, "take PCRs into the policy", e);
}

int policy_satisfy(struct tpm *t, ESYS_TR session, const struct tpm_policy *p, struct err *e)
{
	TSS2_RC rc = TSS2_RC_SUCCESS;
	int r = p->public_key.len ? satisfy_signed(t, session, p, e) : 0;

	if (r == -ENOENT)				/* what must hold does not */
		r = -(e->code = EPERM);
	if (r == 0 && p->n_branches)
		r = satisfy_branches(t, session, p, e);
	if (r < 0)
		return r;
	if (p->pin)
		TPM_TRY(rc, Esys_PolicyAuthValue(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE));
	else if (policy_is_empty(p))
		TPM_TRY(rc, Esys_PolicyCommandCode(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
						   TPM2_CC_Unseal));
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, rc, "compute the policy", e);
}

/* --- explaining ------------------------------------------------------------------------------------------------ */

static int explain_branches(struct tpm *t, const struct tpm_policy *p, struct examination *x, bool *ret_holds,
			    struct err *e)
{
	struct difference d;
	char text[160];
	int r = difference_find(t, p, &d, e);

	if (r < 0)
		return r;
	*ret_holds = d.pcrs == 0;
	if (d.pcrs && p->n_branches > 1)
		r = x->tell(x, VERDICT_BAD, "it is in none of the %u states that open it; the nearest differs in this",
			    p->n_branches);
	for (unsigned n = 0; r == 0 && n < TPM_PCRS; n++) {
		if (!(d.pcrs & 1U << n))
			continue;
		difference_format(&p->branch[d.branch], &d.now, n, text);
		r = x->tell(x, VERDICT_BAD, "%s", text);
	}
	if (r == 0 && !d.pcrs) {
		tpm_pcrs_format(d.now.pcrs, d.now.bank, text, sizeof(text));
		r = x->tell(x, VERDICT_OK, "PCR %s: as it is to be", text);
	}
	return r;
}

static int explain_signed(struct tpm *t, const struct tpm_policy *p, struct examination *x, bool *ret_holds, struct err *e)
{
	struct tpm_branch now = { .bank = p->signed_bank, .pcrs = p->signed_pcrs };
	AUTO_PCR_SIGNATURE struct pcr_signature s = { 0 };
	AUTO_BLOB struct blob json = { 0 };
	TPM2B_DIGEST digest;
	struct err why;
	char text[128];
	int r = pcr_read(t, &now, e);

	if (r == 0)
		r = policy_pcr_digest(&now, &digest, e);
	if (r < 0)
		return r;
	r = pcr_signature_read(t->dev->env, &json, &why);
	if (r == 0)
		r = pcr_signature_find((char *)json.data, &p->public_key, now.bank, now.pcrs, &digest, &s, &why);
	*ret_holds = r == 0;
	tpm_pcrs_format(now.pcrs, now.bank, text, sizeof(text));
	return r < 0 ? x->tell(x, VERDICT_BAD, "%s", why.msg) :
		       x->tell(x, VERDICT_OK, "PCR %s: signed by the policy's key", text);
}

int policy_explain(struct tpm *t, const struct tpm_policy *p, struct examination *x, bool *ret_holds, struct err *e)
{
	bool is_signed = true, matches = true;
	int r = 0;

	if (p->public_key.len)
		r = explain_signed(t, p, x, &is_signed, e);
	if (r == 0 && p->n_branches)
		r = explain_branches(t, p, x, &matches, e);
	if (r == 0)
		*ret_holds = is_signed && matches;
	return r;
}

/* --- making ---------------------------------------------------------------------------------------------------- */

/* What is measured now, which another machine's TPM cannot tell. */
static int make_present(struct tpm *t, const struct tpm_params *params, struct tpm_policy *p, struct err *e)
{
	struct tpm_branch *b = &p->branch[0];
	int r = tpm_pcrs_parse(params->pcrs, &b->pcrs, &b->bank, e);

	if (r == 0 && params->device_key)
		r = err_set(e, EINVAL, "PCRs of another machine: give the values that they will have there");
	if (r == 0)
		r = b->bank ? pcr_read(t, b, e) : pcr_choose_bank(t, params->allow_weak, b, e);
	if (r == 0 && !params->allow_weak)
		r = pcr_check_strength(b, e);
	if (r == 0)
		p->n_branches = 1;
	return r;
}

static int add_branch(struct tpm *t, const struct tpm_params *params, const struct tpm_branch *b, struct tpm_policy *p,
		      struct err *e)
{
	struct tpm_branch now = { .bank = b->bank, .pcrs = b->pcrs };
	int r = params->allow_weak ? 0 : pcr_check_strength(b, e);

	for (unsigned i = 0; r == 0 && i < p->n_branches; i++)
		if (is_same_selection(&p->branch[i], b) && pcrs_that_differ(&p->branch[i], b) == 0)
			return 0;
	if (r == 0 && !params->device_key && (!p->n_branches || p->branch[p->n_branches - 1].bank != b->bank))
		r = pcr_read(t, &now, e);		/* is there such a bank? */
	if (r == 0 && p->n_branches == TPM_BRANCHES)
		r = err_set(e, EINVAL, "more than %d states: those of the PCR values, and the present one", TPM_BRANCHES);
	if (r == 0)
		p->branch[p->n_branches++] = *b;
	return r;
}

/* A PCR that a state does not tell stays as it is: left out, that state would open with any value of it. */
static int branch_complete(const struct tpm_branch *now, struct tpm_branch *b, struct err *e)
{
	const uint32_t more = b->pcrs & ~now->pcrs, missing = now->pcrs & ~b->pcrs;

	if (more)
		return err_set(e, EINVAL, "PCR values: PCR %d is none of those that are chosen", __builtin_ctz(more));
	if (missing && b->bank != now->bank)
		return err_set(e, EINVAL, "PCR values: PCR %d has no value of bank %s", __builtin_ctz(missing),
			       tpm_bank_name(b->bank));
	for (unsigned n = 0; n < TPM_PCRS; n++)
		if (missing & 1U << n)
			memcpy(b->values[n], now->values[n], TPM_DIGEST_MAX);
	b->pcrs |= missing;
	return 0;
}

static int make_predicted(struct tpm *t, const struct tpm_params *params, struct tpm_policy *p, struct err *e)
{
	struct tpm_branch list[TPM_BRANCHES];
	unsigned n = 0;
	int r = tpm_values_parse(params->pcr_values, p->n_branches ? p->branch[0].bank : 0, list, &n, e);

	for (unsigned i = 0; r == 0 && i < n; i++) {
		if (params->pcrs)
			r = branch_complete(&p->branch[0], &list[i], e);
		if (r == 0)
			r = add_branch(t, params, &list[i], p, e);
	}
	return r;
}

/* A TPM that does not take the key would show that when it is to open: now is better. */
static int make_signed(struct tpm *t, const struct tpm_params *params, struct tpm_policy *p, struct err *e)
{
	const char *pcrs = params->signed_pcrs ? params->signed_pcrs : "11";
	struct tpm_branch b = { 0 };
	ESYS_TR key = ESYS_TR_NONE;
	int r = signer_from_pem(params->public_key, &p->public_key, e);

	if (r == 0)
		r = tpm_pcrs_parse(pcrs, &b.pcrs, &b.bank, e);
	if (r == 0 && b.bank == TPM_SHA1 && !params->allow_weak)
		r = pcr_check_strength(&b, e);
	if (r == 0 && !b.bank && params->device_key)
		b.bank = TPM_SHA256;
	if (r == 0 && !params->device_key)
		r = b.bank ? pcr_read(t, &b, e) : pcr_choose_bank(t, params->allow_weak, &b, e);
	if (r == 0 && !params->device_key)
		r = signer_load(t, &p->public_key, &key, e);
	tpm_flush(t, key);
	p->signed_bank = b.bank;
	p->signed_pcrs = b.pcrs;
	return r;
}

int policy_make(struct tpm *t, const struct tpm_params *params, struct tpm_policy *ret, struct err *e)
{
	AUTO_TPM_POLICY struct tpm_policy p = { .pin = params->pin };
	int r = 0;

	if (params->signed_pcrs && !params->public_key)
		r = err_set(e, EINVAL, "PCRs that are signed, and no public key of who signs them");
	if (r == 0 && params->pcrs)
		r = make_present(t, params, &p, e);
	if (r == 0 && params->pcr_values)
		r = make_predicted(t, params, &p, e);
	if (r == 0 && params->public_key)
		r = make_signed(t, params, &p, e);
	if (r == 0)
		*ret = TAKE(p);
	return r;
}
