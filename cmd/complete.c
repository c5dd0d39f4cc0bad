// SPDX-License-Identifier: MIT
/*
 * hwkey --complete WORD...: candidates for the last WORD, one per line. Called by completions/. "#file" and "#dir" mean
 * that the shell completes a path.
 * hwkey --complete: all words that never change, for a shell that completes them without running anything:
 * "command NAME ARGUMENT-KIND...", "option NAME --OPTION[=]", "value NAME --OPTION WORD...".
 */
#include "cmd.h"
#include "pks.h"

#include <stdio.h>
#include <string.h>

static void print_keys(struct hwkey *hw)
{
	AUTO_FREE char **names = NULL;
	struct err e = { 0 };
	size_t n = 0;

	if (repo_open(&hw->repo, hw->repo_path, 0, &e) == 0 && repo_names(&hw->repo, &names, &n, &e) == 0)
		for (size_t i = 0; i < n; i++)
			puts(names[i]);
}

static void print_devices(struct hwkey *hw, unsigned role)
{
	struct err e = { 0 };

	hw->env.partitions = true;
	if (device_enumerate(&hw->env, true, &hw->devices, &e) == 0)
		for (const struct device *d = hw->devices; d; d = d->next)
			if (!role || d->roles & role)
				puts(d->id);
}

static void print_commands(void)
{
	for (size_t i = 0; commands[i]; i++)
		puts(commands[i]->name);
}

static void print_words_of(const char *const *words)
{
	for (size_t i = 0; words && words[i]; i++)
		puts(words[i]);
}

static void print_key_types(void)
{
	for (size_t i = 0; backends[i]; i++)
		print_words_of(backends[i]->key_types);
}

/* Of a list with commas in it only the last one is still open: what is before it is part of each candidate. */
static void print_policies(const char *last, bool wrap)
{
	const char *eq = strncmp(last, "--", 2) ? NULL : strchr(last, '='), *comma = strrchr(last, ',');

	last = eq ? eq + 1 : last;
	for (size_t i = 0; pks_policy_word(i); i++)
		if (!wrap || token_policy_is_valid(pks_policy_find(pks_policy_word(i), strlen(pks_policy_word(i)))))
			printf("%.*s%s\n", comma ? (int)(comma + 1 - last) : 0, last, pks_policy_word(i));
}

/* LAST: the word that is being typed. */
static void print_candidates(struct hwkey *hw, const char *const *choices, enum complete what, const char *last)
{
	print_words_of(choices);
	switch (what) {
	case COMPLETE_KEY:
		print_keys(hw);
		break;
	case COMPLETE_KEY_OR_VOLUME:		/* which has a '/' in it */
		if (strchr(last, '/')) {
			puts("#file");
			break;
		}
		print_keys(hw);
		if (!*last)
			puts("/\n./");
		break;
	case COMPLETE_KEY_TYPE:
		print_key_types();
		break;
	case COMPLETE_DEVICE:
		print_devices(hw, 0);
		break;
	case COMPLETE_STORE:
		print_devices(hw, ROLE_STORE);
		break;
	case COMPLETE_CONSUMER:
		print_words_of(pks_consumers);
		break;
	case COMPLETE_POLICY: case COMPLETE_WRAP_POLICY:
		print_policies(last, what == COMPLETE_WRAP_POLICY);
		break;
	case COMPLETE_FILE: case COMPLETE_VOLUME:
		puts("#file");
		break;
	case COMPLETE_DIR:
		puts("#dir");
		break;
	case COMPLETE_NONE: case COMPLETE_OBJECT:	/* reading labels could ask for a passphrase */
		break;
	}
}

static void print_options(const struct opt_group *g, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (const struct opt *o = g[i].opts; o && o->type != OPT_END; o++)
			printf("--%s%s\n", o->name, o->type == OPT_TYPE_FLAG ? "" : "=");
}

/* Words before the last that are neither options nor their values. */
static size_t count_args(const struct opt_group *g, size_t n, int argc, const char **argv)
{
	size_t args = 0;

	for (int i = 1; i < argc - 1; i++) {
		const struct opt *o = opt_find(g, n, argv[i]);

		if (o && o->type != OPT_TYPE_FLAG)
			i++;
		else if (argv[i][0] != '-' || !argv[i][1])
			args++;
	}
	return args;
}

