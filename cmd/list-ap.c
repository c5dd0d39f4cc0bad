// SPDX-License-Identifier: MIT
/* list-devices -V and its filters: Crypto Express cards and domains with lszcrypt's columns, and --mkvp. */
#include "list-devices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/ap.h"

enum { SHORT_COLUMNS = 5 };		/* shown without -V */

static const struct column columns[] = {
	{ "CARD.DOM", OUT_STRING, false }, { "TYPE", OUT_STRING, false }, { "MODE", OUT_STRING, false },
	{ "STATUS", OUT_STRING, false }, { "REQUESTS", OUT_NUMBER, false }, { "PENDING", OUT_NUMBER, false },
	{ "HWTYPE", OUT_NUMBER, false }, { "QDEPTH", OUT_NUMBER, false }, { "FUNCTIONS", OUT_STRING, false },
	{ "DRIVER", OUT_STRING, false }, { "SESTAT", OUT_STRING, false }, { "MKVPS", OUT_LIST, false }, { 0 }
};

int list_filters(const struct list_options *o, unsigned *ret, struct err *e)
{
	if (o->ccaonly + o->ep11only + o->accelonly > 1)
		return err_set(e, EINVAL, "only one of --ccaonly, --ep11only, --accelonly at a time");
	if (o->cardonly && o->queueonly)
		return err_set(e, EINVAL, "only one of --cardonly, --queueonly at a time");
	*ret = (o->ccaonly ? AP_ONLY_CCA : 0) | (o->ep11only ? AP_ONLY_EP11 : 0) | (o->accelonly ? AP_ONLY_ACCEL : 0) |
	       (o->cardonly ? AP_CARD_ONLY : 0) | (o->queueonly ? AP_QUEUE_ONLY : 0);
	return 0;
}

struct listing {
	struct out *out;
	struct err *e;
	bool mkvp;
};

static const char *text(const char *s)
{
	return s && *s ? s : NULL;
}

static const char *number(const char *s)
{
	long v;

	return text_number(s, 10, &v) == 0 ? s : NULL;
}

/* The registers as a list. NULL: there is none, or the card does not tell. */
static const char *registers(const struct ap_device *d, char *ret, size_t size)
{
	struct ap_register reg[AP_REGISTERS];
	char mkvps[MKVPS_TEXT];
	size_t n, at = 0;

	if (d->domain < 0 || ap_read_mkvps(d, mkvps) < 0)
		return NULL;
	n = ap_parse_mkvps(mkvps, reg);
	for (size_t i = 0; i < n && at < size; i++)
		at += (size_t)snprintf(ret + at, size - at, "%s%s %s: %s%s%s", i ? "\n" : "", reg[i].key, reg[i].which,
				       reg[i].state, reg[i].pattern[0] ? " " : "", reg[i].pattern);
	return n ? ret : NULL;
}

static int see(void *ctx, const struct ap_device *d)
{
	struct listing *l = ctx;
	const struct ap_card *c = d->card;
	char functions[11], mkvps[MKVPS_TEXT] = "";
	const char *values[ARRAY_SIZE(columns)];

	ap_functions_text(c->functions, functions);
	memcpy(values, (const char *const []){
		d->id, text(c->type), ap_mode_name(c->mode), text(d->status), number(d->requests), number(d->pending),
		number(c->hwtype), number(c->depth), functions, text(d->driver), d->sestat,
		l->mkvp ? registers(d, mkvps, sizeof(mkvps)) : NULL, NULL
	}, sizeof(values));
	return (d->domain < 0 ? out_row : out_row_inside)(l->out, values, l->e);
}

/* Which columns there are depends on what was asked. */
static void columns_choose(struct hwkey *hw, const struct list_options *o, bool has_se, struct column ret[])
{
	memcpy(ret, columns, sizeof(columns));
	for (size_t i = SHORT_COLUMNS; !hw->verbose && ret[i].name; i++)
		ret[i].hidden = true;
	for (size_t i = 0; ret[i].name; i++) {
		if (!strcmp(ret[i].name, "SESTAT") && !has_se)
			ret[i].hidden = true;
		if (!strcmp(ret[i].name, "MKVPS"))
			ret[i].hidden = false;
	}
	if (!o->mkvp)
		ret[ARRAY_SIZE(columns) - 2].name = NULL;
}

static int walk(const struct ap_bus *bus, struct ap_query *q, const struct args *args, struct listing *l, struct err *e)
{
	int r = 0;

	if (args->argc == 0)
		return ap_walk(bus, q, see, l, e);
	for (int i = 0; r == 0 && i < args->argc; i++) {
		if (ap_parse_id(args->argv[i], &q->card, &q->domain) < 0)
			r = err_set(e, EINVAL, "'%s' is no card (CC), queue (CC.DDDD) or domain (.DDDD)", args->argv[i]);
		else if (!ap_exists(bus, q->card, q->domain))
			r = err_set(e, ENOENT, "no device '%s' here", args->argv[i]);
		else
			r = ap_walk(bus, q, see, l, e);
	}
	return r;
}

int list_ap(struct hwkey *hw, const struct list_options *o, const struct args *args, struct err *e)
{
	AUTO_OUT struct out *out = NULL;
	AUTO_AP struct ap_bus bus = { .dirfd = -1 };
	struct listing l = { .e = e, .mkvp = o->mkvp };
	struct ap_query q = { .card = -1, .domain = -1 };
	struct column chosen[ARRAY_SIZE(columns)];
	int r = list_filters(o, &q.read, e);

	if (r == 0)
		r = ap_open(&hw->env, &bus, e);
	if (r < 0)
		return r;
	q.read |= hw->verbose || hw->out.json || hw->out.columns ? AP_VERBOSE : AP_COUNTS;
	hw->out.tree = o->tree && !o->queueonly;
	columns_choose(hw, o, bus.has_se, chosen);
	r = out_open(&out, "crypto-express", chosen, &hw->out, e);
	l.out = out;
	if (r == 0)
		r = walk(&bus, &q, args, &l, e);
	return r < 0 ? r : out_print(out, e);
}
