// SPDX-License-Identifier: MIT
/*
 * cards DIR: the simulated Crypto Express cards of DIR/cards, in a test's guest. Puts them on the AP bus, answers for the
 * kernel's simulated bus and paes (/dev/simz), and is /dev/pkey and /dev/z90crypt (by CUSE), of which the latter tells its
 * status mask only. Goes to the background once all of it is there, and ends on SIGTERM. What a test changes of the cards
 * is in the file again: the next boot has it.
 */
#define FUSE_USE_VERSION 31
#include <cuse_lowlevel.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "tests/kernel/modules/simz.h"
#include "tests/sim/attr.h"
#include "tests/sim/card.h"
#include "tests/sim/pkey.h"

enum { DEVICES = 2 };
#define ZCRYPT_STATUS_MASK 0x81007a58

struct cards {
	struct sim sim;
	int dir, simz, ready;		/* READY: to the waiting parent, a byte for each device */
};

/* ---- /dev/pkey and /dev/z90crypt ---- */

static void device_open(fuse_req_t req, struct fuse_file_info *fi)
{
	fuse_reply_open(req, fi);
}

static size_t to_iov(const struct sim_range *r, size_t n, struct iovec *ret)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = (struct iovec){ (void *)(uintptr_t)r[i].addr, r[i].len };
	return n;
}

/* The kernel fetches and writes the caller's memory for us, once it is told where: by asking again with the ranges. */
static void pkey_ioctl(fuse_req_t req, int cmd, void *arg, struct fuse_file_info *fi, unsigned flags, const void *in,
		       size_t in_len, size_t out_len)
{
	struct cards *c = fuse_req_userdata(req);
	unsigned char out[SIM_PKEY_OUT_MAX];
	struct iovec from[3], to[2];
	struct sim_plan p;
	size_t len;
	int r = sim_pkey_plan((uint32_t)cmd, (uintptr_t)arg, in, in_len, &p);

	(void)fi;
	(void)flags;
	if (r < 0) {
		fuse_reply_err(req, -r);
	} else if (!p.complete || out_len < sim_ranges_len(p.out, p.n_out)) {
		fuse_reply_ioctl_retry(req, from, to_iov(p.in, p.n_in, from), to, to_iov(p.out, p.n_out, to));
	} else {
		r = sim_pkey_run(&c->sim, &p, in, out, &len);
		if (len)
			fuse_reply_ioctl(req, r, out, len);
		else if (r < 0)
			fuse_reply_err(req, -r);
		else
			fuse_reply_ioctl(req, 0, NULL, 0);
	}
}

static void zcrypt_ioctl(fuse_req_t req, int cmd, void *arg, struct fuse_file_info *fi, unsigned flags, const void *in,
			 size_t in_len, size_t out_len)
{
	struct cards *c = fuse_req_userdata(req);
	unsigned char mask[256];
	struct iovec to = { arg, sizeof(mask) };

	(void)fi;
	(void)flags;
	(void)in;
	(void)in_len;
	if ((uint32_t)cmd != ZCRYPT_STATUS_MASK) {
		fuse_reply_err(req, ENOTTY);
	} else if (out_len < sizeof(mask)) {
		fuse_reply_ioctl_retry(req, NULL, 0, &to, 1);
	} else {
		sim_status_mask(&c->sim, mask);
		fuse_reply_ioctl(req, 0, mask, sizeof(mask));
	}
}

static void device_ready(void *data)
{
	struct cards *c = data;

	if (write(c->ready, "", 1) != 1)
		err(1, "ready");
}

static struct fuse_session *device_new(struct cards *c, const char *name, const struct cuse_lowlevel_ops *ops)
{
	struct cuse_info info = { .dev_info_argc = 1, .dev_info_argv = &name, .flags = CUSE_UNRESTRICTED_IOCTL };
	char program[] = "cards", *args[] = { program, NULL };
	struct fuse_session *se;
	int threads;

	se = cuse_lowlevel_setup(1, args, &info, ops, &threads, c);
	if (!se)
		errx(1, "no CUSE here");
	return se;
}

/* ---- /dev/simz ---- */

static int simz_write(struct cards *c, enum simz_op op, uint64_t id, int result, const char *data, size_t len)
{
	AUTO_FREE struct simz_message *m = malloc(sizeof(*m) + len);

	if (!m)
		return -ENOMEM;
	*m = (struct simz_message){ .id = id, .op = op, .result = result, .len = (uint32_t)len };
	memcpy(m->data, data, len);
	return write(c->simz, m, sizeof(*m) + len) < 0 ? -errno : 0;
}

static void add(struct cards *c, const char *device)
{
	AUTO_FREE char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int r = f ? sim_device_describe(&c->sim, device, f) : -ENOMEM;

	if (!f || fclose(f) != 0 || r < 0 || (r = simz_write(c, SIMZ_ADD, 0, 0, text, len)) < 0)
		errx(1, "%s: cannot be added: %s", device, strerror(-r));
}

static void add_all(struct cards *c)
{
	char name[16];

	for (size_t i = 0; i < c->sim.n_cards; i++) {
		snprintf(name, sizeof(name), "card%02x", c->sim.cards[i].id);
		add(c, name);
	}
	for (size_t i = 0; i < c->sim.n_queues; i++) {
		snprintf(name, sizeof(name), "%02x.%04x", c->sim.queues[i].id.card, c->sim.queues[i].id.domain);
		add(c, name);
	}
}

