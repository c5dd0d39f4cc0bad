// SPDX-License-Identifier: MIT
#include "erase.h"

#include <errno.h>
#include <string.h>

#include "lib/presence.h"

/* Of the keys of the repository that are nothing without the keystore, each with its volumes. */
static int each_key(struct hwkey *hw, int (*see)(void *ctx, const char *name, const char *volumes, struct err *e),
		    void *ctx, struct err *e)
{
	AUTO_FREE char **names = NULL;
	size_t n = 0;
	int r = repo_names(&hw->repo, &names, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		AUTO_ENTRY struct entry entry = { 0 };
		struct err dropped;
		struct key key;

		if (repo_read_info(&hw->repo, names[i], &entry, &dropped) == 0 &&
		    key_parse(entry.token.data, entry.token.len, &key, &dropped) == 0 && key.type == KEY_LOCAL)
			r = see(ctx, names[i], props_get(&entry.props, "volumes") ?: "", e);
	}
	return r;
}

static int see_lost(void *ctx, const char *name, const char *volumes, struct err *e)
{
	const struct hwkey *hw = ctx;

	(void)e;
	warn(&hw->env, "key '%s' never opens again%s%s", name, *volumes ? ", nor does what only it opens: " : "", volumes);
	return 0;
}

/* Which is what keeps a new keystore from being made. */
static int see_left(void *ctx, const char *name, const char *volumes, struct err *e)
{
	(void)volumes;
	return erase_tell(ctx, e, ERASE_NEXT, name,
			  "nothing opens this key: 'hwkey remove %s', before a new keystore is made", name);
}

/* The keystore, and the others under its root key. */
static bool is_lost(const struct device *d, const struct pks_erasure *p)
{
	return d->backend == p->dev->backend && d->roles & ROLE_STORE;
}

/* As far as they open without a question. */
static void tell_objects(struct hwkey *hw, const struct pks_erasure *p)
{
	int (*ask)(const struct env *, const char *, const char *, struct secret *, struct err *) = hw->env.ask;
	struct store_info info;
	struct err dropped;

	hw->env.ask = NULL;
	for (const struct device *d = hw->devices; d; d = d->next) {
		const char *sealed = d == p->dev ? ", and all sealed data," : "";

		if (!is_lost(d, p))
			continue;
		if (p->ops->info(d, &info, &dropped) == 0)
			warn(&hw->env, "%zu object%s of keystore '%s'%s never open again", info.objects,
			     info.objects == 1 ? "" : "s", d->id, sealed);
		else
			warn(&hw->env, "all objects of keystore '%s'%s never open again", d->id, sealed);
	}
	hw->env.ask = ask;
}

int erase_pks_check(struct hwkey *hw, struct pks_erasure *p, struct err *e)
{
	int r = pks_open(hw, NULL, &p->dev, &p->ops, e);

	if (r == 0 && !p->ops->erase)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' cannot be erased from here", p->dev->id);
	if (r == 0)
		r = p->ops->erase(p->dev, p->flags | ERASE_CHECK, &p->found, e);
	if (r < 0 || p->found.begun)	/* what is there opens nothing any more */
		return r;
	r = presence_check(&hw->env, e);
	if (r == 0)
		r = each_key(hw, see_lost, hw, e);
	if (r == 0)
		tell_objects(hw, p);
	if (r == 0 && p->found.anchor[0])
		warn(&hw->env, "its anchor '%s' goes, too: a copy of the keystore that needs it never opens again",
		     p->found.anchor);
	return r;
}

/* The others have gone the same way, or will. */
static int tell_others(const struct hwkey *hw, const struct pks_erasure *p, bool done, struct report *out, struct err *e)
{
	int r = 0;

	for (const struct device *d = hw->devices; r == 0 && d; d = d->next)
		if (d != p->dev && is_lost(d, p))
			r = done ? erase_tell(out, e, ERASE_GONE, d->id, "its data, overwritten and removed")
				 : erase_tell(out, e, ERASE_NEXT, d->id, "its data go with those of the first keystore");
	return r;
}

/* Firmware's own keystore has no door to here. */
static int tell_platform(const struct hwkey *hw, struct report *out, struct err *e)
{
	int r = 0;

	for (const struct device *d = hw->devices; r == 0 && d; d = d->next)
		if (!strcmp(d->backend->name, "plpks"))
			r = erase_tell(out, e, ERASE_REMAINS, d->id,
				       "the machine's own keystore: 'Clear All' in the menus of "
				       "its service processor, power off, then 'Reset server firmware settings'");
	return r;
}

int erase_pks(struct hwkey *hw, const struct pks_erasure *p, struct report *out, struct err *e)
{
	const char *dir = hw->env.pks_dir;
	struct store_erased now = p->found;
	int r = p->ops->erase(p->dev, p->flags, &now, e);

	if (r < 0)
		return r;
	r = erase_tell(out, e, ERASE_GONE, "root key", "every slot in '%s', overwritten and removed", dir);
	if (r == 0 && now.done)
		r = erase_tell(out, e, ERASE_GONE, "keystore", "its data in '%s', overwritten and removed", dir);
	else if (r == 0)
		r = erase_tell(out, e, ERASE_NEXT, "keystore", "its data, which nothing opens, go in a later boot: "
			       "reboot, then 'hwkey secure-erase --pks' again");
	if (r == 0 && now.anchor[0])
		r = now.left ? erase_tell(out, e, ERASE_REMAINS, now.anchor, "the anchor, which could not be reached: "
					  "without a copy of its slot it opens nothing")
			     : erase_tell(out, e, ERASE_GONE, now.anchor, "the anchor, overwritten and removed");
	if (r == 0)
		r = tell_others(hw, p, now.done, out, e);
	if (r == 0)
		r = each_key(hw, see_left, out, e);
	if (r == 0)
		r = erase_tell(out, e, ERASE_REMAINS, "backups", "backups, exports and root-key slots that are kept "
			       "elsewhere, and their keys");
	return r < 0 ? r : tell_platform(hw, out, e);
}
