// SPDX-License-Identifier: MIT
/* Sealed data with a stand-in for the backend, which only this test has. */
#undef _FORTIFY_SOURCE		/* openat() and fsync() are ours below */
#include "lib/output.h"
#include "lib/seal/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/backend.h"
#include "lib/crypto.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/secret.h"
#include "lib/seal/stream.h"

/* --- faults: a file system without O_TMPFILE, a user without privilege, a disk that fails ------------------------ */

static bool no_tmpfile, read_only, unprivileged;
static int fsyncs_until_fault;		/* 0: never */

int openat(int dirfd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if ((no_tmpfile || read_only) && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = read_only ? EROFS : EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_openat, dirfd, path, flags, mode);
}

int linkat(int olddir, const char *old, int newdir, const char *new, int flags)
{
	if (unprivileged && flags & AT_EMPTY_PATH) {
		errno = ENOENT;
		return -1;
	}
	return (int)syscall(SYS_linkat, olddir, old, newdir, new, flags);
}

int fsync(int fd)
{
	if (fsyncs_until_fault && --fsyncs_until_fault == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

/* --- the stand-in: AES-256-GCM under a key of this "machine" --------------------------------------------------- */

static unsigned char machine[CRYPTO_KEY] = "this machine";
static bool forgetful;			/* opens what it sealed to something else */
static bool deaf;			/* binds to nothing */
static bool empty;			/* has no keystore */
static size_t verbose;			/* makes sealed keys longer by that */
static const unsigned char nonce[CRYPTO_NONCE];

static int fake_seal(const struct device *d, const struct wrap_params *w, const struct secret *s,
		     const struct blob *binding, struct blob *ret, struct err *e)
{
	int r = blob_alloc(ret, s->len + CRYPTO_TAG + verbose, e);

	(void)d;
	(void)w;
	return r < 0 ? r : crypto_seal(machine, nonce, binding->data, deaf ? 0 : binding->len, s->data, s->len, ret->data,
				       ret->data + s->len, e);
}

static int fake_unseal(const struct device *d, const struct blob *sealed, const struct blob *binding, struct secret *ret,
		       struct err *e)
{
	AUTO_SECRET struct secret s = { 0 };
	const size_t len = sealed->len - CRYPTO_TAG;
	int r;

	(void)d;
	if (empty)
		return err_set(e, ENOENT, "no keystore");
	if (sealed->len <= CRYPTO_TAG)
		return err_set(e, EBADMSG, "too short");
	r = secret_alloc(&s, sealed->len, e);
	if (r == 0)
		r = crypto_open(machine, nonce, binding->data, deaf ? 0 : binding->len, sealed->data, len,
				sealed->data + len, s.data, e);
	if (r < 0)
		return r;
	s.len = len;
	s.data[0] ^= forgetful;
	*ret = s;
	s = (struct secret){ 0 };
	return 0;
}

static const struct seal_ops ops = { .seal = fake_seal, .unseal = fake_unseal };
static const struct backend backend = { .name = "fake", .roles = ROLE_SEAL };
static const struct device dev = { .backend = &backend, .id = "local", .state = DEVICE_ONLINE };

/* --- files in a directory of the test's own ---------------------------------------------------------------------- */

static void put(const char *name, const void *data, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, data, len), 0);
	assert_int_equal(close(fd), 0);
}

static void get(const char *name, struct blob *ret)
{
	struct err e = { 0 };

	assert_int_equal(file_read_at(AT_FDCWD, name, 1 << 20, ret, &e), 0);
}

static size_t files_count(void)
{
	DIR *d = opendir(".");
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *f = readdir(d); f; f = readdir(d))
		n += strcmp(f->d_name, ".") && strcmp(f->d_name, "..");
	closedir(d);
	return n;
}

