# SPDX-License-Identifier: MIT
"""What sweep, powercut, writers and core share: work directories, the commands' environment, what a scenario is."""
import hashlib
import os
import re
import signal
import stat
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("B", "build"))
HWKEY = os.path.join(BUILD, "hwkey")
FAULTAT = os.path.join(BUILD, "fault", "faultat")
TPMAT = os.path.join(BUILD, "fault", "tpmat")
NAIVE = os.path.join(BUILD, "fault", "naive")
LIMIT = 60  # seconds that any one command may take
TPMS = {}  # variables that name those there are


def scratch():
    """A new directory in memory if there is such a file system, else in the build tree. SIGTERM lets it be removed."""
    for base in ("/dev/shm", BUILD):
        if os.access(base, os.W_OK):
            path = os.path.join(base, "hwkey-fault.%d" % os.getpid())
            os.mkdir(path, 0o700)
            late = ["sh", "-c", 'sleep 2; rm -rf "$0"', path]   # when the commands of this moment are over
            signal.signal(signal.SIGTERM, lambda *_: (subprocess.Popen(late), os._exit(1)))
            return path
    sys.exit("no place for a work directory")


def remove(path):
    if os.path.islink(path) or not os.path.isdir(path):
        if os.path.lexists(path):
            os.unlink(path)
        return
    for entry in os.listdir(path):
        remove(os.path.join(path, entry))
    os.rmdir(path)


def _copy_file(src, dst, mode):
    """Copies what is not a hole."""
    a, b = os.open(src, os.O_RDONLY), os.open(dst, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        size, at = os.fstat(a).st_size, 0
        os.ftruncate(b, size)
        while at < size:
            try:
                at = os.lseek(a, at, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(a, at, os.SEEK_HOLE)
            os.lseek(b, at, os.SEEK_SET)
            while at < end:
                at += os.sendfile(b, a, at, end - at)
        os.fchmod(b, mode)
    finally:
        os.close(a)
        os.close(b)


def copy(src, dst):
    os.mkdir(dst, 0o700)
    for e in os.scandir(src):
        to, mode = os.path.join(dst, e.name), stat.S_IMODE(e.stat(follow_symlinks=False).st_mode)
        if e.is_symlink():
            os.symlink(os.readlink(e.path), to)
        elif e.is_dir():
            copy(e.path, to)
        else:
            _copy_file(e.path, to, mode)
    os.chmod(dst, stat.S_IMODE(os.stat(src).st_mode))


def digest(path):
    """Of names, types and contents below PATH, times and inodes left out."""
    h = hashlib.blake2b(digest_size=16)

    def walk(p, rel):
        for e in sorted(os.scandir(p), key=lambda e: e.name):
            name = rel + "/" + e.name
            h.update(b"%d %s\0" % (e.is_dir(follow_symlinks=False), name.encode()))
            if e.is_dir(follow_symlinks=False):
                walk(e.path, name)
            elif e.is_symlink():
                h.update(os.readlink(e.path).encode())
            else:
                with open(e.path, "rb") as f:
                    h.update(b"%d\0" % e.stat().st_size)
                    h.update(f.read())

    walk(path, "")
    return h.digest()


def names(path):
    """Of all files below PATH, with their sizes."""
    return tuple(sorted((os.path.relpath(os.path.join(d, f), path), os.lstat(os.path.join(d, f)).st_size)
                        for d, _, files in os.walk(path) for f in files))


def environment(work):
    cred = os.path.join(work, "cred")
    return {
        **({"CREDENTIALS_DIRECTORY": cred} if os.path.isdir(cred) else {}),
        "PATH": BUILD + ":" + os.path.join(BUILD, "fault") + ":/usr/sbin:/usr/bin:/sbin:/bin",
        "W": work,
        "HWKEY_REPOSITORY": os.path.join(work, "repo"),
        "HWKEY_PKS_DIR": os.path.join(work, "pks"),
        "HWKEY_SYSROOT": os.path.join(work, "machine"),
        "LC_ALL": "C",
        "HOME": work,
        "TMPDIR": os.path.dirname(work),
        "FAULTAT_SECONDS": str(LIMIT - 5),  # scrypt takes its time on a busy machine
        **TPMS,
    }


class Result:
    def __init__(self, status, out, err, hung=False):
        self.status, self.out, self.err, self.hung = status, out, err, hung


def run(argv, work, stdin=b"", limit=LIMIT, **more):
    """Runs ARGV, where {W} is the work directory; gives status (negative: signal), output, errors."""
    argv = [a.replace("{W}", work) for a in argv]
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=environment(work), cwd=work, **more)
    try:
        out, err = p.communicate(stdin, timeout=limit)
        return Result(p.returncode, out, err)
    except subprocess.TimeoutExpired:
        p.kill()
        out, err = p.communicate()
        return Result(p.returncode, out, err, True)


def shell(script, work, **more):
    return run(["sh", "-euc", script], work, **more)


class Tpm:
    """One in software, whose state and socket are in PLACE, a new directory. What runs uses all that there are: TPMS."""

    def __init__(self, place):
        os.mkdir(place, 0o700)
        self.place, self.socket, self.log = place, os.path.join(place, "socket"), os.path.join(place, "log")
        self.start()
        tcti = "swtpm:path=" + self.socket
        TPMS["HWKEY_TCTI"] = (TPMS.get("HWKEY_TCTI", "") + " " + tcti).strip()
        TPMS.setdefault("TPM2TOOLS_TCTI", tcti)
        TPMS["TSS2_LOG"] = "all+none"

    def start(self):
        place = self.place
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + place, "--flags", "startup-clear",
             "--ctrl", "type=unixio,path=%s.ctrl" % self.socket, "--server", "type=unixio,path=" + self.socket],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if os.path.exists(self.socket):
                break
            time.sleep(0.05)
        else:
            raise RuntimeError("swtpm does not start")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def state(self):
        """What it keeps without power."""
        with open(os.path.join(self.place, "tpm2-00.permall"), "rb") as f:
            return f.read()

    def restore(self, state):
        """It is again what it was, and was switched off meanwhile."""
        self.stop()
        for name in os.listdir(self.place):
            os.unlink(os.path.join(self.place, name))
        with open(os.path.join(self.place, "tpm2-00.permall"), "wb") as f:
            f.write(state)
        self.start()

    def run(self, argv, work, stdin=b"", fault=None, record=None):
        """As run(), with the fault of tpmat: gives the result, names of the commands it sent, and what it left behind. What
        the TPM took for one wrong PIN it is to forget."""
        r = run([TPMAT] + (["-f", fault] if fault else []) + (["-r", record] if record else []) + ["-l", self.log, self.socket, "--"] +
                argv, work, stdin)
        if r.status == 125:
            raise RuntimeError(r.err.decode())
        with open(self.log) as f:
            lines = f.read().splitlines()
        if "wrong 1" in lines:
            subprocess.run(["tpm2_dictionarylockout", "-Q", "--clear-lockout"], env={**os.environ, **TPMS}, check=True)
            lines.remove("wrong 1")
        return r, [x.split()[1] for x in lines if x[0].isdigit()], [x for x in lines if x.startswith(("left", "gone", "wrong"))]


