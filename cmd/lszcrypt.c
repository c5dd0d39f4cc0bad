// SPDX-License-Identifier: MIT
/* list-devices --lszcrypt: what lszcrypt of s390-tools 2.43 prints, byte for byte, for who parses that text. */
#include "list-devices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/ap.h"

struct field {
	const char *name;
	int width;			/* at least; negative: flush right */
};

static const struct field short_fields[] = {
	{ "CARD.DOM", 8 }, { "TYPE", 5 }, { "MODE", 11 }, { "STATUS", 10 }, { "REQUESTS", -8 }, { 0 }
}, verbose_fields[] = {
	{ "CARD.DOM", 8 }, { "TYPE", 5 }, { "MODE", 11 }, { "STATUS", 10 }, { "REQUESTS", -8 }, { "PENDING", -8 },
	{ "HWTYPE", -6 }, { "QDEPTH", -6 }, { "FUNCTIONS", 10 }, { "DRIVER", 11 }, { 0 }
}, se_fields[] = {
	{ "CARD.DOM", 8 }, { "TYPE", 5 }, { "MODE", 11 }, { "STATUS", 10 }, { "REQUESTS", -8 }, { "PENDING", -8 },
	{ "HWTYPE", -6 }, { "QDEPTH", -6 }, { "FUNCTIONS", 10 }, { "DRIVER", 11 }, { "SESTAT", 11 }, { 0 }
}, serial_fields[] = {
	{ "CARD.DOM", 8 }, { "TYPE", 5 }, { "MODE", 11 }, { "STATUS", 10 }, { "SERIALNR", 8 }, { 0 }
};

enum { FIELDS_MAX = 11 };

enum { LINE_MAX_LEN = FIELDS_MAX * (WANT_SIZE + 1) };

static void print_line(const struct field *f, const char *const values[])
{
	char line[LINE_MAX_LEN], *at = line;

	for (size_t i = 0; f[i].name; i++) {
		const char *v = values[i][0] ? values[i] : "-";
		int len = (int)strnlen(v, WANT_SIZE), width = abs(f[i].width);

		if (i > 0)
			*at++ = ' ';
		for (int n = len; f[i].width < 0 && n < width; n++)
			*at++ = ' ';
		memcpy(at, v, (size_t)len);
		at += len;
		for (int n = len; f[i].width > 0 && n < width; n++)
			*at++ = ' ';
	}
	*at++ = '\n';
	(void)fwrite_unlocked(line, 1, (size_t)(at - line), stdout);
}

static void print_heading(const struct field *f)
{
	const char *names[FIELDS_MAX] = { NULL };
	int width = -1;

	for (size_t i = 0; f[i].name; i++) {
		names[i] = f[i].name;
		width += 1 + abs(f[i].width);
	}
	print_line(f, names);
	while (width-- > 0)
		putchar_unlocked('-');
	putchar_unlocked('\n');
}

static int print_device(void *ctx, const struct ap_device *d)
{
	const struct ap_card *c = d->card;
	char functions[11], depth[WANT_SIZE + 1];

	ap_functions_text(c->functions, functions);
	depth[0] = '0';					/* at least two digits */
	(void)stpcpy(depth + 1, c->depth);
	print_line(ctx, (const char *const []){
		d->id, c->type, ap_mode_name(c->mode), d->status, d->requests, d->pending, c->hwtype,
		depth + (c->depth[0] == '\0' || c->depth[1] != '\0'), functions, d->driver[0] ? d->driver : "-no-driver-",
		d->sestat ? d->sestat : "-",
	});
	return 0;
}

static int print_serial(void *ctx, const struct ap_device *d)
{
	char serial[WANT_SIZE];

	if (d->card->mode != AP_MODE_CCA && d->card->mode != AP_MODE_EP11)
		return 0;
	(void)attr_read(d->card->dirfd, "serialnr", serial, sizeof(serial));
	serial[8] = '\0';
	print_line(ctx, (const char *const []){ d->id, d->card->type, ap_mode_name(d->card->mode), d->status, serial });
	return 0;
}

static int show_devices(struct hwkey *hw, const struct ap_bus *bus, const struct list_options *o, const struct args *args,
			struct err *e)
{
	const struct field *f = !hw->verbose ? short_fields : bus->has_se ? se_fields : verbose_fields;
	struct ap_query q = { .card = -1, .domain = -1, .lazy = !hw->verbose };
	int r = list_filters(o, &q.read, e);

