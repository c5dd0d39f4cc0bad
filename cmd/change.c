// SPDX-License-Identifier: MIT
#include "cmd.h"

#include <errno.h>

struct values { char *description, *volumes, *apqns, *sector_size, *volume_type; };
CMD_OPTS(struct values);

static const struct opt opts[] = {
	OPT_STR(struct values, description, "description", 'D', "TEXT", "What the key is for"),
	OPT_STR(struct values, volumes, "volumes", 'l', "[+|-]VOL:DM,...",
		"The volumes it unlocks: these, or with + these too, with - no longer these",
		.complete = COMPLETE_VOLUME),
	OPT_STR(struct values, apqns, "apqns", 'a', "[+|-]CARD.DOMAIN,...",
		"The crypto domains of a CCA or EP11 key; + and - as above"),
	OPT_STR(struct values, sector_size, "sector-size", 'S', "BYTES",
		"Sector size of its volumes: 512, 1024, 2048, 4096; 0: the system's", .choices = sector_sizes),
	OPT_STR(struct values, volume_type, "volume-type", 0, "TYPE", "luks2 or plain", .choices = volume_types),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct values *o = values;
	const struct entry_about about = { .description = o->description, .volumes = o->volumes, .apqns = o->apqns,
					   .sector_size = o->sector_size, .volume_type = o->volume_type };
	AUTO_ENTRY struct entry entry = { 0 };
	int r;

	if (!o->description && !o->volumes && !o->apqns && !o->sector_size && !o->volume_type)
		return err_set(e, EINVAL, "nothing to change: see 'hwkey change --help'");
	r = repo_read(&hw->repo, args->argv[0], &entry, e);
	if (r == 0)
		r = entry_change(&entry, &about, e);
	if (r == 0 && o->volumes)
		r = repo_check_volumes(&hw->repo, entry.name, o->volumes, e);
	if (r == 0)
		r = entry_stamp(&entry, "update-time", e);
	return r < 0 ? r : repo_update(&hw->repo, &entry, false, e);
}

const struct cmd cmd_change = {
	.name = "change",
	.synopsis = "NAME",
	.summary = "Change what a key's entry says",
	.opts = opts,
	.min_args = 1, .max_args = 1,
	.complete = { COMPLETE_KEY },
	.needs = NEED_REPO_WRITE,
	.run = run,
};
