/* SPDX-License-Identifier: MIT */
/*
 * A TPM 2.0 through tpm2-tss: what this directory's files share. Only tpm.c opens it and only its functions send commands;
 * whatever is made in the TPM (sessions, transient objects) is flushed by tpm_close(), on every path.
 */
#ifndef HWKEY_TPM2_TPM_H
#define HWKEY_TPM2_TPM_H

#include <tss2/tss2_esys.h>

#include "lib/backend.h"
#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/secret.h"
#include "lib/tpm-token.h"

enum { TPM_OBJECTS = 6 };		/* at once, in any operation */

struct srk {				/* a storage root key */
	ESYS_TR handle;
	uint32_t persistent;		/* 0x81000001; 0: a transient primary */
	TPM2B_PUBLIC public;
};

struct tpm {
	const struct device *dev;
	ESYS_CONTEXT *esys;
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_TR live[TPM_OBJECTS];	/* sessions and transient objects that are to be flushed; ESYS_TR_NONE: free */
	ESYS_TR loaded;			/* the last sealed object: another one takes its place */
	struct srk primary;		/* the transient one, once it was made; handle 0: not yet */
	bool pin;			/* one was given for what is used */
	bool resource_manager;		/* which flushes what is left when it is closed */
};

#define AUTO_TPM AUTO(tpm_close)

/* Sends nothing. ENODEV, EACCES, EBUSY (somebody has it for himself). */
int tpm_open(const struct device *, struct tpm *ret, struct err *e);
void tpm_close(struct tpm *);
/* To be flushed by tpm_close(), or by tpm_flush(). */
void tpm_keep(struct tpm *, ESYS_TR);
void tpm_flush(struct tpm *, ESYS_TR);
/* What went over the connection last stays in memory of ESYS otherwise. */
void tpm_wipe(struct tpm *);
/* It is gone already, with the command that used it. */
void tpm_forget(struct tpm *, ESYS_TR);

/*
 * What a response code means: sets E to "cannot WHAT: " and why, with the next step when it is known, and the errno of the
 * exit status: lockout EPERM with the time left and how to reset it; wrong PIN EACCES; policy EPERM; integrity EBADMSG;
 * no such handle ENOENT; out of memory, retry, busy EBUSY; TCTI's I/O EIO. Asks the TPM only in lockout.
 */
int tpm_fail(struct tpm *, TSS2_RC, const char *what, struct err *e);
int tpm_check_lockout(struct tpm *, struct err *e);	/* EPERM: it takes no PIN now */
TSS2_RC tpm_rc_base(TSS2_RC);		/* as TPM2_RC_...: without whose answer it is, and of what it speaks */
/* Should the command be sent again? At most a few times, as RETRY, YIELDED, TESTING say: *tries counts them. */
bool tpm_again(TSS2_RC, unsigned *tries);
#define TPM_TRY(rc, call) do { unsigned tries_ = 0; do { (rc) = (call); } while (tpm_again((rc), &tries_)); } while (0)

/* --- srk.c: the storage root key ------------------------------------------------------------------------------- */

/* The persistent one if it can be a parent, else a primary of the standard template, whose Name is systemd's. */
int srk_find(struct tpm *, struct srk *ret, struct err *e);
/* The one at HANDLE: ENOENT. A primary key of TEMPLATE. */
int srk_at(struct tpm *, uint32_t handle, struct srk *ret, struct err *e);
int srk_primary(struct tpm *, const TPM2B_PUBLIC *template, struct srk *ret, struct err *e);
/* The one that a token names, without asking the TPM: wrong ones show when they are used. */
int srk_of_token(struct tpm *, const struct tpm_token *, struct srk *ret, struct err *e);
/* Its public part. EBADMSG. */
int srk_parent(const struct tpm_token *, TPM2B_PUBLIC *ret, struct err *e);
/*
 * After a failure with srk_of_token(). 0: it is the TPM's own, in *RET. Else E says which of "cleared or replaced" (EPERM),
 * "another machine" (EBADMSG) it is; if that cannot be told E stays as it was, or says why.
 */
