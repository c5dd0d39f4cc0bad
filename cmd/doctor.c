// SPDX-License-Identifier: MIT
/* What was looked for, what was found, what to do next. Every check is a row; none changes anything but what is loaded. */
#include "wrap-params.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/dm.h"
#include "lib/luks/luks.h"
#include "lib/module.h"
#include "lib/sys.h"

struct doctor { char *device; bool make_srk; };
CMD_OPTS(struct doctor);

static const struct opt opts[] = {
	OPT_FLAG(struct doctor, make_srk, "make-srk", 0, "Look at nothing, but store a TPM's root key in it"),
	OPT_STR(struct doctor, device, "device", 'd', "ID", "Of several TPMs: this one", .complete = COMPLETE_DEVICE),
	{ 0 }
};

struct finding {
	enum verdict verdict;
	char text[512];
};

static const char *const verdicts[] = {
	[VERDICT_OK] = "ok", [VERDICT_ABSENT] = "absent", [VERDICT_WARNING] = "warning", [VERDICT_BAD] = "bad",
};

static void find(struct finding *f, enum verdict v, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void find(struct finding *f, enum verdict v, const char *fmt, ...)
{
	va_list ap;

	f->verdict = v;
	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

/* Who may replace PATH may run code in whoever opens a volume: root alone, all the way up. False: F says why not. */
static bool is_roots(const char *path, struct finding *f)
{
	char at[PATH_MAX];
	struct stat st;

	if (!realpath(path, at)) {
		find(f, VERDICT_WARNING, "cannot look at '%s': %s", path, strerror(errno));
		return false;
	}
	for (;;) {
		char *slash = strrchr(at, '/');

		if (stat(at[0] ? at : "/", &st) < 0) {
			find(f, VERDICT_WARNING, "cannot look at '%s': %s", at, strerror(errno));
			return false;
		}
		if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH) && !(st.st_mode & S_ISVTX))) {
			find(f, VERDICT_BAD, "'%s' (mode %04o, owner %u) can be changed by others than root: "
			     "chown root, chmod go-w", at, st.st_mode & 07777, st.st_uid);
			return false;
		}
		if (!slash)
			return true;
		*slash = '\0';
	}
}

static void check_plugin(const struct env *env, struct finding *f)
{
	static const char file[] = "libcryptsetup-token-hwkey.so", ours[] = TOKENDIR;
	const struct luks_module *luks;
	const void *module;
	const char *dir;
	char path[PATH_MAX];
	struct err e = { 0 };

	(void)env;
	if (module_load("luks", &module, &e) < 0) {
		find(f, VERDICT_BAD, "%s", e.msg);
		return;
	}
	luks = module;
	dir = luks->plugin_dir();
	(void)snprintf(path, sizeof(path), "%s/%s", dir ? dir : ours, file);
	if (!dir)
		find(f, VERDICT_WARNING, "this libcryptsetup loads no token plug-ins: no volume is unlocked by its token");
	else if (access(path, F_OK) < 0)
		find(f, VERDICT_WARNING, "no '%s', where this libcryptsetup looks: cryptsetup and systemd cannot unlock "
		     "volumes; it belongs into '%s': run 'make install', with TOKENDIR if that is another place",
		     path, ours);
	else if (is_roots(path, f))
		find(f, VERDICT_OK, "'%s'", path);
}

/* A module that loads is where its table is. */
static bool is_sound(const char *module, struct finding *f)
{
	struct err e = { 0 };
	const void *table;
	Dl_info so;

	if (module_load(module, &table, &e) < 0) {
		find(f, VERDICT_BAD, "%s", e.msg);
		return false;
	}
	return !dladdr(table, &so) || is_roots(so.dli_fname, f);
}

static void check_program(const struct env *env, struct finding *f)
{
	static const char *const modules[] = { "out", "luks", "keyring", "udev" };
	size_t n = 0;

	(void)env;
	if (!is_roots("/proc/self/exe", f))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++, n++)
		if (!is_sound(modules[i], f))
			return;
	for (size_t i = 0; backends[i]; i++) {
		bool is_module = backends[i]->roles && !backends[i]->ops;

		n += is_module;
		if (is_module && !is_sound(backends[i]->name, f))
			return;
	}
	find(f, VERDICT_OK, "the binary and its %zu modules", n);
}

