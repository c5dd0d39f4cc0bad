// SPDX-License-Identifier: MIT
/*
 * Monotonic counters in the TPM's NV memory. A new one starts above the highest that any had since the TPM was made, and
 * neither undefining it nor clearing the TPM lowers that. Reading and incrementing want its authorisation value, by HMAC:
 * who has not the value can neither move the counter nor answer in the TPM's place.
 */
#include "nv.h"

#include <errno.h>

#include "lib/crypto.h"
#include "lib/file.h"

enum {
	NV_FIRST = 0x01800000, NV_MASK = 0x003fffff,	/* what the owner may define: TCG registry of reserved handles */
	DEFINE_TRIES = 8,
	COUNTER_BYTES = 8,
};

static const TPMA_NV attributes = TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT | TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE |
				  TPMA_NV_NO_DA;

/* Not salted: what authorises is 32 random bytes, and nothing that goes over the bus is secret. */
static int session_plain(struct tpm *t, ESYS_TR *ret, struct err *e)
{
	const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
	TSS2_RC rc;

	TPM_TRY(rc, Esys_StartAuthSession(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					  NULL, TPM2_SE_HMAC, &none, TPM2_ALG_SHA256, ret));
	if (rc)
		return tpm_fail(t, rc, "start a session", e);
	tpm_keep(t, *ret);
	rc = Esys_TRSess_SetAttributes(t->esys, *ret, TPMA_SESSION_CONTINUESESSION, TPMA_SESSION_CONTINUESESSION);
	return rc ? tpm_fail(t, rc, "start a session", e) : 0;
}

static int set_auth(struct tpm *t, ESYS_TR nv, const struct secret *auth, struct err *e)
{
	TPM2B_AUTH value = { .size = CRYPTO_KEY };
	TSS2_RC rc;

	secret_bytes_copy(value.buffer, auth->data, CRYPTO_KEY);
	rc = Esys_TR_SetAuth(t->esys, nv, &value);
	explicit_bzero(&value, sizeof(value));
	return rc ? tpm_fail(t, rc, "use the counter", e) : 0;
}

/* ESYS frees it as it is. */
static void forget_auth(struct tpm *t, ESYS_TR nv)
{
	const TPM2B_AUTH zero = { .size = CRYPTO_KEY };

	(void)Esys_TR_SetAuth(t->esys, nv, &zero);
}

static int find(struct tpm *t, uint32_t handle, ESYS_TR *ret, struct err *e)
{
	TSS2_RC rc;
	int r;

	TPM_TRY(rc, Esys_TR_FromTPMPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ret));
	if (!rc)
		return 0;
	r = tpm_fail(t, rc, "find the counter", e);
	return tpm_rc_base(rc) == TPM2_RC_HANDLE ? err_set(e, ENOENT, "%s has no counter 0x%08x", t->dev->id, handle) : r;
}

static int read_value(struct tpm *t, ESYS_TR nv, ESYS_TR session, uint64_t *ret, struct err *e)
{
	TPM2B_MAX_NV_BUFFER *data = NULL;
	TSS2_RC rc;

	TPM_TRY(rc, Esys_NV_Read(t->esys, nv, nv, session, ESYS_TR_NONE, ESYS_TR_NONE, COUNTER_BYTES, 0, &data));
	if (rc)
		return tpm_fail(t, rc, "read the counter", e);
	*ret = be_get(data->buffer, COUNTER_BYTES);
	Esys_Free(data);
	return 0;
}

static int bump(struct tpm *t, ESYS_TR nv, ESYS_TR session, struct err *e)
{
	TSS2_RC rc;

	TPM_TRY(rc, Esys_NV_Increment(t->esys, nv, nv, session, ESYS_TR_NONE, ESYS_TR_NONE));
	return rc ? tpm_fail(t, rc, "increment the counter", e) : 0;
}

static int define(struct tpm *t, uint32_t handle, const struct secret *auth, ESYS_TR session, ESYS_TR *ret, struct err *e)
{
	const TPM2B_NV_PUBLIC public = { .nvPublic = {
		.nvIndex = handle, .nameAlg = TPM2_ALG_SHA256, .attributes = attributes, .dataSize = COUNTER_BYTES,
	} };
	TPM2B_AUTH value = { .size = CRYPTO_KEY };
	TSS2_RC rc;

	secret_bytes_copy(value.buffer, auth->data, CRYPTO_KEY);
	TPM_TRY(rc, Esys_NV_DefineSpace(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, session, ESYS_TR_NONE, &value, &public,
					ret));
	explicit_bzero(&value, sizeof(value));
	if (rc == TPM2_RC_NV_DEFINED)
		return -EEXIST;
	if (rc == TPM2_RC_NV_SPACE)
		return err_set(e, ENOSPC, "%s has no room for another counter", t->dev->id);
	return rc ? tpm_fail(t, rc, "make a counter", e) : 0;
}

