// SPDX-License-Identifier: MIT
/* Pure: the text of the AP bus's attributes. */
#include "ap.h"

#include <errno.h>
#include <string.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to MAX hex digits at *AT. */
static int hex(const char **at, int max, int *ret)
{
	int v = 0, n = 0;

	for (; n < max && digit(**at) >= 0; n++, (*at)++)
		v = v << 4 | digit(**at);
	*ret = v;
	return n ? 0 : -EINVAL;
}

int ap_parse_id(const char *text, int *ret_card, int *ret_domain)
{
	int card = -1, domain = -1, r = 0;

	if (*text != '.')
		r = hex(&text, 2, &card);
	if (r == 0 && *text == '.') {
		text++;
		r = hex(&text, 4, &domain);
	}
	if (r < 0 || *text || domain >= AP_IDS)
		return -EINVAL;
	*ret_card = card;
	*ret_domain = domain;
	return 0;
}

int ap_parse_mask(const char *text, bool ret[AP_IDS])
{
	if (text[0] != '0' || (text[1] | 0x20) != 'x' || strlen(text) != 2 + AP_IDS / 4)
		return -EINVAL;
	for (size_t i = 0; i < AP_IDS; i++) {
		int d = digit(text[2 + i / 4]);

		if (d < 0)
			return -EINVAL;
		ret[i] = d >> (3 - i % 4) & 1;
	}
	return 0;
}

void ap_parse_status(const char *online, const char *config, const char *chkstop, const char *status, char ret[WANT_SIZE])
{
	const char *s = status;

	if (!strcmp(config, "0"))
		s = "deconfig";
	else if (chkstop[0] && strcmp(chkstop, "0") != 0)
		s = "chkstop";
	else if (!strcmp(online, "0"))
		s = "offline";
	else if (!strcmp(online, "1"))
		s = "online";
	memcpy(ret, s, strnlen(s, WANT_SIZE - 1) + 1);
	ret[WANT_SIZE - 1] = '\0';
}

/* The word at *AT, which ends at STOP or at white space; false: none, or longer than RET. */
static bool word(const char **at, char stop, char *ret, size_t size)
{
	size_t n = 0;

	while (**at == ' ')
		(*at)++;
	while ((*at)[n] > ' ' && (*at)[n] < 0x7f && (*at)[n] != stop)
		n++;
	if (n == 0 || n >= size)
		return false;
	memcpy(ret, *at, n);
	ret[n] = '\0';
	*at += n;
	return true;
}

/* One line, which *AT then is past. */
static bool parse_register(const char **at, struct ap_register *ret)
{
	const char *line = *at, *end = strchrnul(line, '\n');
	bool good = word(&line, ':', ret->key, sizeof(ret->key)) && word(&line, ':', ret->which, sizeof(ret->which)) &&
		*line++ == ':' && word(&line, '\n', ret->state, sizeof(ret->state)) &&
		word(&line, '\n', ret->pattern, sizeof(ret->pattern)) && line == end;

	*at = *end ? end + 1 : end;
	if (!good)
		return false;
	if (!strncmp(ret->pattern, "0x", 2) && strspn(ret->pattern + 2, "0123456789abcdef") == strlen(ret->pattern + 2))
		memmove(ret->pattern, ret->pattern + 2, strlen(ret->pattern + 2) + 1);
	else
		ret->pattern[0] = '\0';
	return true;
}

size_t ap_parse_mkvps(const char *text, struct ap_register ret[AP_REGISTERS])
{
	size_t n = 0;

	while (*text && n < AP_REGISTERS)
		n += parse_register(&text, &ret[n]);
	return n;
}

const char *ap_mode_name(enum ap_mode mode)
{
	static const char *const names[] = {
		[AP_MODE_UNKNOWN] = "Unknown", [AP_MODE_CCA] = "CCA-Coproc", [AP_MODE_ACCEL] = "Accelerator",
		[AP_MODE_EP11] = "EP11-Coproc",
	};

	return names[mode];
}

void ap_functions_text(uint32_t functions, char ret[11])
{
	static const char letters[] = "SMCDAXNHFR";

	for (size_t i = 0; i < 10; i++)
		ret[i] = functions & 0x80000000 >> i ? letters[i] : '-';
	ret[10] = '\0';
}
