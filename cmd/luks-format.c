// SPDX-License-Identifier: MIT
#include "luks.h"
#include "wrap-params.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct format {
	struct wrap_options must;
	char *header, *label, *cipher, *size, *output;
	uint32_t sector_size;
	bool recovery, force;
};
CMD_OPTS(struct format);

static const struct opt opts[] = {
	OPT_STR(struct format, size, "size", 0, "SIZE",
		"Create VOLUME as an image file of SIZE bytes (suffixes K, M, G, T)"),
	OPT_STR(struct format, label, "label", 'l', "TEXT", "Label of the volume"),
	OPT_STR(struct format, cipher, "cipher", 0, "CIPHER", "Encrypt by CIPHER (default: aes-xts-plain64)"),
	OPT_U32(struct format, sector_size, "sector-size", 'S', "BYTES", "Encrypt sectors of 512 to 4096 bytes"),
	WRAP_OPTS_TPM(struct format, must, "pcr-values"),
	OPT_FLAG(struct format, recovery, "recovery", 0, "Add a recovery key and print it once"),
	OPT_STR(struct format, output, "output", 'o', "FILE", "Write the recovery key to FILE, which must be new",
		.complete = COMPLETE_FILE),
	OPT_FLAG(struct format, force, "force", 'f', "Erase what is on the volume; asks, unless --batch"),
	HEADER_OPT(struct format),
	{ 0 }
};

static int parse_size(const char *text, uint64_t *ret, struct err *e)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;
	unsigned long long n;
	unsigned shift;

	errno = 0;
	n = strtoull(text, &end, 10);
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	if (errno || !isdigit((unsigned char)*text) || !n || (*end && (!unit || end[1])) ||
	    n > (unsigned long long)INT64_MAX >> shift)
		return err_set(e, EINVAL, "'%s' is no size such as 64M", text);
	*ret = (uint64_t)n << shift;
	return 0;
}

static int ask_to_erase(struct hwkey *hw, const struct volume *v, const struct format *o, const char *path, struct err *e)
{
	const char *const places[] = { path, o->header };
	char what[LUKS_TEXT], question[LUKS_TEXT + 128];
	struct err none = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(places); i++) {
		if (!places[i] || v->ops->found(places[i], what, &none) < 0 || !what[0])
			continue;
		(void)snprintf(question, sizeof(question), "Erase all data (%s) on '%.100s'?", what, places[i]);
		r = confirm(hw, question, e);
		if (r == -EACCES)
			r = err_set(e, EACCES,
				    "'%s' holds data (%s), and erasing it was not confirmed; --batch does not ask",
				    places[i], what);
	}
	return r;
}

/* The volume is ready; without its recovery key it would not be what was asked for, so that is an error, too. */
static int add_recovery(struct volume *v, const char *output, struct err *e)
{
	int slot;

	if (recovery_add_and_write(v, output, &slot, e) == 0)
		return 0;
	(void)err_prefix(e, "the volume is ready, but has no recovery key");
	return err_hint(e, "'hwkey luks-recovery' adds one");
}

/* Which option helps. */
static int format_failed(const struct format *o, int r, struct err *e)
{
	if (r == -ENOTEMPTY)
		return err_hint(e, "--force erases it");
	return r == -ENOENT && !o->size ? err_hint(e, "--size creates an image file") : r;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_WRAP_GIVEN struct wrap_given given = { 0 };
	AUTO_VOLUME_KEY struct volume_key key = { 0 };
	AUTO_VOLUME struct volume v = { 0 };
	const struct format *o = values;
	const struct luks_place place = { args->argv[0], o->header };
	struct luks_format f = { .label = o->label, .cipher = o->cipher, .sector_size = o->sector_size, .wipe = o->force };
	int r = o->size ? parse_size(o->size, &f.size, e) : 0;

	if (r == 0 && o->output && !o->recovery)
		r = err_set(e, EINVAL, "--output is for the recovery key: add --recovery");
	if (r == 0)
		r = wrap_options_check(&o->must, e);
	if (r == 0)
		r = check_secret_output(o->output, true, e);
	if (r == 0)
		r = volume_prepare(hw, NULL, false, &v, e);
	if (r == 0)
		r = format_failed(o, v.ops->format_check(&place, &f, e), e);
	if (r == 0)
		r = volume_key_load(hw, args->argv[1], &key, e);
	if (r == 0)
		r = volume_key_must(hw, &key, &o->must, &given, e);
	if (r == 0 && o->force && !hw->batch)
		r = ask_to_erase(hw, &v, o, args->argv[0], e);
	if (r < 0)
		return r;
	r = v.ops->format(&place, &f, &key.luks, &v.luks, e);
	if (r < 0)
		return format_failed(o, r, e);
	if (o->recovery)
		return add_recovery(&v, o->output, e);
	volume_advise(&v, args->argv[0]);
	return 0;
}

const struct cmd cmd_luks_format = {
	.name = "luks-format",
	.synopsis = "VOLUME NAME",
	.summary = "Make a LUKS2 volume that a key of the repository opens",
	.opts = opts,
	.min_args = 2, .max_args = 2,
	.complete = { COMPLETE_VOLUME, COMPLETE_KEY },
	.needs = NEED_DEVICES | NEED_REPO,
	.run = run,
};
