// SPDX-License-Identifier: MIT
#include "ipl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/blob.h"
#include "lib/env.h"
#include "lib/err.h"
#include "anchor.h"
#include "counter.h"
#include "source.h"

/* Every slot but one that is not there; STATE and WHY are set. Starts with *ROW NULL. */
static bool next_slot(const struct store *s, const struct soft_slot **row, enum slot_state *ret, struct err *ret_why)
{
	const struct soft_slot *end = soft_slots + ARRAY_SIZE(soft_slots);

	for (*row = *row ? *row + 1 : soft_slots; *row < end; ++*row) {
		*ret = root_slot_state(s->dir, *row, session_of(s->dev), ret_why);
		if (*ret != SLOT_NONE)
			return true;
	}
	return false;
}

static bool is_mendable(enum slot_state state, unsigned flags)
{
	return state == SLOT_MISSING || (flags & CHECK_HEAL_FOREIGN && (state == SLOT_DAMAGED || state == SLOT_FOREIGN ||
									state == SLOT_STALE));
}

/* The slot itself must be good: it says where its half is. */
static int mend_anchor(const struct store *s, unsigned flags, struct err *e)
{
	const struct env *env = s->dev->env;
	char path[ANCHOR_PATH_MAX + 1];
	enum slot_state state = root_slot_state(s->dir, root_slot_find("anchor"), session_of(s->dev), e);
	int r;

	if (state == SLOT_UNREADABLE)
		return -e->code;
	if (!is_mendable(state, flags))
		return 0;
	r = anchor_heal(s->dir, session_of(s->dev), flags & CHECK_REPAIR, e);
	anchor_path(s->dir, path);
	if (r == 0 && env->note)
		env->note(env, "anchor '%s' was written anew", path);
	return r;
}

void ipl_start(const struct store *s)
{
	const struct env *env = s->dev->env;
	const struct soft_slot *row = NULL;
	enum slot_state state;
	struct err why;

	(void)mend_anchor(s, 0, &why);
	while (next_slot(s, &row, &state, &why))
		if (state != SLOT_GOOD && env->warn)
			env->warn(env, "%s; see 'hwkey pks-check'", why.msg);
}

/* Why it is not used like any other; NULL: it is. One that the first use of this boot enables is. */
static const char *state_of(const struct store *s)
{
	return container_state(s->now.flags, !s->now.pending ? "disabled"
					     : s->boot.here  ? "disabled until the next boot" : NULL);
}

void ipl_health(const struct store *s, char *ret, size_t size)
{
	const char *unlike = state_of(s);
	const struct soft_slot *row = NULL;
	enum slot_state state;
	struct err why;

	(void)snprintf(ret, size, "%s", unlike ? unlike : "healthy");
	if (unlike)
		return;
	while (next_slot(s, &row, &state, &why))
		if (state != SLOT_GOOD) {
			(void)snprintf(ret, size, "degraded: %s", why.msg);
			return;
		}
	if (s->other != OTHER_GOOD || !store_other_is_whole(s))
		(void)snprintf(ret, size, "degraded: '%s' is damaged or missing", s->files[!s->newest]);
}

/* --- the steps ----------------------------------------------------------------------------------------------------- */

/* The worse result stays; what is said is joined. */
__attribute__((format(printf, 3, 4)))
static void tell(struct check_step *step, enum check_result result, const char *fmt, ...)
{
	size_t n = strlen(step->detail);
	va_list ap;

	if (result > step->result)
		step->result = result;
	if (n)
		n += (size_t)snprintf(step->detail + n, sizeof(step->detail) - n, "; ");
	if (n >= sizeof(step->detail))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(step->detail + n, sizeof(step->detail) - n, fmt, ap);
	va_end(ap);
}

static enum check_result result_of(enum slot_state state)
{
	return state == SLOT_GOOD ? CHECK_OK : state == SLOT_MISSING || state == SLOT_AWAY ? CHECK_DEGRADED : CHECK_FAILED;
}

/* What makes a slot good again. */
static const char *way_of(const struct soft_slot *row, enum slot_state state)
{
	if (state == SLOT_UNREADABLE || state == SLOT_NEWER || state == SLOT_AWAY)
		return "";
	if (row->type == SLOT_ANCHOR)
		return state == SLOT_MISSING ? ": --repair writes it anew" : ": --repair --heal-foreign overwrites it";
	return row->type == SLOT_TSK ? ": 'hwkey pks-tsk --set FILE --replace' renews it"
				     : ": 'hwkey pks-config' renews it with --add-slot and --replace";
}

