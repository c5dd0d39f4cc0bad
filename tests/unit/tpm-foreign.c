// SPDX-License-Identifier: MIT
#include "lib/token.h"
#include "lib/tpm-foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

static void read_fixture(const char *name, struct blob *ret)
{
	AUTO_CLOSE int dir = open("tests/data/tpm", O_RDONLY | O_DIRECTORY);
	struct err e;

	assert_true(dir >= 0);
	assert_int_equal(file_read_at(dir, name, TPM_FOREIGN_MAX, ret, &e), 0);
}

static void what_others_wrote(void **state)
{
	static const struct { const char *file, *says; enum tpm_maker maker; enum tpm_primary primary; } files[] = {
		{ "systemd-pcr.json", "PCR 7 (secure boot state) of sha256", TPM_BY_SYSTEMD, TPM_PRIMARY_OLD_ECC },
		{ "systemd-pin.json", "PCRs 7 (secure boot state), 11 (unified kernel image) of sha256, and a PIN",
		  TPM_BY_SYSTEMD, TPM_PRIMARY_OLD_ECC },
		{ "systemd-signed.json", "a signature for PCR 11 (unified kernel image) of sha256", TPM_BY_SYSTEMD,
		  TPM_PRIMARY_OLD_ECC },
		{ "clevis.json", "PCR 7 (secure boot state) of sha256", TPM_BY_CLEVIS, TPM_PRIMARY_OLD_ECC },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		AUTO_TPM_FOREIGN struct tpm_foreign f = { 0 };
		AUTO_BLOB struct blob text = { 0 };
		char says[256];
		struct err e;

		read_fixture(files[i].file, &text);
		assert_true(key_is_foreign(text.data, text.len));
		if (tpm_foreign_parse(text.data, text.len, &f, &e) < 0)
			fail_msg("%s: %s", files[i].file, e.msg);
		tpm_foreign_describe(&f, says, sizeof(says));
		assert_string_equal(says, files[i].says);
		assert_int_equal(f.maker, files[i].maker);
		assert_int_equal(f.primary, files[i].primary);
		assert_int_equal(be_get(f.public.data, 2), 8);
		assert_true(f.private.len > 100);
		assert_int_equal(f.tag.len, f.maker == TPM_BY_CLEVIS ? 16 : 0);
		for (size_t len = 0; len < text.len - 1; len++)
			assert_int_equal(tpm_foreign_parse(text.data, len, &f, &e), -EBADMSG);
	}
}

/* What it is made of, put together by hand. */
#define OBJECT "AAYAIAECAwQAEAAIAAsAAAASAAAAEAACAQI="
#define SRK "gQAAAQACAAsAAAABAAMAIwA="
#define GOOD "{\"type\":\"systemd-tpm2\",\"keyslots\":[\"1\"],\"tpm2-blob\":\"" OBJECT "\",\"tpm2-pcrs\":[7]," \
	"\"tpm2-pcr-bank\":\"sha256\",\"tpm2-primary-alg\":\"rsa\",\"tpm2-pin\":true,\"tpm2_salt\":\"AQID\"," \
	"\"tpm2_srk\":\"" SRK "\",\"tpm2_pcrlock\":false}"

static int parse(const char *text, struct err *e)
{
	AUTO_TPM_FOREIGN struct tpm_foreign f = { 0 };

	return tpm_foreign_parse(text, strlen(text), &f, e);
}

static void members(void **state)
{
	static const struct { const char *old, *new; } wrong[] = {
		{ "systemd-tpm2", "systemd-tpm3" }, { "[7]", "[24]" }, { "[7]", "[-1]" }, { "[7]", "[\"7\"]" }, { "[7]", "7" },
		{ "sha256", "sha3" }, { "\"sha256\"", "11" }, { "rsa", "ed25519" }, { "true", "1" }, { "AQID", "AQI" },
		{ SRK, "gQAAAQADAAsAAAABAAMAIwA=" }, { SRK, "gQAAAQACAAsAAAABAAQAIwA=" }, { OBJECT, "AAYA" },
		{ "\"" OBJECT "\"", "null" }, { "false", "null" },
		{ OBJECT, "AAcAIAECAwQAEAAIAAsAAAASAAAAEAACAQI=" },	/* longer than it is */
		{ OBJECT, "AAYAIAECAwQAEAABAAsAAAASAAAAEAACAQI=" },	/* of another type */
		{ OBJECT, "AAYAIAECAwQAEAAIAAsAAAASAAAAEAACAQIA" },	/* with more behind it */
	};
	char text[1024];
	struct err e;

	(void)state;
	if (parse(GOOD, &e) < 0)
		fail_msg("%s", e.msg);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		const char *at = strstr(GOOD, wrong[i].old);

		assert_non_null(at);
		(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - GOOD), GOOD, wrong[i].new, at + strlen(wrong[i].old));
		if (parse(text, &e) != -EBADMSG)
			fail_msg("accepted %s instead of %s", wrong[i].new, wrong[i].old);
	}
}

