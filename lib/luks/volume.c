// SPDX-License-Identifier: MIT
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/backend.h"
#include "lib/err.h"
#include "lib/file.h"

static void keep_first_error(int level, const char *msg, void *ctx)
{
	struct luks *l = ctx;

	if (level == CRYPT_LOG_ERROR && !l->log[0]) {
		(void)snprintf(l->log, sizeof(l->log), "%s", msg);
		l->log[strcspn(l->log, "\n")] = '\0';
		if (l->log[0] && l->log[strlen(l->log) - 1] == '.')
			l->log[strlen(l->log) - 1] = '\0';
	}
}

/* Each write of the header counts up: 8 bytes after magic, version and size. 0: cannot be read. */
static uint64_t read_seqid(int fd)
{
	enum { OFFSET = 16 };
	unsigned char b[8];

	return pread(fd, b, sizeof(b), OFFSET) == sizeof(b) ? be_get(b, sizeof(b)) : 0;
}

static bool changed_meanwhile(const struct luks *l)
{
	uint64_t now = l->seqid ? read_seqid(l->fd) : 0;

	return now && now != l->seqid;
}

int luks_fail(struct luks *l, int r, struct err *e, const char *what)
{
	/*
	 * libcryptsetup's EINVAL is no wrong use of ours, and its EPERM is a wrong passphrase. When it cannot open a
	 * file it returns anything, and leaves the reason in errno.
	 */
	int code = err_is_resource(errno) ? errno : r == -EINVAL ? EPROTO : r == -EPERM ? EACCES : r < 0 ? -r : EPROTO;

	if (!err_is_resource(code) && changed_meanwhile(l))
		r = err_set(e, EBUSY, "another program changed '%s' meanwhile: try again", l->volume);
	else if (l->log[0] && !err_is_resource(code))
		r = err_set(e, code, "'%s': %s: %s", l->volume, what, l->log);
	else
		r = err_set(e, code, "'%s': %s: %s", l->volume, what, strerror(code));
	l->log[0] = '\0';
	return r;
}

static int open_readable(const char *path, struct err *e)
{
	int fd = luks_place_open(path, O_RDONLY, e);

	if (fd != -ENOENT)
		return fd;
	errno = ENOENT;
	return err_sys(e, "cannot open volume '%s'", path);
}

/* The header's descriptor. */
static int open_place(const struct luks_place *p, struct err *e)
{
	AUTO_CLOSE int volume = open_readable(p->volume, e);
	int header, r;

	if (volume < 0)
		return volume;
	header = p->header ? open_readable(p->header, e) : volume;
	if (header < 0)
		return header;
	if (!p->header)
		volume = -1;
	else if ((r = luks_place_differ(volume, header, p->header, e)) < 0) {
		(void)close(header);
		return r;
	}
	return header;
}

int luks_init(const struct luks_place *p, struct luks **ret, struct err *e)
{
	struct luks *l = calloc(1, sizeof(*l));
	int r;

	if (l)
		l->volume = strdup(p->volume);
	if (!l || !l->volume) {
		free(l);
		return err_nomem(e);
	}
	l->fd = open_place(p, e);
	if (l->fd < 0) {
		luks_free(l);
		return -e->code;
	}
	errno = 0;
	if (p->header)
		r = crypt_init_data_device(&l->cd, p->header, p->volume);
	else
		r = crypt_init(&l->cd, p->volume);
	if (r < 0) {
		if (!err_is_resource(errno))
			errno = r == -ENOTBLK ? EOPNOTSUPP : -r;
		r = err_sys(e, "cannot use volume '%s'", p->volume);
		luks_free(l);
		return r;
	}
	crypt_set_log_callback(l->cd, keep_first_error, l);
	*ret = l;
	return 0;
}

void luks_free(struct luks *l)
{
	if (!l)
		return;
	crypt_free(l->cd);
	if (l->fd >= 0)
		(void)close(l->fd);
	free(l->volume);
	free(l);
}

/* 1 or 2; 0: no LUKS magic, neither in the first header nor where the second may be; -1: errno. */
static int luks_version(int fd)
{
	static const unsigned char first[] = "LUKS\xba\xbe", second[] = "SKUL\xba\xbe";
	unsigned char b[8];
	ssize_t n = pread(fd, b, sizeof(b), 0);

	if (n < 0)
		return -1;
	if (n == sizeof(b) && !memcmp(b, first, 6))
		return (int)be_get(b + 6, 2);
	for (off_t at = 0x4000; at <= 0x400000; at *= 2)	/* 16 KiB to 4 MiB: the sizes of a LUKS2 header */
		if (pread(fd, b, sizeof(b), at) == sizeof(b) && !memcmp(b, second, 6))
			return 2;
	return 0;
}

static int check_version(int fd, const char *header, struct err *e)
{
	switch (luks_version(fd)) {
	case -1:
		return err_sys(e, "cannot read '%s'", header);
	case 0:
		return err_set(e, EOPNOTSUPP, "'%s' is no LUKS2 volume", header);
	case 1:
		return err_set(e, EOPNOTSUPP,
			       "'%s' is LUKS1, which has no room for tokens: convert it by 'cryptsetup convert'", header);
	default:
		return 0;
	}
}

