// SPDX-License-Identifier: MIT
#include "tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "blob.h"
#include "cleanup.h"
#include "env.h"
#include "sys.h"

/* TPM 2.0 library specification, part 2: structures. */
enum {
	TAG_NO_SESSIONS = 0x8001, GET_CAPABILITY = 0x17a, CAP_HANDLES = 1, CAP_PROPERTIES = 6, COMMAND = 22,
	REPLY_MAX = 1024,
	REPLY_HEADER = 19,		/* tag 2, size 4, code 4, more 1, capability 4, count 4 */
	PT_MANUFACTURER = 0x105, PT_VAR = 0x200, PT_PERMANENT = 0x200, PT_LOCKOUT_COUNTER = 0x20e, PT_MAX_AUTH_FAIL = 0x20f,
	PT_LOCKOUT_INTERVAL = 0x210, PERMANENT_IN_LOCKOUT = 1 << 9,
	ANSWER_MS = 10000,
};
static const uint32_t srk_handle = 0x81000001;

int tpm_parse_capability(const unsigned char *reply, size_t len, struct tpm_pair ret[TPM_PAIRS])
{
	size_t n, size;

	if (len < REPLY_HEADER || be_get(reply, 2) != TAG_NO_SESSIONS || be_get(reply + 2, 4) != len ||
	    be_get(reply + 6, 4) != 0)
		return -EBADMSG;
	n = be_get(reply + 15, 4);
	size = be_get(reply + 11, 4) == CAP_HANDLES ? 4 : 8;
	if (n > TPM_PAIRS || len != REPLY_HEADER + n * size)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		const unsigned char *at = reply + REPLY_HEADER + i * size;

		ret[i] = (struct tpm_pair){ (uint32_t)be_get(at, 4), size == 8 ? (uint32_t)be_get(at + 4, 4) : 0 };
	}
	return (int)n;
}

/* Number of pairs, or -errno. */
static int ask(int fd, uint32_t capability, uint32_t first, uint32_t count, struct tpm_pair ret[TPM_PAIRS])
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned char command[COMMAND], reply[REPLY_MAX];
	ssize_t n;

	be_put(command, TAG_NO_SESSIONS, 2);
	be_put(command + 2, COMMAND, 4);
	be_put(command + 6, GET_CAPABILITY, 4);
	be_put(command + 10, capability, 4);
	be_put(command + 14, first, 4);
	be_put(command + 18, count, 4);
	n = write(fd, command, COMMAND);
	if (n != COMMAND)
		return n < 0 ? -errno : -EIO;
	if (poll(&p, 1, ANSWER_MS) <= 0)
		return -ETIMEDOUT;
	n = read(fd, reply, sizeof(reply));
	return n < 0 ? -errno : tpm_parse_capability(reply, (size_t)n, ret);
}

static void take(const struct tpm_pair *p, struct tpm_state *ret)
{
	switch (p->name) {
	case PT_MANUFACTURER:
		be_put((unsigned char *)ret->manufacturer, p->value, 4);
		for (char *c = ret->manufacturer; *c; c++)
			if (*c <= ' ' || *c >= 0x7f)
				*c = '\0';
		break;
	case PT_PERMANENT:
		ret->locked_out = p->value & PERMANENT_IN_LOCKOUT;
		break;
	case PT_LOCKOUT_COUNTER:
		ret->tries = p->value;
		break;
	case PT_MAX_AUTH_FAIL:
		ret->tries_max = p->value;
		break;
	case PT_LOCKOUT_INTERVAL:
		ret->recovery = p->value;
	}
}

int tpm_ask_fd(int fd, struct tpm_state *ret)
{
	static const uint32_t firsts[] = { PT_MANUFACTURER, PT_VAR };
	struct tpm_pair pairs[TPM_PAIRS];
	struct tpm_state state = { 0 };
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		n = ask(fd, CAP_PROPERTIES, firsts[i], i == 0 ? 1 : 32, pairs);
		if (n < 0)
			return n;
		for (int k = 0; k < n; k++)
			take(&pairs[k], &state);
	}
	n = ask(fd, CAP_HANDLES, srk_handle, 1, pairs);
	if (n < 0)
		return n;
	state.has_srk = n > 0 && pairs[0].name == srk_handle;
	*ret = state;
	return 0;
}

void tpm_parse_answers(const char *text, struct tpm_state *ret)
{
	char key[16], value[16];

	*ret = (struct tpm_state){ 0 };
	for (; sscanf(text, "%15s %15s", key, value) == 2; text = strchrnul(text, '\n'), text += *text == '\n') {
		long v = 0;

		(void)text_number(value, 10, &v);
		if (!strcmp(key, "manufacturer"))
			(void)snprintf(ret->manufacturer, sizeof(ret->manufacturer), "%.4s", value);
		else if (!strcmp(key, "lockout"))
			ret->locked_out = v != 0;
		else if (!strcmp(key, "srk"))
			ret->has_srk = v != 0;
		else if (!strcmp(key, "tries"))
			ret->tries = (uint32_t)v;
		else if (!strcmp(key, "tries-max"))
			ret->tries_max = (uint32_t)v;
		else if (!strcmp(key, "recovery"))
			ret->recovery = (uint32_t)v;
	}
}

void tpm_format_answers(const struct tpm_state *s, char *ret, size_t size)
{
	(void)snprintf(ret, size, "manufacturer %s\nlockout %d\nsrk %d\ntries %u\ntries-max %u\nrecovery %u\n",
		       s->manufacturer[0] ? s->manufacturer : "-", s->locked_out, s->has_srk, s->tries, s->tries_max,
		       s->recovery);
}

int tpm_ask(const struct env *env, unsigned n, struct tpm_state *ret)
{
	AUTO_CLOSE int fd = -1;
	char path[32], text[512];
	ssize_t len;

	if (!env->sysroot) {
		(void)snprintf(path, sizeof(path), "/dev/tpmrm%u", n);
		fd = sys_open(env, path, O_RDWR);
		return fd < 0 ? fd : tpm_ask_fd(fd, ret);
	}
	(void)snprintf(path, sizeof(path), "/answers/tpm%u", n);
	len = sys_read_bytes(env, path, text, sizeof(text) - 1);
	if (len < 0)
		return (int)len;
	text[len] = '\0';
	tpm_parse_answers(text, ret);
	return 0;
}
