// SPDX-License-Identifier: MIT
/*
 * After an interrupted change: a token that waits for its slot adopts it or goes; a removal that was begun is finished;
 * of two slots of one key the newest that opens stays. A slot is destroyed only when another one is proven, and a token
 * that cannot be judged here (its device is absent, or it is another machine's) is left alone. So is a recovery key once
 * its token names its slot.
 */
#include "volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

struct repair {
	struct luks *l;
	const struct luks_source *source;
	const struct luks_see *see;	/* NULL: silent */
	struct err *left;		/* the first reason why the volume is not whole after all; NULL: not asked */
};

/* The row as it was before the change that WHAT tells. */
static int tell(const struct repair *c, int slot, int id, const char *what, struct err *e)
{
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	struct luks_row row;

	if (!c->see)
		return 0;
	luks_row_fill(c->l, slot, id, &t, &row);
	row.what = what;
	return c->see->row(c->see->ctx, &row, e);
}

/* For want of its device or machine, which is as it should be for a token of another one. */
static bool is_elsewhere(int code)
{
	static const int codes[] = { ENODEV, ENXIO, EOPNOTSUPP, ENOENT, ENOKEY, EBADMSG, EKEYREJECTED, EACCES, EPERM };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i] == code)
			return true;
	return false;
}

/* A token that cannot be judged, because of WHY, stays as it is; with UNFINISHED it is of an interrupted change. */
static int leave(const struct repair *c, int id, bool unfinished, const struct err *why, struct err *e)
{
	if (c->left && !c->left->code && (unfinished || !is_elsewhere(why->code)))
		*c->left = *why;
	return tell(c, -1, id, why->msg, e);
}

static int first_slot(uint32_t slots)
{
	return slots ? __builtin_ctz(slots) : -1;
}

static int drop(const struct repair *c, int id, const char *what, struct err *e)
{
	int r = tell(c, -1, id, what, e);

	return r < 0 ? r : luks_token_drop(c->l, id, e);
}

/* Whether the slot of T, whose removal was begun, is the one that was proven then: its key may be wiped since. */
static bool is_marked(struct luks *l, const struct luks_token *t)
{
	char salt[LUKS_SALT_SIZE];

	return t->pending && t->slots && !(t->slots & (t->slots - 1)) && luks_salt(l, first_slot(t->slots), salt) &&
	       !strcmp(t->salt, salt);
}

/* Only slots that its own passphrase opens, or opened. */
static int retire(const struct repair *c, int id, struct luks_token *t, const char *what, struct err *e)
{
	AUTO_SECRET struct secret passphrase = { 0 };
	struct err why = { 0 };
	uint32_t own;
	int r = luks_unseal(c->l, c->source, t, &passphrase, &why);

	if (r < 0)
		return leave(c, id, true, &why, e);
	own = t->slots;
	r = is_marked(c->l, t) ? 0 : luks_token_own(c->l, c->source, t, &passphrase, &own, e);
	if (r == 0)
		r = tell(c, first_slot(own), id, what, e);
	return r < 0 ? r : luks_token_retire(c->l, id, t, own, e);
}

/* Slots made as ours are, that no token names. Others cost too much to try, and cannot be ours. */
static uint32_t orphans(struct luks *l)
{
	uint32_t set = luks_slots(l) & ~luks_owned_slots(l);

	for (int i = 0; i < LUKS_SLOTS; i++)
		if (set & UINT32_C(1) << i && !luks_slot_is_plain(l, i))
			set &= ~(UINT32_C(1) << i);
	return set;
}

/* 1: the sealed passphrase opens some of SLOTS, *ret. 0: it opens none. -errno: cannot be said here. */
static int opens(const struct repair *c, const struct luks_token *t, uint32_t slots, uint32_t *ret, struct err *e)
{
	AUTO_SECRET struct secret passphrase = { 0 };
	int r = luks_unseal(c->l, c->source, t, &passphrase, e);

	if (r == 0)
		r = luks_try_each(c->l, slots, &passphrase, ret, e);
	return r < 0 ? r : *ret != 0;
}