static void newer_systemd(void **state)
{
	AUTO_TPM_FOREIGN struct tpm_foreign f = { 0 }, g = { 0 };
	char text[1024], says[256];
	struct err e;

	(void)state;
	assert_int_equal(tpm_foreign_parse(GOOD, strlen(GOOD), &f, &e), 0);
	assert_int_equal(f.parent_handle, 0x81000001);
	assert_int_equal(f.parent.len, 3);
	assert_int_equal(f.pin_salt.len, 3);
	assert_int_equal(f.primary, TPM_PRIMARY_OLD_RSA);
	assert_string_equal(f.beyond, "");
	(void)snprintf(text, sizeof(text), "%.*strue}", (int)(strlen(GOOD) - 6), GOOD);
	assert_int_equal(tpm_foreign_parse(text, strlen(text), &g, &e), 0);
	tpm_foreign_describe(&g, says, sizeof(says));
	assert_string_equal(says, "PCR 7 (secure boot state) of sha256, and a PIN, and what systemd-pcrlock allows");
}

/* Its policy, and both forms in which programs write PCRs. */
static void tss2_there_and_back(void **state)
{
	static unsigned char public[] = { 0, 8, 0, 0xb, 0, 0, 0, 0x12, 0, 0, 0, 0x10, 0, 2, 1, 2 }, private[200] = { 0, 32, 7 };
	struct tpm_foreign from = { .public = { public, sizeof(public) }, .private = { private, sizeof(private) } };

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		AUTO_TPM_FOREIGN struct tpm_foreign f = { 0 };
		AUTO_BLOB struct blob der = { 0 }, pem = { 0 }, again = { 0 };
		bool kernel = i & 1, pcrs = i & 4;
		struct err e;

		from.parent_handle = i & 2 ? 0x81000001 : 0;
		from.policy = (struct tpm_policy){ .n_branches = pcrs, .branch = { { TPM_SHA256, 1 << 7 | 1 << 16, { { 1 } } } } };
		assert_int_equal(tpm_tss2_format(&from, kernel, &der, &e), 0);
		assert_int_equal(pem_encode(&der, "TSS2 PRIVATE KEY", &pem, &e), 0);
		assert_true(key_is_foreign(der.data, der.len) && key_is_foreign(pem.data, pem.len));
		if (tpm_foreign_parse(pem.data, pem.len, &f, &e) < 0)
			fail_msg("%s", e.msg);
		assert_int_equal(f.maker, TPM_BY_TSS2);
		assert_int_equal(f.parent_handle, from.parent_handle);
		assert_int_equal(f.public.len, sizeof(public));
		assert_memory_equal(f.public.data, public, sizeof(public));
		assert_int_equal(f.private.len, sizeof(private));
		assert_memory_equal(f.private.data, private, sizeof(private));
		assert_int_equal(f.policy.n_branches, pcrs && !kernel);
		assert_int_equal(f.policy.branch[0].pcrs, pcrs && !kernel ? 1 << 7 | 1 << 16 : 0);
		assert_false(f.policy.pin);
		f.policy = from.policy;
		assert_int_equal(tpm_tss2_format(&f, kernel, &again, &e), 0);
		assert_int_equal(again.len, der.len);
		assert_memory_equal(again.data, der.data, der.len);
		for (size_t len = 0; len < der.len; len++)
			assert_int_equal(tpm_tss2_parse(der.data, len, &f, &e), -EBADMSG);
		for (size_t len = 0; len < pem.len - 1; len++)
			assert_int_equal(tpm_foreign_parse(pem.data, len, &f, &e), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_others_wrote), cmocka_unit_test(members), cmocka_unit_test(newer_systemd),
		cmocka_unit_test(tss2_there_and_back),
	};

	return cmocka_run_group_tests_name("tpm-foreign", tests, NULL, NULL);
}
