// SPDX-License-Identifier: MIT
/* The connection, what is left in the TPM, and what its answers mean. */
#include "tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_sys.h>
#include <tss2/tss2_tctildr.h>

#include "lib/sysroot.h"

enum { CONF_MAX = 512, TRIES = 5, FIRST_PAUSE_MS = 20 };

/* --- connection ------------------------------------------------------------------------------------------------ */

/* Word N of LIST, which has blanks between. */
static int nth_word(const char *list, unsigned n, char *ret, size_t size)
{
	list += strspn(list, " ");
	for (; n && *list; n--) {
		list += strcspn(list, " ");
		list += strspn(list, " ");
	}
	if (!*list || strcspn(list, " ") >= size)
		return -ENODEV;
	(void)snprintf(ret, size, "%.*s", (int)strcspn(list, " "), list);
	return 0;
}

/* How tpm2-tss is told which one it is: "device:/dev/tpmrm0". */
static int conf_of(const struct device *dev, char ret[CONF_MAX], struct err *e)
{
	const struct env *env = dev->env;
	char path[32];
	unsigned n;

	if (sscanf(dev->id, "tpm%3u", &n) != 1)
		return err_set(e, ENODEV, "device '%s' is no TPM", dev->id);
	if (env->tcti)
		return nth_word(env->tcti, n, ret, CONF_MAX) < 0 ? err_set(e, ENODEV, "no TPM '%s' is named", dev->id) : 0;
	memcpy(ret, "device:", 7);
	(void)snprintf(path, sizeof(path), "/dev/tpmrm%u", n);
	return sysroot_path(env, path, ret + 7, CONF_MAX - 7, e);
}

