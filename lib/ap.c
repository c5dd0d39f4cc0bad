// SPDX-License-Identifier: MIT
#include "ap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "err.h"

struct row {				/* a device and the attributes it is made of */
	struct ap_device dev;
	char online[WANT_SIZE], config[WANT_SIZE], chkstop[WANT_SIZE], status[WANT_SIZE];
	char pendingq[WANT_SIZE], requestq[WANT_SIZE], functions[WANT_SIZE];
};

struct walk {
	const struct ap_bus *bus;
	const struct ap_query *query;
	int (*see)(void *ctx, const struct ap_device *);
	void *ctx;
	struct attr_batch batch;
	struct row rows[1 + AP_IDS];	/* a card and its queues */
};

int ap_open(const struct env *env, struct ap_bus *ret, struct err *e)
{
	char features[256];
	int fd = sys_open(env, "/sys/devices/ap", O_RDONLY | O_DIRECTORY);

	if (fd < 0 && fd != -ENOENT)
		return err_set(e, -fd, "cannot open '/sys/devices/ap': %s", strerror(-fd));
	if (fd < 0)
		return err_set(e, ENODEV, "no AP bus: this is no IBM Z, or its kernel has none");
	(void)sys_read(env, "/sys/bus/ap/features", features, sizeof(features));
	ret->dirfd = fd;
	ret->has_se = strstr(features, "APSB") != NULL;
	return 0;
}

void ap_close(struct ap_bus *bus)
{
	if (bus->dirfd >= 0)
		(void)close(bus->dirfd);
	bus->dirfd = -1;
}

static int card_see(void *ctx, const char *name)
{
	bool *cards = ctx;
	int card, domain;

	if (!strncmp(name, "card", 4) && strlen(name) == 6 && ap_parse_id(name + 4, &card, &domain) == 0 && card >= 0)
		cards[card] = true;
	return 0;
}

bool ap_exists(const struct ap_bus *bus, int card, int domain)
{
	bool cards[AP_IDS] = { false };
	char path[AP_NAME];

	if (card < 0)
		(void)dir_names(bus->dirfd, card_see, cards);
	else
		cards[card] = true;
	for (int i = 0; i < AP_IDS; i++) {
		if (domain < 0)
			(void)snprintf(path, sizeof(path), "card%02x", i);
		else
			(void)snprintf(path, sizeof(path), "card%02x/%02x.%04x", i, i, domain);
		if (cards[i] && faccessat(bus->dirfd, path, F_OK, 0) == 0)
			return true;
	}
	return false;
}

static enum ap_mode mode_of(uint32_t functions)
{
	if (functions & AP_FUNC_CCA)
		return AP_MODE_CCA;
	if (functions & AP_FUNC_ACCEL)
		return AP_MODE_ACCEL;
	return functions & AP_FUNC_EP11 ? AP_MODE_EP11 : AP_MODE_UNKNOWN;
}

static uint32_t functions_of(const char *text)
{
	long v = 0;

	return text_number(text, 16, &v) == 0 ? (uint32_t)v : 0;
}

/* Where NAME of the device is, below its card. */
static const char *path_of(const struct row *row, const char *name, char path[2 * AP_NAME])
{
	if (row->dev.domain < 0)
		return name;
	memcpy(path, row->dev.id, 7);
	path[7] = '/';
	(void)stpcpy(path + 8, name);
	return path;
}

static void want(struct walk *w, const struct row *row, const char *name, char text[WANT_SIZE])
{
	char path[2 * AP_NAME];

	attr_want(&w->batch, row->dev.card->dirfd, path_of(row, name, path), text);
}

static void want_first(struct walk *w, struct row *row)
{
	bool is_queue = row->dev.domain >= 0;

	want(w, row, "online", row->online);
	if (w->query->read & (AP_COUNTS | AP_VERBOSE))
		want(w, row, "request_count", row->dev.requests);
	if (!(w->query->read & AP_VERBOSE))
		return;
	want(w, row, "pendingq_count", row->pendingq);
	want(w, row, "requestq_count", row->requestq);
	if (w->bus->has_se && is_queue)
		want(w, row, "ap_functions", row->functions);
}