int srk_explain(struct tpm *, const struct tpm_token *, struct srk *ret, struct err *e);
bool srk_is_of(struct tpm *, const struct tpm_token *);	/* TOKEN was made for it */
bool srk_is_parent(const TPMT_PUBLIC *);
const TPM2B_PUBLIC *srk_template(void);
/* Which board this is, by what firmware says of it; all zero: nothing. */
int machine_read(const struct env *, unsigned char ret[16], struct err *e);
int public_name(const TPM2B_PUBLIC *, TPM2B_NAME *ret, struct err *e);
/* Makes the primary persistent: EEXIST if there is one. */
int srk_make_persistent(struct tpm *, struct err *e);

/* --- session.c ------------------------------------------------------------------------------------------------- */

/*
 * A session salted with the parent, AES-128-CFB. POLICY false: HMAC. *CLEAR_BUS true: where the TPM cannot encrypt it does
 * without, and *CLEAR_BUS stays true; false: that is EOPNOTSUPP, with the option's name.
 */
int session_start(struct tpm *, const struct srk *, bool policy, bool *clear_bus, ESYS_TR *ret, struct err *e);

/* --- pcr.c ----------------------------------------------------------------------------------------------------- */

/* Fills in .values of the branch's PCRs, in one command for eight of them. */
int pcr_read(struct tpm *, struct tpm_branch *, struct err *e);
/*
 * For the PCRs of the branch: sha256, else sha384, else (if that may be) sha1, the first that firmware extends, with their
 * values; if it extends none of them the first that there is.
 */
int pcr_choose_bank(struct tpm *, bool sha1, struct tpm_branch *, struct err *e);
/* EINVAL: values that nobody extended, all zero or all ones; or SHA-1. */
int pcr_check_strength(const struct tpm_branch *, struct err *e);
void pcr_selection(const struct tpm_branch *, TPML_PCR_SELECTION *ret);

/* --- policy.c -------------------------------------------------------------------------------------------------- */

/* In software: the digest that the object gets. All of this file is pure. */
int policy_digest(const struct tpm_policy *, TPM2B_DIGEST *ret, struct err *e);
/* The digests of the branches, which PolicyOR takes. */
int policy_branch_digests(const struct tpm_policy *, TPML_DIGEST *ret, struct err *e);
/* Of PolicyPCR alone, which is what is signed. */
int policy_pcr_digest(const struct tpm_branch *, TPM2B_DIGEST *ret, struct err *e);
/* Of a branch's values, which PolicyPCR takes. */
int pcr_digest(const struct tpm_branch *, TPM2B_DIGEST *ret, struct err *e);
/* Nothing but the TPM: such an object has the policy that it can only be unsealed. */
static inline bool policy_is_empty(const struct tpm_policy *p)
{
	return !p->public_key.len && !p->n_branches && !p->pin;
}

/* --- satisfy.c ------------------------------------------------------------------------------------------------- */

/*
 * In the TPM, in a policy session: what policy_digest() computed, or EPERM that says which PCRs differ. EAGAIN: PCRs were
 * extended meanwhile, so it is to be done again in a new session; the same where a later command says
 * TPM2_RC_PCR_CHANGED.
 */
int policy_satisfy(struct tpm *, ESYS_TR session, const struct tpm_policy *, struct err *e);
/* From what the user wants: reads PCRs, signatures' key and predicted values. RET must be all zero. */
int policy_make(struct tpm *, const struct tpm_params *, struct tpm_policy *ret, struct err *e);
/* A line for each PCR that differs: from, to, what it measures. *RET_HOLDS: one of the branches, or a signature, holds. */
int policy_explain(struct tpm *, const struct tpm_policy *, struct examination *, bool *ret_holds, struct err *e);

/* --- signed.c: systemd's JSON of signed PCR policies ----------------------------------------------------------- */

struct pcr_signature {			/* one entry that fits */
	TPM2B_DIGEST policy;		/* what was signed */
	struct blob signature;
};