/* tpm2-tss does not tell why it cannot open a node. */
static int open_failed(const struct device *dev, const char *conf, struct err *e)
{
	AUTO_CLOSE int fd = -1;

	if (strncmp(conf, "device:", 7) != 0)
		return err_set(e, ENODEV, "cannot reach TPM '%s' as '%s'", dev->id, conf);
	fd = open(conf + 7, O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return err_set(e, EACCES, "no permission for '%s': be root, or of group tss", conf + 7);
	if (fd < 0 && errno == EBUSY)
		return err_set(e, EBUSY, "another program has '%s' for itself", conf + 7);
	if (fd < 0 && errno != ENOENT && errno != ENODEV && errno != ENXIO)
		return err_sys(e, "cannot open '%s'", conf + 7);
	return err_set(e, ENODEV, "no TPM at '%s'; see 'hwkey doctor'", conf + 7);
}

int tpm_open(const struct device *dev, struct tpm *ret, struct err *e)
{
	struct tpm t = { .dev = dev, .loaded = ESYS_TR_NONE };
	char conf[CONF_MAX];
	TSS2_RC rc;
	int r = conf_of(dev, conf, e);

	if (r < 0)
		return r;
	(void)setenv("TSS2_LOG", "all+none", 0);	/* what fails is told once, by us */
	for (unsigned i = 0; i < TPM_OBJECTS; i++)
		t.live[i] = ESYS_TR_NONE;
	t.resource_manager = strstr(conf, "/tpmrm") || !strncmp(conf, "tabrmd", 6);
	if (Tss2_TctiLdr_Initialize(conf, &t.tcti) != TSS2_RC_SUCCESS)
		return open_failed(dev, conf, e);
	rc = Esys_Initialize(&t.esys, t.tcti, NULL);
	if (rc != TSS2_RC_SUCCESS) {
		Tss2_TctiLdr_Finalize(&t.tcti);
		return tpm_fail(&t, rc, "use the TPM", e);
	}
	*ret = t;
	return 0;
}

void tpm_wipe(struct tpm *t)
{
	enum { NOBODY = 0x7fffffff };		/* a handle that ESYS never gave out */
	const TPM2B_SENSITIVE_CREATE zero = { 0 };
	const TPM2B_PUBLIC public = { 0 };
	const TPM2B_DATA outside = { 0 };
	const TPML_PCR_SELECTION pcrs = { 0 };
	TSS2_SYS_CONTEXT *sys;
	const uint8_t *reply;
	size_t len;

	/* Of a reply that is too short LEN is negative, and so too large. */
	if (Esys_GetSysContext(t->esys, &sys) == TSS2_RC_SUCCESS &&
	    Tss2_Sys_GetRpBuffer(sys, &len, &reply) == TSS2_RC_SUCCESS && len <= TPM2_MAX_RESPONSE_SIZE)
		OPENSSL_cleanse((void *)(uintptr_t)reply, len);
	/* To no parent, it sends nothing and fails after it took the place of what was sealed before. */
	(void)Esys_Create_Async(t->esys, NOBODY, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &zero, &public, &outside,
				&pcrs);
}

void tpm_close(struct tpm *t)
{
	if (!t->esys)
		return;
	for (unsigned i = TPM_OBJECTS; i-- > 0 && !t->resource_manager;)
		if (t->live[i] != ESYS_TR_NONE)
			tpm_flush(t, t->live[i]);
	Esys_Finalize(&t->esys);
	Tss2_TctiLdr_Finalize(&t->tcti);
	*t = (struct tpm){ 0 };
}

void tpm_keep(struct tpm *t, ESYS_TR handle)
{
	for (unsigned i = 0; i < TPM_OBJECTS; i++) {
		if (t->live[i] == ESYS_TR_NONE) {
			t->live[i] = handle;
			return;
		}
	}
}

void tpm_forget(struct tpm *t, ESYS_TR handle)
{
	for (unsigned i = 0; i < TPM_OBJECTS; i++)
		if (t->live[i] == handle)
			t->live[i] = ESYS_TR_NONE;
}

/* After an answer that it could not make sense of, ESYS sends nothing any more. */
static bool esys_is_lost(TSS2_RC rc)
{
	return (rc & TSS2_RC_LAYER_MASK) == TSS2_ESAPI_RC_LAYER || (rc & TSS2_RC_LAYER_MASK) == TSS2_SYS_RC_LAYER;
}

static void flush_past_esys(struct tpm *t, TPM2_HANDLE handle)
{
	uint8_t command[14] = { 0x80, 0x01, 0, 0, 0, sizeof(command), 0, 0, 0x01, 0x65 }, reply[TPM2_MAX_RESPONSE_SIZE];
	size_t len = sizeof(reply);

	be_put(command + 10, handle, 4);
	if (Tss2_Tcti_Transmit(t->tcti, sizeof(command), command) == TSS2_RC_SUCCESS)
		(void)Tss2_Tcti_Receive(t->tcti, &len, reply, TSS2_TCTI_TIMEOUT_BLOCK);
}

void tpm_flush(struct tpm *t, ESYS_TR handle)
{
	TPM2_HANDLE number;
	TSS2_RC rc;

	if (handle == ESYS_TR_NONE)
		return;
	rc = Esys_TR_GetTpmHandle(t->esys, handle, &number);
	if (rc == TSS2_RC_SUCCESS) {
		TPM_TRY(rc, Esys_FlushContext(t->esys, handle));
		if (esys_is_lost(rc))
			flush_past_esys(t, number);
	}
	tpm_forget(t, handle);
}

/* --- what answers mean ------------------------------------------------------------------------------------------ */

TSS2_RC tpm_rc_base(TSS2_RC rc)
{
	TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

	if (layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER && layer != TSS2_RESMGR_RC_LAYER)
		return rc;
	rc &= ~TSS2_RC_LAYER_MASK;
	return rc & TPM2_RC_FMT1 ? rc & 0xbf : rc & 0xfff;	/* 0xbf: without the number of what it speaks of */
}

bool tpm_again(TSS2_RC rc, unsigned *tries)
{
	struct timespec pause = { .tv_nsec = FIRST_PAUSE_MS * 1000000L << *tries };

	switch (tpm_rc_base(rc)) {
	case TPM2_RC_RETRY: case TPM2_RC_YIELDED: case TPM2_RC_TESTING: case TPM2_RC_NV_RATE: case TPM2_RC_NV_UNAVAILABLE:
		break;
	default:
		return false;
	}
	if (++*tries >= TRIES)
		return false;
	while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
		;
	return true;
}

struct lockout { UINT32 permanent, counter, max, interval; };

static bool lockout_read(struct tpm *t, struct lockout *ret)
{
	TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;
	TSS2_RC rc;

	*ret = (struct lockout){ 0 };
	TPM_TRY(rc, Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_TPM_PROPERTIES,
				       TPM2_PT_PERMANENT, 32, &more, &data));
	if (rc != TSS2_RC_SUCCESS)
		return false;
	for (UINT32 i = 0; i < data->data.tpmProperties.count; i++) {
		const TPMS_TAGGED_PROPERTY *p = &data->data.tpmProperties.tpmProperty[i];

		switch (p->property) {
		case TPM2_PT_PERMANENT: ret->permanent = p->value; break;
		case TPM2_PT_LOCKOUT_COUNTER: ret->counter = p->value; break;
		case TPM2_PT_MAX_AUTH_FAIL: ret->max = p->value; break;
		case TPM2_PT_LOCKOUT_INTERVAL: ret->interval = p->value; break;
		}
	}
	Esys_Free(data);
	return ret->max != 0;
}

static int fail_lockout(struct tpm *t, const char *what, struct err *e)
{
	static const char reset[] = "'tpm2_dictionarylockout --clear-lockout' resets it at once";
	struct lockout l;

	if (!lockout_read(t, &l))
		return err_set(e, EPERM, "cannot %s: the TPM is in lockout after wrong answers; %s", what, reset);
	if (!l.interval)
		return err_set(e, EPERM, "cannot %s: the TPM is in lockout after %u wrong answers; %s", what, l.counter,
			       reset);
	return err_set(e, EPERM, "cannot %s: the TPM is in lockout after %u wrong answers: it takes another one in at most "
		       "%u seconds; %s", what, l.counter, l.interval, reset);
}