class Scenario:
    """
    One mutating command. setup, dump and after are shell scripts run in $W; command is an argv.
      dump    prints the state, exit 0; nothing in it may differ between two runs of the same commands
      done    must succeed right after exit status 0, before any other command: what dump runs may finish what was left
      after   must succeed whatever happened: it shows that nothing is stuck, and that checks find nothing left over
      lazy    exit status 0 promises nothing about what a power cut leaves
      accept  None: the state must be that before or that after the command, byte for byte of dump's output.
              Else a tuple of further outputs that are right as well (rotation: "opens" is what counts)
    """

    def __init__(self, name, setup, command, dump, after="true", stdin=b"", accept=(), slow=False, expect=None, uses=None,
                 done=None, lazy=False):
        self.name, self.setup, self.command, self.dump, self.after, self.done = name, setup, command, dump, after, done
        self.lazy = lazy
        self.stdin, self.accept, self.slow, self.expect = stdin, accept, slow, expect
        self.uses = uses or (command[1] if command[0] == "hwkey" else None)

    def needs(self):
        """The commands of hwkey without which this cannot be."""
        return set(re.findall(r"\bhwkey (?:--\S+ )*([a-z][a-z-]*)", "%s; %s; %s" % (self.setup, " ".join(self.command), self.dump)))

    def prepare(self, place):
        """Makes PLACE/old (the state before) and finds the outputs of dump before and after. Gives (old, new)."""
        base = os.path.join(place, "old")
        os.mkdir(base, 0o700)
        r = shell(self.setup, base)
        if r.status:
            raise RuntimeError("setup of '%s' fails: %s" % (self.name, r.err.decode()))
        probe = os.path.join(place, "probe")
        copy(base, probe)
        old = self.state(probe)
        r = run(self.command, probe, self.stdin)
        if r.status:
            raise RuntimeError("'%s' fails: %s" % (self.name, r.err.decode()))
        new = self.state(probe)
        after = shell(self.after, probe)
        remove(probe)
        if after.status:
            raise RuntimeError("what follows '%s' fails: %s" % (self.name, after.err.decode()))
        for what, state in (("before", old), ("after", new)):
            if state.startswith(b"dump failed"):
                raise RuntimeError("'%s' %s: %s" % (self.name, what, state.decode()))
        if old == new and not self.accept:
            raise RuntimeError("'%s': the dump does not tell the states apart: %s" % (self.name, old.decode()))
        return old, new

    def state(self, work):
        r = shell(self.dump, work)
        return r.out if r.status == 0 else b"dump failed: " + r.out + r.err


def strange(state, old, new):
    """The lines of STATE that are in neither of the others, and those it lacks; for a person."""
    known = old.splitlines() + new.splitlines()
    have = state.splitlines()
    lines = [b"+" + x for x in have if x not in known] + [b"-" + x for x in known if x not in have]
    return b" | ".join(lines).decode(errors="replace")[:300] or "the lines of both mixed"


def naive(how, first=False):
    """HOW of naive.c; FIRST: there is no value before."""
    setup = "true" if first else "naive %s $W set 'the value before'" % (how if how == "slots" else "good")
    return Scenario("naive-" + how, setup, ["naive", how, "{W}", "set", "the value after " + "v" * 60],
                    "naive %s $W dump" % how, "true" if first else "naive %s $W set third" % how)


# What the harness must say of each: (scenario, by sweep, by powercut); None: clean.
SELFTEST = [
    (naive("good"), None, None),
    (naive("slots"), None, None),
    (naive("link", True), None, None),
    (naive("swap", True), None, None),
    (naive("truncate"), "corrupt", "corrupt"),
    (naive("deaf"), "lost-ack", None),
    (naive("retry"), "unsynced", None),
    (naive("remains"), "stuck", None),
    (naive("nosync"), None, "lost-ack"),
    (naive("nodirsync"), None, "lost-ack"),
    (naive("swapbad", True), None, "corrupt"),
]
