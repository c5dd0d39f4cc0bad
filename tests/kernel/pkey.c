// SPDX-License-Identifier: MIT
/*
 * A client of /dev/pkey for tests: the ioctls as programs of IBM Z use them.
 *	pkey generate TYPE BITS [APQN]... >TOKEN	pkey import TYPE [APQN]... <CLEAR >TOKEN
 *	pkey verify <TOKEN				pkey apqns <TOKEN		pkey protect [APQN]... <TOKEN >KEY
 *	pkey nowhere					verifies a key at an address where nothing is
 *	pkey status					the cards in /dev/z90crypt's status mask
 *	pkey pattern MODE <TOKENS >PATTERN		what 32 zeros become under MODE(paes): xts, cbc, by AF_ALG
 * TYPE: data, cipher, ep11. Fails with the errno's name.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_alg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TOKEN_MAX = 8192, APQNS = 32 };

struct apqn { uint16_t card, domain; };
struct genseck2 { struct apqn *apqns; uint32_t entries, type, size, flags; unsigned char *key; uint32_t len; };
struct clr2seck2 {
	struct apqn *apqns;
	uint32_t entries, type, size, flags;
	unsigned char clear[32], *key;
	uint32_t len;
};
struct verifykey2 { unsigned char *key; uint32_t len; uint16_t card, domain; uint32_t type, size, flags; };
struct apqns4k { unsigned char *key; uint32_t len, flags; struct apqn *apqns; uint32_t entries; };
struct kblob2protk3 {
	unsigned char *key;
	uint32_t len;
	struct apqn *apqns;
	uint32_t entries, type, protected_len;
	unsigned char *protected;
};

_Noreturn static void fail(void)
{
	fprintf(stderr, "pkey: %s\n", strerrorname_np(errno));
	exit(1);
}

static void call_device(const char *device, unsigned long cmd, void *arg)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", device);
	if (ioctl(fd, cmd, arg) < 0)
		fail();
	close(fd);
}

static void call(unsigned long cmd, void *arg)
{
	call_device("/dev/pkey", cmd, arg);
}

static uint32_t type_of(const char *name)
{
	if (!strcmp(name, "data"))
		return 1;
	if (!strcmp(name, "cipher"))
		return 2;
	if (!strcmp(name, "ep11"))
		return 6;
	errx(2, "no type '%s'", name);
}

static uint32_t apqns_of(char **args, struct apqn ret[APQNS])
{
	unsigned card, domain;
	uint32_t n = 0;

	for (; *args && n < APQNS; args++) {
		if (sscanf(*args, "%x.%x", &card, &domain) != 2)
			errx(2, "no APQN: '%s'", *args);
		ret[n++] = (struct apqn){ (uint16_t)card, (uint16_t)domain };
	}
	return n;
}

static uint32_t input(unsigned char *buf, size_t size)
{
	size_t n = fread(buf, 1, size, stdin);

	if (ferror(stdin))
		err(1, "standard input");
	return (uint32_t)n;
}

static int output(const unsigned char *buf, size_t n)
{
	return fwrite(buf, 1, n, stdout) == n && fflush(stdout) == 0 ? 0 : 1;
}

/* The IV, and what to do, go beside the data. */
static int pattern(const char *mode, const unsigned char *tokens, uint32_t len)
{
	struct sockaddr_alg alg = { .salg_family = AF_ALG, .salg_type = "skcipher" };
	union { struct cmsghdr align; char bytes[CMSG_SPACE(4) + CMSG_SPACE(4 + 16)]; } control = { 0 };
	unsigned char data[32] = { 0 };
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	uint32_t encrypt = ALG_OP_ENCRYPT, iv_len = 16;
	int fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), op;

	snprintf((char *)alg.salg_name, sizeof(alg.salg_name), "%s(paes)", mode);
	*c = (struct cmsghdr){ CMSG_LEN(4), SOL_ALG, ALG_SET_OP };
	memcpy(CMSG_DATA(c), &encrypt, 4);
	c = CMSG_NXTHDR(&msg, c);
	*c = (struct cmsghdr){ CMSG_LEN(4 + 16), SOL_ALG, ALG_SET_IV };
	memcpy(CMSG_DATA(c), &iv_len, 4);
	if (fd < 0 || bind(fd, (struct sockaddr *)&alg, sizeof(alg)) < 0 ||
	    setsockopt(fd, SOL_ALG, ALG_SET_KEY, tokens, len) < 0)
		fail();
	op = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (op < 0 || sendmsg(op, &msg, 0) != sizeof(data) || read(op, data, sizeof(data)) != sizeof(data))
		fail();
	for (size_t i = 0; i < sizeof(data); i++)
		printf("%02x", data[i]);
	return putchar('\n') == EOF;
}

int main(int argc, char **argv)
{
	static unsigned char in[TOKEN_MAX], out[TOKEN_MAX];
	struct apqn list[APQNS];
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "generate") && argc > 3) {
		struct genseck2 g = { list, apqns_of(argv + 4, list), type_of(argv[2]), .key = out, .len = sizeof(out) };

		g.size = (uint32_t)atoi(argv[3]);
		call(_IOWR('p', 0x11, g), &g);
		return output(out, g.len);
	}
	if (!strcmp(what, "import") && argc > 2) {
		struct clr2seck2 c = { list, apqns_of(argv + 3, list), type_of(argv[2]), .key = out, .len = sizeof(out) };

		c.size = input(c.clear, sizeof(c.clear)) * 8;
		call(_IOWR('p', 0x12, c), &c);
		return output(out, c.len);
	}
	if (!strcmp(what, "verify")) {
		struct verifykey2 v = { in, input(in, sizeof(in)), 0xffff, 0xffff };

		call(_IOWR('p', 0x17, v), &v);
		return printf("%02x.%04x %u %d %s\n", v.card, v.domain, v.type, (int)v.size,
			      v.flags == 2 ? "cur" : "old") < 0;
	}
	if (!strcmp(what, "apqns")) {
		struct apqns4k a = { in, input(in, sizeof(in)), 0, list, APQNS };

		call(_IOWR('p', 0x1b, a), &a);
		for (uint32_t i = 0; i < a.entries; i++)
			printf("%02x.%04x\n", list[i].card, list[i].domain);
		return 0;
	}
	if (!strcmp(what, "protect")) {
		struct kblob2protk3 k = { in, input(in, sizeof(in)), list, apqns_of(argv + 2, list), 0, sizeof(out), out };

		call(_IOWR('p', 0x1d, k), &k);
		return output(out, k.protected_len);
	}
	if (!strcmp(what, "nowhere")) {
		struct verifykey2 v = { (unsigned char *)8, 64, 0xffff, 0xffff };

		call(_IOWR('p', 0x17, v), &v);
		return 0;
	}
	if (!strcmp(what, "status")) {
		unsigned char mask[256];

		call_device("/dev/z90crypt", _IOR('z', 0x58, mask), mask);
		for (unsigned i = 0; i < sizeof(mask); i++)
			if (mask[i])
				printf("%02x:%02x\n", i, mask[i]);
		return 0;
	}
	if (!strcmp(what, "pattern") && argc > 2)
		return pattern(argv[2], in, input(in, sizeof(in)));
	errx(2, "usage: pkey generate|import|verify|apqns|protect|nowhere|status|pattern ...");
}
