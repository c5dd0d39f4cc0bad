// SPDX-License-Identifier: MIT
/* What must hold before a TPM gives back a secret: as people write and read it, and as the TPM computes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/tpm-policy.h"

#define A32 "0101010101010101010101010101010101010101010101010101010101010101"
#define A20 "0101010101010101010101010101010101010101"

static void pcrs_are_parsed_and_written(void **state)
{
	static const struct { const char *text; uint32_t pcrs; enum tpm_bank bank; const char *written; } good[] = {
		{ "7", 1 << 7, 0, "7" },
		{ "11+7", 1 << 7 | 1 << 11, 0, "7+11" },
		{ "0,23", 1 | 1 << 23, 0, "0+23" },
		{ "7+11:sha384", 1 << 7 | 1 << 11, TPM_SHA384, "7+11:sha384" },
		{ "16:sha1", 1 << 16, TPM_SHA1, "16:sha1" },
	};
	static const char *const bad[] = { "", "7+", "+7", "24", "7+7", "7:", "7:sha2", "7:sha256 ", "7 11", "-1", "0x7",
					   "7:SHA256:", "0007", "4294967303", "7;11", "7++11" };
	enum tpm_bank bank;
	uint32_t pcrs;
	char text[64];
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(tpm_pcrs_parse(good[i].text, &pcrs, &bank, &e), 0);
		assert_int_equal(pcrs, good[i].pcrs);
		assert_int_equal(bank, good[i].bank);
		tpm_pcrs_format(pcrs, bank, text, sizeof(text));
		assert_string_equal(text, good[i].written);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(tpm_pcrs_parse(bad[i], &pcrs, &bank, &e), -EINVAL);
	tpm_pcrs_format(0xffffff, TPM_SHA256, text, 8);		/* cut, not overrun */
	assert_string_equal(text, "0+1+2+3");
	tpm_pcrs_format(0, 0, text, sizeof(text));
	assert_string_equal(text, "");
}

static void values_make_branches(void **state)
{
	struct tpm_branch b[TPM_BRANCHES];
	unsigned n = 0;
	struct err e;

	(void)state;
	assert_int_equal(tpm_values_parse("# now\n\n7:sha256=" A32 "\r\n  11=" A32 "\n\n \n#next boot\n"
					  "7:sha1=" A20 "\n\n", 0, b, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(b[0].bank, TPM_SHA256);
	assert_int_equal(b[0].pcrs, 1 << 7 | 1 << 11);
	assert_int_equal(b[0].values[11][31], 1);
	assert_int_equal(b[1].bank, TPM_SHA1);
	assert_int_equal(b[1].pcrs, 1 << 7);
	assert_int_equal(tpm_values_parse("7=" A20, TPM_SHA1, b, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(b[0].bank, TPM_SHA1);
}

static void values_that_are_none_are_refused(void **state)
{
	static const struct { const char *text, *why; } bad[] = {
		{ "", "there are none" },
		{ "# nothing\n\n", "there are none" },
		{ "7", "line 1: expected" },
		{ "\n7 = " A32, "line 2: expected" },
		{ "24=" A32, "line 1: expected" },
		{ "=" A32, "line 1: expected" },
		{ "7:sha3=" A32, "the bank is none of" },
		{ "7:=" A32, "the bank is none of" },
		{ "7=" A20, "64 hexadecimal digits" },
		{ "7=" A32 "00", "64 hexadecimal digits" },
		{ "7=x" A32, "64 hexadecimal digits" },
		{ "7=0x" A20 "0101010101010101010101", "64 hexadecimal digits" },
		{ "7=" A32 "\n7=" A32, "line 2: PCR 7 twice" },
		{ "7=" A32 "\n8:sha1=" A20, "line 2: two banks" },
	};
	struct tpm_branch b[TPM_BRANCHES];
	char text[1024] = "";
	unsigned n = 99;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(tpm_values_parse(bad[i].text, 0, b, &n, &e), -EINVAL);
		assert_non_null(strstr(e.msg, bad[i].why));
	}
	for (unsigned i = 0; i < TPM_BRANCHES; i++)
		strcat(text, "7=" A32 "\n\n");
	assert_int_equal(tpm_values_parse(text, 0, b, &n, &e), 0);
	assert_int_equal(n, TPM_BRANCHES);
	strcat(text, "7=" A32 "\n");
	assert_int_equal(tpm_values_parse(text, 0, b, &n, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "line 17: more than 8"));
}

static void policies_are_described(void **state)
{
	struct tpm_policy p = { 0 };
	unsigned char key[] = "k";
	char text[512], brief[9];

	(void)state;
	tpm_policy_describe(&p, text, sizeof(text));
	assert_string_equal(text, "this TPM alone");
	p.pin = true;
	tpm_policy_describe(&p, text, sizeof(text));
	assert_string_equal(text, "a PIN");
	p.n_branches = 1;
	p.branch[0] = (struct tpm_branch){ .bank = TPM_SHA256, .pcrs = 1 << 7 };
	tpm_policy_describe(&p, text, sizeof(text));
	assert_string_equal(text, "PCR 7 (secure boot state) of sha256, and a PIN");
	p.pin = false;
	p.n_branches = 3;
	p.branch[1] = p.branch[0];
	p.branch[2] = (struct tpm_branch){ .bank = TPM_SHA384, .pcrs = 1 << 4 | 1 << 7 };
	tpm_policy_describe(&p, text, sizeof(text));
	assert_string_equal(text, "one of 2 states of PCR 7 (secure boot state) of sha256, or "
			    "PCRs 4 (boot loader), 7 (secure boot state) of sha384");
	p.n_branches = 0;
	p.public_key = (struct blob){ key, 1 };
	p.signed_bank = TPM_SHA256;
	p.signed_pcrs = 1 << 11;
	tpm_policy_describe(&p, text, sizeof(text));
	assert_string_equal(text, "a signature for PCR 11 (unified kernel image) of sha256");
	tpm_policy_describe(&p, brief, sizeof(brief));
	assert_string_equal(brief, "a signat");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcrs_are_parsed_and_written),
		cmocka_unit_test(values_make_branches),
		cmocka_unit_test(values_that_are_none_are_refused),
		cmocka_unit_test(policies_are_described),
	};

	return cmocka_run_group_tests_name("tpm-policy", tests, NULL, NULL);
}