int luks_open(const struct luks_place *p, struct luks **ret, struct err *e)
{
	struct luks *l;
	int r = luks_init(p, &l, e);

	if (r < 0)
		return r;
	r = check_version(l->fd, p->header ? p->header : p->volume, e);
	if (r == 0) {
		errno = 0;
		r = crypt_load(l->cd, CRYPT_LUKS2, NULL);
		if (r < 0)
			r = luks_fail(l, r == -EINVAL ? -EBADMSG : r, e, "cannot read the LUKS2 header");
	}
	if (r < 0) {
		luks_free(l);
		return r;
	}
	l->seqid = read_seqid(l->fd);
	*ret = l;
	return 0;
}

int luks_sync(struct luks *l, struct err *e)
{
	if (fsync_retry(l->fd) < 0)
		return err_sys(e, "'%s': cannot write the header", l->volume);
	l->seqid = read_seqid(l->fd);
	return 0;
}

static void copy_text(char *ret, size_t size, const char *s)
{
	(void)snprintf(ret, size, "%s", s ? s : "");
}

void luks_info(struct luks *l, struct luks_info *ret)
{
	*ret = (struct luks_info){ 0 };
	copy_text(ret->uuid, sizeof(ret->uuid), crypt_get_uuid(l->cd));
	copy_text(ret->label, sizeof(ret->label), crypt_get_label(l->cd));
	(void)snprintf(ret->cipher, sizeof(ret->cipher), "%s-%s", crypt_get_cipher(l->cd), crypt_get_cipher_mode(l->cd));
	(void)luks_get_pattern(l, ret->pattern);
}

int luks_check_steady(struct luks *l, struct err *e)
{
	uint32_t flags = 0;
	int r = crypt_persistent_flags_get(l->cd, CRYPT_FLAGS_REQUIREMENTS, &flags);

	if (r < 0)
		return luks_fail(l, r, e, "cannot read the header's requirements");
	if (flags)
		return err_set(e, EINPROGRESS, "'%s' is being re-encrypted: finish that first", l->volume);
	return 0;
}

int luks_check_writable(struct luks *l, struct err *e)
{
	int r = luks_check_steady(l, e);

	return r < 0 ? r : luks_place_check_writable(l->fd, l->volume, e);
}

int luks_use_minimal_kdf(struct luks *l, struct err *e)
{
	static const struct crypt_pbkdf_type minimal = {
		.type = CRYPT_KDF_PBKDF2, .hash = "sha512", .iterations = 1000, .flags = CRYPT_PBKDF_NO_BENCHMARK,
	};
	int r = crypt_set_pbkdf_type(l->cd, &minimal);

	return r < 0 ? luks_fail(l, r, e, "cannot use PBKDF2") : 0;
}

uint32_t luks_slots(struct luks *l)
{
	uint32_t set = 0;

	for (int i = 0; i < LUKS_SLOTS; i++) {
		crypt_keyslot_info s = crypt_keyslot_status(l->cd, i);

		if (s == CRYPT_SLOT_ACTIVE || s == CRYPT_SLOT_ACTIVE_LAST)
			set |= UINT32_C(1) << i;
	}
	return set;
}

const char *luks_token_text(struct luks *l, int id, const char **ret_type)
{
	crypt_token_info s = crypt_token_status(l->cd, id, ret_type);
	const char *text;

	if (s == CRYPT_TOKEN_INVALID || s == CRYPT_TOKEN_INACTIVE || crypt_token_json_get(l->cd, id, &text) < 0)
		return NULL;
	return text;
}

int luks_token_get(struct luks *l, int id, struct luks_token *ret)
{
	struct err quiet = { 0 };
	const char *type, *text = luks_token_text(l, id, &type);

	return text && !strcmp(type, LUKS_TOKEN_TYPE) && luks_token_parse(text, ret, &quiet) == 0;
}

static int put_text(struct luks *l, int id, const struct blob *text, struct err *e)
{
	int r = id = crypt_token_json_set(l->cd, id, (const char *)text->data);

	r = r < 0 ? luks_fail(l, r, e, "cannot write the token") : luks_sync(l, e);
	return r < 0 ? r : id;
}

int luks_token_put(struct luks *l, int id, const struct luks_token *t, struct err *e)
{
	AUTO_BLOB struct blob text = { 0 };
	int r = luks_token_format(t, &text, e);

	return r < 0 ? r : put_text(l, id, &text, e);
}

bool luks_salt(struct luks *l, int slot, char ret[LUKS_SALT_SIZE])
{
	const char *json;

	return crypt_dump_json(l->cd, &json, 0) == 0 && luks_slot_salt(json, slot, ret);
}

