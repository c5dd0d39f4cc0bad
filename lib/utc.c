// SPDX-License-Identifier: MIT
#include "utc.h"

#include <errno.h>

#include "err.h"

int utc_format(time_t t, char ret[UTC_SIZE], struct err *e)
{
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(ret, UTC_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) != UTC_SIZE - 1)
		return err_set(e, ERANGE, "the clock is out of range");
	return 0;
}

int utc_now(char ret[UTC_SIZE], struct err *e)
{
	return utc_format(time(NULL), ret, e);
}
