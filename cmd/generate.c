// SPDX-License-Identifier: MIT
#include "new-key.h"

struct generate {
	struct new_key key;
};
CMD_OPTS(struct generate);

static const struct opt opts[] = {
	NEW_KEY_OPTS(struct generate),
	OPT_U32(struct generate, key.bits, "bits", 'k', "BITS", "Size of the key: 128, 192 or 256 (default)"),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct generate *o = values;
	AUTO_WRAP_GIVEN struct wrap_given given = { 0 };
	AUTO_BLOB struct blob token = { 0 };
	const struct key_ops *ops;
	struct key_params params;
	struct device *dev;
	int r = new_key_check(hw, &o->key, args->argv[0], e);

	if (r == 0)
		r = new_key_device(hw, &o->key, &dev, &ops, &params, &given, e);
	if (r == 0)
		r = ops->generate(dev, &params, &token, e);
	return r < 0 ? r : new_key_store(hw, &o->key, args->argv[0], dev, ops, &token, e);
}

const struct cmd cmd_generate = {
	.name = "generate",
	.synopsis = "NAME",
	.summary = "Generate a key inside a trust source and store it in the repository",
	.opts = opts,
	.min_args = 1, .max_args = 1,
	.needs = NEED_DEVICES,
	.run = run,
};
