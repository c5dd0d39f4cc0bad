// SPDX-License-Identifier: MIT
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct values { char *description, *volumes, *apqns, *sector_size, *volume_type, *device; bool xts; };
CMD_OPTS(struct values);

static const struct opt opts[] = {
	OPT_STR(struct values, description, "description", 'D', "TEXT", "What the key is for"),
	OPT_STR(struct values, volumes, "volumes", 'l', "VOL:DM,...", "The volumes it unlocks",
		.complete = COMPLETE_VOLUME),
	OPT_STR(struct values, apqns, "apqns", 'a', "CARD.DOMAIN,...", "The crypto domains of a CCA or EP11 key"),
	OPT_STR(struct values, sector_size, "sector-size", 'S', "BYTES",
		"Sector size of its volumes: 512, 1024, 2048, 4096; 0 (default): the system's", .choices = sector_sizes),
	OPT_STR(struct values, volume_type, "volume-type", 0, "TYPE", "luks2 (default) or plain",
		.choices = volume_types),
	OPT_STR(struct values, device, "device", 'd', "ID", "The TPM of a key that another program had it seal",
		.complete = COMPLETE_DEVICE),
	OPT_FLAG(struct values, xts, "xts", 'x', "What that sealed are two keys, for XTS"),
	{ 0 }
};

/* What another program sealed becomes a key of hwkey's own, which its TPM has opened: PATTERN is known then. */
static int take_foreign(struct hwkey *hw, const struct values *o, struct blob *token, char pattern[65], struct err *e)
{
	AUTO_BLOB struct blob text = TAKE(*token);
	const struct backend_ops *ops;
	struct device *dev;
	int r = device_enumerate_backend(&hw->env, "tpm2", &hw->devices, e);

	if (r == 0 && o->device)
		r = device_select(hw->devices, ROLE_KEY, o->device, &dev, e);
	else if (r == 0)
		r = device_of_backend(hw->devices, "tpm2", &text, &dev, e);
	if (r == 0)
		r = backend_ops(dev, &ops, e);
	if (r == 0 && !ops->key->import)
		r = err_set(e, EINVAL, "device '%s' takes no keys of other programs", dev->id);
	if (r == 0)
		r = ops->key->import(dev, &(struct key_params){ .xts = o->xts }, &text, token, e);
	return r < 0 ? r : ops->key->pattern(dev, token, pattern, e);
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct values *o = values;
	struct entry_about about = { .description = o->description, .volumes = o->volumes, .apqns = o->apqns,
					   .sector_size = o->sector_size, .volume_type = o->volume_type };
	AUTO_ENTRY struct entry entry = { 0 };
	AUTO_BLOB struct blob token = { 0 };
	char pattern[65];
	struct key key;
	int r = read_plain_file(args->argv[1], TOKEN_MAX, &token, e);

	if (r < 0)
		return r;
	if (key_is_foreign(token.data, token.len)) {
		about.pattern = pattern;
		r = take_foreign(hw, o, &token, pattern, e);
	} else if (o->device || o->xts) {
		return err_set(e, EINVAL, "'%s' is not of another program: it is taken as it is", args->argv[1]);
	}
	if (r == 0)
		r = key_parse(token.data, token.len, &key, e);
	if (r < 0)
		return err_prefix(e, "'%s'", args->argv[1]);
	r = entry_init(&entry, args->argv[0], &key, &about, e);
	if (r == 0)
		r = blob_copy(&entry.token, token.data, token.len, e);
	if (r == 0)
		r = repo_open(&hw->repo, hw->repo_path, REPO_WRITE | REPO_CREATE, e);	/* standard input has come */
	if (r == 0 && o->volumes)
		r = repo_check_volumes(&hw->repo, entry.name, o->volumes, e);
	return r < 0 ? r : repo_add(&hw->repo, &entry, e);
}

const struct cmd cmd_import = {
	.name = "import",
	.synopsis = "NAME FILE",
	.summary = "Add a secure key from a file, or one that another program had a TPM seal, to the repository",
	.opts = opts,
	.min_args = 2, .max_args = 2,
	.complete = { COMPLETE_NONE, COMPLETE_FILE },
	.run = run,
};