/* Only a PIN is not asked for. */
static void look_at_source(const struct store *s, const struct soft_slot *row, struct check_step *step)
{
	struct err why;
	int r = source_try(s->dev, s->dir, row, session_of(s->dev), &why);

	if (r < 0 && r != -EACCES)
		tell(step, CHECK_DEGRADED, "%s: %s", row->name, why.msg);
	else
		tell(step, CHECK_OK, "%s%s", row->name, r < 0 ? " (not opened)" : "");
}

static void look_at_slots(const struct store *s, struct check_step *steps)
{
	const struct session *session = session_of(s->dev);
	char id[2 * ROOT_ID + 1] = "", path[ANCHOR_PATH_MAX + 1];
	const struct soft_slot *row = NULL;
	unsigned char raw[ROOT_ID];
	enum slot_state state;
	unsigned good = 0;
	struct err why;

	while (next_slot(s, &row, &state, &why)) {
		struct check_step *step = &steps[row->backend ? CHECK_TRUST :
						 row->type == SLOT_ANCHOR ? CHECK_ANCHOR : CHECK_SLOTS];

		good += state == SLOT_GOOD;
		if (state != SLOT_GOOD)
			tell(step, result_of(state), "%s%s", why.msg, way_of(row, state));
		else if (row->type == SLOT_ANCHOR)
			tell(step, CHECK_OK, "%s", (anchor_path(s->dir, path), path));
		else if (row->backend)
			look_at_source(s, row, step);
		else
			tell(step, CHECK_OK, "%s%s", row->name, row->credential ? " (not opened)" : "");
	}
	if (!steps[CHECK_ANCHOR].detail[0])
		tell(&steps[CHECK_ANCHOR], CHECK_SKIPPED, "there is none");
	if (!steps[CHECK_SLOTS].detail[0])
		tell(&steps[CHECK_SLOTS], CHECK_SKIPPED, "there is none on the disk");
	if (!steps[CHECK_TRUST].detail[0])
		tell(&steps[CHECK_TRUST], CHECK_SKIPPED, "no slot of a trust source");
	if (root_id(session->root, raw, &why) == 0)
		hex_encode(raw, ROOT_ID, id);
	tell(&steps[CHECK_COPIES], CHECK_OK, "root key %s, epoch %llu, in %u cop%s", id, (unsigned long long)session->epoch,
	     good, good == 1 ? "y" : "ies");
}

static void look_at_files(const struct store *s, struct check_step *step)
{
	bool whole = s->other == OTHER_GOOD && store_other_is_whole(s);

	tell(step, CHECK_OK, "generation %llu in '%s'", (unsigned long long)s->now.generation, s->files[s->newest]);
	if (!whole)
		tell(step, s->other == OTHER_NEWER ? CHECK_FAILED : CHECK_DEGRADED, "'%s' is damaged or missing%s: "
		     "--repair writes it anew", s->files[!s->newest], s->other == OTHER_NEWER ? ", and may be newer" : "");
	for (unsigned i = 0; i < 2; i++)
		if (store_has_kept(s, i))
			tell(step, CHECK_DEGRADED, "'%s' is kept: remove it when nothing is missed", s->kept[i]);
}

static void look_at_boot(const struct store *s, struct check_step *steps)
{
	const char *state = state_of(s);
	const struct boot *b = &s->boot;

	if (state)
		tell(&steps[CHECK_READY], CHECK_DEGRADED, "%s", state);
	else if (s->now.pending && !b->here)
		tell(&steps[CHECK_READY], CHECK_DUE, "size of %u bytes is due", s->now.pending);
	if (!b->here)
		tell(&steps[CHECK_READY], CHECK_DUE, "this boot has not begun: no password is set");
	else
		tell(&steps[CHECK_READY], CHECK_OK, "this boot has begun");
	if (b->unflushed && b->unflushed == s->now.generation)
		tell(&steps[CHECK_FLUSH], CHECK_DUE, "generation %llu may not be on disk",
		     (unsigned long long)b->unflushed);
	else
		tell(&steps[CHECK_FLUSH], CHECK_OK, "all is on disk");
}

