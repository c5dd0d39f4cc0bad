# SPDX-License-Identifier: MIT
# What a user sees of seal and unseal.

setup() {
	load helpers
	mkdir "$BATS_TEST_TMPDIR/dir"
	cd "$BATS_TEST_TMPDIR/dir" || exit 1
	printf 'the-marker-of-the-secret\n' > clear
}

files() { find . -mindepth 1 -printf '%f\n' | sort | tr '\n' ' '; }

header_size() { grep -abo -m1 '^---$' "$1" | cut -d: -f1; }

@test "seal and unseal: files, pipes, -" {
	hwkey seal clear -o sealed
	[ "$(grep -c marker sealed)" = 0 ]
	hwkey unseal sealed -o again
	cmp clear again
	[ "$(hwkey seal < clear | hwkey unseal)" = "$(cat clear)" ]
	[ "$(hwkey seal - < clear | hwkey unseal - -o -)" = "$(cat clear)" ]
	[ "$(files)" = "again clear sealed " ]
}

@test "seal and unseal: some megabytes through a pipe, and nothing at all" {
	head -c 5000001 /dev/urandom > big
	cat big | hwkey seal | cat | hwkey unseal | cmp - big
	: > empty
	hwkey seal empty -o sealed
	hwkey unseal sealed -o again
	[ -f again ] && [ ! -s again ]
}

@test "seal: files are the user's alone, whatever the umask" {
	umask 0
	hwkey seal clear -o sealed
	hwkey unseal sealed -o again
	[ "$(stat -c %a sealed again | sort -u)" = 600 ]
}

@test "unseal --explain tells what is needed and opens nothing" {
	hwkey seal clear -o sealed --label 'Schlüssel no. 1'
	export HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/nothing-here
	run hwkey unseal --explain sealed
	[ "$status" -eq 0 ]
	[[ $output =~ FORMAT\ +1 && $output =~ BACKEND\ +soft && $output =~ DEVICE\ +local ]]
	[[ $output =~ LABEL\ +Schlüssel\ no\.\ 1 && $output =~ CREATED\ +20[0-9-]+T[0-9:]+Z ]]
	hwkey unseal --explain --json sealed |
		python3 -c 'import json, sys; s, = json.load(sys.stdin)["sealed"]; assert (s["format"], s["backend"]) == (1, "soft")'
	[ ! -e "$HWKEY_PKS_DIR" ]
	fails 2 "--explain" hwkey unseal --json sealed
	fails 2 "--explain" hwkey unseal --explain sealed -o again
}

@test "seal: the header is text a person can read" {
	hwkey seal clear -o sealed -l note
	run head -n 5 sealed
	[ "${lines[0]}" = hwkey-sealed/1 ]
	[ "${lines[1]}" = "backend: soft" ]
	[ "${lines[4]}" = "label: note" ]
}

@test "unseal: a cut or changed file leaves nothing behind" {
	head -c 200000 /dev/zero | tr '\0' m > clear
	hwkey seal clear -o sealed
	size=$(stat -c %s sealed) head=$(header_size sealed)
	for n in 1 16 65552 $((size - head - 4)) $((size - head + 10)) $((size - 20)) $((size - 1)) "$size"; do
		head -c -"$n" sealed > bad
		fails 6 bad hwkey unseal bad -o again
	done
	for at in $((head / 2)) $((head - 20)) $((head + 100)) $((head + 100000)) $((size - 1)); do
		cp sealed bad
		byte=$(od -An -tu1 -j "$at" -N 1 sealed)	# of random bytes, any value may stand there already
		printf '%b' "\\0$(printf %o $((byte ^ 255)))" | dd of=bad bs=1 seek="$at" conv=notrunc status=none
		fails 6 bad hwkey unseal bad -o again
	done
	{ cat sealed; echo; } > bad
	fails 6 bad hwkey unseal bad -o again
	[ "$(files)" = "bad clear sealed " ]
}

