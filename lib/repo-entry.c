// SPDX-License-Identifier: MIT
/* What an entry says of its key: the properties zkey knows, checked. */
#include "repo-internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cleanup.h"
#include "err.h"

static bool is_printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

/* --- comma-separated lists: volumes and APQNs --- */

/* Calls CHECK for each item of LIST; ITEM may be changed in place if its length stays. An empty list has no items. */
static int list_check(const char *list, int (*check)(const char *item, struct err *e), struct err *e)
{
	AUTO_FREE char *copy = strdup(list);
	char *rest = copy, *item;
	int r = copy ? 0 : err_nomem(e);

	while (r == 0 && *list && (item = strsep(&rest, ",")))
		r = check(item, e);
	return r;
}

static const char *list_find(const char *list, const char *item, size_t len)
{
	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == len && !memcmp(list, item, n))
			return list;
		list += n + (list[n] != '\0');
	}
	return NULL;
}

static void list_append(char *list, size_t size, const char *item, size_t len)
{
	size_t n = strlen(list);

	(void)snprintf(list + n, size - n, "%s%.*s", n ? "," : "", (int)len, item);
}

/* Items of A, without those that B has (DROP) or followed by those only B has. */
static int list_merge(const char *a, const char *b, bool drop, char **ret, struct err *e)
{
	size_t size = strlen(a) + strlen(b) + 2;
	char *list = calloc(1, size);
	const char *from[] = { a, drop ? "" : b };

	if (!list)
		return err_nomem(e);
	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		for (const char *at = from[i]; *at;) {
			size_t n = strcspn(at, ",");

			if (!list_find(list, at, n) && !(drop && list_find(b, at, n)))
				list_append(list, size, at, n);
			at += n + (at[n] != '\0');
		}
	}
	*ret = list;
	return 0;
}

static int list_has_all(const char *list, const char *items, const char *what, struct err *e)
{
	while (*items) {
		size_t n = strcspn(items, ",");

		if (!list_find(list, items, n))
			return err_set(e, ENOENT, "%s '%.*s' is not associated with this key", what, (int)n, items);
		items += n + (items[n] != '\0');
	}
	return 0;
}

/* CHANGE: "ITEM,..." replaces, "+ITEM,..." adds, "-ITEM,..." removes. */
static int list_change(const char *old, const char *change, const char *what, char **ret, struct err *e)
{
	int r = 0;

	if (*change == '-')
		r = list_has_all(old, change + 1, what, e);
	if (r < 0)
		return r;
	if (*change == '+' || *change == '-')
		return list_merge(old, change + 1, *change == '-', ret, e);
	return list_merge("", change, false, ret, e);
}

/* "CC.DDDD", hexadecimal; each part may be shorter. */
static int scan_apqn(const char *item, unsigned *card, unsigned *domain)
{
	int end = 0;

	return sscanf(item, "%2x.%4x%n", card, domain, &end) == 2 && end > 0 && !item[end] &&
	       strspn(item, "0123456789abcdefABCDEF.") == strlen(item);
}

static int check_apqn(const char *item, struct err *e)
{
	unsigned card, domain;

	return scan_apqn(item, &card, &domain) ? 0 : err_set(e, EINVAL, "'%s' is no APQN: CARD.DOMAIN, as 00.0035", item);
}

/* Checks LIST and writes it as zkey does: %02x.%04x. A leading '+' or '-' stays. */
static int normalize_apqns(const char *list, char **ret, struct err *e)
{
	const char *sign = *list == '+' || *list == '-' ? list++ : "";
	size_t size = 8 * (strlen(list) + 1) + 2, n;
	char *out;
	int r = list_check(list, check_apqn, e);

	if (r < 0)
		return r;
	out = calloc(1, size);
	if (!out)
		return err_nomem(e);
	n = (size_t)snprintf(out, size, "%.1s", sign);
	while (*list) {
		unsigned card = 0, domain = 0;

		(void)sscanf(list, "%2x.%4x", &card, &domain);
		list += strcspn(list, ",");
		n += (size_t)snprintf(out + n, size - n, "%02x.%04x%s", card, domain, *list ? "," : "");
		list += *list == ',';
	}
	*ret = out;
	return 0;
}

/* --- the properties --- */

const char *const sector_sizes[] = { "0", "512", "1024", "2048", "4096", NULL };
const char *const volume_types[] = { "luks2", "plain", NULL };

static int set_description(struct entry *entry, const char *value, struct err *e)
{
	if (!is_printable(value))
		return err_set(e, EINVAL, "the description holds a control character");
	return props_set(&entry->props, "description", value, e);
}

static int set_list(struct entry *entry, const char *key, const char *change, const char *what, struct err *e)
{
	AUTO_FREE char *list = NULL;
	int r = list_change(props_get(&entry->props, key) ?: "", change, what, &list, e);

	return r < 0 ? r : props_set(&entry->props, key, list, e);
}