int luks_recovery_put(struct luks *l, int id, int slot, bool pending, struct err *e)
{
	AUTO_BLOB struct blob text = { 0 };
	char salt[LUKS_SALT_SIZE];
	int r = luks_recovery_format(slot, pending, luks_salt(l, slot, salt) ? salt : NULL, &text, e);

	return r < 0 ? r : put_text(l, id, &text, e);
}

int luks_recovery_slot(struct luks *l, int id, bool *ret_own)
{
	char made[LUKS_SALT_SIZE], there[LUKS_SALT_SIZE];
	const char *type, *text = luks_token_text(l, id, &type);
	int slot = text ? luks_recovery_pending(text, made) : -1;

	*ret_own = slot >= 0 && luks_salt(l, slot, there) && !strcmp(made, there);
	return slot;
}

int luks_token_drop(struct luks *l, int id, struct err *e)
{
	int r = crypt_token_json_set(l->cd, id, NULL);

	return r < 0 ? luks_fail(l, r, e, "cannot remove the token") : luks_sync(l, e);
}

uint32_t luks_owned_slots(struct luks *l)
{
	const char *type, *text;
	uint32_t set = 0;

	for (int i = 0; i < LUKS_TOKENS; i++) {
		text = luks_token_text(l, i, &type);
		if (text)
			set |= luks_token_slots(text);
	}
	return set;
}

int luks_slot_destroy(struct luks *l, int slot, struct err *e)
{
	int r = crypt_keyslot_destroy(l->cd, slot);

	return r < 0 ? luks_fail(l, r, e, "cannot remove the keyslot") : luks_sync(l, e);
}

int luks_try(struct luks *l, int slot, const struct secret *passphrase, struct err *e)
{
	int r;

	if (slot >= 0 && !(luks_slots(l) & UINT32_C(1) << slot))
		return 0;
	r = crypt_activate_by_passphrase(l->cd, NULL, slot, (const char *)passphrase->data, passphrase->len, 0);
	if (r == -EPERM || r == -ENOENT) {	/* ENOENT: no such slot */
		l->log[0] = '\0';
		return 0;
	}
	return r < 0 ? luks_fail(l, r, e, "cannot try the passphrase") : 1;
}

int luks_try_each(struct luks *l, uint32_t slots, const struct secret *passphrase, uint32_t *ret, struct err *e)
{
	uint32_t set = 0;
	int r = 0;

	for (int i = 0; r >= 0 && i < LUKS_SLOTS; i++) {
		r = slots & UINT32_C(1) << i ? luks_try(l, i, passphrase, e) : 0;
		if (r == 1)
			set |= UINT32_C(1) << i;
	}
	if (r < 0)
		return r;
	*ret = set;
	return 0;
}

int luks_volume_binding(struct luks *l, struct blob *ret, struct err *e)
{
	const char *text;
	int r = crypt_dump_json(l->cd, &text, 0);

	if (r < 0)
		return luks_fail(l, r, e, "cannot read the header");
	r = luks_binding(text, crypt_get_uuid(l->cd), ret, e);
	return r < 0 ? err_prefix(e, "'%s'", l->volume) : 0;
}

int luks_seal(struct luks *l, const struct luks_key *k, const struct secret *passphrase, struct luks_token *ret,
	      struct err *e)
{
	const struct wrap_params like = { .like = k->token };
	AUTO_BLOB struct blob binding = { 0 };
	struct luks_token t = { 0 };
	int r = luks_volume_binding(l, &binding, e);

	if (r == 0)
		r = k->seal->seal(k->device, k->wrap ? k->wrap : &like, passphrase, &binding, &t.blob, e);
	if (r < 0)
		return r;
	if (t.blob.len > LUKS_BLOB_MAX) {
		luks_token_done(&t);
		return err_set(e, EFBIG, "key '%s' is too long for a token", k->name);
	}
	copy_text(t.name, sizeof(t.name), k->name);
	copy_text(t.backend, sizeof(t.backend), k->backend);
	copy_text(t.vol, sizeof(t.vol), crypt_get_uuid(l->cd));
	copy_text(t.pattern, sizeof(t.pattern), k->pattern);
	*ret = t;
	return 0;
}

int luks_unseal_by(struct luks *l, const struct device *dev, const struct seal_ops *seal, const struct luks_token *t,
		   struct secret *ret, struct err *e)
{
	AUTO_BLOB struct blob binding = { 0 };
	int r;

	if (strcmp(t->vol, crypt_get_uuid(l->cd)) != 0)
		return err_set(e, EBADMSG, "the token of key '%s' was made for another volume", t->name);
	r = luks_volume_binding(l, &binding, e);
	if (r == 0)
		r = seal->unseal(dev, &t->blob, &binding, ret, e);
	return r < 0 ? err_prefix(e, "token of key '%s'", t->name) : 0;
}

int luks_unseal(struct luks *l, const struct luks_source *src, const struct luks_token *t, struct secret *ret,
		struct err *e)
{
	const struct seal_ops *seal;
	const struct device *dev;
	int r = src->find(src, t->backend, &t->blob, &dev, &seal, e);

	return r < 0 ? r : luks_unseal_by(l, dev, seal, t, ret, e);
}
