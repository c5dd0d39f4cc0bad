// SPDX-License-Identifier: MIT
/* Finds, and mends on request, what does not belong into a repository. Nothing here deletes a file that may hold a key. */
#include "repo-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "err.h"
#include "file.h"

struct check {
	struct repo *repo;
	int *lock;			/* of a reader, shared: taken when something looks wrong, unless a writer has it */
	bool repair;
	int (*see)(void *ctx, const struct repo_problem *);
	void *ctx;
	struct err *e;			/* for what keeps us from looking: no answer is no "all is well" */
};

/* R: what came of mending it; not 0, it stays. */
static int tell(const struct check *c, const char *file, const char *what, const char *remedy, int r)
{
	return c->see(c->ctx, &(struct repo_problem){ file, what, remedy, c->repair && remedy && r == 0 });
}

/* A file is moved out of the way, never over another one. */
static int move_aside(const struct check *c, const char *file, const char *suffix)
{
	struct file_name to = file_name(file, suffix);
	struct err e;

	if (!c->repair || renameat2(c->repo->dirfd, file, c->repo->dirfd, to.s, RENAME_NOREPLACE) < 0)
		return -1;
	return dir_sync(c->repo->dirfd, &e);
}

/* What looks wrong may be half of its change. If not, none begins before this is over. */
static bool writer_at_work(const struct check *c)
{
	if (c->repo->lockfd >= 0)
		return false;
	if (*c->lock < 0)
		*c->lock = openat(c->repo->dirfd, ".lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return *c->lock >= 0 && flock(*c->lock, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* A file of which there is one only while a writer is at work, or was killed: 1 if that. */
static int is_left(const struct check *c, const char *file)
{
	int r = file_exists(c->repo, file, c->e);

	return r <= 0 ? r : writer_at_work(c) ? 0 : file_exists(c->repo, file, c->e);
}

static int check_intent(const struct check *c)
{
	int r = is_left(c, INTENT);

	if (r <= 0)
		return r;
	if (!c->repair)		/* a reader that could not finish it */
		return tell(c, INTENT, "a change is not finished", "finish or undo it", -1);
	return tell(c, INTENT, "is no change of ours", "move it to .hwkey.intent.broken", move_aside(c, INTENT, ".broken"));
}

static int check_temp(const struct check *c, const char *file)
{
	struct err e;
	int r = is_left(c, file);

	if (r <= 0)
		return r;
	return tell(c, file, "is what a killed writer left", "remove it", c->repair ? file_remove(c->repo, file, &e) : -1);
}

static bool is_temp(const char *file)
{
	return !strcmp(file, FILE_TEMP) || !strcmp(file, OLD_INFO) || !strncmp(file, ".hwkey.new-", 11);
}

/* The length of the name before .info, .skey, .renc or .pass; 0: another file. */
static size_t stem(const char *file)
{
	size_t len = strlen(file);

	if (len <= 5)
		return 0;
	for (size_t i = 0; token_suffixes[i]; i++)
		if (!strcmp(file + len - 5, token_suffixes[i]))
			return len - 5;
	return strcmp(file + len - 5, ".info") == 0 ? len - 5 : 0;
}

/* A link to a file elsewhere, put here by somebody: what we would do to the one is done to the other. */
static bool has_other_name(const struct stat *st)
{
	return !S_ISREG(st->st_mode) || st->st_nlink > 1;
}

static int mend_mode(const struct check *c, const char *file)
{
	AUTO_CLOSE int fd = openat(c->repo->dirfd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (!c->repair || fd < 0 || fstat(fd, &st) < 0 || has_other_name(&st) || fchown(fd, (uid_t)-1, c->repo->gid) < 0)
		return -1;
	return fchmod(fd, c->repo->mode);
}

static int check_file(const struct check *c, const char *file)
{
	struct stat st;

	if (fstatat(c->repo->dirfd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : tell(c, file, "cannot be read", NULL, -1);
	if (!S_ISREG(st.st_mode))
		return tell(c, file, "is no regular file and will not be used", NULL, -1);
	if ((st.st_mode & 07777) == c->repo->mode && st.st_gid == c->repo->gid)
		return 0;
	if (has_other_name(&st))
		return tell(c, file, "has not the repository's mode or group, and another name elsewhere", NULL, -1);
	return tell(c, file, "has not the repository's mode or group", "set them", mend_mode(c, file));
}

static int write_info(const struct check *c, const char *name, const struct props *props, bool replace, struct err *e)
{
	int r = repo_write_info(c->repo, file_name(name, ".info").s, props, replace, e);

	return r < 0 ? r : dir_sync(c->repo->dirfd, e);
}

/* What the token tells, under what is left of the properties. */
static int rebuild(const struct check *c, const char *name, const struct props *left, bool replace)
{
	AUTO_ENTRY struct entry entry = { 0 };
	AUTO_BLOB struct blob token = { 0 };
	struct key key;
	struct err e;
	int r = file_read_at(c->repo->dirfd, file_name(name, ".skey").s, REPO_TOKEN_MAX, &token, &e);

	if (r == 0)
		r = key_parse(token.data, token.len, &key, &e);
	if (r == 0)
		r = entry_init(&entry, name, &key, &(struct entry_about){ 0 }, &e);
	for (size_t i = 0; r == 0 && i < left->n; i++)
		r = props_set(&entry.props, left->v[i].key, left->v[i].value, &e);
	return r < 0 ? r : write_info(c, name, &entry.props, replace, &e);
}

/* The well-formed lines of TEXT; none if one is not. A cut last line is left out. */
static void salvage(const struct blob *text, struct props *ret)
{
	size_t len = text->len;
	struct err e;

	while (len && text->data[len - 1] != '\n')
		len--;
	(void)props_parse_lines((char *)text->data, len, ret, &e);
}

static int mend_info(const struct check *c, const char *name, const struct blob *text)
{
	const struct file_name copy = file_name(name, ".info.broken");
	struct props left = { 0 };
	struct err e;
	int r = repo_write_file(c->repo, copy.s, text, false, &e);

	if (r < 0)
		return r;
	salvage(text, &left);
	r = rebuild(c, name, &left, true);
	if (r == -EBADMSG && props_get(&left, "cipher"))	/* a token we do not know, but its lines are whole */
		r = write_info(c, name, &left, true, &e);
	if (r < 0)
		(void)file_remove(c->repo, copy.s, &e);
	props_done(&left);
	return r;
}

static int check_info(const struct check *c, const char *name, const struct blob *text)
{
	const struct file_name info = file_name(name, ".info");
	struct props props = { 0 };
	struct err e;

	if (props_parse((char *)text->data, text->len, &props, &e) == 0) {
		props_done(&props);
		return 0;
	}
	return tell(c, info.s, e.msg, "rebuild it from its lines and the token; keep the old one as *.broken",
		    c->repair ? mend_info(c, name, text) : -1);
}

/* Types that only zkey knows are not judged. */
static int check_token(const struct check *c, const char *name)
{
	AUTO_ENTRY struct entry entry = { 0 };
	struct key key = { 0 };
	const char *type;
	struct err e;
	int r = repo_read_info(c->repo, name, &entry, c->e);

	if (r < 0)				/* told elsewhere, or gone meanwhile */
		return r == -EBADMSG || r == -ENOENT || r == -ELOOP ? 0 : r;
	type = props_get(&entry.props, "key-type") ?: "CCA-AESDATA";
	if (key_parse(entry.token.data, entry.token.len, &key, &e) == 0 ? strcmp(type, key_type_name(key.type)) == 0 :
									  !strcmp(type, "PVSECRET-HMAC"))
		return 0;
	return tell(c, file_name(name, ".skey").s, "holds no token of the type that .info tells", NULL, -1);
}

static int check_pair(const struct check *c, const char *name)
{
	const struct file_name info = file_name(name, ".info");
	AUTO_BLOB struct blob text = { 0 };
	struct err e;
	int r = file_read_at(c->repo->dirfd, info.s, INFO_MAX, &text, &e);

	if (r == -ENOENT || r == -ELOOP)	/* gone meanwhile; told already */
		return 0;
	r = r < 0 ? tell(c, info.s, "cannot be read", NULL, -1) : check_info(c, name, &text);
	return r < 0 ? r : check_token(c, name);
}

struct pair { int info, token; };	/* 1: there, 0: not, else -errno */

static struct pair look(const struct check *c, const char *name)
{
	int info = file_exists(c->repo, file_name(name, ".info").s, c->e);

	return (struct pair){ info, info < 0 ? info : file_exists(c->repo, file_name(name, ".skey").s, c->e) };
}

/* Whether a change of NAME is under way. What is no whole key is damaged only if it is so at the last look, too. */
static bool is_changing(const struct check *c, const char *name, struct pair *ret)
{
	*ret = look(c, name);
	for (int looks = 1; ret->token >= 0 && !(ret->info && ret->token) && looks < REPO_LOOKS; looks++) {
		bool writer = writer_at_work(c);

		if (writer && intent_names(c->repo, name))
			return true;
		*ret = look(c, name);
		if (!writer)
			break;
	}
	return false;
}

/* FILE is NAME and one of the suffixes; .info sorts first. */
static int check_name(const struct check *c, const char *file, const char *name)
{
	const char *suffix = file + strlen(name);
	struct pair there;
	int r;

	if (is_changing(c, name, &there))
		return 0;
	if (there.token < 0)
		return there.token;
	if (there.info && there.token)
		return strcmp(suffix, ".info") == 0 ? check_pair(c, name) : 0;
	r = file_exists(c->repo, file, c->e);
	if (r <= 0)				/* gone meanwhile */
		return r;
	if (!strcmp(suffix, ".skey"))
		return tell(c, file, "has no .info beside it", "write one that says what the token tells",
			    c->repair ? rebuild(c, name, &(struct props){ 0 }, false) : -1);
	return there.token ? 0 : tell(c, file, "has no .skey beside it", "move it aside as *.orphan",
				      move_aside(c, file, ".orphan"));
}

static int check_one(const struct check *c, const char *file)
{
	size_t len = stem(file);
	char name[NAME_LEN_MAX + 1];
	int r;

	if (is_temp(file))
		return check_temp(c, file);
	if (!len || !strncmp(file, ".hwkey.", 7))
		return 0;
	(void)snprintf(name, sizeof(name), "%.*s", (int)len, file);
	if (len > NAME_LEN_MAX || !repo_valid_name(name))
		return tell(c, file, "has a name that hwkey takes for no key", NULL, -1);
	r = check_file(c, file);
	return r < 0 ? r : check_name(c, file, name);
}

int repo_check(struct repo *repo, bool repair, int (*see)(void *ctx, const struct repo_problem *), void *ctx, struct err *e)
{
	AUTO_CLOSE int lock = -1;
	const struct check c = { repo, &lock, repair, see, ctx, e };
	AUTO_FREE char **files = NULL;
	size_t n;
	int r = repo->dirfd < 0 ? 0 : check_intent(&c);

	if (r == 0)
		r = repo_files(repo, &files, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = check_one(&c, files[i]);
	return r;
}
