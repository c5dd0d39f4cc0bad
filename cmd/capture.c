// SPDX-License-Identifier: MIT
/*
 * What this machine says of its trust sources, as text: for a support case, and for --sysroot. Only what is in the table
 * below is read; of /proc/cmdline and /proc/cpuinfo only what concerns trust sources is kept.
 */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/ap.h"
#include "lib/keylocker.h"
#include "lib/output.h"
#include "lib/sys.h"
#include "lib/tpm.h"

enum kind {
	TEXT,			/* the file's bytes */
	LINK,			/* where the symbolic link points to */
	DIRECTORY, NODE,	/* that it is there */
};

enum { FILE_MAX = 1 << 18 };	/* bytes of one file */

/* DIRS: a path with wildcards. NAMES: words with wildcards. ASKS: a device is asked for it. */
static const struct part {
	const char *dirs, *names;
	enum kind kind;
	bool asks;
} parts[] = {
	{ "/sys/bus/ap", "ap_domain ap_max_domain_id ap_max_adapter_id ap_usage_domain_mask ap_control_domain_mask "
	  "ap_interrupts apmask aqmask config_time features poll_thread poll_timeout", TEXT },
	{ "/sys/devices/ap/card*", "type online config chkstop ap_functions hwtype depth request_count pendingq_count "
	  "requestq_count max_msg_size", TEXT },
	{ "/sys/devices/ap/card*", "serialnr", TEXT, true },
	{ "/sys/devices/ap/card*", "driver", LINK },
	{ "/sys/devices/ap/card*", "*.????", DIRECTORY },
	{ "/sys/devices/ap/card*/*.????", "online config chkstop status ap_functions request_count pendingq_count "
	  "requestq_count", TEXT },
	{ "/sys/devices/ap/card*/*.????", "mkvps se_bind se_associate", TEXT, true },
	{ "/sys/devices/ap/card*/*.????", "driver", LINK },
	{ "/sys/class/tpm/tpm*", "tpm_version_major null_name", TEXT },
	{ "/sys/class/tpm/tpm*", "pcr-*", DIRECTORY },
	{ "/sys/class/tpm/tpm*/device", "caps", TEXT },
	{ "/sys/class/tpm/tpm*/device", "driver", LINK },
	{ "/sys/class/tee", "tee*", DIRECTORY },
	{ "/sys/class/tee/tee*", "revision implementation_id rpmb_routing_model", TEXT },
	{ "/sys/bus/tee/devices", "optee-ta-*", DIRECTORY },
	{ "/sys/bus/tee/devices/optee-ta-*", "driver", LINK },
	{ "/sys/bus/platform/drivers", "caam caam_jr mxs-dcp", DIRECTORY },
	{ "/sys/bus/platform/drivers/caam", "[0-9]*", DIRECTORY },
	{ "/sys/bus/platform/drivers/caam_jr", "[0-9]*", DIRECTORY },
	{ "/sys/bus/platform/drivers/mxs-dcp", "[0-9]*", DIRECTORY },
	{ "/sys/firmware", "efi", DIRECTORY },
	{ "/sys/firmware/efi/efivars", "SecureBoot-* SetupMode-* AuditMode-*", TEXT },
	{ "/sys/firmware/plpks/config", "*", TEXT },
	{ "/sys/firmware/secvar", "format", TEXT },
	{ "/sys/firmware/secvar/config", "*", TEXT },
	{ "/sys/module", "pkey pkey_* zcrypt* paes_s390 phmac_s390 vfio_ap trusted caam* mxs_dcp dm_crypt", DIRECTORY },
	{ "/proc/device-tree", "compatible ibm,secure-boot", TEXT },
	{ "/proc/device-tree/rtas", "ibm,hypertas-functions", TEXT },
	{ "/proc/sys/kernel", "osrelease", TEXT },
	{ "/sys/class/zcrypt", "*", DIRECTORY },
	{ "/sys/class/zcrypt/*", "ioctlmask apmask aqmask admask", TEXT },
	{ "/proc", "misc", TEXT },
	{ "/dev", "pkey z90crypt tpm[0-9]* tpmrm[0-9]* tee[0-9]* teepriv[0-9]* vtpmx papr-*", NODE },
};

/* What is kept of files that hold more: whole words, or lines with one of these in them. */
static const char *const options[] = { "trusted.", "ap.", "vfio", "tpm", "ima", "efi=", "lockdown=", NULL };
static const char *const ciphers[] = { "paes", "phmac", "aeskl", "-caam", "-dcp", NULL };

static bool has_one(const char *text, const char *const *of)
{
	while (*of && !strstr(text, *of))
		of++;
	return *of;
}

static void put_bytes(FILE *f, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c == '\n')
			(void)fputs("\\n", f);
		else if (c == '\\')
			(void)fputs("\\\\", f);
		else if (c < ' ' || c >= 0x7f || (c == ' ' && i == len - 1))	/* no blank ends a line */
			(void)fprintf(f, "\\x%02x", c);
		else
			(void)fputc(c, f);
	}
}