static void look_at_store(const struct store *s, struct check_step *steps)
{
	look_at_slots(s, steps);
	look_at_files(s, &steps[CHECK_FILES]);
	tell(&steps[CHECK_CONTENTS], CHECK_OK, "%u object%s, %zu of %zu bytes", s->objects.count,
	     s->objects.count == 1 ? "" : "s", store_charged(s), s->objects.size);
	look_at_boot(s, steps);
	tell(&steps[CHECK_BACKUP], CHECK_SKIPPED, "'hwkey pks-backup' makes one");
}

/* Where it stopped: at the root key, at the state of this boot, which who needs none passes by, or at the containers. */
static void tell_failure(const struct device *dev, struct check_step *steps, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct err dropped;

	if (!dev->session->len) {
		tell(&steps[CHECK_COPIES], CHECK_FAILED, "%s", e->msg);
	} else if (store_open(&s, dev, STORE_DISABLED | STORE_KEYS | STORE_REANCHOR, &dropped) == 0) {
		look_at_slots(&s, steps);
		look_at_files(&s, &steps[CHECK_FILES]);
		tell(&steps[CHECK_READY], CHECK_FAILED, "%s", e->msg);
	} else {
		tell(&steps[CHECK_FILES], CHECK_FAILED, "%s", e->msg);
		(void)err_hint(e, "'hwkey pks-restore' brings back a backup");
	}
}

static int look(const struct device *dev, struct check_step *steps, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	int r;

	memset(steps, 0, CHECK_STEPS * sizeof(*steps));
	r = store_open(&s, dev, STORE_DISABLED, e);
	if (r == 0)
		look_at_store(&s, steps);
	else if (r != -ENOENT)
		tell_failure(dev, steps, e);
	return r;
}

/* --- mending ------------------------------------------------------------------------------------------------------- */

static int mend(const struct device *dev, unsigned flags, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	struct err why;
	int r = store_open(&s, dev, STORE_WRITE | STORE_DISABLED, e);

	if (r < 0)
		return r;
	s.checked = true;
	r = mend_anchor(&s, flags, e);
	if (r == 0)
		r = store_flush(&s, e);
	if (r == 0 && (s.resized || s.other != OTHER_GOOD || !store_other_is_whole(&s)))
		r = store_commit(&s, e);
	if (r < 0 || (s.boot.here && !s.boot.unflushed))
		return r;
	s.boot.unflushed = 0;
	(void)boot_save(&s.boot, dev->env, session_of(dev), &why);	/* no boot is told of: there is none to begin */
	return 0;
}

static bool is_trouble(enum check_result result)
{
	return result == CHECK_DUE || result == CHECK_DEGRADED || result == CHECK_FAILED;
}

/* What was wrong before, and is not any more. */
static void tell_mended(const struct check_step *before, struct check_step *after)
{
	for (unsigned i = 0; i < CHECK_STEPS; i++) {
		if (!is_trouble(before[i].result) || is_trouble(after[i].result))
			continue;
		tell(&after[i], before[i].result == CHECK_DUE ? CHECK_DONE : CHECK_REPAIRED, "was: %.100s",
		     before[i].detail);
	}
}

static int reanchor(const struct device *dev, struct err *e)
{
	AUTO_STORE struct store s = STORE_CLOSED;
	int r = store_open(&s, dev, STORE_WRITE | STORE_DISABLED | STORE_REANCHOR, e);

	return r < 0 ? r : counter_renew(&s, e);
}

int ipl_check(const struct device *dev, unsigned flags, struct check_step ret[CHECK_STEPS], struct err *e)
{
	struct check_step before[CHECK_STEPS];
	unsigned failed = 0;
	int r = flags & CHECK_REANCHOR ? reanchor(dev, e) : 0;

	if (r == 0)
		r = look(dev, ret, e);

	if (r == 0 && flags & CHECK_REPAIR) {
		memcpy(before, ret, sizeof(before));
		r = mend(dev, flags, e);
		if (r == 0)
			r = look(dev, ret, e);
		tell_mended(before, ret);
	}
	for (unsigned i = 0; i < CHECK_STEPS; i++)
		failed += ret[i].result == CHECK_FAILED;
	return r == 0 && failed ? err_set(e, EBADMSG, "keystore opens, but %u of the checks failed", failed) : r;
}
