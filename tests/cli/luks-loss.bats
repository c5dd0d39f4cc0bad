#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What would lose data, or the last way in, is refused; what is left of a volume's ways in is told as it is.

setup() {
	load helpers
	load image
	img=$BATS_TEST_TMPDIR/img
	cd "$BATS_TEST_TMPDIR"
	hwkey generate -q k1 2>/dev/null
}

format() { hwkey luks-format -q "$img" k1 --size 20M "$@"; }
token() { cryptsetup token import --disable-external-tokens "$@" "$img"; }
slots() { meta '.keyslots | keys | join(",")'; }

@test "luks-format refuses data that nobody knows by a signature" {
	head -c 20M /dev/urandom >random
	truncate -s 20M text late hole
	echo 'dear diary' | dd of=text bs=1 seek=9000000 conv=notrunc status=none
	echo end | dd of=late bs=1 seek=$((20 * 1048576 - 10)) conv=notrunc status=none
	for f in random text late; do
		sum=$(sha256sum <"$f")
		fails 7 'unknown data' hwkey luks-format "$f" k1
		[ "$(sha256sum <"$f")" = "$sum" ]
	done
	fails 4 'unknown data' setsid hwkey luks-format random k1 --force
	hwkey luks-format -q hole k1
	hwkey luks-format -q random k1 --force --batch
	hwkey luks-open -q --test random
	head -c 20M /dev/zero >zeros
	hwkey luks-format -q zeros k1
}

@test "luks-format refuses data on the device of a detached header, and in the header's file" {
	truncate -s 20M data
	echo precious | dd of=data bs=1 seek=5000 conv=notrunc status=none
	fails 7 "'data' holds data" hwkey luks-format data k1 --header head
	[ ! -e head ]
	truncate -s 20M empty
	head -c 3M /dev/urandom >head
	fails 7 "'head' holds data" hwkey luks-format empty k1 --header head
	truncate -s 0 head
	hwkey luks-format -q empty k1 --header head
	hwkey luks-open -q --test empty --header head
}

@test "a header that is the volume itself is refused" {
	truncate -s 20M data
	ln -s data link
	ln data hard
	for h in data link hard; do
		fails 2 'the volume itself' hwkey luks-format data k1 --header "$h"
		fails 2 'the volume itself' hwkey luks-format -q data k1 --header "$h" --force --batch
	done
	cmp -n 1048576 data /dev/zero
	fails 2 'the volume itself' hwkey luks-format both k1 --header both --size 20M
	[ ! -e both ]
	format
	fails 2 'the volume itself' hwkey luks-status "$img" --header "$img"
	fails 2 'the volume itself' hwkey luks-enroll "$img" k1 --header "$img"
}

@test "of two formats of one file at a time one is refused" {
	hwkey generate -q k2 2>/dev/null
	for i in 1 2 3 4; do
		rm -f "$img"
		truncate -s 20M "$img"
		hwkey luks-format -q "$img" k1 2>err1 & one=$!
		hwkey luks-format -q "$img" k2 2>err2 & two=$!
		good=0
		wait $one && good=$((good + 1))
		wait $two && good=$((good + 1))
		[ "$good" -eq 1 ]
		hwkey luks-open -q --test "$img"
	done
}

@test "a FIFO is refused, and not waited for" {
	mkfifo fifo
	truncate -s 20M data
	for c in "luks-format fifo k1" "luks-format --force --batch fifo k1" "luks-status fifo" "luks-open --test fifo" \
		 "luks-enroll fifo k1" "luks-format data k1 --header fifo" "luks-status data --header fifo"; do
		fails 5 'neither a block device nor a file' timeout 5 hwkey $c
	done
}

