// SPDX-License-Identifier: MIT
#include "tpm-policy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "err.h"

static const struct { enum tpm_bank bank; const char *name; size_t size; } banks[] = {
	{ TPM_SHA1, "sha1", 20 },
	{ TPM_SHA256, "sha256", 32 },
	{ TPM_SHA384, "sha384", 48 },
	{ TPM_SHA512, "sha512", 64 },
};

const char *tpm_bank_name(enum tpm_bank bank)
{
	for (size_t i = 0; i < ARRAY_SIZE(banks); i++)
		if (banks[i].bank == bank)
			return banks[i].name;
	return NULL;
}

enum tpm_bank tpm_bank_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(banks); i++)
		if (strlen(banks[i].name) == len && !memcmp(banks[i].name, name, len))
			return banks[i].bank;
	return 0;
}

size_t tpm_bank_size(enum tpm_bank bank)
{
	for (size_t i = 0; i < ARRAY_SIZE(banks); i++)
		if (banks[i].bank == bank)
			return banks[i].size;
	return 0;
}

const char *tpm_pcr_meaning(unsigned pcr)
{
	/* 0 to 7: TCG PC Client Platform Firmware Profile; 8 and up: the UAPI group's Linux TPM PCR registry. */
	static const char *const meaning[TPM_PCRS] = {
		[0] = "firmware code", [1] = "firmware settings", [2] = "option ROMs", [3] = "option ROMs' settings",
		[4] = "boot loader", [5] = "partition table and boot loader's settings", [6] = "maker's use",
		[7] = "secure boot state", [8] = "boot loader's commands, kernel command line",
		[9] = "kernel and initrd", [10] = "files measured by IMA", [11] = "unified kernel image",
		[12] = "kernel command line and credentials", [13] = "system extensions",
		[14] = "shim's keys (MOK)", [15] = "machine id and volume keys", [16] = "debug", [23] = "applications",
	};

	return pcr < TPM_PCRS && meaning[pcr] ? meaning[pcr] : "no common use";
}

void tpm_policy_done(struct tpm_policy *p)
{
	blob_done(&p->public_key);
	*p = (struct tpm_policy){ 0 };
}

/* --- as people write it ---------------------------------------------------------------------------------------- */

/* A PCR's number at *P, which goes on behind it. False: none, or no PCR. */
static bool number_take(const char **p, unsigned *ret)
{
	unsigned n = 0, digits = 0;

	for (; **p >= '0' && **p <= '9' && digits < 3; digits++)
		n = n * 10 + (unsigned)(*(*p)++ - '0');
	*ret = n;
	return digits > 0 && n < TPM_PCRS;
}

int tpm_pcrs_parse(const char *text, uint32_t *ret_pcrs, enum tpm_bank *ret_bank, struct err *e)
{
	enum tpm_bank bank = 0;
	const char *p = text;
	uint32_t pcrs = 0;

	for (;; p++) {
		unsigned n;

		if (!number_take(&p, &n))
			return err_set(e, EINVAL, "'%.64s': expected PCRs 0 to 23 such as '7+11' or '7+11:sha256'", text);
		if (pcrs & 1U << n)
			return err_set(e, EINVAL, "'%.64s': PCR %u twice", text, n);
		pcrs |= 1U << n;
		if (*p != '+' && *p != ',')
			break;
	}
	if (*p == ':') {
		bank = tpm_bank_find(p + 1, strlen(p + 1));
		if (!bank)
			return err_set(e, EINVAL, "'%.64s': no PCR bank '%.32s': sha256, sha384, sha512, sha1", text,
				       p + 1);
	} else if (*p) {
		return err_set(e, EINVAL, "'%.64s': expected PCRs such as '7+11' or '7+11:sha256'", text);
	}
	*ret_pcrs = pcrs;
	*ret_bank = bank;
	return 0;
}

struct out {				/* text that is cut, not overrun */
	char *at;
	size_t size;			/* left */
};

static void say(struct out *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->at, o->size, fmt, ap);
	va_end(ap);
	if (n < 0 || o->size == 0)
		return;
	n = (size_t)n < o->size ? n : (int)o->size - 1;
	o->at += n;
	o->size -= (size_t)n;
}

void tpm_pcrs_format(uint32_t pcrs, enum tpm_bank bank, char *ret, size_t size)
{
	struct out o = { ret, size };
	const char *between = "";

	say(&o, "%s", "");
	for (unsigned n = 0; n < TPM_PCRS; n++)
		if (pcrs & 1U << n) {
			say(&o, "%s%u", between, n);
			between = "+";
		}
	if (tpm_bank_name(bank))
		say(&o, ":%s", tpm_bank_name(bank));
}

