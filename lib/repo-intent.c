// SPDX-License-Identifier: MIT
/* The intent: a change of several files, finished or undone whatever happens. */
#include "repo-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "err.h"
#include "file.h"

static int settle(const struct repo *repo, const char *name, struct err *e)
{
	int r = file_exists(repo, file_name(name, ".info").s, e);

	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; r == 0 && token_suffixes[i]; i++)
		r = file_remove(repo, file_name(name, token_suffixes[i]).s, e);
	return r;
}

static int erase(const struct repo *repo, const char *name, struct err *e)
{
	int r = file_exists(repo, file_name(name, ".info").s, e);

	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; r == 0 && token_suffixes[i]; i++)
		r = file_wipe_at(repo->dirfd, file_name(name, token_suffixes[i]).s, e);
	return r < 0 ? r : file_wipe_at(repo->dirfd, OLD_INFO, e);
}

const struct new_file new_files[] = {
	{ ".hwkey.new-skey", ".skey" }, { ".hwkey.new-renc", ".renc" }, { ".hwkey.new-info", ".info" }, { 0 }
};

/* .hwkey.new-info goes last: as long as it is there, this is not done. */
static int replace(const struct repo *repo, const char *name, bool unstage, struct err *e)
{
	int r = file_exists(repo, ".hwkey.new-info", e);

	if (r <= 0)
		return r;
	r = unstage ? file_remove(repo, file_name(name, ".renc").s, e) : 0;
	for (const struct new_file *f = new_files; r == 0 && f->temp; f++)
		if (renameat(repo->dirfd, f->temp, repo->dirfd, file_name(name, f->suffix).s) < 0 && errno != ENOENT)
			r = err_sys(e, "cannot replace '%s%s'", name, f->suffix);
	return r;
}

void temp_remove(const struct repo *repo)
{
	(void)unlinkat(repo->dirfd, FILE_TEMP, 0);
	for (const struct new_file *f = new_files; f->temp; f++)
		(void)unlinkat(repo->dirfd, f->temp, 0);
}

static int update(const struct repo *repo, const char *name, struct err *e)
{
	return replace(repo, name, false, e);
}

static int complete(const struct repo *repo, const char *name, struct err *e)
{
	return replace(repo, name, true, e);
}

static const struct {
	const char *name;
	int (*run)(const struct repo *, const char *name, struct err *e);
} verbs[] = { { "settle", settle }, { "erase", erase }, { "update", update }, { "complete", complete } };

int intent_write(const struct repo *repo, const char *verb, const char *a, const char *b, struct err *e)
{
	const struct file_attr attr = { repo->mode, repo->gid };
	char line[2 * NAME_LEN_MAX + 32];
	int len = snprintf(line, sizeof(line), "%s %s%s%s\n", verb, a, b ? " " : "", b ? b : "");
	int r = file_write_at(repo->dirfd, INTENT, line, (size_t)len, &attr, false, e);

	if (r == -EEXIST)
		return err_set(e, EBADMSG, "an unfinished change is in the way: run 'hwkey check'");
	if (r == 0) {
		r = dir_sync(repo->dirfd, e);
		if (r < 0)
			(void)unlinkat(repo->dirfd, INTENT, 0);
	}
	return r;
}

static int run_line(const struct repo *repo, char *line, struct err *e)
{
	char *save, *verb = strtok_r(line, " ", &save), *a = strtok_r(NULL, " ", &save), *b = strtok_r(NULL, " ", &save);
	size_t i = 0;
	int r;

	while (verb && i < ARRAY_SIZE(verbs) && strcmp(verbs[i].name, verb) != 0)
		i++;
	if (!verb || i == ARRAY_SIZE(verbs) || !a || !repo_valid_name(a) || (b && (!repo_valid_name(b) || *save)))
		return err_set(e, EBADMSG, "'%s' is damaged: run 'hwkey check'", INTENT);
	r = verbs[i].run(repo, a, e);
	return r == 0 && b ? verbs[i].run(repo, b, e) : r;
}

/* -ENOENT: none. The line comes without its newline, NUL-terminated. */
static int intent_read(const struct repo *repo, struct blob *ret, struct err *e)
{
	int r = file_read_at(repo->dirfd, INTENT, 2 * NAME_LEN_MAX + 32, ret, e);

	if (r == -ELOOP || r == -EFBIG || r == -EBADMSG ||
	    (r == 0 && (ret->len < 2 || ret->data[ret->len - 1] != '\n' || memchr(ret->data, '\0', ret->len))))
		return err_set(e, EBADMSG, "'%s' is damaged: run 'hwkey check'", INTENT);
	if (r == 0)
		ret->data[ret->len - 1] = '\0';
	return r;
}

bool intent_names(const struct repo *repo, const char *name)
{
	AUTO_BLOB struct blob line = { 0 };
	struct err ignored;
	char *save, *word;

	if (intent_read(repo, &line, &ignored) < 0)
		return false;
	(void)strtok_r((char *)line.data, " ", &save);	/* the verb */
	while ((word = strtok_r(NULL, " ", &save)))
		if (!strcmp(word, name))
			return true;
	return false;
}

int intent_finish(const struct repo *repo, struct err *e)
{
	AUTO_BLOB struct blob line = { 0 };
	int r = intent_read(repo, &line, e);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = run_line(repo, (char *)line.data, e);
	if (r == 0)
		r = dir_sync(repo->dirfd, e);
	return r < 0 ? r : file_remove(repo, INTENT, e);
}
