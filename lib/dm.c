// SPDX-License-Identifier: MIT
#include "dm.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

bool dm_is_here(const char *sysroot)
{
	AUTO_CLOSE int control = sysroot ? -1 : open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	char path[PATH_MAX], name[64];
	bool found = false;
	FILE *f;
	int fd;

	(void)control;
	(void)snprintf(path, sizeof(path), "%s/proc/misc", sysroot ? sysroot : "");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f)
		auto_close(&fd);
	while (f && !found && fscanf(f, "%*u %63s", name) == 1)
		found = !strcmp(name, "device-mapper");
	if (f)
		(void)fclose(f);
	return found;
}
