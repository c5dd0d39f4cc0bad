// SPDX-License-Identifier: MIT
#include "new-key.h"

#include <errno.h>
#include <string.h>

int new_key_device(struct hwkey *hw, const struct new_key *o, struct device **ret_dev, const struct key_ops **ret_ops,
		   struct key_params *ret_params, struct wrap_given *given, struct err *e)
{
	const struct backend_ops *ops;
	int r = wrap_device(hw, ROLE_KEY, o->type, o->device, &o->must, ret_dev, e);

	if (r == 0 && o->bits && o->bits != 128 && o->bits != 192 && o->bits != 256)
		r = err_set(e, EINVAL, "--bits is 128, 192 or 256, not %u", o->bits);
	if (r == 0 && o->xts && o->bits == 192)
		r = err_set(e, EINVAL, "there is no XTS with keys of 192 bits");
	if (r == 0)
		r = backend_ops(*ret_dev, &ops, e);
	if (r == 0)
		r = wrap_given_take(hw, &o->must, given, e);
	if (r < 0)
		return r;
	*ret_ops = ops->key;
	*ret_params = (struct key_params){
		.wrap = given->params,
		.type = o->type ? o->type : (*ret_dev)->backend->key_types[0],
		.bits = o->bits ? o->bits : 256,
		.xts = o->xts,
	};
	return 0;
}

static int make_entry(const struct new_key *o, const char *name, const struct key *key, const char *pattern,
		      struct entry *ret, struct err *e)
{
	const struct entry_about about = {
		.description = o->description, .volumes = o->volumes, .volume_type = o->volume_type,
		.pattern = pattern, .sector_size = o->sector_size,
	};

	return entry_init(ret, name, key, &about, e);
}

static int fill_entry(const struct new_key *o, const char *name, const char *pattern, const struct blob *token,
		      struct entry *ret, struct err *e)
{
	struct key key;
	int r = key_parse(token->data, token->len, &key, e);

	if (r == 0)
		r = make_entry(o, name, &key, pattern, ret, e);
	return r < 0 ? r : blob_copy(&ret->token, token->data, token->len, e);
}

static int check_in_repo(struct hwkey *hw, const struct new_key *o, const char *name, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };
	int r = repo_read_info(&hw->repo, name, &entry, e);

	if (r == 0)
		return err_set(e, EEXIST, "key '%s' exists already", name);
	if (r != -ENOENT)
		return r;
	return o->volumes ? repo_check_volumes(&hw->repo, name, o->volumes, e) : 0;
}

int new_key_check(struct hwkey *hw, const struct new_key *o, const char *name, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };
	int r = wrap_options_check(&o->must, e);

	if (r == 0)
		r = make_entry(o, name, &(struct key){ .type = KEY_LOCAL }, NULL, &entry, e);
	if (r == 0)
		r = repo_open(&hw->repo, hw->repo_path, 0, e);
	if (r == 0)
		r = check_in_repo(hw, o, name, e);
	repo_done(&hw->repo);
	return r;
}

int new_key_store(struct hwkey *hw, const struct new_key *o, const char *name, struct device *dev,
		  const struct key_ops *ops, const struct blob *token, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };
	char pattern[65];
	struct key_state state;
	int r = ops->pattern ? ops->pattern(dev, token, pattern, e) : ops->verify(dev, token, &state, e);

	if (r == 0)
		r = fill_entry(o, name, ops->pattern ? pattern : NULL, token, &entry, e);
	if (r == 0)
		r = repo_open(&hw->repo, hw->repo_path, REPO_WRITE | REPO_CREATE, e);
	if (r == 0 && o->volumes)
		r = repo_check_volumes(&hw->repo, name, o->volumes, e);
	if (r == 0)	/* it may have been revoked since: pks-remove looks for keys under the same lock */
		r = ops->verify(dev, token, &state, e);
	if (r == 0)
		r = repo_add(&hw->repo, &entry, e);
	if (r == 0 && !o->type)
		note(&hw->env, "key type '%s' on device '%s'", dev->backend->key_types[0], dev->id);
	return r;
}
