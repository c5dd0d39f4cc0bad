// SPDX-License-Identifier: MIT
#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct column columns[] = {
	{ "DEVICE", OUT_STRING, false }, { "BACKEND", OUT_STRING, false }, { "MODEL", OUT_STRING, false },
	{ "STATE", OUT_STRING, false }, { "CAN", OUT_LIST, false }, { "REMARK", OUT_STRING, false }, { 0 }
};

static const char *const states[] = {
	[DEVICE_ONLINE] = "online", [DEVICE_OFFLINE] = "offline",
};

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

static bool is_asked(const struct device *d, const struct args *args)
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

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_OUT struct out *out = NULL;
	int r = check_ids(hw->devices, args, e);

	(void)values;
	if (r == 0)
		r = out_open(&out, "devices", columns, &hw->out, e);
	for (const struct device *d = hw->devices; r == 0 && d; d = d->next) {
		char can[64];

		format_roles(d->roles, can, sizeof(can));
		if (is_asked(d, args))
			r = out_row(out, (const char *const[]){ d->id, d->backend->name, d->model, states[d->state], can,
								d->why[0] ? d->why : NULL }, e);
	}
	return r < 0 ? r : out_print(out, e);
}

const struct cmd cmd_list_devices = {
	.name = "list-devices",
	.synopsis = "[ID...]",
	.summary = "List the trust sources of this machine",
	.max_args = -1,
	.complete = { COMPLETE_DEVICE },
	.needs = NEED_DEVICES | SHOWS,
	.run = run,
};
