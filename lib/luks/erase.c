// SPDX-License-Identifier: MIT
/* The end of a volume: what opens it is destroyed, so that what is left of its data is noise. */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "lib/err.h"
#include "lib/file.h"
#include "lib/sys.h"

enum {
	FIRST = 4096,				/* bytes: what says that there is a header */
	AREA_MAX = 2 * (4 << 20) + (128 << 20),	/* both headers at their largest, and all keyslots */
};

/* --- in use ------------------------------------------------------------------------------------------------------ */

struct held {			/* for writing, exclusively: nobody can map or mount it meanwhile */
	int volume, header;	/* the same without a detached header */
};

static void held_done(struct held *h)
{
	if (h->header >= 0 && h->header != h->volume)
		(void)close(h->header);
	auto_close(&h->volume);
}

/* A block device that is mounted or mapped is busy; a file shows it by its loop device. */
static int check_loops(const struct env *env, int fd, const char *path, struct err *e)
{
	AUTO_FREE char *names = NULL;
	struct stat own, other;
	size_t n = 0;

	if (fstat(fd, &own) < 0 || !S_ISREG(own.st_mode) || sys_names(env, "/sys/block", &names, &n) < 0)
		return 0;
	for (const char *name = names; n; n--, name += strlen(name) + 1) {
		char attr[PATH_MAX], backing[PATH_MAX];

		(void)snprintf(attr, sizeof(attr), "/sys/block/%.200s/loop/backing_file", name);
		if (sys_read(env, attr, backing, sizeof(backing)) > 0 && stat(backing, &other) == 0 &&
		    own.st_dev == other.st_dev && own.st_ino == other.st_ino)
			return err_set(e, EBUSY, "'%s' is in use by /dev/%s: 'losetup --detach' it first", path, name);
	}
	return 0;
}

/* An active mapping of this UUID, wherever header and data are. */
static int check_mappings(const struct env *env, const char *uuid, const char *path, struct err *e)
{
	char want[64] = "CRYPT-LUKS2-", *to = want + strlen(want);
	AUTO_FREE char *names = NULL;
	size_t n = 0;

	for (const char *p = uuid; *p; p++)
		if (*p != '-')
			*to++ = *p;
	*to++ = '-';
	*to = '\0';
	if (sys_names(env, "/sys/block", &names, &n) < 0)
		return 0;
	for (const char *name = names; n; n--, name += strlen(name) + 1) {
		char attr[PATH_MAX], found[256], dm[256];

		(void)snprintf(attr, sizeof(attr), "/sys/block/%.200s/dm/uuid", name);
		if (sys_read(env, attr, found, sizeof(found)) < 0 || strncasecmp(found, want, strlen(want)) != 0)
			continue;
		(void)snprintf(attr, sizeof(attr), "/sys/block/%.200s/dm/name", name);
		return err_set(e, EBUSY, "'%s' is in use as '%s': close it first", path,
			       sys_read(env, attr, dm, sizeof(dm)) > 0 ? dm : name);
	}
	return 0;
}

static int hold(const char *path, const struct env *env, int *ret, struct err *e)
{
	AUTO_CLOSE int fd = luks_place_open(path, O_RDWR | O_EXCL, e);
	int r;

	if (fd == -ENOENT)
		return err_set(e, ENOENT, "no volume '%s'", path);
	if (fd == -EBUSY)
		return err_set(e, EBUSY, "'%s' is in use: close or unmount it first", path);
	if (fd < 0)
		return fd;
	r = luks_place_lock(fd, path, e);
	if (r == 0)
		r = check_loops(env, fd, path, e);
	if (r < 0)
		return r;
	*ret = fd;
	fd = -1;
	return 0;
}

static int hold_both(const struct luks_place *p, const struct env *env, struct held *h, struct err *e)
{
	int r = hold(p->volume, env, &h->volume, e);

	if (r < 0)
		return r;
	h->header = h->volume;
	return p->header ? hold(p->header, env, &h->header, e) : 0;
}

/* --- what there is ----------------------------------------------------------------------------------------------- */

static void describe(struct luks *l, struct luks_erased *ret)
{
	const char *type;

	(void)snprintf(ret->uuid, sizeof(ret->uuid), "%s", crypt_get_uuid(l->cd));
	for (int i = 0; i < LUKS_SLOTS; i++)
		ret->slots += crypt_keyslot_status(l->cd, i) != CRYPT_SLOT_INACTIVE;
	for (int id = 0; id < LUKS_TOKENS; id++) {
		if (!luks_token_text(l, id, &type))
			continue;
		ret->tokens++;
		ret->recovery += !strcmp(type, LUKS_RECOVERY_TYPE);
	}
}

