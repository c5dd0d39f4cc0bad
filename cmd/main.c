// SPDX-License-Identifier: MIT
/* The dispatcher, and the only printer of errors. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/module.h"

const char module_dir[] = MODULE_DIR;

enum { HEAP_STEP = 1 << 20 };	/* bytes: libcrypto alone would ask for more memory ten times in small steps */

const struct opt opts_common[] = {
	OPT_STR(struct common, repository, "repository", 'R', "DIR", "Use the key repository DIR",
		.complete = COMPLETE_DIR),
	OPT_FLAG(struct common, batch, "batch", 0, "Ask nothing: fail instead"),
	OPT_FLAG(struct common, quiet, "quiet", 'q', "Print errors only"),
	OPT_FLAG(struct common, verbose, "verbose", 'V', "Say which repository and devices are used"),
	OPT_FLAG(struct common, help, "help", 'h', "Show this help"),
	{ 0 }
};

const struct opt opts_shows[] = {
	OPT_FLAG(struct common, json, "json", 'J', "Print JSON"),
	OPT_STR(struct common, output, "output", 0, "COLUMNS", "Show these columns, separated by commas"),
	OPT_FLAG(struct common, raw, "raw", 0, "Print rows of values without padding"),
	OPT_FLAG(struct common, noheadings, "noheadings", 0, "Print no headings"),
	{ 0 }
};

const struct opt opts_looks[] = {
	OPT_STR(struct common, sysroot, "sysroot", 0, "DIR", "Look at the captured machine in DIR, not at this one",
		.complete = COMPLETE_DIR),
	{ 0 }
};

static void print_usage(FILE *f)
{
	(void)fputs("Usage: hwkey COMMAND [OPTION...] [ARGUMENT...]\n\n"
		    "Keys bound to this machine's key-protecting hardware.\n\nCommands:\n", f);
	for (size_t i = 0; commands[i]; i++)
		(void)fprintf(f, "  %-16s %s\n", commands[i]->name, commands[i]->summary);
	(void)fputs("\n'hwkey COMMAND --help' shows a command's options, hwkey(8) the exit statuses.\n", f);
}

/* Everything is looked for in SYSROOT, the keystore too. */
static int take_sysroot(struct hwkey *hw, const char *sysroot, struct err *e)
{
	if (!sysroot)
		return 0;
	if (access(sysroot, X_OK) < 0)
		return err_sys(e, "cannot look into '%s'", sysroot);
	if (asprintf(&hw->captured, "%s%s", sysroot, hw->env.pks_dir) < 0)
		return err_nomem(e);
	hw->env.sysroot = sysroot;
	hw->env.pks_dir = hw->captured;
	return 0;
}

static int prepare(struct hwkey *hw, const struct cmd *c, struct err *e)
{
	int r = 0;

	if (c->needs & (NEED_REPO | NEED_REPO_WRITE))
		r = repo_open(&hw->repo, hw->repo_path, c->needs & NEED_REPO_WRITE ? REPO_WRITE : 0, e);
	hw->env.partitions = c->needs & NEED_ALL_DEVICES;
	hw->env.brief = !hw->verbose && c->needs & NEED_DEVICES;
	if (r == 0 && c->needs & (NEED_DEVICES | NEED_ALL_DEVICES))
		r = device_enumerate(&hw->env, c->needs & NEED_ALL_DEVICES, &hw->devices, e);
	return r;
}

static void say_what_is_used(const struct hwkey *hw, const struct cmd *c)
{
	if (c->needs & (NEED_REPO | NEED_REPO_WRITE))
		note(&hw->env, "repository '%s'%s", hw->repo_path, hw->repo.dirfd < 0 ? ", not there yet" : "");
	for (const struct device *d = hw->devices; d; d = d->next)
		note(&hw->env, "device '%s' (%s) %s: %s", d->id, d->backend->name,
		     d->state == DEVICE_ONLINE ? "is usable" : "is not usable", d->why);
}

static void release(struct hwkey *hw)
{
	device_free_list(hw->devices);
	repo_done(&hw->repo);
	free(hw->captured);
}

static void take_common(struct hwkey *hw, const struct common *common)
{
	if (common->repository)
		hw->repo_path = common->repository;
	hw->quiet = common->quiet;
	hw->verbose = common->verbose;
	hw->batch = common->batch;
	hw->out = (struct out_format){ .json = common->json, .raw = common->raw, .noheadings = common->noheadings,
				       .columns = common->output };
}

static int check_args(const struct cmd *c, const struct args *args, struct err *e)
{
	if (args->argc < c->min_args)
		return err_set(e, EINVAL, "an argument is missing: hwkey %s [OPTION...] %s", c->name, c->synopsis);
	if (c->max_args >= 0 && args->argc > c->max_args)
		return err_set(e, EINVAL, "unexpected argument '%s'", args->argv[c->max_args]);
	return 0;
}

