// SPDX-License-Identifier: MIT
/* What was looked for, what was found, what to do next. Every check is a row; none changes anything. */
#include "cmd.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/module.h"

enum verdict { OK, WARNING, BAD };

struct finding {
	enum verdict verdict;
	char text[512];
};

static const char *const verdicts[] = { [OK] = "ok", [WARNING] = "warning", [BAD] = "bad" };

static void find(struct finding *f, enum verdict v, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void find(struct finding *f, enum verdict v, const char *fmt, ...)
{
	va_list ap;

	f->verdict = v;
	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

/* Who may replace PATH may run code in whoever opens a volume: root alone, all the way up. */
static int check_owner(const char *path, struct finding *f)
{
	char at[PATH_MAX];
	struct stat st;

	if (!realpath(path, at))
		return -errno;
	for (;;) {
		char *slash = strrchr(at, '/');

		if (stat(at, &st) < 0)
			return -errno;
		if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH) && !(st.st_mode & S_ISVTX))) {
			find(f, BAD, "'%s' (mode %04o, owner %u) can be changed by others than root: "
			     "chown root, chmod go-w", at, st.st_mode & 07777, st.st_uid);
			return -EPERM;
		}
		if (slash == at)
			return 0;
		*slash = '\0';
	}
}

static void check_plugin(struct hwkey *hw, struct finding *f)
{
	static const char path[] = TOKENDIR "/libcryptsetup-token-hwkey.so";
	int r = check_owner(path, f);

	(void)hw;
	if (r == -ENOENT)
		find(f, WARNING, "no '%s': cryptsetup and systemd cannot unlock volumes; run 'make install'", path);
	else if (r < 0 && r != -EPERM)
		find(f, WARNING, "cannot look at '%s': %s", path, strerror(-r));
	else if (r == 0)
		find(f, OK, "'%s'", path);
}

static void check_modules(struct hwkey *hw, struct finding *f)
{
	static const char *const names[] = { "out", "soft", "seal", "luks", NULL };
	struct err e = { 0 };
	const void *table;
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	(void)hw;
	for (size_t i = 0; names[i]; i++) {
		if (module_load(names[i], &table, &e) < 0) {
			find(f, BAD, "%s", e.msg);
			return;
		}
	}
	exe[n > 0 ? n : 0] = '\0';
	if (check_owner(exe, f) == 0)
		find(f, OK, "'%s' and its modules", exe);
}

static void check_repository(struct hwkey *hw, struct finding *f)
{
	AUTO_FREE char **names = NULL;
	struct err e = { 0 };
	size_t n = 0;

	if (repo_open(&hw->repo, hw->repo_path, 0, &e) < 0 || repo_names(&hw->repo, &names, &n, &e) < 0)
		find(f, BAD, "%s", e.msg);
	else if (hw->repo.dirfd < 0)
		find(f, OK, "'%s' does not exist yet: the first key creates it", hw->repo_path);
	else
		find(f, OK, "'%s', %zu keys", hw->repo_path, n);
}

static void check_devices(struct hwkey *hw, struct finding *f)
{
	size_t usable = 0;
	struct err e = { 0 };

	if (device_enumerate(&hw->env, &hw->devices, &e) < 0) {
		find(f, BAD, "%s", e.msg);
		return;
	}
	for (const struct device *d = hw->devices; d; d = d->next)
		usable += d->state == DEVICE_ONLINE;
	if (usable)
		find(f, OK, "%zu usable; see 'hwkey list-devices'", usable);
	else
		find(f, BAD, "none is usable; see 'hwkey list-devices'");
}

/* /proc/misc, because libdevmapper creates /dev/mapper/control even where the kernel has no device-mapper. */
static void check_dm(struct hwkey *hw, struct finding *f)
{
	FILE *misc = fopen("/proc/misc", "re");
	char line[256];
	bool found = false;

	(void)hw;
	while (misc && fgets(line, sizeof(line), misc))
		found |= strstr(line, " device-mapper\n") != NULL;
	if (misc)
		(void)fclose(misc);
	if (found)
		find(f, OK, "device-mapper is there");
	else
		find(f, WARNING, "no device-mapper: volumes can be made and tested, not opened; try 'modprobe dm-crypt'");
}

static const struct {
	const char *name;
	void (*check)(struct hwkey *, struct finding *);
} checks[] = {
	{ "trust sources", check_devices },
	{ "program", check_modules },
	{ "token plug-in", check_plugin },
	{ "repository", check_repository },
	{ "dm-crypt", check_dm },
};

static const struct column columns[] = {
	{ "CHECK", OUT_STRING, false }, { "VERDICT", OUT_STRING, false }, { "FOUND", OUT_STRING, false }, { 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_OUT struct out *out = NULL;
	size_t bad = 0;
	int r = out_open(&out, "checks", columns, &hw->out, e);

	(void)values, (void)args;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(checks); i++) {
		struct finding f = { 0 };

		checks[i].check(hw, &f);
		bad += f.verdict == BAD;
		r = out_row(out, (const char *const[]){ checks[i].name, verdicts[f.verdict], f.text }, e);
	}
	if (r == 0)
		r = out_print(out, e);
	if (r == 0 && bad)
		return err_set(e, EPERM, "%zu of the checks found something that must be mended", bad);
	return r;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.synopsis = "",
	.summary = "Check what keys and volumes need on this machine, and say what to do",
	.needs = SHOWS,
	.run = run,
};