/* Of the headers and keyslots, which a damaged header does not tell: then all that they could be. */
static int area_of(struct luks *l, int fd, uint64_t *ret, struct err *e)
{
	uint64_t size, meta = 0, slots = 0;
	off_t end = lseek(fd, 0, SEEK_END);
	int r = l ? crypt_get_metadata_size(l->cd, &meta, &slots) : 0;

	if (r < 0)
		return luks_fail(l, r, e, "cannot tell how large the header is");
	if (end < 0)
		return err_sys(e, "cannot tell how large the header's device is");
	size = l ? 2 * meta + slots : AREA_MAX;
	*ret = size < (uint64_t)end ? size : (uint64_t)end;
	return 0;
}

/* *ret NULL: there is a header, which is damaged. */
static int open_header(const struct luks_place *p, struct luks **ret, struct err *e)
{
	int r = luks_open(p, ret, e);

	if (r == -EBADMSG)
		*ret = NULL;
	return r == -EBADMSG ? 0 : r;
}

/* --- destroying -------------------------------------------------------------------------------------------------- */

/*
 * libcryptsetup overwrites each with random bytes, more than once on a disk that turns. It refuses that of a re-encryption,
 * which holds no key, so has no KDF, and is overwritten with the rest.
 */
static int destroy_slots(struct luks *l, struct err *e)
{
	struct crypt_pbkdf_type kdf;
	int r = 0;

	for (int i = 0; r == 0 && i < LUKS_SLOTS; i++)
		if (crypt_keyslot_status(l->cd, i) != CRYPT_SLOT_INACTIVE && crypt_keyslot_get_pbkdf(l->cd, i, &kdf) == 0)
			r = luks_slot_destroy(l, i, e);
	return r;
}

/* Backwards, so that as long as anything is left the first bytes say what it is. */
static int zero(int fd, off_t from, off_t end)
{
	static const unsigned char zeros[1 << 20];
	int r = 0;

	while (r == 0 && end > from) {
		off_t at = end - from > (off_t)sizeof(zeros) ? end - (off_t)sizeof(zeros) : from;

		r = pwrite_all(fd, zeros, (size_t)(end - at), at);
		end = at;
	}
	return r < 0 ? r : fdatasync_retry(fd);
}

static int wipe(int fd, off_t end, const char *path, struct err *e)
{
	const off_t first = end < FIRST ? end : FIRST;
	int r = zero(fd, first, end);

	if (r == 0)
		r = zero(fd, 0, first);
	errno = -r;
	return r < 0 ? err_sys(e, "cannot overwrite the header of '%s'", path) : 0;
}

/* From the device, not from the page cache, as far as that can be asked for. */
static int verify(int fd, off_t end, const char *path, struct err *e)
{
	int r;

	(void)posix_fadvise(fd, 0, end, POSIX_FADV_DONTNEED);
	(void)ioctl(fd, BLKFLSBUF, 0);
	r = luks_place_zero(fd, end, path, e);
	return r == 0 ? err_set(e, EIO, "'%s' does not keep what was written over its header: destroy the device", path)
		      : r < 0 ? r : 0;
}

int luks_erase(const struct luks_place *p, const struct env *env, bool check, struct luks_erased *ret, struct err *e)
{
	AUTO(held_done) struct held h = { -1, -1 };
	const char *path = p->header ? p->header : p->volume;
	struct luks *l = NULL;
	struct luks_erased found = { 0 };
	int r = hold_both(p, env, &h, e);

	if (r == 0)
		r = open_header(p, &l, e);
	if (r == 0 && l)
		describe(l, &found);
	if (r == 0)
		r = area_of(l, h.header, &found.bytes, e);
	if (r == 0 && l)
		r = check_mappings(env, found.uuid, p->volume, e);
	if (r == 0 && l && !check)
		r = destroy_slots(l, e);
	luks_free(l);
	if (r == 0 && !check)
		r = wipe(h.header, (off_t)found.bytes, path, e);
	if (r == 0 && !check)
		r = verify(h.header, (off_t)found.bytes, path, e);
	if (r == 0)
		*ret = found;
	return r;
}
