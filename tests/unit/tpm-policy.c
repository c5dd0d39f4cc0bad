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

#include "backends/tpm2/tpm.h"

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

/* --- as the TPM computes it ------------------------------------------------------------------------------------ */

/*
 * From tpm2-tools 5.4 and swtpm 0.7.1, after extending PCRs 7 and 11 of sha256 and sha384 with the hash of "one":
 *   openssl genrsa 2048 >key.pem; openssl pkey -in key.pem -pubout
 *   tpm2_loadexternal -C o -G rsa -u pub.pem -c key.ctx -n name
 *   tpm2_startauthsession -S s (a trial); tpm2_policypcr -S s -l sha256:7 -L FILE (or another selection);
 *   tpm2_policyor -S s -L FILE sha256:FIRST,SECOND; tpm2_policyauthvalue -S s -L FILE;
 *   tpm2_policyauthorize -S s -n name -L FILE; tpm2_policycommandcode -S s -L FILE TPM2_CC_Unseal
 *   openssl dgst -sha256 -sign key.pem FILE | base64
 */
#define SIGNED_POLICY "c8c49d35c96b0b1e087c9e65a395e50401d1cc6d8d3b0b1325279326c6fee30a"	/* sha256:11 */
#define FINGERPRINT "b45dbd9c60ef823c752764dac1ae0a1fa982812d3e80bdad291b5f090cd041c8"
#define SIGNATURE	/* of SIGNED_POLICY */ \
	"KdEbsXgy0+AQ2Ib4VJac4ZK4h4nIWsKABWUYz/+sx4ignQr7gcRJXjmvYmEyXOvZewerdQyRiO8Xh+KVozG61H9vsVku19D9G3cU" \
	"1LU8KKcc51wus2mkW4j02AT6ZlwbdhGCVHkqeG7tPBI4x2oUFgNxTZzpHLwR5vduVMyLCj4UDOPqkAtLnyrwvLAnh2+Er/Be2bHi" \
	"VSFnvsNZ3A+jm7Fg4DMm4PmqZdM2Q1LI21zh3ihHwoQXryBfTt2phJI9ZAVFsJS1pIlvqqPOup4mem7CgV/Wx3BU1ifWJLk3RjVd" \
	"hl92DS8z4ANFhrIpaQNxZTNWjUmst21tZrHth7I+kw=="
#define ZEROS_SIGNATURE	/* of 32 zero bytes */ \
	"CHfywM5jC/B+QQC1Pn4BIJUniNRYo9cIon8gz0b6nDg/XcjcEpe3XPEtVSaJswxgMNMAAPBZCsm9zZlxlfjsaWg14RdazUYW2LsW" \
	"9hhcn9a90fpBHRZIy16mYdWZLFUOpezOZCrv4mnh9tMxr/xqgHQtXD7O1s4/D3+C0hOg0AsNijNEB9H9GoMs6GLvRe6DxfgHZ/tQ" \
	"fb/94cOampb4jYmKGDF4BH6Y3WiBMTa9bQiAtCUG08000l0EO414lS7F6RMmOr3cZL6S8lRbMylwtNJ1UdVEl6KZi7rGfjj9zPzi" \
	"Zz5Cu8PQmrw6izMHVl55ZffRUpapLwlIdf2D9FJNBw=="
static const char public_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1Took5twqyyY3MQuc3n\n"
	"1No6ia7dpP/nHzBxbCDDPoXMz0kqXnuPrc6RJrEjuIupLlKNvQK8kZf+v7BDl5gB\n"
	"kjwakCFo/0ia568nxxF855wkxDCMGhfcM84CW7l6pQfNn/yxVvD6TdD5DczXzy4l\n"
	"yAItB6ZsGmlr8S90XfBocDEFjRUR7GaBvy+9EXWCEr63bMlNX+ndqtGIOsmVFt3c\n"
	"eea1LJ+4eVVGdIGU/SuQeWbNm69wmBKE5EpXy5ZAoFqtPKfVVk8608WHVZFM3nGa\n"
	"vKs1hAUczCpjtr7T9iomJXb2nPraMyIi49GJkYUjXIr8DOxnmCU0SpWRC8RW3ntg\n"
	"EwIDAQAB\n"
	"-----END PUBLIC KEY-----\n";
