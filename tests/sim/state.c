// SPDX-License-Identifier: MIT
/*
 * The state file, one thing a line:
 *	card ID MODE LEVEL SERIAL ONLINE CONFIG CHECKSTOP
 *	queue CARD.DOMAIN ONLINE CONFIG CHECKSTOP PASSED
 *	mk CARD.DOMAIN REGISTER FILL HEX			(not the empty ones)
 *	fault CARD.DOMAIN AFTER COUNT ERRNO			(not when none is set)
 */
#include "card.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "lib/blob.h"
#include "lib/err.h"
#include "lib/file.h"

static const char *const modes[] = { [SIM_CCA] = "cca", [SIM_EP11] = "ep11", [SIM_ACCELERATOR] = "accelerator" };
static const char *const registers[] = { [SIM_NEW] = "new", [SIM_CUR] = "cur", [SIM_OLD] = "old" };
static const char *const fills[] = { [SIM_EMPTY] = "empty", [SIM_PART] = "part", [SIM_FULL] = "full" };

static int name_find(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return (int)i;
	return -1;
}

static bool read_card(struct sim *s, const char *line)
{
	unsigned id, level, online, config, checkstop;
	char mode[12], serial[17];
	int m;

	if (sscanf(line, "card %x %11s %u %16s %u %u %u", &id, mode, &level, serial, &online, &config, &checkstop) != 7)
		return false;
	m = name_find(modes, ARRAY_SIZE(modes), mode);
	if (m < 0 || sim_card_add(s, id, (enum sim_mode)m, level, serial) < 0)
		return false;
	s->cards[s->n_cards - 1].online = online;
	s->cards[s->n_cards - 1].config = config;
	s->cards[s->n_cards - 1].checkstop = checkstop;
	return true;
}

static bool read_queue(struct sim *s, const char *line)
{
	unsigned card, domain, online, config, checkstop, passed;
	struct sim_queue *q;

	if (sscanf(line, "queue %x.%x %u %u %u %u", &card, &domain, &online, &config, &checkstop, &passed) != 6 ||
	    card > 0xff || sim_queue_add(s, (struct sim_apqn){ (uint16_t)card, (uint16_t)domain }) < 0)
		return false;
	q = sim_queue_find(s, (struct sim_apqn){ (uint16_t)card, (uint16_t)domain });
	q->online = online;
	q->config = config;
	q->checkstop = checkstop;
	q->passed_through = passed;
	return true;
}

static bool read_mk(struct sim *s, const char *line)
{
	char name[4], fill[6], hex[2 * SIM_MK + 1];
	unsigned card, domain;
	struct sim_queue *q;
	int r, f;

	if (sscanf(line, "mk %x.%x %3s %5s %64s", &card, &domain, name, fill, hex) != 5)
		return false;
	q = sim_queue_find(s, (struct sim_apqn){ (uint16_t)card, (uint16_t)domain });
	r = name_find(registers, ARRAY_SIZE(registers), name);
	f = name_find(fills, ARRAY_SIZE(fills), fill);
	if (!q || r < 0 || f < 0 || strlen(hex) != 2 * SIM_MK)
		return false;
	q->mk[r].fill = (enum sim_fill)f;
	return hex_decode(hex, 2 * SIM_MK, q->mk[r].key) == 0;
}

static bool read_fault(struct sim *s, const char *line)
{
	unsigned card, domain;
	struct sim_fault f;
	struct sim_queue *q;

	if (sscanf(line, "fault %x.%x %u %u %d", &card, &domain, &f.after, &f.count, &f.error) != 5)
		return false;
	q = sim_queue_find(s, (struct sim_apqn){ (uint16_t)card, (uint16_t)domain });
	if (q)
		q->fault = f;
	return q;
}

int sim_load(struct sim *s, int dirfd, const char *name, struct err *e)
{
	AUTO_BLOB struct blob b = { 0 };
	AUTO_FREE char *text = NULL;
	char *line, *next;
	int r = file_read_at(dirfd, name, 1 << 20, &b, e);

	if (r < 0)
		return r == -ENOENT ? err_set(e, ENOENT, "no state file '%s'", name) : r;
	text = strndup((const char *)b.data, b.len);
	if (!text)
		return err_nomem(e);
	for (line = text; (next = strchr(line, '\n')); line = next + 1) {
		*next = '\0';
		if (*line && *line != '#' && !read_card(s, line) && !read_queue(s, line) && !read_mk(s, line) &&
		    !read_fault(s, line))
			return err_set(e, EBADMSG, "state file '%s': bad line '%s'", name, line);
	}
	return 0;
}

static void write_queue(FILE *f, const struct sim_queue *q)
{
	char hex[2 * SIM_MK + 1];

	fprintf(f, "queue %02x.%04x %d %d %d %d\n", q->id.card, q->id.domain, q->online, q->config, q->checkstop,
		q->passed_through);
	for (size_t r = 0; r < SIM_REGISTERS; r++) {
		if (q->mk[r].fill == SIM_EMPTY)
			continue;
		hex_encode(q->mk[r].key, SIM_MK, hex);
		fprintf(f, "mk %02x.%04x %s %s %s\n", q->id.card, q->id.domain, registers[r], fills[q->mk[r].fill], hex);
	}
	if (q->fault.count)
		fprintf(f, "fault %02x.%04x %u %u %d\n", q->id.card, q->id.domain, q->fault.after, q->fault.count,
			q->fault.error);
}

int sim_save(const struct sim *s, int dirfd, const char *name, struct err *e)
{
	const struct file_attr attr = { 0600, (gid_t)-1 };
	AUTO_FREE char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return err_nomem(e);
	for (size_t i = 0; i < s->n_cards; i++) {
		const struct sim_card *c = &s->cards[i];

		fprintf(f, "card %02x %s %u %s %d %d %d\n", c->id, modes[c->mode], c->level, c->serial, c->online,
			c->config, c->checkstop);
	}
	for (size_t i = 0; i < s->n_queues; i++)
		write_queue(f, &s->queues[i]);
	if (fclose(f) != 0)
		return err_nomem(e);
	return file_write_at(dirfd, name, text, len, &attr, true, e);
}
