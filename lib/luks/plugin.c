// SPDX-License-Identifier: MIT
/*
 * libcryptsetup's token plug-in of type "hwkey": cryptsetup, systemd and whatever else opens volumes by libcryptsetup
 * gets the passphrase of a keyslot from the trust source that sealed it, without the hwkey binary or its repository.
 *
 * libcryptsetup goes on to the next token after ENOENT, EPERM, EAGAIN and ENOANO only; everything else ends its loop. So:
 *   ENOENT  not for us: malformed, unknown backend, other volume or machine, tampered with (the log says why)
 *   EAGAIN  the trust source is not here (yet)
 *   ENOANO  the keystore's passphrase, or the TPM's PIN, is missing or wrong; only known when it was found and asked
 */
#include <errno.h>
#include <libcryptsetup.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "lib/backend.h"
#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/module.h"
#include "lib/secret.h"
#include "luks-token.h"

const char module_dir[] = MODULE_DIR;

MODULE_EXPORT const char *cryptsetup_token_version(void);
MODULE_EXPORT int cryptsetup_token_open(struct crypt_device *, int, char **, size_t *, void *);
MODULE_EXPORT int cryptsetup_token_open_pin(struct crypt_device *, int, const char *, size_t, char **, size_t *, void *);
MODULE_EXPORT void cryptsetup_token_buffer_free(void *, size_t);
MODULE_EXPORT int cryptsetup_token_validate(struct crypt_device *, const char *);
MODULE_EXPORT void cryptsetup_token_dump(struct crypt_device *, const char *);

struct pin {
	const char *bytes;		/* no NUL; NULL: none was given */
	size_t len;
	const char *asked;		/* what it is to be; NULL: nobody asked for it */
};

static int answer(const struct env *env, const char *name, const char *prompt, struct secret *ret, struct err *e)
{
	struct pin *pin = env->ctx;

	(void)prompt;
	if (!strcmp(name, "hwkey.pks-passphrase"))
		pin->asked = "its PIN is the passphrase of the keystore";
	else if (!strcmp(name, "hwkey.tpm2-pin"))
		pin->asked = "its PIN is the TPM's";
	else
		return err_set(e, ENOKEY, "nobody can be asked for '%s' here", name);
	if (!pin->bytes)
		return err_set(e, ENOKEY, "no PIN was given");
	return secret_copy(ret, pin->bytes, pin->len, e);
}

/* What libcryptsetup may be told. */
static int answer_code(int r, const struct pin *pin)
{
	if (pin->asked && (r == -EACCES || r == -ENOKEY || r == -EKEYREJECTED))
		return -ENOANO;
	switch (-r) {
	case ENODEV: case ENXIO: case ENOENT:	/* ENOENT: of the keystore, not of the token */
	case EBUSY: case EAGAIN: case ETIMEDOUT: case ENOMEM: case EIO: case EMFILE: case ENFILE:
		return -EAGAIN;
	default:
		return -ENOENT;
	}
}

static int unseal(struct crypt_device *cd, const struct device *dev, const struct luks_token *t, struct secret *ret,
		  struct err *e)
{
	AUTO_BLOB struct blob binding = { 0 };
	const struct backend_ops *ops;
	const char *text;
	int r = crypt_dump_json(cd, &text, 0);

	if (r < 0)
		return err_set(e, EBADMSG, "cannot read the header");
	r = luks_binding(text, crypt_get_uuid(cd), &binding, e);
	if (r == 0)
		r = backend_ops(dev, &ops, e);
	if (r == 0 && !ops->seal)
		r = err_set(e, EOPNOTSUPP, "backend '%s' cannot unseal", t->backend);
	return r < 0 ? r : ops->seal->unseal(dev, &t->blob, &binding, ret, e);
}

static int find_and_unseal(struct crypt_device *cd, const struct luks_token *t, struct pin *pin, struct secret *ret,
			   struct err *e)
{
	const char *dir = secure_getenv("HWKEY_PKS_DIR");
	const struct env env = { .pks_dir = dir ? dir : "/var/lib/hwkey/pks", .sysroot = secure_getenv("HWKEY_SYSROOT"),
				 .tcti = secure_getenv("HWKEY_TCTI"), .pcr_signature = secure_getenv("HWKEY_PCR_SIGNATURE"),
				 .ask = answer, .ctx = pin };
	struct device *devices = NULL, *dev;
	int r = device_enumerate_backend(&env, t->backend, &devices, e);

