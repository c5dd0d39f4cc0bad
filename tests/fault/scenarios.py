# SPDX-License-Identifier: MIT
"""Every command that changes something, one scenario or more each."""
import lab
from lab import Scenario

# What dump prints of a repository: each key opens and is the one its entry says, and what the entry says of it.
REPO = """
[ ! -d repo ] || hwkey validate --raw --noheadings --output NAME,STATUS,PATTERN
cat repo/*.info 2>/dev/null | grep -vE '^(__hash__|creation-time|update-time|reencipher-time|verification-pattern)=' || true
"""
# What must work then, whatever happened.
REPO_AFTER = """
hwkey generate after
hwkey validate >/dev/null
hwkey check >/dev/null
for f in repo/.hwkey.tmp repo/.hwkey.intent pks/.new; do [ ! -e $f ] || { echo "left over: $f" >&2; exit 1; }; done
"""
KEYS = """
umask 077
hwkey generate k1 --description first
hwkey generate k2
head -c 32 /dev/zero | tr '\\0' k >clear
"""
OBJECTS = """
hwkey pks-list --raw --noheadings --output LABEL,POLICY,SIZE
for label in $(hwkey pks-list --raw --noheadings --output LABEL); do hwkey pks-read $label; echo; done
"""
OBJECTS_AFTER = "echo third | hwkey pks-write after - && hwkey pks-read after >/dev/null"
STORED = "echo one | hwkey pks-write o1 -; echo two | hwkey pks-write o2 -"


def repo(name, command, setup=KEYS, dump=REPO, **more):
    return Scenario(name, setup, command, dump, REPO_AFTER, **more)


def pks(name, command, setup=STORED, dump=OBJECTS, **more):
    return Scenario(name, setup, command, dump, OBJECTS_AFTER, **more)


def output(name, command, setup, check):
    """A command that writes the file out: it is there whole, or not at all."""
    return Scenario(name, KEYS + setup, command, "[ -e out ] || { echo none; exit 0; }; " + check + " && echo whole", REPO_AFTER)


# Moving to a new wrapping key is two commits: the keystore gets it, then the repository the tokens. What counts is that
# each token is the old or the new one, and valid; several keys need not move together.
TOKENS = """
for k in k1 k2; do cmp -s repo/$k.skey before/$k.skey && echo old || echo new; done
hwkey validate --raw --noheadings --output NAME,STATUS,PATTERN
"""


def tokens(*which):
    return ("\n".join(which) + "\nk1 valid matches\nk2 valid matches\n").encode()


SCENARIOS = [
    repo("generate", ["hwkey", "generate", "new", "--description", "new one"]),
    repo("generate-first", ["hwkey", "generate", "new"], "true"),
    repo("wrap", ["hwkey", "wrap", "new", "{W}/clear"]),
    repo("rewrap", ["hwkey", "rewrap", "--to-new", "--all"], KEYS + "cp -r repo before", TOKENS,
         accept=(tokens("new", "old"), tokens("old", "new"))),
    repo("copy", ["hwkey", "copy", "k1", "new"]),
    repo("rename", ["hwkey", "rename", "k1", "new"]),
    repo("remove", ["hwkey", "remove", "--force", "k1"]),
    repo("change", ["hwkey", "change", "k1", "--description", "another"]),
    repo("import", ["hwkey", "import", "new", "{W}/token"], KEYS + "cp repo/k1.skey token"),
    Scenario("check-repair", KEYS + "cp repo/k1.skey repo/orphan.skey; cp repo/k1.info repo/half.info",
             ["hwkey", "check", "--repair"],
             "hwkey check >/dev/null 2>&1 && echo clean || echo problems; for k in k1 k2; do hwkey validate $k >/dev/null; done",
             "hwkey check --repair >/dev/null\n" + REPO_AFTER),
    output("export", ["hwkey", "export", "k1", "{W}/out"], "", "cmp out repo/k1.skey"),
    output("seal", ["hwkey", "seal", "-o", "{W}/out", "{W}/clear"], "", "hwkey unseal out | cmp - clear"),
    output("unseal", ["hwkey", "unseal", "-o", "{W}/out", "{W}/sealed"], "hwkey seal -o sealed clear", "cmp out clear"),
    pks("pks-first", ["hwkey", "pks-write", "o1", "-"], "true", "[ ! -e pks/system ] || { " + OBJECTS + "}", stdin=b"value"),
    pks("pks-write", ["hwkey", "pks-write", "o3", "-"], stdin=b"value"),
    pks("pks-replace", ["hwkey", "pks-write", "--replace", "o1", "-"], stdin=b"another value"),
    pks("pks-remove", ["hwkey", "pks-remove", "o1"]),
]

QUICK = ("generate", "rename", "pks-replace")
# Commands that change nothing that lasts.
READERS = set("""check crypttab doctor list list-devices luks-open luks-status pks-list pks-read show validate
""".split())


def commands():
    """Of this binary."""
    return {c for c in lab.run(["hwkey", "--complete", ""], "/").out.decode().split() if c != "help" and not c.startswith("-")}


def problems(quick):
    """A command that changes something and has no scenario, a scenario whose command is gone: what nobody looks at breaks."""
    have, tested = commands(), {s.uses for s in SCENARIOS}
    return ["command '%s' has no scenario" % c for c in sorted(have - READERS - tested)] + \
        ["no command '%s' in this binary" % c for c in sorted(tested - have) if not quick]


def choose(names, quick):
    """Gives the scenarios called NAMES (default: all, or those of QUICK), and what is wrong with the table, as lines."""
    have, wanted = commands(), names or (QUICK if quick else [s.name for s in SCENARIOS])
    chosen = [s for s in SCENARIOS if s.name in wanted and s.needs() <= have]
    unknown = ["no scenario '%s'" % n for n in wanted if n not in {s.name for s in SCENARIOS}]
    return chosen, unknown if names else problems(quick)
