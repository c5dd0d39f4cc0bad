// SPDX-License-Identifier: MIT
#include "wrap-params.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "lib/output.h"
#include "lib/seal/seal.h"

struct values { char *output, *device, *label; struct wrap_options must; bool force, force_tty; };
CMD_OPTS(struct values);

static const struct opt opts[] = {
	OPT_STR(struct values, output, "output", 'o', "FILE", "Write to FILE: whole, or not at all",
		.complete = COMPLETE_FILE),
	OPT_STR(struct values, device, "device", 'd', "ID", "Seal with this trust source (default: the first that can)",
		.complete = COMPLETE_DEVICE),
	OPT_STR(struct values, label, "label", 'l', "TEXT", "Say in the header, readable by all, what this is"),
	WRAP_OPTS_KEYSTORE(struct values, must),
	WRAP_OPTS_TPM(struct values, must, "pcr-values"),
	WRAP_OPT_DEVICE_KEY(struct values, must),
	OPT_FLAG(struct values, force, "force", 'f', "Replace FILE if it exists"),
	OPT_FLAG(struct values, force_tty, "force-tty", 0, "Write binary data even to a terminal"),
	{ 0 }
};

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	const struct values *o = values;
	const bool to_file = o->output && strcmp(o->output, "-") != 0;
	const struct output_to to = { .path = to_file ? o->output : NULL, .replace = o->force, .fd = STDOUT_FILENO };
	const struct backend_ops *ops;
	AUTO_WRAP_GIVEN struct wrap_given given = { 0 };
	struct device *dev;
	int r = wrap_options_check(&o->must, e);

	if (r < 0)
		return r;
	if (!to_file && !o->force_tty && isatty(STDOUT_FILENO))
		return err_set(e, EACCES, "will not write binary data to a terminal: use --output or a pipe");
	(void)signal(SIGPIPE, SIG_IGN);		/* a reader that went away is an error with a message */
	r = wrap_device(hw, ROLE_SEAL, NULL, o->device, &o->must, &dev, e);
	if (r == 0)
		r = backend_ops(dev, &ops, e);
	if (r == 0)
		r = wrap_given_take(hw, &o->must, &given, e);
	if (r == 0)
		r = data_seal(dev, ops->seal, &given.params, args->argc ? args->argv[0] : NULL, o->label, &to, e);
	if (r == -EEXIST && to_file && !o->force)
		r = err_set(e, EEXIST, "output '%s' exists already; --force replaces it", o->output);
	return r;
}

const struct cmd cmd_seal = {
	.name = "seal",
	.synopsis = "[FILE]",
	.summary = "Encrypt data of any size so that only this machine opens it",
	.opts = opts,
	.max_args = 1,
	.complete = { COMPLETE_FILE },
	.needs = NEED_DEVICES,
	.run = run,
};