int tpm_check_lockout(struct tpm *t, struct err *e)
{
	struct lockout l;

	return lockout_read(t, &l) && l.permanent & TPMA_PERMANENT_INLOCKOUT ? fail_lockout(t, "take a PIN", e) : 0;
}

static int fail_auth(struct tpm *t, const char *what, struct err *e)
{
	struct lockout l;

	if (!lockout_read(t, &l))
		return err_set(e, EACCES, "cannot %s: wrong PIN", what);
	if (l.permanent & TPMA_PERMANENT_INLOCKOUT || l.counter >= l.max)
		return err_set(e, EACCES, "cannot %s: wrong PIN, and that was the last try: the TPM is in lockout for "
			       "%u seconds", what, l.interval);
	return err_set(e, EACCES, "cannot %s: wrong PIN; %u more %s left before the TPM's lockout", what, l.max - l.counter,
		       l.max - l.counter == 1 ? "try is" : "tries are");
}

static const struct meaning { TSS2_RC rc; int code; const char *text; } meanings[] = {
	{ TPM2_RC_AUTH_FAIL, EACCES, "the TPM's owner has set a password, or what it was told was changed on the way" },
	{ TPM2_RC_BAD_AUTH, EACCES, "the TPM's owner has set a password, or what it was told was changed on the way" },
	{ TPM2_RC_POLICY_FAIL, EPERM, "what must hold does not" },
	{ TPM2_RC_PCR_CHANGED, EAGAIN, "PCRs changed meanwhile: try again" },
	{ TPM2_RC_INTEGRITY, EBADMSG, "tampered with, or made by another TPM" },
	{ TPM2_RC_HANDLE, ENOENT, "the TPM has no such object" },
	{ TPM2_RC_AUTH_UNAVAILABLE, EPERM, "it opens by its policy only" },
	{ TPM2_RC_OBJECT_MEMORY, EBUSY, "no room in the TPM: a program left objects there ('tpm2_flushcontext -t')" },
	{ TPM2_RC_SESSION_MEMORY, EBUSY, "no room in the TPM: a program left sessions there ('tpm2_flushcontext -l')" },
	{ TPM2_RC_OBJECT_HANDLES, EBUSY, "no room in the TPM: a program left objects there ('tpm2_flushcontext -t')" },
	{ TPM2_RC_SESSION_HANDLES, EBUSY, "no room in the TPM: a program left sessions there ('tpm2_flushcontext -l')" },
	{ TPM2_RC_MEMORY, EBUSY, "the TPM is out of memory" },
	{ TPM2_RC_RETRY, EBUSY, "the TPM is busy: try again" },
	{ TPM2_RC_YIELDED, EBUSY, "the TPM is busy: try again" },
	{ TPM2_RC_TESTING, EBUSY, "the TPM tests itself: try again" },
	{ TPM2_RC_NV_RATE, EBUSY, "the TPM spares its memory: try again" },
	{ TPM2_RC_NV_UNAVAILABLE, EBUSY, "the TPM cannot write now: try again" },
	{ TPM2_RC_INITIALIZE, ENXIO, "firmware has not started the TPM" },
	{ TPM2_RC_FAILURE, ENXIO, "the TPM failed its own test: power off and on" },
	{ TPM2_RC_DISABLED, EPERM, "firmware has switched that off" },
	{ TPM2_RC_HIERARCHY, EPERM, "firmware has switched that hierarchy off" },
	{ TPM2_RC_COMMAND_CODE, EOPNOTSUPP, "the TPM has no such command" },
	{ TPM2_RC_SYMMETRIC, EOPNOTSUPP, "the TPM lacks that algorithm" },
	{ TPM2_RC_MODE, EOPNOTSUPP, "the TPM lacks that algorithm" },
	{ TPM2_RC_CURVE, EOPNOTSUPP, "the TPM lacks that curve" },
	{ TSS2_TCTI_RC_IO_ERROR, EIO, "the TPM does not answer" },
	{ TSS2_TCTI_RC_NO_CONNECTION, EIO, "the connection to the TPM broke" },
};

int tpm_fail(struct tpm *t, TSS2_RC rc, const char *what, struct err *e)
{
	TSS2_RC base = tpm_rc_base(rc);

	if (base == TPM2_RC_LOCKOUT)
		return fail_lockout(t, what, e);
	if (t->pin && (base == TPM2_RC_AUTH_FAIL || base == TPM2_RC_BAD_AUTH))
		return fail_auth(t, what, e);
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (meanings[i].rc == base)
			return err_set(e, meanings[i].code, "cannot %s: %s", what, meanings[i].text);
	return err_set(e, EPROTO, "cannot %s: %s (0x%x)", what, Tss2_RC_Decode(rc), rc);
}
