// SPDX-License-Identifier: MIT
#include "explain.h"
#include "wrap-params.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lib/output.h"
#include "lib/seal/seal.h"

struct values { char *output, *pcr_signature; bool explain, force, force_tty, json; };
CMD_OPTS(struct values);

static const struct opt opts[] = {
	OPT_STR(struct values, output, "output", 'o', "FILE", "Write to FILE: whole, or not at all",
		.complete = COMPLETE_FILE),
	PCR_SIGNATURE_OPT(struct values),
	OPT_FLAG(struct values, explain, "explain", 0, "Open nothing: show what is needed to open it"),
	OPT_FLAG(struct values, json, "json", 'J', "Explain in JSON"),
	OPT_FLAG(struct values, force, "force", 'f', "Replace FILE if it exists"),
	OPT_FLAG(struct values, force_tty, "force-tty", 0, "Write the data even to a terminal"),
	{ 0 }
};

static const struct column columns[] = {
	{ "FORMAT", OUT_NUMBER }, { "BACKEND" }, { "DEVICE" }, { "LABEL" }, { "CREATED" }, { "WRAPPING-KEY" },
	{ "POLICY", OUT_LIST }, { "NOW", OUT_LIST }, { NULL }
};

/* What the data key is under and what must hold, as the header claims: that is proven when it is opened. */
struct explained { char under[33], policy[1024], now[EXPLAIN_MAX]; };

static void explain_key(struct hwkey *hw, const struct sealed *s, struct explained *ret)
{
	AUTO_BLOB struct blob sealed = { 0 };
	struct err ignored;
	struct token t;

	*ret = (struct explained){ 0 };
	if (sealed_key(s, &sealed, &ignored) < 0)
		return;
	if (token_parse(sealed.data, sealed.len, &t, &ignored) == 0)
		hex_encode(t.wrapping_key, sizeof(t.wrapping_key), ret->under);
	explain_policy(&sealed, ret->policy, sizeof(ret->policy));
	explain_now(hw->devices, s->header.backend, &sealed, ret->now);
}

static int explain(struct hwkey *hw, const struct sealed *s, bool json, struct err *e)
{
	const struct out_format format = { .json = json, .record = true };
	const struct sealed_header *h = &s->header;
	AUTO_OUT struct out *out = NULL;
	struct explained x;
	char version[12];
	int r = out_open(&out, "sealed", columns, &format, e);

	(void)snprintf(version, sizeof(version), "%d", SEALED_VERSION);
	explain_key(hw, s, &x);
	if (r == 0)
		r = out_row(out, (const char *const[]){ version, h->backend, h->device, h->label[0] ? h->label : NULL,
							h->created, x.under[0] ? x.under : NULL,
							x.policy[0] ? x.policy : NULL, x.now[0] ? x.now : NULL }, e);
	return r == 0 ? out_print(out, e) : r;
}

/* The device the header names; where it has another id by now, the backend's first. A TPM's id is only its number. */
static int device_find(struct device *list, const struct sealed *s, struct device **ret, struct err *e)
{
	const struct sealed_header *h = &s->header;
	AUTO_BLOB struct blob key = { 0 };
	int r = sealed_key(s, &key, e);

	r = r < 0 ? err_prefix(e, "'%s'", s->name) : device_of_backend(list, h->backend, &key, ret, e);
	for (struct device *d = r < 0 || (*ret)->backend->measures ? NULL : list; d; d = d->next)
		if (d->state == DEVICE_ONLINE && d->backend == (*ret)->backend && !strcmp(d->id, h->device))
			*ret = d;
	return r;
}

static int open_here(struct hwkey *hw, const struct sealed *s, const struct values *o, struct err *e)
{
	const bool to_file = o->output && strcmp(o->output, "-") != 0;
	const struct output_to to = { .path = to_file ? o->output : NULL, .replace = o->force, .fd = STDOUT_FILENO };
	const struct backend_ops *ops;
	struct device *dev;
	int r;

	if (!to_file && !o->force_tty && isatty(STDOUT_FILENO))
		return err_set(e, EACCES, "will not print a secret to a terminal: use --force-tty, a pipe or a file");
	(void)signal(SIGPIPE, SIG_IGN);		/* a reader that went away is an error with a message */
	r = device_find(hw->devices, s, &dev, e);
	if (r == 0)
		r = backend_ops(dev, &ops, e);
	if (r == 0 && !ops->seal)
		r = err_set(e, EBADMSG, "'%s' names a trust source that seals nothing: '%s'", s->name, dev->id);
	if (r == 0)
		r = data_unseal(dev, ops->seal, s, &to, e);
	if (r == -EEXIST && to_file && !o->force)
		r = err_set(e, EEXIST, "output '%s' exists already; --force replaces it", o->output);
	return r;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct values *o = values;
	struct sealed s = SEALED_NONE;
	int r;

	if (o->json && !o->explain)
		return err_set(e, EINVAL, "--json shows only what --explain explains");
	if (o->output && o->explain)
		return err_set(e, EINVAL, "--explain opens nothing, so there is nothing to write to '%s'", o->output);
	pcr_signature_take(hw, o->pcr_signature);
	r = sealed_open(args->argc ? args->argv[0] : NULL, &s, e);
	if (r == 0)
		r = o->explain ? explain(hw, &s, o->json, e) : open_here(hw, &s, o, e);
	sealed_done(&s);
	return r;
}

const struct cmd cmd_unseal = {
	.name = "unseal",
	.synopsis = "[FILE]",
	.summary = "Open sealed data",
	.opts = opts,
	.max_args = 1,
	.complete = { COMPLETE_FILE },
	.needs = NEED_DEVICES,
	.run = run,
};
