// SPDX-License-Identifier: MIT
#include "new-key.h"

#include <errno.h>

struct wrap {
	struct new_key key;
};
CMD_OPTS(struct wrap);

enum { CLEAR_MAX = 64 };	/* bytes: an XTS pair of 256 bits each */

static const struct opt opts[] = {
	NEW_KEY_OPTS(struct wrap),
	{ 0 }
};

static int set_bits(const struct secret *clear, struct key_params *p, struct err *e)
{
	size_t one = p->xts ? clear->len / 2 : clear->len;

	if (p->xts ? clear->len != 32 && clear->len != 64 : one != 16 && one != 24 && one != 32)
		return err_set(e, EINVAL, "a clear key has 16, 24 or 32 bytes, with --xts 32 or 64; this one has %zu",
			       clear->len);
	p->bits = (unsigned)one * 8;
	return 0;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct wrap *o = values;
	AUTO_SECRET struct secret clear = { 0 };
	AUTO_WRAP_GIVEN struct wrap_given given = { 0 };
	AUTO_BLOB struct blob token = { 0 };
	const struct key_ops *ops;
	struct key_params params;
	struct device *dev;
	int r = new_key_check(hw, &o->key, args->argv[0], e);

	if (r == 0)
		r = read_secret_file(args->argv[1], CLEAR_MAX, &clear, e);
	if (r == 0)
		r = new_key_device(hw, &o->key, &dev, &ops, &params, &given, e);
	if (r == 0)
		r = set_bits(&clear, &params, e);
	if (r == 0 && !ops->wrap)
		r = err_set(e, EOPNOTSUPP, "device '%s' takes no key from outside", dev->id);
	if (r == 0)
		r = ops->wrap(dev, &params, &clear, &token, e);
	return r < 0 ? r : new_key_store(hw, &o->key, args->argv[0], dev, ops, &token, e);
}

const struct cmd cmd_wrap = {
	.name = "wrap",
	.synopsis = "NAME FILE",
	.summary = "Bring an existing clear key under a trust source and store it in the repository",
	.opts = opts,
	.min_args = 2, .max_args = 2,
	.complete = { COMPLETE_NONE, COMPLETE_FILE },
	.needs = NEED_DEVICES,
	.run = run,
};
