// SPDX-License-Identifier: MIT
/* Who may do what with an object: each row is one case, and what reading, replacing and removing it then give. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "backends/soft/access.h"
#include "backends/soft/keys.h"
#include "lib/blob.h"
#include "lib/err.h"
#include "tests/support/world.h"

#define EFI "/sys/firmware/efi"
#define VARS EFI "/efivars"
#define GUID "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* --- access --------------------------------------------------------------------------------------------------- */

enum given { NONE, RIGHT, WRONG, OTHER };	/* OTHER: another consumer's */

/* As a keystore might hold it, whoever may write such a one. */
static void plant(struct world *w, enum consumer c, uint32_t policy)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct record rec = { .name = world_name(c, "object"), .policy = policy, .data = (const unsigned char *)"data", .len = 4 };
	struct err e;

	assert_int_equal(store_open(&s, w->dev, STORE_WRITE | STORE_CREATE, &e), 0);
	objects_remove(&s.objects, &rec.name);
	rec.generation = s.now.generation + 1;
	assert_int_equal(objects_add(&s.objects, &rec, &e), 0);
	assert_int_equal(store_commit(&s, &e), 0);
}

/* For all three consumers at once: each its own. Quicker than a password that a person chose. */
static void set_passwords(struct world *w, bool set)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct err e;

	assert_int_equal(store_open(&s, w->dev, STORE_WRITE | STORE_CREATE, &e), 0);
	for (int c = CONSUMER_FIRMWARE; c <= CONSUMER_OS; c++) {
		struct boot_consumer *b = &s.boot.consumers[c];
		unsigned char word = (unsigned char)('0' + c);
		const struct secret password = { &word, 1, 1 };

		b->password = set ? PASSWORD_GENERATED : PASSWORD_NULL;
		assert_int_equal(boot_verifier(b, &password, b->verifier, &e), 0);
	}
	assert_int_equal(boot_save(&s.boot, &w->env, session_of(w->dev), &e), 0);
}

#define OFF SECURE_BOOT_OFF
#define AUDITS SECURE_BOOT_AUDIT
#define ENFORCES SECURE_BOOT_ENFORCE
#define UNKNOWN SECURE_BOOT_UNKNOWN
#define AUDIT POLICY_OSSECBOOTAUDIT
#define ENFORCE POLICY_OSSECBOOTENFORCE
#define WORLD POLICY_WORLDREADABLE
#define PWSET POLICY_PWSET

