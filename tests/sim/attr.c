// SPDX-License-Identifier: MIT
/* Formats and rules: Linux, drivers/s390/crypto/{ap_bus,ap_card,ap_queue,zcrypt_card,zcrypt_queue,zcrypt_cex4}.c */
#include "attr.h"

#include <errno.h>
#include <string.h>

#include "card.h"

#include "lib/blob.h"

struct place {				/* what an attribute is of: CARD with a card and a queue, QUEUE with a queue */
	struct sim *sim;
	struct sim_card *card;
	struct sim_queue *queue;
};

enum { ON_BUS = 1, ON_CARD = 2, ON_QUEUE = 4, ON_VFIO = 8, CCA = 16, EP11 = 32, ANY_MODE = CCA | EP11 | 64 };
enum { AP_QUEUE_DEPTH = 8, MESSAGE_MAX = 12288, DOMAIN_MAX = 84 };

static const struct { const char *name; unsigned functions; char letter; unsigned mask; } modes[] = {
	[SIM_CCA] = { "cca", 0x92808000, 'C', CCA },
	[SIM_EP11] = { "ep11", 0x86808000, 'P', EP11 },
	[SIM_ACCELERATOR] = { "accel", 0xea808000, 'A', 64 },
};

/* ---- what is shown ---- */

static bool place_config(const struct place *p) { return p->card->config && (!p->queue || p->queue->config); }

static bool place_online(const struct place *p)
{
	return p->queue ? p->queue->online && place_config(p) && !p->queue->checkstop :
			  p->card->online && p->card->config && !p->card->checkstop;
}

static bool place_checkstop(const struct place *p) { return p->queue ? p->queue->checkstop : p->card->checkstop; }

static unsigned place_requests(const struct place *p)
{
	unsigned n = 0;

	for (size_t i = 0; !p->queue && i < p->sim->n_queues; i++)
		if (p->sim->queues[i].id.card == p->card->id)
			n += p->sim->queues[i].requests;
	return p->queue ? p->queue->requests : n;
}

static void show_online(const struct place *p, FILE *f) { fprintf(f, "%d\n", place_online(p)); }
static void show_config(const struct place *p, FILE *f) { fprintf(f, "%d\n", place_config(p)); }
static void show_checkstop(const struct place *p, FILE *f) { fprintf(f, "%d\n", place_checkstop(p)); }
static void show_requests(const struct place *p, FILE *f) { fprintf(f, "%u\n", place_requests(p)); }
static void show_functions(const struct place *p, FILE *f) { fprintf(f, "0x%08X\n", modes[p->card->mode].functions); }
static void show_depth(const struct place *p, FILE *f) { (void)p; fprintf(f, "%d\n", AP_QUEUE_DEPTH); }
static void show_message_max(const struct place *p, FILE *f) { (void)p; fprintf(f, "%d\n", MESSAGE_MAX); }
static void show_hwtype(const struct place *p, FILE *f) { fprintf(f, "%u\n", p->card->level + 6); }
static void show_modalias(const struct place *p, FILE *f) { fprintf(f, "ap:t%02X\n", p->card->level + 6); }
static void show_serial(const struct place *p, FILE *f) { fprintf(f, "%s\n", p->card->serial); }
static void show_op_modes(const struct place *p, FILE *f) { (void)p; fputs("FIPS2009 BSI2009\n", f); }
static void show_api(const struct place *p, FILE *f) { fprintf(f, "%u\n", p->card->level >= 7 ? p->card->level - 2 : 1); }
static void show_firmware(const struct place *p, FILE *f) { fprintf(f, "%u.36\n", p->card->level); }
static void show_zero(const struct place *p, FILE *f) { (void)p; fputs("0\n", f); }
static void show_one(const struct place *p, FILE *f) { (void)p; fputs("1\n", f); }
static void show_vfio(const struct place *p, FILE *f) { (void)p; fputs("in use\n", f); }
static void show_interrupt(const struct place *p, FILE *f) { (void)p; fputs("Interrupts enabled.\n", f); }

