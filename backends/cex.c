// SPDX-License-Identifier: MIT
/* Crypto Express cards of IBM Z and their domains, as far as listing goes. Only sysfs is read; no card is asked. */
#include "lib/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/ap.h"
#include "lib/err.h"
#include "lib/udev.h"
#include "cex-nodes.h"

static int probe(const struct env *, struct device **list, struct err *e);
static int examine(const struct env *, struct examination *);
static int notice(const struct env *, const struct event *, struct notice *ret, struct device **list, struct err *e);

const struct backend backend_cex = {
	.name = "cex",
	.summary = "Crypto Express cards of IBM Z",
	.probe = probe,
	.examine = examine,
	.subsystems = (const char *const[]){ "ap", NULL },
	.notice = notice,
};

static const char *const modes[] = {
	[AP_MODE_UNKNOWN] = "of unknown mode", [AP_MODE_CCA] = "CCA coprocessor",
	[AP_MODE_ACCEL] = "accelerator: holds no keys", [AP_MODE_EP11] = "EP11 coprocessor",
};

static const struct { const char *status, *card, *queue; } remedies[] = {
	{ "offline", "set offline: 'chzcrypt -e %s'", "set offline: 'chzcrypt -e %s'" },
	{ "deconfig", "not configured: 'chzcrypt --config-on %s'", "its card is not configured" },
	{ "chkstop", "check-stopped: the card needs service", "check-stopped: the card needs service" },
	{ "in use", NULL, "in use by a guest (vfio_ap)" },
	{ "assigned", NULL, "assigned to a guest (vfio_ap)" },
	{ "unassigned", NULL, "set aside for guests (vfio_ap)" },
	{ "", "unknown state, no driver: is module zcrypt_cex4 loaded?",
	  "no driver: does the AP bus's apmask, aqmask leave it to the host?" },
};

static void why(const struct ap_device *d, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s", d->status);
	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++) {
		const char *text = d->domain < 0 ? remedies[i].card : remedies[i].queue;
		const char *id = text ? strstr(text, "%s") : NULL;

		if (!text || strcmp(remedies[i].status, d->status) != 0)
			continue;
		if (id)
			(void)snprintf(ret, size, "%.*s%s%s", (int)(id - text), text, d->id, id + 2);
		else
			(void)snprintf(ret, size, "%s", text);
	}
}

struct found {
	const struct env *env;
	struct device **end;		/* where the next one goes */
	struct err *e;
};

static int see(void *ctx, const struct ap_device *d)
{
	struct found *f = ctx;
	bool online = !strcmp(d->status, "online");
	char text[128];
	int r;

	if (online)
		(void)snprintf(text, sizeof(text), "%s", modes[d->card->mode]);
	else
		why(d, text, sizeof(text));
	r = device_add(f->end, &backend_cex, f->env, d->id, d->card->type, online ? DEVICE_ONLINE : DEVICE_OFFLINE, text,
		       f->e);
	if (r < 0)
		return r;
	(*f->end)->inside = d->domain >= 0;
	f->end = &(*f->end)->next;
	return 0;
}

static int find(const struct env *env, const struct ap_query *q, struct device **list, struct err *e)
{
	struct found found = { .env = env, .end = list, .e = e };
	AUTO_AP struct ap_bus bus = { .dirfd = -1 };
	int r = ap_open(env, &bus, e);

	while (*found.end)
		found.end = &(*found.end)->next;
	return r < 0 ? r : ap_walk(&bus, q, see, &found, e);
}

static int probe(const struct env *env, struct device **list, struct err *e)
{
	int r;

	while (*list)			/* where ours begin */
		list = &(*list)->next;
	r = find(env, &(struct ap_query){ .card = -1, .domain = -1 }, list, e);
	if (r == 0 || r == -ENODEV)
		r = nodes_add(env, &backend_cex, r == 0, *list != NULL, list, e);
	return r == 0 && !*list ? -ENODEV : r;
}

/* The kernel says in properties what changed. It says nothing of a check-stop. */
static void event_read(const struct event *event, char *ret, size_t size)
{
	static const struct { const char *property, *name; } changes[] = {
		{ "ONLINE", "online" }, { "CONFIG", "config" }, { "SE_BIND", "se_bind" }, { "SE_ASSOC", "se_associate" },
	};
	const char *driver = event->property(event, "DRIVER");

	(void)snprintf(ret, size, "%s", event->action);
	if (!strcmp(event->action, "bind") || !strcmp(event->action, "unbind"))
		(void)snprintf(ret, size, "driver=%s", driver && strcmp(event->action, "unbind") ? driver : "none");
	for (size_t i = 0; !strcmp(event->action, "change") && i < ARRAY_SIZE(changes); i++) {
		const char *value = event->property(event, changes[i].property);

		if (value)
			(void)snprintf(ret, size, "%s=%s", changes[i].name, value);
	}
}

static int notice(const struct env *env, const struct event *event, struct notice *ret, struct device **list, struct err *e)
{
	const char *id = event->name + (strncmp(event->name, "card", 4) ? 0 : 4);
	struct ap_query q = { 0 };
	int r;

	if (ap_parse_id(id, &q.card, &q.domain) < 0 || q.card < 0)
		return 0;
	q.read = q.domain < 0 ? AP_CARD_ONLY : AP_QUEUE_ONLY;
	(void)snprintf(ret->id, sizeof(ret->id), "%s", id);
	event_read(event, ret->what, sizeof(ret->what));
	if (!strcmp(event->action, "remove"))	/* its directory may be there a little longer */
		return 1;
	r = find(env, &q, list, e);
	return r < 0 && r != -ENODEV ? r : 1;
}

