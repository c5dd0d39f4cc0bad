// SPDX-License-Identifier: MIT
/*
 * faultat MODE [N [ERRNO]] -- COMMAND...
 *
 * Runs COMMAND and lets something happen at its N-th system call, counted from 1 over all its threads and children,
 * from the first call after its execve on. Modes:
 *   count   print the number of system calls           list    print "N NAME-OR-NUMBER" for each
 *   killb N   SIGKILL before the N-th is executed      killa N   after it
 *   meanwhile N   before the N-th the shell runs $FAULTAT_MEANWHILE to its end
 *   err N ERRNO   the N-th is not executed and fails   short N   the N-th transfers half of what it was asked for
 *
 * Exit status: the command's, 128 + signal if it was killed, 124 after the time limit (FAULTAT_SECONDS, default 20),
 * 125 if this program fails. Its own output goes to descriptor 3 if that is open (the command does not get it), else to
 * standard output.
 *
 * Counting, listing and killing are the same everywhere (PTRACE_GET_SYSCALL_INFO, Linux 5.3); changing a call needs
 * its registers: x86_64 and arm64.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/ptrace.h>

enum { TIMED_OUT = 124, FAILED = 125 };
enum mode { COUNT, LIST, KILLB, KILLA, MEANWHILE, ERR, SHORT };

struct run {
	enum mode mode;
	long n;			/* the call meant */
	int error;
	long seen;
	pid_t child, hit;	/* hit: the thread in the N-th call, 0 when it is over */
	int status;
	int out;		/* descriptor for what we print */
};

static const char *const mode_names[] = { "count", "list", "killb", "killa", "meanwhile", "err", "short" };

static const struct { long nr; const char *name; bool transfers; } calls[] = {
	{ SYS_read, "read", true }, { SYS_pread64, "pread64", true }, { SYS_write, "write", true },
	{ SYS_pwrite64, "pwrite64", true }, { SYS_getrandom, "getrandom", false }, { SYS_openat, "openat", false },
	{ SYS_close, "close", false }, { SYS_fsync, "fsync", false }, { SYS_fdatasync, "fdatasync", false },
	{ SYS_ftruncate, "ftruncate", false }, { SYS_fallocate, "fallocate", false }, { SYS_mkdirat, "mkdirat", false },
	{ SYS_linkat, "linkat", false }, { SYS_unlinkat, "unlinkat", false }, { SYS_renameat2, "renameat2", false },
	{ SYS_fchmod, "fchmod", false }, { SYS_fchown, "fchown", false }, { SYS_flock, "flock", false },
	{ SYS_lseek, "lseek", false }, { SYS_execve, "execve", false }, { SYS_mmap, "mmap", false },
	{ SYS_memfd_secret, "memfd_secret", false }, { SYS_getdents64, "getdents64", false },
	{ SYS_writev, "writev", false }, { SYS_pwritev, "pwritev", false }, { SYS_exit_group, "exit_group", false },
#ifdef SYS_renameat
	{ SYS_renameat, "renameat", false },
#endif
#ifdef SYS_rename	/* the old names, which newer architectures have not */
	{ SYS_rename, "rename", false }, { SYS_link, "link", false }, { SYS_unlink, "unlink", false },
	{ SYS_mkdir, "mkdir", false }, { SYS_open, "open", false }, { SYS_rmdir, "rmdir", false },
#endif
};

static void fail(const char *what)
{
	fprintf(stderr, "faultat: %s: %s\n", what, strerror(errno));
	exit(FAILED);
}

#if defined(__x86_64__)
#define CAN_CHANGE 1
typedef struct user_regs_struct regs_t;
#define REG_RET(r) ((r).rax)
#define REG_ARG2(r) ((r).rdx)
#elif defined(__aarch64__)
#define CAN_CHANGE 1
typedef struct user_regs_struct regs_t;
#define REG_RET(r) ((r).regs[0])
#define REG_ARG2(r) ((r).regs[2])
#else
#define CAN_CHANGE 0
#endif

#if CAN_CHANGE
static void regs_io(int request, pid_t pid, regs_t *regs)
{
	struct iovec iov = { .iov_base = regs, .iov_len = sizeof(*regs) };

	if (ptrace(request, pid, (void *)NT_PRSTATUS, &iov) < 0)
		fail("ptrace registers");
}

/* The kernel skips a call whose number is -1. */
static void call_skip(pid_t pid, regs_t *regs)
{
#if defined(__x86_64__)
	regs->orig_rax = (unsigned long long)-1;
	regs_io(PTRACE_SETREGSET, pid, regs);
#else
	int none = -1;
	struct iovec iov = { .iov_base = &none, .iov_len = sizeof(none) };

	(void)regs;
	if (ptrace(PTRACE_SETREGSET, pid, (void *)NT_ARM_SYSTEM_CALL, &iov) < 0)
		fail("ptrace system call");
#endif
}

static void call_enter(const struct run *run, pid_t pid)
{
	regs_t regs;

	regs_io(PTRACE_GETREGSET, pid, &regs);
	if (run->mode == ERR) {
		call_skip(pid, &regs);
	} else if (REG_ARG2(regs) > 1) {
		REG_ARG2(regs) /= 2;
		regs_io(PTRACE_SETREGSET, pid, &regs);
	}
}

