// SPDX-License-Identifier: MIT
#include "luks.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const char crypttab[] = "/etc/crypttab";

/*
 * What separates fields, and the '#' that would make the line a comment; any other stays as it is, because Debian's scripts
 * decode octal but systemd takes it for the name.
 */
static bool is_special(char c, bool first)
{
	return (unsigned char)c <= ' ' || c == '\\' || (c == '#' && first) || c == 0x7f;
}

/* Octal where it must be, as in fstab(5). */
static void print_field(const char *field)
{
	for (const char *s = field; *s; s++) {
		if (is_special(*s, s == field))
			(void)printf("\\%03o", (unsigned char)*s);
		else
			(void)putchar(*s);
	}
}

/* Whether NAME, as print_field() writes it, starts a line of /etc/crypttab. */
static bool has_entry(const char *line, const char *name)
{
	char field[5];

	line += strspn(line, " \t");
	for (const char *dm = name; *dm; dm++) {
		size_t n;

		(void)snprintf(field, sizeof(field), is_special(*dm, dm == name) ? "\\%03o" : "%c", (unsigned char)*dm);
		n = strlen(field);
		if (strncmp(line, field, n) != 0)
			return false;
		line += n;
	}
	return *line == ' ' || *line == '\t';
}

/* What is appended to a file that has it already is not what systemd takes. */
static void tell_known(struct hwkey *hw, const char *dm)
{
	FILE *f = fopen(crypttab, "re");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (f && !found && getline(&line, &size, f) > 0)
		found = has_entry(line, dm);
	free(line);
	if (f)
		(void)fclose(f);
	if (found)
		note(&hw->env, "'%s' has an entry '%s' already: replace it, do not add another one", crypttab, dm);
}

static bool is_block_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

/* Empty: PATH stands for itself, being a file's, or LABEL= and the like, or unreadable here. */
static void find_uuid(struct hwkey *hw, const char *path, char ret[37])
{
	AUTO_VOLUME struct volume v = { 0 };
	struct luks_info info = { 0 };
	struct err e = { 0 };
	int r;

	ret[0] = '\0';
	if (*path != '/')
		return;
	r = volume_prepare(hw, NULL, false, &v, &e);
	if (r == 0)
		r = volume_open(&v, path, NULL, &e);
	if (r == 0) {
		v.ops->info(v.luks, &info);
		if (is_block_device(path))
			(void)snprintf(ret, 37, "%s", info.uuid);
	} else {
		note(&hw->env, "%s: its path is used", e.msg);
	}
}

static void print_line(struct hwkey *hw, const char *path, const char *dm)
{
	char uuid[37];

	tell_known(hw, dm);
	find_uuid(hw, path, uuid);
	print_field(dm);
	if (uuid[0])
		(void)printf("\tUUID=%s", uuid);
	else {
		(void)putchar('\t');
		print_field(path);
	}
	(void)puts("\tnone\tluks");
}

static void print_volumes(struct hwkey *hw, const char *name, const char *volumes)
{
	char path[INFO_LINE_MAX + 1], dm[INFO_LINE_MAX + 1];
	struct volume_item v;

	while (volumes_next(&volumes, &v)) {
		(void)snprintf(path, sizeof(path), "%.*s", (int)v.len, v.vol);
		(void)snprintf(dm, sizeof(dm), "%.*s", (int)v.dm_len, v.dm);
		if (*path && *dm)
			print_line(hw, path, dm);
		else if (*path)
			note(&hw->env, "key '%s': volume '%s' has no device-mapper name: skipped", name, path);
	}
}

static int print_key(struct hwkey *hw, const char *name, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };
	const char *volumes, *type;
	int r = repo_read_info(&hw->repo, name, &entry, e);

	if (r < 0)
		return r;
	volumes = props_get(&entry.props, "volumes");
	type = props_get(&entry.props, "volume-type");
	if (!volumes || !*volumes)
		return 0;
	if (type && strcasecmp(type, "luks2") != 0) {
		note(&hw->env, "key '%s' is for volumes of type '%s': skipped", name, type);
		return 0;
	}
	print_volumes(hw, name, volumes);
	return 0;
}

static int run(struct hwkey *hw, const void *values, const struct args *args, struct err *e)
{
	AUTO_FREE char **all = NULL;
	const char *const *names = args->argv;
	size_t n = (size_t)args->argc;
	int r = 0;

	(void)values;
	if (n == 0) {
		r = repo_names(&hw->repo, &all, &n, e);
		names = (const char *const *)all;
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		r = print_key(hw, names[i], e);
	return r;
}

const struct cmd cmd_crypttab = {
	.name = "crypttab",
	.synopsis = "[NAME...]",
	.summary = "Print entries of /etc/crypttab for the volumes of keys",
	.max_args = -1,
	.complete = { COMPLETE_KEY },
	.needs = NEED_REPO,
	.run = run,
};
