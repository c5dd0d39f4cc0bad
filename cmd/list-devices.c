// SPDX-License-Identifier: MIT
#include "list-devices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/ap.h"
#include "lib/sys.h"

static const struct column columns[] = {
	{ "DEVICE", OUT_STRING, false }, { "BACKEND", OUT_STRING, false }, { "MODEL", OUT_STRING, false },
	{ "STATE", OUT_STRING, false }, { "CAN", OUT_LIST, false }, { "REMARK", OUT_STRING, false },
	{ "DETAILS", OUT_LIST, true }, { 0 }
};

static const char *const states[] = {
	[DEVICE_ONLINE] = "online", [DEVICE_OFFLINE] = "offline",
};

const char *device_state_name(const struct device *d)
{
	return d->faulty ? "error" : states[d->state];
}

static const struct { enum role role; const char *name; } roles[] = {
	{ ROLE_KEY, "key" }, { ROLE_SEAL, "seal" }, { ROLE_STORE, "store" },
};

static void format_roles(unsigned have, char *ret, size_t size)
{
	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (have & roles[i].role)
			(void)snprintf(ret + strlen(ret), size - strlen(ret), "%s%s", ret[0] ? "\n" : "", roles[i].name);
}

bool device_is_asked(const struct device *d, const struct args *args)
{
	for (int i = 0; i < args->argc; i++)
		if (!strcmp(args->argv[i], d->id))
			return true;
	return args->argc == 0;
}

static int check_ids(const struct device *list, const struct args *args, struct err *e)
{
	for (int i = 0; i < args->argc; i++) {
		const struct device *d = list;

		while (d && strcmp(d->id, args->argv[i]) != 0)
			d = d->next;
		if (!d)
			return err_set(e, ENOENT, "no device '%s' here", args->argv[i]);
	}
	return 0;
}

static const struct opt opts[] = {
	OPT_FLAG(struct list_options, tree, "tree", 0, "Show the domains of a card below it"),
	OPT_FLAG(struct list_options, mkvp, "mkvp", 0, "Crypto Express: ask the cards for their master-key patterns"),
	OPT_FLAG(struct list_options, ccaonly, "ccaonly", 0, "Crypto Express: only CCA coprocessors"),
	OPT_FLAG(struct list_options, ep11only, "ep11only", 0, "Crypto Express: only EP11 coprocessors"),
	OPT_FLAG(struct list_options, accelonly, "accelonly", 0, "Crypto Express: only accelerators"),
	OPT_FLAG(struct list_options, cardonly, "cardonly", 0, "Crypto Express: only cards"),
	OPT_FLAG(struct list_options, queueonly, "queueonly", 0, "Crypto Express: only domains of cards"),
	OPT_FLAG(struct list_options, lszcrypt, "lszcrypt", 0, "Crypto Express: print lszcrypt's own text"),
	OPT_FLAG(struct list_options, bus, "bus", 'b', "The same for the AP bus"),
	OPT_FLAG(struct list_options, domains, "domains", 'd', "The same for usage and control domains"),
	OPT_FLAG(struct list_options, serial, "serial", 's', "The same for serial numbers: asks the cards"),
	OPT_STR(struct list_options, capability, "capability", 'c', "ID",
		"The same for what card or queue ID can do: asks the card"),
	OPT_FLAG(struct list_options, watch, "watch", 'w', "Go on, and print a line for each change"),
	OPT_STR(struct list_options, interval, "interval", 0, "SECONDS", "With --watch: how often to look for what no "
		"event tells (30)"),
	{ 0 }
};
CMD_OPTS(struct list_options);

/* Opening a keystore takes longer than the rest of the listing. */
static enum verdict judge(const struct device *d, bool open, char *remark, size_t size)
{
	return open ? keystore_examine(d, VERDICT_OK, remark, size) : keystore_look(d, VERDICT_OK, remark, size);
}

static int enumerate(struct hwkey *hw, const struct args *args, struct err *e)
{
	int r;

	hw->env.thorough = hw->verbose;
	hw->env.partitions = true;
	hw->env.ask = NULL;		/* what is found is told in the remark, and nobody is waited for */
	hw->env.note = NULL;
	r = device_enumerate(&hw->env, true, &hw->devices, e);
	return r < 0 ? r : check_ids(hw->devices, args, e);
}

static bool is_ap_id(const char *id)
{
	int card, domain;

	return ap_parse_id(id, &card, &domain) == 0;
}

