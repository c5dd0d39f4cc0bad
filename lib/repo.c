// SPDX-License-Identifier: MIT
/* Opening and reading the repository. */
#include "repo-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "err.h"
#include "file.h"
#include "sys.h"

static int open_dir(struct repo *repo, unsigned flags, struct err *e)
{
	const int how = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct stat st;
	int r;

	if (!*repo->path)
		return err_set(e, EINVAL, "name of the repository is empty");
	repo->dirfd = open(repo->path, how);
	if (repo->dirfd < 0 && errno == ENOENT) {
		if (!(flags & REPO_CREATE))
			return 0;
		r = dir_create(repo->path, e);
		if (r < 0)
			return r;
		repo->dirfd = open(repo->path, how);
	}
	if (repo->dirfd < 0 || fstat(repo->dirfd, &st) < 0)
		return err_sys(e, "cannot open repository '%s'", repo->path);
	if (st.st_mode & S_IWOTH)
		return err_set(e, EPERM, "repository '%s' may be written by everybody: chmod o-w it first", repo->path);
	repo->mode = st.st_mode & 0664;
	repo->gid = st.st_gid;
	return 0;
}

/*
 * The group shares the lock as it shares the keys, whatever the creator's umask was. A link to a file elsewhere, which
 * somebody put there under this name, keeps its mode and group.
 */
static int share_lock(const struct repo *repo, struct err *e)
{
	struct stat st;

	if (fstat(repo->lockfd, &st) < 0 || st.st_uid != geteuid() ||
	    (st.st_gid == repo->gid && (st.st_mode & 07777) == repo->mode))
		return 0;
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		return err_set(e, EPERM, "'.lock' has another name or is no file: remove it, if nothing is at work here");
	if (st.st_gid != repo->gid)
		(void)!fchown(repo->lockfd, (uid_t)-1, repo->gid);
	(void)fchmod(repo->lockfd, repo->mode);
	return 0;
}

static int begin_write(struct repo *repo, struct err *e)
{
	int r = lock_take(repo->dirfd, ".lock", &(struct file_attr){ repo->mode, repo->gid }, &repo->lockfd, e);

	if (r == 0)
		r = share_lock(repo, e);
	if (r < 0)
		return err_prefix(e, "repository '%s'", repo->path);
	r = intent_finish(repo, e);
	if (r == 0)
		temp_remove(repo);
	return r == -EBADMSG ? 0 : r;	/* not ours: intent_write() refuses, repo_check() mends */
}