/* Handles are taken at random: the number of one that is gone will not soon be another one's. */
static int define_some(struct tpm *t, const struct secret *auth, ESYS_TR session, uint32_t *ret_handle, ESYS_TR *ret,
		       struct err *e)
{
	int r = -EEXIST;

	for (unsigned i = 0; r == -EEXIST && i < DEFINE_TRIES; i++) {
		unsigned char bytes[4];

		r = random_bytes(bytes, sizeof(bytes), e);
		if (r < 0)
			return r;
		*ret_handle = NV_FIRST | ((uint32_t)be_get(bytes, 4) & NV_MASK);
		r = define(t, *ret_handle, auth, session, ret, e);
	}
	return r == -EEXIST ? err_set(e, ENOSPC, "%s has no free handle for a counter", t->dev->id) : r;
}

/* It cannot be read before it was incremented once. */
static int start(struct tpm *t, ESYS_TR nv, const struct secret *auth, uint64_t *ret, struct err *e)
{
	ESYS_TR session;
	int r = set_auth(t, nv, auth, e);

	if (r == 0)
		r = session_plain(t, &session, e);
	if (r == 0)
		r = bump(t, nv, session, e);
	return r < 0 ? r : read_value(t, nv, session, ret, e);
}

static void undefine(struct tpm *t, ESYS_TR nv)
{
	TSS2_RC rc;

	TPM_TRY(rc, Esys_NV_UndefineSpace(t->esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE));
}

static int counter_create(const struct device *dev, const struct secret *auth, uint32_t *ret_handle, uint64_t *ret,
			  struct err *e)
{
	AUTO_TPM struct tpm t = { 0 };
	bool clear_bus = false;
	ESYS_TR session, nv;
	struct srk srk;
	int r = tpm_open(dev, &t, e);

	if (r == 0)
		r = srk_find(&t, &srk, e);
	if (r == 0)
		r = session_start(&t, &srk, false, &clear_bus, &session, e);
	if (r == 0)
		r = define_some(&t, auth, session, ret_handle, &nv, e);
	if (r < 0)
		return r;
	r = start(&t, nv, auth, ret, e);
	forget_auth(&t, nv);
	if (r < 0)
		undefine(&t, nv);
	return r;
}

static int counter_use(const struct device *dev, uint32_t handle, const struct secret *auth, bool increment, uint64_t *ret,
		       struct err *e)
{
	AUTO_TPM struct tpm t = { 0 };
	ESYS_TR session, nv;
	bool found;
	int r = tpm_open(dev, &t, e);

	if (r == 0)
		r = find(&t, handle, &nv, e);
	found = r == 0;
	if (r == 0)
		r = set_auth(&t, nv, auth, e);
	if (r == 0)
		r = session_plain(&t, &session, e);
	if (r == 0 && increment)
		r = bump(&t, nv, session, e);
	if (r == 0)
		r = read_value(&t, nv, session, ret, e);
	if (found)
		forget_auth(&t, nv);
	return r;
}

static int counter_read(const struct device *dev, uint32_t handle, const struct secret *auth, uint64_t *ret, struct err *e)
{
	return counter_use(dev, handle, auth, false, ret, e);
}

static int counter_increment(const struct device *dev, uint32_t handle, const struct secret *auth, uint64_t *ret,
			     struct err *e)
{
	return counter_use(dev, handle, auth, true, ret, e);
}

/* Whoever names it, nothing but a counter as counter_create() makes them is removed. */
static int check_ours(struct tpm *t, uint32_t handle, ESYS_TR nv, struct err *e)
{
	TPM2B_NV_PUBLIC *public = NULL;
	bool ours;
	TSS2_RC rc;

	TPM_TRY(rc, Esys_NV_ReadPublic(t->esys, nv, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL));
	if (rc)
		return tpm_fail(t, rc, "look at the counter", e);
	ours = (handle & ~(uint32_t)NV_MASK) == NV_FIRST && public->nvPublic.dataSize == COUNTER_BYTES &&
	       (public->nvPublic.attributes & ~(TPMA_NV)TPMA_NV_WRITTEN) == attributes;
	Esys_Free(public);
	return ours ? 0 : err_set(e, EPERM, "%s: 0x%08x is no counter of hwkey's", t->dev->id, handle);
}

static int counter_remove(const struct device *dev, uint32_t handle, struct err *e)
{
	AUTO_TPM struct tpm t = { 0 };
	TSS2_RC rc;
	ESYS_TR nv;
	int r = tpm_open(dev, &t, e);

	if (r == 0)
		r = find(&t, handle, &nv, e);
	if (r == 0)
		r = check_ours(&t, handle, nv, e);
	if (r < 0)
		return r;
	TPM_TRY(rc, Esys_NV_UndefineSpace(t.esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE));
	return rc ? tpm_fail(&t, rc, "remove the counter", e) : 0;
}

const struct counter_ops tpm2_counter_ops = {
	.create = counter_create,
	.read = counter_read,
	.increment = counter_increment,
	.remove = counter_remove,
};