/* A token of ours without a slot. */
static int settle_waiting(const struct repair *c, int id, struct luks_token *t, struct err *e)
{
	uint32_t free_slots = orphans(c->l), own = 0;
	struct err why = { 0 };
	int r = free_slots ? opens(c, t, free_slots, &own, &why) : 0;

	if (r < 0)	/* EBADMSG is what another machine's keystore gives, too */
		return leave(c, id, true, &why, e);
	if (r == 0)
		return drop(c, id,
			    t->pending ? "token of an interrupted enrolment removed" : "token without keyslot removed", e);
	t->slots = own;
	t->pending = false;
	r = tell(c, first_slot(own), id, "interrupted enrolment completed", e);
	if (r == 0)
		r = luks_token_put(c->l, id, t, e);
	return r < 0 ? r : 0;
}

/* A token of ours whose removal was begun. */
static int settle_removing(const struct repair *c, int id, struct luks_token *t, struct err *e)
{
	const struct luks_ways left = luks_ways_without(c->l, c->source, t->slots, UINT32_C(1) << id);
	int r;

	if (left.proven)
		return retire(c, id, t, "interrupted removal completed", e);
	r = tell(c, first_slot(t->slots), id, "interrupted removal undone: no other way in is proven", e);
	if (r < 0)
		return r;
	t->pending = false;
	r = luks_token_put(c->l, id, t, e);
	return r < 0 ? r : 0;
}

/*
 * A token of a recovery key without a slot. The slot that a pending one means was to open by a key that nobody was given;
 * it goes if it was made for the token, no other token names it, and there is another way in. A slot there that may be
 * another's stays; only who asked for a repair learns of it, so only then the token goes.
 */
static int settle_recovery(const struct repair *c, int id, struct err *e)
{
	bool own;
	int slot = luks_recovery_slot(c->l, id, &own), r = 0;
	uint32_t bit = slot < 0 ? 0 : UINT32_C(1) << slot;
	struct luks_ways others = luks_ways_without(c->l, c->source, bit, 0);
	struct err only = { .code = EBUSY, .msg = "keyslot of an interrupted recovery key left: there is no other way in" };

	if (own && !(luks_owned_slots(c->l) & bit)) {
		if (!others.proven && !others.unproven)
			return leave(c, id, true, &only, e);
		r = tell(c, slot, id, "keyslot of an interrupted recovery key removed", e);
		if (r == 0)
			r = luks_slot_destroy(c->l, slot, e);
	} else if (orphans(c->l) & bit) {
		if (!c->see)
			return 0;
		r = tell(c, slot, -1, "keyslot left: nothing tells whether it is of an interrupted recovery key", e);
	}
	return r < 0 ? r : drop(c, id, "token without keyslot removed", e);
}

static int settle_token(const struct repair *c, int id, struct err *e)
{
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	const char *type, *text = luks_token_text(c->l, id, &type);

	if (text && !strcmp(type, LUKS_RECOVERY_TYPE) && !luks_token_slots(text))
		return settle_recovery(c, id, e);
	if (!luks_token_get(c->l, id, &t))
		return 0;
	if (!t.slots)
		return settle_waiting(c, id, &t, e);
	return t.pending ? settle_removing(c, id, &t, e) : 0;
}

/* Tokens of the same key as T, T's own included, newest first; their number. */
static size_t same_name(struct luks *l, const char *name, int ret[LUKS_TOKENS])
{
	char created[LUKS_TOKENS][21];
	size_t n = 0, at;

	for (int id = 0; id < LUKS_TOKENS; id++) {
		AUTO_LUKS_TOKEN struct luks_token t = { 0 };

		if (!luks_token_get(l, id, &t) || strcmp(t.name, name) != 0 || !t.slots)
			continue;
		for (at = n++; at > 0 && strcmp(created[at - 1], t.created) < 0; at--) {
			memcpy(created[at], created[at - 1], sizeof(created[at]));
			ret[at] = ret[at - 1];
		}
		memcpy(created[at], t.created, sizeof(created[at]));
		ret[at] = id;
	}
	return n;
}

/* A token that does not open its slot names another one, which it opens and which no token has, or goes. */
static int settle_misplaced(const struct repair *c, int id, struct luks_token *t, struct err *e)
{
	uint32_t own = 0;
	struct err why = { 0 };
	int r = opens(c, t, luks_slots(c->l) & ~luks_owned_slots(c->l), &own, &why);

	if (r < 0)
		return leave(c, id, false, &why, e);
	if (r == 0)
		return drop(c, id, "token that does not open its keyslot removed", e);
	t->slots = own;
	r = tell(c, first_slot(own), id, "token was of another keyslot", e);
	if (r == 0)
		r = luks_token_put(c->l, id, t, e);
	return r < 0 ? r : 0;
}

