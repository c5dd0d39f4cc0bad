// SPDX-License-Identifier: MIT
#include "luks.h"

#include "explain.h"

#include <stdio.h>

struct status {
	char *header;
	bool repair;
};
CMD_OPTS(struct status);

static const struct opt opts[] = {
	OPT_FLAG(struct status, repair, "repair", 0, "Finish or undo what was interrupted, and show what was done"),
	HEADER_OPT(struct status),
	{ 0 }
};

static const struct column columns[] = {
	{ "SLOT", OUT_NUMBER, false }, { "TOKEN", OUT_NUMBER, false }, { "TYPE", OUT_STRING, false },
	{ "NAME", OUT_STRING, false }, { "BACKEND", OUT_STRING, false }, { "STATE", OUT_STRING, false },
	{ "PRIORITY", OUT_STRING, true }, { "PBKDF", OUT_STRING, false }, { "CREATED", OUT_STRING, false },
	{ "PATTERN", OUT_STRING, true }, { "UUID", OUT_STRING, true }, { "LABEL", OUT_STRING, true },
	{ "CIPHER", OUT_STRING, true }, { "NEEDS", OUT_STRING, false }, { "NOW", OUT_LIST, true },
	{ 0 }
};

static const struct column repair_columns[] = {
	{ "SLOT", OUT_NUMBER, false }, { "TOKEN", OUT_NUMBER, false }, { "NAME", OUT_STRING, false },
	{ "REMARK", OUT_STRING, false }, { 0 }
};

struct shown {
	struct out *out;
	struct luks_info info;
	int rows;
	struct device *devices;
};

static const char *number(int n, char buf[12])
{
	(void)snprintf(buf, 12, "%d", n);
	return n < 0 ? NULL : buf;
}

static int show(void *ctx, const struct luks_row *row, struct err *e)
{
	const struct shown *s = ctx;
	char slot[12], token[12], now[EXPLAIN_MAX] = "";

	if (row->blob)
		explain_now(s->devices, row->backend, row->blob, now);
	return out_row(s->out, (const char *const[]){ number(row->slot, slot), number(row->token, token), row->type,
		row->name, row->backend, row->state, row->priority, row->kdf, row->created, row->pattern, s->info.uuid,
		s->info.label[0] ? s->info.label : NULL, s->info.cipher, row->needs[0] ? row->needs : NULL,
		now[0] ? now : NULL }, e);
}

static int show_repair(void *ctx, const struct luks_row *row, struct err *e)
{
	struct shown *s = ctx;
	char slot[12], token[12];

	s->rows++;
	return out_row(s->out, (const char *const[]){ number(row->slot, slot), number(row->token, token), row->name,
						      row->what }, e);
}

/* What was done is shown even if not all could be. */
static int repair(struct volume *v, struct shown *s, struct err *e)
{
	int r = v->ops->repair(v->luks, &v->source, &(struct luks_see){ show_repair, s }, e);
	int printed = r < 0 && !s->rows ? 0 : out_print(s->out, r < 0 ? &(struct err){ 0 } : e);

	return r < 0 ? r : printed;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_VOLUME struct volume v = { 0 };
	AUTO_OUT struct out *out = NULL;
	const struct status *o = values;
	struct shown shown = { 0 };
	int r = volume_prepare(hw, NULL, false, &v, e);

	if (r == 0)
		r = volume_open(&v, args->argv[0], o->header, e);
	if (r == 0)
		r = out_open(&out, o->repair ? "repairs" : "keyslots", o->repair ? repair_columns : columns, &hw->out, e);
	if (r < 0)
		return r;
	shown.out = out;
	shown.devices = hw->devices;
	v.ops->info(v.luks, &shown.info);
	if (o->repair)
		return repair(&v, &shown, e);
	r = v.ops->status(v.luks, &(struct luks_see){ show, &shown }, e);
	return r < 0 ? r : out_print(out, e);
}

const struct cmd cmd_luks_status = {
	.name = "luks-status",
	.synopsis = "VOLUME",
	.summary = "Show what opens a LUKS2 volume: keyslots, tokens, keys",
	.opts = opts,
	.min_args = 1, .max_args = 1,
	.complete = { COMPLETE_VOLUME },
	.needs = NEED_DEVICES | SHOWS,
	.run = run,
};
