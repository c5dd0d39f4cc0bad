// SPDX-License-Identifier: MIT
/* Changes of the repository. Each says where its one commit point is. */
#include "repo-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "err.h"
#include "file.h"
#include "secret.h"

/* After the commit point: what is done stays done. STATE: "is added". */
static int commit_sync(const struct repo *repo, const char *name, const char *state, struct err *e)
{
	int r = dir_sync(repo->dirfd, e);

	return r < 0 ? err_prefix(e, "key '%s' %s, but that may not survive a power cut", name, state) : 0;
}

static int must_exist(const struct repo *repo, const char *name, struct err *e)
{
	int r = repo_check_name(name, e);

	if (r < 0)
		return r;
	r = file_exists(repo, file_name(name, ".info").s, e);
	return r == 0 ? err_set(e, ENOENT, "no key '%s'", name) : r < 0 ? r : 0;
}

/* A .skey alone may be the only copy of a key: nothing of that name may be there. */
static int must_be_free(const struct repo *repo, const char *name, struct err *e)
{
	int r = repo_check_name(name, e);

	if (r == 0)
		r = file_exists(repo, file_name(name, ".info").s, e);
	if (r > 0)
		return err_set(e, EEXIST, "key '%s' exists already", name);
	for (size_t i = 0; r == 0 && token_suffixes[i]; i++) {
		r = file_exists(repo, file_name(name, token_suffixes[i]).s, e);
		if (r > 0)
			return err_set(e, EEXIST, "'%s%s' of a damaged key is in the way: run 'hwkey check'", name,
				       token_suffixes[i]);
	}
	return r;
}

/*
 * After R of a change under the intent "settle": what is left of the old state, or of the new one, goes. An error here
 * undoes nothing of the outcome, but a token that should be gone may be there still: the intent stays, and the next
 * command repeats this. STATE: "is removed".
 */
static int end_settle(const struct repo *repo, int r, const char *name, const char *state, struct err *e)
{
	struct err own, *to = r < 0 ? &own : e;		/* what failed first is what is told */
	int end = intent_finish(repo, to);

	if (r < 0 || end == 0)
		return r;
	return err_prefix(e, "key '%s' %s, but the next command must finish that", name, state);
}

/* A file that another program put there meanwhile is not ours to settle. */
static int drop_intent(const struct repo *repo, int r)
{
	struct err ignored;

	(void)file_remove(repo, INTENT, &ignored);
	return r;
}

struct parts { struct blob token, staged, pass; };	/* empty: none */

/* Commit: .info appears. */
static int create(struct repo *repo, const struct entry *entry, const struct parts *parts, struct err *e)
{
	const char *name = entry->name;
	int r = must_be_free(repo, name, e);

	if (r == 0)
		r = intent_write(repo, "settle", name, NULL, e);
	if (r < 0)
		return r;
	r = repo_write_file(repo, file_name(name, ".skey").s, &parts->token, false, e);
	if (r < 0)
		return drop_intent(repo, r);
	if (parts->staged.len)
		r = repo_write_file(repo, file_name(name, ".renc").s, &parts->staged, false, e);
	if (r == 0 && parts->pass.len)
		r = repo_write_file(repo, file_name(name, ".pass").s, &parts->pass, false, e);
	if (r == 0)
		r = dir_sync(repo->dirfd, e);
	if (r == 0)
		r = repo_write_info(repo, file_name(name, ".info").s, &entry->props, false, e);
	if (r == 0)
		r = commit_sync(repo, name, "is added", e);
	return end_settle(repo, r, name, "is added", e);
}

int repo_add(struct repo *repo, const struct entry *entry, struct err *e)
{
	return create(repo, entry, &(struct parts){ .token = entry->token, .staged = entry->staged }, e);
}

int repo_copy(struct repo *repo, const char *from, const struct entry *to, struct err *e)
{
	AUTO_ENTRY struct entry source = { 0 };
	struct parts parts = { 0 };
	int r = repo_read(repo, from, &source, e);

	if (r == 0 && source.has_passphrase)
		r = file_read_at(repo->dirfd, file_name(from, ".pass").s, PASS_MAX, &parts.pass, e);
	if (r == -ENOENT && source.has_passphrase)
		r = err_set(e, ENOENT, "'%s.pass' went away", from);
	parts.token = source.token;
	parts.staged = source.staged;
	if (r == 0)
		r = create(repo, to, &parts, e);
	if (parts.pass.data)
		explicit_bzero(parts.pass.data, parts.pass.len);
	blob_done(&parts.pass);
	return r;
}

/* Commit: the intent appears, durable. */
static int update_all(struct repo *repo, const struct entry *entry, struct err *e)
{
	int r = repo_write_file(repo, ".hwkey.new-skey", &entry->token, true, e);

	if (r == 0 && entry->staged.len)
		r = repo_write_file(repo, ".hwkey.new-renc", &entry->staged, true, e);
	if (r == 0)
		r = repo_write_info(repo, ".hwkey.new-info", &entry->props, true, e);
	if (r == 0)
		r = dir_sync(repo->dirfd, e);
	if (r == 0)
		r = intent_write(repo, entry->staged.len ? "update" : "complete", entry->name, NULL, e);
	if (r < 0) {
		temp_remove(repo);
		return r;
	}
	r = intent_finish(repo, e);
	return r < 0 ? err_prefix(e, "key '%s' is changed, but the next command must finish that", entry->name) : 0;
}