static void call_leave(const struct run *run, pid_t pid)
{
	regs_t regs;

	if (run->mode != ERR)
		return;
	regs_io(PTRACE_GETREGSET, pid, &regs);
	REG_RET(regs) = (unsigned long long)-run->error;
	regs_io(PTRACE_SETREGSET, pid, &regs);
}
#else
static void call_enter(const struct run *run, pid_t pid) { (void)run; (void)pid; }
static void call_leave(const struct run *run, pid_t pid) { (void)run; (void)pid; }
#endif

static const char *call_name(uint64_t nr, bool *ret_transfers)
{
	static char number[24];

	*ret_transfers = false;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if ((uint64_t)calls[i].nr == nr) {
			*ret_transfers = calls[i].transfers;
			return calls[i].name;
		}
	snprintf(number, sizeof(number), "%llu", (unsigned long long)nr);
	return number;
}

static void run_meanwhile(void)
{
	const char *command = getenv("FAULTAT_MEANWHILE");
	int status = command ? system(command) : -1;

	if (status < 0)
		fail("FAULTAT_MEANWHILE");
}

/* Entering a call. False: the command is to be killed now. */
static bool on_entry(struct run *run, pid_t pid, uint64_t nr)
{
	bool transfers;
	const char *name = call_name(nr, &transfers);

	run->seen++;
	if (run->mode == LIST)
		dprintf(run->out, "%ld %s\n", run->seen, name);
	if (run->seen != run->n || run->mode <= LIST)
		return true;
	if (run->mode == KILLB)
		return false;
	if (run->mode == MEANWHILE)
		run_meanwhile();
	run->hit = pid;
	if (run->mode == ERR || (run->mode == SHORT && transfers))
		call_enter(run, pid);
	return true;
}

static bool on_exit_of(struct run *run, pid_t pid)
{
	if (run->hit != pid)
		return true;
	run->hit = 0;
	if (run->mode == KILLA)
		return false;
	call_leave(run, pid);
	return true;
}

static bool on_syscall(struct run *run, pid_t pid)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) < 0)
		return errno == ESRCH || (fail("PTRACE_GET_SYSCALL_INFO"), false);
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		return on_entry(run, pid, info.entry.nr);
	if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		return on_exit_of(run, pid);
	return true;
}

/* One stop of one thread: what signal to go on with, or -1 to kill. */
static int on_stop(struct run *run, pid_t pid, int status)
{
	int sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80))
		return on_syscall(run, pid) ? 0 : -1;
	if (status >> 16 || sig == SIGSTOP || sig == SIGTRAP)	/* ptrace events, the first stop of a new thread */
		return 0;
	return sig;
}

static void loop(struct run *run)
{
	for (;;) {
		int status, sig;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return;
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (pid == run->child)
				run->status = status;
			continue;
		}
		sig = on_stop(run, pid, status);
		if (sig < 0)
			kill(run->child, SIGKILL);	/* its threads die with it, its children by PTRACE_O_EXITKILL */
		else
			ptrace(PTRACE_SYSCALL, pid, 0, sig);
	}
}

static pid_t victim;

static void on_alarm(int sig)
{
	(void)sig;
	kill(victim, SIGKILL);
	_exit(TIMED_OUT);
}

/* Tracer and traced never run at once. On one processor they take turns ten times faster than across two. */
static void stay_here(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);	/* slower without, not wrong */
}

/* The child stops after its execve; the exit of that call is let pass uncounted. */
static pid_t start(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		close(3);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 || ptrace(PTRACE_SETOPTIONS, pid, 0, options) < 0)
		fail("ptrace");
	ptrace(PTRACE_CONT, pid, 0, 0);
	if (waitpid(pid, &status, 0) < 0 || status >> 8 != (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
		fprintf(stderr, "faultat: cannot execute '%s'\n", argv[0]);
		exit(FAILED);
	}
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	return pid;
}

static int parse(int argc, char **argv, struct run *run)
{
	int i = 1;

	if (argc < 4)
		return -1;
	while (run->mode <= SHORT && strcmp(argv[1], mode_names[run->mode]))
		if (run->mode++ == SHORT)
			return -1;
	i++;
	if (run->mode >= KILLB)
		run->n = atol(argv[i++]);
	if (run->mode == ERR && i < argc)
		run->error = atoi(argv[i++]);
	return i + 1 < argc && !strcmp(argv[i], "--") && (run->mode < KILLB || run->n > 0) ? i + 1 : -1;
}

int main(int argc, char **argv)
{
	const char *seconds = getenv("FAULTAT_SECONDS");
	struct run run = { 0 };
	int at = parse(argc, argv, &run);

	if (at < 0) {
		fprintf(stderr, "usage: faultat count|list|killb N|killa N|meanwhile N|err N ERRNO|short N -- COMMAND...\n");
		return FAILED;
	}
	if (run.mode >= ERR && !CAN_CHANGE) {
		fprintf(stderr, "faultat: cannot change system calls on this architecture, only count, list and kill\n");
		return FAILED;
	}
	run.out = fcntl(3, F_GETFD) < 0 ? STDOUT_FILENO : 3;
	stay_here();
	victim = run.child = start(argv + at);
	signal(SIGALRM, on_alarm);
	alarm(seconds ? (unsigned)atoi(seconds) : 20);
	loop(&run);
	if (run.mode == COUNT)
		dprintf(run.out, "%ld\n", run.seen);
	return WIFEXITED(run.status) ? WEXITSTATUS(run.status) : 128 + WTERMSIG(run.status);
}