static const struct access_case {
	uint32_t policy;
	bool set;			/* a password is set */
	enum given given;
	enum secure_boot secure;
	int read, replace, remove;
} accesses[] = {
	/* policy, password set, given, secure boot: read, replace, remove */
	{ 0, false, NONE, OFF, 0, 0, 0 },
	{ 0, false, WRONG, OFF, EPERM, EPERM, EPERM },
	{ 0, true, NONE, OFF, EACCES, EACCES, EACCES },
	{ 0, true, RIGHT, OFF, 0, 0, 0 },
	{ 0, true, WRONG, OFF, EPERM, EPERM, EPERM },
	{ 0, true, OTHER, OFF, EPERM, EPERM, EPERM },
	{ PWSET, false, NONE, OFF, EPERM, EPERM, EPERM },
	{ PWSET, false, WRONG, OFF, EPERM, EPERM, EPERM },
	{ PWSET, true, NONE, OFF, EACCES, EACCES, EACCES },
	{ PWSET, true, RIGHT, OFF, 0, 0, 0 },
	{ PWSET, true, WRONG, OFF, EPERM, EPERM, EPERM },
	{ PWSET, true, OTHER, OFF, EPERM, EPERM, EPERM },
	{ WORLD, false, NONE, OFF, 0, 0, 0 },
	{ WORLD, false, WRONG, OFF, 0, EPERM, EPERM },
	{ WORLD, true, NONE, OFF, 0, EACCES, EACCES },
	{ WORLD, true, RIGHT, OFF, 0, 0, 0 },
	{ WORLD, true, WRONG, OFF, 0, EPERM, EPERM },
	{ WORLD, true, OTHER, OFF, 0, EPERM, EPERM },
	{ WORLD | PWSET, false, NONE, OFF, EPERM, EPERM, EPERM },
	{ WORLD | PWSET, true, NONE, OFF, 0, EACCES, EACCES },
	{ WORLD | PWSET, true, RIGHT, OFF, 0, 0, 0 },
	{ WORLD | ENFORCE, true, NONE, OFF, EPERM, EACCES, EACCES },
	{ WORLD | ENFORCE, true, NONE, ENFORCES, 0, EACCES, EACCES },
	{ POLICY_IMMUTABLE, false, NONE, OFF, 0, EPERM, EPERM },
	{ POLICY_IMMUTABLE, true, NONE, OFF, EACCES, EACCES, EACCES },
	{ POLICY_IMMUTABLE, true, RIGHT, OFF, 0, EPERM, EPERM },
	{ POLICY_IMMUTABLE, true, OTHER, OFF, EPERM, EPERM, EPERM },
	{ POLICY_SIGNEDUPDATE, false, NONE, OFF, 0, EPERM, EPERM },
	{ POLICY_SIGNEDUPDATE, true, RIGHT, OFF, 0, EPERM, EPERM },
	{ POLICY_SIGNEDUPDATE, true, WRONG, OFF, EPERM, EPERM, EPERM },
	{ POLICY_WRAPPINGKEY, false, NONE, OFF, EPERM, EPERM, EPERM },
	{ POLICY_WRAPPINGKEY, true, RIGHT, OFF, EPERM, EPERM, EPERM },
	{ POLICY_WRAPPINGKEY, true, NONE, OFF, EACCES, EACCES, EACCES },
	{ POLICY_HVPROVISIONED, false, NONE, OFF, 0, 0, 0 },
	{ AUDIT, false, NONE, OFF, EPERM, EPERM, EPERM },
	{ AUDIT, false, NONE, AUDITS, 0, 0, 0 },
	{ AUDIT, false, NONE, ENFORCES, 0, 0, 0 },
	{ AUDIT, false, NONE, UNKNOWN, EPERM, EPERM, EPERM },
	{ AUDIT, true, RIGHT, OFF, EPERM, EPERM, EPERM },
	{ AUDIT, true, RIGHT, AUDITS, 0, 0, 0 },
	{ ENFORCE, false, NONE, OFF, EPERM, EPERM, EPERM },
	{ ENFORCE, false, NONE, AUDITS, EPERM, EPERM, EPERM },
	{ ENFORCE, false, NONE, ENFORCES, 0, 0, 0 },
	{ ENFORCE, false, NONE, UNKNOWN, EPERM, EPERM, EPERM },
	{ ENFORCE, true, WRONG, ENFORCES, EPERM, EPERM, EPERM },
	{ AUDIT | ENFORCE, false, NONE, AUDITS, EPERM, EPERM, EPERM },
	{ AUDIT | ENFORCE, false, NONE, ENFORCES, 0, 0, 0 },
};

static int attempt(struct world *w, const struct access_case *a, enum consumer c, enum access what, struct err *e)
{
	const char *const words[] = { [NONE] = "", [RIGHT] = (const char[]){ (char)('0' + c), '\0' }, [WRONG] = "x",
				      [OTHER] = (const char[]){ (char)('0' + c % 3 + 1), '\0' } };
	const struct secret password = { (unsigned char *)(uintptr_t)words[a->given], 1, 1 };
	const struct object_name n = world_name(c, "object");
	AUTO_SECRET struct secret data = { 0 };
	int r;

	world_restart(w);
	w->env.pks_password = a->given == NONE ? NULL : &password;
	if (what == ACCESS_READ) {
		r = soft_ops.store->read(w->dev, &n, &data, e);
	} else if (what == ACCESS_WRITE) {
		assert_int_equal(secret_copy(&data, "more", 4, e), 0);
		r = soft_ops.store->write(w->dev, &n, 0, WRITE_REPLACE, &data, e);
	} else {
		r = soft_ops.store->remove(w->dev, &n, 0, e);
	}
	w->env.pks_password = NULL;
	return -r;
}

static void every_access(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
		const struct access_case *a = &accesses[i];
		const int want[] = { [ACCESS_READ] = a->read, [ACCESS_WRITE] = a->replace, [ACCESS_REMOVE] = a->remove };

		world_secure_boot(w, a->secure);
		set_passwords(w, a->set);
		for (enum consumer c = CONSUMER_FIRMWARE; c <= CONSUMER_OS; c++) {
			plant(w, c, a->policy);
			for (enum access what = ACCESS_READ; what <= ACCESS_REMOVE; what++) {
				struct err e = { 0 };
				int got = attempt(w, a, c, what, &e);

				if (got != want[what])
					print_error("row %zu, consumer %d, access %d: %s\n", i, c, what, e.msg);
				assert_int_equal(got, want[what]);
			}
		}
	}
}

/* --- what a new object may be ------------------------------------------------------------------------------------- */