int repo_update(struct repo *repo, const struct entry *entry, bool token_too, struct err *e)
{
	int r = must_exist(repo, entry->name, e);

	if (r < 0 || token_too)
		return r < 0 ? r : update_all(repo, entry, e);
	r = repo_write_info(repo, file_name(entry->name, ".info").s, &entry->props, true, e);	/* the commit */
	return r < 0 ? r : commit_sync(repo, entry->name, "is changed", e);
}

/* One file under a second name. ENOENT: there is none. File systems without links get a copy. */
static int link_file(const struct repo *repo, const char *from, const char *to, struct err *e)
{
	AUTO_BLOB struct blob b = { 0 };
	int r;

	if (linkat(repo->dirfd, from, repo->dirfd, to, 0) == 0)
		return 0;
	if (errno == ENOENT)
		return -ENOENT;
	if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK)
		return err_sys(e, "cannot create '%s'", to);
	r = file_read_at(repo->dirfd, from, PASS_MAX, &b, e);
	if (r == 0)
		r = repo_write_file(repo, to, &b, false, e);
	if (b.data)
		explicit_bzero(b.data, b.len);
	return r;
}

static int link_parts(const struct repo *repo, const char *from, const char *to, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && token_suffixes[i]; i++) {
		r = link_file(repo, file_name(from, token_suffixes[i]).s, file_name(to, token_suffixes[i]).s, e);
		if (r == -ENOENT)
			r = i == 0 ? err_set(e, EBADMSG, "key '%s' lacks its '%s.skey': run 'hwkey check'", from, from) : 0;
	}
	return r < 0 ? r : dir_sync(repo->dirfd, e);
}

static int move_info(const struct repo *repo, const char *from, const char *to, struct err *e)
{
	const struct file_name a = file_name(from, ".info"), b = file_name(to, ".info");
	int r = renameat2(repo->dirfd, a.s, repo->dirfd, b.s, RENAME_NOREPLACE);

	if (r < 0 && (errno == EINVAL || errno == ENOSYS))	/* must_be_free() has looked, under the lock */
		r = renameat(repo->dirfd, a.s, repo->dirfd, b.s);
	return r < 0 ? err_sys(e, "cannot rename key '%s'", from) : commit_sync(repo, from, "is renamed", e);
}

/* Commit: .info has the new name. */
int repo_rename(struct repo *repo, const char *from, const char *to, struct err *e)
{
	int r = repo_check_name(to, e);

	if (r == 0)
		r = must_exist(repo, from, e);
	if (r == 0)
		r = must_be_free(repo, to, e);
	if (r == 0)
		r = intent_write(repo, "settle", from, to, e);
	if (r < 0)
		return r;
	r = link_parts(repo, from, to, e);
	if (r == 0)
		r = move_info(repo, from, to, e);
	return end_settle(repo, r, from, "is renamed", e);
}

/* A key without .info is one by its .skey. */
static int must_be_something(const struct repo *repo, const char *name, struct err *e)
{
	int r = must_exist(repo, name, e);

	return r == -ENOENT && file_exists(repo, file_name(name, ".skey").s, e) > 0 ? 0 : r;
}

/* Commit: .info is gone. */
int repo_remove(struct repo *repo, const char *name, struct err *e)
{
	int r = must_be_something(repo, name, e);

	if (r == 0)
		r = intent_write(repo, "settle", name, NULL, e);
	if (r < 0)
		return r;
	r = file_remove(repo, file_name(name, ".info").s, e);
	if (r == 0)
		r = commit_sync(repo, name, "is removed", e);
	return end_settle(repo, r, name, "is removed", e);
}

static int must_be_single(const struct repo *repo, const char *file, struct err *e)
{
	struct stat st;

	if (fstatat(repo->dirfd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot look at '%s'", file);
	if (!S_ISREG(st.st_mode) || st.st_nlink == 1)
		return 0;
	return err_set(e, EBUSY, "'%s' has another name (a hard link), whose bytes would be overwritten, too: remove one "
		       "of the two first", file);
}

/* Commit: .info has another name. */
int repo_erase(struct repo *repo, const char *name, bool check, struct err *e)
{
	int r = must_be_something(repo, name, e);

	if (r == 0)
		r = must_be_single(repo, file_name(name, ".info").s, e);
	for (size_t i = 0; r == 0 && token_suffixes[i]; i++)
		r = must_be_single(repo, file_name(name, token_suffixes[i]).s, e);
	if (r < 0 || check)
		return r;
	r = intent_write(repo, "erase", name, NULL, e);
	if (r < 0)
		return r;
	if (renameat(repo->dirfd, file_name(name, ".info").s, repo->dirfd, OLD_INFO) < 0 && errno != ENOENT)
		r = err_sys(e, "cannot erase key '%s'", name);
	if (r == 0)
		r = commit_sync(repo, name, "is removed", e);
	return end_settle(repo, r, name, "is removed", e);
}
