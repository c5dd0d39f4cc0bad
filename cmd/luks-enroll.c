// SPDX-License-Identifier: MIT
#include "luks.h"
#include "wrap-params.h"

struct enroll {
	struct wrap_options must;
	char *header, *key_file, *replace;
	bool ask;
};
CMD_OPTS(struct enroll);

static const struct opt opts[] = {
	OPT_STR(struct enroll, replace, "replace", 0, "NAME", "Remove the keyslot of key NAME when the new one is proven",
		.complete = COMPLETE_KEY),
	WRAP_OPTS_TPM(struct enroll, must, "pcr-values"),
	KEY_FILE_OPT(struct enroll),
	ASK_OPT(struct enroll),
	HEADER_OPT(struct enroll),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_WRAP_GIVEN struct wrap_given given = { 0 };
	AUTO_VOLUME_KEY struct volume_key key = { 0 };
	AUTO_VOLUME struct volume v = { 0 };
	const struct enroll *o = values;
	int r = wrap_options_check(&o->must, e);

	if (r == 0)
		r = volume_prepare(hw, o->key_file, o->ask, &v, e);
	if (r == 0)
		r = volume_open(&v, args->argv[0], o->header, e);
	if (r == 0)
		r = volume_key_load(hw, args->argv[1], &key, e);
	if (r == 0)
		r = volume_key_must(hw, &key, &o->must, &given, e);
	if (r == 0)
		r = v.ops->enroll(v.luks, &v.auth, &key.luks, o->replace, e);
	if (r == 0)
		volume_advise(&v, args->argv[0]);
	return r;
}

const struct cmd cmd_luks_enroll = {
	.name = "luks-enroll",
	.synopsis = "VOLUME NAME",
	.summary = "Let a key open a LUKS2 volume, or renew its keyslot",
	.opts = opts,
	.min_args = 2, .max_args = 2,
	.complete = { COMPLETE_VOLUME, COMPLETE_KEY },
	.needs = NEED_DEVICES | NEED_REPO,
	.run = run,
};
