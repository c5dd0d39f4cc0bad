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

@test "a key that is renewed or removed takes no keyslot with it that its token only names" {
	edit_token 0 '.keyslots = ["0", "1"]'
	cp --sparse=always v before
	hwkey luks-enroll v disk1 2>err
	grep -q "keyslot 0 of 'v' stays" err
	opens_by pf
	[ "$(state TYPE | grep -cx hwkey)" -eq 1 ]
	cp --sparse=always before v
	hwkey change -q disk1 --volumes "$PWD/v:data"
	hwkey rewrap -q --to-new disk1
	opens_by pf
	[ "$(state TYPE | grep -cx hwkey)" -eq 1 ]
	cp --sparse=always before v
	hwkey luks-unenroll v disk1 2>err
	grep -q "keyslot 0 of 'v' stays" err
	opens_by pf
	[ "$(state TYPE | grep -cx hwkey)" -eq 0 ]
	cp --sparse=always before v
	HWKEY_PKS_DIR=$PWD/none fails 7 'names several keyslots' hwkey luks-unenroll v disk1
	opens_by pf
}

@test "a token that names several keyslots opens by the one that it opens, and repair takes the others off it" {
	edit_token 0 '.keyslots = ["0", "1"]'
	hwkey generate -q disk2
	hwkey luks-enroll -q --batch v disk2
	hwkey luks-status --repair v --raw --noheadings --output SLOT,TOKEN >out
	[ "$(cat out)" = '0 0' ]
	state | grep -qx '0 passphrase -'
	[ -z "$(hwkey luks-status --repair --noheadings v)" ]
	opens_by pf
	hwkey luks-open -q --test v >/dev/null
}

@test "repair completes no removal whose other way in is unproven" {
	edit_token 0 '.state = "pending"'
	state | grep -q removing
	hwkey luks-status --repair v | grep -q 'removal undone'
	state | grep -qx '1 hwkey ok'
	hwkey luks-open -q --test v >/dev/null
}

@test "an unbound keyslot opens nothing, whatever names it" {
	printf "$(printf '\\x%02x' {0..31})" >clear
	chmod 600 clear
	hwkey wrap -q kw clear
	base64 -w0 clear >key
	hwkey luks-enroll -q v kw
	cryptsetup luksAddKey -q --unbound --key-slot 5 --key-size 256 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 v key
	id=$(state TOKEN,NAME | sed -n 's/ kw$//p')
	hwkey luks-unenroll v disk1
	slot=$(state SLOT,NAME | sed -n 's/ kw$//p')
	edit_token "$id" '.keyslots = ["5"]'
	cryptsetup luksKillSlot -q v "$slot" --key-file pf
	state | grep -qx '5 hwkey unbound'
	fails 4 'nothing that was tried' hwkey luks-open -q --test v
	hwkey luks-open -q --test v --key-file key >out && exit 1
	not grep -q yes out
	hwkey luks-open -q --test v --key-file pf --raw --noheadings --output SLOT,OPENS >out
	[ "$(cat out)" = "$(printf '0 yes\n5 no')" ]
	fails 7 'last way' hwkey luks-unenroll v --slot 0
}

@test "a key whose token was swapped in the repository is refused" {
	hwkey generate -q k2
	cp repository/k2.skey repository/disk1.skey
	sum=$(sha256sum <v)
	for c in "luks-format new disk1 --size 20M" "luks-enroll v disk1 --key-file pf" "setvp --force v disk1" \
		 "luks-open v --key disk1"; do
		fails 6 'another key than the repository says' hwkey $c
	done
	[ ! -e new ]
	[ "$(sha256sum <v)" = "$sum" ]
	hwkey validate -q disk1 --raw --noheadings --output STATUS,PATTERN >out 2>/dev/null && exit 1
	[ "$(cat out)" = 'invalid differs' ]
}

@test "of two changes at a time one is told to try again" {
	hwkey generate -q k2
	hwkey generate -q k3
	for i in 1 2 3 4; do
		hwkey luks-enroll -q v k2 --key-file pf 2>err2 & two=$!
		hwkey luks-enroll -q v k3 --key-file pf 2>err3 & three=$!
		for p in "$two" "$three"; do
			status=0
			wait "$p" || status=$?
			[ "$status" -eq 0 ] || [ "$status" -eq 7 ]
		done
		not grep -v 'another program changed' err2 err3
		opens_by pf
		hwkey luks-open -q --test v >/dev/null
	done
}

@test "setvp leaves a volume alone that is being re-encrypted, too" {
	hwkey generate -q k2
	cryptsetup reencrypt -q --init-only --force-offline-reencrypt --key-file pf --key-slot 0 v
	fails 7 're-encrypted' hwkey setvp --force v k2
}

@test "repair tells of each token that it leaves, and why; that is no failure" {
	cp --sparse=always v before
	cryptsetup luksUUID -q --uuid 11111111-2222-3333-4444-555555555555 v
	hwkey luks-status --repair v | grep -q 'made for another volume'
	cp --sparse=always before v
	edit_token 0 '.blob = (.blob | .[0:-8] + "AAAAAAA=")'
	hwkey luks-status --repair v | grep -q "token of key 'disk1'"
	cp --sparse=always before v
	edit_token 0 '.vol = "x"'
	state | grep -q 'hwkey invalid'
	hwkey luks-status --repair v | grep -q "malformed token: 'vol'"
}

@test "validate says which volume of a key it could not look at, and what is not there" {
	command -v strace || skip 'no strace'
	hwkey change -q disk1 --volumes "$PWD/v:data,$PWD/gone:gone"
	hwkey validate disk1 >/dev/null 2>err
	grep -q "volume '$PWD/gone' of key 'disk1' is not here" err
	cp --sparse=always v before
	reason() { hwkey validate -q disk1 --output STATUS,REASON --noheadings 2>/dev/null; }
	strace -f -qq -o /dev/null -P "$PWD/v" -e inject=openat:error=EMFILE hwkey validate -q disk1 >out 2>err && exit 1
	grep -q "unknown.*'$PWD/v'" out
	token remove --token-id 0
	fails 3 'not every key' hwkey validate -q disk1
	reason | grep -q "'$PWD/v' has no keyslot of this key"
	cp --sparse=always before v
	dd if=/dev/urandom of=v bs=1 seek=8 count=32768 conv=notrunc status=none
	fails 6 'not every key' hwkey validate -q disk1
	reason | grep -q "'$PWD/v': cannot read the LUKS2 header"
	dd if=/dev/zero of=v bs=1M count=16 conv=notrunc status=none
	fails 5 'not every key' hwkey validate -q disk1
	reason | grep -q "unknown *'$PWD/v' is no LUKS2 volume"
	hwkey change -q disk1 --volume-type plain
	hwkey validate -q disk1
}