/* The kernel says online only of what is configured and not check-stopped: those need no second look. */
static void want_second(struct walk *w, struct row *row)
{
	if (!strcmp(row->online, "1"))
		return;
	want(w, row, "config", row->config);
	want(w, row, "chkstop", row->chkstop);
	if (!row->online[0] && row->dev.domain >= 0)
		want(w, row, "status", row->status);
}

static void driver_read(struct row *row)
{
	char path[2 * AP_NAME], name[AP_NAME];
	const char *n = name + 3;

	if (attr_read_link(row->dev.card->dirfd, path_of(row, "driver", path), name, sizeof(name)) < 0)
		return;
	if (!strcmp(name, "vfio_ap") ||
	    (!strncmp(name, "cex", 3) && *n >= '0' && *n <= '9' && (!strcmp(n + 1, "card") || !strcmp(n + 1, "queue"))))
		memcpy(row->dev.driver, name, sizeof(name));
}

/* Waiting for the card and waiting for a place before it. */
static void pending_add(struct row *row)
{
	long pending, waiting;

	if (row->dev.card->deconfigured || row->dev.driver[0] != 'c')
		return;
	if (!strcmp(row->requestq, "0") && text_number(row->pendingq, 10, &pending) == 0)	/* nearly always */
		memcpy(row->dev.pending, row->pendingq, sizeof(row->pendingq));
	else if (text_number(row->pendingq, 10, &pending) == 0 && text_number(row->requestq, 10, &waiting) == 0)
		(void)snprintf(row->dev.pending, sizeof(row->dev.pending), "%lld", (long long)pending + waiting);
}

static const char *sestat_of(const struct row *row)
{
	static const char *const states[] = { "usable", "bound", "unbound", "illicit" };
	uint32_t functions = functions_of(row->functions);

	if (row->dev.domain < 0)
		return "-";
	if (!row->functions[0])
		return "error";
	return functions ? states[functions >> 14 & 3] : "invalid";
}

static void row_end(struct walk *w, struct row *row)
{
	struct ap_device *d = &row->dev;

	d->has_online = row->online[0] != '\0';
	ap_parse_status(row->online, row->config, row->chkstop, row->status, d->status);
	if (!strcmp(row->config, "0"))
		d->requests[0] = '\0';
	if (!(w->query->read & AP_VERBOSE))
		return;
	driver_read(row);
	pending_add(row);
	d->sestat = w->bus->has_se ? sestat_of(row) : NULL;
}

static void rows_read(struct walk *w, struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		want_first(w, &rows[i]);
	attr_batch_read(&w->batch);
	for (size_t i = 0; i < n; i++)
		want_second(w, &rows[i]);
	attr_batch_read(&w->batch);
}

static void row_start(struct row *row, const struct ap_card *card, int domain)
{
	static const char hex[] = "0123456789abcdef";
	char *id = row->dev.id;

	*row = (struct row){ .dev = { .card = card, .domain = domain } };
	id[0] = hex[card->id >> 4];
	id[1] = hex[card->id & 15];
	if (domain < 0)
		return;
	memcpy(id + 2, ".00", 3);
	id[5] = hex[domain >> 4];
	id[6] = hex[domain & 15];
}

static void card_read(struct walk *w, struct ap_card *card)
{
	char functions[WANT_SIZE];

	attr_want(&w->batch, card->dirfd, "type", card->type);
	attr_want(&w->batch, card->dirfd, "ap_functions", functions);
	if (w->query->read & AP_VERBOSE) {
		attr_want(&w->batch, card->dirfd, "hwtype", card->hwtype);
		attr_want(&w->batch, card->dirfd, "depth", card->depth);
	}
	row_start(&w->rows[0], card, -1);
	rows_read(w, w->rows, 1);
	card->functions = functions_of(functions);
	card->mode = mode_of(card->functions);
	card->deconfigured = !strcmp(w->rows[0].config, "0");
	row_end(w, &w->rows[0]);
}