	if (r == 0)
		r = device_of_backend(devices, t->backend, &t->blob, &dev, e);
	if (r == 0)
		r = unseal(cd, dev, t, ret, e);
	device_free_list(devices);
	return r;
}

/* Whether the token is for us, before any device is looked for. */
static int check(struct crypt_device *cd, int token, struct luks_token *ret, struct err *e)
{
	const char *text;
	int r;

	if (getauxval(AT_SECURE))
		return err_set(e, EPERM, "not in a set-user-ID program");
	r = crypt_token_json_get(cd, token, &text);
	if (r < 0)
		return err_set(e, EBADMSG, "cannot read the token");
	r = luks_token_parse(text, ret, e);
	if (r < 0)
		return r;
	if (strcmp(ret->vol, crypt_get_uuid(cd)) != 0)
		return err_set(e, EBADMSG, "the token was made for another volume");
	if (!backend_find(ret->backend))
		return err_set(e, EOPNOTSUPP, "unknown backend '%s'", ret->backend);
	return 0;
}

/* The caller's buffer cannot be a struct secret: libcryptsetup hands it to cryptsetup_token_buffer_free(). */
static int give(const struct secret *s, char **ret, size_t *ret_len)
{
	char *p = malloc(s->len ? s->len : 1);

	if (!p)
		return -EAGAIN;
	secret_bytes_copy(p, s->data, s->len);
	*ret = p;
	*ret_len = s->len;
	return 0;
}

int cryptsetup_token_open_pin(struct crypt_device *cd, int token, const char *pin, size_t pin_size, char **password,
			      size_t *password_len, void *usrptr)
{
	struct pin p = { .bytes = pin, .len = pin_size };
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	AUTO_SECRET struct secret s = { 0 };
	struct err e = { 0 };
	int r = check(cd, token, &t, &e);

	(void)usrptr;
	if (r == 0 && t.pending && !t.slots)
		return -ENOENT;
	if (r == 0) {
		r = find_and_unseal(cd, &t, &p, &s, &e);
		r = r < 0 ? answer_code(r, &p) : 0;
	} else {
		r = -ENOENT;
	}
	if (r == 0)
		return give(&s, password, password_len);
	crypt_logf(cd, CRYPT_LOG_ERROR, "hwkey: token %d%s%s%s: %s\n", token, t.name[0] ? " (key '" : "", t.name,
		   t.name[0] ? "')" : "", r == -ENOANO && !pin ? p.asked : e.msg);
	return r;
}

int cryptsetup_token_open(struct crypt_device *cd, int token, char **password, size_t *password_len, void *usrptr)
{
	return cryptsetup_token_open_pin(cd, token, NULL, 0, password, password_len, usrptr);
}

void cryptsetup_token_buffer_free(void *buffer, size_t len)
{
	if (buffer)
		explicit_bzero(buffer, len);
	free(buffer);
}

int cryptsetup_token_validate(struct crypt_device *cd, const char *json)
{
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	struct err e = { 0 };

	if (luks_token_parse(json, &t, &e) == 0)
		return 0;
	crypt_logf(cd, CRYPT_LOG_ERROR, "hwkey: %s\n", e.msg);
	return -EINVAL;
}

void cryptsetup_token_dump(struct crypt_device *cd, const char *json)
{
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	struct err e = { 0 };

	if (luks_token_parse(json, &t, &e) < 0) {
		crypt_logf(cd, CRYPT_LOG_NORMAL, "\t%s\n", e.msg);
		return;
	}
	crypt_logf(cd, CRYPT_LOG_NORMAL,
		   "\tkey name:   %s\n\tbackend:    %s\n\tpattern:    %s\n\tstate:      %s\n\tcreated:    %s\n", t.name,
		   t.backend, t.pattern[0] ? t.pattern : "-", t.pending ? "pending" : "ok", t.created);
}

const char *cryptsetup_token_version(void)
{
	return HWKEY_VERSION;
}