static const char other_pem[] =		/* 3072 bits */
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBojANBgkqhkiG9w0BAQEFAAOCAY8AMIIBigKCAYEAi0pTDj3U23OhCDJQDvuF\n"
	"dfDTogwtvd/hg9KI7eIo5WGYFd42bPbJGs0rjY42/qcFjxN360+VC6pIsmSqX4Sm\n"
	"BaFD8IJ4+8QOQ3pW0uFSGOoTSLRrPFwsz4GAa6MztzlOFFnBzHvZRvSUqsqQhlMf\n"
	"zVRa+7clYbJcfxq7m1Mp8syqXFdKVb+PquwYMakT5w0CHb+g0d8tH0J3KpkWzv38\n"
	"I0/TTdZub55G0k2hE5wkgjhwtqfnfZOiZ6eHzouyJZcXPu5qRN+hgvQ6l2Fkqo+S\n"
	"uaV9GsGbZBDCd8QS0iuw5fPmILw9Bw8lTmA+g+XUrPhNEV+wkwLiC3Ccolzmm6ZO\n"
	"Zpt9r2mSGjc2SYGWifvNrAb7oql6dutNtyErScXw2oWqrD4ICr5r3RJH9k+m5rnF\n"
	"OcrE8IidGJLzHJ60QO5EmWapq5lrLR/m1lmkS8Q5WzbuEOWW6dXCUVAPNjlickP5\n"
	"DgPk0NOnfc4W7crk3t23v1ElZAGyhuZ414As0Ine4AyZAgMBAAE=\n"
	"-----END PUBLIC KEY-----\n";
static const char small_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDlcnPp+NTaebsrihMhfojdHEnb\n"
	"Fz1sNHWC+tC/m0EW7LEa4EWiQKknpfgxtkLytF7kX3zhDni2tksnupmzmOAxnAfO\n"
	"VJAt3bKWa0MfVaJz58JrytZCLFGbNi3nHJUV6zAECMyMkqAg1kZ7UjEmil/nxRpz\n"
	"8qGP8dypfHuD58YuqwIDAQAB\n"
	"-----END PUBLIC KEY-----\n";
static const char ec_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVbQpm3AV4ixKrDPIrk2KZNUZX0Gt\n"
	"8W2QdlUKo1XSQuAhlyT+3vB7IKEhUVfDJSniXcdzdK2E4kO3QGAPPW0kxA==\n"
	"-----END PUBLIC KEY-----\n";
static const char exponent_3_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBIDANBgkqhkiG9w0BAQEFAAOCAQ0AMIIBCAKCAQEAqokNSRaoUaf3pvJN+Cfi\n"
	"l2WLlrJHezwpLGxOFgZPVrjr+4Jo45ex5KQSnJIhKMiVHXhCEVxPa1PYXwNb84nC\n"
	"2pnbpSrO7kPavSj1vqIGN1qAtf5Cgye7M62tSQapmWPSN7ddq7kb/SaoqzKpdVr2\n"
	"5YYDnuYvdLxH+wCav5cJRPP4pAdBALZvTQVySx5SsIYCSnaEBW/8oXUGqysI/8kY\n"
	"5OZzaeGPr/fAfOq2n9VJZhhstxUozCh+dgwogWUR5ClysIuAuOYprhpoGmLNMA6X\n"
	"xpuGGcOcHdos/OGrpCN3yjof2p3Hp+kMoOo11PwzEZcQ5vIpzcPFEm8r+m++eJmG\n"
	"IQIBAw==\n"
	"-----END PUBLIC KEY-----\n";

static struct tpm_branch branch(enum tpm_bank bank, uint32_t pcrs)
{
	static const char *const one[] = {
		"c7e3347570821fed43690c2125ce36b1fb0ca7787ba0f219b8e75ee0fc7b4644",
		"d5ae5726e2c633e465586f1d22f11fee0880c95480f3ffc835310a1885aa9cae0cee6cd0ca38fa5f39a118e7637a6e93",
	};
	struct tpm_branch b = { .bank = bank, .pcrs = pcrs };

	for (unsigned n = 7; n <= 11; n += 4)
		assert_int_equal(hex_decode(one[bank == TPM_SHA384], 2 * tpm_bank_size(bank), b.values[n]), 0);
	return b;
}