static const struct {
	uint32_t policy;
	bool set;			/* a password, which is given */
	enum secure_boot secure;
	int write;
} creations[] = {
	{ 0, false, OFF, 0 },
	{ 0, true, OFF, 0 },
	{ WORLD, false, OFF, 0 },
	{ POLICY_IMMUTABLE, false, OFF, 0 },
	{ POLICY_TRANSIENT, false, OFF, 0 },
	{ PWSET, false, OFF, EPERM },
	{ PWSET, true, OFF, 0 },
	{ AUDIT, false, OFF, EPERM },
	{ AUDIT, false, AUDITS, 0 },
	{ ENFORCE, false, AUDITS, EPERM },
	{ ENFORCE, false, ENFORCES, 0 },
	{ ENFORCE, false, UNKNOWN, EPERM },
	{ POLICY_SIGNEDUPDATE, false, OFF, EOPNOTSUPP },
	{ POLICY_WRAPPINGKEY, false, OFF, EINVAL },
	{ POLICY_HVPROVISIONED, false, OFF, EINVAL },
	{ 0x80000000, false, OFF, EINVAL },
	{ 1, false, OFF, EINVAL },
};

static void every_creation(void **state)
{
	struct world *w = *state;
	static unsigned char word[] = "3";
	const struct secret password = { word, 1, 1 };

	for (size_t i = 0; i < ARRAY_SIZE(creations); i++) {
		AUTO_SECRET struct secret data = { 0 };
		char label[16];
		struct object_name n;
		struct err e;

		(void)snprintf(label, sizeof(label), "new-%zu", i);
		n = world_name(CONSUMER_OS, label);
		world_secure_boot(w, creations[i].secure);
		set_passwords(w, creations[i].set);
		world_restart(w);
		w->env.pks_password = creations[i].set ? &password : NULL;
		assert_int_equal(secret_copy(&data, "data", 4, &e), 0);
		assert_int_equal(-soft_ops.store->write(w->dev, &n, creations[i].policy, 0, &data, &e), creations[i].write);
		w->env.pks_password = NULL;
	}
}

/* --- wrapping keys by name, and what is under them ---------------------------------------------------------------- */

static const struct under_case {
	uint32_t key, token;		/* policies */
	bool set;			/* a password is set */
	enum given given;
	enum secure_boot secure;
	int use, change;		/* to wrap and to open; to revoke */
} unders[] = {
	/* policy of the key, of the token, password set, given, secure boot: use, change */
	{ 0, 0, false, NONE, OFF, 0, 0 },
	{ 0, 0, false, NONE, UNKNOWN, 0, 0 },
	{ 0, 0, true, NONE, OFF, 0, EACCES },
	{ 0, 0, true, WRONG, OFF, 0, EPERM },
	{ 0, 0, true, RIGHT, OFF, 0, 0 },
	{ 0, 0, false, WRONG, OFF, 0, EPERM },
	{ 0, PWSET, false, NONE, OFF, EPERM, 0 },
	{ 0, PWSET, true, NONE, OFF, EACCES, EACCES },
	{ 0, PWSET, true, WRONG, OFF, EPERM, EPERM },
	{ 0, PWSET, true, OTHER, OFF, EPERM, EPERM },
	{ 0, PWSET, true, RIGHT, OFF, 0, 0 },
	{ 0, AUDIT, false, NONE, OFF, EPERM, 0 },
	{ 0, AUDIT, false, NONE, AUDITS, 0, 0 },
	{ 0, AUDIT, false, NONE, ENFORCES, 0, 0 },
	{ 0, AUDIT, false, NONE, UNKNOWN, EPERM, 0 },
	{ 0, ENFORCE, false, NONE, OFF, EPERM, 0 },
	{ 0, ENFORCE, false, NONE, AUDITS, EPERM, 0 },
	{ 0, ENFORCE, false, NONE, ENFORCES, 0, 0 },
	{ 0, ENFORCE, false, NONE, UNKNOWN, EPERM, 0 },
	{ 0, ENFORCE | PWSET, true, NONE, ENFORCES, EACCES, EACCES },
	{ 0, ENFORCE | PWSET, true, RIGHT, AUDITS, EPERM, 0 },
	{ 0, ENFORCE | PWSET, true, RIGHT, ENFORCES, 0, 0 },
	{ PWSET, 0, false, NONE, OFF, EPERM, EPERM },
	{ PWSET, 0, true, NONE, OFF, EACCES, EACCES },
	{ PWSET, 0, true, RIGHT, OFF, 0, 0 },
	{ AUDIT, 0, false, NONE, OFF, EPERM, EPERM },
	{ AUDIT, 0, false, NONE, AUDITS, 0, 0 },
	{ AUDIT, ENFORCE, false, NONE, AUDITS, EPERM, 0 },
	{ AUDIT, ENFORCE, false, NONE, ENFORCES, 0, 0 },
	{ ENFORCE, AUDIT, false, NONE, AUDITS, EPERM, EPERM },
	{ ENFORCE, AUDIT, false, NONE, ENFORCES, 0, 0 },
	{ POLICY_IMMUTABLE, 0, false, NONE, OFF, 0, EPERM },
	{ POLICY_IMMUTABLE | AUDIT, 0, false, NONE, OFF, EPERM, EPERM },
};