static enum complete argument_kind(const struct cmd *c, size_t at)
{
	enum complete last = COMPLETE_NONE;

	if (c->max_args >= 0 && at >= (size_t)c->max_args)
		return COMPLETE_NONE;
	for (size_t i = 0; i <= at && i < ARRAY_SIZE(c->complete); i++)
		if (c->complete[i] != COMPLETE_NONE || c->max_args >= 0)
			last = c->complete[i];
	return last;
}

/* "--device=lo" arrives as one word from zsh and fish, as "--device" "=" "lo" from bash. */
static const struct opt *option_of_value(const struct opt_group *g, size_t n, int argc, const char **argv)
{
	const char *last = argv[argc - 1], *eq = strchr(last, '=');
	char name[64];

	if (!strncmp(last, "--", 2) && eq) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)(eq - last), last);
		return opt_find(g, n, name);
	}
	if (argc > 3 && !strcmp(argv[argc - 2], "="))
		return opt_find(g, n, argv[argc - 3]);
	return argc > 2 ? opt_find(g, n, argv[argc - 2]) : NULL;
}

static const char *const kinds[] = {
	[COMPLETE_NONE] = "none", [COMPLETE_FILE] = "file", [COMPLETE_DIR] = "dir", [COMPLETE_KEY] = "ask",
	[COMPLETE_DEVICE] = "ask", [COMPLETE_STORE] = "ask", [COMPLETE_VOLUME] = "file", [COMPLETE_OBJECT] = "none",
	[COMPLETE_CONSUMER] = "ask", [COMPLETE_KEY_OR_VOLUME] = "ask", [COMPLETE_KEY_TYPE] = "ask",
	[COMPLETE_POLICY] = "ask", [COMPLETE_WRAP_POLICY] = "ask",
};

static void print_option_words(const struct cmd *c, const struct opt *opts)
{
	for (const struct opt *o = opts; o && o->type != OPT_END; o++) {
		printf("option %s --%s%s\n", c->name, o->name, o->type == OPT_TYPE_FLAG ? "" : "=");
		if (o->type == OPT_TYPE_FLAG)
			continue;
		printf("value %s --%s", c->name, o->name);
		for (size_t i = 0; o->choices && o->choices[i]; i++)
			printf(" %s", o->choices[i]);
		printf("%s%s\n", o->choices ? "" : " #", o->choices ? "" : kinds[o->complete]);
	}
}

static void print_words(void)
{
	for (size_t i = 0; commands[i]; i++) {
		const struct cmd *c = commands[i];

		printf("command %s", c->name);
		for (size_t at = 0; at < ARRAY_SIZE(c->complete); at++)
			printf(" %s", kinds[argument_kind(c, at)]);
		putchar('\n');
		print_option_words(c, c->opts);
		print_option_words(c, c->needs & SHOWS ? opts_shows : NULL);
		print_option_words(c, c->needs & SYSROOT ? opts_looks : NULL);
		print_option_words(c, opts_common);
	}
}

int complete(struct hwkey *hw, int argc, const char **argv)
{
	const struct cmd *c = argc > 1 ? cmd_find(argv[0]) : NULL;
	const struct opt_group g[] = {
		{ c ? c->opts : NULL, NULL }, { c && c->needs & SHOWS ? opts_shows : NULL, NULL },
		{ c && c->needs & SYSROOT ? opts_looks : NULL, NULL }, { opts_common, NULL },
	};
	const struct opt *o;

	if (argc == 0) {
		print_words();
		return 0;
	}
	if (argc <= 1 || (argc == 2 && !strcmp(argv[0], "help")))
		print_commands();
	if (argc <= 1)
		puts("help\n--help\n--version");
	if (!c)
		return 0;
	o = option_of_value(g, ARRAY_SIZE(g), argc, argv);
	if (o && o->type != OPT_TYPE_FLAG)
		print_candidates(hw, o->choices, o->complete, argv[argc - 1]);
	else if (argv[argc - 1][0] == '-' && argv[argc - 1][1])
		print_options(g, ARRAY_SIZE(g));
	else
		print_candidates(hw, NULL, argument_kind(c, count_args(g, ARRAY_SIZE(g), argc, argv)), argv[argc - 1]);
	return 0;
}
