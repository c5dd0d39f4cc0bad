// SPDX-License-Identifier: MIT
#include "utc.h"

#include <errno.h>
#include <time.h>

#include "err.h"

int utc_now(char ret[UTC_SIZE], struct err *e)
{
	const time_t now = time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm) || strftime(ret, UTC_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) != UTC_SIZE - 1)
		return err_set(e, ERANGE, "the clock is out of range");
	return 0;
}
