// SPDX-License-Identifier: MIT
#include "tpm-foreign.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypto.h"
#include "err.h"
#include "json.h"

enum { JSON_DEPTH = 8, LONG = 4096 };	/* bytes of any one thing */

static const char pem_begin[] = "-----BEGIN TSS2 PRIVATE KEY-----";

void tpm_foreign_done(struct tpm_foreign *f)
{
	struct blob *all[] = { &f->public, &f->private, &f->seed, &f->parent, &f->pin_salt, &f->header, &f->iv, &f->sealed,
			       &f->tag };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		blob_done(all[i]);
	tpm_policy_done(&f->policy);
	*f = (struct tpm_foreign){ 0 };
}

const char *tpm_maker_name(enum tpm_maker maker)
{
	static const char *const names[] = {
		[TPM_BY_SYSTEMD] = "systemd", [TPM_BY_CLEVIS] = "clevis", [TPM_BY_TSS2] = "TSS2",
		[TPM_BY_TOOLS] = "tpm2-tools",
	};

	return names[maker];
}

void tpm_foreign_describe(const struct tpm_foreign *f, char *ret, size_t size)
{
	bool plain = !f->policy.public_key.len && !f->policy.n_branches && !f->policy.pin;
	size_t n;

	if (f->beyond[0] && plain) {
		(void)snprintf(ret, size, "%s", f->beyond);
		return;
	}
	tpm_policy_describe(&f->policy, ret, size);
	n = strlen(ret);
	if (f->beyond[0])
		(void)snprintf(ret + n, size - n, ", and %s", f->beyond);
}

/* --- TPM structures ------------------------------------------------------------------------------------------------ */

struct reader {
	const unsigned char *at;
	size_t left;
};

static bool skip(struct reader *r, size_t n)
{
	if (n > r->left)
		return false;
	r->at += n;
	r->left -= n;
	return true;
}

/* A TPM2B: 2 length and bytes. */
static bool read_2b(struct reader *r, const unsigned char **ret, size_t *ret_len)
{
	size_t n = r->left < 2 ? SIZE_MAX : be_get(r->at, 2);

	if (n > LONG || n > r->left - 2)
		return false;
	*ret = r->at + 2;
	*ret_len = n;
	return skip(r, 2 + n);
}

static int copy_2b(struct reader *r, struct blob *ret, struct err *e)
{
	const unsigned char *at;
	size_t len;

	if (!read_2b(r, &at, &len) || !len)
		return err_set(e, EBADMSG, "a TPM's object is cut");
	return blob_copy(ret, at, len, e);
}

/* TPM2B_PRIVATE || TPM2B_PUBLIC, and TPM2B_ENCRYPTED_SECRET if it was made elsewhere. */
static int parse_object(const void *data, size_t len, struct tpm_foreign *f, struct err *e)
{
	enum { SEALED = 0x0008, SMALLEST = 10 };	/* TPM_ALG_KEYEDHASH */
	struct reader in = { data, len };
	int r = copy_2b(&in, &f->private, e);

	if (r == 0)
		r = copy_2b(&in, &f->public, e);
	if (r == 0 && in.left)
		r = copy_2b(&in, &f->seed, e);
	if (r < 0)
		return r;
	if (in.left || f->public.len < SMALLEST || be_get(f->public.data, 2) != SEALED)
		return err_set(e, EBADMSG, "not a sealed object of a TPM");
	return 0;
}

/* What ESYS writes of a key: 4 handle  TPM2B_NAME  4 one  TPM2B_PUBLIC. */
static int parse_srk(const struct blob *srk, struct tpm_foreign *f, struct err *e)
{
	struct reader in = { srk->data, srk->len };
	const unsigned char *name;
	size_t len;

	if (!skip(&in, 4) || !read_2b(&in, &name, &len) || !skip(&in, 4) || copy_2b(&in, &f->parent, e) < 0 || in.left)
		return err_set(e, EBADMSG, "'tpm2_srk' is malformed");
	f->parent_handle = (uint32_t)be_get(srk->data, 4);
	return 0;
}

/* --- members of JSON ----------------------------------------------------------------------------------------------- */

static bool has(json_object *j, const char *key)
{
	return json_object_object_get_ex(j, key, NULL);
}

static int malformed(const char *key, struct err *e)
{
	return err_set(e, EBADMSG, "'%s' is missing or malformed", key);
}

static int get_base64(json_object *j, const char *key, struct blob *ret, struct err *e)
{
	const char *text = json_text(j, key);
	int r;

	if (!text || strlen(text) > TPM_FOREIGN_MAX)
		return malformed(key, e);
	r = base64_decode(text, strlen(text), ret, e);
	return r < 0 ? err_prefix(e, "'%s'", key) : 0;
}