	if (r < 0)
		return r;
	q.read |= hw->verbose ? AP_VERBOSE | AP_COUNTS : AP_COUNTS;
	print_heading(f);
	if (args->argc == 0)
		return ap_walk(bus, &q, print_device, (void *)f, e);
	for (int i = 0; r == 0 && i < args->argc; i++) {
		if (ap_parse_id(args->argv[i], &q.card, &q.domain) < 0)
			r = err_set(e, EINVAL, "'%s' is no card (CC), queue (CC.DDDD) or domain (.DDDD)", args->argv[i]);
		else if (!ap_exists(bus, q.card, q.domain))
			r = err_set(e, ENOENT, "no device '%s' here", args->argv[i]);
		else
			r = ap_walk(bus, &q, print_device, (void *)f, e);
	}
	return r;
}

static int show_serials(const struct ap_bus *bus, struct err *e)
{
	const struct ap_query q = { .card = -1, .domain = -1, .lazy = true, .read = AP_CARD_ONLY };

	print_heading(serial_fields);
	return ap_walk(bus, &q, print_serial, (void *)serial_fields, e);
}

/* --- -b -------------------------------------------------------------------------------------------------------- */

static const struct bus_line {
	const char *file, *before, *after;
	int base;			/* 10, 16; 0: 1 is enabled, else disabled; -1: text */
	bool optional;			/* no line without the file */
} bus_lines[] = {
	{ "features", "features: ", "", -1, true },
	{ "ap_domain", "ap_domain=0x", "", 16, false },
	{ "ap_max_domain_id", "ap_max_domain_id=0x", "", 16, false },
	{ "ap_interrupts", "ap_interrupts are ", "", 0, true },
	{ "config_time", "config_time=", " (seconds)", 10, false },
	{ "poll_thread", "poll_thread is ", "", 0, false },
	{ "poll_timeout", "poll_timeout=", " (nanoseconds)", 10, true },
};

static void show_bus(const struct env *env)
{
	for (size_t i = 0; i < ARRAY_SIZE(bus_lines); i++) {
		const struct bus_line *l = &bus_lines[i];
		char path[64], text[256];
		long v;

		(void)snprintf(path, sizeof(path), "/sys/bus/ap/%s", l->file);
		if (sys_read(env, path, text, sizeof(text)) < 0 && l->optional)
			continue;
		if (l->base >= 0 && text_number(text, 10, &v) < 0)
			(void)snprintf(text, sizeof(text), "unknown");
		else if (l->base == 16)
			(void)snprintf(text, sizeof(text), "%lx", v);
		else if (l->base == 10)
			(void)snprintf(text, sizeof(text), "%ld", v);
		else if (l->base == 0)
			(void)snprintf(text, sizeof(text), "%s", v == 1 ? "enabled" : "disabled");
		printf("%s%s%s\n", l->before, text, l->after);
	}
}

/* --- -d -------------------------------------------------------------------------------------------------------- */

static int mask_read(const struct env *env, const char *what, const char *path, bool ret[AP_IDS], struct err *e)
{
	char text[2 + AP_IDS / 4 + 8];

	if (sys_read(env, path, text, sizeof(text)) < 0 || ap_parse_mask(text, ret) < 0)
		return err_set(e, ENODEV, "the mask of %s domains is not available in '%s'", what, path);
	return 0;
}

static int show_domains(const struct env *env, struct err *e)
{
	static const char letters[] = ".UCB";
	bool control[AP_IDS], usage[AP_IDS];
	int r = mask_read(env, "control", "/sys/bus/ap/ap_control_domain_mask", control, e);

	if (r == 0)
		r = mask_read(env, "usage", "/sys/bus/ap/ap_usage_domain_mask", usage, e);
	if (r < 0)
		return r;
	printf("DOMAIN");
	for (int i = 0; i < 16; i++)
		printf(" %02x", i);
	printf("\n------------------------------------------------------\n");
	for (int i = 0; i < AP_IDS; i++) {
		if (i % 16 == 0)
			printf("    %02x", i);
		printf("  %c%s", letters[2 * control[i] + usage[i]], i % 16 == 15 ? "\n" : "");
	}
	printf("------------------------------------------------------\n"
	       "C: Control domain\nU: Usage domain\nB: Both (Control + Usage domain)\n");
	return 0;
}

/* --- -c -------------------------------------------------------------------------------------------------------- */

