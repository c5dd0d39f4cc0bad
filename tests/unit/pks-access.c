// SPDX-License-Identifier: MIT
/*
 * Who may do what with an object: passwords of each consumer, own and foreign, under each policy. Each row is one cell of
 * the matrix: what reading, replacing and removing then give, the same for all three consumers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backends/soft/access.h"
#include "lib/blob.h"
#include "lib/err.h"
#include "tests/support/world.h"

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
	objects_remove(&s.boot.objects, &rec.name);
	rec.generation = s.now.generation + 1;
	assert_int_equal(objects_add(policy & POLICY_TRANSIENT ? &s.boot.objects : &s.objects, &rec, &e), 0);
	assert_int_equal(store_commit(&s, &e), 0);
	assert_int_equal(boot_save(&s.boot, &w->env, session_of(w->dev), &e), 0);
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
#define IMMUTABLE POLICY_IMMUTABLE
#define TRANSIENT POLICY_TRANSIENT
#define SIGNEDUPDATE POLICY_SIGNEDUPDATE
#define WRAPPINGKEY POLICY_WRAPPINGKEY
#define HVPROVISIONED POLICY_HVPROVISIONED

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
	{ WORLD | PWSET, false, WRONG, OFF, EPERM, EPERM, EPERM },
	{ WORLD | PWSET, true, NONE, OFF, 0, EACCES, EACCES },
	{ WORLD | PWSET, true, RIGHT, OFF, 0, 0, 0 },
	{ WORLD | PWSET, true, WRONG, OFF, 0, EPERM, EPERM },
	{ WORLD | PWSET, true, OTHER, OFF, 0, EPERM, EPERM },
	{ IMMUTABLE, false, NONE, OFF, 0, EPERM, EPERM },
	{ IMMUTABLE, false, WRONG, OFF, EPERM, EPERM, EPERM },
	{ IMMUTABLE, true, NONE, OFF, EACCES, EACCES, EACCES },
	{ IMMUTABLE, true, RIGHT, OFF, 0, EPERM, EPERM },
	{ IMMUTABLE, true, WRONG, OFF, EPERM, EPERM, EPERM },
	{ IMMUTABLE, true, OTHER, OFF, EPERM, EPERM, EPERM },
	{ IMMUTABLE | WORLD, false, NONE, OFF, 0, EPERM, EPERM },
	{ IMMUTABLE | WORLD, false, WRONG, OFF, 0, EPERM, EPERM },
	{ IMMUTABLE | WORLD, true, NONE, OFF, 0, EACCES, EACCES },
	{ IMMUTABLE | WORLD, true, RIGHT, OFF, 0, EPERM, EPERM },
	{ IMMUTABLE | WORLD, true, WRONG, OFF, 0, EPERM, EPERM },
	{ IMMUTABLE | WORLD, true, OTHER, OFF, 0, EPERM, EPERM },
	{ TRANSIENT, false, NONE, OFF, 0, 0, 0 },
	{ TRANSIENT, false, WRONG, OFF, EPERM, EPERM, EPERM },
	{ TRANSIENT, true, NONE, OFF, EACCES, EACCES, EACCES },
	{ TRANSIENT, true, RIGHT, OFF, 0, 0, 0 },
	{ TRANSIENT, true, WRONG, OFF, EPERM, EPERM, EPERM },
	{ TRANSIENT, true, OTHER, OFF, EPERM, EPERM, EPERM },
	{ SIGNEDUPDATE, false, NONE, OFF, 0, EPERM, EPERM },
	{ SIGNEDUPDATE, false, WRONG, OFF, EPERM, EPERM, EPERM },
	{ SIGNEDUPDATE, true, NONE, OFF, EACCES, EACCES, EACCES },
	{ SIGNEDUPDATE, true, RIGHT, OFF, 0, EPERM, EPERM },
	{ SIGNEDUPDATE, true, WRONG, OFF, EPERM, EPERM, EPERM },
	{ SIGNEDUPDATE, true, OTHER, OFF, EPERM, EPERM, EPERM },
	{ WRAPPINGKEY, false, NONE, OFF, EPERM, EPERM, EPERM },
	{ WRAPPINGKEY, false, WRONG, OFF, EPERM, EPERM, EPERM },
	{ WRAPPINGKEY, true, NONE, OFF, EACCES, EACCES, EACCES },
	{ WRAPPINGKEY, true, RIGHT, OFF, EPERM, EPERM, EPERM },
	{ WRAPPINGKEY, true, WRONG, OFF, EPERM, EPERM, EPERM },
	{ WRAPPINGKEY, true, OTHER, OFF, EPERM, EPERM, EPERM },
	{ HVPROVISIONED, false, NONE, OFF, 0, 0, 0 },
	{ HVPROVISIONED, false, WRONG, OFF, EPERM, EPERM, EPERM },
	{ HVPROVISIONED, true, NONE, OFF, EACCES, EACCES, EACCES },
	{ HVPROVISIONED, true, RIGHT, OFF, 0, 0, 0 },
	{ HVPROVISIONED, true, WRONG, OFF, EPERM, EPERM, EPERM },
	{ HVPROVISIONED, true, OTHER, OFF, EPERM, EPERM, EPERM },
	{ AUDIT, false, NONE, OFF, EPERM, EPERM, EPERM },
	{ AUDIT, false, WRONG, OFF, EPERM, EPERM, EPERM },
	{ AUDIT, true, NONE, OFF, EACCES, EACCES, EACCES },
	{ AUDIT, true, RIGHT, OFF, EPERM, EPERM, EPERM },
	{ AUDIT, true, WRONG, OFF, EPERM, EPERM, EPERM },
	{ AUDIT, true, OTHER, OFF, EPERM, EPERM, EPERM },
	{ AUDIT, false, NONE, AUDITS, 0, 0, 0 },
	{ AUDIT, false, WRONG, AUDITS, EPERM, EPERM, EPERM },
	{ AUDIT, true, NONE, AUDITS, EACCES, EACCES, EACCES },
	{ AUDIT, true, RIGHT, AUDITS, 0, 0, 0 },
	{ AUDIT, true, WRONG, AUDITS, EPERM, EPERM, EPERM },
	{ AUDIT, true, OTHER, AUDITS, EPERM, EPERM, EPERM },
	{ AUDIT, false, NONE, ENFORCES, 0, 0, 0 },
	{ AUDIT, false, WRONG, ENFORCES, EPERM, EPERM, EPERM },
	{ AUDIT, true, NONE, ENFORCES, EACCES, EACCES, EACCES },
	{ AUDIT, true, RIGHT, ENFORCES, 0, 0, 0 },
	{ AUDIT, true, WRONG, ENFORCES, EPERM, EPERM, EPERM },
	{ AUDIT, true, OTHER, ENFORCES, EPERM, EPERM, EPERM },
	{ AUDIT, false, NONE, UNKNOWN, EPERM, EPERM, EPERM },
	{ AUDIT, false, WRONG, UNKNOWN, EPERM, EPERM, EPERM },
	{ AUDIT, true, NONE, UNKNOWN, EACCES, EACCES, EACCES },
	{ AUDIT, true, RIGHT, UNKNOWN, EPERM, EPERM, EPERM },
	{ AUDIT, true, WRONG, UNKNOWN, EPERM, EPERM, EPERM },
	{ AUDIT, true, OTHER, UNKNOWN, EPERM, EPERM, EPERM },
	{ ENFORCE, false, NONE, OFF, EPERM, EPERM, EPERM },
	{ ENFORCE, false, WRONG, OFF, EPERM, EPERM, EPERM },
	{ ENFORCE, true, NONE, OFF, EACCES, EACCES, EACCES },
	{ ENFORCE, true, RIGHT, OFF, EPERM, EPERM, EPERM },
	{ ENFORCE, true, WRONG, OFF, EPERM, EPERM, EPERM },
	{ ENFORCE, true, OTHER, OFF, EPERM, EPERM, EPERM },
	{ ENFORCE, false, NONE, AUDITS, EPERM, EPERM, EPERM },
	{ ENFORCE, false, WRONG, AUDITS, EPERM, EPERM, EPERM },
	{ ENFORCE, true, NONE, AUDITS, EACCES, EACCES, EACCES },
	{ ENFORCE, true, RIGHT, AUDITS, EPERM, EPERM, EPERM },
	{ ENFORCE, true, WRONG, AUDITS, EPERM, EPERM, EPERM },
	{ ENFORCE, true, OTHER, AUDITS, EPERM, EPERM, EPERM },
	{ ENFORCE, false, NONE, ENFORCES, 0, 0, 0 },
	{ ENFORCE, false, WRONG, ENFORCES, EPERM, EPERM, EPERM },
	{ ENFORCE, true, NONE, ENFORCES, EACCES, EACCES, EACCES },
	{ ENFORCE, true, RIGHT, ENFORCES, 0, 0, 0 },
	{ ENFORCE, true, WRONG, ENFORCES, EPERM, EPERM, EPERM },
	{ ENFORCE, true, OTHER, ENFORCES, EPERM, EPERM, EPERM },
	{ ENFORCE, false, NONE, UNKNOWN, EPERM, EPERM, EPERM },
	{ ENFORCE, false, WRONG, UNKNOWN, EPERM, EPERM, EPERM },
	{ ENFORCE, true, NONE, UNKNOWN, EACCES, EACCES, EACCES },
	{ ENFORCE, true, RIGHT, UNKNOWN, EPERM, EPERM, EPERM },
	{ ENFORCE, true, WRONG, UNKNOWN, EPERM, EPERM, EPERM },
	{ ENFORCE, true, OTHER, UNKNOWN, EPERM, EPERM, EPERM },
	{ AUDIT | ENFORCE, false, NONE, AUDITS, EPERM, EPERM, EPERM },
	{ AUDIT | ENFORCE, false, WRONG, AUDITS, EPERM, EPERM, EPERM },
	{ AUDIT | ENFORCE, true, NONE, AUDITS, EACCES, EACCES, EACCES },
	{ AUDIT | ENFORCE, true, RIGHT, AUDITS, EPERM, EPERM, EPERM },
	{ AUDIT | ENFORCE, true, WRONG, AUDITS, EPERM, EPERM, EPERM },
	{ AUDIT | ENFORCE, true, OTHER, AUDITS, EPERM, EPERM, EPERM },
	{ AUDIT | ENFORCE, false, NONE, ENFORCES, 0, 0, 0 },
	{ AUDIT | ENFORCE, false, WRONG, ENFORCES, EPERM, EPERM, EPERM },
	{ AUDIT | ENFORCE, true, NONE, ENFORCES, EACCES, EACCES, EACCES },
	{ AUDIT | ENFORCE, true, RIGHT, ENFORCES, 0, 0, 0 },
	{ AUDIT | ENFORCE, true, WRONG, ENFORCES, EPERM, EPERM, EPERM },
	{ AUDIT | ENFORCE, true, OTHER, ENFORCES, EPERM, EPERM, EPERM },
	{ WORLD | ENFORCE, false, NONE, OFF, EPERM, EPERM, EPERM },
	{ WORLD | ENFORCE, false, WRONG, OFF, EPERM, EPERM, EPERM },
	{ WORLD | ENFORCE, true, NONE, OFF, EPERM, EACCES, EACCES },
	{ WORLD | ENFORCE, true, RIGHT, OFF, EPERM, EPERM, EPERM },
	{ WORLD | ENFORCE, true, WRONG, OFF, EPERM, EPERM, EPERM },
	{ WORLD | ENFORCE, true, OTHER, OFF, EPERM, EPERM, EPERM },
	{ WORLD | ENFORCE, false, NONE, ENFORCES, 0, 0, 0 },
	{ WORLD | ENFORCE, false, WRONG, ENFORCES, 0, EPERM, EPERM },
	{ WORLD | ENFORCE, true, NONE, ENFORCES, 0, EACCES, EACCES },
	{ WORLD | ENFORCE, true, RIGHT, ENFORCES, 0, 0, 0 },
	{ WORLD | ENFORCE, true, WRONG, ENFORCES, 0, EPERM, EPERM },
	{ WORLD | ENFORCE, true, OTHER, ENFORCES, 0, EPERM, EPERM },
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

/* No cell is left out: each policy alone, with every state of the password and everything that can be given. */
static void the_matrix_is_whole(void **state)
{
	static const struct { bool set; enum given given; } passwords[] = {
		{ false, NONE }, { false, WRONG }, { true, NONE }, { true, RIGHT }, { true, WRONG }, { true, OTHER },
	};
	static const uint32_t policies[] = { 0, AUDIT, ENFORCE, PWSET, WORLD, IMMUTABLE, TRANSIENT, SIGNEDUPDATE, WRAPPINGKEY,
					     HVPROVISIONED };

	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(policies); p++) {
		for (size_t n = 0; n < ARRAY_SIZE(passwords); n++) {
			size_t found = 0;

			for (size_t i = 0; i < ARRAY_SIZE(accesses); i++)
				found += accesses[i].policy == policies[p] && accesses[i].set == passwords[n].set &&
					 accesses[i].given == passwords[n].given;
			assert_true(found >= 1);
		}
	}
}

