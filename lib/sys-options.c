// SPDX-License-Identifier: MIT
/* What modules are told when they are loaded. */
#include "sys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

enum { CMDLINE_MAX = 4096, FILE_MAX = 1 << 16 };	/* bytes */

/* A name in one of them hides the same name in those after it. */
static const char *const dirs[] = {
	"/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d",
};

/* "-" and "_" are the same in names of modules and options. Where WORD ends, NULL if it is another. */
static const char *name_end(const char *word, const char *name)
{
	for (; *name; word++, name++)
		if (*word != *name && !(*word == '-' && *name == '_'))
			return NULL;
	return word;
}

/* VALUE of "NAME=VALUE" or "NAME". */
static bool take_option(const char *word, const char *name, char *ret, size_t size)
{
	const char *end = word ? name_end(word, name) : NULL;

	if (!end || (*end && *end != '='))
		return false;
	(void)snprintf(ret, size, "%s", *end ? end + 1 : "");
	return true;
}

static bool cmdline_option(const struct env *env, const char *module, const char *option, char *ret, size_t size)
{
	char cmdline[CMDLINE_MAX];
	bool found = false;

	if (sys_read(env, "/proc/cmdline", cmdline, sizeof(cmdline)) < 0)
		return false;
	for (char *at = cmdline, *word; (word = strsep(&at, " "));) {
		const char *end = name_end(word, module);

		found = (end && *end == '.' && take_option(end + 1, option, ret, size)) || found;
	}
	return found;
}

/* Lines of "options MODULE OPTION=VALUE...", which a backslash at their end continues. */
bool modprobe_option(char *text, const char *module, const char *option, char *ret, size_t size)
{
	bool found = false;
	char *at = text, *line;

	for (char *p = text; (p = strstr(p, "\\\n"));)
		memset(p, ' ', 2);
	while ((line = strsep(&at, "\n"))) {
		char *save, *word = strtok_r(line, " \t", &save);
		const char *end;

		if (!word || strcmp(word, "options") != 0)
			continue;
		word = strtok_r(NULL, " \t", &save);
		end = word ? name_end(word, module) : NULL;
		if (!end || *end)
			continue;
		while ((word = strtok_r(NULL, " \t", &save)))
			found = take_option(word, option, ret, size) || found;
	}
	return found;
}

struct dir { char *names; size_t n; };

/* The first name after LAST, of all directories. */
static const char *next_name(const struct dir *d, const char *last, size_t *ret_dir)
{
	const char *next = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		const char *name = d[i].names;

		for (size_t k = 0; k < d[i].n; k++, name += strlen(name) + 1) {
			size_t len = strlen(name);

			if (len < 5 || strcmp(name + len - 5, ".conf") != 0 || strcmp(name, last) <= 0 ||
			    (next && strcmp(name, next) >= 0))
				continue;
			next = name;
			*ret_dir = i;
		}
	}
	return next;
}

void sys_modprobe_files(const struct env *env, void (*see)(void *ctx, const char *path), void *ctx)
{
	struct dir d[ARRAY_SIZE(dirs)] = { 0 };
	const char *name = "";
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		if (sys_names(env, dirs[i], &d[i].names, &d[i].n) < 0)
			d[i] = (struct dir){ 0 };
	while ((name = next_name(d, name, &i))) {
		(void)snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		see(ctx, path);
	}
	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		free(d[i].names);
}

struct search {
	const struct env *env;
	const char *module, *option;
	char *ret, *where;
	size_t size;
	bool found;
};

static void see_file(void *ctx, const char *path)
{
	struct search *s = ctx;
	AUTO_FREE char *text = malloc(FILE_MAX);
	ssize_t n = text ? sys_read_bytes(s->env, path, text, FILE_MAX - 1) : -1;

	if (n < 0)
		return;
	text[n] = '\0';
	if (!modprobe_option(text, s->module, s->option, s->ret, s->size))
		return;
	s->found = true;
	(void)snprintf(s->where, 64, "'%s'", path);
}

bool sys_module_option(const struct env *env, const char *module, const char *option, char *ret, size_t size,
		       char ret_where[64])
{
	struct search s = { env, module, option, ret, ret_where, size, false };

	if (cmdline_option(env, module, option, ret, size)) {
		(void)snprintf(ret_where, 64, "the kernel's command line");
		return true;
	}
	sys_modprobe_files(env, see_file, &s);
	return s.found;
}

bool sys_module_flag(const struct env *env, const char *module, const char *option)
{
	char value[8], where[64];

	return sys_module_option(env, module, option, value, sizeof(value), where) &&
	       !strchr("0nN", value[0] ? value[0] : '1') && strcasecmp(value, "off") != 0;
}