/* --- doctor ---------------------------------------------------------------------------------------------------- */

struct mode_state {			/* of the queues of one mode */
	unsigned online, unkeyed;	/* the latter: without a valid master key */
	char first[8], pattern[80];	/* a queue with one, and its pattern */
	char other[8], other_pattern[80];	/* one with another pattern */
};

struct story {
	unsigned cards, queues;
	struct mode_state mode[AP_MODE_EP11 + 1];
};

/* CCA wraps AES keys with "AES CUR", EP11 all with "WK CUR". */
static void key_see(const struct ap_device *d, struct mode_state *m)
{
	const char *want = d->card->mode == AP_MODE_CCA ? "AES" : "WK";
	struct ap_register reg[AP_REGISTERS];
	char text[MKVPS_TEXT];
	size_t n, i = 0;

	if (ap_read_mkvps(d, text) < 0)
		return;					/* an old kernel: nothing can be said */
	n = ap_parse_mkvps(text, reg);
	while (i < n && (strcmp(reg[i].key, want) != 0 || strcmp(reg[i].which, "CUR") != 0))
		i++;
	if (i == n || strcmp(reg[i].state, "valid") != 0) {
		m->unkeyed++;
	} else if (!m->first[0]) {
		(void)snprintf(m->first, sizeof(m->first), "%s", d->id);
		(void)snprintf(m->pattern, sizeof(m->pattern), "%s", reg[i].pattern);
	} else if (!m->other[0] && strcmp(m->pattern, reg[i].pattern) != 0) {
		(void)snprintf(m->other, sizeof(m->other), "%s", d->id);
		(void)snprintf(m->other_pattern, sizeof(m->other_pattern), "%s", reg[i].pattern);
	}
}

static int see_examine(void *ctx, const struct ap_device *d)
{
	struct story *s = ctx;
	struct mode_state *m = &s->mode[d->card->mode];

	if (d->domain < 0) {
		s->cards++;
		return 0;
	}
	s->queues++;
	if (strcmp(d->status, "online") != 0)
		return 0;
	m->online++;
	if (d->card->mode == AP_MODE_CCA || d->card->mode == AP_MODE_EP11)
		key_see(d, m);
	return 0;
}

static int examine_keys(const struct mode_state *m, const char *mode, struct examination *x)
{
	int r = 0;

	if (m->unkeyed)
		r = x->tell(x, VERDICT_WARNING, "%s queues without a valid master key: %u; set it with TKE or the card's "
			    "own tools",
			    mode, m->unkeyed);
	if (r == 0 && m->other[0])
		r = x->tell(x, VERDICT_WARNING, "%s queues with different master keys, %s %.16s and %s %.16s: a key made "
			    "on one is of no use on the other", mode, m->first, m->pattern, m->other, m->other_pattern);
	return r;
}

static int examine_modules(const struct env *env, const struct story *s, struct examination *x)
{
	const struct { bool needed; const char *path, *remedy; } parts[] = {
		{ s->queues > 0, "/dev/z90crypt", "no '/dev/z90crypt': 'modprobe zcrypt_cex4'" },
		{ s->queues > 0, "/dev/pkey", "no '/dev/pkey': 'modprobe pkey'" },
		{ s->mode[AP_MODE_CCA].online > 0 && pkey_is_split(env), "/sys/module/pkey_cca",
		  "no module pkey_cca: 'modprobe pkey_cca', and add it to the initrd; CCA keys cannot be made or used "
		  "without it" },
		{ s->mode[AP_MODE_EP11].online > 0 && pkey_is_split(env), "/sys/module/pkey_ep11",
		  "no module pkey_ep11: 'modprobe pkey_ep11', and add it to the initrd; EP11 keys cannot be made or used "
		  "without it" },
		{ s->queues > 0, "/sys/module/paes_s390", "no cipher paes: 'modprobe paes_s390'; volumes with secure keys "
		  "cannot be opened" },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		if (parts[i].needed && !sys_exists(env, parts[i].path))
			r = x->tell(x, VERDICT_WARNING, "%s", parts[i].remedy);
	return r;
}

static int examine(const struct env *env, struct examination *x)
{
	const struct ap_query all = { .card = -1, .domain = -1 };
	AUTO_AP struct ap_bus bus = { .dirfd = -1 };
	struct err e = { 0 };
	struct story s = { 0 };
	int r = ap_open(env, &bus, &e);

	if (r == 0)
		r = ap_walk(&bus, &all, see_examine, &s, &e);
	if (r < 0)
		return x->tell(x, r == -ENODEV ? VERDICT_ABSENT : VERDICT_WARNING, "%s", e.msg);
	if (s.queues == 0)
		return x->tell(x, VERDICT_WARNING, "an AP bus with %u cards and no queue: assign cards and domains in the "
			       "partition's activation profile",
			       s.cards);
	r = x->tell(x, s.mode[AP_MODE_CCA].online + s.mode[AP_MODE_EP11].online ? VERDICT_OK : VERDICT_WARNING,
		    "cards: %u, queues: %u; online are %u of CCA, %u of EP11, %u of accelerators", s.cards, s.queues,
			s.mode[AP_MODE_CCA].online,
		    s.mode[AP_MODE_EP11].online, s.mode[AP_MODE_ACCEL].online);
	if (r == 0)
		r = examine_keys(&s.mode[AP_MODE_CCA], "CCA", x);
	if (r == 0)
		r = examine_keys(&s.mode[AP_MODE_EP11], "EP11", x);
	if (r == 0)
		r = examine_modules(env, &s, x);
	return r == 0 ? nodes_examine(env, x) : r;
}