static void put_path(FILE *f, const char *path)
{
	for (; *path; path++)
		put_bytes(f, path, 1);
}

static void put_file(FILE *f, const char *path, const char *data, size_t len)
{
	bool line = len && data[len - 1] == '\n';

	put_path(f, path);
	(void)fprintf(f, " %c%s", line ? '=' : ':', len > (line ? 1 : 0) ? " " : "");
	put_bytes(f, data, line ? len - 1 : len);
	(void)fputc('\n', f);
}

struct capture {
	const struct env *env;
	FILE *f;
	const struct part *part;
};

/* What is there and cannot be read; what is not there is not told. */
static void put_unread(struct capture *c, const char *path, int error)
{
	if (error == -ENOENT || error == -ENOTDIR)
		return;
	(void)fputs("# ", c->f);
	put_path(c->f, path);
	(void)fprintf(c->f, ": %s\n", strerror(-error));
}

static void put_text(struct capture *c, const char *path)
{
	AUTO_FREE char *data = malloc(FILE_MAX);
	ssize_t n = data ? sys_read_bytes(c->env, path, data, FILE_MAX) : -ENOMEM;

	if (n >= 0)
		put_file(c->f, path, data, (size_t)n);
	else
		put_unread(c, path, (int)n);
}

static void put_found(struct capture *c, const char *path)
{
	char target[NAME_MAX + 1];
	int r;

	switch (c->part->kind) {
	case TEXT:
		put_text(c, path);
		break;
	case LINK:
		r = sys_read_link(c->env, path, target, sizeof(target));
		if (r < 0) {
			put_unread(c, path, r);
			break;
		}
		put_path(c->f, path);
		(void)fputs(" -> ", c->f);
		put_path(c->f, target);
		(void)fputc('\n', c->f);
		break;
	case DIRECTORY:
		put_path(c->f, path);
		(void)fputs("/\n", c->f);
		break;
	case NODE:
		put_file(c->f, path, "", 0);
	}
}

static bool matches(const char *name, const char *words)
{
	char word[64];

	for (int n = 0; sscanf(words, " %63s%n", word, &n) == 1; words += n)
		if (fnmatch(word, name, FNM_PERIOD) == 0)
			return true;
	return false;
}

/* The names in PATH that REST's first part asks for, and below them the rest of it; at its end the part's own names. */
static void expand(struct capture *c, const char *path, const char *rest)
{
	size_t len = strcspn(*rest ? rest + 1 : rest, "/"), n = 0;
	AUTO_FREE char *names = NULL;
	char next[PATH_MAX], pattern[NAME_MAX + 1];
	int r;

	(void)snprintf(pattern, sizeof(pattern), "%.*s", (int)len, *rest ? rest + 1 : "");
	if (*rest && !strpbrk(pattern, "*?[")) {
		if (snprintf(next, sizeof(next), "%s/%s", path, pattern) < PATH_MAX)
			expand(c, next, rest + 1 + len);
		return;
	}
	r = sys_names(c->env, path, &names, &n);
	if (r < 0) {
		put_unread(c, path, r);
		return;
	}
	for (const char *name = names; n--; name += strlen(name) + 1) {
		if (snprintf(next, sizeof(next), "%s/%s", path, name) >= PATH_MAX)
			continue;
		if (!*rest && matches(name, c->part->names))
			put_found(c, next);
		else if (*rest && fnmatch(pattern, name, FNM_PERIOD) == 0)
			expand(c, next, rest + 1 + len);
	}
}

/* --- files of which a part is kept, and answers ------------------------------------------------------------------ */

static void put_cmdline(struct capture *c)
{
	char text[4096], kept[4096] = "", *at = text;
	ssize_t n = sys_read_bytes(c->env, "/proc/cmdline", text, sizeof(text) - 1);
	size_t len = 0;

	if (n < 0) {
		put_unread(c, "/proc/cmdline", (int)n);
		return;
	}
	text[n] = '\0';
	for (char *word; (word = strsep(&at, " \n"));)
		for (size_t i = 0; options[i]; i++)
			if (!strncmp(word, options[i], strlen(options[i])))
				len += (size_t)snprintf(kept + len, sizeof(kept) - len, "%s%s", len ? " " : "", word);
	(void)snprintf(kept + len, sizeof(kept) - len, "\n");
	put_file(c->f, "/proc/cmdline", kept, len + 1);
}

