# SPDX-License-Identifier: MIT
"""TPM commands, processes, system calls and time of what a TPM sealed, beside peers that are installed: the same TPM, PCR 7.

The TPM is software: its commands take a hundredth of a real one's time. So commands are what counts, and times only as ratios
of what ran in turn."""
import os
import re
import shlex
import shutil
import statistics
import time

import lab

ROUNDS = 5
SRK = """
tpm2_createprimary -Q -C owner -g sha256 -G ecc256:null:aes128cfb -c srk \\
-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'
tpm2_flushcontext -t
"""
PERSISTENT = SRK + "tpm2_evictcontrol -Q -C owner -c srk 0x81000001; tpm2_flushcontext -t"
START = "umask 077; tpm2_pcrextend 7:sha256=$(printf '%064d' 1); head -c 64 /dev/urandom >clear"


class Contestant:
    """prepare: once; command: measured, by a shell only if it needs one; limit: of TPM commands; 0: a peer's, whose TOOL it is."""

    def __init__(self, operation, name, command, prepare="true", limit=0, tool=None):
        self.operation, self.name, self.command, self.prepare = operation, name, command, prepare
        self.limit, self.tool, self.times, self.commands, self.processes, self.syscalls = limit, tool, [], [], 0, 0

    def argv(self):
        if any(c in self.command for c in "|;<&"):
            return ["sh", "-euc", self.command]
        return shlex.split(self.command.replace("$TPM2TOOLS_TCTI", lab.TPMS["TPM2TOOLS_TCTI"]))


OURS = "`hwkey`"
SYSTEMD = "`systemd-creds`"
SEAL, UNSEAL, PRIMARY, VOLUME = "seal, PCR 7", "unseal, PCR 7", "unseal, PCR 7, no persistent key", "open a LUKS2 volume, PCR 7"
TOOLS_UNSEAL = "tpm2_load -Q -C %s -u pub -r priv -c ctx && tpm2_unseal -Q -c ctx -p pcr:sha256:7"
TOOLS_SEAL = "tpm2_startauthsession -S s; tpm2_policypcr -Q -S s -l sha256:7 -L policy; tpm2_flushcontext s; " \
    "tpm2_create -Q -C %s -i clear -L policy -u pub -r priv"
VOLUME_OURS = "hwkey generate -q --device tpm0 --pcrs 7 key; truncate -s 20M vol; hwkey luks-format -q --batch vol key"
VOLUME_CLEVIS = "truncate -s 20M cvol; printf pw >pw; cryptsetup -q luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 cvol pw; " \
    "clevis luks bind -y -k pw -d cvol tpm2 '{\"pcr_bank\":\"sha256\",\"pcr_ids\":\"7\"}'"
# Those without a persistent storage root key run first.
CONTESTANTS = [
    Contestant(PRIMARY, OURS, "hwkey unseal -q transient", "hwkey seal -q --device tpm0 --pcrs 7 -o transient clear", limit=7),
    Contestant(PRIMARY, SYSTEMD, "systemd-creds decrypt --name=x --tpm2-device=$TPM2TOOLS_TCTI cred -",
               "systemd-creds encrypt --with-key=tpm2 --tpm2-device=$TPM2TOOLS_TCTI --tpm2-pcrs=7 --name=x clear cred", tool="systemd-creds"),
    Contestant(PRIMARY, "`clevis`", "clevis decrypt tpm2 <jwe",
               "clevis encrypt tpm2 '{\"pcr_bank\":\"sha256\",\"pcr_ids\":\"7\"}' <clear >jwe", tool="clevis"),
    Contestant(SEAL, OURS, "hwkey seal -q --force --device tpm0 --pcrs 7 -o sealed clear", PERSISTENT, limit=10),
    Contestant(SEAL, "`tpm2-tools`", TOOLS_SEAL % "0x81000001", tool="tpm2_create"),
    Contestant(SEAL, "`clevis`", "clevis encrypt tpm2 '{\"pcr_bank\":\"sha256\",\"pcr_ids\":\"7\"}' <clear >jwe", tool="clevis"),
    Contestant(UNSEAL, OURS, "hwkey unseal -q sealed7", "hwkey seal -q --device tpm0 --pcrs 7 -o sealed7 clear", limit=5),
    Contestant(UNSEAL, "`tpm2-tools`", TOOLS_UNSEAL % "0x81000001", TOOLS_SEAL % "0x81000001" + "; tpm2_flushcontext -t", tool="tpm2_unseal"),
    Contestant(UNSEAL, SYSTEMD, "systemd-creds decrypt --name=x --tpm2-device=$TPM2TOOLS_TCTI cred -", tool="systemd-creds"),
    Contestant(UNSEAL, "`clevis`", "clevis decrypt tpm2 <jwe", tool="clevis"),
    Contestant(VOLUME, "`hwkey luks-open --test`", "hwkey luks-open -q --test vol", VOLUME_OURS, limit=5),
    Contestant(VOLUME, "`clevis luks pass` and `cryptsetup`", "clevis luks pass -d cvol -s 1 | cryptsetup open --test-passphrase -d - cvol",
               VOLUME_CLEVIS, tool="clevis-luks-pass"),
]


