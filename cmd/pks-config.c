// SPDX-License-Identifier: MIT
#include "pks.h"
#include "wrap-params.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct opts {
	char *store, *size, *add_slot, *remove_slot, *passphrase_file, *anchor;
	struct wrap_options must;	/* to open a slot of the TPM */
	bool replace, power11, create, remove, counter, no_counter;
};
CMD_OPTS(struct opts);

enum { SIZE_LIMIT = 1 << 30 };		/* what is surely no size */

static const char *const slots[] = { "plain", "passphrase", "tpm2", NULL };
static const char *const removable[] = { "plain", "anchor", "passphrase", "tpm2", "tsk", NULL };

static const struct opt opts[] = {
	OPT_STR(struct opts, size, "size", 0, "SIZE", "Make it so large, in bytes or, with K, KiB; 0 disables it"),
	OPT_FLAG(struct opts, power11, "power11", 0, "Let it be larger than 64K, as on Power11"),
	OPT_FLAG(struct opts, create, "create", 0, "Make the keystore that --store names"),
	OPT_FLAG(struct opts, remove, "remove", 0, "Remove it, if it is disabled"),
	OPT_STR(struct opts, add_slot, "add-slot", 0, "SLOT", "Add a way to open the keystore: plain, passphrase, tpm2",
		.choices = slots),
	OPT_STR(struct opts, remove_slot, "remove-slot", 0, "SLOT", "Remove one of them, anchor or tsk, but never the last",
		.choices = removable),
	OPT_STR(struct opts, anchor, "anchor", 0, "FILE", "Add an anchor: FILE, on another disk, opens the keystore",
		.complete = COMPLETE_FILE),
	OPT_FLAG(struct opts, counter, "counter", 0, "Refuse older states of it, by a counter in the TPM"),
	OPT_FLAG(struct opts, no_counter, "no-counter", 0, "Give that up"),
	OPT_FLAG(struct opts, replace, "replace", 0, "Let --add-slot or --anchor overwrite a slot: a new passphrase"),
	OPT_STR(struct opts, passphrase_file, "passphrase-file", 0, "FILE", "The new passphrase ('-': standard input)",
		.complete = COMPLETE_FILE),
	WRAP_OPTS_TPM(struct opts, must, "pcr-values"),
	PKS_OPT_STORE(struct opts, store),
	{ 0 }
};

static bool is_passphrase(const char *slot)
{
	return !strcmp(slot, "passphrase");
}

static const char *added(const struct opts *o)
{
	return o->anchor ? "anchor" : o->add_slot;
}

static int add(struct hwkey *hw, const struct opts *o, const struct device *dev, const struct store_ops *ops, struct err *e)
{
	AUTO_WRAP_GIVEN struct wrap_given must = { 0 };
	AUTO_SECRET struct secret given = { 0 };
	int r = wrap_given_take(hw, &o->must, &must, e);

	if (r < 0)
		return r;
	if (o->anchor)
		r = secret_copy(&given, o->anchor, strlen(o->anchor) + 1, e);
	else if (is_passphrase(o->add_slot))
		r = pks_new_passphrase(hw, o->passphrase_file, "hwkey.pks-new-passphrase",
				       "New passphrase of the keystore:", &given, e);
	if (r < 0)
		return r;
	r = ops->slot_add(dev, added(o), &given, &must.params, o->replace, e);
	return r == -EEXIST ? err_hint(e, "--replace overwrites it") : r;
}

static int change(struct hwkey *hw, const struct opts *o, const struct device *dev, const struct store_ops *ops,
		  struct err *e)
{
	struct err dropped;
	struct store_info info;
	int r = 0;

	if (!ops->slot_add)
		return err_set(e, EOPNOTSUPP, "keystore '%s' has no slots to choose from", dev->id);
	if (added(o))
		r = add(hw, o, dev, ops, e);
	if (r == 0 && o->remove_slot)
		r = ops->slot_remove(dev, o->remove_slot, e);
	if (r == 0 && ops->info(dev, &info, &dropped) == 0)
		note(&hw->env, "protection: %s", info.protection);	/* which may be another one now */
	return r;
}

/* "65536" or "64K". */
static int parse_size(const char *text, size_t *ret, struct err *e)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || errno || n > SIZE_LIMIT || (*end && strcasecmp(end, "K") != 0))
		return err_set(e, EINVAL, "'%.20s' is not a size: a number of bytes, or of KiB with a K", text);
	*ret = *end ? n * 1024 : n;
	return 0;
}

static int resize(struct hwkey *hw, const struct opts *o, const struct device *dev, const struct store_ops *ops,
		  struct err *e)
{
	struct store_info info;
	struct err dropped;
	size_t size = 0;
	int r = o->size ? parse_size(o->size, &size, e) : 0;

