# SPDX-License-Identifier: MIT
"""Every command that asks a TPM, one scenario or more each."""
from lab import Scenario


class TpmScenario(Scenario):
    """As the other ones: dump prints what was made. Without a dump it is what the command itself prints that counts, and if it
    fails it prints nothing; TELLS: or something else. REFUSED: the right thing is that it fails.
    EXPLAINS: what went wrong is what it prints. CHANGES_TPM: what it keeps is put back each time, and so PCRs are zero."""

    def __init__(self, name, setup, command, dump=None, stdin=b"", quick=False, tells=False, refused=False, changes_tpm=False,
                 explains=False):
        super().__init__(name, CLEAR + setup, command, dump or "", stdin=stdin)
        self.prints, self.quick, self.tells, self.refused = dump is None, quick, tells, refused
        self.changes_tpm, self.explains = changes_tpm, explains


CLEAR = """
umask 077
tpm2_readpublic -Q -c 0x81000001 2>/dev/null || {
tpm2_createprimary -Q -C owner -g sha256 -G ecc256:null:aes128cfb -c srk \\
-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'
tpm2_evictcontrol -Q -C owner -c srk 0x81000001
rm srk; }
[ "$(tpm2_pcrread sha256:7 | grep -c 0x0000000000)" = 0 ] || tpm2_pcrextend 7:sha256=$(printf '%064d' 1)
tpm2_flushcontext -t
printf 'the payload' >clear
"""


def naive(name, script, hows, found):
    """One that makes out from what tpm2-tools say, and fails as it should; SCRIPT may know better."""
    script = "fail() { rm -f tmp; echo 'hwkey: it failed' >&3; exit 1; }; exec 3>&2 2>/dev/null; " + script + "; exec 2>&3; "
    return TpmScenario("naive-" + name, "", ["sh", "-c", script], "cat out"), hows.split(), found


READ = "tpm2_pcrread sha256:7 >tmp"
SESSION = "tpm2_startauthsession --policy-session -S s || { rm -f s; fail; }; tpm2_policypcr -Q -S s -l sha256:7 || { rm s; fail; }; " \
    "tpm2_flushcontext s; rm -f s; echo >out"
# What the harness must say of each, with which faults.
NAIVE = [
    naive("good", READ + " && mv tmp out || fail", "rc=1df refuse lose short", ""),
    naive("believes", READ + " && mv tmp out || fail", "flip", "lost"),
    naive("deaf", READ + "; mv tmp out", "rc=1df refuse", "lost"),
    naive("talks", "exec 2>&3; " + READ + " && mv tmp out || fail", "rc=1df refuse", "unclear"),
    naive("wrong-status", READ + " && mv tmp out || fail", "rc=921", "unclear"),
    naive("early", "echo >out; " + READ + " && mv tmp out || fail", "rc=1df refuse", "changed"),
    naive("insists", "for i in $(seq 200); do " + READ + " && mv tmp out && exit; done; fail", "rc=101", "insists"),
    naive("forgets", SESSION, "rc=98e", "left"),
]
DEVICE = ["--device", "tpm0"]
SEAL = "hwkey seal -q --device tpm0 -o sealed clear %s; "
UNSEAL = ["hwkey", "unseal", "-q", "{W}/sealed"]
PIN = "umask 077; mkdir cred; printf 4815162342 | tee pin >cred/hwkey.tpm2-pin; "
SIGNED = """
openssl genrsa -out key 2048 2>/dev/null; openssl pkey -in key -pubout -out public
tpm2_startauthsession -S session; tpm2_policypcr -Q -S session -l sha256:11 -L policy; tpm2_flushcontext session; rm session
mkdir -p machine/run/systemd
printf '{"sha256":[{"pcrs":[11],"pkfp":"%s","pol":"%s","sig":"%s"}]}' \
"$(openssl rsa -in key -RSAPublicKey_out -outform DER 2>/dev/null | sha256sum | cut -d ' ' -f 1)" \
"$(od -An -v -tx1 policy | tr -d ' \n')" "$(openssl dgst -sha256 -sign key policy | base64 -w 0)" >machine/run/systemd/tpm2-pcr-signature.json
"""
STORED = "echo one | hwkey pks-write -q o1 -; echo two | hwkey pks-write -q o2 -; "
ONLY_TPM = "hwkey pks-config -q --add-slot tpm2 --remove-slot plain; "
SLOTS = "hwkey pks-config --raw --noheadings --output SLOTS; hwkey pks-read o1"
OBJECTS = "hwkey pks-list --raw --noheadings --output LABEL,SIZE; hwkey pks-read o1"
FIRST = "hwkey generate -q --device local first; "
KEY = "hwkey generate -q --device tpm0 key; "
VOLUME = KEY + "hwkey luks-format -q --size 20M vol key; "
VALID = "hwkey validate --raw --noheadings --output NAME,STATUS,PATTERN"
WHOLE = "[ ! -e out ] || { hwkey unseal -q out | cmp - clear && echo whole; }"