static void check_dm(const struct env *env, struct finding *f)
{
	if (dm_is_here(env->sysroot))
		find(f, VERDICT_OK, "device-mapper is there");
	else
		find(f, VERDICT_WARNING, "no device-mapper: volumes can be made and tested, not opened; try 'modprobe "
		     "dm-crypt'");
}

/* Without it nobody can say whether secure boot is on. */
static void check_firmware(const struct env *env, struct finding *f)
{
	AUTO_FREE char *names = NULL;
	size_t n = 0;

	if (!sys_exists(env, "/sys/firmware/efi"))
		find(f, VERDICT_OK, "no UEFI");
	else if (sys_names(env, "/sys/firmware/efi/efivars", &names, &n) < 0 || n == 0)
		find(f, VERDICT_WARNING, "efivarfs is not mounted, so secure boot is unknown: 'mount -t efivarfs efivarfs "
		     "/sys/firmware/efi/efivars'");
	else
		find(f, VERDICT_OK, "UEFI variables are there");
}

static void check_repository(struct hwkey *hw, struct finding *f)
{
	AUTO_FREE char **names = NULL;
	struct err e = { 0 };
	size_t n = 0;

	if (repo_open(&hw->repo, hw->repo_path, 0, &e) < 0 || repo_names(&hw->repo, &names, &n, &e) < 0)
		find(f, VERDICT_BAD, "%s", e.msg);
	else if (hw->repo.dirfd < 0)
		find(f, VERDICT_OK, "'%s' does not exist yet: the first key creates it", hw->repo_path);
	else
		find(f, VERDICT_OK, "'%s', %zu key%s", hw->repo_path, n, n == 1 ? "" : "s");
}

static const struct {
	const char *name;
	void (*check)(const struct env *, struct finding *);
	bool of_this_machine;		/* not of a captured one */
} checks[] = {
	{ "firmware", check_firmware, false },
	{ "dm-crypt", check_dm, false },
	{ "program", check_program, true },
	{ "token plug-in", check_plugin, true },
};

static const struct column columns[] = {
	{ "CHECK", OUT_STRING, false }, { "VERDICT", OUT_STRING, false }, { "FOUND", OUT_STRING, false }, { 0 }
};

struct report {
	struct out *out;
	size_t bad, usable;
	struct examination examination;
	const char *source;		/* that is being examined */
	struct err *e;
};

static int tell(struct report *rep, const char *name, const struct finding *f, struct err *e)
{
	rep->bad += f->verdict == VERDICT_BAD;
	return out_row(rep->out, (const char *const[]){ name, verdicts[f->verdict], f->text }, e);
}

static int tell_row(struct examination *, enum verdict, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int tell_row(struct examination *x, enum verdict v, const char *fmt, ...)
{
	struct report *rep = (struct report *)((char *)x - offsetof(struct report, examination));
	struct finding f = { .verdict = v };
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	return tell(rep, rep->source, &f, rep->e);
}

/* What each trust source says of itself, or else a row for each device of it. */
static int tell_sources(struct hwkey *hw, struct report *rep, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && backends[i]; i++) {
		rep->source = backends[i]->name;
		if (backends[i]->examine)
			r = backends[i]->examine(&hw->env, &rep->examination);
	}
	for (struct device *d = hw->devices; r == 0 && d; d = d->next) {
		struct finding f = { .verdict = d->state == DEVICE_ONLINE ? VERDICT_OK : VERDICT_WARNING };
		char name[128];

		rep->usable += d->roles && d->state == DEVICE_ONLINE;
		if (d->backend->examine)
			continue;
		(void)snprintf(name, sizeof(name), "%s:%s", d->backend->name, d->id);
		(void)snprintf(f.text, sizeof(f.text), "%s; %s", d->backend->summary, d->why);
		if (!hw->captured)
			f.verdict = keystore_examine(d, f.verdict, f.text, sizeof(f.text));
		d->faulty = d->faulty || f.verdict == VERDICT_BAD;	/* tell_uses() is not to say otherwise */
		r = tell(rep, name, &f, e);
	}
	return r;
}