static int enter(void **state)
{
	char *dir = strdup("/tmp/sealed.XXXXXX");

	*state = dir;
	no_tmpfile = read_only = unprivileged = forgetful = deaf = empty = false;
	fsyncs_until_fault = 0;
	verbose = 0;
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static int leave(void **state)
{
	DIR *d = opendir(".");

	for (struct dirent *f = d ? readdir(d) : NULL; f; f = readdir(d))
		(void)unlink(f->d_name);
	if (d)
		closedir(d);
	if (chdir("/") < 0 || rmdir(*state) < 0)
		return -1;
	free(*state);
	return 0;
}

static void pattern(unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static int seal(const char *in, const char *out, bool replace, struct err *e)
{
	return data_seal(&dev, &ops, NULL, in, "a label", &(struct output_to){ out, replace, -1 }, e);
}

static int unseal_to(const char *in, const struct output_to *to, struct err *e)
{
	struct sealed s = SEALED_NONE;
	int r = sealed_open(in, &s, e);

	if (r == 0)
		r = data_unseal(&dev, &ops, &s, to, e);
	sealed_done(&s);
	return r;
}

static int unseal(const char *in, const char *out, struct err *e)
{
	return unseal_to(in, &(struct output_to){ out, false, -1 }, e);
}

static size_t header_len(const struct blob *b)
{
	struct sealed_header h;
	struct err e;

	assert_int_equal(sealed_parse(b->data, b->len, &h, &e), 0);
	return h.len;
}

/* A sealed file of LEN bytes of pattern() in *ret. */
static void sealed_make(size_t len, struct blob *ret_clear, struct blob *ret)
{
	struct err e = { 0 };

	assert_int_equal(blob_alloc(ret_clear, len, &e), 0);
	pattern(ret_clear->data, len);
	put("clear", ret_clear->data, len);
	assert_int_equal(seal("clear", "sealed", true, &e), 0);
	get("sealed", ret);
	assert_int_equal(unlink("clear"), 0);
	assert_int_equal(unlink("sealed"), 0);
}

/* DATA does not open; what comes out before that is known is some whole first segments of CLEAR. */
static void assert_refused(const void *data, size_t len, const struct blob *clear)
{
	AUTO_CLOSE int fd = memfd_create("out", MFD_CLOEXEC);
	struct err e = { 0 };
	struct stat st;
	void *got;
	int r;

	put("bad", data, len);
	r = unseal_to("bad", &(struct output_to){ .fd = fd }, &e);
	if (r != -EBADMSG && r != -EOPNOTSUPP)
		fail_msg("opened or failed otherwise: %d '%s'", r, e.msg);
	assert_int_equal(e.code, -r);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size % SEALED_SEGMENT, 0);
	assert_true((size_t)st.st_size < clear->len || st.st_size == 0);
	if (st.st_size) {
		got = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
		assert_true(got != MAP_FAILED);
		assert_memory_equal(got, clear->data, (size_t)st.st_size);
		munmap(got, (size_t)st.st_size);
	}
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static void round_trips(void **state)
{
	static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 131072, 200000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		AUTO_BLOB struct blob clear = { 0 }, sealed = { 0 }, again = { 0 };
		size_t segments = sizes[i] ? (sizes[i] + SEALED_SEGMENT - 1) / SEALED_SEGMENT : 1;
		struct err e = { 0 };
		struct stat st;

		sealed_make(sizes[i], &clear, &sealed);
		assert_int_equal(sealed.len, header_len(&sealed) + sizes[i] + segments * CRYPTO_TAG);
		if (sizes[i] > 16)
			assert_null(memmem(sealed.data, sealed.len, clear.data, 16));
		put("sealed", sealed.data, sealed.len);
		assert_int_equal(unseal("sealed", "again", &e), 0);
		get("again", &again);
		assert_int_equal(again.len, sizes[i]);
		assert_memory_equal(again.data, clear.data, sizes[i]);
		assert_int_equal(stat("again", &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(files_count(), 2);
		assert_int_equal(unlink("again"), 0);
	}
}

static void same_data_never_looks_the_same(void **state)
{
	AUTO_BLOB struct blob clear = { 0 }, clear2 = { 0 }, a = { 0 }, b = { 0 };
	size_t at;

	(void)state;
	sealed_make(1000, &clear, &a);
	sealed_make(1000, &clear2, &b);
	assert_int_equal(a.len, b.len);
	at = header_len(&a);
	assert_memory_not_equal(a.data + at, b.data + at, a.len - at);
}

/* Pipes give what they have: 1 byte here, 70000 there. */
static void pieces_of_a_pipe(void **state)
{
	static const size_t pieces[] = { 1, 2, 70000, 1, 65535, 3 };
	AUTO_BLOB struct blob clear = { 0 }, sealed = { 0 }, again = { 0 };
	struct err e = { 0 };
	int p[2];

	(void)state;
	sealed_make(200000, &clear, &sealed);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	if (fork() == 0) {
		p[1] = open("fifo", O_WRONLY);
		for (size_t at = 0, i = 0, n; at < sealed.len; at += n, i++) {
			n = pieces[i % ARRAY_SIZE(pieces)];
			n = n > sealed.len - at ? sealed.len - at : n;
			if (write_all(p[1], sealed.data + at, n) < 0)
				_exit(1);
			usleep(300);
		}
		_exit(0);
	}
	assert_int_equal(unseal("fifo", "again", &e), 0);
	assert_true(wait(&p[0]) > 0 && p[0] == 0);
	get("again", &again);
	assert_int_equal(again.len, clear.len);
	assert_memory_equal(again.data, clear.data, clear.len);
}

static void input_that_is_not_ready(void **state)
{
	AUTO_BLOB struct blob clear = { 0 }, sealed = { 0 }, again = { 0 };
	int p[2], was = dup(STDIN_FILENO);
	struct err e = { 0 };

	(void)state;
	sealed_make(100, &clear, &sealed);
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(dup2(p[0], STDIN_FILENO), STDIN_FILENO);
	if (fork() == 0) {
		usleep(20000);
		(void)write_all(p[1], sealed.data, 30);
		usleep(20000);
		_exit(write_all(p[1], sealed.data + 30, sealed.len - 30) ? 1 : 0);
	}
	(void)close(p[1]);
	assert_int_equal(unseal("-", "again", &e), 0);
	assert_int_equal(dup2(was, STDIN_FILENO), STDIN_FILENO);
	(void)close(was);
	(void)close(p[0]);
	assert_true(wait(&p[0]) > 0 && p[0] == 0);
	get("again", &again);
	assert_int_equal(again.len, clear.len);
	assert_memory_equal(again.data, clear.data, clear.len);
}

static void moved_segments_are_refused(void **state)
{
	enum { SEGMENT = SEALED_SEGMENT + CRYPTO_TAG };
	AUTO_BLOB struct blob clear = { 0 }, sealed = { 0 }, bad = { 0 };
	struct err e = { 0 };
	size_t head;

	(void)state;
	sealed_make(3 * SEALED_SEGMENT, &clear, &sealed);
	head = header_len(&sealed);
	assert_int_equal(sealed.len, head + 3 * SEGMENT);
	assert_int_equal(blob_copy(&bad, sealed.data, sealed.len, &e), 0);
	for (unsigned n = 0; n < 27; n++) {	/* every choice of 3 out of 3, orders and doubles */
		const unsigned at[] = { n / 9, n / 3 % 3, n % 3 };

		for (size_t i = 0; i < 3; i++)
			memcpy(bad.data + head + i * SEGMENT, sealed.data + head + at[i] * SEGMENT, SEGMENT);
		if (at[0] != 0 || at[1] != 1 || at[2] != 2)
			assert_refused(bad.data, bad.len, &clear);
	}
	for (size_t n = 0; n < 3; n++)		/* cut at a segment's end */
		assert_refused(sealed.data, head + n * SEGMENT, &clear);
	memmove(bad.data + head, sealed.data + head + SEGMENT, 2 * SEGMENT);
	assert_refused(bad.data, head + 2 * SEGMENT, &clear);	/* the first is gone */
}

static void appended_bytes_are_refused(void **state)
{
	static const size_t sizes[] = { 0, 100, SEALED_SEGMENT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		AUTO_BLOB struct blob clear = { 0 }, sealed = { 0 }, bad = { 0 };
		struct err e = { 0 };
		size_t head;

		sealed_make(sizes[i], &clear, &sealed);
		head = header_len(&sealed);
		assert_int_equal(blob_alloc(&bad, 2 * sealed.len, &e), 0);
		memcpy(bad.data, sealed.data, sealed.len);
		memcpy(bad.data + sealed.len, sealed.data + head, sealed.len - head);
		assert_refused(bad.data, sealed.len + 1, &clear);
		assert_refused(bad.data, sealed.len + CRYPTO_TAG, &clear);
		assert_refused(bad.data, 2 * sealed.len - head, &clear);
	}
}

static void every_cut_is_refused(void **state)
{
	AUTO_BLOB struct blob clear = { 0 }, sealed = { 0 };

	(void)state;
	sealed_make(40, &clear, &sealed);
	for (size_t n = 0; n < sealed.len; n++)
		assert_refused(sealed.data, n, &clear);
}

static void flip_every_bit(void)
{
	AUTO_BLOB struct blob clear = { 0 }, sealed = { 0 };

	sealed_make(40, &clear, &sealed);
	for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
		sealed.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_refused(sealed.data, sealed.len, &clear);
		sealed.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
}

/* Also where the backend does not care: the body's key depends on the header. */
static void every_flipped_bit_is_refused(void **state)
{
	(void)state;
	flip_every_bit();
	deaf = true;
	flip_every_bit();
}

static void another_machine_is_refused(void **state)
{
	AUTO_BLOB struct blob clear = { 0 }, sealed = { 0 };
	struct err e = { 0 };

	(void)state;
	sealed_make(40, &clear, &sealed);
	put("sealed", sealed.data, sealed.len);
	machine[0] ^= 1;
	assert_int_equal(unseal("sealed", "again", &e), -EBADMSG);
	machine[0] ^= 1;
	empty = true;
	assert_int_equal(unseal("sealed", "again", &e), -EBADMSG);
	assert_string_equal(e.msg, "'sealed': not sealed by this machine: no keystore");
	assert_int_equal(files_count(), 1);
}

/* The key of one blob under the header of another, and the body of one after the header of another. */
static void mixed_parts_are_refused(void **state)
{
	AUTO_BLOB struct blob c1 = { 0 }, c2 = { 0 }, a = { 0 }, b = { 0 }, bad = { 0 };
	struct sealed_header h;
	struct err e = { 0 };

	(void)state;
	sealed_make(40, &c1, &a);
	sealed_make(40, &c2, &b);
	assert_int_equal(a.len, b.len);
	assert_int_equal(sealed_parse(a.data, a.len, &h, &e), 0);
	assert_int_equal(blob_copy(&bad, a.data, a.len, &e), 0);
	memcpy(bad.data + h.bound, b.data + h.bound, b.len - h.bound);
	assert_refused(bad.data, bad.len, &c1);
	memcpy(bad.data, a.data, h.len);
	assert_refused(bad.data, bad.len, &c1);
}

static void a_backend_that_forgets_is_found_out(void **state)
{
	struct err e = { 0 };

	(void)state;
	put("clear", "x", 1);
	forgetful = true;
	assert_int_equal(seal("clear", "sealed", false, &e), -EIO);
	assert_non_null(strstr(e.msg, "does not open what it sealed"));
	verbose = SEALED_KEY_MAX;
	assert_int_equal(seal("clear", "sealed", false, &e), -EMSGSIZE);
	assert_int_equal(files_count(), 1);
}

static void counter_does_not_wrap(void **state)
{
	static const unsigned char want[CRYPTO_NONCE] = { 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1 };
	unsigned char got[CRYPTO_NONCE];
	struct err e = { 0 };

	(void)state;
	assert_int_equal(stream_nonce(UINT32_MAX, true, got, &e), 0);
	assert_memory_equal(got, want, sizeof(want));
	assert_int_equal(stream_nonce(1ULL << 32, true, got, &e), -EFBIG);
}

static void existing_output_stays(void **state)
{
	AUTO_BLOB struct blob was = { 0 };
	struct err e = { 0 };

	(void)state;
	put("clear", "x", 1);
	put("out", "precious", 8);
	assert_int_equal(seal("clear", "out", false, &e), -EEXIST);
	assert_int_equal(symlink("clear", "link"), 0);
	assert_int_equal(seal("clear", "link", true, &e), -EEXIST);
	assert_int_equal(seal("clear", "dir/", false, &e), -EINVAL);
	assert_int_equal(seal("clear", "dir/x", false, &e), -ENOENT);
	assert_int_equal(seal("none", "out", true, &e), -ENOENT);
	assert_int_equal(seal(".", "out", true, &e), -EISDIR);
	assert_int_equal(unseal(".", "out", &e), -EISDIR);
	get("out", &was);
	assert_int_equal(was.len, 8);
	assert_memory_equal(was.data, "precious", 8);
	assert_int_equal(files_count(), 3);
}

static void output_is_replaced_at_once(void **state)
{
	AUTO_BLOB struct blob again = { 0 };
	struct err e = { 0 };

	(void)state;
	for (int way = 0; way < 3; way++) {
		no_tmpfile = way == 1;
		unprivileged = way == 2;
		put("out", "text", 4);
		assert_int_equal(seal("out", "out", true, &e), 0);
		assert_int_equal(unseal_to("out", &(struct output_to){ .path = "out", .replace = true }, &e), 0);
		get("out", &again);
		assert_int_equal(again.len, 4);
		assert_memory_equal(again.data, "text", 4);
		blob_done(&again);
		assert_int_equal(files_count(), 1);
	}
}

static void failing_disk_leaves_nothing(void **state)
{
	struct err e = { 0 };

	(void)state;
	put("clear", "x", 1);
	for (int named = 0; named < 2; named++) {
		no_tmpfile = named;
		for (int n = 1; n <= 2; n++) {		/* the file's, the directory's */
			fsyncs_until_fault = n;
			assert_int_equal(seal("clear", "out", false, &e), -EIO);
			assert_int_equal(files_count(), 1);
		}
		assert_int_equal(seal("clear", "out", false, &e), 0);
		assert_int_equal(unlink("out"), 0);
	}
}

static int seal_to_fd(const char *path, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return data_seal(&dev, &ops, NULL, "clear", NULL, &(struct output_to){ .fd = fd }, e);
}

static void full_disk_is_an_error(void **state)
{
	struct err e = { 0 };

	(void)state;
	put("clear", "x", 1);
	assert_int_equal(seal_to_fd("/dev/full", &e), -ENOSPC);
	assert_int_equal(seal_to_fd("redirected", &e), 0);
	fsyncs_until_fault = 1;
	assert_int_equal(seal_to_fd("redirected", &e), -EIO);
	read_only = true;
	assert_int_equal(seal("clear", "out", false, &e), -EROFS);
	assert_int_equal(files_count(), 2);
}

static void a_user_needs_no_privilege(void **state)
{
	struct err e = { 0 };

	(void)state;
	unprivileged = true;
	put("clear", "x", 1);
	assert_int_equal(seal("clear", "sealed", false, &e), 0);
	assert_int_equal(unseal("sealed", "again", &e), 0);
	assert_int_equal(files_count(), 3);
}

/* Waits for data in a pipe with a file begun: what a signal ends. */
static pid_t sealer_start(int *ret_pipe)
{
	struct err e = { 0 };
	pid_t pid;
	int p[2];

	for (int i = 0; i < 3; i++)	/* nohup, or a shell's background, may have us ignore them */
		(void)signal((int[]){ SIGINT, SIGTERM, SIGHUP }[i], SIG_DFL);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)fcntl(p[0], F_SETFL, O_NONBLOCK);	/* a shell may leave its input so */
		(void)dup2(p[0], STDIN_FILENO);
		(void)close(p[1]);
		_exit(-seal("-", "out", false, &e));
	}
	(void)close(p[0]);
	*ret_pipe = p[1];
	return pid;
}

static void signals_leave_nothing(void **state)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(signals); i++) {
		int status, pipe_in;
		pid_t pid;

		no_tmpfile = i % 2;
		pid = sealer_start(&pipe_in);
		assert_int_equal(write_all(pipe_in, "some", 4), 0);
		for (int n = 0; n < 500 && no_tmpfile && files_count() == 0; n++)
			usleep(10000);
		assert_int_equal(files_count(), no_tmpfile);
		assert_int_equal(kill(pid, signals[i / 2]), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signals[i / 2]);
		assert_int_equal(files_count(), 0);
		(void)close(pipe_in);
	}
}