def seal(name, setup="", *options, **more):
    return TpmScenario("seal" + name, setup, ["hwkey", "seal", "-q", "-o", "{W}/out", "{W}/clear"] + DEVICE + list(options), WHOLE, **more)


SCENARIOS = [
    seal("", quick=True),
    seal("-pcr", "", "--pcrs", "7"),
    seal("-pin", PIN, "--pcrs", "7", "--pin-file", "{W}/pin"),
    seal("-values", "{ echo 7=%064d; echo; echo 7=%064d; } >values; " % (1, 2), "--pcrs", "7", "--pcr-values", "{W}/values", quick=True),
    TpmScenario("unseal", SEAL % "", UNSEAL, quick=True),
    TpmScenario("unseal-primary", "tpm2_evictcontrol -Q -C owner -c 0x81000001; " + SEAL % "", UNSEAL),
    TpmScenario("unseal-pin", PIN + SEAL % "--pcrs 7 --pin-file pin", UNSEAL, quick=True),
    TpmScenario("unseal-refused", SEAL % "--pcrs 7" + "tpm2_pcrextend 7:sha256=%064d; " % 2, UNSEAL, refused=True),
    TpmScenario("unseal-explain", SEAL % "--pcrs 7", ["hwkey", "unseal", "--explain", "{W}/sealed"], tells=True, explains=True),
    TpmScenario("unseal-signed", SIGNED + SEAL % "--public-key public", UNSEAL),
    TpmScenario("generate", FIRST, ["hwkey", "generate", "-q", "new"] + DEVICE, VALID),
    TpmScenario("wrap", FIRST + "head -c 32 clear >bytes; truncate -s 32 bytes", ["hwkey", "wrap", "-q", "new", "{W}/bytes"] + DEVICE, VALID),
    TpmScenario("rewrap", KEY + "cp repo/key.skey before", ["hwkey", "rewrap", "-q", "--all"],
                VALID + "; cmp -s repo/key.skey before || echo new"),
    TpmScenario("rewrap-pcr", KEY + "cp repo/key.skey before", ["hwkey", "rewrap", "-q", "--pcrs", "7", "--all"],
                VALID + "; cmp -s repo/key.skey before || echo new"),
    TpmScenario("rewrap-other", KEY + "cp repo/key.skey before", ["hwkey", "rewrap", "-q", "--device", "tpm1", "--all"],
                VALID + "; cmp -s repo/key.skey before || echo new"),
    TpmScenario("validate", KEY, ["hwkey", "validate"], tells=True),
    TpmScenario("luks-format", KEY, ["hwkey", "luks-format", "-q", "--size", "20M", "{W}/vol", "key"],
                "hwkey luks-open -q --test vol >/dev/null && echo opens"),
    TpmScenario("luks-enroll", VOLUME + "hwkey generate -q --device tpm0 more", ["hwkey", "luks-enroll", "-q", "{W}/vol", "more"],
                "hwkey luks-open --test vol --raw --noheadings --output NAME,OPENS | sort"),
    TpmScenario("luks-enroll-pcr", VOLUME + "hwkey generate -q --device tpm0 more",
                ["hwkey", "luks-enroll", "-q", "--pcrs", "7", "{W}/vol", "more"],
                "hwkey luks-open --test vol --raw --noheadings --output NAME,OPENS | sort"),
    TpmScenario("make-srk", "tpm2_evictcontrol -Q -C owner -c 0x81000001; ", ["hwkey", "doctor", "--make-srk", "--device", "tpm0"],
                "tpm2_readpublic -Q -c 0x81000001 2>/dev/null && echo there; true", changes_tpm=True),
    TpmScenario("pks-slot", STORED, ["hwkey", "pks-config", "-q", "--add-slot", "tpm2"], SLOTS),
    TpmScenario("pks-read", STORED + ONLY_TPM, ["hwkey", "pks-read", "o1"]),
    TpmScenario("pks-write", STORED + ONLY_TPM, ["hwkey", "pks-write", "o3", "-"], OBJECTS, stdin=b"value"),
    TpmScenario("pks-counter", STORED, ["hwkey", "pks-config", "-q", "--counter"],
                "hwkey pks-config --raw --noheadings --output ROLLBACK | sed 's/0x.*//'; hwkey pks-read o1", changes_tpm=True),
    TpmScenario("pks-write-counter", STORED + "hwkey pks-config -q --counter", ["hwkey", "pks-write", "o3", "-"], OBJECTS,
                stdin=b"value", changes_tpm=True),
    TpmScenario("luks-open", VOLUME, ["hwkey", "luks-open", "--test", "{W}/vol"], tells=True, quick=True),
    TpmScenario("import", KEY + "hwkey export key key.pem --format tss2; ", ["hwkey", "import", "new", "{W}/key.pem"] + DEVICE, VALID),
    TpmScenario("export", KEY, ["hwkey", "export", "key", "{W}/out", "--format", "tss2"], "grep -c TSS2 out"),
]
