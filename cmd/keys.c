// SPDX-License-Identifier: MIT
#include "keys.h"
#include "explain.h"
#include "pks.h"

#include <stdio.h>
#include <string.h>


enum { NAME, TYPE, BITS, XTS, VOLUMES, DESCRIPTION, CREATED, CHANGED, REWRAPPED, VOLUME_TYPE, SECTOR_SIZE, APQNS, PATTERN,
       MASTER_KEY, CIPHER, IV_MODE, POLICY, FILE_NAME, SIZE, STAGED, PASSPHRASE, OTHER, NOW, N_COLUMNS, N_TIMES = 3 };

const struct column key_columns[] = {
	[NAME] = { "NAME", OUT_STRING }, [TYPE] = { "TYPE", OUT_STRING }, [BITS] = { "BITS", OUT_NUMBER },
	[XTS] = { "XTS", OUT_BOOL }, [VOLUMES] = { "VOLUMES", OUT_LIST }, [DESCRIPTION] = { "DESCRIPTION", OUT_STRING },
	[CREATED] = { "CREATED", OUT_STRING }, [CHANGED] = { "CHANGED", OUT_STRING, true },
	[REWRAPPED] = { "REWRAPPED", OUT_STRING, true }, [VOLUME_TYPE] = { "VOLUME-TYPE", OUT_STRING, true },
	[SECTOR_SIZE] = { "SECTOR-SIZE", OUT_NUMBER, true }, [APQNS] = { "APQNS", OUT_LIST, true },
	[PATTERN] = { "PATTERN", OUT_STRING, true }, [MASTER_KEY] = { "MASTER-KEY", OUT_STRING, true },
	[CIPHER] = { "CIPHER", OUT_STRING, true }, [IV_MODE] = { "IV-MODE", OUT_STRING, true },
	[POLICY] = { "POLICY", OUT_LIST, true }, [FILE_NAME] = { "FILE", OUT_STRING, true },
	[SIZE] = { "SIZE", OUT_NUMBER, true }, [STAGED] = { "STAGED", OUT_BOOL, true },
	[PASSPHRASE] = { "DUMMY-PASSPHRASE", OUT_STRING, true }, [OTHER] = { "OTHER", OUT_LIST, true },
	[NOW] = { "NOW", OUT_LIST, true }, [N_COLUMNS] = { 0 }
};

/* Which property a column shows. What no column shows is under OTHER. */
static const struct { int column; const char *key; } shown[] = {
	{ TYPE, "key-type" }, { VOLUMES, "volumes" }, { DESCRIPTION, "description" }, { CREATED, "creation-time" },
	{ CHANGED, "update-time" }, { REWRAPPED, "reencipher-time" }, { VOLUME_TYPE, "volume-type" },
	{ SECTOR_SIZE, "sector-size" }, { APQNS, "apqns" }, { PATTERN, "verification-pattern" }, { CIPHER, "cipher" },
	{ IV_MODE, "iv-mode" },
};

static bool is_shown(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		if (!strcmp(shown[i].key, key))
			return true;
	return false;
}

static void replace_controls(struct props *p)
{
	for (size_t i = 0; i < p->n; i++) {
		char *both[] = { p->v[i].key, p->v[i].value };

		for (size_t j = 0; j < ARRAY_SIZE(both); j++)
			for (char *c = both[j]; *c; c++)
				if ((unsigned char)*c < ' ' || *c == 0x7f)
					*c = '?';
	}
}

void commas_to_lines(char *s)
{
	for (; s && *s; s++)
		if (*s == ',')
			*s = '\n';
}

static char *format_other(const struct props *p)
{
	size_t len = 1, used = 0;
	char *text;

	for (size_t i = 0; i < p->n; i++)
		len += strlen(p->v[i].key) + strlen(p->v[i].value) + 2;
	text = calloc(1, len);
	for (size_t i = 0; text && i < p->n; i++)
		if (!is_shown(p->v[i].key))
			used += (size_t)snprintf(text + used, len - used, "%s%s=%s", used ? "\n" : "", p->v[i].key,
						 p->v[i].value);
	return text;
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* V is filled with what .info says; an empty value is none. TIMES is what some of V will point to. */
static void take_props(struct props *p, const char **v, char (*times)[21])
{
	static const int columns[N_TIMES] = { CREATED, CHANGED, REWRAPPED };

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		char *value = (char *)props_get(p, shown[i].key);	/* ours: the entry is not const */

		if (value && key_columns[shown[i].column].type == OUT_LIST)
			commas_to_lines(value);
		v[shown[i].column] = value && *value ? value : NULL;
	}
	for (size_t i = 0; i < N_TIMES; i++)
		if (v[columns[i]])
			v[columns[i]] = entry_time(v[columns[i]], times[i]);
	if (v[SECTOR_SIZE] && !is_number(v[SECTOR_SIZE]))
		v[SECTOR_SIZE] = NULL;
	if (!v[TYPE])
		v[TYPE] = key_type_name(KEY_CCA_AESDATA);		/* of zkey's first version */
}

int key_row(const struct hwkey *hw, struct out *out, struct entry *entry, struct err *e)
{
	char bits[16], size[16], master[2 * sizeof(((struct key *)0)->pattern) + 1] = "", file[4096], pass[4096];
	char policy[1024] = "", now[EXPLAIN_MAX] = "";
	char times[N_TIMES][21];
	const char *v[N_COLUMNS] = { [NAME] = entry->name, [FILE_NAME] = file, [SIZE] = size,
				     [STAGED] = entry->staged.len ? "1" : "0" };
	AUTO_FREE char *other = NULL;
	struct key key = { 0 };
	struct err ignored;

	if (!hw->out.json)
		replace_controls(&entry->props);
	other = format_other(&entry->props);
	if (!other)
		return err_nomem(e);
	take_props(&entry->props, v, times);
	(void)snprintf(size, sizeof(size), "%zu", entry->token.len);
	(void)snprintf(file, sizeof(file), "%s/%s.skey", hw->repo.path, entry->name);
	(void)snprintf(pass, sizeof(pass), "in clear in %s/%s.pass", hw->repo.path, entry->name);
	if (key_parse(entry->token.data, entry->token.len, &key, &ignored) == 0) {
		(void)snprintf(bits, sizeof(bits), "%u", key.bits);
		hex_encode(key.pattern, key.pattern_len, master);
		v[BITS] = key.bits ? bits : NULL;
		v[XTS] = key.xts ? "1" : "0";
		v[MASTER_KEY] = master;
		explain_policy(&entry->token, policy, sizeof(policy));
		v[POLICY] = policy[0] ? policy : NULL;
		if (hw->devices)
			explain_now(hw->devices, key_type_backend(key.type), &entry->token, now);
		v[NOW] = now[0] ? now : NULL;
	}
	if (entry->has_passphrase)
		v[PASSPHRASE] = pass;
	if (*other)
		v[OTHER] = other;
	return out_row(out, v, e);
}

int key_row_damaged(struct out *out, const char *name, struct err *e)
{
	return out_row(out, (const char *const[N_COLUMNS]){ [NAME] = name, [TYPE] = "(damaged)" }, e);
}
