// SPDX-License-Identifier: MIT
#include "sysroot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "blob.h"
#include "cleanup.h"
#include "env.h"
#include "err.h"

static bool join(const struct env *env, const char *path, char *ret, size_t size)
{
	int n = snprintf(ret, size, "%s%s", env->sysroot ? env->sysroot : "", path);

	return n >= 0 && (size_t)n < size;
}

int sysroot_path(const struct env *env, const char *path, char *ret, size_t size, struct err *e)
{
	return join(env, path, ret, size) ? 0 : err_set(e, ENAMETOOLONG, "path '%.60s...' is too long", ret);
}

/* WHOLE: what is longer than SIZE is EFBIG. */
static ssize_t read_at(const struct env *env, const char *path, void *ret, size_t size, bool whole)
{
	char full[PATH_MAX], more;
	AUTO_CLOSE int fd = -1;
	size_t have = 0;
	ssize_t n;

	if (!join(env, path, full, sizeof(full)))
		return -ENAMETOOLONG;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	do {
		n = have < size ? read(fd, (char *)ret + have, size - have) : read(fd, &more, 1);
		if (n > 0 && have == size)
			return -EFBIG;
		have += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && (whole || have < size)) || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : (ssize_t)have;
}

ssize_t sysroot_read(const struct env *env, const char *path, void *ret, size_t size)
{
	return read_at(env, path, ret, size, true);
}

/* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx\n" */
int boot_id_read(const struct env *env, unsigned char ret[BOOT_ID], struct err *e)
{
	char text[37], hex[2 * BOOT_ID];
	ssize_t n = read_at(env, "/proc/sys/kernel/random/boot_id", text, sizeof(text), false);
	size_t digits = 0;

	for (ssize_t i = 0; i < n && i < 36; i++)
		if (i != 8 && i != 13 && i != 18 && i != 23 && digits < sizeof(hex))
			hex[digits++] = text[i];
	if (n < 36 || digits != sizeof(hex) || hex_decode(hex, sizeof(hex), ret) < 0)
		return err_set(e, EOPNOTSUPP, "this system does not tell which boot it is in: no boot_id in /proc");
	return 0;
}

/* --- secure boot ----------------------------------------------------------------------------------------------- */

#define EFI_GLOBAL "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* An EFI variable of one byte, which 4 bytes of attributes precede: its value, or -1. */
static int efi_flag(const struct env *env, const char *path)
{
	unsigned char v[5];

	return sysroot_read(env, path, v, sizeof(v)) == sizeof(v) && v[4] <= 1 ? v[4] : -1;
}

static bool is_there(const struct env *env, const char *path)
{
	char full[PATH_MAX];

	return join(env, path, full, sizeof(full)) && access(full, F_OK) == 0;
}

/* efivarfs that is not mounted is an empty directory. */
static bool has_entries(const struct env *env, const char *path)
{
	char full[PATH_MAX];
	DIR *d = join(env, path, full, sizeof(full)) ? opendir(full) : NULL;
	const struct dirent *f;
	bool any = false;

	while (d && !any && (f = readdir(d)))
		any = f->d_name[0] != '.';
	if (d)
		(void)closedir(d);
	return any;
}

static enum secure_boot efi_state(const struct env *env, const char **why)
{
	static const char dir[] = "/sys/firmware/efi/efivars", secure[] = "/sys/firmware/efi/efivars/SecureBoot" EFI_GLOBAL,
			  setup[] = "/sys/firmware/efi/efivars/SetupMode" EFI_GLOBAL,
			  audit[] = "/sys/firmware/efi/efivars/AuditMode" EFI_GLOBAL;
	int on = efi_flag(env, secure), in_setup = efi_flag(env, setup);

	*why = "the EFI variables say so";
	if (on < 0 && !is_there(env, secure) && has_entries(env, dir))
		return SECURE_BOOT_OFF;		/* firmware that has none */
	if (efi_flag(env, audit) == 1)
		return SECURE_BOOT_AUDIT;
	if (on == 0)
		return SECURE_BOOT_OFF;
	if (on == 1 && in_setup >= 0)
		return in_setup ? SECURE_BOOT_OFF : SECURE_BOOT_ENFORCE;
	*why = has_entries(env, dir) ? "the EFI variables cannot be read" : "efivarfs is not mounted";
	return SECURE_BOOT_UNKNOWN;
}

enum secure_boot secure_boot_read(const struct env *env, const char **ret_why)
{
	static const enum secure_boot power[] = { SECURE_BOOT_OFF, SECURE_BOOT_AUDIT, SECURE_BOOT_ENFORCE };
	static const char property[] = "/proc/device-tree/ibm,secure-boot";
	unsigned char v[4];
	ssize_t n = sysroot_read(env, property, v, sizeof(v));

	*ret_why = "the device tree says so";
	if (n == sizeof(v) && be_get(v, 4) < 3)
		return power[be_get(v, 4)];
	if (n != -ENOENT && n != -ENOTDIR) {
		*ret_why = "the device tree's ibm,secure-boot cannot be read";
		return SECURE_BOOT_UNKNOWN;
	}
	if (is_there(env, "/sys/firmware/efi"))
		return efi_state(env, ret_why);
	*ret_why = "this firmware has none";
	return SECURE_BOOT_OFF;
}
