// SPDX-License-Identifier: MIT
/* What the kernel asks of the cards: generate, verify, which queues, re-encipher. */
#include "card.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "lib/blob.h"

/* Which queues an answer is about. */
struct wanted {
	enum sim_mode mode;
	unsigned level;
	struct sim_apqn where;
	const unsigned char *cur, *old;		/* patterns of their registers, or NULL */
	size_t mkvp_len;
};

static bool register_is(const struct sim_queue *q, enum sim_mode mode, enum sim_register r, const unsigned char *mkvp,
			size_t len)
{
	unsigned char vp[32];

	if (q->mk[r].fill != SIM_FULL)
		return false;
	sim_mkvp(mode, q->mk[r].key, vp);
	return !memcmp(vp, mkvp, len);
}

static bool queue_fits(struct sim *s, const struct sim_queue *q, const struct wanted *w)
{
	const struct sim_card *c = sim_card_find(s, q->id.card);

	if (!sim_queue_usable(s, q) || c->mode != w->mode || c->level < w->level || q->mk[SIM_CUR].fill != SIM_FULL)
		return false;
	if ((w->where.card != SIM_ANY && w->where.card != q->id.card) ||
	    (w->where.domain != SIM_ANY && w->where.domain != q->id.domain))
		return false;
	if (!w->cur && !w->old)
		return true;
	return (w->cur && register_is(q, w->mode, SIM_CUR, w->cur, w->mkvp_len)) ||
	       (w->old && register_is(q, w->mode, SIM_OLD, w->old, w->mkvp_len));
}

static int queues_find(struct sim *s, const struct wanted *w, struct sim_apqn *ret, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_queues; i++)
		if (queue_fits(s, &s->queues[i], w))
			ret[n++] = s->queues[i].id;
	*ret_n = n;
	return n ? 0 : -ENODEV;
}

static const struct sim_apqn anywhere = { SIM_ANY, SIM_ANY };

/* EP11 has no OLD register, and asking for it is a mistake. */
static int flags_check(enum sim_mode mode, uint32_t *flags)
{
	if (*flags == 0)
		*flags = mode == SIM_CCA ? SIM_MATCH_CUR | SIM_MATCH_OLD : SIM_MATCH_CUR;
	return mode == SIM_EP11 && *flags != SIM_MATCH_CUR ? -EINVAL : 0;
}

int sim_apqns_for_key(struct sim *s, const unsigned char *token, size_t len, uint32_t flags, struct sim_apqn *ret,
		      size_t *n)
{
	struct wanted w = { .where = anywhere };
	struct sim_token t;
	int r = sim_token_parse(token, len, &t);

	if (r < 0 || (r = flags_check(t.mode, &flags)) < 0)
		return r;
	w.mode = t.mode;
	w.level = t.level;
	w.mkvp_len = t.mkvp_len;
	w.cur = flags & SIM_MATCH_CUR ? t.mkvp : NULL;
	w.old = flags & SIM_MATCH_OLD ? t.mkvp : NULL;
	return queues_find(s, &w, ret, n);
}

static int type_needs(enum sim_type type, struct wanted *ret)
{
	switch (type) {
	case SIM_CCA_DATA: *ret = (struct wanted){ .mode = SIM_CCA, .level = 4, .mkvp_len = 8 }; break;
	case SIM_CCA_CIPHER: *ret = (struct wanted){ .mode = SIM_CCA, .level = 6, .mkvp_len = 8 }; break;
	case SIM_EP11_OLD:
	case SIM_EP11_AES: *ret = (struct wanted){ .mode = SIM_EP11, .level = 7, .mkvp_len = 16 }; break;
	default: return -EINVAL;
	}
	ret->where = anywhere;
	return 0;
}

int sim_apqns_for_type(struct sim *s, enum sim_type type, const unsigned char cur[32], const unsigned char old[32],
		       uint32_t flags, struct sim_apqn *ret, size_t *n)
{
	struct wanted w;
	int r = type_needs(type, &w);

	if (r < 0)
		return r;
	w.cur = flags & SIM_MATCH_CUR ? cur : NULL;
	w.old = flags & SIM_MATCH_OLD && w.mode == SIM_CCA ? old : NULL;
	return queues_find(s, &w, ret, n);
}