	if (r == 0 && !ops->resize)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' has a size of its own", dev->id);
	if (r == 0)
		r = ops->resize(dev, o->power11, o->size ? &size : NULL, e);
	if (r == 0 && ops->info(dev, &info, &dropped) == 0 && info.pending)
		note(&hw->env, "the size of %zu bytes counts from the next boot on", info.pending);
	return r;
}

/* Beside the first of the backend that has such: no name is that of another backend's device. */
static int create(struct hwkey *hw, const struct opts *o, struct err *e)
{
	const struct store_ops *ops;
	struct device *dev;
	size_t size = 0;
	int r = o->size ? parse_size(o->size, &size, e) : 0;

	if (r == 0)
		r = pks_open(hw, "local", &dev, &ops, e);
	if (r == 0 && !ops->create)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' is the only one", dev->id);
	for (const struct device *d = hw->devices; r == 0 && d; d = d->next)
		if (d->backend != dev->backend && !strcmp(d->id, o->store))
			r = err_set(e, EEXIST, "device '%s' (%s) has that name", d->id, d->backend->name);
	return r < 0 ? r : ops->create(dev, o->store, o->power11, o->size ? &size : NULL, e);
}

static int destroy(struct hwkey *hw, const struct opts *o, struct err *e)
{
	const struct store_ops *ops;
	struct device *dev;
	int r = pks_open(hw, o->store, &dev, &ops, e);

	if (r == 0 && !ops->destroy)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' is always there", dev->id);
	return r < 0 ? r : ops->destroy(dev, e);
}

static int check(const struct hwkey *hw, const struct opts *o, struct err *e)
{
	if (!added(o) && o->replace)
		return err_set(e, EINVAL, "--replace goes with --add-slot or --anchor");
	if (o->add_slot && o->anchor)
		return err_set(e, EINVAL, "--add-slot and --anchor exclude each other");
	if (o->passphrase_file && (!o->add_slot || !is_passphrase(o->add_slot)))
		return err_set(e, EINVAL, "--passphrase-file goes with --add-slot=passphrase");
	if (wrap_options_of_tpm(&o->must) && (!o->add_slot || strcmp(o->add_slot, "tpm2") != 0))
		return err_set(e, EINVAL, "what must hold to open it is said with --add-slot=tpm2");
	if (added(o) && o->remove_slot && !strcmp(added(o), o->remove_slot))
		return err_set(e, EINVAL, "slot '%s' cannot be added and removed at once", added(o));
	if ((o->create || o->remove) && !o->store)
		return err_set(e, EINVAL, "--create and --remove need --store");
	if (o->remove && (o->create || o->size || o->power11))
		return err_set(e, EINVAL, "--remove stands alone");
	if (o->counter && o->no_counter)
		return err_set(e, EINVAL, "--counter and --no-counter exclude each other");
	if ((o->counter || o->no_counter) &&
	    (o->size || o->power11 || o->create || o->remove || added(o) || o->remove_slot || shows_asked(&hw->out)))
		return err_set(e, EINVAL, "--counter and --no-counter stand alone");
	if ((o->size || o->power11 || o->create || o->remove) && (added(o) || o->remove_slot || shows_asked(&hw->out)))
		return err_set(e, EINVAL, "--size, --power11, --create, --remove go with no other change, show nothing");
	if ((added(o) || o->remove_slot) && shows_asked(&hw->out))
		return err_set(e, EINVAL, "--add-slot, --anchor and --remove-slot show nothing: leave out --json, --output "
			       "and the like");
	return 0;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	const struct store_ops *ops;
	struct device *dev;
	int r = check(hw, o, e);

	(void)args;
	if (r == 0)
		r = wrap_options_check(&o->must, e);
	if (r == 0 && o->create)
		return create(hw, o, e);
	if (r == 0 && o->remove)
		return destroy(hw, o, e);
	if (r == 0)
		r = pks_open(hw, o->store, &dev, &ops, e);
	if (r < 0)
		return r;
	if (o->size || o->power11)
		return resize(hw, o, dev, ops, e);
	if (o->counter || o->no_counter)
		return ops->counter ? ops->counter(dev, o->counter, e)
				    : err_set(e, EOPNOTSUPP, "keystore '%s' has no counter to choose", dev->id);
	return added(o) || o->remove_slot ? change(hw, o, dev, ops, e) : pks_show_info(hw, dev, ops, e);
}

const struct cmd cmd_pks_config = {
	.name = "pks-config",
	.synopsis = "",
	.summary = "Show the platform keystore, change its size or what opens it",
	.opts = opts,
	.needs = NEED_DEVICES | SHOWS,
	.run = run,
};
