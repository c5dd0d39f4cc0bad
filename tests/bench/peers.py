# SPDX-License-Identifier: MIT
"""Commits per second of the keystore and of its peers, on a real disk, in turn, so that all meet the same load.

Times of a shared machine mean little, ratios of what ran side by side some: of each round's rates, then the median."""
import os
import shutil
import statistics
import subprocess
import time

import lab

ROUNDS, SINGLE, MANY = 9, 20, 100  # rounds; commits of one process each; commits of one process
SIZE = 256  # bytes of a value
NV = "0x1500016"


# Without a boot no commit could note that one is under way, and each would try.
MACHINE = "d=machine/proc/sys/kernel/random; mkdir -p $d; cp /proc/sys/kernel/random/boot_id $d"


class Contestant:
    """command: what commits once, or with WHOLE false MANY times; prepare: once before; flushes: of one commit."""

    def __init__(self, name, command, tool=None, prepare="true", whole=True):
        self.name, self.command, self.tool, self.prepare, self.whole = name, command, tool, prepare, whole
        self.flushes, self.rates = 0, []

    def script(self):
        if not self.whole:
            return self.command
        return "i=0; while [ $i -lt %d ]; do %s; i=$((i+1)); done" % (SINGLE, self.command)


COMMITS = os.path.join(lab.BUILD, "bench", "commits")
SQLITE_NEW = "sqlite3 %s 'pragma journal_mode=wal; create table t(k integer primary key, v); insert into t values (1, 1)' >/dev/null"
UPDATE = "update t set v = randomblob(%d) where k = 1;" % SIZE

CONTESTANTS = [
    Contestant("`hwkey pks-write`", "hwkey pks-write -q --replace object - <value"),
    Contestant("`sqlite3`", 'sqlite3 one.db "pragma synchronous=full; %s"' % UPDATE, "sqlite3", SQLITE_NEW % "one.db"),
    Contestant("`tpm2_nvwrite`", "tpm2_nvwrite %s -C o -i value" % NV, "tpm2_nvwrite",
               "tpm2_nvdefine %s -C o -s %d -a 'ownerread|ownerwrite'" % (NV, SIZE)),
    Contestant("keystore", "%s %d" % (COMMITS, MANY), whole=False),
    Contestant("sqlite", "sqlite3 many.db <updates", "sqlite3", SQLITE_NEW % "many.db" +
               "; { echo 'pragma synchronous=full;'; yes '%s' | head -n %d; } >updates" % (UPDATE, MANY), whole=False),
]


def is_here(tool, work):
    return tool is None or shutil.which(tool, path=lab.environment(work)["PATH"]) is not None


def run(script, work):
    r = lab.shell(script, work, limit=300)
    if r.status:
        raise RuntimeError("%s: %s" % (script, (r.err or r.out).decode(errors="replace").strip()[-300:]))


def count_flushes(c, work, tpm):
    """Of one commit, in whatever process: the TPM is one of its own."""
    log = os.path.join(work, "strace")
    trace = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", log]
    if c.tool == "tpm2_nvwrite":
        tracer = subprocess.Popen(trace + ["-p", str(tpm.process.pid)], stderr=subprocess.PIPE)
        tracer.stderr.readline()        # attached
        run(c.command, work)
        tracer.terminate()
        tracer.communicate()
    else:
        run("exec %s sh -c '%s'" % (" ".join(trace), c.command.replace("'", "'\\''")), work)
    with open(log) as f:
        c.flushes = sum("sync(" in line for line in f) / (1 if c.whole else MANY)


def race(contestants, work):
    for _ in range(ROUNDS):
        for c in contestants:
            start = time.monotonic()
            run(c.script(), work)
            c.rates.append((SINGLE if c.whole else MANY) / (time.monotonic() - start))


def measure():
    """Contestants that ran, with their rates; says which did not."""
    work = os.path.join(lab.BUILD, "bench-commits.%d" % os.getpid())  # not in memory, where a flush is nothing
    os.mkdir(work, 0o700)
    tpm, here = None, []
    try:
        for c in CONTESTANTS:
            if is_here(c.tool, work) and (c.tool != "tpm2_nvwrite" or is_here("swtpm", work)):
                here.append(c)
            else:
                print("NOT MEASURED: commits of %s: it is not installed" % c.name)
        if any(c.tool == "tpm2_nvwrite" for c in here):
            tpm = lab.Tpm(os.path.join(work, "tpm"))
        run(MACHINE + "; umask 077; head -c %d /dev/urandom >value; hwkey pks-write -q --replace object - <value" % SIZE, work)
        for c in here:
            run(c.prepare, work)
            run(c.command, work)
            count_flushes(c, work, tpm)
        race(here, work)
    finally:
        if tpm:
            tpm.stop()
        lab.remove(work)
    return here


def table(contestants):
    """Lines of RESULTS.md."""
    yield "| commits | per second | flushes each | the keystore's rate is so many times that |"
    yield "|---|---|---|---|"
    for whole, title in ((True, "a process each: "), (False, "%d in one process: " % MANY)):
        group = [c for c in contestants if c.whole == whole]
        for c in group:
            ratio = statistics.median(a / b for a, b in zip(group[0].rates, c.rates))
            yield "| %s%s | %.0f | %g | %s |" % (title, c.name, statistics.median(c.rates), c.flushes,
                                               "" if c is group[0] else "%.2f" % ratio)
