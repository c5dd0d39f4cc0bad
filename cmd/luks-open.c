// SPDX-License-Identifier: MIT
#include "luks.h"
#include "wrap-params.h"

#include <errno.h>
#include <stdio.h>

struct open {
	char *header, *key_file, *key, *pcr_signature;
	bool ask, test, readonly;
};
CMD_OPTS(struct open);

static const struct opt opts[] = {
	OPT_FLAG(struct open, test, "test", 0, "Only try every keyslot and say what opens it"),
	OPT_STR(struct open, key, "key", 0, "NAME", "Open by key NAME of the repository, not by tokens",
		.complete = COMPLETE_KEY),
	OPT_FLAG(struct open, readonly, "readonly", 0, "Map the volume read-only"),
	PCR_SIGNATURE_OPT(struct open),
	KEY_FILE_OPT(struct open),
	ASK_OPT(struct open),
	HEADER_OPT(struct open),
	{ 0 }
};

static const struct column columns[] = {
	{ "SLOT", OUT_NUMBER, false }, { "TOKEN", OUT_NUMBER, false }, { "TYPE", OUT_STRING, false },
	{ "NAME", OUT_STRING, false }, { "OPENS", OUT_BOOL, false }, { "REMARK", OUT_STRING, false }, { 0 }
};

static int show(void *ctx, const struct luks_row *row, struct err *e)
{
	char slot[12], token[12];

	(void)snprintf(slot, sizeof(slot), "%d", row->slot);
	(void)snprintf(token, sizeof(token), "%d", row->token);
	return out_row(ctx, (const char *const[]){ slot, row->token < 0 ? NULL : token, row->type, row->name,
						   row->result >= 0 ? "1" : "0", row->result >= 0 ? NULL : row->what }, e);
}

static int test(struct hwkey *hw, struct volume *v, struct err *e)
{
	AUTO_OUT struct out *out = NULL;
	struct err print = { 0 };
	int r = out_open(&out, "keyslots", columns, &hw->out, e);

	if (r < 0)
		return r;
	r = v->ops->test(v->luks, &v->auth, &(struct luks_see){ show, out }, e);
	if (r < 0 && r != -EACCES)
		return r;
	if (out_print(out, &print) < 0 && r == 0) {
		*e = print;
		r = -e->code;
	}
	return r;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_VOLUME_KEY struct volume_key key = { 0 };
	AUTO_VOLUME struct volume v = { 0 };
	const struct open *o = values;
	const char *name = args->argc > 1 ? args->argv[1] : NULL;
	int r;

	if (o->test ? name || o->key || o->readonly : !name && !o->key)
		return err_set(e, EINVAL, "give a device-mapper name to open it by, or --test alone");
	if (!o->test && shows_asked(&hw->out))
		return err_set(e, EINVAL, "only --test shows something: leave out --json, --output and the like");
	pcr_signature_take(hw, o->pcr_signature);
	r = volume_prepare(hw, o->key_file, o->ask, &v, e);
	if (r == 0)
		r = volume_open(&v, args->argv[0], o->header, e);
	if (r == 0 && o->test)
		return test(hw, &v, e);
	if (r == 0 && o->key)
		r = volume_key_load(hw, o->key, &key, e);
	if (r < 0)
		return r;
	return v.ops->activate(v.luks, &v.auth, o->key ? &key.luks : NULL, name, o->readonly ? LUKS_READONLY : 0, e);
}

const struct cmd cmd_luks_open = {
	.name = "luks-open",
	.synopsis = "VOLUME [DM]",
	.summary = "Open a LUKS2 volume by its tokens, or test what opens it",
	.opts = opts,
	.min_args = 1, .max_args = 2,
	.complete = { COMPLETE_VOLUME },
	.needs = NEED_DEVICES | NEED_REPO | SHOWS,
	.run = run,
};
