// SPDX-License-Identifier: MIT
#include "pks.h"

#include <stdio.h>

struct opts { char *store; bool info; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_FLAG(struct opts, info, "info", 0, "Show the keystore itself: identity, protection, space"),
	PKS_OPT_STORE(struct opts, store),
	{ 0 }
};

static const struct column columns[] = {
	{ "CONSUMER", OUT_STRING, false }, { "LABEL", OUT_STRING, false }, { "POLICY", OUT_LIST, false },
	{ "SIZE", OUT_NUMBER, false }, { "GENERATION", OUT_NUMBER, false },
	{ "STATE", OUT_STRING, false }, { "ID", OUT_STRING, true }, { 0 }
};

static const char *const states[] = {
	[WRAPPING_CURRENT] = "current", [WRAPPING_OLD] = "old", [WRAPPING_ACTIVE] = "active",
	[WRAPPING_REVOKED] = "revoked",
};

static int show(struct out *out, const struct object *o, struct err *e)
{
	char label[4 * LABEL_MAX + 1], policy[256], size[24], generation[24], id[2 * sizeof(o->wrapping_id) + 1];

	pks_label_format(o->label, o->label_len, label);
	pks_policy_format(o->policy, '\n', policy, sizeof(policy));
	hex_encode(o->wrapping_id, sizeof(o->wrapping_id), id);
	(void)snprintf(size, sizeof(size), "%zu", o->size);
	(void)snprintf(generation, sizeof(generation), "%llu", (unsigned long long)o->generation);
	return out_row(out, (const char *const[]){ pks_consumer_name(o->consumer), label, policy[0] ? policy : NULL,
						   o->wrapping ? NULL : size, generation, states[o->wrapping],
						   o->wrapping ? id : NULL }, e);
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	AUTO_FREE struct object *list = NULL;
	AUTO_OUT struct out *out = NULL;
	const struct store_ops *ops;
	struct store_info info;
	struct err dropped;
	struct device *dev;
	size_t n = 0;
	int r = pks_open(hw, o->store, &dev, &ops, e);

	(void)args;
	if (r == 0 && o->info)
		return pks_show_info(hw, dev, ops, e);
	if (r == 0)
		r = ops->list(dev, &list, &n, e);
	if (r == 0 && !hw->quiet && ops->info(dev, &info, &dropped) == 0)
		note(&hw->env, "protection: %s", info.protection);
	if (r == 0)
		r = out_open(&out, "objects", columns, &hw->out, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = show(out, &list[i], e);
	return r < 0 ? r : out_print(out, e);
}

const struct cmd cmd_pks_list = {
	.name = "pks-list",
	.synopsis = "",
	.summary = "List the objects of the platform keystore",
	.opts = opts,
	.needs = NEED_DEVICES | SHOWS,
	.run = run,
};
