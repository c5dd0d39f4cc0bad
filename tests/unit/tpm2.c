// SPDX-License-Identifier: MIT
/* What the TPM's backend computes without a TPM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "backends/tpm2/memory.h"

/* scrypt of "4711" by Python's hashlib: n=32768, r=8, p=1, salt 32 times 0x5a. */
static void a_pin_is_stretched(void **state)
{
	static const char want[] = "a94e6a598e339b909592959fb62dd3c076b04b963546053021f05d2e6b01daac";
	AUTO_SECRET struct secret pin = { 0 }, none = { 0 };
	unsigned char salt[32], bytes[32];
	struct err e = { 0 };
	TPM2B_AUTH auth;

	(void)state;
	memset(salt, 0x5a, sizeof(salt));
	assert_int_equal(hex_decode(want, 64, bytes), 0);
	assert_int_equal(secret_copy(&pin, "4711", 4, &e), 0);
	assert_int_equal(pin_stretch(&pin, salt, &auth, &e), 0);
	assert_int_equal(auth.size, 32);
	assert_memory_equal(auth.buffer, bytes, 32);
	assert_int_equal(secret_alloc(&none, 1, &e), 0);
	assert_int_equal(pin_stretch(&none, salt, &auth, &e), -EINVAL);
}

static int asked;

static int answer(const struct env *env, const char *name, const char *prompt, struct secret *ret, struct err *e)
{
	(void)env, (void)prompt;
	assert_string_equal(name, "hwkey.tpm2-pin");
	asked++;
	return secret_copy(ret, "4711", 4, e);
}

static void a_pin_is_asked_for_once_until_it_was_wrong(void **state)
{
	const struct env env = { .ask = answer };
	AUTO_SECRET struct secret session = { 0 };
	const struct device dev = { .id = "tpm0", .env = &env, .session = &session };
	const unsigned char one[32] = { 1 }, two[32] = { 2 };
	TPM2B_AUTH a, b, again;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(pin_auth(&dev, NULL, one, &a, &e), 0);
	assert_int_equal(pin_auth(&dev, NULL, two, &b, &e), 0);
	assert_int_equal(pin_auth(&dev, NULL, one, &again, &e), 0);
	assert_int_equal(asked, 1);
	assert_memory_equal(a.buffer, again.buffer, 32);
	assert_memory_not_equal(a.buffer, b.buffer, 32);
	pin_forget(&dev, one);
	assert_int_equal(pin_auth(&dev, NULL, two, &again, &e), 0);	/* of that one it was right */
	assert_int_equal(asked, 1);
	assert_int_equal(pin_auth(&dev, NULL, one, &again, &e), 0);
	assert_int_equal(asked, 2);
}

static void nobody_to_ask_is_a_refusal(void **state)
{
	const struct env env = { 0 };
	AUTO_SECRET struct secret session = { 0 };
	const struct device dev = { .id = "tpm0", .env = &env, .session = &session };
	const unsigned char salt[32] = { 1 };
	struct err e = { 0 };
	TPM2B_AUTH a;

	(void)state;
	assert_int_equal(pin_auth(&dev, NULL, salt, &a, &e), -EACCES);
	assert_string_equal(e.msg, "the TPM wants its PIN: nobody can be asked");
}

static void the_newest_objects_are_remembered_and_no_others(void **state)
{
	AUTO_SECRET struct secret session = { 0 };
	const struct device dev = { .id = "tpm0", .session = &session };
	unsigned char salt[32] = { 0 }, object[32], got[32];
	struct err e = { 0 };

	(void)state;
	assert_false(object_recall(&dev, salt, got));
	for (unsigned i = 0; i <= MEMORY_TOKENS; i++) {
		salt[0] = (unsigned char)i;
		memset(object, (int)i + 1, sizeof(object));
		assert_int_equal(object_remember(&dev, salt, object, &e), 0);
	}
	assert_true(object_recall(&dev, salt, got));
	assert_memory_equal(got, object, sizeof(got));
	salt[0] = 0;
	assert_false(object_recall(&dev, salt, got));	/* the oldest one made room */
	salt[0] = 1;
	assert_true(object_recall(&dev, salt, got));
	assert_int_equal(got[31], 2);
}

static void answers_are_known_by_what_they_say(void **state)
{
	static const struct { TSS2_RC rc, base; int code; } rows[] = {
		{ 0x1df, TPM2_RC_INTEGRITY, EBADMSG }, { 0x99d, TPM2_RC_POLICY_FAIL, EPERM },
		{ 0xb01df, TPM2_RC_INTEGRITY, EBADMSG },	/* as the kernel's resource manager says it */
		{ 0x18b, TPM2_RC_HANDLE, ENOENT }, { 0x922, TPM2_RC_RETRY, EBUSY }, { 0x128, TPM2_RC_PCR_CHANGED, EAGAIN },
		{ 0x2d6, TPM2_RC_SYMMETRIC, EOPNOTSUPP }, { 0x98e, TPM2_RC_AUTH_FAIL, EACCES },
		{ 0xa000a, 0xa000a, EIO }, { 0x1c4, TPM2_RC_VALUE, EPROTO },
	};
	struct tpm t = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { 0 };

		assert_int_equal(tpm_rc_base(rows[i].rc), rows[i].base);
		assert_int_equal(tpm_fail(&t, rows[i].rc, "do it", &e), -rows[i].code);
		assert_int_equal(strncmp(e.msg, "cannot do it: ", 14), 0);
	}
}

/* The public part that systemd's "tpm2_srk" has but for its point. */
static void other_keys_are_no_parents(void **state)
{
	TPM2B_PUBLIC p = *srk_template(), got;
	uint8_t bytes[sizeof(p)];
	struct err e = { 0 };
	size_t len = 0;

	(void)state;
	p.publicArea.unique.ecc.x.size = p.publicArea.unique.ecc.y.size = 32;
	assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Marshal(&p, bytes, sizeof(bytes), &len), 0);
	assert_int_equal(len, 2 + 90);
	assert_int_equal(import_parent(&(struct blob){ bytes, len }, &got, &e), 0);
	assert_int_equal(got.publicArea.objectAttributes, 0x30472);
	assert_int_equal(import_parent(&(struct blob){ bytes, len - 1 }, &got, &e), -EINVAL);
	assert_int_equal(import_parent(&(struct blob){ bytes, 0 }, &got, &e), -EINVAL);
	p.publicArea.objectAttributes &= ~TPMA_OBJECT_RESTRICTED;
	len = 0;
	assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Marshal(&p, bytes, sizeof(bytes), &len), 0);
	assert_int_equal(import_parent(&(struct blob){ bytes, len }, &got, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pin_is_stretched),
		cmocka_unit_test(a_pin_is_asked_for_once_until_it_was_wrong),
		cmocka_unit_test(nobody_to_ask_is_a_refusal),
		cmocka_unit_test(the_newest_objects_are_remembered_and_no_others),
		cmocka_unit_test(answers_are_known_by_what_they_say),
		cmocka_unit_test(other_keys_are_no_parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
