// SPDX-License-Identifier: MIT
/* Everything is looked at, named and confirmed before anything is changed; what cannot be undone comes in one order. */
#include "erase.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "luks.h"

struct values { char *header; bool pks, all, now, i_understand; };
CMD_OPTS(struct values);

static const struct opt opts[] = {
	OPT_FLAG(struct values, pks, "pks", 0, "Erase the platform keystore: root key first, data in a later boot"),
	OPT_FLAG(struct values, all, "all", 0, "Erase all keys and the keystore; with --pks only it, with all partitions"),
	OPT_FLAG(struct values, now, "now", 0, "Let the keystore's data go at once, not in a later boot"),
	OPT_FLAG(struct values, i_understand, "i-understand", 0, "Ask nothing: it cannot be undone, and that is wanted"),
	HEADER_OPT(struct values),
	{ 0 }
};

static const struct column columns[] = {
	{ "RESULT", OUT_STRING, false }, { "WHAT", OUT_STRING, false }, { "DETAILS", OUT_STRING, false }, { 0 }
};

int erase_tell(struct report *out, struct err *e, enum erase_result result, const char *what, const char *fmt, ...)
{
	static const char *const results[] = {
		[ERASE_GONE] = "erased", [ERASE_REMAINS] = "remains", [ERASE_NEXT] = "next",
	};
	char details[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(details, sizeof(details), fmt, ap);
	va_end(ap);
	out->rows++;
	return out_row(out->out, (const char *const[]){ results[result], what, details }, e);
}

/* What no command of any system reaches. */
static int tell_rest(struct report *out, struct err *e)
{
	int r = erase_tell(out, e, ERASE_REMAINS, "copies", "backups, snapshots, exported tokens, header backups, printed "
			   "recovery keys: destroy them, too");

	return r < 0 ? r : erase_tell(out, e, ERASE_REMAINS, "the medium", "what flash, a journal or a file system that "
				      "copies on write keeps of overwritten blocks");
}

static int ask(struct hwkey *hw, const struct values *o, const char *word, struct err *e)
{
	return o->i_understand ? 0 : confirm_word(hw, word, e);
}

/* --- a volume ---------------------------------------------------------------------------------------------------- */

static int tell_volume(struct report *out, const char *path, const struct luks_erased *was, struct err *e)
{
	int r = was->uuid[0] ? erase_tell(out, e, ERASE_GONE, path, "%u keyslot%s, %u token%s, both headers: %llu bytes, "
					  "zero when read back", was->slots, was->slots == 1 ? "" : "s", was->tokens,
					  was->tokens == 1 ? "" : "s", (unsigned long long)was->bytes)
			     : erase_tell(out, e, ERASE_GONE, path, "a damaged header and all that could be its keyslots: "
					  "%llu bytes, zero when read back", (unsigned long long)was->bytes);

	if (r == 0 && was->recovery)
		r = erase_tell(out, e, ERASE_REMAINS, "recovery keys", "%u made: a backup of the header opens by them",
			       was->recovery);
	return r < 0 ? r : erase_tell(out, e, ERASE_REMAINS, "its data", "encrypted, as noise");
}

static int erase_volume(struct hwkey *hw, const struct values *o, const char *path, struct report *out, struct err *e)
{
	AUTO_VOLUME struct volume v = { 0 };
	const struct luks_place place = { path, o->header };
	struct luks_erased found, again;
	int r = volume_prepare(hw, NULL, false, &v, e);

	if (r == 0)
		r = v.ops->erase(&place, &hw->env, true, &found, e);
	if (r < 0)
		return r;
	if (found.uuid[0])
		warn(&hw->env, "volume '%s' never opens again: %u keyslot%s, %u of them by recovery keys", path,
		     found.slots, found.slots == 1 ? "" : "s", found.recovery);
	else
		warn(&hw->env, "volume '%s', whose header is damaged, never opens again", path);
	r = ask(hw, o, found.uuid[0] ? found.uuid : path, e);
	if (r == 0)
		r = v.ops->erase(&place, &hw->env, true, &again, e);
	if (r == 0 && strcmp(found.uuid, again.uuid) != 0)
		r = err_set(e, EBUSY, "'%s' is another volume now: nothing was erased", path);
	if (r == 0)
		r = v.ops->erase(&place, &hw->env, false, &again, e);
	return r < 0 ? r : tell_volume(out, path, &again, e);
}

/* --- keys and the keystore --------------------------------------------------------------------------------------- */

static int lock_repo(struct hwkey *hw, struct err *e)
{
	repo_done(&hw->repo);
	return repo_open(&hw->repo, hw->repo_path, REPO_WRITE, e);
}

static int check_keys(struct hwkey *hw, const char *const *names, bool tell, struct key_loss *ret, struct err *e)
{
	int r = 0;

	for (; r == 0 && *names; names++)
		r = erase_key_check(hw, *names, tell, ret, e);
	return r;
}

/* What was not named before may not be lost. Under the lock nothing changes any more in the repository. */
static int erase_keys(struct hwkey *hw, const char *const *names, bool alone, const struct key_loss *confirmed,
		      struct report *out, struct err *e)
{
	AUTO_LOSS struct key_loss now = { 0 };
	int r = lock_repo(hw, e);

	if (r == 0)
		r = check_keys(hw, names, false, &now, e);
	if (r == 0 && (now.tokens.len != confirmed->tokens.len ||
		       (now.tokens.len && memcmp(now.tokens.data, confirmed->tokens.data, now.tokens.len) != 0)))
		r = err_set(e, EBUSY, "another key has come in the place of one that was confirmed: nothing was erased");
	if (r == 0 && now.volumes > confirmed->volumes)
		r = err_set(e, EBUSY, "more volumes would be lost now than were confirmed: nothing was erased");
	for (; r == 0 && *names; names++)
		r = erase_key(hw, *names, alone, out, e);
	return r;
}

static int erase_one_key(struct hwkey *hw, const struct values *o, const char *name, struct report *out, struct err *e)
{
	const char *const names[] = { name, NULL };
	AUTO_LOSS struct key_loss loss = { 0 };
	int r = check_keys(hw, names, true, &loss, e);

	if (r == 0)
		r = ask(hw, o, name, e);
	return r < 0 ? r : erase_keys(hw, names, true, &loss, out, e);
}

static int erase_store(struct hwkey *hw, const struct values *o, struct report *out, struct err *e)
{
	struct pks_erasure p = { .flags = (o->now ? ERASE_AT_ONCE : 0) | (o->all ? ERASE_OTHERS : 0) };
	int r = erase_pks_check(hw, &p, e);

	if (r == 0 && !p.found.begun)
		r = ask(hw, o, p.found.id[0] ? p.found.id : hw->env.pks_dir, e);
	return r < 0 ? r : erase_pks(hw, &p, out, e);
}

/* Keys first: the keystore still tells which keyslots are theirs. */
static int erase_all(struct hwkey *hw, const struct values *o, struct report *out, struct err *e)
{
	struct pks_erasure p = { .flags = (o->now ? ERASE_AT_ONCE : 0) | ERASE_OTHERS };
	AUTO_FREE char **names = NULL;
	AUTO_LOSS struct key_loss loss = { 0 };
	size_t n = 0;
	bool store;
	int r = erase_pks_check(hw, &p, e);

	store = r == 0;
	if (r == -ENOENT)
		r = 0;
	if (r == 0)
		r = repo_names_damaged(&hw->repo, &names, &n, e);
	if (r == 0 && !store && !n)
		return err_set(e, ENOENT, "there is neither a key nor a keystore");
	if (r == 0)
		r = check_keys(hw, (const char *const *)names, true, &loss, e);
	if (r == 0 && (n || !p.found.begun))
		r = ask(hw, o, store && p.found.id[0] ? p.found.id : hw->repo_path, e);
	if (r == 0 && n)
		r = erase_keys(hw, (const char *const *)names, !store, &loss, out, e);
	return r < 0 || !store ? r : erase_pks(hw, &p, out, e);
}

/* ----------------------------------------------------------------------------------------------------------------- */

static int check(const struct values *o, const struct args *args, struct err *e)
{
	if (args->argc ? o->pks || o->all : !o->pks && !o->all)
		return err_set(e, EINVAL, "give one of: the name of a key, the path of a volume, --pks, --all");
	if (o->now && args->argc)
		return err_set(e, EINVAL, "--now goes with --pks or --all");
	if (o->header && (!args->argc || !strchr(args->argv[0], '/')))
		return err_set(e, EINVAL, "--header goes with a volume");
	return 0;
}

static int erase(struct hwkey *hw, const struct values *o, const struct args *args, struct report *out, struct err *e)
{
	if (o->pks)
		return erase_store(hw, o, out, e);
	if (o->all)
		return erase_all(hw, o, out, e);
	if (strchr(args->argv[0], '/'))		/* which no key's name has */
		return erase_volume(hw, o, args->argv[0], out, e);
	return erase_one_key(hw, o, args->argv[0], out, e);
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_OUT struct out *out = NULL;
	struct report report = { 0 };
	const struct values *o = values;
	struct err print;
	int r = check(o, args, e);

	if (r == 0)
		r = out_open(&out, "report", columns, &hw->out, e);
	if (r < 0)
		return r;
	report.out = out;
	r = erase(hw, o, args, &report, e);
	if (r == 0)
		r = tell_rest(&report, e);
	if (report.rows && out_print(out, &print) < 0 && r == 0) {	/* what was done is told whatever stopped it */
		*e = print;
		r = -e->code;
	}
	return r;
}

const struct cmd cmd_secure_erase = {
	.name = "secure-erase",
	.synopsis = "[KEY | VOLUME]",
	.summary = "Destroy what opens the data, and say what remains",
	.opts = opts,
	.max_args = 1,
	.complete = { COMPLETE_KEY_OR_VOLUME },
	.needs = NEED_ALL_DEVICES | NEED_REPO | SHOWS,
	.run = run,
};
