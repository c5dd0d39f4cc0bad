#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Volumes that others changed, too, and what an interrupted change left: only what is certainly ours goes.

setup() {
	load helpers
	cd "$BATS_TEST_TMPDIR"
	hwkey generate -q disk1
	truncate -s 40M v
	echo -n secret >pf
	echo -n other >ci.key
	chmod 600 pf ci.key
	cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --hash sha256 v pf
	hwkey luks-enroll -q v disk1 --key-file pf
}

not() { ! "$@"; }	# "!" alone would not fail a test
state() { hwkey luks-status v --raw --noheadings --output "${1:-SLOT,TYPE,STATE}"; }
opens_by() { cryptsetup open --test-passphrase --key-file "$1" v; }
add_key() { cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --hash sha512 --key-file pf v "$@"; }
token() { cryptsetup token "$1" --disable-external-tokens v "${@:2}"; }
# edit_token ID FILTER
edit_token() {
	token export --token-id "$1" >t
	token remove --token-id "$1"
	jq -c "$2" t | token import --token-id "$1"
}
# kill9 N COMMAND...: SIGKILL at its N-th sync; false if there is none
kill9() {
	command -v strace || skip 'no strace'
	local status=0
	strace -f -qq -o /dev/null -e trace=fsync,fdatasync -e "inject=fsync,fdatasync:signal=SIGKILL:when=$1" \
		"${@:2}" >/dev/null 2>&1 || status=$?
	[ "$status" -ne 0 ]
}

@test "a recovery key that nobody was given is no way in" {
	cp --sparse=always v before
	n=1
	while kill9 $n hwkey luks-recovery -q v -o rk; do
		if [ ! -e rk ]; then
			not grep -q '^[0-9]* hwkey-recovery' <(state)
			hwkey luks-status -q --repair v >/dev/null
			not grep -qE 'recovery|pending' <(state)
			hwkey luks-unenroll -q v --slot 0
			fails 7 'last way' hwkey luks-unenroll v disk1
		fi
		rm -f rk
		cp --sparse=always before v
		n=$((n + 1))
	done
	[ $n -gt 10 ]
	opens_by rk
	state | grep -q 'hwkey-recovery ok'
}

@test "an interrupted recovery key takes no keyslot with it that another made since" {
	cp --sparse=always v before
	n=1 left=0
	while kill9 $n hwkey luks-recovery -q v -o rk; do
		if grep -q pending <(state) && add_key ci.key; then
			hwkey generate -q other$n
			hwkey luks-enroll -q v other$n
			opens_by ci.key
			hwkey luks-status --repair v >out
			not grep -q pending <(state)
			! grep -q 'nothing tells' out || left=1
			opens_by ci.key
			[ -z "$(hwkey luks-status --repair --noheadings v)" ]
		fi
		rm -f rk
		cp --sparse=always before v
		n=$((n + 1))
	done
	[ $left -eq 1 ]
}
