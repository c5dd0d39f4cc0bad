// SPDX-License-Identifier: MIT
#include "pks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/token.h"
#include "lib/utc.h"

struct opts { char *store, *passphrase_file, *tsk_file, *password_file; bool rollback, lose_keys, root_only, show; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_FLAG(struct opts, show, "show", 0, "Only show what FILE is, and whether it opens"),
	OPT_FLAG(struct opts, rollback, "accept-rollback", 0, "Restore an older generation than is here"),
	OPT_FLAG(struct opts, lose_keys, "accept-lost-keys", 0, "Restore without wrapping keys that are here, or needed"),
	OPT_FLAG(struct opts, root_only, "root-key-only", 0, "Put back only what opens the keystore; the objects stay"),
	OPT_STR(struct opts, passphrase_file, "passphrase-file", 0, "FILE", "The backup's passphrase ('-': standard input)",
		.complete = COMPLETE_FILE),
	PKS_OPT_TSK(struct opts, tsk_file),
	PKS_OPT_PASSWORD(struct opts, password_file),
	PKS_OPT_STORE(struct opts, store),
	{ 0 }
};

static const struct column columns[] = {
	{ "UUID", OUT_STRING, false }, { "GENERATION", OUT_NUMBER, false }, { "TIME", OUT_STRING, false },
	{ "SLOT", OUT_STRING, false }, { "STATUS", OUT_STRING, false }, { 0 }
};

struct needs { struct needed *v; char **names; size_t n; };

static void needs_done(struct needs *n)
{
	free(n->v);
	free(n->names);
}

/* What a token needs; false: no wrapping key of the keystore. */
static bool token_needs(const struct blob *token, const char *name, struct needed *ret)
{
	struct err dropped;
	struct token t;

	if (!token->len || token_parse(token->data, token->len, &t, &dropped) < 0)
		return false;
	ret->key = name;
	memcpy(ret->partition, t.partition, sizeof(ret->partition));
	memcpy(ret->wrapping_key, t.wrapping_key, sizeof(ret->wrapping_key));
	return true;
}

/* Of each key of the repository, and of the token that is to follow it. */
static int collect_needs(struct hwkey *hw, struct needs *ret, struct err *e)
{
	size_t n = 0;
	int r = repo_names(&hw->repo, &ret->names, &n, e);

	if (r < 0)
		return r;
	ret->v = calloc(2 * n + 1, sizeof(*ret->v));
	if (!ret->v)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		AUTO_ENTRY struct entry entry = { 0 };
		struct err why;

		if (repo_read(&hw->repo, ret->names[i], &entry, &why) < 0) {
			warn(&hw->env, "key '%s' is not looked at: %s", ret->names[i], why.msg);
			continue;
		}
		ret->n += token_needs(&entry.token, ret->names[i], &ret->v[ret->n]);
		ret->n += token_needs(&entry.staged, ret->names[i], &ret->v[ret->n]);
	}
	return 0;
}

/* UTC. */
static const char *format_time(const struct backup_info *info, char ret[UTC_SIZE])
{
	struct err dropped;

	return utc_format((time_t)info->time, ret, &dropped) < 0 ? NULL : ret;
}

/* GIVEN opens it; NULL: the keystore may tell. */
static int show(struct hwkey *hw, const struct device *dev, const struct store_ops *ops, const struct blob *file,
		const struct secret *given, struct err *e)
{
	AUTO_OUT struct out *out = NULL;
	char generation[24], when[UTC_SIZE];
	struct backup_info info;
	int r = ops->backup_look(dev, file, given, &info, e);

	if (r < 0)
		return r;
	hw->out.record = true;
	(void)snprintf(generation, sizeof(generation), "%llu", (unsigned long long)info.generation);
	r = out_open(&out, "backup", columns, &hw->out, e);
	if (r == 0)
		r = out_row(out, (const char *const[]){ info.uuid, generation, format_time(&info, when), info.slot,
							info.doubt[0] ? info.doubt : "genuine" }, e);
	return r < 0 ? r : out_print(out, e);
}

static int restore(struct hwkey *hw, const struct opts *o, const struct device *dev, const struct store_ops *ops,
		   const struct blob *file, const struct secret *given, struct err *e)
{
	AUTO(needs_done) struct needs needs = { 0 };
	struct backup_info info;
	struct restore how = { .given = given, .flags = (o->rollback ? RESTORE_ROLLBACK : 0) |
					(o->lose_keys ? RESTORE_LOSE_KEYS : 0) | (o->root_only ? RESTORE_ROOT : 0) };
	char when[UTC_SIZE];
	int r = collect_needs(hw, &needs, e);

	if (r < 0)
		return r;
	how.needed = needs.v;
	how.n_needed = needs.n;
	r = ops->restore(dev, file, &how, &info, e);
	if (r < 0)
		return r == -EBUSY ? err_hint(e, "--accept-lost-keys restores it all the same") : r;
	if (o->root_only)
		note(&hw->env, "the keystore opens again, with the %s of the backup", info.slot);
	else
		note(&hw->env, "generation %llu of %s is back: what was changed later is not in it",
		     (unsigned long long)info.generation, format_time(&info, when) ?: "an unknown time");
	return 0;
}

static int check(const struct hwkey *hw, const struct opts *o, struct err *e)
{
	if (o->passphrase_file && o->tsk_file)
		return err_set(e, EINVAL, "a backup opens with a passphrase or with a trusted system key, not with both");
	if (o->show && (o->rollback || o->lose_keys || o->root_only || o->password_file))
		return err_set(e, EINVAL, "--show changes nothing: leave out what is for restoring");
	if (!o->show && shows_asked(&hw->out))
		return err_set(e, EINVAL, "without --show nothing is shown: leave out --json, --output and the like");
	return 0;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	const char *key_file = o->passphrase_file ? o->passphrase_file : o->tsk_file;
	AUTO_SECRET struct secret password = { 0 }, given = { 0 };
	AUTO_BLOB struct blob file = { 0 };
	const struct store_ops *ops;
	struct device *dev;
	int r = check(hw, o, e);

	if (r == 0)
		r = pks_open(hw, o->store, &dev, &ops, e);
	if (r == 0 && !ops->restore)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' cannot be restored", dev->id);
	if (r == 0)
		r = read_plain_file(args->argv[0], PKS_BACKUP_MAX, &file, e);
	if (r == 0 && key_file)
		r = pks_read_password(key_file, &given, e);
	if (r == 0 && o->show)
		return show(hw, dev, ops, &file, key_file ? &given : NULL, e);
	if (r == 0)
		r = pks_give_password(hw, o->password_file, &password, e);
	if (r == 0)
		r = restore(hw, o, dev, ops, &file, key_file ? &given : NULL, e);
	hw->env.pks_password = NULL;
	return r;
}

const struct cmd cmd_pks_restore = {
	.name = "pks-restore",
	.synopsis = "FILE",
	.summary = "Put a copy of the platform keystore back",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.complete = { COMPLETE_FILE },
	.needs = NEED_DEVICES | NEED_REPO | SHOWS,
	.run = run,
};
