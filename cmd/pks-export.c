// SPDX-License-Identifier: MIT
#include "pks.h"

#include <errno.h>
#include <string.h>

#include "lib/token.h"

struct opts { char *store, *tsk_file, *password_file, *confirm; bool cancel, i_understand; };
CMD_OPTS(struct opts);

static const struct opt opts[] = {
	OPT_STR(struct opts, confirm, "confirm", 0, "RECEIPT", "Erase what was exported: pks-import gave this"),
	OPT_FLAG(struct opts, cancel, "cancel", 0, "Let the keystore take changes again"),
	OPT_FLAG(struct opts, i_understand, "i-understand", 0, "Ask nothing: what goes does not open here again"),
	PKS_OPT_TSK(struct opts, tsk_file),
	PKS_OPT_PASSWORD(struct opts, password_file),
	PKS_OPT_STORE(struct opts, store),
	{ 0 }
};

/* Who cannot write the file shall not have a keystore that waits for it. */
static int export(struct hwkey *hw, const struct opts *o, const struct device *dev, const struct store_ops *ops,
		  const char *path, struct err *e)
{
	AUTO_SECRET struct secret tsk = { 0 };
	AUTO_BLOB struct blob b = { 0 };
	struct err dropped;
	bool begun = false;
	int r = check_secret_output(path, true, e);

	if (r == 0 && o->tsk_file)
		r = read_secret_file(o->tsk_file, PKS_TSK_FILE_MAX, &tsk, e);
	if (r == 0)
		r = ops->export_(dev, o->tsk_file ? &tsk : NULL, &b, &begun, e);
	if (r < 0)
		return r;
	r = write_plain_file(path, &b, false, e);
	if (r < 0 && begun && ops->export_cancel(dev, &dropped) < 0)
		return err_hint(e, "the keystore stays marked as exported: --cancel undoes that");
	if (r == 0)
		note(&hw->env, "the keystore takes no changes from now on: --confirm erases it when it is in its new "
		     "place, --cancel takes it back");
	return r;
}

static bool is_under(const struct blob *token, const struct object *objects, size_t n)
{
	struct err dropped;
	struct token t;

	if (!token->len || token_parse(token->data, token->len, &t, &dropped) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (objects[i].wrapping != WRAPPING_NONE &&
		    !memcmp(objects[i].wrapping_id, t.wrapping_key, sizeof(t.wrapping_key)))
			return true;
	return false;
}

/* Keys of the repository whose wrapping keys are among OBJECTS. */
static int tell_keys(struct hwkey *hw, const struct object *objects, size_t n, size_t *told, struct err *e)
{
	AUTO_FREE char **names = NULL;
	size_t keys = 0;
	int r = repo_names(&hw->repo, &names, &keys, e);

	for (size_t i = 0; r == 0 && i < keys; i++) {
		AUTO_ENTRY struct entry entry = { 0 };
		const char *volumes;
		struct err why;

		if (repo_read(&hw->repo, names[i], &entry, &why) < 0) {
			warn(&hw->env, "key '%s' is not looked at: %s", names[i], why.msg);
			continue;
		}
		if (!is_under(&entry.token, objects, n) && !is_under(&entry.staged, objects, n))
			continue;
		volumes = props_get(&entry.props, "volumes") ?: "";
		warn(&hw->env, "key '%s' does not open here again%s%s", names[i],
		     *volumes ? ", nor does what only it opens: " : "", volumes);
		++*told;
	}
	return r;
}

/* One that holds nothing has nothing to name: its --confirm was cut short. */
static int tell_loss(struct hwkey *hw, const struct opts *o, const struct device *dev, const struct store_ops *ops,
		     struct err *e)
{
	AUTO_FREE struct object *objects = NULL;
	size_t n = 0, told = 0, immutable = 0;
	int r = ops->list(dev, &objects, &n, e);

	if (r < 0)
		return r == -ENXIO ? 0 : r;
	for (size_t i = 0; i < n; i++)
		immutable += objects[i].policy & POLICY_IMMUTABLE ? 1 : 0;
	if (immutable)
		warn(&hw->env, "%zu object%s of policy 'immutable' %s from here", immutable, immutable == 1 ? "" : "s",
		     immutable == 1 ? "goes" : "go");
	r = tell_keys(hw, objects, n, &told, e);
	return r < 0 || o->i_understand || !(told + immutable) ? r : confirm_word(hw, dev->id, e);
}

static int finish(struct hwkey *hw, const struct opts *o, const struct device *dev, const struct store_ops *ops,
		  struct err *e)
{
	int r = ops->export_finish(dev, o->confirm, true, e);

	if (r == 0)
		r = tell_loss(hw, o, dev, ops, e);
	return r < 0 ? r : ops->export_finish(dev, o->confirm, false, e);
}

static int check(const struct opts *o, const struct args *args, struct err *e)
{
	if (o->confirm && o->cancel)
		return err_set(e, EINVAL, "--confirm and --cancel exclude each other");
	if (o->i_understand && !o->confirm)
		return err_set(e, EINVAL, "--i-understand goes with --confirm");
	if ((o->confirm || o->cancel) && (args->argc || o->tsk_file))
		return err_set(e, EINVAL, "--confirm and --cancel need no file");
	if (!o->confirm && !o->cancel && (!args->argc || !strcmp(args->argv[0], "-")))
		return err_set(e, EINVAL, "a file to export to is missing");
	return 0;
}

static int move(struct hwkey *hw, const struct opts *o, const struct device *dev, const struct store_ops *ops,
		const struct args *args, struct err *e)
{
	int r;

	if (o->confirm)
		return finish(hw, o, dev, ops, e);
	if (!o->cancel)
		return export(hw, o, dev, ops, args->argv[0], e);
	r = ops->export_cancel(dev, e);
	if (r == 0)
		note(&hw->env, "if the export was imported elsewhere, both are in use now");
	return r;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct opts *o = values;
	AUTO_SECRET struct secret password = { 0 };
	const struct store_ops *ops;
	struct device *dev;
	int r = check(o, args, e);

	if (r == 0)
		r = pks_open(hw, o->store, &dev, &ops, e);
	if (r == 0 && !ops->export_)
		r = err_set(e, EOPNOTSUPP, "keystore '%s' cannot be moved", dev->id);
	if (r == 0)
		r = pks_give_password(hw, o->password_file, &password, e);
	if (r == 0)
		r = move(hw, o, dev, ops, args, e);
	hw->env.pks_password = NULL;
	return r;
}

const struct cmd cmd_pks_export = {
	.name = "pks-export",
	.synopsis = "[FILE]",
	.summary = "Move the platform keystore to another system: give it away",
	.opts = opts,
	.max_args = 1,
	.complete = { COMPLETE_FILE },
	.needs = NEED_DEVICES | NEED_REPO,
	.run = run,
};
