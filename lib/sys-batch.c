// SPDX-License-Identifier: MIT
/*
 * Attributes in batches, through the kernel's asynchronous reads (which are synchronous for such files: io_submit()
 * returns when all are done). A kernel without them, or a file system that cannot, is read one by one.
 */
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* For each want how many bytes came, or -errno. False: nothing was asked, or not all of it answered. */
static bool read_at_once(struct attr_batch *b, ssize_t came[WANT_MAX])
{
	struct iocb cb[WANT_MAX], *list[WANT_MAX];
	struct io_event events[WANT_MAX];
	long submitted, n;

	if (!b->asked) {
		aio_context_t ctx = 0;

		b->asked = true;
		if (syscall(SYS_io_setup, WANT_MAX, &ctx) == 0)
			b->aio = ctx;
	}
	if (!b->aio)
		return false;
	for (size_t i = 0; i < b->n; i++) {
		cb[i] = (struct iocb){
			.aio_data = i, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)b->want[i].fd,
			.aio_buf = (uintptr_t)b->want[i].text, .aio_nbytes = WANT_SIZE,
		};
		list[i] = &cb[i];
	}
	submitted = syscall(SYS_io_submit, (aio_context_t)b->aio, (long)b->n, list);
	if (submitted <= 0)
		return false;
	n = syscall(SYS_io_getevents, (aio_context_t)b->aio, submitted, submitted, events, NULL);
	for (long i = 0; i < n; i++)
		came[events[i].data] = (ssize_t)events[i].res;
	return n == (long)b->n;
}

static void read_each(struct attr_batch *b, ssize_t came[WANT_MAX])
{
	for (size_t i = 0; i < b->n; i++) {
		came[i] = pread(b->want[i].fd, b->want[i].text, WANT_SIZE, 0);
		if (came[i] < 0)
			came[i] = -errno;
	}
}

/* One call for each run of descriptors that follow each other: nobody else's can be among them. */
static void close_all(const struct attr_batch *b)
{
	size_t n;

	for (size_t i = 0; i < b->n; i += n) {
		unsigned first = (unsigned)b->want[i].fd;

		for (n = 1; i + n < b->n && (unsigned)b->want[i + n].fd == first + n;)
			n++;
		if (n > 1 && close_range(first, first + (unsigned)n - 1, 0) == 0)
			continue;
		for (size_t k = 0; k < n; k++)
			(void)close(b->want[i + k].fd);
	}
}

/* The first line of what came, nothing if it did not fit; bytes that are no ASCII text are '?'. char may be unsigned. */
static void text_end(char *text, ssize_t n)
{
	ssize_t i;

	for (i = 0; i < n && i < WANT_SIZE && text[i] != '\n'; i++)
		if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] >= 0x7f)
			text[i] = '?';
	text[n > 0 && i < WANT_SIZE ? i : 0] = '\0';
}

void attr_batch_read(struct attr_batch *b)
{
	ssize_t came[WANT_MAX];

	if (b->n == 0)
		return;
	for (size_t i = 0; i < b->n; i++)
		came[i] = -EIO;
	if (!read_at_once(b, came))
		read_each(b, came);
	for (size_t i = 0; i < b->n; i++)
		if (came[i] == -EINVAL || came[i] == -EAGAIN)	/* this file system cannot */
			came[i] = pread(b->want[i].fd, b->want[i].text, WANT_SIZE, 0);
	close_all(b);
	for (size_t i = 0; i < b->n; i++)
		text_end(b->want[i].text, came[i]);
	b->n = 0;
}

void attr_want(struct attr_batch *b, int dirfd, const char *name, char text[WANT_SIZE])
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	text[0] = '\0';
	if (fd < 0)
		return;
	b->want[b->n++] = (struct want){ .text = text, .fd = fd };
	if (b->n == WANT_MAX)
		attr_batch_read(b);
}

void attr_batch_done(struct attr_batch *b)
{
	attr_batch_read(b);
	if (b->aio)
		(void)syscall(SYS_io_destroy, (aio_context_t)b->aio);
	b->aio = 0;
}