static bool is_any(struct sim_list l)
{
	return l.n == 0 || (l.n == 1 && l.apqns[0].card == SIM_ANY && l.apqns[0].domain == SIM_ANY);
}

/* A queue that does not know this kind of request: for the kernel as if it were not there. */
static int request(struct sim *s, struct sim_apqn id, enum sim_mode mode, unsigned level, struct sim_queue **ret)
{
	const struct sim_card *c = sim_card_find(s, id.card);

	if (!c || c->mode != mode || c->level < level)
		return -ENODEV;
	return sim_queue_request(s, id, ret);
}

static int generate_at(struct sim *s, struct sim_apqn id, const struct wanted *w, enum sim_type type, uint32_t flags,
		       const unsigned char *clear, size_t len, unsigned char *ret, size_t *ret_len)
{
	struct sim_queue *q;
	int r = request(s, id, w->mode, w->level, &q);

	if (r < 0)
		return r;
	if (q->mk[SIM_CUR].fill != SIM_FULL)
		return -EIO;
	return sim_token_make(type, flags, clear, len, q->mk[SIM_CUR].key, ret, ret_len);
}

int sim_generate(struct sim *s, struct sim_list l, enum sim_type type, uint32_t bits, uint32_t flags,
		 const unsigned char *clear, unsigned char ret[SIM_TOKEN_MAX], size_t *ret_len)
{
	struct sim_apqn all[SIM_QUEUES];
	struct wanted w;
	unsigned char key[32];
	int r = type_needs(type, &w);

	if (r < 0 || (bits != 128 && bits != 192 && bits != 256))
		return -EINVAL;
	if (is_any(l)) {
		r = queues_find(s, &w, all, &l.n);
		if (r < 0)
			return r;
		l.apqns = all;
	}
	if (clear)
		memcpy(key, clear, bits / 8);
	else if (RAND_bytes(key, (int)bits / 8) != 1)
		return -EIO;
	r = -ENODEV;
	for (size_t i = 0; r < 0 && i < l.n; i++)
		r = generate_at(s, l.apqns[i], &w, type, flags, key, bits / 8, ret, ret_len);
	OPENSSL_cleanse(key, sizeof(key));
	return r;
}

int sim_verify(struct sim *s, const unsigned char *token, size_t len, struct sim_verdict *v)
{
	struct sim_apqn found[SIM_QUEUES];
	struct sim_token t;
	struct wanted w;
	size_t n;
	int r = sim_token_parse(token, len, &t);

	if (r < 0)
		return r;
	w = (struct wanted){ t.mode, t.level, v->apqn, t.mkvp, NULL, t.mkvp_len };
	v->type = t.type;
	v->bits = t.bits;
	v->flags = SIM_MATCH_CUR;
	r = queues_find(s, &w, found, &n);
	if (r == -ENODEV && t.mode == SIM_CCA) {
		w.old = w.cur;
		w.cur = NULL;
		v->flags = SIM_MATCH_OLD;
		r = queues_find(s, &w, found, &n);
	}
	if (r == 0)
		v->apqn = found[0];
	return r;
}

int sim_reencipher(struct sim *s, struct sim_apqn id, enum sim_direction direction, unsigned char *token, size_t len)
{
	enum sim_register from = direction == SIM_TO_NEW ? SIM_CUR : SIM_OLD,
			  to = direction == SIM_TO_NEW ? SIM_NEW : SIM_CUR;
	unsigned char copy[SIM_TOKEN_MAX];
	struct sim_token t;
	struct sim_queue *q;
	int r = sim_token_parse(token, len, &t);

	if (r < 0 || (r = request(s, id, t.mode, t.level, &q)) < 0)
		return r;
	if (q->mk[from].fill != SIM_FULL || q->mk[to].fill != SIM_FULL)
		return -EIO;
	memcpy(copy, token, t.len);
	r = sim_token_rewrap(copy, &t, q->mk[from].key, q->mk[to].key);
	if (r == 0)
		memcpy(token, copy, t.len);
	return r;
}
