// SPDX-License-Identifier: MIT
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

__attribute__((format(printf, 4, 0)))
static int vset(struct err *e, int code, const char *tail, const char *fmt, va_list ap)
{
	size_t n;

	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	n = strlen(e->msg);
	if (tail)
		(void)snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", tail);
	e->code = code;
	return -code;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vset(e, code, NULL, fmt, ap);
	va_end(ap);
	return r;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int code = errno ? errno : EIO;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vset(e, code == EINVAL ? EPROTO : code, strerror(code), fmt, ap);
	va_end(ap);
	return r;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->msg)];
	va_list ap;
	int r;

	memcpy(old, e->msg, sizeof(old));
	va_start(ap, fmt);
	r = vset(e, e->code, old, fmt, ap);
	va_end(ap);
	return r;
}

int err_hint(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->msg)], hint[sizeof(e->msg)];
	va_list ap;

	memcpy(old, e->msg, sizeof(old));
	va_start(ap, fmt);
	(void)vsnprintf(hint, sizeof(hint), fmt, ap);
	va_end(ap);
	return err_set(e, e->code, "%.400s; %.100s", old, hint);
}

bool err_is_resource(int code)
{
	return code == ENOMEM || code == EMFILE || code == ENFILE || code == EIO;
}

int err_nomem(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

static const struct {
	int code, status;
} statuses[] = {
	{ 0, 0 },
	{ EINVAL, 2 },
	{ ENOENT, 3 }, { ENOKEY, 3 }, { ENOTDIR, 3 },
	{ EACCES, 4 }, { EPERM, 4 }, { EROFS, 4 }, { ELOOP, 4 }, { EKEYREJECTED, 4 }, { EKEYREVOKED, 4 },
	{ ENODEV, 5 }, { ENXIO, 5 }, { EOPNOTSUPP, 5 }, { ENOSYS, 5 }, { ETIMEDOUT, 5 }, { EAGAIN, 5 },
	{ EBADMSG, 6 }, { EILSEQ, 6 },
	{ EEXIST, 7 }, { EBUSY, 7 }, { EINPROGRESS, 7 }, { ENOTEMPTY, 7 },
	{ ENOSPC, 8 }, { EDQUOT, 8 }, { EFBIG, 8 }, { E2BIG, 8 }, { EMSGSIZE, 8 }, { ENAMETOOLONG, 8 },
};

int err_exit_status(int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].code == code)
			return statuses[i].status;
	return 1;
}
