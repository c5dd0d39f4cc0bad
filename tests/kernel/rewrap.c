// SPDX-License-Identifier: MIT
/*
 * rewrap DIR CARD.DOMAIN to-new|from-old <TOKENS >TOKENS: re-enciphers tokens, one after the other, at a queue of the
 * simulated cards of DIR/cards. On IBM Z no ioctl does it but the host libraries of CCA and EP11, so it stands beside
 * /dev/pkey here too.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "tests/sim/card.h"

static int rewrap_all(struct sim *s, struct sim_apqn at, enum sim_direction direction, unsigned char *tokens, size_t len)
{
	struct sim_token t;
	int r = 0;

	for (size_t i = 0; r == 0 && i < len; i += t.len) {
		r = sim_token_parse(tokens + i, len - i, &t);
		if (r == 0)
			r = sim_reencipher(s, at, direction, tokens + i, t.len);
	}
	return r;
}

int main(int argc, char **argv)
{
	static struct sim s;
	unsigned char tokens[2 * SIM_TOKEN_MAX];
	unsigned card, domain;
	size_t len;
	struct err e;
	int dir, r;

	if (argc != 4 || sscanf(argv[2], "%x.%x", &card, &domain) != 2)
		errx(2, "usage: rewrap DIR CARD.DOMAIN to-new|from-old");
	dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		err(1, "%s", argv[1]);
	if (sim_init(&s) < 0 || sim_load(&s, dir, "cards", &e) < 0)
		errx(1, "%s", e.msg);
	len = fread(tokens, 1, sizeof(tokens), stdin);
	r = rewrap_all(&s, (struct sim_apqn){ (uint16_t)card, (uint16_t)domain },
		       strcmp(argv[3], "to-new") ? SIM_FROM_OLD : SIM_TO_NEW, tokens, len);
	sim_done(&s);
	if (r < 0)
		errx(1, "%s", strerrorname_np(-r));
	return fwrite(tokens, 1, len, stdout) == len && fflush(stdout) == 0 ? 0 : 1;
}
