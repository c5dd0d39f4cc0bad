// SPDX-License-Identifier: MIT
/* A new volume: nothing that is there is overwritten unless that was asked for. */
#include "volume.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/err.h"

static void probe_freep(blkid_probe *p)
{
	if (*p)
		blkid_free_probe(*p);
}
#define AUTO_PROBE AUTO(probe_freep)

static int new_probe(int fd, const char *path, blkid_probe *ret, struct err *e)
{
	blkid_probe p = blkid_new_probe();

	if (!p)
		return err_nomem(e);
	*ret = p;
	if (blkid_probe_set_device(p, fd, 0, 0) < 0 || blkid_probe_enable_superblocks(p, 1) < 0 ||
	    blkid_probe_set_superblocks_flags(p, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE | BLKID_SUBLKS_MAGIC) < 0 ||
	    blkid_probe_enable_partitions(p, 1) < 0 || blkid_probe_set_partitions_flags(p, BLKID_PARTS_MAGIC) < 0)
		return err_set(e, EIO, "cannot look at what is on '%s'", path);
	return 0;
}

static int is_empty_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

int luks_found(const char *volume, char ret[LUKS_TEXT], struct err *e)
{
	AUTO_PROBE blkid_probe p = NULL;
	AUTO_CLOSE int fd = luks_place_open(volume, O_RDONLY, e);
	const char *type;
	int r;

	if (fd < 0)
		return fd;
	ret[0] = '\0';
	if (is_empty_file(fd))
		return 0;
	r = new_probe(fd, volume, &p, e);
	if (r < 0)
		return r;
	r = blkid_do_probe(p);
	if (r < 0)
		return err_set(e, EIO, "cannot read '%s'", volume);
	if (r != 0) {
		r = luks_place_blank(fd, volume, e);
		if (r == 0)
			(void)snprintf(ret, LUKS_TEXT, "unknown data");
		return r < 0 ? r : 0;
	}
	if (blkid_probe_lookup_value(p, "TYPE", &type, NULL) == 0)
		(void)snprintf(ret, LUKS_TEXT, "%s", strcmp(type, "crypto_LUKS") != 0 ? type : "LUKS");
	else if (blkid_probe_lookup_value(p, "PTTYPE", &type, NULL) == 0)
		(void)snprintf(ret, LUKS_TEXT, "partition table (%s)", type);
	else
		(void)snprintf(ret, LUKS_TEXT, "unknown data");
	return 0;
}

/* All signatures, so that nothing finds the old contents under the new header. A mounted device is busy (O_EXCL). */
static int wipe(const char *volume, struct err *e)
{
	AUTO_PROBE blkid_probe p = NULL;
	int fd = luks_place_open(volume, O_RDWR | O_EXCL, e), r;

	if (fd == -ENOENT)
		return err_set(e, ENOENT, "no volume '%s'", volume);
	if (fd < 0)
		return fd;
	r = new_probe(fd, volume, &p, e);
	while (r == 0 && blkid_do_probe(p) == 0)
		if (blkid_do_wipe(p, 0) < 0)
			r = err_set(e, EIO, "cannot wipe '%s'", volume);
	if (fsync(fd) < 0 && r == 0)
		r = err_sys(e, "cannot write '%s'", volume);
	(void)ioctl(fd, BLKRRPART);	/* or nodes of partitions that are gone would still write to the volume */
	if (close(fd) < 0 && r == 0)
		r = err_sys(e, "cannot write '%s'", volume);
	return r;
}

/* Files that are locked, and removed on failure if they are ours. */
struct held {
	const char *path;
	int fd;
	bool made;
};

static void held_done(struct held *h)
{
	if (h->made)
		(void)unlink(h->path);
	if (h->fd >= 0)
		(void)close(h->fd);	/* nothing was written by it since fsync */
}