/* Lines of PATH that KEEP wants, the first one alone if ONE. */
static void put_lines(struct capture *c, const char *path, bool (*keep)(const char *line), bool one)
{
	AUTO_FREE char *text = malloc(1 << 20), *kept = NULL;
	ssize_t n = text ? sys_read_bytes(c->env, path, text, (1 << 20) - 1) : -ENOMEM;
	char *at = text;
	size_t size = 0;
	FILE *f = n < 0 ? NULL : open_memstream(&kept, &size);

	if (!f) {
		put_unread(c, path, n < 0 ? (int)n : -errno);
		return;
	}
	text[n] = '\0';
	for (char *line; (line = strsep(&at, "\n"));) {
		if (!keep(line))
			continue;
		(void)fprintf(f, "%s\n", line);
		if (one)
			break;
	}
	if (fclose(f) == 0 && size)
		put_file(c->f, path, kept, size);
}

static bool is_flags(const char *line)
{
	return !strncmp(line, "flags\t", 6) || !strncmp(line, "features\t", 9) || !strncmp(line, "Features\t", 9);
}

/* What modules of trust sources are told. */
static bool is_option(const char *line)
{
	static const char *const modules[] = { "trusted", "ap", "zcrypt", "pkey", "paes_s390", "vfio_ap", "caam", "caam_jr",
					       NULL };
	char module[16];

	for (size_t i = 0; sscanf(line, "options %15s", module) == 1 && modules[i]; i++)
		if (!strcmp(module, modules[i]))
			return true;
	return false;
}

static void put_options(void *ctx, const char *path)
{
	put_lines(ctx, path, is_option, false);
}

static bool is_cipher(const char *line)
{
	return !strncmp(line, "driver", 6) && has_one(line, ciphers);
}

/* Nodes that have the names of their directories in sysfs. */
static void put_zcrypt_nodes(struct capture *c)
{
	AUTO_FREE char *names = NULL;
	char path[PATH_MAX];
	size_t n = 0;

	if (sys_names(c->env, "/sys/class/zcrypt", &names, &n) < 0)
		return;
	for (const char *name = names; n--; name += strlen(name) + 1) {
		(void)snprintf(path, sizeof(path), "/dev/%s", name);
		if (sys_exists(c->env, path))
			put_file(c->f, path, "", 0);
	}
}

static void put_answers(struct capture *c, bool ask)
{
	char text[512];
	struct cpuid id;

	if (c->env->sysroot) {			/* what was answered then */
		static const struct part answers = { "/answers", "*", TEXT };

		c->part = &answers;
		expand(c, "", answers.dirs);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s\n", trusted_is_registered(c->env) == 0 ? "registered" : "absent");
	put_file(c->f, "/answers/trusted", text, strlen(text));
	if (cpuid_read(&id)) {
		cpuid_format(&id, text, sizeof(text));
		put_file(c->f, "/answers/cpuid", text, strlen(text));
	}
	for (unsigned i = 0; ask && i < 8; i++) {
		struct tpm_state state;
		char path[32];

		if (tpm_ask(c->env, i, &state) < 0)
			continue;
		tpm_format_answers(&state, text, sizeof(text));
		(void)snprintf(path, sizeof(path), "/answers/tpm%u", i);
		put_file(c->f, path, text, strlen(text));
	}
}

/* ----------------------------------------------------------------------------------------------------------------- */

struct capture_options { bool ask; };

static const struct opt opts[] = {
	OPT_FLAG(struct capture_options, ask, "ask", 0, "Ask devices, too: master-key patterns, serial numbers, the TPM's "
		 "state"),
	{ 0 }
};
CMD_OPTS(struct capture_options);

static void capture(struct capture *c, bool ask)
{
	(void)fputs("# a machine's trust sources; hwkey-capture(8)\n", c->f);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		c->part = &parts[i];
		if (ask || !parts[i].asks || c->env->sysroot)
			expand(c, "", parts[i].dirs);
	}
	put_cmdline(c);
	put_lines(c, "/proc/cpuinfo", is_flags, true);
	put_lines(c, "/proc/crypto", is_cipher, false);
	sys_modprobe_files(c->env, put_options, c);
	put_zcrypt_nodes(c);
	put_answers(c, ask);
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct capture_options *o = values;
	const char *file = args->argv[0];
	const struct output_to to = { .path = strcmp(file, "-") ? file : NULL, .fd = STDOUT_FILENO };
	AUTO_OUTPUT struct output out = OUTPUT_NONE;
	AUTO_FREE char *text = NULL;
	struct capture c = { .env = &hw->env };
	size_t size = 0;
	int r = output_open(&out, &to, e);

	if (r < 0)
		return r;
	c.f = open_memstream(&text, &size);
	if (!c.f)
		return err_nomem(e);
	capture(&c, o->ask);
	if (fclose(c.f) != 0)
		return err_nomem(e);
	r = output_create(&out, e);
	if (r == 0)
		r = output_write(&out, text, size, e);
	return r < 0 ? r : output_publish(&out, e);
}

const struct cmd cmd_capture = {
	.name = "capture",
	.synopsis = "FILE",
	.summary = "Write what this machine says of its trust sources into a file",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.complete = { COMPLETE_FILE },
	.needs = SYSROOT,
	.run = run,
};