static void show_states(const struct place *p, FILE *f)
{
	fputs(!place_config(p)	   ? "DECONFIGURED [IDLE]\n"
	      : place_checkstop(p) ? "CHECKSTOPPED [IDLE]\n"
				   : "OPERATING [IDLE]\n",
	      f);
}

static void show_type(const struct place *p, FILE *f)
{
	fprintf(f, "CEX%u%c\n", p->card->level, modes[p->card->mode].letter);
}

static void show_register(const struct place *p, FILE *f, enum sim_register r, const char *name,
			  const char *const states[3])
{
	const struct sim_mk *mk = &p->queue->mk[r];
	unsigned char vp[32] = { 0 };
	size_t len = p->card->mode == SIM_CCA ? 8 : 32;
	char hex[65];

	fprintf(f, "%s: ", name);
	if (!sim_queue_usable(p->sim, p->queue)) {
		fputs("- -\n", f);
	} else if (mk->fill == SIM_EMPTY && p->card->mode == SIM_EP11) {
		fprintf(f, "%s -\n", states[0]);
	} else {
		if (mk->fill != SIM_EMPTY)
			sim_mkvp(p->card->mode, mk->key, vp);
		hex_encode(vp, len, hex);
		fprintf(f, "%s 0x%s\n", states[mk->fill], hex);
	}
}

/* APKA and asymmetric master keys are not modelled: empty, or with a pattern of zeros. */
static void show_mkvps(const struct place *p, FILE *f)
{
	static const char *const cca_new[] = {"empty", "partial", "full"}, *const set[] = {"invalid", "invalid", "valid"};
	static const char *const ep11_new[] = { "empty", "uncommitted", "committed" };
	static const char *const other[] = { "NEW: empty", "CUR: invalid", "OLD: invalid" };
	bool usable = sim_queue_usable(p->sim, p->queue);

	if (p->card->mode == SIM_EP11) {
		show_register(p, f, SIM_CUR, "WK CUR", set);
		show_register(p, f, SIM_NEW, "WK NEW", ep11_new);
		return;
	}
	show_register(p, f, SIM_NEW, "AES NEW", cca_new);
	show_register(p, f, SIM_CUR, "AES CUR", set);
	show_register(p, f, SIM_OLD, "AES OLD", set);
	for (int i = 0; i < 6; i++)
		if (usable)
			fprintf(f, "%s %s 0x%0*d\n", i < 3 ? "APKA" : "ASYM", other[i % 3], i < 3 ? 16 : 32, 0);
		else
			fprintf(f, "%s %.3s: - -\n", i < 3 ? "APKA" : "ASYM", other[i % 3]);
}

static void show_domain(const struct place *p, FILE *f) { fprintf(f, "%u\n", p->sim->bus.domain); }
static void show_config_time(const struct place *p, FILE *f) { fprintf(f, "%u\n", p->sim->bus.config_time); }
static void show_poll_thread(const struct place *p, FILE *f) { fprintf(f, "%u\n", p->sim->bus.poll_thread); }
static void show_poll_timeout(const struct place *p, FILE *f) { fprintf(f, "%lu\n", p->sim->bus.poll_timeout); }
static void show_domain_max(const struct place *p, FILE *f) { (void)p; fprintf(f, "%d\n", DOMAIN_MAX); }
static void show_adapter_max(const struct place *p, FILE *f) { (void)p; fputs("255\n", f); }
static void show_features(const struct place *p, FILE *f) { (void)p; fputs("APSC APXA QACT RC8A\n", f); }

/* 256 bits, the first one leftmost. */
static void show_mask(const struct place *p, FILE *f, bool domains)
{
	unsigned char mask[32] = { 0 };
	char hex[65];

	for (size_t i = 0; domains && i < p->sim->n_queues; i++)
		mask[p->sim->queues[i].id.domain / 8] |= (unsigned char)(0x80 >> p->sim->queues[i].id.domain % 8);
	for (size_t i = 0; !domains && i < p->sim->n_cards; i++)
		mask[p->sim->cards[i].id / 8] |= (unsigned char)(0x80 >> p->sim->cards[i].id % 8);
	hex_encode(mask, sizeof(mask), hex);
	fprintf(f, "0x%s\n", hex);
}