@test "a header that cannot be made durable is no success, and what opened the volume is still there" {
	command -v strace || skip 'no strace'
	format
	hwkey generate -q k2 2>/dev/null
	cp --sparse=always "$img" before
	for c in "luks-enroll -q $img k2" "luks-enroll -q $img k2 --replace k1" "luks-recovery -q $img" \
		 "luks-unenroll $img k1 --force-last" "setvp --force -q $img k2"; do
		cp --sparse=always before "$img"
		not strace -f -o /dev/null -e inject=fsync,fdatasync:error=EIO hwkey $c >/dev/null 2>&1
		[[ $c == setvp* ]] || [ "$(meta '.keyslots["0"].kdf.salt')" = "$(img=before meta '.keyslots["0"].kdf.salt')" ]
	done
}

@test "a second token of the same slot does not hide that it is the last way in" {
	format
	cryptsetup token export --token-id 0 "$img" >t
	token --token-id 5 --json-file t
	HWKEY_PKS_DIR=$PWD/none fails 7 'last way' hwkey luks-unenroll "$img" k1
	fails 7 'last way' hwkey luks-unenroll "$img" --slot 0
	[ "$(slots)" = '"0"' ]
	hwkey luks-unenroll "$img" k1 --force-last
	[ "$(slots)" = '""' ]
	[ "$(state type)" = paes-verification-pattern ]
}

@test "a slot that nobody can open is no way in" {
	format --recovery --output rec
	cp --sparse=always "$img" before
	cryptsetup token remove --token-id 2 "$img"	# the recovery key was never told
	fails 7 'last way' hwkey luks-unenroll "$img" k1
	cp --sparse=always before "$img"
	hwkey luks-unenroll "$img" k1 2>err
	grep -q "left with keyslots that were not tried: 1$" err
	# the other slot's token is of another UUID, then of another keystore, then about to be removed
	cp --sparse=always before "$img"
	hwkey generate -q k2 2>/dev/null
	hwkey luks-enroll -q "$img" k2
	hwkey luks-unenroll "$img" --recovery 2>err
	[ ! -s err ]
	id=$(state token,name | sed -n 's/ k2$//p')
	cryptsetup token export --token-id "$id" "$img" >t
	for change in '.vol = "00000000-0000-0000-0000-000000000000"' '.state = "pending"' '.blob = (.blob | .[0:-8] + "AAAAAAA=")'; do
		cryptsetup token remove --token-id "$id" "$img"
		jq -c "$change" t | token --token-id "$id"
		cp --sparse=always "$img" changed
		[[ $change != .vol* ]] || state name,state | grep -qx 'k2 dead'
		[[ $change == .state* ]] || fails 7 'last way' hwkey luks-unenroll "$img" k1
		hwkey luks-open -q "$img" --key k1
		cp --sparse=always changed "$img"
	done
}

@test "a slot that another token names is not silently kept" {
	format --recovery --output rec
	echo '{"type":"other","keyslots":["1"]}' | token
	fails 7 'keyslot 1' hwkey luks-unenroll "$img" --recovery
	cryptsetup open --test-passphrase --key-file rec "$img"
	hwkey luks-recovery -q "$img" --replace --output rec2 && exit 1
	hwkey luks-unenroll "$img" --slot 1
	not cryptsetup open --test-passphrase --key-file rec "$img"
	# two tokens of one recovery key are one
	cryptsetup token export --token-id "$(state token,type | sed -n 's/ hwkey-recovery$//p')" "$img" >t
	token --json-file t
	hwkey luks-unenroll "$img" --recovery
	[ "$(slots)" = '"0"' ]
}

@test "repair gives a token the slot that it opens, and leaves another machine's alone" {
	format --recovery --output rec
	cryptsetup token export --token-id 0 "$img" >t
	cryptsetup token remove --token-id 0 "$img"
	jq -c '.keyslots = ["1"]' t | token --token-id 0
	hwkey luks-status --repair "$img" | grep -q 'of another keyslot'
	[ "$(state slot,name | head -1)" = '0 k1' ]
	hwkey luks-open -q --test "$img" >/dev/null
	cryptsetup token remove --token-id 0 "$img"
	jq -c '.keyslots = [] | .state = "pending"' t | token --token-id 0
	mkdir none
	HWKEY_PKS_DIR=$PWD/none fails 3 'not all could be mended' hwkey luks-status --repair "$img"
	HWKEY_PKS_DIR=$PWD/other HWKEY_REPOSITORY=$PWD/others hwkey generate -q k3
	HWKEY_PKS_DIR=$PWD/other fails 6 'not all could be mended' hwkey luks-status --repair "$img"
	hwkey luks-status --repair "$img" | grep -q completed
	hwkey luks-open -q --test "$img"
	HWKEY_PKS_DIR=$PWD/other hwkey luks-status --repair "$img" >/dev/null
}

