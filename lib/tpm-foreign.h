/* SPDX-License-Identifier: MIT */
/*
 * What other programs sealed by a TPM 2.0, as they write it down. Parsing is pure and total. Linked only into objects that
 * link json-c and libcrypto.
 *
 *  systemd  LUKS2 token "systemd-tpm2", JSON: of 248 to 253 without its parent, since then with "tpm2_srk"
 *  clevis   LUKS2 token "clevis", or what 'clevis encrypt tpm2' writes: a JWE whose key the TPM sealed
 *  TSS2     "-----BEGIN TSS2 PRIVATE KEY-----", or its DER, which the kernel's trusted keys are, too, in hex
 *  blob     TPM2B_PRIVATE || TPM2B_PUBLIC: files of tpm2_create, one after the other
 */
#ifndef HWKEY_TPM_FOREIGN_H
#define HWKEY_TPM_FOREIGN_H

#include "blob.h"
#include "tpm-policy.h"

enum tpm_maker { TPM_BY_SYSTEMD, TPM_BY_CLEVIS, TPM_BY_TSS2, TPM_BY_TOOLS };

/* The primary key that is the parent where none is stored: P-256 as everybody makes it today, or without noDA. */
enum tpm_primary { TPM_PRIMARY_STANDARD, TPM_PRIMARY_OLD_ECC, TPM_PRIMARY_OLD_RSA };

enum { TPM_FOREIGN_MAX = 16384 };

struct tpm_foreign {			/* all owned */
	enum tpm_maker maker;
	struct blob public, private;	/* TPMT_PUBLIC; TPM2B_PRIVATE's bytes. Empty: no TPM sealed it, see .beyond */
	struct blob seed;		/* TPM2B_ENCRYPTED_SECRET's bytes, if made for a TPM that was not there */
	struct blob parent;		/* TPMT_PUBLIC; empty: not told */
	uint32_t parent_handle;		/* persistent, or 0 */
	enum tpm_primary primary;	/* if that is 0 */
	struct tpm_policy policy;	/* what is told of it: one branch at most, whose values are not */
	struct blob pin_salt;		/* systemd's, since 254 */
	char beyond[64];		/* what else must hold, which only its maker can do; empty: nothing */
	struct blob header, iv, sealed, tag;	/* clevis: the JWE that the sealed JWK opens; header as in the AAD */
};

#define AUTO_TPM_FOREIGN AUTO(tpm_foreign_done)
void tpm_foreign_done(struct tpm_foreign *);

/* EBADMSG with a reason. */
int tpm_foreign_parse(const void *data, size_t len, struct tpm_foreign *ret, struct err *e);
const char *tpm_maker_name(enum tpm_maker);		/* "systemd", "clevis", ... */
/* For a person: what must hold, as tpm_policy_describe(), and what is beyond. */
void tpm_foreign_describe(const struct tpm_foreign *, char *ret, size_t size);

int tpm_tss2_parse(const unsigned char *der, size_t len, struct tpm_foreign *ret, struct err *e);
/* EOPNOTSUPP: what cannot be said in a key file of TSS2. */
int tpm_tss2_check(const struct tpm_policy *, struct err *e);
/* DER. KERNEL: the five fields alone that the kernel's trusted keys know, without the policy. */
int tpm_tss2_format(const struct tpm_foreign *, bool kernel, struct blob *ret, struct err *e);
/* Lines of base64 between "-----BEGIN TYPE-----" and its end. EBADMSG. */
int pem_decode(const char *text, size_t len, const char *type, struct blob *ret, struct err *e);
int pem_encode(const struct blob *, const char *type, struct blob *ret, struct err *e);

#endif
