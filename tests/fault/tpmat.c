// SPDX-License-Identifier: MIT
/*
 * tpmat [-f N:HOW | -f N+:HOW] [-l LOG] [-r RECORD] SOCKET -- COMMAND...
 *
 * Runs COMMAND and stands between it and the TPM behind the unix socket SOCKET (swtpm's, with SOCKET.ctrl beside it):
 * SOCKET becomes SOCKET.at in COMMAND's HWKEY_TCTI and TPM2TOOLS_TCTI. Something happens to the N-th TPM command, counted
 * from 1, or with N+ to that and every later one:
 *   rc=HEX   is not executed and gets this response code
 *   refuse   is not executed, and the connection ends       lose    is executed, and the connection ends
 *   short    is executed, half of the answer comes, and the connection ends
 *   empty    is executed, the answer is success and nothing else
 *   cut      ... lacks its last byte, and says so           flip    ... has one bit of its last byte changed
 *   noise    ... has 0xa5 for each byte after its header    huge    ... says that it has 4 GiB
 *
 * RECORD gets all bytes of both directions. LOG gets a line for each command, "N NAME REQUEST RESPONSE RC", its sizes in
 * bytes and the response code in hex, with the fault's name at the end of the line; then what differs in the TPM from
 * before: "left HANDLE", "gone HANDLE", or "untold HANDLE" for what is left because of the fault: COMMAND was never told of
 * it, or tried to flush it; and "wrong N" for N more wrong PINs that the TPM remembers. Sessions and transient objects that are left are flushed then, as a resource manager does.
 *
 * Exit status: COMMAND's, 128 + signal if it was killed, 124 after TPMAT_SECONDS (default 20), 125 if this program fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <tss2/tss2_tpm2_types.h>

enum { TIMED_OUT = 124, FAILED = 125, HEADER = 10, MESSAGE_MAX = 8192, HANDLES_MAX = 64 };
enum how { NOTHING, RC, REFUSE, LOSE, SHORT, EMPTY, CUT, FLIP, NOISE, HUGE_ };

static const char *const how_names[] = {
	"", "rc=", "refuse", "lose", "short", "empty", "cut", "flip", "noise", "huge"
};

#define CC(n) { TPM2_CC_##n, #n }
static const struct { uint32_t code; const char *name; } names[] = {
	CC(StartAuthSession), CC(PolicyPCR), CC(PolicyGetDigest), CC(PolicyAuthValue), CC(PolicyAuthorize), CC(PolicyOR),
	CC(PolicyRestart), CC(PolicyCommandCode), CC(PolicySecret), CC(PolicyPassword), CC(PolicyNV), CC(Create),
	CC(CreatePrimary), CC(CreateLoaded), CC(Load), CC(LoadExternal), CC(Unseal), CC(Import), CC(ObjectChangeAuth),
	CC(FlushContext), CC(ReadPublic), CC(PCR_Read), CC(PCR_Extend), CC(GetCapability), CC(VerifySignature),
	CC(ContextSave), CC(ContextLoad), CC(EvictControl), CC(GetRandom), CC(StirRandom), CC(TestParms), CC(SelfTest),
	CC(Startup), CC(Shutdown), CC(ECDH_ZGen), CC(ECDH_KeyGen), CC(ECC_Parameters), CC(NV_DefineSpace),
	CC(NV_UndefineSpace), CC(NV_Increment), CC(NV_Read), CC(NV_Write), CC(NV_ReadPublic), CC(Clear), CC(Sign),
	CC(DictionaryAttackLockReset), CC(DictionaryAttackParameters), CC(RSA_Decrypt), CC(Hash), CC(GetTestResult),
};

static const uint32_t kinds[] = { 0x80000000, 0x02000000, 0x03000000, 0x81000000, 0x01000000 };

struct handles {
	uint32_t handle[HANDLES_MAX];
	size_t n;
};

struct proxy {
	char path[100], front[108];
	long n;				/* the command meant; 0: none */
	bool onwards;
	enum how how;
	uint32_t rc;
	long seen;
	FILE *log, *record;
	struct handles untold;
};

