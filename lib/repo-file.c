// SPDX-License-Identifier: MIT
/* The files of a key, each by itself. */
#include "repo-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "err.h"
#include "file.h"

const char *const token_suffixes[] = { ".skey", ".renc", ".pass", NULL };

struct file_name file_name(const char *name, const char *suffix)
{
	struct file_name f;

	(void)snprintf(f.s, sizeof(f.s), "%s%s", name, suffix);
	return f;
}

int file_exists(const struct repo *repo, const char *file, struct err *e)
{
	struct stat st;

	if (repo->dirfd < 0)
		return 0;
	if (fstatat(repo->dirfd, file, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : err_sys(e, "cannot look for '%s'", file);
}

int file_remove(const struct repo *repo, const char *file, struct err *e)
{
	return unlinkat(repo->dirfd, file, 0) == 0 || errno == ENOENT ? 0 : err_sys(e, "cannot remove '%s'", file);
}

int repo_write_file(const struct repo *repo, const char *file, const struct blob *b, bool replace, struct err *e)
{
	return file_write_at(repo->dirfd, file, b->data, b->len, &(struct file_attr){ repo->mode, repo->gid }, replace, e);
}

int repo_write_info(const struct repo *repo, const char *file, const struct props *props, bool replace, struct err *e)
{
	AUTO_BLOB struct blob text = { 0 };
	int r = props_format(props, &text, e);

	return r < 0 ? r : repo_write_file(repo, file, &text, replace, e);
}
