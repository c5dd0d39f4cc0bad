// SPDX-License-Identifier: MIT
#include "luks.h"
#include "wrap-params.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "lib/module.h"
#include "lib/output.h"
#include "lib/tpm-token.h"

enum { PASSPHRASE_MAX = 8192 };		/* bytes; cryptsetup takes 512 typed, 8 MiB from a file */

static int find(const struct luks_source *src, const char *backend, const struct blob *sealed,
		const struct device **ret_dev, const struct seal_ops **ret, struct err *e)
{
	const struct backend_ops *ops;
	struct device *dev;
	int r;

	if (!backend_find(backend))
		return err_set(e, EOPNOTSUPP, "unknown backend '%s'", backend);
	r = device_of_backend(src->devices, backend, sealed, &dev, e);
	if (r == 0)
		r = backend_ops(dev, &ops, e);
	if (r == 0 && !ops->seal)
		r = err_set(e, EOPNOTSUPP, "backend '%s' cannot unseal", backend);
	if (r < 0)
		return r;
	*ret_dev = dev;
	*ret = ops->seal;
	return 0;
}

int volume_prepare(struct hwkey *hw, const char *key_file, bool ask, struct volume *ret, struct err *e)
{
	AUTO_SECRET struct secret passphrase = { 0 };
	const void *table;
	int r = module_load("luks", &table, e);

	if (r == 0 && key_file)
		r = read_secret_file(key_file, PASSPHRASE_MAX, &passphrase, e);
	if (r < 0)
		return r;
	*ret = (struct volume){ .ops = table, .passphrase = TAKE(passphrase) };
	ret->source = (struct luks_source){ .find = find, .devices = hw->devices, .env = &hw->env };
	ret->auth = (struct luks_auth){ .source = &ret->source, .ask = ask };
	if (key_file)
		ret->auth.passphrase = &ret->passphrase;
	return 0;
}

int volume_open(struct volume *v, const char *path, const char *header, struct err *e)
{
	return v->ops->open(&(struct luks_place){ path, header }, &v->luks, e);
}

void volume_done(struct volume *v)
{
	if (v->luks)
		v->ops->free(v->luks);
	secret_done(&v->passphrase);
}

int volume_key_backend(struct hwkey *hw, const struct entry *entry, struct device **ret_dev, const struct backend_ops **ret,
		       struct err *e)
{
	struct device *dev;
	struct key key;
	int r = key_parse(entry->token.data, entry->token.len, &key, e);

	if (r == 0)
		r = device_of_backend(hw->devices, key_type_backend(key.type), &entry->token, &dev, e);
	if (r == 0)
		r = backend_ops(dev, ret, e);
	if (r == 0)
		*ret_dev = dev;
	return r;
}

/* A token that was swapped in the repository unwraps as well as the right one. */
int volume_key_pattern(const struct device *dev, const struct key_ops *ops, const struct entry *entry, char ret[65],
		       struct err *e)
{
	const char *stored = props_get(&entry->props, "verification-pattern");
	char now[65] = "";
	int r = ops->pattern ? ops->pattern(dev, &entry->token, now, e) : 0;

	if (r < 0)
		return r;
	if (stored && now[0] && strcmp(stored, now) != 0)
		return err_set(e, EBADMSG, "the token holds another key than the repository says");
	memcpy(ret, now, sizeof(now));
	return 0;
}

/* The wrapped keys that a token-unlocked slot can stand for: those whose clear key the backend gives out. */
static int unwrap(struct hwkey *hw, const struct entry *entry, struct volume_key *ret, struct err *e)
{
	const struct backend_ops *ops;
	struct device *dev;
	int r = volume_key_backend(hw, entry, &dev, &ops, e);

	if (r == 0 && (!ops->key || !ops->key->unwrap || !ops->seal))
		r = err_set(e, EOPNOTSUPP, "keys of backend '%s' cannot open a keyslot", dev->backend->name);
	if (r == 0)
		r = ops->key->unwrap(dev, &entry->token, &ret->clear, e);
	if (r == 0)
		r = volume_key_pattern(dev, ops->key, entry, ret->pattern, e);
	if (r < 0)
		return r;
	ret->luks.device = dev;
	ret->luks.backend = dev->backend->name;
	ret->luks.seal = ops->seal;
	return 0;
}