static struct blob der_of(const char *pem)
{
	struct blob text = { (unsigned char *)(uintptr_t)pem, strlen(pem) }, der = { 0 };
	struct err e;

	assert_int_equal(signer_from_pem(&text, &der, &e), 0);
	return der;
}

static void assert_digest(const struct tpm_policy *p, const char *hex)
{
	char text[2 * TPM_DIGEST_MAX + 1];
	TPM2B_DIGEST d = { 0 };
	struct err e;

	assert_int_equal(policy_digest(p, &d, &e), 0);
	hex_encode(d.buffer, d.size, text);
	assert_string_equal(text, hex);
}

static void digests_are_the_tpms(void **state)
{
	struct tpm_policy p = { 0 };

	(void)state;
	assert_digest(&p, "e613137076524bde487533865884e9732ebee3aacb095d94a6de492ec06c46fa");
	p.branch[p.n_branches++] = branch(TPM_SHA256, 1 << 7 | 1 << 11);
	assert_digest(&p, "f60b4029c38ca73aa5987c13bd75114f68bf78b58e7e105192a7e2c7532b31f3");
	p.branch[0] = branch(TPM_SHA384, 1 << 7 | 1 << 11 | 1 << 23);
	assert_digest(&p, "be8c12ace8b989ae5f6016eece14092403caa0687a147c2fff6f73be39d64783");
	p.branch[p.n_branches++] = p.branch[0];
	p.branch[0] = branch(TPM_SHA256, 1 << 7);
	assert_digest(&p, "309a603cf3ef7e72914bfd049c86ea09e422c449f05f4a2b2ca0f018060c5e82");
	p.pin = true;
	assert_digest(&p, "c40e6bfe6ca6ffa9531edc044965846154b0026d2f437c52a9f5a9f5b4e74417");
	p = (struct tpm_policy){ .public_key = der_of(public_pem), .signed_bank = TPM_SHA256, .signed_pcrs = 1 << 11 };
	assert_digest(&p, "fc6003d454ee518c14affd00dd13d695f2caeb38b315f589e185584b7e8691ce");
	p.branch[p.n_branches++] = branch(TPM_SHA256, 1 << 7);
	assert_digest(&p, "23280ad63ac81acd6884f8b484cdac21584c1331484fb1c2f55f02edeef493f6");
	p.pin = true;
	assert_digest(&p, "2fd2944a1f426f590ddc73f007324d0189837cf9d9fbecf01886779b03bf548d");
	tpm_policy_done(&p);
}

static void signers_are_keys_that_tpms_take(void **state)
{
	static const struct { const char *pem, *why; } bad[] = {
		{ "", "no PEM" }, { "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no PEM" },
		{ small_pem, "2048, 3072 or 4096 bits" }, { ec_pem, "is not RSA" }, { exponent_3_pem, "exponent 65537" },
	};
	struct blob der = der_of(public_pem), cut = der;
	TPM2B_PUBLIC public;
	TPM2B_NAME name;
	char text[2 * sizeof(name.name) + 1];
	struct err e;

	(void)state;
	assert_int_equal(signer_name(&der, &name, &e), 0);
	hex_encode(name.name, name.size, text);
	assert_string_equal(text, "000b3fe333d805e1fca75b2324339831c54076cb400346e627cc143657a102eacc0a");
	for (cut.len = 0; cut.len < der.len; cut.len++)
		assert_int_equal(signer_public(&cut, &public, &e), -EBADMSG);
	blob_done(&der);
	der = der_of(other_pem);
	assert_int_equal(signer_public(&der, &public, &e), 0);
	assert_int_equal(public.publicArea.parameters.rsaDetail.keyBits, 3072);
	blob_done(&der);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct blob pem = { (unsigned char *)(uintptr_t)bad[i].pem, strlen(bad[i].pem) };

		assert_int_equal(signer_from_pem(&pem, &der, &e), -EINVAL);
		assert_non_null(strstr(e.msg, bad[i].why));
	}
}