struct message {
	unsigned char data[MESSAGE_MAX];
	size_t len;
};

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("tpmat: ", stderr);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "%s%s\n", errno ? ": " : "", errno ? strerror(errno) : "");
	va_end(ap);
	exit(FAILED);
}

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (24 - 8 * i));
}

static const char *name_of(uint32_t code)
{
	static char number[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			return names[i].name;
	snprintf(number, sizeof(number), "%#x", code);
	return number;
}

/* --- sockets ------------------------------------------------------------------------------------------------------- */

static int sock(const char *path, const char *suffix, bool listening)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || (size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s%s", path, suffix) >= sizeof(a.sun_path))
		die("no socket for '%s'", path);
	if (listening)
		unlink(a.sun_path);
	if (listening ? bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 16) : connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("'%s'", a.sun_path);
	return fd;
}

static bool get(int fd, unsigned char *p, size_t n)
{
	while (n) {
		ssize_t r = read(fd, p, n);

		if (r <= 0)
			return false;
		p += r, n -= (size_t)r;
	}
	return true;
}

static bool put(int fd, const unsigned char *p, size_t n)
{
	while (n) {
		ssize_t r = send(fd, p, n, MSG_NOSIGNAL);

		if (r <= 0)
			return false;
		p += r, n -= (size_t)r;
	}
	return true;
}

static bool message_get(int fd, struct message *m)
{
	if (!get(fd, m->data, HEADER))
		return false;
	m->len = be32(m->data + 2);
	return m->len >= HEADER && m->len <= MESSAGE_MAX && get(fd, m->data + HEADER, m->len - HEADER);
}

/* The control channel goes through as it is. */
static void control(const struct proxy *p, int listener)
{
	for (;;) {
		int a = accept(listener, NULL, NULL), b = sock(p->path, ".ctrl", false);
		struct pollfd both[] = { { a, POLLIN }, { b, POLLIN } };
		unsigned char data[MESSAGE_MAX];
		ssize_t r = 1;

		while (r > 0 && poll(both, 2, -1) > 0)
			for (int i = 0; r > 0 && i < 2; i++)
				if (both[i].revents && ((r = read(both[i].fd, data, sizeof(data))) <= 0 ||
							!put(both[1 - i].fd, data, (size_t)r)))
					r = 0;
		close(a);
		close(b);
	}
}

/* --- faults -------------------------------------------------------------------------------------------------------- */

static bool creates(uint32_t code)
{
	return code == TPM2_CC_StartAuthSession || code == TPM2_CC_Load || code == TPM2_CC_LoadExternal ||
		code == TPM2_CC_CreatePrimary || code == TPM2_CC_CreateLoaded || code == TPM2_CC_ContextLoad;
}

/* Changes the answer; false: the connection ends after what is left of it. */
static bool spoil(enum how how, struct message *m)
{
	switch (how) {
	case LOSE:
		m->len = 0;
		return false;
	case SHORT:
		m->len /= 2;
		return false;
	case HUGE_:
		put32(m->data + 2, UINT32_MAX);
		return true;
	case FLIP:
		m->data[m->len - 1] ^= 0x10;
		return true;
	case NOISE:
		memset(m->data + HEADER, 0xa5, m->len - HEADER);
		return true;
	case CUT:
		if (m->len > HEADER)
			m->len--;
		break;
	default:	/* EMPTY */
		memcpy(m->data, (const unsigned char[]){ 0x80, 0x01 }, 2);
		m->len = HEADER;
	}
	put32(m->data + 2, (uint32_t)m->len);
	return true;
}

static void untell(struct proxy *p, uint32_t handle)
{
	p->untold.handle[p->untold.n++ % HANDLES_MAX] = handle;
}

static void log_command(struct proxy *p, uint32_t code, size_t request, const struct message *answer, enum how how)
{
	if (p->log)
		fprintf(p->log, "%ld %s %zu %zu %x%s%s\n", p->seen, name_of(code), request, answer->len,
			answer->len >= HEADER ? be32(answer->data + 6) : 0, how ? " " : "", how_names[how]);
}

/* One command and its answer. False: the connection ends. */
static bool exchange(struct proxy *p, int client, int tpm)
{
	struct message m;
	enum how how;
	uint32_t code;
	size_t request;
	bool goes_on = true;

	if (!message_get(client, &m))
		return false;
	p->seen++;
	how = p->n && (p->seen == p->n || (p->onwards && p->seen > p->n)) ? p->how : NOTHING;
	code = be32(m.data + 6);
	request = m.len;
	if (p->record)
		fwrite(m.data, 1, m.len, p->record);
	if (how && code == TPM2_CC_FlushContext)
		untell(p, be32(m.data + HEADER));
	if (how == RC || how == REFUSE) {
		m.len = how == RC ? HEADER : 0;
		memcpy(m.data, (const unsigned char[HEADER]){ 0x80, 0x01, 0, 0, 0, HEADER }, HEADER);
		put32(m.data + 6, p->rc);
		goes_on = how == RC;
	} else {
		if (!put(tpm, m.data, m.len) || !message_get(tpm, &m))
			die("the TPM is gone");
		if (p->record)
			fwrite(m.data, 1, m.len, p->record);
		if (how && creates(code) && be32(m.data + 6) == 0)
			untell(p, be32(m.data + HEADER));
		if (how)
			goes_on = spoil(how, &m);
	}
	log_command(p, code, request, &m, how);
	return put(client, m.data, m.len) && goes_on;
}

/* --- what is in the TPM -------------------------------------------------------------------------------------------- */

static void ask(int tpm, struct message *m)
{
	if (!put(tpm, m->data, m->len) || !message_get(tpm, m))
		die("the TPM does not answer");
}

static void handles_read(const struct proxy *p, struct handles *ret)
{
	int tpm = sock(p->path, "", false);

	ret->n = 0;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct message m = { { 0x80, 0x01, 0, 0, 0, 22, 0, 0, 0x01, 0x7a, 0, 0, 0, TPM2_CAP_HANDLES }, 22 };

		put32(m.data + 14, kinds[k]);
		put32(m.data + 18, HANDLES_MAX);
		ask(tpm, &m);
		if (be32(m.data + 6) || m.len < 19)
			die("GetCapability: response code %#x", be32(m.data + 6));
		for (size_t i = 0; i < be32(m.data + 15) && ret->n < HANDLES_MAX && 23 + 4 * i <= m.len; i++)
			ret->handle[ret->n++] = be32(m.data + 19 + 4 * i);
	}
	close(tpm);
}

