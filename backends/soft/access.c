// SPDX-License-Identifier: MIT
#include "access.h"

#include <errno.h>

#include "keys.h"
#include "lib/err.h"
#include "lib/pks-policy.h"
#include "lib/sysroot.h"

static int refuse(struct err *e, const char *policy, const char *why)
{
	return err_set(e, EPERM, "policy '%s': %s", policy, why);
}

static int check_secure_boot(const struct store *s, uint32_t policy, struct err *e)
{
	static const char *const states[] = {
		[SECURE_BOOT_UNKNOWN] = "cannot tell whether secure boot is on", [SECURE_BOOT_OFF] = "secure boot is off",
		[SECURE_BOOT_AUDIT] = "secure boot only audits", [SECURE_BOOT_ENFORCE] = "secure boot is enforced",
	};
	const char *name = policy & POLICY_OSSECBOOTENFORCE ? "ossecbootenforce" : "ossecbootaudit", *why;
	enum secure_boot state = secure_boot_read(s->dev->env, &why);

	if (state == SECURE_BOOT_ENFORCE || (state == SECURE_BOOT_AUDIT && !(policy & POLICY_OSSECBOOTENFORCE)))
		return 0;
	return err_set(e, EPERM, "policy '%s': %s (%s)", name, states[state], why);
}

int access_policy(const struct store *s, enum consumer c, uint32_t policy, struct err *e)
{
	if (policy & POLICY_PWSET && s->boot.consumers[c].password == PASSWORD_NULL)
		return err_set(e, EPERM, "policy 'pwset': consumer '%s' has set no password in this boot",
			       pks_consumer_name(c));
	if (policy & (POLICY_OSSECBOOTAUDIT | POLICY_OSSECBOOTENFORCE))
		return check_secure_boot(s, policy, e);
	return 0;
}

int access_wrapping(const struct store *s, uint32_t policy, struct err *e)
{
	int r = 0;

	if (policy & POLICY_PWSET && s->boot.unknown)
		return refuse(e, "pwset", "the state of this boot is damaged, so whether a password is set cannot be told");
	if (policy & POLICY_PWSET)
		r = access_password(s, CONSUMER_OS, e);
	return r < 0 ? r : access_policy(s, CONSUMER_OS, policy, e);
}

int access_lock(const struct store *s, enum consumer c, struct err *e)
{
	if (s->boot.consumers[c].locked)
		return err_set(e, EPERM, "objects of consumer '%s' are locked until the next boot", pks_consumer_name(c));
	return 0;
}

static int check_wrapping_key(enum access what, const struct object_name *n, const struct record *key, struct err *e)
{
	if (what == ACCESS_REVOKE && wrapping_is_current(n))
		return err_set(e, EBUSY, "is the keystore's current wrapping key: 'hwkey rewrap --to-new' makes it an old "
			       "one");
	if (what == ACCESS_READ)
		return refuse(e, "wrappingkey", "nobody can read it");
	if (what == ACCESS_WRITE || (what == ACCESS_REMOVE && !key->revoked))
		return refuse(e, "wrappingkey", "is a wrapping key, and in use: 'hwkey pks-genkey --revoke' comes first");
	return 0;
}

/* What no password opens. OBJECT may be NULL. */
static int check_kind(enum access what, const struct object_name *n, const struct record *object, struct err *e)
{
	uint32_t old = object ? object->policy : 0;
	bool changes = what != ACCESS_READ;

	if (changes && old & POLICY_IMMUTABLE)
		return refuse(e, "immutable", "can be neither overwritten nor removed");
	if (changes && old & POLICY_SIGNEDUPDATE)
		return refuse(e, "signedupdate", "only a signed update changes it, and here none is taken");
	if (what == ACCESS_WRITE && wrapping_owns_label(n))
		return err_set(e, EPERM, "label is kept for wrapping keys");
	if (old & POLICY_WRAPPINGKEY)
		return check_wrapping_key(what, n, object, e);
	return what == ACCESS_REVOKE ? err_set(e, EINVAL, "is no wrapping key") : 0;
}

int access_object(const struct store *s, enum access what, const struct object_name *n, const struct record *object,
		  uint32_t policy, struct err *e)
{
	int r = 0;

	if (what != ACCESS_READ || !object || !(object->policy & POLICY_WORLDREADABLE))
		r = access_password(s, n->consumer, e);
	if (r == 0 && !object && what != ACCESS_WRITE)
		return store_misses(s, e);
	if (r == 0)
		r = access_policy(s, n->consumer, policy, e);
	if (r == 0)
		r = check_kind(what, n, object, e);
	return r < 0 ? r : access_lock(s, n->consumer, e);
}

int access_all(const struct store *s, struct err *e)
{
	int r = 0;

	for (int c = CONSUMER_FIRMWARE; r == 0 && c <= CONSUMER_OS; c++) {
		r = access_lock(s, (enum consumer)c, e);
		if (r == 0 && s->boot.consumers[c].password != PASSWORD_NULL)
			r = access_password(s, (enum consumer)c, e);
	}
	return r;
}