/* The slots of one key: all but the newest that opens go. */
static int settle_same(const struct repair *c, const char *name, struct err *e)
{
	int ids[LUKS_TOKENS], kept = -1, r;
	size_t n = same_name(c->l, name, ids);

	for (size_t i = 0; n > 1 && i < n; i++) {
		AUTO_LUKS_TOKEN struct luks_token t = { 0 };
		struct err why = { 0 };
		uint32_t own = 0;

		if (!luks_token_get(c->l, ids[i], &t))
			continue;
		r = opens(c, &t, t.slots, &own, &why);
		if (r == 1 && kept < 0) {
			kept = ids[i];
			continue;
		}
		if (r < 0)
			r = 0;		/* told by settle_opening() */
		else if (kept >= 0 && r == 1)
			r = retire(c, ids[i], &t, "older keyslot of the same key removed", e);
		else if (kept >= 0)
			r = settle_misplaced(c, ids[i], &t, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int settle(const struct repair *c, struct err *e)
{
	int r = 0;

	for (int id = 0; r == 0 && id < LUKS_TOKENS; id++)
		r = settle_token(c, id, e);
	for (int id = 0; r == 0 && id < LUKS_TOKENS; id++) {
		AUTO_LUKS_TOKEN struct luks_token t = { 0 };

		if (luks_token_get(c->l, id, &t) && t.slots)
			r = settle_same(c, t.name, e);
	}
	return r;
}

int luks_settle(struct luks *l, const struct luks_source *src, const struct luks_see *see, struct err *e)
{
	return settle(&(struct repair){ .l = l, .source = src, .see = see }, e);
}

/* Keyslots that token T does not open are no longer its. */
static int settle_surplus(const struct repair *c, int id, struct luks_token *t, uint32_t own, struct err *e)
{
	uint32_t surplus = t->slots & ~own;
	int r = 0;

	for (int i = 0; r == 0 && i < LUKS_SLOTS; i++)
		if (surplus & UINT32_C(1) << i)
			r = tell(c, i, id, "keyslot taken off the token, which does not open it", e);
	t->slots = own;
	if (r == 0 && surplus)
		r = luks_token_put(c->l, id, t, e);
	return r < 0 ? r : 0;
}

/* What luks-status calls invalid: not ours to judge. */
static int tell_invalid(const struct repair *c, int id, struct err *e)
{
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	const char *type, *text = luks_token_text(c->l, id, &type);
	struct err why = { 0 };

	if (text && !strcmp(type, LUKS_TOKEN_TYPE) && luks_token_parse(text, &t, &why) < 0)
		return leave(c, id, false, &why, e);
	if (text && !strcmp(type, LUKS_PATTERN_TYPE) && !luks_pattern_parse(text, t.pattern))
		return tell(c, -1, id, "no verification pattern: 'hwkey setvp' replaces it", e);
	return 0;
}

/* A token that opens its slot is as it should be. */
static int settle_opening(const struct repair *c, int id, struct err *e)
{
	AUTO_LUKS_TOKEN struct luks_token t = { 0 };
	struct err why = { 0 };
	uint32_t own = 0;
	int r;

	if (!luks_token_get(c->l, id, &t))
		return tell_invalid(c, id, e);
	if (!t.slots || t.pending)
		return 0;
	r = opens(c, &t, t.slots, &own, &why);
	if (r < 0)
		return leave(c, id, false, &why, e);
	return r == 0 ? settle_misplaced(c, id, &t, e) : settle_surplus(c, id, &t, own, e);
}

int luks_repair(struct luks *l, const struct luks_source *src, const struct luks_see *see, struct err *e)
{
	struct err left = { 0 };
	const struct repair c = { .l = l, .source = src, .see = see, .left = &left };
	int r = luks_check_steady(l, e);

	if (r == 0)
		r = settle(&c, e);
	for (int id = 0; r == 0 && id < LUKS_TOKENS; id++)
		r = settle_opening(&c, id, e);
	if (r == 0 && left.code)
		r = err_set(e, left.code, "not all could be mended: %s", left.msg);
	return r;
}