/* How many wrong authorisation values it remembers. */
static uint32_t wrong_ones(const struct proxy *p)
{
	struct message m = { { 0x80, 0x01, 0, 0, 0, 22, 0, 0, 0x01, 0x7a, 0, 0, 0, TPM2_CAP_TPM_PROPERTIES }, 22 };
	int tpm = sock(p->path, "", false);

	put32(m.data + 14, TPM2_PT_LOCKOUT_COUNTER);
	put32(m.data + 18, 1);
	ask(tpm, &m);
	close(tpm);
	return m.len >= 27 ? be32(m.data + 23) : 0;
}

static bool has(const struct handles *h, uint32_t handle)
{
	for (size_t i = 0; i < h->n && i < HANDLES_MAX; i++)
		if (h->handle[i] == handle)
			return true;
	return false;
}

static void flush(const struct proxy *p, uint32_t handle)
{
	struct message m = { { 0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x65 }, 14 };
	int tpm = sock(p->path, "", false);

	put32(m.data + 10, handle);
	ask(tpm, &m);
	close(tpm);
}

static void compare(const struct proxy *p, const struct handles *before)
{
	struct handles after;

	handles_read(p, &after);
	for (size_t i = 0; i < after.n; i++) {
		uint32_t h = after.handle[i];

		if (has(before, h))
			continue;
		if (p->log)
			fprintf(p->log, "%s %08x\n", has(&p->untold, h) ? "untold" : "left", h);
		if (h >> 24 == 0x80 || h >> 24 == 0x02 || h >> 24 == 0x03)
			flush(p, h);
	}
	for (size_t i = 0; p->log && i < before->n; i++)
		if (!has(&after, before->handle[i]))
			fprintf(p->log, "gone %08x\n", before->handle[i]);
}

/* --- the run ------------------------------------------------------------------------------------------------------- */

