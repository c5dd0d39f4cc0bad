// SPDX-License-Identifier: MIT
#include "anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/secret.h"
#include "tsk.h"

enum { APART_AT = TSK_KEY, PATH_AT = APART_AT + 1 };

struct anchor {
	const unsigned char *key;	/* of the half */
	bool apart;
	char path[ANCHOR_PATH_MAX + 1];
};

static int anchor_parse(const struct slot *s, struct anchor *ret, struct err *e)
{
	const unsigned char *p = s->payload;
	size_t len = s->payload_len;

	if (len <= PATH_AT || len > PATH_AT + ANCHOR_PATH_MAX || p[APART_AT] > 1 || p[PATH_AT] != '/' ||
	    memchr(p + PATH_AT, '\0', len - PATH_AT))
		return err_set(e, EBADMSG, "malformed");
	ret->key = p;
	ret->apart = p[APART_AT];
	memcpy(ret->path, p + PATH_AT, len - PATH_AT);
	ret->path[len - PATH_AT] = '\0';
	return 0;
}

/* The slot of the keystore in DIR, whose bytes are FILE. ENOENT without a message: there is none. */
static int anchor_load(int dir, struct secret *file, struct slot *ret_slot, struct anchor *ret, struct err *e)
{
	int r = root_slot_load(dir, root_slot_find("anchor"), file, ret_slot, e);

	return r < 0 ? r : anchor_parse(ret_slot, ret, e);
}

/* --- the half ---------------------------------------------------------------------------------------------------- */

struct place {
	int dir;
	const char *name;		/* in the path */
};

#define AUTO_PLACE AUTO(place_done)
#define PLACE_CLOSED { .dir = -1 }

static void place_done(struct place *p)
{
	auto_close(&p->dir);
}

/* ENODEV: it cannot be reached. */
static int place_open(const char *path, struct place *ret, struct err *e)
{
	char dir[ANCHOR_PATH_MAX + 1];
	const char *name = strrchr(path, '/') + 1;

	memcpy(dir, path, (size_t)(name - path));
	dir[name - path] = '\0';
	ret->name = name;
	ret->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->dir < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, ENODEV, "anchor '%.300s' is not there: %s", path, strerror(errno));
	return ret->dir < 0 ? err_sys(e, "cannot look for anchor '%.300s'", path) : 0;
}

static bool same_file_system(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev;
}

/* The same, of the half that A says; ENODEV also where what it is on is not mounted. */
static int anchor_open(int dir, const struct anchor *a, struct place *ret, struct err *e)
{
	int r = place_open(a->path, ret, e);

	if (r == 0 && a->apart && same_file_system(dir, ret->dir))
		return err_set(e, ENODEV, "anchor '%.300s' is not there: what it is on is not mounted", a->path);
	return r;
}

/* ENOENT without a message: there is no file. EBADMSG: no half, or a damaged one. */
static int half_read(const struct place *at, struct blob *ret_file, struct slot *ret, struct err *e)
{
	int r = file_read_at(at->dir, at->name, SLOT_MAX, ret_file, e);

	if (r == -ELOOP || r == -EFBIG)
		return err_set(e, EBADMSG, "'%s' is no anchor", at->name);
	if (r == 0)
		r = slot_parse(ret_file->data, ret_file->len, ret, e);
	return r == 0 && ret->type != SLOT_HALF ? err_set(e, EBADMSG, "'%s' is no anchor", at->name) : r;
}

static int half_write(const struct place *at, const struct session *session, const unsigned char *key, struct err *e)
{
	AUTO_SECRET struct secret given = { 0 }, file = { 0 };
	int r = secret_copy(&given, key, TSK_KEY, e);

	if (r == 0)
		r = root_slot_make(session, SLOT_HALF, session->root, &given, &file, e);
	if (r == 0)
		r = file_write_at(at->dir, at->name, file.data, file.len, NULL, true, e);
	return r < 0 ? r : dir_sync(at->dir, e);
}

/* A half of this root key, under whatever key: nobody else's. */
static bool half_is_ours(const struct place *at, const struct session *session)
{
	AUTO_BLOB struct blob file = { 0 };
	struct err dropped;
	struct slot s;

	return half_read(at, &file, &s, &dropped) == 0 && slot_verify(file.data, &s, session->root, &dropped) == 0;
}