static int seals(struct world *w, const struct under_case *u, const struct object_name *key, struct blob *ret, struct err *e)
{
	const struct wrap_params p = { .wrapping_key = (const char *)key->label, .policy = u->token };
	AUTO_SECRET struct secret data = { 0 };

	assert_int_equal(secret_copy(&data, "data", 4, e), 0);
	return -soft_ops.seal->seal(w->dev, &p, &data, NULL, ret, e);
}

static int unseals(struct world *w, const struct blob *sealed, struct err *e)
{
	AUTO_SECRET struct secret data = { 0 };

	return -soft_ops.seal->unseal(w->dev, sealed, NULL, &data, e);
}

static void given(struct world *w, enum given which, const struct secret words[])
{
	world_restart(w);
	w->env.pks_password = which == NONE ? NULL : &words[which];
}

/* As it is made and used where all holds, and then as it is tried in the state of the row. */
static void every_use(void **state)
{
	static unsigned char text[] = "3x1";
	const struct secret words[] = { [RIGHT] = { text, 1, 1 }, [WRONG] = { text + 1, 1, 1 }, [OTHER] = { text + 2, 1, 1 } };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(unders); i++) {
		const struct under_case *u = &unders[i];
		AUTO_BLOB struct blob sealed = { 0 }, again = { 0 };
		struct object_name n;
		struct err e = { 0 };
		char label[16];

		(void)snprintf(label, sizeof(label), "key-%zu", i);
		n = world_name(CONSUMER_OS, label);
		world_secure_boot(w, ENFORCES);
		set_passwords(w, true);
		given(w, RIGHT, words);
		assert_int_equal(soft_ops.store->genkey(w->dev, &n, u->key, &e), 0);
		assert_int_equal(seals(w, u, &n, &sealed, &e), 0);
		assert_int_equal(unseals(w, &sealed, &e), 0);
		world_secure_boot(w, u->secure);
		set_passwords(w, u->set);
		given(w, u->given, words);
		if (seals(w, u, &n, &again, &e) != u->use || unseals(w, &sealed, &e) != u->use)
			fail_msg("row %zu, use: %s", i, e.msg);
		if (-soft_ops.store->revoke(w->dev, &n, true, &e) != u->change)
			fail_msg("row %zu, change: %s", i, e.msg);
		if (u->change == 0) {
			assert_int_equal(unseals(w, &sealed, &e), EKEYREVOKED);
			assert_int_equal(seals(w, u, &n, &again, &e), EKEYREVOKED);
			assert_int_equal(soft_ops.store->remove(w->dev, &n, 0, &e), -EKEYREVOKED);
			assert_int_equal(soft_ops.store->remove(w->dev, &n, REMOVE_WRAPPING_KEY, &e), 0);
		} else {
			assert_int_not_equal(soft_ops.store->remove(w->dev, &n, REMOVE_WRAPPING_KEY, &e), 0);
		}
		w->env.pks_password = NULL;
	}
}