/* Sparse. EEXIST if there is one. */
static int image_create(struct held *h, uint64_t size, struct err *e)
{
	int r;

	h->fd = open(h->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (h->fd < 0)
		return errno == EEXIST ? err_set(e, EEXIST, "'%s' is there already", h->path)
				       : err_sys(e, "cannot create '%s'", h->path);
	r = luks_place_lock(h->fd, h->path, e);
	if (r < 0)
		return r;	/* another one took it for its own */
	h->made = true;
	if (size > INT64_MAX || ftruncate(h->fd, (off_t)size) < 0 || fsync(h->fd) < 0)
		return err_sys(e, "cannot create '%s' with %llu bytes", h->path, (unsigned long long)size);
	return luks_place_sync_dir(h->path, e);
}

static int image_take(struct held *h, struct err *e)
{
	h->fd = luks_place_open(h->path, O_RDWR, e);
	if (h->fd == -ENOENT)
		return err_set(e, ENOENT, "no volume '%s'", h->path);
	return h->fd < 0 ? h->fd : luks_place_lock(h->fd, h->path, e);
}

/* Refuses what is not empty, or empties it. */
static int clear(const char *path, bool do_wipe, struct err *e)
{
	char what[LUKS_TEXT];
	int r = luks_found(path, what, e);

	if (r < 0 || !what[0])
		return r == -ENOENT ? err_set(e, ENOENT, "no volume '%s'", path) : r;
	return do_wipe ? wipe(path, e) : err_set(e, ENOTEMPTY, "'%s' holds data (%s)", path, what);
}

enum { HEADER_START = 4096 };	/* bytes; libcryptsetup makes a header file as large as it needs, but not an empty one */

static int hold_header(struct held *h, const struct held *volume, struct err *e)
{
	AUTO_CLOSE int fd = luks_place_open(h->path, O_RDONLY, e);
	int r;

	if (fd == -ENOENT)
		return image_create(h, HEADER_START, e);
	r = fd < 0 ? fd : luks_place_differ(volume->fd, fd, h->path, e);
	return r < 0 ? r : image_take(h, e);
}

/* Both are held before one is emptied. */
static int prepare(struct held *volume, struct held *header, const struct luks_format *f, struct err *e)
{
	int r = f->size ? image_create(volume, f->size, e) : image_take(volume, e);

	if (r == 0 && header->path)
		r = hold_header(header, volume, e);
	if (r == 0 && !volume->made)
		r = clear(volume->path, f->wipe, e);
	if (r == 0 && header->path && !header->made)
		r = clear(header->path, f->wipe, e);
	if (r == 0 && header->path && is_empty_file(header->fd) && ftruncate(header->fd, HEADER_START) < 0)
		r = err_sys(e, "cannot write '%s'", header->path);
	return r;
}

static const char default_cipher[] = "aes-xts-plain64";
enum { CIPHER_NAME = 32 };		/* bytes of "aes", with its NUL */

/* F is checked. */
static int header_write(struct luks *l, const struct luks_place *p, const struct luks_format *f, struct err *e)
{
	const struct crypt_params_luks2 params = {
		.sector_size = f->sector_size, .label = f->label, .data_device = p->header ? p->volume : NULL,
	};
	const char *spec = f->cipher ? f->cipher : default_cipher, *mode = strchr(spec, '-') + 1;
	char cipher[CIPHER_NAME];
	int r = luks_use_minimal_kdf(l, e);

	(void)snprintf(cipher, sizeof(cipher), "%.*s", (int)(mode - 1 - spec), spec);
	if (r < 0)
		return r;
	/* 256 bits of key; XTS takes two */
	r = crypt_format(l->cd, CRYPT_LUKS2, cipher, mode, NULL, NULL, strncmp(mode, "xts", 3) ? 32 : 64, (void *)&params);
	return r < 0 ? luks_fail(l, r, e, "cannot format") : luks_sync(l, e);
}

/* libcryptsetup would make a volume without a byte for data. */
static int check_size(const struct luks_place *p, const struct luks_format *f, struct err *e)
{
	enum { HEADER = 16 << 20, LEAST = 4096 };	/* bytes: of libcryptsetup's default header, of data */
	AUTO_CLOSE int fd = -1;
	uint64_t size = f->size;
	blkid_loff_t found;

	if (p->header)
		return 0;
	if (!size) {
		fd = luks_place_open(p->volume, O_RDONLY, e);
		if (fd == -ENOENT)
			return err_set(e, ENOENT, "no volume '%s'", p->volume);
		if (fd < 0)
			return fd;
		found = blkid_get_dev_size(fd);
		size = found > 0 ? (uint64_t)found : 0;
	}
	if (size >= HEADER + LEAST)
		return 0;
	return err_set(e, ENOSPC, "'%s' has %llu bytes: the LUKS2 header alone takes 16 MiB", p->volume,
		       (unsigned long long)size);
}

int luks_format_check(const struct luks_place *p, const struct luks_format *f, struct err *e)
{
	const char *spec = f->cipher ? f->cipher : default_cipher, *mode = strchr(spec, '-');
	uint32_t s = f->sector_size;

	if (!mode || mode == spec || !mode[1] || mode - spec >= CIPHER_NAME)
		return err_set(e, EINVAL, "'%s' is no cipher specification such as aes-xts-plain64", spec);
	if (s && (s < 512 || s > 4096 || s & (s - 1)))
		return err_set(e, EINVAL, "sector size is 512, 1024, 2048 or 4096 bytes, not %u", s);
	if (f->label && strlen(f->label) > 47)
		return err_set(e, EINVAL, "a label has at most 47 bytes");
	return check_size(p, f, e);
}

static int format(const struct luks_place *p, const struct luks_format *f, const struct luks_key *k, struct luks **ret,
		  struct err *e)
{
	struct luks *l;
	int r = luks_init(&(struct luks_place){ .volume = p->header ? p->header : p->volume }, &l, e);

	if (r < 0)
		return r;
	r = header_write(l, p, f, e);
	if (r == 0)
		r = luks_enroll_with(l, NULL, NULL, k, NULL, e);
	if (r == 0 && k->pattern)
		r = luks_set_pattern(l, k->pattern, e);
	if (r < 0)
		luks_free(l);
	else
		*ret = l;
	return r;
}

/* All of it in memory, before anything is erased: what can fail for the cipher, the key or its device fails here. */
static int rehearse(const struct luks_format *f, const struct luks_key *k, struct err *e)
{
	enum { SIZE = 32 << 20 };	/* bytes, sparse */
	AUTO_CLOSE int fd = memfd_create("hwkey", MFD_CLOEXEC);
	struct luks *l = NULL;
	char path[32];
	int r;

	if (fd < 0 || ftruncate(fd, SIZE) < 0)
		return err_sys(e, "cannot rehearse");
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = format(&(struct luks_place){ .volume = path }, f, k, &l, e);
	luks_free(l);
	return r;
}

/* What is on the disk, not what was meant to be there, must be this volume, and open. */
static int verify(const struct luks_place *p, const char *uuid, const struct luks_key *k, struct luks **ret, struct err *e)
{
	struct luks *l;
	int r = luks_open(p, &l, e);

	if (r < 0)
		return r;
	if (strcmp(crypt_get_uuid(l->cd), uuid) != 0)
		r = err_set(e, EBUSY, "'%s' was formatted by another process, too", p->volume);
	else
		r = luks_activate(l, NULL, k, NULL, 0, e);
	if (r < 0)
		luks_free(l);
	else
		*ret = l;
	return r;
}

static int format_held(const struct luks_place *p, const struct luks_format *f, const struct luks_key *k,
		       struct luks **ret, struct err *e)
{
	struct luks *l;
	int r = format(p, f, k, &l, e);

	if (r < 0)
		return r;
	r = verify(p, crypt_get_uuid(l->cd), k, ret, e);
	luks_free(l);
	return r;
}

int luks_format(const struct luks_place *p, const struct luks_format *f, const struct luks_key *k, struct luks **ret,
		struct err *e)
{
	AUTO(held_done) struct held volume = { .path = p->volume, .fd = -1 }, header = { .path = p->header, .fd = -1 };
	int r = luks_format_check(p, f, e);

	if (r == 0 && f->wipe)
		r = rehearse(f, k, e);
	if (r == 0)
		r = prepare(&volume, &header, f, e);
	if (r == 0)
		r = format_held(p, f, k, ret, e);
	if (r == 0)
		volume.made = header.made = false;
	return r;
}
