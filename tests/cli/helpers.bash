# Every test gets its own repository and keystore, and the binary of this build tree.
top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
build=${B:-build}
case $build in /*) ;; *) build=$top/$build ;; esac
PATH=$(dirname "$(readlink -f "$build/hwkey")"):$PATH
export PATH HWKEY_REPOSITORY=$BATS_TEST_TMPDIR/repository HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/pks HWKEY_SYSROOT=$BATS_TEST_TMPDIR/machine
unset CREDENTIALS_DIRECTORY
exec </dev/null		# of the whole test: what a command is to read is given to it by name

not() { ! "$@"; }	# "!" alone would not fail a test

# fails STATUS WORDS COMMAND...: it exits with STATUS and says one line with WORDS in it on standard error.
fails() {
	local want=$1 words=${2:?WORDS} err status=0
	shift 2
	err=$("$@" 2>&1 >/dev/null) || status=$?
	if [ "$status" -ne "$want" ] || [ "$(grep -c . <<<"$err")" -ne 1 ] || [[ $err != *"$words"* ]]; then
		echo "wanted exit $want and one line with '$words'; got exit $status: $err" >&2
		return 1
	fi
}

# boot N: the machine is in its boot N
boot() {
	install -D /dev/null "$HWKEY_SYSROOT/proc/sys/kernel/random/boot_id"
	printf '%08d-0000-4000-8000-000000000000\n' "$1" >"$HWKEY_SYSROOT/proc/sys/kernel/random/boot_id"
}

# console MAJOR:MINOR: the terminal of the command; 0:0: none
console() {
	install -D /dev/null "$HWKEY_SYSROOT/proc/self/stat"
	echo "4711 (a) b) R 1 1 1 $((${1%:*} << 8 | ${1#*:})) 1 4194304" >"$HWKEY_SYSROOT/proc/self/stat"
}

# A binary with sanitizers cannot look for leaks while it is traced, and would fail.
if command -v strace >/dev/null; then
	strace() { ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 command strace "$@"; }
fi