static void every_access(void **state)
{
	struct world *w = *state;

	assert_int_equal(world_resize(w, false, 4096), 0);
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
	{ IMMUTABLE, false, OFF, 0 },
	{ TRANSIENT, false, OFF, 0 },
	{ IMMUTABLE | TRANSIENT | WORLD, true, OFF, 0 },
	{ PWSET, false, OFF, EPERM },
	{ PWSET, true, OFF, 0 },
	{ AUDIT, false, OFF, EPERM },
	{ AUDIT, false, AUDITS, 0 },
	{ ENFORCE, false, AUDITS, EPERM },
	{ ENFORCE, false, ENFORCES, 0 },
	{ ENFORCE, false, UNKNOWN, EPERM },
	{ SIGNEDUPDATE, false, OFF, EOPNOTSUPP },
	{ SIGNEDUPDATE | WORLD, false, OFF, EOPNOTSUPP },
	{ SIGNEDUPDATE | WRAPPINGKEY, false, OFF, EOPNOTSUPP },
	{ WRAPPINGKEY, false, OFF, EINVAL },
	{ HVPROVISIONED, false, OFF, EINVAL },
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
	{ IMMUTABLE, 0, false, NONE, OFF, 0, EPERM },
	{ IMMUTABLE | AUDIT, 0, false, NONE, OFF, EPERM, EPERM },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_matrix_is_whole), WORLD_TEST(every_access), WORLD_TEST(every_creation), WORLD_TEST(every_use),
		WORLD_TEST(as_another_is),
		WORLD_TEST(the_earlier_reason_is_told),
	};

	return cmocka_run_group_tests_name("pks-access", tests, NULL, NULL);
}
