// SPDX-License-Identifier: MIT
/* Apart from the rest of the repository, because the token plug-in needs this of it and no more. */
#include "repo.h"

#include <errno.h>
#include <string.h>

#include "err.h"

bool repo_valid_name(const char *name)
{
	size_t len = strlen(name);

	if (len < 1 || len > NAME_LEN_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		if (*p <= ' ' || *p == 0x7f || strchr("/\\*?'\"", *p) || (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f))
			return false;
	return true;
}

int repo_check_name(const char *name, struct err *e)
{
	return repo_valid_name(name) ? 0 : err_set(e, EINVAL, "invalid key name '%s'", name);
}