/* WITHOUT_AP: the cards and their domains have a table of their own. */
static int show_devices(struct hwkey *hw, const struct list_options *o, const struct args *args, bool without_ap,
			struct err *e)
{
	AUTO_OUT struct out *out = NULL;
	struct column chosen[ARRAY_SIZE(columns)];
	int r;

	memcpy(chosen, columns, sizeof(columns));
	chosen[ARRAY_SIZE(columns) - 2].hidden = !hw->verbose;
	hw->out.tree = o->tree;
	r = out_open(&out, "devices", chosen, &hw->out, e);
	for (const struct device *d = hw->devices; r == 0 && d; d = d->next) {
		char can[64], remark[512];
		const char *state = device_state_name(d);

		(void)snprintf(remark, sizeof(remark), "%s", d->why);
		if (!hw->captured && device_is_asked(d, args) &&
		    judge(d, hw->verbose, remark, sizeof(remark)) == VERDICT_BAD)
			state = "error";
		format_roles(d->roles, can, sizeof(can));
		if (device_is_asked(d, args) && !(without_ap && is_ap_id(d->id)))
			r = (d->inside ? out_row_inside : out_row)(out, (const char *const[]){
				d->id, d->backend->name, d->model[0] ? d->model : NULL, state,
				can[0] ? can : NULL,
				remark[0] ? remark : NULL, d->details }, e);
	}
	return r < 0 ? r : out_print(out, e);
}

/* Is the first of LIST a column of the table of all trust sources? */
static bool is_column(const char *list)
{
	size_t len = strcspn(list, ",");

	for (size_t i = 0; columns[i].name; i++)
		if (strlen(columns[i].name) == len && !strncasecmp(columns[i].name, list, len))
			return true;
	return false;
}

/* Two tables, or the one that has all that is asked for. */
static int show_both(struct hwkey *hw, const struct list_options *o, const struct args *args, struct err *e)
{
	struct args ap = { .argv = args->argv }, others;
	bool both;
	int r;

	for (int i = 0; i < args->argc; i++) {
		const char *id = args->argv[i];

		if (!is_ap_id(id))
			continue;
		memmove(&ap.argv[ap.argc + 1], &ap.argv[ap.argc], (size_t)(i - ap.argc) * sizeof(*ap.argv));
		ap.argv[ap.argc++] = id;
	}
	others = (struct args){ .argv = ap.argv + ap.argc, .argc = args->argc - ap.argc };
	both = !ap.argc == !others.argc;
	r = enumerate(hw, &others, e);
	hw->out.part = both ? OUT_FIRST : OUT_ALONE;
	if (r == 0 && (both || ap.argc))
		r = list_ap(hw, o, &ap, e);
	hw->out.part = both ? OUT_LAST : OUT_ALONE;
	return r == 0 && (both || others.argc) ? show_devices(hw, o, &others, true, e) : r;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct list_options *o = values;
	bool is_lszcrypt = o->lszcrypt || o->bus || o->domains || o->serial || o->capability;
	bool is_ap = o->mkvp || o->ccaonly || o->ep11only || o->accelonly || o->cardonly || o->queueonly;
	bool has_ap = hw->verbose && sys_exists(&hw->env, "/sys/bus/ap");
	int r;

	if (o->watch && (is_lszcrypt || is_ap || o->tree))
		return err_set(e, EINVAL, "--watch shows changes of all devices, or of those given by ID, in a form of its "
			       "own");
	if (o->interval && !o->watch)
		return err_set(e, EINVAL, "--interval goes with --watch");
	if (o->watch)
		return list_watch(hw, o, args, e);
	if (is_lszcrypt)
		return list_lszcrypt(hw, o, args, e);
	if (is_ap || (has_ap && hw->out.columns && !is_column(hw->out.columns)))
		return list_ap(hw, o, args, e);
	if (has_ap && !hw->out.columns)
		return show_both(hw, o, args, e);
	r = enumerate(hw, args, e);
	return r < 0 ? r : show_devices(hw, o, args, false, e);
}

const struct cmd cmd_list_devices = {
	.name = "list-devices",
	.synopsis = "[ID...]",
	.summary = "List the trust sources of this machine",
	.opts = opts,
	.max_args = -1,
	.complete = { COMPLETE_DEVICE },
	.needs = SHOWS | SYSROOT,
	.run = run,
};