static void show_domain_mask(const struct place *p, FILE *f) { show_mask(p, f, true); }
static void show_adapter_mask(const struct place *p, FILE *f) { show_mask(p, f, false); }

static void show_bindings(const struct place *p, FILE *f)
{
	fprintf(f, "%zu/%zu (complete)\n", p->sim->n_queues, p->sim->n_queues);
}

/* ---- what is written ---- */

/* The kernel's kstrtou / sscanf("%u"): decimal or 0x. */
static int number(const char *text, unsigned max, unsigned *ret)
{
	char end;
	int n = 0;

	if (sscanf(text, "%i%c", (int *)&n, &end) != 1 || n < 0 || (unsigned)n > max)
		return -EINVAL;
	*ret = (unsigned)n;
	return 0;
}

/* A card takes its queues with it, both ways. A queue cannot be online on a card that is not. */
static int store_online(const struct place *p, const char *text)
{
	unsigned on;

	if (number(text, 1, &on) < 0)
		return -EINVAL;
	if (on && (!place_config(p) || place_checkstop(p) || p->card->checkstop))
		return -ENODEV;
	if (p->queue) {
		if (on && !p->card->online)
			return -EINVAL;
		p->queue->online = on;
		return 1;
	}
	p->card->online = on;
	for (size_t i = 0; i < p->sim->n_queues; i++)
		if (p->sim->queues[i].id.card == p->card->id)
			p->sim->queues[i].online = on;
	return 1;
}

static int store_config(const struct place *p, const char *text)
{
	unsigned on;

	if (number(text, 1, &on) < 0)
		return -EINVAL;
	*(p->queue ? &p->queue->config : &p->card->config) = on;
	return 1;
}

static int store_checkstop(const struct place *p, const char *text)
{
	unsigned on;

	if (number(text, 1, &on) < 0)
		return -EINVAL;
	*(p->queue ? &p->queue->checkstop : &p->card->checkstop) = on;
	return 1;
}

static int store_domain(const struct place *p, const char *text) { return number(text, DOMAIN_MAX, &p->sim->bus.domain); }
static int store_config_time(const struct place *p, const char *text)
{
	return number(text, 120, &p->sim->bus.config_time);
}
static int store_poll_thread(const struct place *p, const char *text) { return number(text, 1, &p->sim->bus.poll_thread); }

static int store_poll_timeout(const struct place *p, const char *text)
{
	unsigned n;

	if (number(text, 120000000, &n) < 0)
		return -EINVAL;
	p->sim->bus.poll_timeout = n;
	return 0;
}

static int load_mk(struct sim_queue *q, const char *hex, enum sim_fill fill)
{
	unsigned char key[SIM_MK];

	if (strlen(hex) != 2 * SIM_MK || hex_decode(hex, 2 * SIM_MK, key) < 0)
		return -EINVAL;
	return sim_mk_load(q, key, fill);
}

static int set_fault(struct sim_queue *q, const char *text)
{
	static const struct { const char *name; int error; } errors[] = {
		{ "EBUSY", EBUSY }, { "EAGAIN", EAGAIN }, { "EIO", EIO }, { "ENODEV", ENODEV }, { "ENOMEM", ENOMEM },
		{ "ETIMEDOUT", ETIMEDOUT },
	};
	struct sim_fault f = { .count = 1 };
	char name[16];

	if (sscanf(text, "%u %15s %u", &f.after, name, &f.count) < 2)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (!strcmp(errors[i].name, name))
			f.error = errors[i].error;
	if (!f.error)
		return -EINVAL;
	q->fault = f;
	return 0;
}