/* By the letter at the end of its type, as lszcrypt does: "CEX8C". */
static bool is_asked(const struct ap_query *q, const struct ap_card *card)
{
	size_t n = strlen(card->type);

	if (!(q->read & (AP_ONLY_CCA | AP_ONLY_ACCEL | AP_ONLY_EP11)) || n == 0)
		return true;
	switch (card->type[n - 1]) {
	case 'C':
		return q->read & AP_ONLY_CCA;
	case 'A':
		return q->read & AP_ONLY_ACCEL;
	case 'P':
		return q->read & AP_ONLY_EP11;
	}
	return true;
}

struct domains { unsigned card; bool there[AP_IDS]; };

static int domain_see(void *ctx, const char *name)
{
	struct domains *d = ctx;
	int card, domain;

	if (strlen(name) == 7 && name[2] == '.' && ap_parse_id(name, &card, &domain) == 0 && (unsigned)card == d->card)
		d->there[domain] = true;
	return 0;
}

static int walk_queues(struct walk *w, const struct ap_card *card)
{
	struct domains domains = { .card = card->id };
	const struct ap_query *q = w->query;
	size_t n = 0;
	int r = 0;

	(void)dir_names(card->dirfd, domain_see, &domains);	/* a card that goes away has no queues */
	for (int i = 0; i < AP_IDS; i++)
		if (domains.there[i] && (q->domain < 0 || q->domain == i))
			row_start(&w->rows[1 + n++], card, i);
	rows_read(w, w->rows + 1, n);
	for (size_t i = 1; r == 0 && i <= n; i++) {
		row_end(w, &w->rows[i]);
		if (!q->lazy || w->rows[i].dev.has_online)
			r = w->see(w->ctx, &w->rows[i].dev);
	}
	return r;
}

static int walk_card(struct walk *w, unsigned id)
{
	struct ap_card card = { .id = id };
	const struct ap_query *q = w->query;
	AUTO_CLOSE int fd = -1;
	char name[8];
	int r = 0;

	(void)snprintf(name, sizeof(name), "card%02x", id);
	fd = card.dirfd = openat(w->bus->dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	card_read(w, &card);
	if (!is_asked(q, &card) || (q->lazy && (!card.type[0] || (q->domain < 0 && !w->rows[0].dev.has_online))))
		return 0;
	if (!(q->read & AP_QUEUE_ONLY) && q->domain < 0)
		r = w->see(w->ctx, &w->rows[0].dev);
	return r == 0 && !(q->read & AP_CARD_ONLY) ? walk_queues(w, &card) : r;
}

int ap_walk(const struct ap_bus *bus, const struct ap_query *q, int (*see)(void *ctx, const struct ap_device *), void *ctx,
	    struct err *e)
{
	AUTO_FREE struct walk *w = calloc(1, sizeof(*w));
	bool cards[AP_IDS] = { false };
	int r;

	if (!w)
		return err_nomem(e);
	w->bus = bus;
	w->query = q;
	w->see = see;
	w->ctx = ctx;
	r = dir_names(bus->dirfd, card_see, cards);
	if (r < 0)
		return err_set(e, -r, "cannot list the cards: %s", strerror(-r));
	for (unsigned i = 0; r == 0 && i < AP_IDS; i++)
		if (cards[i] && (q->card < 0 || (unsigned)q->card == i))
			r = walk_card(w, i);
	attr_batch_done(&w->batch);
	return r;
}

int ap_read_mkvps(const struct ap_device *d, char ret[MKVPS_TEXT])
{
	char path[AP_NAME];

	(void)snprintf(path, sizeof(path), "%s/mkvps", d->id);
	return attr_read_text(d->card->dirfd, path, ret, MKVPS_TEXT);
}