static void plan_read(struct proxy *p, const char *text)
{
	char *end;

	p->n = strtol(text, &end, 10);
	p->onwards = *end == '+';
	end += p->onwards;
	if (p->n > 0 && *end++ == ':')
		for (enum how h = RC; h <= HUGE_; h++)
			if (!strncmp(end, how_names[h], strlen(how_names[h])))
				p->how = h;
	if (!p->how)
		die("no plan: '%s'", text);
	if (p->how == RC)
		p->rc = (uint32_t)strtoul(end + 3, NULL, 16);
}

static FILE *file_open(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		die("'%s'", path);
	return f;
}

/* SOCKET in the variable is the one in front of it from now on; there may be other TPMs beside it. */
static void environment(const struct proxy *p, const char *variable)
{
	const char *was = getenv(variable), *at = was;
	size_t len = strlen(p->path);
	char *now;

	while (at && (at = strstr(at, p->path)) && at[len] && at[len] != ' ')
		at += len;
	if (!at)
		return;
	if (asprintf(&now, "%.*s%s%s", (int)(at - was), was, p->front, at + len) < 0 || setenv(variable, now, 1))
		die("%s", variable);
}

static void serve(struct proxy *p, int listener, int child)
{
	struct pollfd both[] = { { listener, POLLIN }, { child, POLLIN } };

	while (poll(both, 2, -1) > 0 && both[0].revents) {
		int client = accept(listener, NULL, NULL), tpm = sock(p->path, "", false);

		while (exchange(p, client, tpm))
			;
		close(client);
		close(tpm);
	}
}

static pid_t command;
static volatile sig_atomic_t late;

static void on_alarm(int signal)
{
	(void)signal;
	late = 1;
	kill(-command, SIGKILL);
}

static void start(const struct proxy *p, char **argv)
{
	const char *seconds = getenv("TPMAT_SECONDS");

	command = fork();
	if (command == 0) {
		setpgid(0, 0);
		environment(p, "HWKEY_TCTI");
		environment(p, "TPM2TOOLS_TCTI");
		execvp(argv[0], argv);
		die("'%s'", argv[0]);
	}
	if (command < 0)
		die("fork");
	setpgid(command, command);
	signal(SIGALRM, on_alarm);
	alarm(seconds ? (unsigned)strtoul(seconds, NULL, 10) : 20);
}

static int run(struct proxy *p, char **argv)
{
	int listener = sock(p->front, "", true), ctrl = sock(p->front, ".ctrl", true), status;
	struct handles before;
	uint32_t wrong = wrong_ones(p);
	pid_t helper;

	handles_read(p, &before);
	helper = fork();
	if (helper == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		control(p, ctrl);
	}
	start(p, argv);
	serve(p, listener, (int)syscall(SYS_pidfd_open, command, 0));
	if (waitpid(command, &status, 0) != command)
		die("wait");
	alarm(0);
	kill(helper, SIGKILL);
	compare(p, &before);
	if (p->log && wrong_ones(p) != wrong)
		fprintf(p->log, "wrong %d\n", (int)(wrong_ones(p) - wrong));
	if (late)
		return TIMED_OUT;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	struct proxy p = { 0 };
	int c, status;

	while ((c = getopt(argc, argv, "+f:l:r:")) != -1)
		if (c == 'f')
			plan_read(&p, optarg);
		else if (c == 'l')
			p.log = file_open(optarg);
		else if (c == 'r')
			p.record = file_open(optarg);
		else
			return FAILED;
	if (argc - optind < 3 || strcmp(argv[optind + 1], "--") ||
	    snprintf(p.path, sizeof(p.path), "%s", argv[optind]) >= (int)sizeof(p.path) - 8)
		die("usage: tpmat [-f N:HOW] [-l LOG] [-r RECORD] SOCKET -- COMMAND...");
	sprintf(p.front, "%s.at", p.path);
	status = run(&p, argv + optind + 2);
	unlink(p.front);
	strcat(p.front, ".ctrl");
	unlink(p.front);
	if ((p.log && fclose(p.log)) || (p.record && fclose(p.record)))
		die("a file cannot be written");
	return status;
}