static void print_card_functions(const struct ap_card *c, long hwtype)
{
	const char *rsa = c->functions & AP_FUNC_RSA4K ? "RSA 4K Clear Key" : "RSA 2K Clear Key";
	bool is_cca = hwtype == 7 || hwtype == 9 ||
		      (hwtype >= 10 && c->mode == AP_MODE_CCA && !(c->functions & AP_FUNC_ACCEL));

	if (is_cca) {
		printf("RSA 4K Clear Key\nCCA Secure Key%s\n",
		       c->functions & AP_FUNC_FULL ? " (full function set)" :
		       c->functions & AP_FUNC_RESTRICTED ? " (restricted function set)" : "");
		if (hwtype >= 10 && c->functions & AP_FUNC_FILTER)
			puts("Hardware support for stateless filtering");
		puts("Long RNG");
	} else if (hwtype == 6 || hwtype == 8 || (hwtype >= 10 && c->functions & AP_FUNC_ACCEL)) {
		puts(rsa);
	} else if (hwtype >= 10 && c->mode == AP_MODE_EP11) {
		puts("EP11 Secure Key");
	} else {
		printf("Detailed capability information for card%02x (hardware type %ld) is not available.\n", c->id,
		       hwtype);
	}
}

static int print_card(void *ctx, const struct ap_device *d)
{
	char text[WANT_SIZE];
	long hwtype = 0, size = 0;

	(void)ctx;
	(void)text_number(d->card->hwtype, 10, &hwtype);
	if (!d->card->type[0] || !d->has_online) {
		printf("Detailed capability information for card%02x (hardware type %ld) is not available.\n", d->card->id,
		       hwtype);
		return 0;
	}
	printf("card%02x provides capability for:\n", d->card->id);
	print_card_functions(d->card, hwtype);
	if (hwtype >= 10 && attr_read(d->card->dirfd, "max_msg_size", text, sizeof(text)) > 0 &&
	    text_number(text, 10, &size) == 0 && size > 0)
		printf("AP bus max message size limit %ld Kb\n", size / 1024);
	return 0;
}

static int print_queue(void *ctx, const struct ap_device *d)
{
	static const struct { const char *file, *text; } states[] = {
		{ "se_bind", "SE bind state" }, { "se_associate", "SE association state" },
	};
	char path[32], text[MKVPS_TEXT], *at = text;

	(void)ctx;
	printf("queue %s capabilities:\n", d->id);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		int r;

		(void)snprintf(path, sizeof(path), "%s/%s", d->id, states[i].file);
		r = attr_read(d->card->dirfd, path, text, sizeof(text));
		if (r != -ENOENT)
			printf("%s: %s\n", states[i].text, r < 0 ? "error" : text);
	}
	if (ap_read_mkvps(d, text) < 0)
		return 0;
	for (char *line; (line = strsep(&at, "\n"));)
		if (strstr(line, "WK CUR") || strstr(line, "AES CUR") || strstr(line, "APKA CUR") ||
		    strstr(line, "ASYM CUR"))
			printf("MK %s\n", line);
	return 0;
}

/* A card's number is decimal here (0x: hexadecimal), a queue's hexadecimal. */
static int show_capability(const struct ap_bus *bus, const char *id, struct err *e)
{
	struct ap_query q = { .card = -1, .domain = -1, .read = AP_VERBOSE };
	bool is_queue = strchr(id, '.');
	long card = -1;

	if (is_queue ? ap_parse_id(id, &q.card, &q.domain) < 0 || q.card < 0 :
	    text_number(id, !strncmp(id, "0x", 2) ? 16 : 10, &card) < 0 || card < 0 || card >= AP_IDS)
		return err_set(e, EINVAL, "'%s' is no card (a number) or queue (CC.DDDD)", id);
	if (!is_queue)
		q.card = (int)card;
	q.read |= is_queue ? AP_QUEUE_ONLY : AP_CARD_ONLY;
	if (!ap_exists(bus, q.card, q.domain))
		return err_set(e, ENOENT, "no device '%s' here", id);
	return ap_walk(bus, &q, is_queue ? print_queue : print_card, NULL, e);
}

/* --------------------------------------------------------------------------------------------------------------- */

int list_lszcrypt(struct hwkey *hw, const struct list_options *o, const struct args *args, struct err *e)
{
	AUTO_AP struct ap_bus bus = { .dirfd = -1 };
	int r;

	if (shows_asked(&hw->out) || o->tree || o->mkvp)
		return err_set(e, EINVAL, "lszcrypt's text has one form: without --json, --output, --raw, --noheadings, "
			       "--tree, --mkvp");
	if (o->bus + o->domains + o->serial + (o->capability != NULL) > 1)
		return err_set(e, EINVAL, "only one of --bus, --domains, --serial, --capability at a time");
	r = ap_open(&hw->env, &bus, e);
	if (r < 0)
		return r;
	if (o->bus)
		show_bus(&hw->env);
	else if (o->domains)
		r = show_domains(&hw->env, e);
	else if (o->serial)
		r = show_serials(&bus, e);
	else if (o->capability)
		r = show_capability(&bus, o->capability, e);
	else
		r = show_devices(hw, &bus, o, args, e);
	return r;
}