def run(argv, work):
    r = lab.run(argv, work)
    if r.status:
        raise RuntimeError("%s: %s" % (" ".join(argv), r.err.decode(errors="replace").strip()[-300:]))


def clean(work):
    """Some peers leave sessions and objects behind, which a resource manager would flush."""
    run(["sh", "-euc", "tpm2_flushcontext -t; tpm2_flushcontext -l"], work)


def count(c, tpm, work):
    log = os.path.join(work, "strace")
    r, c.commands, _ = tpm.run(["sh", "-euc", c.command], work)
    if r.status:
        raise RuntimeError("%s: %s" % (c.command, r.err.decode(errors="replace").strip()[-300:]))
    run(["strace", "-f", "-o", log] + c.argv(), work)
    clean(work)
    with open(log) as f:
        calls = [x for x in f if re.search(r"^\d+ +\w+\(", x)]
    c.syscalls = len(calls)
    c.processes = 1 + sum(1 for x in calls if re.search(r"\b(clone3?|v?fork)\(", x) and "CLONE_THREAD" not in x)


def is_here(tool, work):
    return tool is None or shutil.which(tool, path=lab.environment(work)["PATH"]) is not None


def race(group, work):
    for _ in range(ROUNDS):
        for c in group:
            start = time.monotonic()
            run(c.argv(), work)
            c.times.append(time.monotonic() - start)
            clean(work)


def measure(base):
    """Contestants that ran; says which did not."""
    work = os.path.join(base, "tpm-work")
    os.mkdir(work, 0o700)
    tpm = lab.Tpm(os.path.join(base, "tpm"))
    here = [c for c in CONTESTANTS if is_here(c.tool, work)]
    try:
        run(["sh", "-euc", START], work)
        for operation in dict.fromkeys(c.operation for c in CONTESTANTS):
            group = [c for c in here if c.operation == operation]
            for c in group:
                run(["sh", "-euc", c.prepare], work)
                run(c.argv(), work)         # a TPM that was just started answers some commands only when they are sent again
                clean(work)
            for c in group:
                count(c, tpm, work)
            race(group, work)
    finally:
        tpm.stop()
    for c in CONTESTANTS:
        if c not in here:
            print("NOT MEASURED: %s: %s is not installed" % (c.operation, c.name))
    return here


def table(contestants):
    """Lines of RESULTS.md."""
    yield "| operation | by | TPM commands | processes | system calls | time, of ours |"
    yield "|---|---|---|---|---|---|"
    for c in contestants:
        ours = next(o for o in contestants if o.operation == c.operation)
        ratio = statistics.median(b / a for a, b in zip(ours.times, c.times))
        yield "| %s | %s | %d | %d | %d | %s |" % (c.operation, c.name, len(c.commands), c.processes, c.syscalls,
                                                 "1" if c is ours else "%.1f" % ratio)


def figures(contestants):
    """Ours, as bench's: name and figures."""
    for c in contestants:
        if c.limit:
            yield "TPM: " + c.operation, {"syscalls": c.syscalls, "processes": c.processes, "TPM": len(c.commands)}


def goals(contestants):
    """As bench's."""
    ours = {c.operation: c for c in contestants if c.limit}
    until = ours[SEAL].commands.index("Create") + 1
    yield ("P7", "`seal`, PCR 7, TPM commands until it is sealed; with the proof that it opens, and only so", "≤ 4; ≤ %d" % ours[SEAL].limit,
           "%d; %d" % (until, len(ours[SEAL].commands)), until <= 4 and len(ours[SEAL].commands) <= ours[SEAL].limit)
    n = len(ours[UNSEAL].commands), len(ours[PRIMARY].commands)
    yield "P7", "`unseal`, PCR 7, TPM commands with a persistent storage root key; without", "≤ 5; ≤ 7", "%d; %d" % n, n[0] <= 5 and n[1] <= 7
    yield "P8", "the same: processes", "1", "%d" % ours[UNSEAL].processes, ours[UNSEAL].processes == 1
    v = ours[VOLUME]
    yield ("P9", "`luks-open --test` by a TPM: system calls; TPM commands; processes", "≤ 600; ≤ 6; 1",
           "%d; %d; %d" % (v.syscalls, len(v.commands), v.processes), v.syscalls <= 600 and len(v.commands) <= 6 and v.processes == 1)