/* Whoever comes first to a name keeps it, however long sealing takes. */
static void output_that_appears_meanwhile_stays(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		AUTO_BLOB struct blob was = { 0 };
		int status, pipe_in;
		pid_t pid;

		no_tmpfile = way == 1;
		unprivileged = way == 2;
		pid = sealer_start(&pipe_in);
		assert_int_equal(write_all(pipe_in, "some", 4), 0);
		usleep(50000);
		put("out", "precious", 8);
		(void)close(pipe_in);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EEXIST);
		get("out", &was);
		assert_int_equal(was.len, 8);
		assert_int_equal(files_count(), 1);
		assert_int_equal(unlink("out"), 0);
	}
}

static long peak_rss(off_t size)
{
	struct rusage usage;
	struct err e = { 0 };
	int status;
	pid_t pid;

	put("big", "", 0);
	assert_int_equal(truncate("big", size), 0);
	pid = fork();
	if (pid == 0) {
		const int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

		_exit(data_seal(&dev, &ops, NULL, "big", NULL, &(struct output_to){ .fd = fd }, &e) == 0 ? 0 : 9);
	}
	assert_int_equal(wait4(pid, &status, 0, &usage), pid);
	assert_int_equal(status, 0);
	return usage.ru_maxrss;
}

static void memory_is_constant(void **state)
{
	long small = peak_rss(1 << 20), large = peak_rss(64 << 20);

	(void)state;
#ifdef __SANITIZE_ADDRESS__	/* keeps what was freed */
	(void)small;
	(void)large;
	skip();
#else
	assert_in_range(large, 0, small + 1024);
#endif
}