/* A keyslot's passphrase stands for a key: whatever holds for the key holds for it. */
static void as_another_is(void **state)
{
	struct world *w = *state;
	const struct object_name n = world_name(CONSUMER_OS, "web");
	const struct key_params chosen = { .wrap = { .wrapping_key = "web", .policy = AUDIT } }, own = { .wrap.policy = ENFORCE };
	struct blob tokens[4] = { { 0 } };
	AUTO_SECRET struct secret data = { 0 };
	struct token t[4];
	struct err e;

	world_secure_boot(w, ENFORCES);
	assert_int_equal(secret_copy(&data, "data", 4, &e), 0);
	assert_int_equal(soft_ops.store->genkey(w->dev, &n, 0, &e), 0);
	assert_int_equal(soft_ops.key->generate(w->dev, &chosen, &tokens[0], &e), 0);
	assert_int_equal(soft_ops.key->generate(w->dev, &own, &tokens[1], &e), 0);
	for (int i = 0; i < 2; i++) {
		const struct wrap_params like = { .like = &tokens[i] };

		assert_int_equal(soft_ops.seal->seal(w->dev, &like, &data, NULL, &tokens[2 + i], &e), 0);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(token_parse(tokens[i].data, tokens[i].len, &t[i], &e), 0);
	for (int i = 0; i < 2; i++) {
		assert_memory_equal(t[2 + i].wrapping_key, t[i].wrapping_key, sizeof(t[i].wrapping_key));
		assert_int_equal(t[2 + i].policy, t[i].policy);
	}
	assert_memory_not_equal(t[0].wrapping_key, t[1].wrapping_key, sizeof(t[0].wrapping_key));
	assert_int_equal(soft_ops.store->revoke(w->dev, &n, true, &e), 0);
	blob_done(&tokens[2]);
	assert_int_equal(soft_ops.seal->seal(w->dev, &(struct wrap_params){ .like = &tokens[0] }, &data, NULL, &tokens[2], &e),
			 -EKEYREVOKED);
	assert_int_equal(soft_ops.store->remove(w->dev, &n, REMOVE_WRAPPING_KEY, &e), 0);
	assert_int_equal(soft_ops.seal->seal(w->dev, &(struct wrap_params){ .like = &tokens[0] }, &data, NULL, &tokens[2], &e),
			 -ENOKEY);
	for (int i = 0; i < 4; i++)
		blob_done(&tokens[i]);
}

/* --- order of evaluation: of two reasons the earlier one is told -------------------------------------------------- */

static void the_earlier_reason_is_told(void **state)
{
	struct world *w = *state;

	plant(w, CONSUMER_OS, POLICY_IMMUTABLE | ENFORCE);
	world_secure_boot(w, OFF);
	set_passwords(w, true);
	assert_int_equal(world_write(w, CONSUMER_OS, "object", 0, 0, 0, "x"), EINVAL);		/* no data before password */
	assert_int_equal(world_write(w, CONSUMER_OS, "object", 1, 0, 4, "x"), EINVAL);
	assert_int_equal(world_write(w, CONSUMER_OS, "object", 0, 0, 4, "x"), EPERM);
	assert_int_equal(world_write(w, CONSUMER_OS, "object", 0, 0, 65536, "3"), EPERM);		/* policy before space */
	assert_int_equal(world_write(w, CONSUMER_OS, "other", 0, 0, 4, "3"), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "other", 0, 0, 65536, "3"), EFBIG);		/* space before label */
	assert_int_equal(world_write(w, CONSUMER_OS, "other", 0, 0, 65400, "3"), ENOSPC);
	assert_int_equal(world_write(w, CONSUMER_OS, "other", 0, 0, 4, "3"), EEXIST);
	assert_int_equal(world_write(w, CONSUMER_OS, "other", WORLD, WRITE_REPLACE, 4, "3"), EINVAL);	/* fixed */
}

/* --- what a boot keeps -------------------------------------------------------------------------------------------- */

static void a_password_is_set_once_in_a_boot(void **state)
{
	struct world *w = *state;
	char long_one[PASSWORD_MAX + 2];

	memset(long_one, 'x', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	assert_int_equal(world_password(w, CONSUMER_OS, "early"), ENOENT);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 1, NULL), 0);
	assert_int_equal(world_password(w, CONSUMER_OS, ""), EINVAL);
	assert_int_equal(world_password(w, CONSUMER_OS, long_one), EINVAL);
	assert_int_equal(world_password(w, CONSUMER_OS, long_one + 1), 0);
	assert_int_equal(world_password(w, CONSUMER_OS, "second"), EEXIST);
	assert_int_equal(world_password(w, CONSUMER_FIRMWARE, "mine"), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 1, "second"), EPERM);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 1, long_one + 1), 0);
	assert_int_equal(world_write(w, CONSUMER_BOOTLOADER, "b", 0, 0, 1, NULL), 0);
	world_boot(w, 2);
	assert_int_equal(world_write(w, CONSUMER_OS, "c", 0, 0, 1, long_one + 1), EPERM);
	assert_int_equal(world_write(w, CONSUMER_OS, "c", 0, 0, 1, NULL), 0);
	assert_int_equal(world_password(w, CONSUMER_OS, "second"), 0);
	world_boot(w, 1);	/* of a boot that is over nothing counts, even if it is pretended again */
	assert_int_equal(world_write(w, CONSUMER_OS, "d", 0, 0, 1, NULL), 0);
}