/* If it comes back after a power cut, it opens nothing either. */
static void half_remove(const struct device *dev, const char *path, const struct session *session)
{
	AUTO_PLACE struct place at = PLACE_CLOSED;
	struct err dropped;
	bool gone = place_open(path, &at, &dropped) == 0 && half_is_ours(&at, session) &&
		    unlinkat(at.dir, at.name, 0) == 0;

	if (!gone && dev->env->note)
		dev->env->note(dev->env, "the old anchor '%s' was not there to be removed; it opens nothing any more",
			       path);
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

int anchor_wrap(const struct slot *s, const unsigned char root[ROOT_KEY], const struct secret *given, unsigned char *ret,
		size_t *ret_len, struct err *e)
{
	(void)s, (void)root, (void)e;
	secret_bytes_copy(ret, given->data, given->len);
	*ret_len = given->len;
	return 0;
}

static int half_open(const struct anchor *a, unsigned char *ret_root, struct err *e)
{
	AUTO_PLACE struct place at = PLACE_CLOSED;
	AUTO_SECRET struct secret key = { 0 };
	AUTO_BLOB struct blob file = { 0 };
	struct slot half;
	int r = place_open(a->path, &at, e);

	if (r == 0)
		r = half_read(&at, &file, &half, e);
	if (r == -ENOENT)
		return err_set(e, ENODEV, "anchor '%.300s' is not there", a->path);
	if (r == 0)
		r = secret_copy(&key, a->key, TSK_KEY, e);
	if (r == 0)
		r = tsk_unwrap(&half, &key, ret_root, e);
	if (r == -EACCES)
		return err_set(e, EBADMSG, "anchor '%.300s' is not the one of this keystore", a->path);
	return r < 0 && r != -ENODEV ? err_prefix(e, "anchor '%.300s'", a->path) : r;
}

int anchor_unwrap(const struct slot *s, const struct secret *given, unsigned char ret_root[ROOT_KEY], struct err *e)
{
	struct anchor a;
	int r = anchor_parse(s, &a, e);

	(void)given;
	return r < 0 ? r : half_open(&a, ret_root, e);
}

/* --- what became of it ------------------------------------------------------------------------------------------- */

enum slot_state anchor_state(int dir, const struct slot *s, const struct session *session, struct err *ret_why)
{
	AUTO_PLACE struct place at = PLACE_CLOSED;
	AUTO_BLOB struct blob file = { 0 };
	unsigned char id[TSK_ID];
	enum slot_state state;
	struct slot half;
	struct anchor a;
	int r;

	if (anchor_parse(s, &a, ret_why) < 0)
		return SLOT_DAMAGED;
	r = anchor_open(dir, &a, &at, ret_why);
	if (r < 0)
		return r == -ENODEV ? SLOT_AWAY : SLOT_UNREADABLE;
	r = half_read(&at, &file, &half, ret_why);
	if (r == -ENOENT) {
		(void)err_set(ret_why, ENOENT, "anchor '%.300s' is missing", a.path);
		return SLOT_MISSING;
	}
	state = r == 0 ? slot_compare(file.data, &half, session, ret_why) : r == -EBADMSG ? SLOT_DAMAGED : SLOT_UNREADABLE;
	if (state == SLOT_GOOD && (tsk_id(a.key, id, ret_why) < 0 || memcmp(id, half.payload, TSK_ID) != 0)) {
		(void)err_set(ret_why, EBADMSG, "under another key");
		state = SLOT_STALE;
	}
	if (state != SLOT_GOOD)
		(void)err_prefix(ret_why, "anchor '%.300s'", a.path);
	return state;
}

int anchor_heal(int dir, const struct session *session, bool asked, struct err *e)
{
	AUTO_PLACE struct place at = PLACE_CLOSED;
	AUTO_SECRET struct secret file = { 0 };
	struct anchor a;
	struct slot s;
	int r = anchor_load(dir, &file, &s, &a, e);

	if (r == 0)
		r = slot_verify(file.data, &s, session->root, e);
	if (r == 0)
		r = anchor_open(dir, &a, &at, e);
	if (r == 0 && !asked && (a.apart || !same_file_system(dir, at.dir)))
		r = err_set(e, ENODEV, "what is mounted at '%.300s' may be another medium", a.path);
	if (r == 0)
		r = half_write(&at, session, a.key, e);
	return r < 0 ? err_prefix(e, "cannot write the anchor") : 0;
}

/* RET is empty where there is no slot, or a damaged one. Who cannot read it does not know whose a half is. */
static int anchor_find(int dir, char ret[ANCHOR_PATH_MAX + 1], struct err *e)
{
	AUTO_SECRET struct secret file = { 0 };
	struct anchor a;
	struct slot s;
	int r = anchor_load(dir, &file, &s, &a, e);

	if (r == 0)
		memcpy(ret, a.path, sizeof(a.path));
	else
		ret[0] = '\0';
	return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

void anchor_path(int dir, char ret[ANCHOR_PATH_MAX + 1])
{
	struct err dropped;

	(void)anchor_find(dir, ret, &dropped);
}

bool anchor_is_apart(int dir)
{
	AUTO_SECRET struct secret file = { 0 };
	struct err dropped;
	struct anchor a;
	struct slot s;

	return anchor_load(dir, &file, &s, &a, &dropped) == 0 && a.apart;
}

bool anchor_erase(int dir)
{
	AUTO_SECRET struct secret file = { 0 };
	AUTO_BLOB struct blob half_file = { 0 };
	AUTO_PLACE struct place at = PLACE_CLOSED;
	struct err dropped;
	struct slot s, half;
	struct anchor a;

	return anchor_load(dir, &file, &s, &a, &dropped) == 0 && anchor_open(dir, &a, &at, &dropped) == 0 &&
	       half_read(&at, &half_file, &half, &dropped) == 0 && !memcmp(half.system, s.system, UUID_SIZE) &&
	       file_wipe_at(at.dir, at.name, &dropped) == 0 && dir_sync(at.dir, &dropped) == 0;
}

/* --- changing it ------------------------------------------------------------------------------------------------- */

static int check_path(const char *path, struct err *e)
{
	size_t len = strlen(path);

	if (path[0] != '/' || path[len - 1] == '/' || len > ANCHOR_PATH_MAX)
		return err_set(e, EINVAL, "'%.200s' cannot be an anchor: it takes the absolute path of a file", path);
	return 0;
}

static int check_free(const struct place *at, const char *path, const struct session *session, bool replace, struct err *e)
{
	AUTO_BLOB struct blob file = { 0 };
	struct slot half;
	int r = half_read(at, &file, &half, e);

	if (r == -ENOENT || (r == 0 && (replace || half_is_ours(at, session))))
		return 0;
	if (r == 0)
		return err_set(e, EEXIST, "'%.300s' is an anchor of another keystore", path);
	if (r == -EBADMSG)
		return err_set(e, EEXIST, "'%.300s' is there already, and is no anchor: choose another name", path);
	return r;
}

/* Key of the half, whether it is apart, path. */
static int payload_make(int dir, const struct place *at, const char *path, struct secret *ret, struct err *e)
{
	size_t len = strlen(path);
	int r = secret_alloc(ret, PATH_AT + len, e);

	if (r == 0)
		r = random_bytes(ret->data, TSK_KEY, e);
	if (r < 0)
		return r;
	ret->data[APART_AT] = !same_file_system(dir, at->dir);
	memcpy(ret->data + PATH_AT, path, len);
	ret->len = PATH_AT + len;
	return 0;
}

int anchor_set(const struct device *dev, int dir, const struct session *session, const char *given, bool replace,
	       struct err *e)
{
	const char *path = strdupa(given);	/* no secret, and strace(1) cannot see into one */
	const struct soft_slot *row = root_slot_find("anchor");
	AUTO_PLACE struct place at = PLACE_CLOSED;
	AUTO_SECRET struct secret payload = { 0 };
	char old[ANCHOR_PATH_MAX + 1];
	int r = check_path(path, e);

	if (r == 0)
		r = anchor_find(dir, old, e);
	if (r == 0)
		r = place_open(path, &at, e);
	if (r == 0)
		r = check_free(&at, path, session, replace, e);
	if (r == 0 && !strcmp(old, path))
		return anchor_heal(dir, session, true, e);	/* under the same key: nothing else changes */
	if (r == 0)
		r = payload_make(dir, &at, path, &payload, e);
	if (r == 0)
		r = half_write(&at, session, payload.data, e);
	if (r < 0)
		return r;
	r = root_slot_write(dir, row, session, &payload, replace, e);
	if (r == 0 && old[0])
		half_remove(dev, old, session);
	anchor_path(dir, old);
	if (r < 0 && strcmp(old, path) != 0)	/* the slot does not lead to it */
		(void)unlinkat(at.dir, at.name, 0);
	if (r == 0 && !payload.data[APART_AT] && dev->env->warn)
		dev->env->warn(dev->env, "'%s' is on the file system of the keystore: it protects as little as slot "
			       "'plain'", path);
	return r;
}

int anchor_remove(const struct device *dev, int dir, const struct session *session, struct err *e)
{
	char path[ANCHOR_PATH_MAX + 1];
	int r = anchor_find(dir, path, e);

	if (r == 0)
		r = root_slot_remove(dev, dir, root_slot_find("anchor"), e);
	if (r == 0 && path[0])
		half_remove(dev, path, session);
	return r;
}
