// SPDX-License-Identifier: MIT
#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct values { bool force; };
CMD_OPTS(struct values);

static const struct opt opts[] = {
	OPT_FLAG(struct values, force, "force", 'f', "Ask nothing; remove damaged keys and keys of volumes too"),
	{ 0 }
};

static int check(const struct repo *repo, const char *name, bool force, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };
	int r = repo_read_info(repo, name, &entry, e);
	const char *volumes = r < 0 ? NULL : props_get(&entry.props, "volumes");

	if (force && r == -EBADMSG)
		return 0;
	if (!force && volumes && *volumes)
		return err_set(e, EBUSY, "key '%s' unlocks '%s': remove these volumes from it first, or use --force", name,
			       volumes);
	return r;
}

static int check_all(const struct repo *repo, const struct args *args, bool force, struct err *e)
{
	int r = 0;

	for (int i = 0; r == 0 && i < args->argc; i++) {
		for (int j = 0; j < i; j++)
			if (!strcmp(args->argv[i], args->argv[j]))
				return err_set(e, EINVAL, "key '%s' is given twice", args->argv[i]);
		r = check(repo, args->argv[i], force, e);
	}
	return r;
}

static int ask(struct hwkey *hw, const struct args *args, struct err *e)
{
	char question[256];

	if (args->argc == 1)
		(void)snprintf(question, sizeof(question), "Remove key '%s'?", args->argv[0]);
	else
		(void)snprintf(question, sizeof(question), "Remove these %d keys?", args->argc);
	return confirm(hw, question, e);
}

/* Nobody waits for the lock while a person thinks: the keys are looked at again under it. */
static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct values *o = values;
	int r = check_all(&hw->repo, args, o->force, e);

	if (r == 0 && !o->force)
		r = ask(hw, args, e);
	if (r < 0)
		return r;
	repo_done(&hw->repo);
	r = repo_open(&hw->repo, hw->repo_path, REPO_WRITE, e);
	if (r == 0)
		r = check_all(&hw->repo, args, o->force, e);
	for (int i = 0; r == 0 && i < args->argc; i++)
		r = repo_remove(&hw->repo, args->argv[i], e);
	return r;
}

const struct cmd cmd_remove = {
	.name = "remove",
	.synopsis = "NAME...",
	.summary = "Remove keys from the repository",
	.opts = opts,
	.min_args = 1, .max_args = -1,
	.complete = { COMPLETE_KEY },
	.needs = NEED_REPO,
	.run = run,
};