static void transient_objects_go_with_the_boot(void **state)
{
	struct world *w = *state;
	struct store_info info;
	struct err e;

	assert_int_equal(world_write(w, CONSUMER_OS, "stays", 0, 0, 100, NULL), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "goes", POLICY_TRANSIENT, 0, 60000, NULL), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "goes", POLICY_TRANSIENT, 0, 1, NULL), EEXIST);
	assert_int_equal(world_write(w, CONSUMER_OS, "stays", POLICY_TRANSIENT, WRITE_REPLACE, 1, NULL), EINVAL);
	assert_int_equal(world_write(w, CONSUMER_OS, "more", 0, 0, 6000, NULL), ENOSPC);	/* one account for both */
	assert_int_equal(world_write(w, CONSUMER_OS, "more", POLICY_TRANSIENT, 0, 6000, NULL), ENOSPC);
	assert_int_equal(world_write(w, CONSUMER_OS, "goes", 0, WRITE_REPLACE, 50000, NULL), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "more", 0, 0, 6000, NULL), 0);
	world_restart(w);
	assert_int_equal(soft_ops.store->info(w->dev, &info, &e), 0);
	assert_int_equal(info.objects, 3);
	assert_int_equal(info.used, 3 * OBJECT_OVERHEAD + 5 + 4 + 4 + 100 + 50000 + 6000);
	world_boot(w, 2);
	world_restart(w);
	assert_int_equal(soft_ops.store->info(w->dev, &info, &e), 0);
	assert_int_equal(info.objects, 2);
}

static void a_lock_lasts_until_the_boot(void **state)
{
	struct world *w = *state;
	struct err e;

	assert_int_equal(world_write(w, CONSUMER_BOOTLOADER, "a", WORLD, 0, 1, NULL), 0);
	assert_int_equal(soft_ops.store->lock(w->dev, CONSUMER_BOOTLOADER, &e), 0);
	assert_int_equal(soft_ops.store->lock(w->dev, CONSUMER_BOOTLOADER, &e), 0);
	assert_int_equal(world_write(w, CONSUMER_BOOTLOADER, "a", 0, WRITE_REPLACE, 1, NULL), EPERM);
	assert_int_equal(world_write(w, CONSUMER_BOOTLOADER, "b", 0, 0, 1, NULL), EPERM);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 1, NULL), 0);
	world_boot(w, 2);
	assert_int_equal(world_write(w, CONSUMER_BOOTLOADER, "a", 0, WRITE_REPLACE, 1, NULL), 0);
}

/* What stands in for this boot's state must have been made in it, by this keystore. */
static void a_damaged_state_refuses(void **state)
{
	struct world *w = *state;
	char path[256];
	struct store_info info;
	struct err e;
	int fd;

	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 1, NULL), 0);
	assert_int_equal(world_password(w, CONSUMER_OS, "word"), 0);
	assert_int_equal(soft_ops.store->info(w->dev, &info, &e), 0);
	for (char *p = info.uuid, *to = info.uuid; ; p++)
		if (*p != '-' && !(*to++ = *p))
			break;
	(void)snprintf(path, sizeof(path), "%s/run/hwkey/pks/%s/boot", w->machine, info.uuid);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 300), 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, WRITE_REPLACE, 1, "word"), EBADMSG);
	world_boot(w, 2);		/* of which boot it is cannot be told */
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, WRITE_REPLACE, 1, NULL), EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, WRITE_REPLACE, 1, NULL), 0);
	world_file(w, "/proc/sys/kernel/random/boot_id", NULL, 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, WRITE_REPLACE, 1, NULL), EOPNOTSUPP);
}

/* --- sizes -------------------------------------------------------------------------------------------------------- */