int volume_key_load(struct hwkey *hw, const char *name, struct volume_key *ret, struct err *e)
{
	int r = repo_read(&hw->repo, name, &ret->entry, e);

	if (r < 0)
		return r;
	r = unwrap(hw, &ret->entry, ret, e);
	if (r < 0)
		return err_prefix(e, "key '%s'", name);
	ret->luks.name = name;
	ret->luks.token = &ret->entry.token;
	ret->luks.clear = &ret->clear;
	ret->luks.pattern = ret->pattern[0] ? ret->pattern : NULL;
	return 0;
}

void volume_key_wrap(struct volume_key *key, const struct wrap_params *given, bool new)
{
	key->wrap = *given;
	if (new)
		key->wrap = (struct wrap_params){ .like = &key->entry.token, .tpm = given->tpm };
	key->luks.wrap = &key->wrap;
}

int volume_key_must(struct hwkey *hw, struct volume_key *key, const struct wrap_options *o, struct wrap_given *given,
		    struct err *e)
{
	const bool own = o->pcrs || o->pcr_values || o->pin || o->pin_file || o->public_key;
	int r = wrap_options_fit(o, key->luks.device, e);

	if (r < 0 || !wrap_options_of_tpm(o))
		return r;
	r = wrap_given_take(hw, o, given, e);
	if (r == 0)
		volume_key_wrap(key, &given->params, !own);
	return r;
}

void volume_key_done(struct volume_key *k)
{
	entry_done(&k->entry);
	secret_done(&k->clear);
}

struct ways { bool bound, other; };

/* A token that says what it needs is another program's, bound to a TPM as well. */
static int see_way(void *ctx, const struct luks_row *row, struct err *e)
{
	AUTO_TPM_TOKEN struct tpm_token t = { 0 };
	struct ways *w = ctx;
	bool bound;

	(void)e;
	if (row->slot < 0 || (row->state && strcmp(row->state, "ok") != 0))
		return 0;
	if (row->blob)
		bound = tpm_token_parse(row->blob->data, row->blob->len, &t, &(struct err){ 0 }) == 0 &&
			t.policy.n_branches;
	else
		bound = row->needs[0];
	w->bound |= bound;
	w->other |= !bound;
	return 0;
}

int volume_hangs_on_pcrs(struct volume *v, bool *ret, struct err *e)
{
	struct ways w = { 0 };
	int r = v->ops->status(v->luks, &(struct luks_see){ see_way, &w }, e);

	if (r == 0)
		*ret = w.bound && !w.other;
	return r;
}

void volume_advise(struct volume *v, const char *path)
{
	struct err ignored;
	bool hangs = false;

	if (volume_hangs_on_pcrs(v, &hangs, &ignored) == 0 && hangs)
		note(v->source.env, "'%s' opens by PCRs alone, which an update changes: 'hwkey luks-recovery %s' adds a "
		     "recovery key", path, path);
}

/* A newline on a terminal only: the bytes in a file or a pipe are the passphrase. */
static int recovery_write(const char *output, const struct secret *key, struct err *e)
{
	bool tty = !output && isatty(STDOUT_FILENO);
	int r = write_secret_output(output, key, true, e);

	if (r == 0 && tty && write(STDOUT_FILENO, "\n", 1) != 1)
		r = err_sys(e, "cannot write to standard output");
	return r;
}

static int add_and_write(struct volume *v, const char *output, int *ret_slot, struct err *e)
{
	AUTO_SECRET struct secret key = { 0 };
	struct err quiet = { 0 };
	int r = v->ops->recovery(v->luks, &v->auth, &key, ret_slot, e);

	if (r < 0)
		return r;
	r = recovery_write(output, &key, e);
	if (r == 0) {
		r = v->ops->recovery_end(v->luks, true, e);
		if (r < 0)
			(void)err_prefix(e, "the recovery key that was written is void");
	}
	if (r < 0)	/* nobody is to use this key */
		(void)v->ops->recovery_end(v->luks, false, &quiet);
	return r;
}

/* A signal waits, and a reader that went away is an error: a slot whose key was not written out is removed again. */
int recovery_add_and_write(struct volume *v, const char *output, int *ret_slot, struct err *e)
{
	sigset_t stops, before;
	int r;

	(void)sigemptyset(&stops);
	(void)sigaddset(&stops, SIGHUP);
	(void)sigaddset(&stops, SIGINT);
	(void)sigaddset(&stops, SIGTERM);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &stops, &before) < 0)
		return err_sys(e, "cannot hold signals");
	r = add_and_write(v, output, ret_slot, e);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		note(v->source.env, "recovery key: written once and kept nowhere else; keep it away from this machine");
	return r;
}
