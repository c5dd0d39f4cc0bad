// SPDX-License-Identifier: MIT
#include "cmd.h"

#include <string.h>

struct values { char *description, *volumes; };
CMD_OPTS(struct values);

static const struct opt opts[] = {
	OPT_STR(struct values, description, "description", 'D', "TEXT",
		"What the copy is for (default: as the original's)"),
	OPT_STR(struct values, volumes, "volumes", 'l', "VOL:DM,...", "The volumes the copy unlocks (default: none)",
		.complete = COMPLETE_VOLUME),
	{ 0 }
};

static int prepare(struct entry *entry, const char *name, const struct values *o, struct err *e)
{
	const struct entry_about about = { .description = o->description, .volumes = o->volumes };
	int r = props_set(&entry->props, "volumes", "", e);

	free(entry->name);
	entry->name = strdup(name);
	if (r == 0 && !entry->name)
		r = err_nomem(e);
	if (r == 0)
		r = entry_change(entry, &about, e);
	if (r == 0)
		r = props_set(&entry->props, "update-time", NULL, e);
	return r < 0 ? r : entry_stamp(entry, "creation-time", e);
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct values *o = values;
	AUTO_ENTRY struct entry entry = { 0 };
	int r = repo_check_name(args->argv[1], e);

	if (r == 0)
		r = repo_read(&hw->repo, args->argv[0], &entry, e);
	if (r == 0)
		r = prepare(&entry, args->argv[1], o, e);
	if (r == 0 && o->volumes)
		r = repo_check_volumes(&hw->repo, entry.name, o->volumes, e);
	return r < 0 ? r : repo_copy(&hw->repo, args->argv[0], &entry, e);
}

const struct cmd cmd_copy = {
	.name = "copy",
	.synopsis = "NAME NEW-NAME",
	.summary = "Copy a key under a new name",
	.opts = opts,
	.min_args = 2, .max_args = 2,
	.complete = { COMPLETE_KEY },
	.needs = NEED_REPO_WRITE,
	.run = run,
};