static int set_volumes(struct entry *entry, const char *value, struct err *e)
{
	int r = list_check(value + (*value == '+' || *value == '-'), volume_check, e);

	return r < 0 ? r : set_list(entry, "volumes", value, "volume", e);
}

static int set_apqns(struct entry *entry, const char *value, struct err *e)
{
	const char *type = props_get(&entry->props, "key-type");
	AUTO_FREE char *list = NULL;
	int r;

	if (*value && type && strncmp(type, "CCA-", 4) != 0 && strncmp(type, "EP11-", 5) != 0)
		return err_set(e, EINVAL, "a key of type '%s' has no APQNs", type);
	r = normalize_apqns(value, &list, e);
	return r < 0 ? r : set_list(entry, "apqns", list, "APQN", e);
}

static int set_choice(struct entry *entry, const char *key, const char *value, const char *const *choices, struct err *e)
{
	for (; *choices; choices++)
		if (!strcasecmp(*choices, value))
			return props_set(&entry->props, key, *choices, e);
	return err_set(e, EINVAL, "invalid %s '%s'", key, value);
}

static int set_sector_size(struct entry *entry, const char *value, struct err *e)
{
	return set_choice(entry, "sector-size", value, sector_sizes, e);
}

static int set_volume_type(struct entry *entry, const char *value, struct err *e)
{
	int r = set_choice(entry, "volume-type", value, volume_types, e);

	for (char *c = r < 0 ? NULL : (char *)props_get(&entry->props, "volume-type"); c && *c; c++)
		*c = (char)toupper((unsigned char)*c);		/* as zkey writes it */
	return r;
}

static int set_pattern(struct entry *entry, const char *value, struct err *e)
{
	if (strlen(value) != 64 || strspn(value, "0123456789abcdef") != 64)
		return err_set(e, EINVAL, "a verification pattern has 64 hexadecimal digits");
	return props_set(&entry->props, "verification-pattern", value, e);
}

int entry_change(struct entry *entry, const struct entry_about *about, struct err *e)
{
	const struct {
		const char *value;
		int (*set)(struct entry *, const char *, struct err *);
	} changes[] = {		/* in zkey's order */
		{ about->description, set_description }, { about->volumes, set_volumes }, { about->apqns, set_apqns },
		{ about->sector_size, set_sector_size }, { about->volume_type, set_volume_type },
		{ about->pattern, set_pattern },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(changes); i++)
		if (changes[i].value)
			r = changes[i].set(entry, changes[i].value, e);
	return r;
}

int entry_stamp(struct entry *entry, const char *key, struct err *e)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[32];

	if (!localtime_r(&now, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
		return err_set(e, EOVERFLOW, "cannot tell the time");
	return props_set(&entry->props, key, text, e);
}

/* Not by mktime(), which looks at the zone's file each time. The second round has the offset of that very time. */
const char *entry_time(const char *text, char ret[21])
{
	struct tm tm = { 0 }, local = { 0 };
	const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
	time_t wall = timegm(&tm), t = wall;

	if (!end || *end)
		return text;
	for (int i = 0; i < 2 && localtime_r(&t, &local); i++)
		t = wall - local.tm_gmtoff;
	return gmtime_r(&t, &tm) && strftime(ret, 21, "%Y-%m-%dT%H:%M:%SZ", &tm) ? ret : text;
}

static int fill(struct entry *entry, const struct key *key, const struct entry_about *about, struct err *e)
{
	bool clear = key->type == KEY_LOCAL || key->type == KEY_TPM2;	/* what they open, dm-crypt has in clear */
	int r = props_set(&entry->props, "cipher", clear ? "aes" : "paes", e);

	if (r == 0)
		r = props_set(&entry->props, "iv-mode", "plain64", e);
	if (r == 0)
		r = entry_stamp(entry, "creation-time", e);
	if (r == 0)
		r = set_description(entry, "", e);
	if (r == 0)
		r = props_set(&entry->props, "key-type", key_type_name(key->type), e);
	if (r == 0)
		r = entry_change(entry, &(struct entry_about){ NULL, "", "", "LUKS2", "0", NULL }, e);
	return r < 0 ? r : entry_change(entry, about, e);
}

int entry_init(struct entry *ret, const char *name, const struct key *key, const struct entry_about *about, struct err *e)
{
	AUTO_ENTRY struct entry entry = { .name = strdup(name) };
	int r = entry.name ? 0 : err_nomem(e);

	if (r == 0)
		r = repo_check_name(name, e);
	if (r == 0)
		r = fill(&entry, key, about, e);
	if (r < 0)
		return r;
	*ret = TAKE(entry);
	return 0;
}
