# SPDX-License-Identifier: MIT
"""Every command that asks a TPM, one scenario or more each."""
from lab import Scenario


class TpmScenario(Scenario):
    """As the other ones: DUMP prints what was made, and fails, or prints what was not there before, if it is not right. Without
    a dump it is what the command itself prints that counts."""

    def __init__(self, name, setup, command, dump=None, stdin=b"", quick=False):
        super().__init__(name, setup, command, dump or "", stdin=stdin)
        self.prints, self.quick = dump is None, quick


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
    return TpmScenario("naive-" + name, CLEAR, ["sh", "-c", script], "cat out"), hows.split(), found


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
    naive("insists", "for i in $(seq 30); do " + READ + " && mv tmp out && exit; done; fail", "rc=101", "insists"),
    naive("forgets", SESSION, "rc=98e", "left"),
]
SCENARIOS = []