static int store_sim(const struct place *p, const char *text)
{
	char word[16], rest[80] = "";
	struct sim_queue *q = p->queue;
	int r = -EINVAL;

	if (sscanf(text, "%15s %79[^\n]", word, rest) < 1)
		return -EINVAL;
	if (!strcmp(word, "config"))
		return store_config(p, rest);
	if (!strcmp(word, "checkstop"))
		return store_checkstop(p, rest);
	if (!q)
		return -EINVAL;
	if (!strcmp(word, "new"))
		r = load_mk(q, rest, SIM_FULL);
	else if (!strcmp(word, "new-part"))
		r = load_mk(q, rest, SIM_PART);
	else if (!strcmp(word, "commit"))
		r = sim_mk_commit(q);
	else if (!strcmp(word, "clear"))
		r = (sim_mk_clear(q), 0);
	else if (!strcmp(word, "activate"))
		r = sim_mk_activate(p->sim, q);
	else if (!strcmp(word, "fail"))
		r = set_fault(q, rest);
	return r < 0 ? r : 1;
}

/* ---- the tables ---- */

static const struct attr {
	const char *name;
	unsigned on;			/* ON_… */
	void (*show)(const struct place *, FILE *);
	int (*store)(const struct place *, const char *);
} attrs[] = {
	{ "ap_adapter_mask", ON_BUS, show_adapter_mask },
	{ "ap_control_domain_mask", ON_BUS, show_domain_mask },
	{ "ap_domain", ON_BUS, show_domain, store_domain },
	{ "ap_interrupts", ON_BUS, show_one },
	{ "ap_max_adapter_id", ON_BUS, show_adapter_max },
	{ "ap_max_domain_id", ON_BUS, show_domain_max },
	{ "ap_usage_domain_mask", ON_BUS, show_domain_mask },
	{ "bindings", ON_BUS, show_bindings },
	{ "config_time", ON_BUS, show_config_time, store_config_time },
	{ "features", ON_BUS, show_features },
	{ "poll_thread", ON_BUS, show_poll_thread, store_poll_thread },
	{ "poll_timeout", ON_BUS, show_poll_timeout, store_poll_timeout },
	{ "API_ordinalnr", ON_CARD | EP11, show_api },
	{ "FW_version", ON_CARD | EP11, show_firmware },
	{ "ap_functions", ON_CARD | ON_QUEUE | ON_VFIO | ANY_MODE, show_functions },
	{ "chkstop", ON_CARD | ON_QUEUE | ON_VFIO | ANY_MODE, show_checkstop },
	{ "config", ON_CARD | ANY_MODE, show_config, store_config },
	{ "config", ON_QUEUE | ON_VFIO | ANY_MODE, show_config },
	{ "depth", ON_CARD | ANY_MODE, show_depth },
	{ "hwtype", ON_CARD | ANY_MODE, show_hwtype },
	{ "interrupt", ON_QUEUE | ON_VFIO | ANY_MODE, show_interrupt },
	{ "last_err_rc", ON_QUEUE | ON_VFIO | ANY_MODE, show_zero },
	{ "load", ON_CARD | ON_QUEUE | ANY_MODE, show_zero },
	{ "max_msg_size", ON_CARD | ANY_MODE, show_message_max },
	{ "mkvps", ON_QUEUE | CCA | EP11, show_mkvps },
	{ "modalias", ON_CARD | ANY_MODE, show_modalias },
	{ "online", ON_CARD | ON_QUEUE | ANY_MODE, show_online, store_online },
	{ "op_modes", ON_CARD | ON_QUEUE | EP11, show_op_modes },
	{ "pendingq_count", ON_CARD | ON_QUEUE | ON_VFIO | ANY_MODE, show_zero },
	{ "raw_hwtype", ON_CARD | ANY_MODE, show_hwtype },
	{ "request_count", ON_CARD | ON_QUEUE | ON_VFIO | ANY_MODE, show_requests },
	{ "requestq_count", ON_CARD | ON_QUEUE | ON_VFIO | ANY_MODE, show_zero },
	{ "serialnr", ON_CARD | CCA | EP11, show_serial },
	{ "sim", ON_CARD | ON_QUEUE | ON_VFIO | ANY_MODE, NULL, store_sim },
	{ "states", ON_QUEUE | ON_VFIO | ANY_MODE, show_states },
	{ "status", ON_VFIO | ANY_MODE, show_vfio },
	{ "type", ON_CARD | ANY_MODE, show_type },
};