/* Format 1 as another program made it (Python's cryptography): what was sealed once is opened by every later version. */
static void format_stays(void **state)
{
	static const char sealed[] = "hwkey-sealed/1\nbackend: fake\ndevice: local\ncreated: 2025-01-31T12:00:00Z\n"
		"label: Schl\xc3\xbcssel no. 1\n"
		"salt: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
		"key: CPiVS5OFM8xvKOkSkGSHXl4Z50FzCtWtBZrzldRQ8MMiTl0j+L4ElaGHA9dNrafH\n---\n"
		"\x06\xad\xfe\x90\x60\x74\x5f\x93\x3c\x04\x24\xd4\xc7\xc8\xd7\x4f\xfc\x6b\xa5\x1a\xfe\xfd";
	AUTO_BLOB struct blob clear = { 0 };
	struct err e = { 0 };

	(void)state;
	put("sealed", sealed, sizeof(sealed) - 1);
	assert_int_equal(unseal("sealed", "clear", &e), 0);
	get("clear", &clear);
	assert_int_equal(clear.len, 6);
	assert_memory_equal(clear.data, "hello\n", 6);
}

static void bad_labels_are_refused(void **state)
{
	char longest[SEALED_LABEL_MAX + 2];
	const struct output_to to = { .path = "out" };
	const char *const labels[] = { " x", "x ", "x\ny", "x\033[m", "\xff", longest };
	struct err e = { 0 };

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[SEALED_LABEL_MAX + 1] = '\0';
	put("clear", "x", 1);
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		assert_int_equal(data_seal(&dev, &ops, NULL, "clear", labels[i], &to, &e), -EINVAL);
	assert_int_equal(files_count(), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)
	const struct CMUnitTest tests[] = {
		TEST(round_trips), TEST(same_data_never_looks_the_same), TEST(pieces_of_a_pipe),
		TEST(input_that_is_not_ready),
		TEST(moved_segments_are_refused), TEST(appended_bytes_are_refused), TEST(every_cut_is_refused),
		TEST(every_flipped_bit_is_refused), TEST(another_machine_is_refused), TEST(mixed_parts_are_refused),
		TEST(a_backend_that_forgets_is_found_out), TEST(counter_does_not_wrap), TEST(existing_output_stays),
		TEST(output_is_replaced_at_once), TEST(failing_disk_leaves_nothing), TEST(full_disk_is_an_error),
		TEST(a_user_needs_no_privilege), TEST(signals_leave_nothing), TEST(output_that_appears_meanwhile_stays),
		TEST(memory_is_constant),
		TEST(format_stays), TEST(bad_labels_are_refused),
	};

	return cmocka_run_group_tests_name("sealed", tests, NULL, NULL);
}