static const struct { enum role role; const char *what; } uses[] = {
	{ ROLE_KEY, "keys (generate, wrap, rewrap)" },
	{ ROLE_SEAL, "sealing (seal, luks-enroll)" },
	{ ROLE_STORE, "objects (pks-write)" },
};

/* What each command could do here, and with which device. */
static int tell_uses(struct hwkey *hw, struct report *rep, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(uses); i++) {
		struct finding f = { .verdict = VERDICT_OK };
		struct err why = { 0 };
		struct device *d;

		if (device_select(hw->devices, uses[i].role, NULL, &d, &why) < 0)
			find(&f, VERDICT_BAD, "%s: %s", uses[i].what, why.msg);
		else if (d->faulty)
			find(&f, VERDICT_BAD, "%s: device '%s' (%s) is not usable as it is", uses[i].what, d->id,
			     d->backend->name);
		else
			find(&f, VERDICT_OK, "%s: device '%s' (%s)", uses[i].what, d->id, d->backend->name);
		r = tell(rep, "commands", &f, e);
	}
	return r;
}

static int report(struct hwkey *hw, struct report *rep, struct err *e)
{
	struct finding f = { 0 };
	int r = tell_sources(hw, rep, e);

	if (r == 0)
		r = tell_uses(hw, rep, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(checks); i++) {
		if (checks[i].of_this_machine && hw->captured)
			continue;
		checks[i].check(&hw->env, &f);
		r = tell(rep, checks[i].name, &f, e);
	}
	if (r == 0 && !hw->captured) {
		check_repository(hw, &f);
		r = tell(rep, "repository", &f, e);
	}
	return r < 0 ? r : out_print(rep->out, e);
}

/* Without it the same key is made anew for each use, slowly. Whoever made it, all programs share it. */
static int make_srk(struct hwkey *hw, const struct doctor *o, struct err *e)
{
	const struct wrap_options tpm = { .allow_clear_bus = !o->device };	/* only a TPM takes it */
	const struct backend_ops *ops;
	struct device *dev;
	int r = hw->captured ? err_set(e, EINVAL, "--make-srk is for this machine, not for a captured one") : 0;

	if (r == 0 && shows_asked(&hw->out))
		r = err_set(e, EINVAL, "--make-srk shows nothing: leave out --json, --output and the like");
	if (r == 0)
		r = wrap_device(hw, ROLE_SEAL, NULL, o->device, &tpm, &dev, e);
	if (r == -ENODEV && !o->device)
		r = err_set(e, ENODEV, "no TPM 2.0 is usable here; see 'hwkey doctor'");
	if (r == 0)
		r = backend_ops(dev, &ops, e);
	if (r == 0 && !ops->make_srk)
		r = err_set(e, EOPNOTSUPP, "device '%s' has no storage root key", dev->id);
	return r < 0 ? r : ops->make_srk(dev, e);
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct doctor *o = values;
	AUTO_OUT struct out *out = NULL;
	struct report rep = { .examination = { tell_row }, .e = e };
	int r;

	(void)args;
	if (o->make_srk)
		return make_srk(hw, o, e);
	if (o->device)
		return err_set(e, EINVAL, "--device is for --make-srk: all is looked at");
	r = out_open(&out, "checks", columns, &hw->out, e);
	rep.out = out;
	hw->env.ask = NULL;		/* what is found is told in rows, and nobody is waited for */
	hw->env.note = NULL;
	if (r == 0)
		r = report(hw, &rep, e);
	if (r == 0 && !rep.usable)
		return err_set(e, ENODEV, "no trust source is usable here");
	if (r == 0 && rep.bad)
		return err_set(e, EPERM, "%zu of the checks found something that must be mended", rep.bad);
	return r;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.synopsis = "",
	.summary = "Check what keys and volumes need on this machine, and say what to do",
	.opts = opts,
	.needs = NEED_ALL_DEVICES | SHOWS | SYSROOT,
	.run = run,
};