/* Of RFC 4648, section 5, without padding. */
static int get_base64url(json_object *j, const char *key, struct blob *ret, struct err *e)
{
	const char *text = json_text(j, key);
	AUTO_FREE char *copy = NULL;
	size_t len = text ? strlen(text) : 0;
	int r;

	if (!len || len > TPM_FOREIGN_MAX || strpbrk(text, "+/="))
		return malformed(key, e);
	if (asprintf(&copy, "%s%.*s", text, (int)(-len % 4), "===") < 0) {
		copy = NULL;
		return err_nomem(e);
	}
	for (char *c = copy; *c; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	r = base64_decode(copy, strlen(copy), ret, e);
	return r < 0 ? err_prefix(e, "'%s'", key) : 0;
}

/* Absent: not set. */
static int get_bool(json_object *j, const char *key, bool *ret, struct err *e)
{
	json_object *o;

	if (!json_object_object_get_ex(j, key, &o))
		return 0;
	if (!json_object_is_type(o, json_type_boolean))
		return malformed(key, e);
	*ret = json_object_get_boolean(o);
	return 0;
}

static int get_pcrs(json_object *j, const char *key, uint32_t *ret, struct err *e)
{
	json_object *a, *o;
	uint32_t pcrs = 0;

	if (!json_object_object_get_ex(j, key, &a) || !json_object_is_type(a, json_type_array))
		return malformed(key, e);
	for (size_t i = 0; i < json_object_array_length(a); i++) {
		o = json_object_array_get_idx(a, i);
		if (!json_object_is_type(o, json_type_int) || json_object_get_int64(o) < 0 ||
		    json_object_get_int64(o) >= TPM_PCRS)
			return malformed(key, e);
		pcrs |= UINT32_C(1) << json_object_get_int64(o);
	}
	*ret = pcrs;
	return 0;
}

/* Absent: SHA-256. */
static int get_bank(json_object *j, const char *key, enum tpm_bank *ret, struct err *e)
{
	const char *name = has(j, key) ? json_text(j, key) : "sha256";

	*ret = name ? tpm_bank_find(name, strlen(name)) : 0;
	return *ret ? 0 : malformed(key, e);
}

static int get_primary(json_object *j, const char *key, enum tpm_primary *ret, struct err *e)
{
	const char *name = has(j, key) ? json_text(j, key) : "ecc";

	if (!name || (strcmp(name, "ecc") != 0 && strcmp(name, "rsa") != 0))
		return malformed(key, e);
	*ret = !strcmp(name, "rsa") ? TPM_PRIMARY_OLD_RSA : TPM_PRIMARY_OLD_ECC;
	return 0;
}

static void add_branch(struct tpm_policy *p, enum tpm_bank bank, uint32_t pcrs)
{
	if (pcrs)
		p->branch[p->n_branches++] = (struct tpm_branch){ .bank = bank, .pcrs = pcrs };
}

static void beyond(struct tpm_foreign *f, const char *what)
{
	(void)snprintf(f->beyond, sizeof(f->beyond), "%s", what);
}

/* --- systemd ------------------------------------------------------------------------------------------------------- */

static int systemd_signed(json_object *j, struct tpm_policy *p, struct err *e)
{
	AUTO_BLOB struct blob pem = { 0 };
	int r = get_pcrs(j, "tpm2_pubkey_pcrs", &p->signed_pcrs, e);

	if (r < 0 || !p->signed_pcrs)
		return r;
	r = get_base64(j, "tpm2_pubkey", &pem, e);
	return r < 0 ? r : pem_decode((const char *)pem.data, pem.len, "PUBLIC KEY", &p->public_key, e);
}

static int systemd_policy(json_object *j, struct tpm_foreign *f, struct err *e)
{
	enum tpm_bank bank = 0;
	uint32_t pcrs = 0;
	bool pcrlock = false;
	int r = get_bank(j, "tpm2-pcr-bank", &bank, e);

	if (r == 0)
		r = get_pcrs(j, "tpm2-pcrs", &pcrs, e);
	if (r == 0)
		r = get_bool(j, "tpm2-pin", &f->policy.pin, e);
	if (r == 0)
		r = get_bool(j, "tpm2_pcrlock", &pcrlock, e);
	if (r == 0 && has(j, "tpm2_pubkey_pcrs"))
		r = systemd_signed(j, &f->policy, e);
	f->policy.signed_bank = f->policy.signed_pcrs ? bank : 0;
	add_branch(&f->policy, bank, pcrs);
	if (has(j, "tpm2_argon2id_memcost"))
		beyond(f, "Argon2id of the PIN, as of systemd 262");	/* which libcrypto has not yet everywhere */
	if (pcrlock)
		beyond(f, "what systemd-pcrlock allows");
	return r;
}

/* Since 258 there may be several objects, of which one secret is made. */
static int systemd_object(json_object *j, struct tpm_foreign *f, struct err *e)
{
	AUTO_BLOB struct blob blob = { 0 };
	json_object *a;
	int r;

	if (json_object_object_get_ex(j, "tpm2-blob", &a) && json_object_is_type(a, json_type_array)) {
		beyond(f, "what systemd makes of several objects");
		return 0;
	}
	r = get_base64(j, "tpm2-blob", &blob, e);
	return r < 0 ? r : parse_object(blob.data, blob.len, f, e);
}

static int parse_systemd(json_object *j, struct tpm_foreign *f, struct err *e)
{
	AUTO_BLOB struct blob srk = { 0 };
	int r = systemd_policy(j, f, e);

	f->maker = TPM_BY_SYSTEMD;
	if (r == 0)
		r = systemd_object(j, f, e);
	if (r == 0)
		r = get_primary(j, "tpm2-primary-alg", &f->primary, e);
	if (r == 0 && has(j, "tpm2_salt"))
		r = get_base64(j, "tpm2_salt", &f->pin_salt, e);
	if (r == 0 && has(j, "tpm2_srk"))
		r = get_base64(j, "tpm2_srk", &srk, e);
	return r < 0 || !srk.len ? r : parse_srk(&srk, f, e);
}

/* --- clevis -------------------------------------------------------------------------------------------------------- */

/* "7,11", or an array of numbers or of their digits: each has been written. */
static int clevis_pcrs(json_object *j, uint32_t *ret, struct err *e)
{
	const char *text = json_text(j, "pcr_ids");
	enum tpm_bank bank;

	if (!text)
		return get_pcrs(j, "pcr_ids", ret, e);
	if (!*text)
		return 0;
	return tpm_pcrs_parse(text, ret, &bank, e) < 0 || bank ? malformed("pcr_ids", e) : 0;
}

static int clevis_object(json_object *j, struct tpm_foreign *f, struct err *e)
{
	AUTO_BLOB struct blob private = { 0 }, public = { 0 }, both = { 0 };
	int r = get_base64url(j, "jwk_priv", &private, e);

	if (r == 0)
		r = get_base64url(j, "jwk_pub", &public, e);
	if (r == 0)
		r = blob_alloc(&both, private.len + public.len, e);
	if (r < 0)
		return r;
	memcpy(both.data, private.data, private.len);
	memcpy(both.data + private.len, public.data, public.len);
	return parse_object(both.data, both.len, f, e);
}

static int clevis_tpm2(json_object *j, struct tpm_foreign *f, struct err *e)
{
	enum tpm_bank bank = 0;
	uint32_t pcrs = 0;
	int r = get_primary(j, "key", &f->primary, e);

	if (r == 0)
		r = get_bank(j, "pcr_bank", &bank, e);
	if (r == 0 && has(j, "pcr_ids"))
		r = clevis_pcrs(j, &pcrs, e);
	add_branch(&f->policy, bank, pcrs);
	return r < 0 ? r : clevis_object(j, f, e);
}

/* HEADER: {"alg":"dir","clevis":{"pin":"tpm2","tpm2":{...}},"enc":"A256GCM"} */
static int clevis_header(const char *header, struct tpm_foreign *f, struct err *e)
{
	AUTO_JSON json_object *j = json_read(header, TPM_FOREIGN_MAX, JSON_DEPTH);
	json_object *clevis, *tpm2;
	const char *pin, *alg, *enc;

	if (!j || !json_object_object_get_ex(j, "clevis", &clevis) || !json_object_is_type(clevis, json_type_object))
		return malformed("clevis", e);
	pin = json_text(clevis, "pin");
	if (!pin || strspn(pin, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(pin) || strlen(pin) > 16)
		return malformed("pin", e);
	if (strcmp(pin, "tpm2") != 0) {
		(void)snprintf(f->beyond, sizeof(f->beyond), "clevis' pin '%s'", pin);
		return 0;
	}
	alg = json_text(j, "alg");
	enc = json_text(j, "enc");
	if (!alg || strcmp(alg, "dir") != 0 || !enc || strcmp(enc, "A256GCM") != 0)
		return malformed("alg", e);
	if (!json_object_object_get_ex(clevis, "tpm2", &tpm2) || !json_object_is_type(tpm2, json_type_object))
		return malformed("tpm2", e);
	return clevis_tpm2(tpm2, f, e);
}

static int parse_jwe(json_object *j, struct tpm_foreign *f, struct err *e)
{
	AUTO_BLOB struct blob header = { 0 };
	AUTO_FREE char *text = NULL;
	int r = get_base64url(j, "protected", &header, e);

	f->maker = TPM_BY_CLEVIS;
	if (r == 0)
		r = get_base64url(j, "iv", &f->iv, e);
	if (r == 0)
		r = get_base64url(j, "ciphertext", &f->sealed, e);
	if (r == 0)
		r = get_base64url(j, "tag", &f->tag, e);
	if (r == 0)
		r = blob_copy(&f->header, json_text(j, "protected"), strlen(json_text(j, "protected")), e);
	if (r == 0)
		text = strndup((const char *)header.data, header.len);
	if (r < 0 || !text)
		return r < 0 ? r : err_nomem(e);
	return strlen(text) == header.len ? clevis_header(text, f, e) : malformed("protected", e);
}

/* "HEADER.KEY.IV.CIPHERTEXT.TAG", where KEY is empty, as the members of the other form. */
static json_object *compact_jwe(const char *text)
{
	static const char *const names[] = { "protected", "encrypted_key", "iv", "ciphertext", "tag" };
	AUTO_JSON json_object *j = json_object_new_object();

	for (size_t i = 0; j && i < ARRAY_SIZE(names); i++) {
		size_t n = strcspn(text, ".\n");
		json_object *o = json_object_new_string_len(text, (int)n);

		if (!o || json_object_object_add(j, names[i], o) < 0) {
			json_object_put(o);
			return NULL;
		}
		text += n;
		if (i + 1 < ARRAY_SIZE(names) && *text++ != '.')
			return NULL;
	}
	return text[strspn(text, "\n")] ? NULL : TAKE(j);
}

/* --- all of them --------------------------------------------------------------------------------------------------- */

static int parse_json(const char *text, struct tpm_foreign *f, struct err *e)
{
	AUTO_JSON json_object *j = *text == '{' ? json_read(text, TPM_FOREIGN_MAX, JSON_DEPTH) : compact_jwe(text);
	const char *type = j ? json_text(j, "type") : NULL;
	json_object *jwe;

	if (j && type && !strcmp(type, "systemd-tpm2"))
		return parse_systemd(j, f, e);
	if (j && type && !strcmp(type, "clevis") && json_object_object_get_ex(j, "jwe", &jwe) &&
	    json_object_is_type(jwe, json_type_object))
		return parse_jwe(jwe, f, e);
	if (j && !type && has(j, "protected"))
		return parse_jwe(j, f, e);
	return err_set(e, EBADMSG, "neither a token of systemd's nor of clevis' for a TPM");
}

static int parse_pem(const char *text, size_t len, struct tpm_foreign *f, struct err *e)
{
	AUTO_BLOB struct blob der = { 0 };
	int r = pem_decode(text, len, "TSS2 PRIVATE KEY", &der, e);

	return r < 0 ? r : tpm_tss2_parse(der.data, der.len, f, e);
}

static bool begins(const void *data, size_t len, const char *with)
{
	return len >= strlen(with) && !memcmp(data, with, strlen(with));
}

static bool is_text(const void *data, size_t len)
{
	return begins(data, len, "{") || begins(data, len, "eyJ");	/* "{"" in base64url: a compact JWE */
}

/* As keyctl prints a trusted key: hex digits, perhaps with a newline. */
static int parse_hex(const char *text, size_t len, struct tpm_foreign *f, struct err *e)
{
	AUTO_BLOB struct blob der = { 0 };
	int r;

	len -= text[len - 1] == '\n';
	r = blob_alloc(&der, len / 2, e);
	if (r == 0 && hex_decode(text, len, der.data) < 0)
		r = err_set(e, EBADMSG, "a trusted key of the kernel's has hex digits only");
	return r < 0 ? r : tpm_tss2_parse(der.data, der.len, f, e);
}

int tpm_foreign_parse(const void *data, size_t len, struct tpm_foreign *ret, struct err *e)
{
	AUTO_TPM_FOREIGN struct tpm_foreign f = { .maker = TPM_BY_TOOLS };
	AUTO_FREE char *text = NULL;
	int r;

	if (len > TPM_FOREIGN_MAX)
		return err_set(e, EBADMSG, "too long for what a TPM sealed");
	if (is_text(data, len)) {
		text = strndup(data, len);
		if (!text)
			return err_nomem(e);
		r = strlen(text) == len ? parse_json(text, &f, e) : err_set(e, EBADMSG, "holds a NUL");
	} else if (begins(data, len, pem_begin)) {
		r = parse_pem(data, len, &f, e);
	} else if (begins(data, len, "308")) {
		r = parse_hex(data, len, &f, e);
	} else if (begins(data, len, "\x30")) {
		r = tpm_tss2_parse(data, len, &f, e);
	} else {
		r = parse_object(data, len, &f, e);
	}
	if (r < 0)
		return r;
	*ret = TAKE(f);
	return 0;
}