@test "unseal: to a pipe only verified segments come out" {
	head -c 200000 /dev/urandom > clear
	hwkey seal clear -o sealed
	head -c -1 sealed > bad
	run bash -c 'hwkey unseal bad > out'
	[ "$status" -eq 6 ]
	[ "$(stat -c %s out)" -eq 196608 ]
	cmp -n 196608 out clear
}

@test "unseal: another machine's file is refused" {
	hwkey seal clear -o sealed
	HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/other hwkey seal clear -o theirs
	fails 6 theirs hwkey unseal theirs -o again
	HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/other fails 6 sealed hwkey unseal sealed -o again
	HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/none fails 6 "not sealed by this machine" hwkey unseal sealed -o again
	[ ! -e "$BATS_TEST_TMPDIR/none" ]
	[ "$(files)" = "clear sealed theirs " ]
}

@test "unseal: what is no sealed file, or of a later format, is said to be so" {
	fails 6 "'clear': not sealed data" hwkey unseal clear
	fails 6 "not sealed data" hwkey unseal /dev/null
	fails 6 "not sealed data" hwkey unseal /dev/zero
	printf 'hwkey-sealed/2\nnew: yes\n' > later
	fails 5 "format 2" hwkey unseal later
	fails 5 "format 2" hwkey unseal --explain later
}

@test "seal and unseal: missing input, existing output, unknown device" {
	fails 3 "'none'" hwkey seal none -o sealed
	fails 3 "'none'" hwkey unseal none -o again
	fails 5 "'none'" hwkey seal clear -d none -o sealed
	fails 3 "'none'" hwkey seal clear -o none/sealed
	fails 2 "unexpected" hwkey seal clear clear
	fails 2 "label" hwkey seal clear -o sealed --label $'two\nlines'
	[ "$(files)" = "clear " ]
	echo precious > sealed
	fails 7 "exists" hwkey seal clear -o sealed
	[ "$(cat sealed)" = precious ]
	hwkey seal clear -o sealed --force
	echo precious > again
	fails 7 "exists" hwkey unseal sealed -o again
	[ "$(cat again)" = precious ]
	hwkey unseal sealed -o again --force
	cmp clear again
	ln -s precious link
	fails 7 "regular" hwkey unseal sealed -o link --force
	[ "$(files)" = "again clear link sealed " ]
}

@test "seal and unseal: a reader that goes away, a full disk" {
	head -c 3000000 /dev/zero > big
	hwkey seal big -o sealed
	for command in 'hwkey seal --quiet big' 'hwkey unseal sealed'; do
		run bash -c "{ $command 2>&1 >&3; echo \$? >&2; } 3>&1 >err 2>status | head -c 1 >/dev/null"
		[ "$(cat status)" = 1 ]
		grep -q 'standard output.*Broken pipe' err
		fails 8 "standard output" bash -c "$command > /dev/full"
	done
}

@test "unseal: nothing secret on a terminal unless forced" {
	hwkey seal clear -o sealed
	run script -qec "hwkey unseal sealed" /dev/null
	[ "$status" -eq 4 ]
	[[ $output == *--force-tty* && $output != *marker* ]]
	run script -qec "hwkey unseal --force-tty sealed" /dev/null
	[ "$status" -eq 0 ]
	[[ $output == *the-marker-of-the-secret* ]]
	run script -qec "hwkey seal clear" /dev/null
	[ "$status" -eq 4 ]
	[[ $output != *backend* ]]
}

@test "seal: a signal leaves nothing behind" {
	mkfifo fifo
	hwkey seal fifo -o sealed 3>&- &
	exec 9<> fifo
	echo some >&9
	sleep 0.2
	kill -TERM $!
	status=0
	wait $! || status=$?
	exec 9>&-
	[ "$status" = 143 ]
	[ "$(files)" = "clear fifo " ]
}

@test "unseal: no byte of the secret in an error" {
	head -c 70000 /dev/zero | tr '\0' M > clear
	hwkey seal clear -o sealed
	truncate -s -1 sealed
	run hwkey unseal sealed -o again
	[ "$status" -eq 6 ]
	[[ $output != *MMM* ]]
}