static const struct {
	bool running, power11;		/* something was changed in this boot; larger sizes are allowed */
	size_t from, to;		/* from 0: disabled */
	int result;
	size_t now, pending;
} sizes[] = {
	{ false, false, 4096, 4096, 0, 4096, 0 },
	{ false, false, 4096, 4095, EINVAL, 4096, 0 },
	{ false, false, 4096, 4097, EINVAL, 4096, 0 },
	{ false, false, 4096, 5120, 0, 5120, 0 },
	{ false, false, 4096, 5119, EINVAL, 4096, 0 },
	{ false, false, 4096, 65536, 0, 65536, 0 },
	{ false, false, 4096, 65537, EINVAL, 4096, 0 },
	{ false, false, 4096, 66560, EINVAL, 4096, 0 },
	{ false, false, 4096, 131072, EINVAL, 4096, 0 },
	{ false, true, 4096, 66560, 0, 66560, 0 },
	{ false, true, 65536, 131072, 0, 131072, 0 },
	{ false, true, 131072, 65536, EINVAL, 131072, 0 },
	{ false, true, 65536, 131073, EINVAL, 65536, 0 },
	{ false, true, 65536, 132096, EINVAL, 65536, 0 },
	{ false, false, 65536, 64512, EINVAL, 65536, 0 },
	{ false, false, 65536, 1024, EINVAL, 65536, 0 },
	{ false, false, 65536, 0, 0, 0, 0 },
	{ false, false, 0, 0, 0, 0, 0 },
	{ false, false, 0, 4096, 0, 4096, 0 },
	{ false, false, 0, 65536, 0, 65536, 0 },
	{ true, false, 4096, 4096, 0, 4096, 0 },
	{ true, false, 4096, 5120, 0, 4096, 5120 },
	{ true, false, 4096, 65536, 0, 4096, 65536 },
	{ true, false, 4096, 65537, EINVAL, 4096, 0 },
	{ true, false, 65536, 64512, EINVAL, 65536, 0 },
	{ true, true, 65536, 131072, 0, 65536, 131072 },
	{ true, false, 65536, 0, 0, 0, 0 },
	{ true, false, 0, 4096, 0, 0, 4096 },
};

static void every_size(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct store_info info;
		struct err e;

		world_clear(w);
		world_boot(w, 2 * (unsigned)i);
		world_restart(w);
		assert_int_equal(world_resize(w, sizes[i].power11, sizes[i].from ? sizes[i].from : 4096), 0);
		if (!sizes[i].from)
			assert_int_equal(world_resize(w, false, 0), 0);
		world_boot(w, 2 * (unsigned)i + 1);
		if (sizes[i].running && sizes[i].from)
			assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 1, NULL), 0);
		if (sizes[i].running && sizes[i].from) {
			const struct object_name n = world_name(CONSUMER_OS, "a");

			assert_int_equal(soft_ops.store->remove(w->dev, &n, 0, &e), 0);
		} else if (sizes[i].running) {
			assert_int_equal(soft_ops.store->resize(w->dev, true, NULL, &e), 0);
		}
		if (world_resize(w, false, sizes[i].to) != sizes[i].result)
			print_error("row %zu\n", i);
		assert_int_equal(world_resize(w, false, sizes[i].to), sizes[i].result);
		info = world_info(w);
		assert_int_equal(info.total, sizes[i].now);
		assert_int_equal(info.pending, sizes[i].pending);
	}
}

static void a_pending_size_comes_with_the_boot(void **state)
{
	struct world *w = *state;
	AUTO_SECRET struct secret data = { 0 };
	const struct object_name n = world_name(CONSUMER_OS, "a");
	struct err e;

	assert_int_equal(world_resize(w, false, 4096), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 4096 - 65, NULL), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 1, NULL), ENOSPC);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 4096, NULL), EFBIG);
	assert_int_equal(world_resize(w, false, 8192), 0);
	assert_int_equal(world_info(w).pending, 8192);
	assert_int_equal(world_resize(w, false, 6144), 0);
	assert_int_equal(world_info(w).pending, 6144);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 1, NULL), ENOSPC);
	assert_int_equal(world_resize(w, false, 0), ENOTEMPTY);
	world_boot(w, 2);
	assert_int_equal(world_write(w, CONSUMER_OS, "b", 0, 0, 6144 - 4096 - 65, NULL), 0);
	assert_int_equal(world_info(w).total, 6144);
	assert_int_equal(world_info(w).used, 6144);
	assert_int_equal(soft_ops.store->read(w->dev, &n, &data, &e), 0);
	assert_int_equal(data.len, 4096 - 65);
}

