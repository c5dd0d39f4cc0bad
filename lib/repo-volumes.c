// SPDX-License-Identifier: MIT
/* The volumes of a key, "VOL:DM,VOL:DM". */
#include "repo-internal.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "err.h"

/* Names of volumes that udev makes links for, and where. */
static const struct { const char *tag, *dir; } tags[] = {
	{ "UUID=", "by-uuid" }, { "LABEL=", "by-label" }, { "PARTUUID=", "by-partuuid" }, { "PARTLABEL=", "by-partlabel" },
	{ "ID=", "by-id" },
};

bool volumes_next(const char **at, struct volume_item *ret)
{
	if (!*at)
		return false;
	*at += strspn(*at, ",");
	if (!**at)
		return false;
	ret->vol = *at;
	ret->size = strcspn(ret->vol, ",");
	ret->len = strcspn(ret->vol, ":,");
	ret->dm = ret->vol + ret->len + (ret->len < ret->size);
	ret->dm_len = (size_t)(ret->vol + ret->size - ret->dm);
	*at += ret->size;
	return true;
}

/* The tag that VOL begins with, followed by something; -1: none. */
static int find_tag(const char *vol, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (len > strlen(tags[i].tag) && !strncmp(vol, tags[i].tag, strlen(tags[i].tag)))
			return (int)i;
	return -1;
}

void volume_device(const struct volume_item *v, char ret[PATH_MAX])
{
	int tag = find_tag(v->vol, v->len);
	size_t skip;

	if (tag < 0) {
		(void)snprintf(ret, PATH_MAX, "%.*s", (int)v->len, v->vol);
		return;
	}
	skip = strlen(tags[tag].tag);
	(void)snprintf(ret, PATH_MAX, "/dev/disk/%s/%.*s", tags[tag].dir, (int)(v->len - skip), v->vol + skip);
}

/*
 * VOL is an absolute path or a tag (UUID=..., LABEL=...), without anything that a shell, crypttab or zkey's lists would
 * take for something else; DM holds what libdevmapper puts into a file name as it is.
 */
static bool is_volume(const char *vol, size_t len)
{
	if (strcspn(vol, " \\\"'`*?;&|<>()$!:") != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)vol[i] < ' ' || vol[i] == 0x7f)
			return false;
	return (len > 1 && *vol == '/') || find_tag(vol, len) >= 0;
}

static bool is_dm_name(const char *dm)
{
	size_t len = strspn(dm, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789#+-.=@_");

	return len && len <= 127 && !dm[len] && *dm != '-' && strcmp(dm, ".") != 0 && strcmp(dm, "..") != 0;
}

int volume_check(const char *item, struct err *e)
{
	const char *colon = strchr(item, ':');

	if (colon && is_volume(item, (size_t)(colon - item)) && is_dm_name(colon + 1))
		return 0;
	return err_set(e, EINVAL, "'%s' is no volume: VOLUME:DM-NAME, as /dev/sda1:data or UUID=...:data", item);
}

bool volumes_match(const char *volumes, const char *pattern)
{
	bool whole = strchr(pattern, ':');
	char item[INFO_LINE_MAX + 1];
	struct volume_item v;

	while (volumes_next(&volumes, &v)) {
		(void)snprintf(item, sizeof(item), "%.*s", (int)(whole ? v.size : v.len), v.vol);
		if (fnmatch(pattern, item, 0) == 0)
			return true;
	}
	return false;
}

static bool shares_volume(const char *theirs, const char *ours)
{
	struct volume_item a, b;

	while (volumes_next(&ours, &a))
		for (const char *at = theirs; volumes_next(&at, &b);)
			if (a.len == b.len && !memcmp(a.vol, b.vol, a.len))
				return true;
	return false;
}

int repo_check_volumes(const struct repo *repo, const char *name, const char *volumes, struct err *e)
{
	AUTO_FREE char **names = NULL;
	size_t n;
	int r;

	if (*volumes == '-' || !volumes[strspn(volumes, "+")])
		return 0;
	r = repo_names(repo, &names, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		AUTO_ENTRY struct entry other = { 0 };
		struct err ignored;			/* a damaged key has no say */

		if (strcmp(names[i], name) != 0 && repo_read_info(repo, names[i], &other, &ignored) == 0 &&
		    shares_volume(props_get(&other.props, "volumes"), volumes + (*volumes == '+')))
			return err_set(e, EBUSY, "key '%s' already has one of these volumes", names[i]);
	}
	return r;
}