static int show(struct cards *c, const char *device, char **ret, size_t *ret_len)
{
	FILE *f = open_memstream(ret, ret_len);
	int r = f ? sim_attr_show(&c->sim, device, device + strlen(device) + 1, f) : -ENOMEM;

	return f && fclose(f) != 0 ? -ENOMEM : r;
}

static int store(struct cards *c, const char *device)
{
	const char *name = device + strlen(device) + 1;
	int r = sim_attr_store(&c->sim, device, name, name + strlen(name) + 1);
	struct err e;

	if (r == 1 && (r = sim_save(&c->sim, c->dir, "cards", &e)) < 0)
		warnx("%s", e.msg);
	return r;
}

static int effective_key(struct cards *c, const unsigned char *data, size_t len, char **ret, size_t *ret_len)
{
	*ret = calloc(1, 64);
	if (!*ret || len < 1)
		return -ENOMEM;
	return sim_effective_key(&c->sim, data[0], data + 1, len - 1, (unsigned char *)*ret, ret_len);
}

static void answer(struct cards *c)
{
	union { struct simz_message m; char bytes[sizeof(struct simz_message) + SIMZ_DATA_MAX + 1]; } q;
	AUTO_FREE char *text = NULL;
	size_t len = 0;
	ssize_t n = read(c->simz, &q, sizeof(q) - 1);
	int r = -EINVAL;

	if (n < (ssize_t)sizeof(q.m)) {
		if (n >= 0 || errno != EAGAIN)
			warn("/dev/simz");
		return;
	}
	q.bytes[n] = '\0';
	if (q.m.op == SIMZ_SHOW)
		r = show(c, q.m.data, &text, &len);
	else if (q.m.op == SIMZ_STORE)
		r = store(c, q.m.data);
	else if (q.m.op == SIMZ_KEY)
		r = effective_key(c, (unsigned char *)q.m.data, q.m.len, &text, &len);
	r = simz_write(c, SIMZ_ANSWER, q.m.id, r, text ? text : "", r < 0 ? 0 : len);
	if (r < 0 && r != -ENOENT)		/* who asked may be gone */
		warnx("/dev/simz: %s", strerror(-r));
}

/* ---- all of it ---- */

static void serve(struct cards *c, struct fuse_session *se[DEVICES], int end)
{
	struct pollfd fds[DEVICES + 2];
	struct fuse_buf buf = { 0 };

	for (int i = 0; i < DEVICES; i++)
		fds[i] = (struct pollfd){ .fd = fuse_session_fd(se[i]), .events = POLLIN };
	fds[DEVICES] = (struct pollfd){ .fd = c->simz, .events = POLLIN };
	fds[DEVICES + 1] = (struct pollfd){ .fd = end, .events = POLLIN };
	while (poll(fds, DEVICES + 2, -1) > 0 && !fds[DEVICES + 1].revents) {
		for (int i = 0; i < DEVICES; i++)
			if (fds[i].revents && fuse_session_receive_buf(se[i], &buf) > 0)
				fuse_session_process_buf(se[i], &buf);
		if (fds[DEVICES].revents)
			answer(c);
	}
	free(buf.mem);
}

/* The child goes on; the parent leaves when the child has said of each device that it is there. */
static void go_background(struct cards *c)
{
	int fds[2], n = 0;
	char ok;

	if (pipe2(fds, O_CLOEXEC) < 0)
		err(1, "pipe");
	switch (fork()) {
	case -1: err(1, "fork");
	case 0: break;
	default:
		close(fds[1]);
		while (n < DEVICES && read(fds[0], &ok, 1) == 1)
			n++;
		_exit(n == DEVICES && chmod("/dev/pkey", 0666) == 0 ? 0 : 1);
	}
	close(fds[0]);
	c->ready = fds[1];
	setsid();
}

int main(int argc, char **argv)
{
	static const struct cuse_lowlevel_ops ops[] = {
		{ .open = device_open, .ioctl = pkey_ioctl, .init_done = device_ready },
		{ .open = device_open, .ioctl = zcrypt_ioctl, .init_done = device_ready },
	};
	static struct cards c;
	struct fuse_session *se[DEVICES];
	sigset_t signals;
	struct err e;
	int end;

	if (argc != 2)
		errx(2, "usage: cards DIR");
	c.dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.dir < 0)
		err(1, "%s", argv[1]);
	if (sim_init(&c.sim) < 0 || sim_load(&c.sim, c.dir, "cards", &e) < 0)
		errx(1, "%s", e.msg);
	c.simz = open("/dev/simz", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (c.simz < 0)
		err(1, "/dev/simz");
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	end = signalfd(-1, &signals, SFD_CLOEXEC);
	if (end < 0 || sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		err(1, "signals");
	go_background(&c);
	add_all(&c);
	se[0] = device_new(&c, "DEVNAME=pkey", &ops[0]);
	se[1] = device_new(&c, "DEVNAME=z90crypt", &ops[1]);
	serve(&c, se, end);
	sim_done(&c.sim);
	return 0;		/* and the devices go with the process */
}
