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
# What a command that says it is done has done by itself: no change is under way, no token without its .info.
REPO_DONE = """
for f in repo/.hwkey.* repo/*.skey; do
case $f in *'*'*) ;; *.skey) [ -e "${f%.skey}.info" ] ;; *) false ;; esac || exit 1
done
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


def repo(name, command, setup=KEYS, dump=REPO, after=REPO_AFTER, **more):
    return Scenario(name, setup, command, dump, after, done=REPO_DONE, **more)


def pks(name, command, setup=STORED, dump=OBJECTS, after=OBJECTS_AFTER, **more):
    return Scenario(name, setup, command, dump, after, **more)


# Ways to open the keystore: its slots, and whether what they open is whole.
SLOTS = STORED + "; umask 077; mkdir cred; printf old >cred/hwkey.pks-passphrase; "
ADD = "hwkey pks-config --add-slot=passphrase --passphrase-file=cred/hwkey.pks-passphrase; "
SLOT_DUMP = "hwkey pks-config --raw --noheadings --output SLOTS; hwkey pks-read o1"
HERE = "/proc/self/cwd/"     # an anchor has an absolute path, and a work directory is copied
HEALTHY = "! hwkey pks-check --raw --noheadings --output RESULT | grep -E 'due|degraded|failed'; "
TSK = STORED + "; hwkey pks-tsk --new tsk; "
BACKUP = TSK + "hwkey pks-tsk --set tsk; hwkey pks-backup backup; umask 077; mkdir cred; cp tsk cred/hwkey.pks-tsk; "
THERE = TSK + "hwkey pks-tsk --set tsk; export HWKEY_PKS_DIR=$PWD/there; hwkey pks-tsk --set tsk; export HWKEY_PKS_DIR=$PWD/pks; "
MOVED = "hwkey pks-read o1 2>&1 | grep -oE '^one$|was exported|was moved' | LC_ALL=C sort"
PASSPHRASE_AFTER = "for p in new old; do printf $p >cred/hwkey.pks-passphrase; hwkey pks-read o1 >/dev/null && break; done; " + OBJECTS_AFTER


BOOT = "mkdir -p machine/proc/sys/kernel/random; echo 00000001-0000-4000-8000-000000000000 >machine/proc/sys/kernel/random/boot_id; "
NEXT_BOOT = "sed -i s/^0/1/ machine/proc/sys/kernel/random/boot_id; "
WORD = BOOT + STORED + "; umask 077; printf word >word"
# What this boot knows: no password, or the one and only; locked, or not.
STATE = """
hwkey pks-config --raw --noheadings --output PASSWORDS,LOCKED,OBJECTS
hwkey pks-read o1 --batch 2>&1 || hwkey pks-read o1 --password-file word 2>&1 || true
"""
STATE_AFTER = "echo third | hwkey pks-write after - --consumer firmware && hwkey pks-read after --consumer firmware >/dev/null"


# One of the others: there, of its size and empty, or not there.
PARTITION = """
if hwkey list-devices --raw --noheadings --output DEVICE | grep -qx more; then
hwkey pks-config --store more --raw --noheadings --output SIZE,OBJECTS
fi
""" + OBJECTS
PARTITION_AFTER = """
hwkey pks-config --store more --size 8K 2>/dev/null || hwkey pks-config --store more --create --size 8K
echo 00000002-0000-4000-8000-000000000000 >machine/proc/sys/kernel/random/boot_id
hwkey pks-write --store more after word; hwkey pks-read --store more after >/dev/null
""" + OBJECTS_AFTER
# An erase: all is as it was, or the same command once more ends it.
CONSOLE = BOOT + "mkdir machine/proc/self; echo '1 (sh) R 1 1 1 1025 1 0' >machine/proc/self/stat; "
ERASED = "set -- hwkey secure-erase --i-understand --quiet --raw --noheadings --output RESULT,WHAT %s; "
KEY_ERASED = REPO + "ls repo"


def pks_erased(again):
    """AGAIN: what ends one that was begun."""
    return "if [ -e pks/system ]; then rm -f pks/system/erase-boot pks/system/.hwkey.tmp\n" + OBJECTS + "else " + again + \
        "\nfi\nfind pks -type f | sort; find machine/run -type f | wc -l"


ERASE_ENDS = "[ ! -e pks/.erase ] || hwkey secure-erase --pks --now >/dev/null\n"
# Both keys, one, none, and then the keystore: each whole, or not at all.
ALL_ERASED = """
if [ -e pks/system ]; then hwkey validate --raw --noheadings --output NAME,STATUS,PATTERN
else hwkey secure-erase --all --now --i-understand >/dev/null 2>&1 || [ $? = 3 ]; find machine/run -type f; fi
ls repo pks
"""
VOLUME_ERASED = ERASED % "./vol" + """
if hwkey luks-open --test vol >/dev/null 2>&1; then echo opens; exit; fi
"$@" >/dev/null 2>&1 || [ $? = 5 ]
tail -c +4097 vol | tr -d '\\0' | wc -c    # the last write, of the first bytes, may be torn: there is no key in them
"""


SIZES = "hwkey pks-config --json --output SIZE,MAX,PENDING | jq -r '.keystore[0] | .size, .max, .pending // \"\"'" + OBJECTS


# A wrapping key and a secret under it, which opens in every state but revoked and removed.
UNDER = STORED + "; umask 077; hwkey pks-genkey web; echo secret | hwkey seal --wrapping-key web -o sealed"
WRAPPING = "hwkey pks-list --raw --noheadings --output LABEL,STATE; hwkey unseal -q sealed 2>/dev/null || echo closed"


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


# Volumes. There must be a way in before anything is mended; then what opens it is what did before or does after.
VOLUME = KEYS + "hwkey luks-format vol k1 --size 20M; "
OPENS = """
hwkey luks-open --test vol >/dev/null
hwkey luks-status --repair vol >/dev/null
hwkey luks-open --test vol --raw --noheadings --output TYPE,NAME,OPENS | sort
"""
VOLUME_AFTER = """
hwkey luks-status --repair vol >/dev/null
hwkey generate k3; hwkey luks-enroll vol k3; hwkey luks-unenroll vol k3
hwkey luks-open --test vol >/dev/null; hwkey check >/dev/null
"""
# Formatting is over when the volume opens; before that there is nothing on it to lose, but formatting again must work.
FORMATTED = "if hwkey luks-open --test vol >/dev/null; then echo opens; elif cmp -s vol blank; then echo untouched; else echo unfinished; fi"
PATTERN = "cryptsetup token export --token-id 1 vol || echo none; hwkey luks-open --test vol >/dev/null"
# An enrolment that was killed at the middle one of its fsyncs.
INTERRUPTED = VOLUME + """cp vol trial
n=$(faultat list -- hwkey luks-enroll trial k2 3>&1 >trace | awk '$2 == "fsync" { a[++i] = $1 } END { print a[int(i / 2)] }')
rm -f trial trace
faultat killa $n -- hwkey luks-enroll vol k2 || true
"""
CLEAN = """
hwkey luks-open --test vol >/dev/null
hwkey luks-status vol --raw --noheadings --output STATE | grep -qv '^ok$' && echo unclean || echo clean
"""


def volume(name, command, setup=VOLUME, dump=OPENS, after=VOLUME_AFTER, **more):
    return Scenario(name, setup, command, dump, after, slow=True, **more)


SCENARIOS = [
    repo("generate", ["hwkey", "generate", "new", "--description", "new one"]),
    repo("generate-first", ["hwkey", "generate", "new"], "true"),
    repo("wrap", ["hwkey", "wrap", "new", "{W}/clear"]),
    repo("rewrap", ["hwkey", "rewrap", "--to-new", "--all"], KEYS + "cp -r repo before", TOKENS,
         accept=(tokens("new", "old"), tokens("old", "new"))),
    repo("rewrap-under", ["hwkey", "rewrap", "--wrapping-key", "web", "--all"], KEYS + "hwkey pks-genkey web; cp -r repo before", TOKENS,
         accept=(tokens("new", "old"), tokens("old", "new"))),
    repo("copy", ["hwkey", "copy", "k1", "new"]),
    repo("rename", ["hwkey", "rename", "k1", "new"]),
    repo("remove", ["hwkey", "remove", "--force", "k1"]),
    repo("change", ["hwkey", "change", "k1", "--description", "another"]),
    repo("import", ["hwkey", "import", "new", "{W}/token"], KEYS + "cp repo/k1.skey token"),
    repo("check-repair", ["hwkey", "check", "--repair"], KEYS + "cp repo/k1.skey repo/orphan.skey; cp repo/k1.info repo/half.info",
         "hwkey check >/dev/null 2>&1 && echo clean || echo problems; for k in k1 k2; do hwkey validate $k >/dev/null; done",
         after="hwkey check --repair >/dev/null; " + REPO_AFTER),
    output("export", ["hwkey", "export", "k1", "{W}/out"], "", "cmp out repo/k1.skey"),
    output("seal", ["hwkey", "seal", "-o", "{W}/out", "{W}/clear"], "", "hwkey unseal out | cmp - clear"),
    output("unseal", ["hwkey", "unseal", "-o", "{W}/out", "{W}/sealed"], "hwkey seal -o sealed clear", "cmp out clear"),
    output("capture", ["hwkey", "capture", "--sysroot", "{W}/root", "{W}/out"],
           "mkdir -p root/proc; echo trusted.source=tpm >root/proc/cmdline; hwkey capture --sysroot root captured",
           "grep -q '^# /[^ ]*: ' out || cmp out captured"),
    pks("pks-first", ["hwkey", "pks-write", "o1", "-"], "true", "[ ! -e pks/system ] || { " + OBJECTS + "}", stdin=b"value"),
    pks("pks-write", ["hwkey", "pks-write", "o3", "-"], stdin=b"value"),
    pks("pks-replace", ["hwkey", "pks-write", "--replace", "o1", "-"], stdin=b"another value"),
    pks("pks-remove", ["hwkey", "pks-remove", "o1"]),
    pks("pks-write-damaged", ["hwkey", "pks-write", "o3", "-"], stdin=b"value",
        setup=STORED + "; printf 'DAMAGED!' | dd of=pks/system/local.B bs=1 seek=5000 conv=notrunc status=none",
        dump="grep -rl 'DAMAGED!' pks/system | wc -l; " + OBJECTS),     # it is kept, under whatever name
    pks("pks-password", ["hwkey", "pks-password", "--password-file", "{W}/word"], WORD, STATE, STATE_AFTER, slow=True),
    pks("pks-lock", ["hwkey", "pks-lock", "os"], WORD, STATE, STATE_AFTER),
    pks("pks-transient", ["hwkey", "pks-write", "t", "-", "--policy", "transient"], WORD, stdin=b"value"),
    pks("pks-first-of-boot", ["hwkey", "pks-write", "o3", "-"], STORED + "; " + BOOT, stdin=b"value"),
    pks("pks-resize", ["hwkey", "pks-config", "--size", "65536"], "hwkey pks-config --size 8K; " + WORD, SIZES),
    pks("pks-resize-pending", ["hwkey", "pks-config", "--power11", "--size", "128K"], WORD + "; hwkey pks-remove o2", SIZES),
    pks("pks-grows", ["hwkey", "pks-write", "o3", "-"], "hwkey pks-config --size 8K; " + WORD + "; hwkey pks-config --size 64K; " +
        BOOT.replace("00000001", "00000002"), SIZES, stdin=b"value"),
    pks("pks-create", ["hwkey", "pks-config", "--store", "more", "--create", "--size", "8K"], WORD, PARTITION, PARTITION_AFTER),
    pks("pks-disable", ["hwkey", "pks-config", "--size", "0"], BOOT + STORED + "; hwkey pks-remove o1; hwkey pks-remove o2",
        "hwkey pks-config --raw --noheadings --output SIZE,PENDING",
        "hwkey pks-config --size 64K; " + NEXT_BOOT + OBJECTS_AFTER),
    pks("pks-destroy", ["hwkey", "pks-config", "--store", "more", "--remove"],
        WORD + "; hwkey pks-config --store more --create --size 8K; hwkey pks-config --store more --size 0", PARTITION, PARTITION_AFTER),
    pks("pks-no-wait", ["hwkey", "pks-write", "o3", "-", "--no-wait"], BOOT + STORED, stdin=b"value", lazy=True),
    pks("pks-confirm", ["hwkey", "pks-confirm", "o3"], BOOT + STORED + "; echo three | hwkey pks-write o3 - --no-wait",
        "hwkey pks-config --raw --noheadings --output UNCONFIRMED; " + OBJECTS, lazy=True,
        accept=(b"\no1 - 4\no2 - 4\none\n\ntwo\n\n",)),    # the disk failed: what was not confirmed is lost
    pks("pks-confirm-removed", ["hwkey", "pks-confirm", "--removed", "o1"], BOOT + STORED + "; hwkey pks-remove o1 --no-wait",
        "hwkey pks-config --raw --noheadings --output UNCONFIRMED; " + OBJECTS, lazy=True,
        accept=(b"\no1 - 4\no2 - 4\none\n\ntwo\n\n",)),   # the disk failed: what was not confirmed is lost
    pks("pks-remove-no-wait", ["hwkey", "pks-remove", "o1", "--no-wait"], BOOT + STORED + "; hwkey pks-remove o2 --no-wait", lazy=True,
        accept=(b"o1 - 4\no2 - 4\none\n\ntwo\n\n",)),    # the disk failed: o2 was not confirmed to be gone
    pks("pks-genkey", ["hwkey", "pks-genkey", "web"], dump="hwkey pks-list --raw --noheadings --output LABEL,STATE"),
    pks("pks-revoke", ["hwkey", "pks-genkey", "--revoke", "web"], UNDER, WRAPPING),
    pks("pks-unrevoke", ["hwkey", "pks-genkey", "--unrevoke", "web"], UNDER + "; hwkey pks-genkey --revoke web", WRAPPING),
    pks("pks-remove-key", ["hwkey", "pks-remove", "--force", "web"], UNDER + "; hwkey pks-genkey --revoke web", WRAPPING),
    repo("generate-under", ["hwkey", "generate", "new", "--wrapping-key", "web"], KEYS + "hwkey pks-genkey web"),
    pks("pks-add-slot", ["hwkey", "pks-config", "--add-slot=passphrase", "--passphrase-file={W}/cred/hwkey.pks-passphrase"], SLOTS,
        SLOT_DUMP, slow=True),
    pks("pks-replace-slot", ["hwkey", "pks-config", "--add-slot=passphrase", "--replace", "--passphrase-file={W}/new"],
        SLOTS + ADD + "hwkey pks-config --remove-slot=plain; printf new >new",
        "for p in new old; do printf $p >cred/hwkey.pks-passphrase; hwkey pks-read o1 && echo $p; done; true", after=PASSPHRASE_AFTER, slow=True),
    pks("pks-anchor", ["hwkey", "pks-config", "--anchor", HERE + "card/anchor"], STORED + "; mkdir card", SLOT_DUMP),
    pks("pks-check", ["hwkey", "pks-check", "--repair"],
        "hwkey pks-config --size 8K; " + WORD + "; hwkey pks-config --size 64K --quiet; mkdir card; hwkey pks-config --anchor " + HERE +
        "card/anchor; rm card/anchor; sed -i s/00000001/00000002/ machine/proc/sys/kernel/random/boot_id", SIZES,
        "hwkey pks-check --repair >/dev/null; " + HEALTHY + OBJECTS_AFTER, done=HEALTHY),
    pks("pks-heal-foreign", ["hwkey", "pks-check", "--repair", "--heal-foreign"],
        BOOT + STORED + "; mkdir card; export HWKEY_PKS_DIR=$PWD/other; echo x | hwkey pks-write x -; hwkey pks-config --anchor $PWD/foreign; "
        "export HWKEY_PKS_DIR=$PWD/pks; hwkey pks-config --anchor " + HERE + "card/anchor; mv -f foreign card/anchor",
        "hwkey pks-check --raw --noheadings --output RESULT || true; hwkey pks-read o1",
        "hwkey pks-check --repair --heal-foreign >/dev/null; " + HEALTHY + OBJECTS_AFTER, done=HEALTHY),
    pks("pks-no-anchor", ["hwkey", "pks-config", "--remove-slot", "anchor"],
        STORED + "; mkdir card; hwkey pks-config --anchor " + HERE + "card/anchor", SLOT_DUMP,
        "hwkey pks-config --anchor " + HERE + "card/anchor --replace; " + OBJECTS_AFTER),
    pks("pks-anchor-moves", ["hwkey", "pks-config", "--anchor", HERE + "other/anchor", "--replace"],
        STORED + "; mkdir card other; hwkey pks-config --anchor " + HERE + "card/anchor --remove-slot plain",
        "hwkey pks-read o1; mv card away; hwkey pks-read o1 2>/dev/null && echo moved; mv away card"),
    output("pks-tsk-new", ["hwkey", "pks-tsk", "--new", "{W}/out"], "", "hwkey pks-tsk --set out && hwkey pks-tsk --check out"),
    pks("pks-tsk", ["hwkey", "pks-tsk", "--set", "{W}/tsk"], TSK, SLOT_DUMP),
    pks("pks-tsk-replace", ["hwkey", "pks-tsk", "--set", "{W}/new", "--replace"], TSK + "hwkey pks-tsk --set tsk; hwkey pks-tsk --new new",
        "for f in tsk new; do ! hwkey pks-tsk --check $f || echo $f; done; " + SLOT_DUMP),
    pks("pks-tsk-remove", ["hwkey", "pks-config", "--remove-slot", "tsk"], TSK + "hwkey pks-tsk --set tsk", SLOT_DUMP),
    pks("pks-backup-replace", ["hwkey", "pks-backup", "--force", "{W}/backup"], BACKUP + "hwkey pks-remove o1",
        "rm -rf copy; export HWKEY_PKS_DIR=$PWD/copy; hwkey pks-restore --tsk-file tsk backup; " + OBJECTS),
    output("pks-backup", ["hwkey", "pks-backup", "{W}/out"], TSK + "hwkey pks-tsk --set tsk",
           "rm -rf copy && HWKEY_PKS_DIR=$PWD/copy hwkey pks-restore --tsk-file tsk out"),
    pks("pks-export", ["hwkey", "pks-export", "--tsk-file", "{W}/tsk", "{W}/out"], THERE,
        MOVED + "; if [ -e out ]; then rm -rf copy; cp -r there copy; HWKEY_PKS_DIR=$PWD/copy hwkey pks-import --tsk-file tsk out; fi",
        # a mark that was cut short looks like a change that was: the same again says to repair that, and then makes the file
        "rm -f out; hwkey pks-check --repair >check 2>&1 || true; rm check; "
        "hwkey pks-export --tsk-file tsk out; hwkey pks-export --cancel; " + OBJECTS_AFTER,
        accept=(b"one\nwas exported\n",)),
    pks("pks-export-cancel", ["hwkey", "pks-export", "--cancel"], THERE + "hwkey pks-export --tsk-file tsk out", MOVED,
        "hwkey pks-export --cancel || true; " + OBJECTS_AFTER),
    pks("pks-export-confirm", ["sh", "-c", "read receipt <receipt; exec hwkey pks-export --confirm $receipt"],
        THERE + "hwkey pks-export --tsk-file tsk out; HWKEY_PKS_DIR=$PWD/there hwkey pks-import --tsk-file tsk out >receipt",
        MOVED, "hwkey pks-export --confirm $(cat receipt) || true; ! hwkey pks-read o1 2>/dev/null",
        uses="pks-export"),
    pks("pks-import", ["hwkey", "pks-import", "--tsk-file", "{W}/tsk", "{W}/out"],
        THERE + "hwkey pks-export --tsk-file tsk out; rm -r pks; mv there pks", OBJECTS, "hwkey pks-import --tsk-file tsk out; " + OBJECTS_AFTER),
    pks("pks-restore", ["hwkey", "pks-restore", "{W}/backup", "--accept-rollback"], BACKUP + "echo new | hwkey pks-write o3 -; hwkey pks-remove o1"),
    pks("pks-restore-whole", ["hwkey", "pks-restore", "{W}/backup"], BACKUP + "rm -r pks/system", "[ ! -e pks/system ] || { " + OBJECTS + "}"),
    pks("pks-restore-root", ["hwkey", "pks-restore", "{W}/backup", "--root-key-only"], BACKUP + "hwkey pks-remove o1; rm pks/system/root.*",
        "if [ -e pks/system/root.tsk ]; then hwkey pks-read o2; else echo none; fi", "hwkey pks-read o2 || hwkey pks-restore backup --root-key-only; " + OBJECTS_AFTER),
    pks("pks-restore-damaged", ["hwkey", "pks-restore", "{W}/backup"], BACKUP + "echo damage | tee pks/system/local.A >pks/system/local.B",
        "if hwkey pks-list >/dev/null; then :; else echo lost; exit 0; fi; " + OBJECTS, "hwkey pks-list || hwkey pks-restore backup; " + OBJECTS_AFTER),
    volume("luks-format", ["hwkey", "luks-format", "{W}/vol", "k1"], KEYS + "truncate -s 20M vol; cp --sparse=always vol blank", FORMATTED,
           "hwkey luks-open --test vol >/dev/null || hwkey luks-format vol k1 --force --batch; " + VOLUME_AFTER, accept=(b"unfinished\n",)),
    volume("luks-format-new", ["hwkey", "luks-format", "{W}/vol", "k1", "--size", "20M"], KEYS,
           "if [ ! -e vol ]; then echo none; elif hwkey luks-open --test vol >/dev/null; then echo opens; else echo unfinished; fi",
           "[ -s vol ] || { rm -f vol; hwkey luks-format vol k1 --size 20M; }\n"
           "hwkey luks-open --test vol >/dev/null || hwkey luks-format vol k1 --force --batch; " + VOLUME_AFTER, accept=(b"unfinished\n",)),
    volume("luks-enroll", ["hwkey", "luks-enroll", "{W}/vol", "k2"]),
    volume("luks-replace", ["hwkey", "luks-enroll", "{W}/vol", "k2", "--replace", "k1"],
           accept=(b"hwkey k1 yes\nhwkey k2 yes\n",)),
    volume("luks-unenroll", ["hwkey", "luks-unenroll", "{W}/vol", "k2"], VOLUME + "hwkey luks-enroll vol k2"),
    volume("luks-recovery", ["hwkey", "luks-recovery", "{W}/vol"],
           accept=(b"hwkey k1 yes\npassphrase - no\n",)),    # a slot that was not yet known to be of the recovery key
    volume("luks-repair", ["hwkey", "luks-status", "--repair", "{W}/vol"], INTERRUPTED, CLEAN),
    volume("setvp", ["hwkey", "setvp", "{W}/vol", "k1"], VOLUME + "cryptsetup token remove --token-id 1 vol", PATTERN),
    repo("erase-key", ["hwkey", "secure-erase", "--i-understand", "k1"], dump=KEY_ERASED),
    pks("erase-pks", ["hwkey", "secure-erase", "--i-understand", "--pks"], CONSOLE + STORED,
        pks_erased(ERASED % "--pks" + '"$@" 2>/dev/null'), ERASE_ENDS + OBJECTS_AFTER,
        done="[ ! -e pks/system ] && [ ! -e pks/.erase/root.plain ]"),
    pks("erase-pks-later", ["hwkey", "secure-erase", "--pks"], CONSOLE + STORED + "; hwkey secure-erase --i-understand --pks; " + NEXT_BOOT,
        "[ -e pks/.erase ] && echo erasing || find pks -type f",
        "[ ! -e pks/.erase ] || hwkey secure-erase --pks >/dev/null; " + OBJECTS_AFTER),
    pks("erase-pks-now", ["hwkey", "secure-erase", "--i-understand", "--pks", "--now"], CONSOLE + STORED, pks_erased(ERASE_ENDS), ERASE_ENDS +
        OBJECTS_AFTER, done="[ ! -e pks/.erase ]"),
    Scenario("erase-all", CONSOLE + KEYS, ["hwkey", "secure-erase", "--i-understand", "--all", "--now"], ALL_ERASED, ERASE_ENDS + REPO_AFTER,
             accept=(b"k2 valid matches\npks:\nsystem\n\nrepo:\nk2.info\nk2.skey\n", b"pks:\nsystem\n\nrepo:\n"),
             done=REPO_DONE + "[ ! -e pks/.erase ]"),
    volume("erase-volume", ["hwkey", "secure-erase", "--i-understand", "{W}/vol"], dump=VOLUME_ERASED,
           after="hwkey secure-erase --i-understand ./vol || [ $? = 5 ]; [ \"$(tail -c +4097 vol | tr -d '\\0' | wc -c)\" = 0 ]"),
    pks("pks-remove-slot", ["hwkey", "pks-config", "--remove-slot=plain"], SLOTS + ADD, SLOT_DUMP, slow=True),
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
