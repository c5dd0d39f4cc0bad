// SPDX-License-Identifier: MIT
#include "pks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/sys.h"

struct opts { char *store, *passphrase_file, *if_changed; bool passphrase, force; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_FLAG(struct opts, passphrase, "passphrase", 0, "Let a passphrase open it, not the trusted system key"),
	OPT_STR(struct opts, passphrase_file, "passphrase-file", 0, "FILE",
		"The same, taken from there ('-': standard input)",
		.complete = COMPLETE_FILE),
	OPT_STR(struct opts, if_changed, "if-changed", 0, "N", "Only N generations or more after the newest one in DIR"),
	OPT_FLAG(struct opts, force, "force", 'f', "Replace a file of that name"),
	PKS_OPT_STORE(struct opts, store),
	{ 0 }
};

#define SUFFIX ".hwkeypks"

/* --- the newest one in a directory ------------------------------------------------------------------------------- */

struct search {
	const char *uuid;		/* of the partition */
	uint64_t below, best;		/* generations: the highest under BELOW; best 0: there is none */
};

static bool name_parse(const char *name, const char *uuid, uint64_t *ret)
{
	size_t len = strlen(uuid);
	char *end;

	if (strncmp(name, uuid, len) != 0 || name[len] != '-' || name[len + 1] < '1' || name[len + 1] > '9')
		return false;
	errno = 0;
	*ret = strtoull(name + len + 1, &end, 10);
	return !errno && !strcmp(end, SUFFIX);
}

static int see(void *ctx, const char *name)
{
	struct search *s = ctx;
	uint64_t n;

	if (name_parse(name, s->uuid, &n) && n < s->below && n > s->best)
		s->best = n;
	return 0;
}

static void name_format(const char *uuid, uint64_t generation, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s-%llu" SUFFIX, uuid, (unsigned long long)generation);
}

/* Names say what to look at, not what is so: one that is damaged, or of another root key, is no backup. */
static int newest(struct hwkey *hw, const struct device *dev, const struct store_ops *ops, int dir, const char *uuid,
		  uint64_t *ret, struct err *e)
{
	struct search s = { .uuid = uuid, .below = UINT64_MAX };
	struct backup_info info;
	char name[96];
	int r;

	for (;; s.below = s.best) {
		AUTO_BLOB struct blob file = { 0 };
		struct err why;

		s.best = 0;
		r = dir_names(dir, see, &s);
		errno = -r;
		if (r < 0)
			return err_sys(e, "cannot list the backups");
		*ret = s.best;
		if (!s.best)
			return 0;
		name_format(uuid, s.best, name, sizeof(name));
		r = file_read_at(dir, name, PKS_BACKUP_MAX, &file, &why);
		if (r == 0)
			r = ops->backup_look(dev, &file, NULL, &info, &why);
		if (r == 0 && info.doubt[0])
			r = err_set(&why, EXDEV, "%s", info.doubt);
		if (r == 0 && info.generation == s.best)
			return 0;
		if (r < 0 && r != -ENOENT)
			warn(&hw->env, "'%s' is no backup: %s", name, why.msg);
	}
}

static int is_due(struct hwkey *hw, uint64_t changes, const struct device *dev, const struct store_ops *ops,
		  const char *path, bool *ret, struct err *e)
{
	AUTO_CLOSE int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct store_info now;
	uint64_t last;
	int r = dir < 0 ? err_sys(e, "cannot open directory '%s'", path) : ops->info(dev, &now, e);

	if (r == 0)
		r = newest(hw, dev, ops, dir, now.uuid, &last, e);
	if (r < 0)
		return r;
	if (last > now.generation)
		return err_set(e, EBADMSG, "newest backup has generation %llu, the keystore %llu: was an older copy of it "
			       "put in its place?", (unsigned long long)last, (unsigned long long)now.generation);
	*ret = !last || now.generation - last >= changes;
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------------- */

static int back_up(struct hwkey *hw, const struct opts *o, const struct device *dev, const struct store_ops *ops,
		   const char *to, bool to_dir, struct err *e)
{
	bool with_passphrase = o->passphrase || o->passphrase_file;
	AUTO_SECRET struct secret passphrase = { 0 };
	AUTO_BLOB struct blob b = { 0 };
	struct backup_info info;
	char name[96], path[PATH_MAX];
	int r = 0;

	if (with_passphrase)
		r = pks_new_passphrase(hw, o->passphrase_file, "hwkey.pks-backup-passphrase", "Passphrase of the backup:",
				       &passphrase, e);
	if (r == 0)
		r = ops->backup(dev, with_passphrase ? &passphrase : NULL, &b, &info, e);
	if (r < 0)
		return r;
	name_format(info.uuid, info.generation, name, sizeof(name));
	if (snprintf(path, sizeof(path), to_dir ? "%s/%s" : "%s", to, name) >= (int)sizeof(path))
		return err_set(e, ENAMETOOLONG, "name of the backup is too long");
	r = write_plain_file(path, &b, o->force, e);
	if (r == -EEXIST && !o->force)
		return err_hint(e, "--force replaces it");
	if (r == 0)
		note(&hw->env, "generation %llu is in '%s'", (unsigned long long)info.generation, path);
	return r;
}

/* The directory, or file, and the number of --if-changed; 0: not given. */
static int check(const struct opts *o, const char *to, bool *ret_dir, uint64_t *ret_changes, struct err *e)
{
	size_t len = strlen(to);
	struct stat st;
	bool there = stat(to, &st) == 0;
	char *end = NULL;

	*ret_dir = there && S_ISDIR(st.st_mode);
	*ret_changes = 0;
	if (!there && len && to[len - 1] == '/')
		return err_set(e, ENOENT, "there is no directory '%s'", to);
	if (!o->if_changed)
		return 0;
	if (there && !*ret_dir)
		return err_set(e, EINVAL, "--if-changed needs a directory, and '%s' is none", to);
	if (*o->if_changed >= '1' && *o->if_changed <= '9')
		*ret_changes = strtoull(o->if_changed, &end, 10);	/* what is too large is the largest */
	return end && !*end ? 0 : err_set(e, EINVAL, "--if-changed needs a number from 1 on, not '%.20s'", o->if_changed);
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	const char *to = args->argv[0];
	const struct store_ops *ops;
	struct device *dev;
	bool to_dir, due = true;
	uint64_t changes;
	int r = check(o, to, &to_dir, &changes, e);

	if (r == 0)
		r = pks_open(hw, o->store, &dev, &ops, e);
	if (r == 0 && !ops->backup)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' cannot be copied", dev->id);
	if (r == 0 && changes)
		r = is_due(hw, changes, dev, ops, to, &due, e);
	return r < 0 || !due ? r : back_up(hw, o, dev, ops, to, to_dir, e);
}

const struct cmd cmd_pks_backup = {
	.name = "pks-backup",
	.synopsis = "DIR|FILE",
	.summary = "Copy the platform keystore, encrypted, to where it is kept",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.complete = { COMPLETE_FILE },
	.needs = NEED_DEVICES,
	.run = run,
};