@test "a key enrols itself again where its tokens are dead" {
	format --recovery --output rec
	hwkey change -q k1 --volumes "$img:data"
	hwkey validate -q k1
	cp --sparse=always "$img" before
	cryptsetup token remove --token-id 0 "$img"
	hwkey luks-enroll -q --batch "$img" k1
	hwkey luks-open -q --test "$img"
	# another UUID
	cp --sparse=always before "$img"
	cryptsetup luksUUID -q --uuid 11111111-2222-3333-4444-555555555555 "$img"
	state name,state | grep -qx 'k1 dead'
	fails 6 'not every key' hwkey validate -q k1
	hwkey validate -q k1 2>&1 | grep -q "the token in the header of '$img' is dead"
	hwkey luks-open -q "$img" --key k1
	hwkey luks-enroll -q --batch "$img" k1
	hwkey validate -q k1
	[ "$(state name | grep -cx k1)" -eq 1 ]
	# another volume key
	printf "$(printf '\\x%02x' {0..31})" >clear; chmod 600 clear
	hwkey wrap -q k2 clear 2>/dev/null
	base64 -w0 clear >key
	hwkey change -q k2 --volumes "$PWD/img2:data2"
	hwkey luks-format -q img2 k2 --size 40M
	cryptsetup reencrypt -q --force-offline-reencrypt --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file key --key-slot 0 img2
	not hwkey luks-open -q --test img2 >/dev/null
	fails 6 'not every key' hwkey validate -q k2
	hwkey luks-enroll -q --batch img2 k2
	hwkey luks-open -q --test img2 >/dev/null
	hwkey validate -q k2
}

@test "rewrap renews the slot of a renamed key, and tells of a volume without one" {
	hwkey change -q k1 --volumes "$img:data"
	format --recovery --output rec
	hwkey rename k1 new
	hwkey rewrap -q --to-new new
	[ "$(state name | grep -cx new)" -eq 1 ]
	[ "$(state name | grep -cx k1)" -eq 0 ]
	hwkey luks-open -q --test "$img" >/dev/null
	# a later key of the former name does not take its slot
	hwkey rename new old
	hwkey generate -q new 2>/dev/null
	hwkey luks-enroll -q "$img" new
	hwkey luks-open -q "$img" --key old
	hwkey luks-open -q "$img" --key new
	cp --sparse=always "$img" img3
	hwkey generate -q none --volumes "$PWD/img3:data2" 2>/dev/null
	hwkey rewrap --to-new none 2>err && exit 1
	grep -q "volume '$PWD/img3' of key 'none' is not renewed: it has no keyslot of this key" err
}

@test "a recovery key whose reader went away, or that a signal cut short, leaves no slot" {
	hwkey luks-format -q --size 20M img k1
	before=$(hwkey luks-status --raw --noheadings img)
	hwkey luks-recovery -q img 2>err | (exec <&-; sleep 0.5) || true
	grep -q 'roken pipe' err
	[ "$before" = "$(hwkey luks-status --raw --noheadings img)" ]
	hwkey luks-recovery -q img >key &
	pid=$!
	while ! hwkey luks-status --raw --noheadings img | grep -q recovery && kill -0 $pid; do :; done
	kill -TERM $pid || true
	status=0
	wait $pid || status=$?
	if [ -s key ]; then
		cryptsetup open --test-passphrase --key-file key img
	else
		[ "$before" = "$(hwkey luks-status --raw --noheadings img)" ]
	fi
}
