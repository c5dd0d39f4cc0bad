// SPDX-License-Identifier: MIT
/* The machine: its cards, queues and master-key registers. */
#include "card.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

int sim_init(struct sim *s)
{
	*s = (struct sim){ .bus = { .config_time = 30, .poll_timeout = 250000 } };
	return RAND_bytes(s->wrapping_key, sizeof(s->wrapping_key)) == 1 ? 0 : -EIO;
}

void sim_done(struct sim *s)
{
	OPENSSL_cleanse(s, sizeof(*s));
}

struct sim_card *sim_card_find(struct sim *s, unsigned id)
{
	for (size_t i = 0; i < s->n_cards; i++)
		if (s->cards[i].id == id)
			return &s->cards[i];
	return NULL;
}

struct sim_queue *sim_queue_find(struct sim *s, struct sim_apqn id)
{
	for (size_t i = 0; i < s->n_queues; i++)
		if (s->queues[i].id.card == id.card && s->queues[i].id.domain == id.domain)
			return &s->queues[i];
	return NULL;
}

int sim_card_add(struct sim *s, unsigned id, enum sim_mode mode, unsigned level, const char *serial)
{
	struct sim_card c = { .id = id, .mode = mode, .level = level, .online = true, .config = true };

	if (id > 0xff || level < 4 || level > 8 || strlen(serial) >= sizeof(c.serial))
		return -EINVAL;
	if (sim_card_find(s, id))
		return -EEXIST;
	if (s->n_cards == SIM_CARDS)
		return -ENOSPC;
	memcpy(c.serial, serial, strlen(serial));
	s->cards[s->n_cards++] = c;
	return 0;
}

static bool apqn_before(struct sim_apqn a, struct sim_apqn b)
{
	return a.card < b.card || (a.card == b.card && a.domain < b.domain);
}

int sim_queue_add(struct sim *s, struct sim_apqn id)
{
	size_t at = s->n_queues;

	if (!sim_card_find(s, id.card))
		return -ENODEV;
	if (id.domain > 0xff)
		return -EINVAL;
	if (sim_queue_find(s, id))
		return -EEXIST;
	if (s->n_queues == SIM_QUEUES)
		return -ENOSPC;
	for (; at > 0 && apqn_before(id, s->queues[at - 1].id); at--)
		s->queues[at] = s->queues[at - 1];
	s->queues[at] = (struct sim_queue){ .id = id, .online = true, .config = true };
	s->n_queues++;
	return 0;
}

bool sim_queue_usable(struct sim *s, const struct sim_queue *q)
{
	const struct sim_card *c = sim_card_find(s, q->id.card);

	return c && c->online && c->config && !c->checkstop && q->online && q->config && !q->checkstop &&
	       !q->passed_through;
}

int sim_queue_request(struct sim *s, struct sim_apqn id, struct sim_queue **ret)
{
	struct sim_queue *q = sim_queue_find(s, id);

	if (!q || !sim_queue_usable(s, q))
		return -ENODEV;
	q->requests++;
	*ret = q;
	if (q->fault.count == 0)
		return 0;
	if (q->fault.after > 0) {
		q->fault.after--;
		return 0;
	}
	q->fault.count--;
	return -q->fault.error;
}

int sim_mk_load(struct sim_queue *q, const unsigned char key[SIM_MK], enum sim_fill fill)
{
	if (fill == SIM_EMPTY || q->mk[SIM_NEW].fill == SIM_FULL)
		return -EINVAL;		/* a full register is cleared first */
	q->mk[SIM_NEW].fill = fill;
	memcpy(q->mk[SIM_NEW].key, key, SIM_MK);
	return 0;
}

int sim_mk_commit(struct sim_queue *q)
{
	if (q->mk[SIM_NEW].fill != SIM_PART)
		return -EINVAL;
	q->mk[SIM_NEW].fill = SIM_FULL;
	return 0;
}

void sim_mk_clear(struct sim_queue *q)
{
	OPENSSL_cleanse(&q->mk[SIM_NEW], sizeof(q->mk[SIM_NEW]));
}

int sim_mk_activate(struct sim *s, struct sim_queue *q)
{
	const struct sim_card *c = sim_card_find(s, q->id.card);

	if (!c || q->mk[SIM_NEW].fill != SIM_FULL)
		return -EINVAL;
	if (c->mode == SIM_CCA)
		q->mk[SIM_OLD] = q->mk[SIM_CUR];
	q->mk[SIM_CUR] = q->mk[SIM_NEW];
	sim_mk_clear(q);
	return 0;
}

size_t sim_mkvp(enum sim_mode mode, const unsigned char key[SIM_MK], unsigned char ret[32])
{
	unsigned char b[1 + SIM_MK] = { 1 }, hash[32];

	memcpy(b + 1, key, SIM_MK);
	SHA256(mode == SIM_CCA ? b : b + 1, mode == SIM_CCA ? sizeof(b) : SIM_MK, hash);
	OPENSSL_cleanse(b, sizeof(b));
	memset(ret, 0, 32);
	memcpy(ret, hash, mode == SIM_CCA ? 8 : 32);
	return mode == SIM_CCA ? 8 : 32;
}
