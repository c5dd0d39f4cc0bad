# Each test has a machine: a state directory that outlives its reboots. No test has another's.
bats_require_minimum_version 1.5.0
top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
export B=${B:-build}
case $B in /*) ;; *) B=$top/$B ;; esac
logs=$B/kernel

# guest [OPTION OF uml...] <<'EOF': boots the test's machine, runs what comes from standard input as root, halts it. Called
# again it is the same machine after a reboot. '--' and words after it are the script's arguments. RING names another runner.
guest() {
	local machine=${machine:-machine} script log options=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1") && shift; done
	mkdir -p "$BATS_TEST_TMPDIR/$machine" "$logs"
	script=$(mktemp "$BATS_TEST_TMPDIR/script.XXXXXX")
	cat "$top/tests/kernel/guest.bash" - >"$script"
	log=$logs/$(basename "$BATS_TEST_FILENAME" .bats)-$BATS_TEST_NUMBER-$(basename "$script")
	"$top/tests/kernel/${RING:-uml}" -s "$BATS_TEST_TMPDIR/$machine" -l "$log" "${options[@]}" "$script" "${@:2}"
}

# on MACHINE guest ...: another machine than the test's own
on() { machine=$1 "${@:2}"; }