static void a_disabled_keystore_refuses(void **state)
{
	struct world *w = *state;
	AUTO_SECRET struct secret data = { 0 };
	const struct object_name n = world_name(CONSUMER_OS, "a");
	struct blob token = { 0 };
	struct err e;

	assert_int_equal(world_write(w, CONSUMER_OS, "a", POLICY_TRANSIENT, 0, 1, NULL), 0);
	assert_int_equal(world_resize(w, false, 0), ENOTEMPTY);
	assert_int_equal(soft_ops.store->remove(w->dev, &n, 0, &e), 0);
	assert_int_equal(world_resize(w, false, 0), 0);
	assert_int_equal(soft_ops.store->read(w->dev, &n, &data, &e), -ENXIO);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 0, NULL), ENXIO);	/* before parameters */
	assert_int_equal(soft_ops.store->remove(w->dev, &n, 0, &e), -ENXIO);
	assert_int_equal(soft_ops.key->generate(w->dev, &(struct key_params){ 0 }, &token, &e), -ENXIO);
	assert_int_equal(world_resize(w, false, 65536), 0);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 1, NULL), ENXIO);
	world_boot(w, 2);
	assert_int_equal(soft_ops.store->read(w->dev, &n, &data, &e), -ENOENT);
	assert_int_equal(world_write(w, CONSUMER_OS, "a", 0, 0, 1, NULL), 0);
	assert_int_equal(world_info(w).total, 65536);
}

/* --- where secure boot is seen ------------------------------------------------------------------------------------ */

static const struct {
	int tree, efi, secure, setup, audit;	/* -1: not there */
	enum secure_boot want;
} machines[] = {
	/* ibm,secure-boot; /sys/firmware/efi with its variables; SecureBoot, SetupMode, AuditMode */
	{ -1, 0, -1, -1, -1, SECURE_BOOT_OFF },
	{ 0, 0, -1, -1, -1, SECURE_BOOT_OFF },
	{ 1, 0, -1, -1, -1, SECURE_BOOT_AUDIT },
	{ 2, 0, -1, -1, -1, SECURE_BOOT_ENFORCE },
	{ 3, 0, -1, -1, -1, SECURE_BOOT_UNKNOWN },
	{ -1, 1, -1, -1, -1, SECURE_BOOT_UNKNOWN },	/* efivarfs is not mounted */
	{ -1, 2, -1, -1, -1, SECURE_BOOT_OFF },		/* it is, without such a variable */
	{ -1, 2, 0, 0, -1, SECURE_BOOT_OFF },
	{ -1, 2, 0, 1, -1, SECURE_BOOT_OFF },
	{ -1, 2, 1, 0, -1, SECURE_BOOT_ENFORCE },
	{ -1, 2, 1, 0, 0, SECURE_BOOT_ENFORCE },
	{ -1, 2, 1, 1, -1, SECURE_BOOT_OFF },
	{ -1, 2, 0, 1, 1, SECURE_BOOT_AUDIT },
	{ -1, 2, 1, -1, -1, SECURE_BOOT_UNKNOWN },
	{ -1, 2, 7, 0, -1, SECURE_BOOT_UNKNOWN },
	{ -1, 2, 1, 7, -1, SECURE_BOOT_UNKNOWN },
};

static void efi_variable(struct world *w, const char *path, int value)
{
	const unsigned char bytes[] = { 6, 0, 0, 0, (unsigned char)value };

	world_file(w, path, value < 0 ? NULL : bytes, sizeof(bytes));
}

static void secure_boot_sources(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		const unsigned char tree[] = { 0, 0, 0, (unsigned char)machines[i].tree };
		char cmd[256];
		const char *why;

		(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s/sys' '%s/proc/device-tree'", w->machine, w->machine);
		assert_int_equal(system(cmd), 0);
		world_file(w, "/proc/device-tree/ibm,secure-boot", machines[i].tree < 0 ? NULL : tree, sizeof(tree));
		if (machines[i].efi) {
			world_file(w, VARS "/x", "", 0);
			if (machines[i].efi == 1)
				world_file(w, VARS "/x", NULL, 0);
		}
		efi_variable(w, VARS "/SecureBoot" GUID, machines[i].secure);
		efi_variable(w, VARS "/SetupMode" GUID, machines[i].setup);
		efi_variable(w, VARS "/AuditMode" GUID, machines[i].audit);
		if (secure_boot_read(&w->env, &why) != machines[i].want)
			print_error("row %zu: %s\n", i, why);
		assert_int_equal(secure_boot_read(&w->env, &why), machines[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) WORLD_TEST(f)
		TEST(every_access), TEST(every_creation), TEST(every_use), TEST(as_another_is), TEST(the_earlier_reason_is_told),
		TEST(a_password_is_set_once_in_a_boot), TEST(transient_objects_go_with_the_boot),
		TEST(a_lock_lasts_until_the_boot), TEST(a_damaged_state_refuses), TEST(every_size),
		TEST(a_pending_size_comes_with_the_boot), TEST(a_disabled_keystore_refuses), TEST(secure_boot_sources),
	};

	return cmocka_run_group_tests_name("pks-rules", tests, NULL, NULL);
}