static int place_find(struct sim *s, const char *device, struct place *ret)
{
	unsigned card, domain;
	char end;

	*ret = (struct place){ .sim = s };
	if (!*device)
		return 0;
	if (sscanf(device, "%2x.%4x%c", &card, &domain, &end) == 2)
		ret->queue = sim_queue_find(s, (struct sim_apqn){ (uint16_t)card, (uint16_t)domain });
	else if (sscanf(device, "card%2x%c", &card, &end) != 1)
		return -ENODEV;
	ret->card = sim_card_find(s, card);
	return ret->card && (ret->queue || !strncmp(device, "card", 4)) ? 0 : -ENODEV;
}

static bool attr_is_on(const struct attr *a, const struct place *p)
{
	unsigned where = !p->card ? ON_BUS : !p->queue ? ON_CARD : p->queue->passed_through ? ON_VFIO : ON_QUEUE;

	return a->on & where && (!p->card || a->on & modes[p->card->mode].mask);
}

static const struct attr *attr_find(const struct place *p, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++)
		if (!strcmp(attrs[i].name, name) && attr_is_on(&attrs[i], p))
			return &attrs[i];
	return NULL;
}

int sim_attr_show(struct sim *s, const char *device, const char *name, FILE *f)
{
	const struct attr *a;
	struct place p;
	int r = place_find(s, device, &p);

	if (r < 0)
		return r;
	a = attr_find(&p, name);
	if (!a || !a->show)
		return a ? -EACCES : -ENOENT;
	a->show(&p, f);
	return 0;
}

int sim_attr_store(struct sim *s, const char *device, const char *name, const char *text)
{
	const struct attr *a;
	char line[128] = "";
	struct place p;
	int r = place_find(s, device, &p);

	if (r < 0)
		return r;
	a = attr_find(&p, name);
	if (!a || !a->store)
		return a ? -EACCES : -ENOENT;
	if (strlen(text) >= sizeof(line))
		return -EINVAL;
	memcpy(line, text, strcspn(text, "\n"));
	return a->store(&p, line);
}

void sim_status_mask(struct sim *s, unsigned char ret[256])
{
	memset(ret, 0, 256);
	for (size_t i = 0; i < s->n_queues; i++) {
		const struct sim_card *c = sim_card_find(s, s->queues[i].id.card);
		unsigned level = c->level < 6 ? c->level : 6;

		if (s->queues[i].id.domain == s->bus.domain && !s->queues[i].passed_through)
			ret[c->id] = (unsigned char)(!c->online ? 0x0d : c->mode == SIM_CCA ? 0x07 : level + 6);
	}
}

int sim_device_describe(struct sim *s, const char *device, FILE *f)
{
	struct place p;
	int r = place_find(s, device, &p);

	if (r < 0)
		return r;
	fprintf(f, "name %s\n", device);
	if (p.queue)
		fprintf(f, "parent card%02x\n", p.card->id);
	if (p.card)
		fprintf(f, "driver %s\nenv MODE=%s\n",
			!p.queue		  ? "cex4card"
			: p.queue->passed_through ? "vfio_ap"
						  : "cex4queue",
			modes[p.card->mode].name);
	if (p.card && !p.queue)
		fprintf(f, "env DEV_TYPE=%04X\nenv MODALIAS=ap:t%02X\n", p.card->level + 6, p.card->level + 6);
	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++)
		if (attr_is_on(&attrs[i], &p))
			fprintf(f, "attr %04o %s\n", (attrs[i].show ? 0444u : 0) | (attrs[i].store ? 0200u : 0),
				attrs[i].name);
	return 0;
}