static int run(struct hwkey *hw, const struct cmd *c, int argc, const char **argv, struct err *e)
{
	_Alignas(max_align_t) char values[OPTS_SIZE] = { 0 };
	struct common common = { 0 };
	const struct opt_group groups[] = {
		{ c->opts, values }, { c->needs & SHOWS ? opts_shows : NULL, &common },
		{ c->needs & SYSROOT ? opts_looks : NULL, &common }, { opts_common, &common },
	};
	struct args args = { 0 };
	char prog[64];
	int r;

	(void)snprintf(prog, sizeof(prog), "hwkey %s", c->name);
	r = opt_parse(prog, argc, argv, groups, ARRAY_SIZE(groups), &args, e);
	take_common(hw, &common);
	if (r == 0 && common.help) {
		printf("%s.\n", c->summary);
		opt_print_help(prog, c->synopsis, groups, ARRAY_SIZE(groups));
	} else if (r == 0) {
		r = check_args(c, &args, e);
		if (r == 0)
			r = take_sysroot(hw, common.sysroot, e);
		if (r == 0)
			r = prepare(hw, c, e);
		if (r == 0 && hw->verbose)
			say_what_is_used(hw, c);
		if (r == 0)
			r = c->run(hw, values, &args, e);
	}
	if (fflush(stdout) != 0 && r == 0)
		r = err_sys(e, "cannot write to standard output");
	release(hw);
	opt_done(groups, ARRAY_SIZE(groups), &args);
	return r;
}

/* The words before a command: hwkey --version, hwkey --help, hwkey help [COMMAND], hwkey --complete. -1: none of them. */
static int run_word(struct hwkey *hw, int argc, const char **argv)
{
	const char *word = argc > 1 ? argv[1] : "--help";
	int status = argc > 1 ? 0 : 2;

	if (!strcmp(word, "--complete")) {
		(void)complete(hw, argc - 2, argv + 2);
		release(hw);
	} else if (!strcmp(word, "--version")) {
		puts("hwkey " HWKEY_VERSION);
	} else if (!strcmp(word, "--help") || !strcmp(word, "-h") || (!strcmp(word, "help") && argc == 2)) {
		print_usage(status ? stderr : stdout);
	} else {
		return -1;
	}
	if (fflush(stdout) == 0)
		return status;
	(void)fprintf(stderr, "hwkey: cannot write to standard output: %s\n", strerror(errno));
	return 1;
}

/* One line stays one line, and no file name writes to a terminal. */
static void print_error(const char *name, struct err *e)
{
	for (char *p = e->msg; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	(void)fprintf(stderr, "hwkey %s: %s\n", name, e->msg[0] ? e->msg : strerror(e->code));
}

/* An empty variable is one that is not set. */
static const char *from_env(const char *name, const char *fallback)
{
	const char *v = secure_getenv(name);

	return v && *v ? v : fallback;
}

/*
 * A descriptor that came closed would become a file of ours, and messages would be written into it. One of standard output
 * stays one that cannot be written to.
 */
static int open_stdio(void)
{
	struct pollfd p[] = { { .fd = STDIN_FILENO }, { .fd = STDOUT_FILENO }, { .fd = STDERR_FILENO } };

	if (poll(p, ARRAY_SIZE(p), 0) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		if (p[i].revents & POLLNVAL &&	/* the lowest that is free is the one */
		    open("/dev/null", p[i].fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) != p[i].fd)
			return -1;
	return 0;
}

int main(int argc, const char **argv)
{
	struct hwkey hw = {
		.env = { .sysfs = from_env("SYSFS_ROOT", NULL), .pks_dir = from_env("HWKEY_PKS_DIR", "/var/lib/hwkey/pks"),
			 .sysroot = from_env("HWKEY_SYSROOT", NULL), .tcti = from_env("HWKEY_TCTI", NULL),
			 .pcr_signature = from_env("HWKEY_PCR_SIGNATURE", NULL),
			 .keystore_create = true,
			 .keystore_may_create = keystore_may_create,
			 .ask = ask_secret, .note = note, .warn = warn, .ctx = &hw },
		.repo_path = from_env("HWKEY_REPOSITORY", "/etc/hwkey/repository"), .repo = { .dirfd = -1, .lockfd = -1 },
	};
	static char buffer[BUFSIZ];	/* of standard output until exit: no secret goes through stdio */
	const char *help[] = { "hwkey", argc > 2 ? argv[2] : NULL, "--help", NULL };
	struct err e = { 0 };
	const struct cmd *c;
	int r;

	if (open_stdio() < 0)
		return 1;
	secret_protect_process();
	(void)mallopt(M_TOP_PAD, HEAP_STEP);
	(void)umask(077);
	(void)setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	r = run_word(&hw, argc, argv);
	if (r >= 0)
		return r;
	if (argc == 3 && !strcmp(argv[1], "help")) {
		argv = help;
		argc = 3;
	}
	c = cmd_find(argv[1]);
	if (!c) {
		(void)fprintf(stderr, "hwkey: no command '%s'; 'hwkey --help' lists them\n", argv[1]);
		return err_exit_status(EINVAL);
	}
	r = run(&hw, c, argc - 1, argv + 1, &e);
	if (r < 0)
		print_error(c->name, &e);
	return err_exit_status(-r);
}