struct line {
	unsigned number;		/* from 1 */
	const char *text;
	size_t len;			/* without white space at its ends */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* False: there is no more. */
static bool line_next(const char **text, struct line *l)
{
	const char *end = strchrnul(*text, '\n');

	if (!**text)
		return false;
	l->number++;
	l->text = *text;
	l->len = (size_t)(end - *text);
	*text = end + (*end == '\n');
	while (l->len && is_blank(l->text[0])) {
		l->text++;
		l->len--;
	}
	while (l->len && is_blank(l->text[l->len - 1]))
		l->len--;
	return true;
}

/* "7:sha256=HEX" or "7=HEX" */
static int value_parse(const struct line *l, enum tpm_bank bank, struct tpm_branch *b, struct err *e)
{
	const char *p = l->text, *end = l->text + l->len, *equals = memchr(l->text, '=', l->len);
	unsigned n;

	if (!equals || !number_take(&p, &n) || (*p != ':' && p != equals))
		return err_set(e, EINVAL, "PCR values, line %u: expected '7:sha256=HEX' with a PCR of 0 to 23", l->number);
	if (*p == ':')
		bank = tpm_bank_find(p + 1, (size_t)(equals - p - 1));
	if (!bank)
		return err_set(e, EINVAL, "PCR values, line %u: the bank is none of sha256, sha384, sha512, sha1",
			       l->number);
	if (b->bank && b->bank != bank)
		return err_set(e, EINVAL, "PCR values, line %u: two banks in one state, which ends at an empty line",
			       l->number);
	if (b->pcrs & 1U << n)
		return err_set(e, EINVAL, "PCR values, line %u: PCR %u twice in one state, which ends at an empty line",
			       l->number, n);
	if ((size_t)(end - equals - 1) != 2 * tpm_bank_size(bank) ||
	    hex_decode(equals + 1, 2 * tpm_bank_size(bank), b->values[n]) < 0)
		return err_set(e, EINVAL, "PCR values, line %u: a value of %s has %zu hexadecimal digits", l->number,
			       tpm_bank_name(bank), 2 * tpm_bank_size(bank));
	b->bank = bank;
	b->pcrs |= 1U << n;
	return 0;
}

int tpm_values_parse(const char *text, enum tpm_bank bank, struct tpm_branch *ret, unsigned *ret_n, struct err *e)
{
	struct tpm_branch b = { 0 };
	struct line l = { 0 };
	unsigned n = 0;
	int r = 0;

	while (r == 0 && line_next(&text, &l)) {
		if (l.len && l.text[0] == '#')
			continue;
		if (l.len && !b.pcrs && n == TPM_BRANCHES)
			return err_set(e, EINVAL, "PCR values, line %u: more than %d states", l.number, TPM_BRANCHES);
		if (l.len)
			r = value_parse(&l, bank ? bank : TPM_SHA256, &b, e);
		else if (b.pcrs)
			ret[n++] = TAKE(b);
	}
	if (r < 0)
		return r;
	if (b.pcrs)
		ret[n++] = b;
	if (n == 0)
		return err_set(e, EINVAL, "PCR values: there are none, expected lines such as '7:sha256=HEX'");
	*ret_n = n;
	return 0;
}

/* --- as people read it ----------------------------------------------------------------------------------------- */

static void say_pcrs(struct out *o, uint32_t pcrs, enum tpm_bank bank)
{
	const char *between = " ";

	say(o, pcrs & (pcrs - 1) ? "PCRs" : "PCR");
	for (unsigned n = 0; n < TPM_PCRS; n++)
		if (pcrs & 1U << n) {
			say(o, "%s%u (%s)", between, n, tpm_pcr_meaning(n));
			between = ", ";
		}
	say(o, " of %s", tpm_bank_name(bank) ? tpm_bank_name(bank) : "an unknown bank");
}

static void say_branches(struct out *o, const struct tpm_policy *p)
{
	unsigned states = 0;		/* of the PCRs told last */

	for (unsigned i = 0; i < p->n_branches; i += states) {
		const struct tpm_branch *b = &p->branch[i];

		for (states = 1; i + states < p->n_branches; states++)
			if (b[states].pcrs != b->pcrs || b[states].bank != b->bank)
				break;
		say(o, i ? ", or " : "");
		if (states > 1)
			say(o, "one of %u states of ", states);
		say_pcrs(o, b->pcrs, b->bank);
	}
}

void tpm_policy_describe(const struct tpm_policy *p, char *ret, size_t size)
{
	struct out o = { ret, size };
	const char *and = "";

	if (p->public_key.len) {
		say(&o, "a signature for ");
		say_pcrs(&o, p->signed_pcrs, p->signed_bank);
		and = ", and ";
	}
	if (p->n_branches) {
		say(&o, "%s", and);
		say_branches(&o, p);
		and = ", and ";
	}
	if (p->pin)
		say(&o, "%sa PIN", and);
	else if (!and[0])
		say(&o, "this TPM alone");
}