#define AUTO_PCR_SIGNATURE AUTO(pcr_signature_done)
void pcr_signature_done(struct pcr_signature *);

/*
 * {"sha256":[{"pcrs":[11],"pkfp":"<hex>","pol":"<hex>","sig":"<base64>"}]}: the entry for this key, bank, PCRs and
 * policy digest. ENOENT: none; EKEYREJECTED: it is there, but not by this key. pkfp: SHA-256 of the bare public key, of RSA
 * PKCS#1's RSAPublicKey. Pure.
 */
int pcr_signature_find(const char *json, const struct blob *public_key, enum tpm_bank, uint32_t pcrs,
		       const TPM2B_DIGEST *policy, struct pcr_signature *ret, struct err *e);
/* The JSON's text with a NUL, from env->pcr_signature or where systemd keeps it. ENOENT. */
int pcr_signature_read(const struct env *, struct blob *ret, struct err *e);
/* PEM to DER, and to a TPM's public area (RSA 2048, 3072, 4096 with SHA-256). Pure. */
int signer_from_pem(const struct blob *pem, struct blob *ret_der, struct err *e);
int signer_public(const struct blob *der, TPM2B_PUBLIC *ret, struct err *e);
int signer_name(const struct blob *der, TPM2B_NAME *ret, struct err *e);

/* --- seal.c: the sealed object and its token ------------------------------------------------------------------- */

struct sealing {
	const struct secret *pin;	/* for a policy with one */
	const TPM2B_PUBLIC *parent;	/* another TPM's storage root key: nothing is asked of this one; NULL: this TPM's */
	bool clear_bus;			/* also if the TPM cannot encrypt what goes over the bus */
	bool later;			/* what must hold need not hold now */
};

/* T says kind, bits, xts and policy; the rest is filled in. Proves that it opens, and does not without its policy. */
int token_seal(struct tpm *, struct tpm_token *t, const struct sealing *, const struct secret *payload,
	       const struct blob *binding, struct blob *ret, struct err *e);
bool token_is_remembered(const struct device *, const struct blob *token);	/* by this process: no TPM is asked */
/* The PIN is asked for where it is needed. EBADMSG: foreign, tampered with, or another binding. */
int token_unseal(struct tpm *, const struct blob *token, enum token_kind, const struct blob *binding, struct secret *ret,
		 struct err *e);

/* The sealed object of TOKEN, of which only that matters. It takes the place of the last one. */
int object_load(struct tpm *, const struct srk *, const struct tpm_token *, ESYS_TR *ret, struct err *e);

/* As PUBLIC says, which gets its unique field; in SESSION, which is gone with it. */
int object_create(struct tpm *, const struct srk *, ESYS_TR session, const TPM2B_SENSITIVE_CREATE *, TPM2B_PUBLIC *public,
		  TPM2B_PRIVATE *ret, struct err *e);

/* --- import.c: for another machine's TPM, without it ------------------------------------------------------------ */

/*
 * A sealed object that TPM2_Import takes under PARENT: TPM 2.0 library, part 1, "Duplication", outer wrapping alone. OBJECT
 * says attributes and policy, and gets its unique field.
 */
int import_make(const TPM2B_PUBLIC *parent, TPM2B_PUBLIC *object, const TPM2B_AUTH *auth, const unsigned char secret[32],
		TPM2B_PRIVATE *ret, TPM2B_ENCRYPTED_SECRET *ret_seed, struct err *e);
/* TPM2B_PUBLIC's bytes, or the PEM of an ECC P-256 or RSA 2048 key, which is taken for one of the standard template. */
int import_parent(const struct blob *, TPM2B_PUBLIC *ret, struct err *e);

/* --- memory.c --------------------------------------------------------------------------------------------------- */

/* authValue of a PIN: scrypt, N 2^15, r 8, p 1, with the token's salt; without zeros at its end. */
int pin_stretch(const struct secret *pin, const unsigned char salt[32], TPM2B_AUTH *ret, struct err *e);

#endif