#define ENTRY(pcrs, pkfp, pol, sig) \
	"{\"pcrs\":[" pcrs "],\"pkfp\":\"" pkfp "\",\"pol\":\"" pol "\",\"sig\":\"" sig "\"}"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static int find(const char *json, struct pcr_signature *ret, struct err *e)
{
	AUTO_BLOB struct blob der = der_of(public_pem);
	TPM2B_DIGEST d = { .size = 32 };

	assert_int_equal(hex_decode(SIGNED_POLICY, 64, d.buffer), 0);
	return pcr_signature_find(json, &der, TPM_SHA256, 1 << 11, &d, ret, e);
}

static void signatures_are_found(void **state)
{
	/* Those that do not fit are passed over: another bank's, key's, PCR's, policy's, and one that is not genuine. */
	static const char json[] =
		"{\"sha1\":[" ENTRY("11", FINGERPRINT, SIGNED_POLICY, SIGNATURE) "],\"sha256\":["
		ENTRY("11", ZEROS, SIGNED_POLICY, SIGNATURE) "," ENTRY("12", FINGERPRINT, SIGNED_POLICY, SIGNATURE) ","
		ENTRY("11", FINGERPRINT, ZEROS, ZEROS_SIGNATURE) ","
		ENTRY("11", FINGERPRINT, SIGNED_POLICY, ZEROS_SIGNATURE) ",7,{},null,"
		ENTRY("11", FINGERPRINT, SIGNED_POLICY, SIGNATURE) "]}";
	struct pcr_signature s = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(find(json, &s, &e), 0);
	assert_int_equal(s.signature.len, 256);
	assert_int_equal(s.policy.size, 32);
	pcr_signature_done(&s);
}

static void signatures_that_do_not_fit_are_told_apart(void **state)
{
	static const struct { const char *json; int code; const char *why; } table[] = {
		{ "", EBADMSG, "no JSON" }, { "[]", EBADMSG, "no JSON" }, { "{\"sha256\":", EBADMSG, "no JSON" },
		{ "{} x", EBADMSG, "no JSON" }, { "{}", ENOENT, "no signature by" },
		{ "{\"sha256\":{}}", ENOENT, "no signature by" },
		{ "{\"sha256\":[" ENTRY("11,12", FINGERPRINT, SIGNED_POLICY, SIGNATURE) "]}", ENOENT, "no signature by" },
		{ "{\"sha256\":[" ENTRY("11,99", FINGERPRINT, SIGNED_POLICY, SIGNATURE) "]}", ENOENT, "no signature by" },
		{ "{\"sha256\":[" ENTRY("\"11\"", FINGERPRINT, SIGNED_POLICY, SIGNATURE) "]}", ENOENT, "no signature by" },
		{ "{\"sha256\":[" ENTRY("11", SIGNED_POLICY, SIGNED_POLICY, SIGNATURE) "]}", ENOENT, "no signature by" },
		{ "{\"sha256\":[" ENTRY("11", FINGERPRINT, ZEROS, ZEROS_SIGNATURE) "]}", ENOENT, "1 signature by" },
		{ "{\"sha256\":[" ENTRY("11", FINGERPRINT, "00", SIGNATURE) "]}", ENOENT, "none for the present values" },
		{ "{\"sha256\":[" ENTRY("11", FINGERPRINT, SIGNED_POLICY, ZEROS_SIGNATURE) "]}", EKEYREJECTED,
		  "not by the key" },
		{ "{\"sha256\":[{\"pcrs\":[11],\"pkfp\":\"" FINGERPRINT "\",\"pol\":\"" SIGNED_POLICY "\"}]}", EKEYREJECTED,
		  "not by the key" },
	};
	struct pcr_signature s = { 0 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		assert_int_equal(find(table[i].json, &s, &e), -table[i].code);
		assert_non_null(strstr(e.msg, table[i].why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcrs_are_parsed_and_written),
		cmocka_unit_test(values_make_branches),
		cmocka_unit_test(values_that_are_none_are_refused),
		cmocka_unit_test(policies_are_described),
		cmocka_unit_test(digests_are_the_tpms),
		cmocka_unit_test(signers_are_keys_that_tpms_take),
		cmocka_unit_test(signatures_are_found),
		cmocka_unit_test(signatures_that_do_not_fit_are_told_apart),
	};

	return cmocka_run_group_tests_name("tpm-policy", tests, NULL, NULL);
}