/* A reader finishes what a killed writer left, if it may and no writer is at work; else it reads what is there. */
static void try_finish(struct repo *repo)
{
	AUTO_CLOSE int lock = -1;
	struct err ignored;

	if (faccessat(repo->dirfd, INTENT, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	lock = openat(repo->dirfd, ".lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
		(void)intent_finish(repo, &ignored);
}

int repo_open(struct repo *ret, const char *path, unsigned flags, struct err *e)
{
	struct repo repo = { .dirfd = -1, .lockfd = -1, .path = strdup(path) };
	int r = repo.path ? open_dir(&repo, flags, e) : err_nomem(e);

	if (r == 0 && repo.dirfd >= 0 && flags & REPO_WRITE)
		r = begin_write(&repo, e);
	else if (r == 0 && repo.dirfd >= 0)
		try_finish(&repo);
	if (r < 0)
		repo_done(&repo);
	else
		*ret = repo;
	return r;
}

void repo_done(struct repo *repo)
{
	if (repo->lockfd >= 0)
		(void)close(repo->lockfd);
	if (repo->dirfd >= 0)
		(void)close(repo->dirfd);
	free(repo->path);
	*repo = (struct repo){ .dirfd = -1, .lockfd = -1 };
}

void entry_done(struct entry *entry)
{
	free(entry->name);
	props_done(&entry->props);
	blob_done(&entry->token);
	blob_done(&entry->staged);
	*entry = (struct entry){ 0 };
}

/* Three system calls for a small file: no fstat. -ENOENT comes without a message. */
static int read_small(const struct repo *repo, const char *file, size_t max, struct blob *ret, struct err *e)
{
	AUTO_CLOSE int fd = openat(repo->dirfd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	unsigned char buf[4096];
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_sys(e, "cannot open '%s'", file);
	do
		n = read(fd, buf, sizeof(buf));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EISDIR)	/* one stray directory does not hide the keys */
		return err_set(e, EBADMSG, "'%s' is a directory: remove it", file);
	if (n < 0)
		return err_sys(e, "cannot read '%s'", file);
	if (n == sizeof(buf))
		return file_read_at(repo->dirfd, file, max, ret, e);
	return blob_copy(ret, buf, (size_t)n, e);
}

static int read_info(const struct repo *repo, const char *name, struct props *ret, struct err *e)
{
	const struct file_name info = file_name(name, ".info");
	AUTO_BLOB struct blob text = { 0 };
	int r = read_small(repo, info.s, INFO_MAX, &text, e);

	if (r == 0) {
		r = props_parse((char *)text.data, text.len, ret, e);
		return r == -EBADMSG ? err_prefix(e, "'%s' is damaged (see 'hwkey check')", info.s) : r;
	}
	if (r != -ENOENT)
		return r;
	r = file_exists(repo, file_name(name, ".skey").s, e);
	if (r > 0 && !intent_names(repo, name))
		return err_set(e, EBADMSG, "key '%s' lacks its '%s': run 'hwkey check'", name, info.s);
	return r < 0 ? r : err_set(e, ENOENT, "no key '%s'", name);
}

/* No token although .info was there: damaged, unless a writer has just removed or renamed the key. */
static int read_token(const struct repo *repo, const char *name, struct blob *ret, struct err *e)
{
	int r = read_small(repo, file_name(name, ".skey").s, REPO_TOKEN_MAX, ret, e);

	if (r != -ENOENT)
		return r;
	r = file_exists(repo, file_name(name, ".info").s, e);
	if (r > 0)
		return err_set(e, EBADMSG, "key '%s' lacks its '%s.skey': run 'hwkey check'", name, name);
	return r < 0 ? r : err_set(e, ENOENT, "no key '%s'", name);
}

static int read_beside(const struct repo *repo, const char *name, struct entry *entry, struct err *e)
{
	int r = read_small(repo, file_name(name, ".renc").s, REPO_TOKEN_MAX, &entry->staged, e);

	if (r < 0 && r != -ENOENT)
		return r;
	r = file_exists(repo, file_name(name, ".pass").s, e);
	entry->has_passphrase = r > 0;
	return r < 0 ? r : 0;
}

static int read_once(const struct repo *repo, const char *name, bool whole, struct entry *ret, struct err *e)
{
	AUTO_ENTRY struct entry entry = { 0 };
	int r = read_info(repo, name, &entry.props, e);

	if (r == 0)
		r = read_token(repo, name, &entry.token, e);
	if (r == 0 && whole)
		r = read_beside(repo, name, &entry, e);
	if (r == 0 && !(entry.name = strdup(name)))
		r = err_nomem(e);
	if (r < 0)
		return r;
	*ret = TAKE(entry);
	return 0;
}

/* A writer replaces .info last, and says in the intent that it is at it. */
static bool is_unsettled(const struct repo *repo, const char *name, const struct stat *before)
{
	struct stat now = { 0 };

	if (intent_names(repo, name))
		return true;
	(void)fstatat(repo->dirfd, file_name(name, ".info").s, &now, AT_SYMLINK_NOFOLLOW);
	return now.st_ino != before->st_ino || now.st_ctim.tv_sec != before->st_ctim.tv_sec ||
	       now.st_ctim.tv_nsec != before->st_ctim.tv_nsec;
}

/* All files of one state, if WHOLE; a change that was cut short and cannot be finished from here is waited for in vain. */
static int read_settled(const struct repo *repo, const char *name, bool whole, struct entry *ret, struct err *e)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	struct stat before = { 0 };
	struct err own;			/* E is not touched when a second look succeeds */
	int r;

	for (int looks = 1;; looks++) {
		if (whole)
			(void)fstatat(repo->dirfd, file_name(name, ".info").s, &before, AT_SYMLINK_NOFOLLOW);
		r = read_once(repo, name, whole, ret, &own);
		if (looks == REPO_LOOKS || !(r == -EBADMSG || (r == 0 && whole && is_unsettled(repo, name, &before))))
			break;
		if (r == 0) {
			entry_done(ret);
			(void)nanosleep(&pause, NULL);
		}
	}
	if (r < 0)
		*e = own;
	return r;
}

static int read_entry(const struct repo *repo, const char *name, bool whole, struct entry *ret, struct err *e)
{
	int r = repo_check_name(name, e);

	if (r < 0)
		return r;
	if (repo->dirfd < 0)
		return err_set(e, ENOENT, "no key '%s'", name);
	return repo->lockfd >= 0 ? read_once(repo, name, whole, ret, e) : read_settled(repo, name, whole, ret, e);
}

int repo_read(const struct repo *repo, const char *name, struct entry *ret, struct err *e)
{
	return read_entry(repo, name, true, ret, e);
}

int repo_read_info(const struct repo *repo, const char *name, struct entry *ret, struct err *e)
{
	return read_entry(repo, name, false, ret, e);
}

struct words { char *text; size_t len, size, n; };	/* each ended by a NUL */

static int add_word(struct words *w, const char *word, size_t len, struct err *e)
{
	if (w->size - w->len <= len) {
		size_t size = 2 * w->size + len + 1024;
		char *grown = realloc(w->text, size);

		if (!grown)
			return err_nomem(e);
		w->text = grown;
		w->size = size;
	}
	memcpy(w->text + w->len, word, len);
	w->text[w->len + len] = '\0';
	w->len += len + 1;
	w->n++;
	return 0;
}

/* Of a file NAME.info or NAME.skey; false: of no other. */
static bool name_of_file(const char *file, char ret[NAME_LEN_MAX + 1])
{
	size_t len = strlen(file);

	if (len <= 5 || len - 5 > NAME_LEN_MAX || (strcmp(file + len - 5, ".info") && strcmp(file + len - 5, ".skey")))
		return false;
	memcpy(ret, file, len - 5);
	ret[len - 5] = '\0';
	return true;
}

static int add_name(const struct repo *repo, struct words *w, const char *file, struct err *e)
{
	char name[NAME_LEN_MAX + 1];

	(void)repo;
	if (!name_of_file(file, name) || strcmp(file + strlen(name), ".info") != 0 || !repo_valid_name(name))
		return 0;
	return add_word(w, name, strlen(name), e);
}

/* What has no .info is named by its .skey. */
static int add_damaged(const struct repo *repo, struct words *w, const char *file, struct err *e)
{
	char name[NAME_LEN_MAX + 1];
	int r;

	if (!name_of_file(file, name) || !repo_valid_name(name))
		return 0;
	r = strcmp(file + strlen(name), ".info") != 0 ? file_exists(repo, file_name(name, ".info").s, e) : 0;
	return r == 0 ? add_word(w, name, strlen(name), e) : r < 0 ? r : 0;
}

static int add_file(const struct repo *repo, struct words *w, const char *file, struct err *e)
{
	(void)repo;
	return add_word(w, file, strlen(file), e);
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sort_words(const struct words *w, char ***ret, struct err *e)
{
	size_t head = (w->n + 1) * sizeof(char *);
	char **list = malloc(head + w->len + 1), *at;

	if (!list)
		return err_nomem(e);
	at = (char *)list + head;
	if (w->len)
		memcpy(at, w->text, w->len);
	for (size_t i = 0; i < w->n; i++, at += strlen(at) + 1)
		list[i] = at;
	list[w->n] = NULL;
	qsort(list, w->n, sizeof(*list), compare_words);
	*ret = list;
	return 0;
}

struct scan {
	const struct repo *repo;
	int (*add)(const struct repo *, struct words *, const char *file, struct err *);
	struct words w;
	struct err *e;
	int failed;		/* what .add returned */
};

static int scan_name(void *ctx, const char *file)
{
	struct scan *s = ctx;

	return s->failed = s->add(s->repo, &s->w, file, s->e);
}

static int list(const struct repo *repo,
		int (*add)(const struct repo *, struct words *, const char *file, struct err *), char ***ret,
		size_t *ret_n, struct err *e)
{
	struct scan s = { .repo = repo, .add = add, .e = e };
	int r = repo->dirfd < 0 ? 0 : dir_names(repo->dirfd, scan_name, &s);

	if (r < 0 && !s.failed) {
		errno = -r;
		r = err_sys(e, "cannot list repository '%s'", repo->path);
	}
	if (r == 0)
		r = sort_words(&s.w, ret, e);
	if (r == 0)
		*ret_n = s.w.n;
	free(s.w.text);
	return r;
}

int repo_names(const struct repo *repo, char ***ret, size_t *ret_n, struct err *e)
{
	return list(repo, add_name, ret, ret_n, e);
}

int repo_names_damaged(const struct repo *repo, char ***ret, size_t *ret_n, struct err *e)
{
	return list(repo, add_damaged, ret, ret_n, e);
}

int repo_files(const struct repo *repo, char ***ret, size_t *ret_n, struct err *e)
{
	return list(repo, add_file, ret, ret_n, e);
}

/* As its token says, else its .info; what neither tells may be. */
static bool may_be(const struct repo *repo, const char *name, enum key_type type)
{
	AUTO(props_done) struct props props = { 0 };
	AUTO_BLOB struct blob token = { 0 };
	struct err dropped;
	struct key key;
	const char *said;

	if (read_small(repo, file_name(name, ".skey").s, REPO_TOKEN_MAX, &token, &dropped) == 0 &&
	    key_parse(token.data, token.len, &key, &dropped) == 0)
		return key.type == type;
	if (read_info(repo, name, &props, &dropped) < 0)
		return true;
	said = props_get(&props, "key-type");
	return !said || !strcmp(said, key_type_name(type));
}

int repo_find_type(const struct repo *repo, enum key_type type, char ret[NAME_LEN_MAX + 1], struct err *e)
{
	AUTO_FREE char **files = NULL;
	size_t n = 0;
	int r = repo_files(repo, &files, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (name_of_file(files[i], ret) && may_be(repo, ret, type))
			return 0;
	ret[0] = '\0';
	return r;
}
