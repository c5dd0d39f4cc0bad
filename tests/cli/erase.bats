#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# secure-erase: what it refuses, what it destroys and in which order, and that it goes on where it was stopped.

setup() {
	bats_require_minimum_version 1.5.0
	load helpers
	repo=$HWKEY_REPOSITORY pks=$HWKEY_PKS_DIR vol=$BATS_TEST_TMPDIR/vol
	boot 1
	console 4:1
	cd "$BATS_TEST_TMPDIR"
}

# terminal MAJOR:MINOR NAME: there is such a one
terminal() {
	mkdir -p "$HWKEY_SYSROOT/sys/dev/char" "$HWKEY_SYSROOT/sys/class/tty/$2"
	ln -sfn "../../devices/x/tty/$2" "$HWKEY_SYSROOT/sys/dev/char/$1"
}

all() { find . -path ./machine -prune -o -type f ! -name "separate-stderr-*" -print0 | sort -z | xargs -0 md5sum; }

erase() { hwkey secure-erase --i-understand --raw --noheadings --output RESULT,WHAT "$@" 2>/dev/null; }

# answers WORD COMMAND...: typed at a terminal
answers() {
	{ sleep 0.5; echo "$1"; sleep 0.3; } | script -qec "${*:2}" /dev/null
}

zeros() { ! tr -d '\0' <"$1" | grep -qz .; }

@test "erase: a key's files are overwritten before their names go" {
	hwkey generate -q k1
	hwkey generate -q k2
	exec 8<"$repo/k1.skey" 9<"$repo/k1.info"
	[ "$(erase k1)" = 'erased k1
remains other\x20volumes
remains wrapping\x20key
remains copies
remains the\x20medium' ]
	[ "$(cd "$repo" && echo *)" = 'k2.info k2.skey' ]
	[ "$(stat -Lc %s /dev/fd/8)" -gt 100 ]
	zeros /dev/fd/8
	zeros /dev/fd/9
	hwkey validate -q k2 >/dev/null
	fails 3 "no key 'k1'" hwkey secure-erase --i-understand k1
}

@test "erase: nothing is changed before it is confirmed, or when it is refused" {
	hwkey generate -q k1
	hwkey luks-format -q "$vol" k1 --size 17M
	hwkey change k1 --volumes "$vol:dm"
	before=$(all)
	fails 2 'give one of' hwkey secure-erase
	fails 2 'give one of' hwkey secure-erase k1 --pks
	fails 2 'give one of' hwkey secure-erase k1 --all
	fails 2 'with --pks' hwkey secure-erase k1 --now
	fails 2 'with a volume' hwkey secure-erase k1 --header "$vol"
	fails 3 "no key 'k2'" hwkey secure-erase k2 --i-understand
	fails 3 'no volume' hwkey secure-erase ./none --i-understand
	fails 3 'no volume' hwkey secure-erase "$vol" --header ./none --i-understand
	fails 5 'no LUKS2 volume' hwkey secure-erase "$repo/k1.skey" --i-understand
	for target in k1 "$vol" --pks --all; do
		run -4 --separate-stderr hwkey secure-erase "$target"
		[[ ${stderr_lines[-1]} == *'use --i-understand' && -z $output ]]
		run -4 --separate-stderr hwkey secure-erase "$target" --batch
		[[ ${stderr_lines[-1]} == *'use --i-understand' && -z $output ]]
		run -4 answers yes hwkey secure-erase "$target"
		[[ $output == *'not confirmed'* ]]
	done
	ln "$repo/k1.skey" other
	fails 7 'another name' hwkey secure-erase k1 --i-understand
	rm other
	[ "$(all)" = "$before" ]
	run -0 answers k1 hwkey secure-erase k1
	[[ $output == *"'$vol' never opens again: key 'k1' is the last way in"* ]]
	[ ! -e "$repo/k1.skey" ]
}

@test "erase: what is typed is a volume's UUID, and the keystore's" {
	hwkey generate -q k1
	hwkey luks-format -q "$vol" k1 --size 17M
	run -0 answers "$(hwkey luks-status "$vol" --json | jq -r '.. | .uuid? // empty' | head -n 1)" hwkey secure-erase "$vol"
	zeros "$vol"
	run -0 answers "$(hwkey pks-config --json | jq -r '.keystore[0].uuid')" hwkey secure-erase --pks
	[[ $output == *"key 'k1' never opens again"* && $output == *'object'* ]]
	[ ! -e "$pks/system" ]
}

@test "erase: a key's keyslots go from its volumes, and what stays is told" {
	for k in k1 k2 k3; do hwkey generate -q $k; done
	hwkey copy k1 twin
	hwkey luks-format -q "$vol" k1 --size 17M
	hwkey luks-format -q ./second k1 --size 17M
	hwkey luks-enroll -q ./second k2
	hwkey luks-format -q ./third k3 --size 17M
	hwkey change k1 --volumes "$vol:a,$PWD/second:b,$PWD/third:c,/nonexistent/d:d"
	hwkey rename k1 new
	before=$(md5sum third)
	run -0 --separate-stderr hwkey secure-erase --i-understand new --json
	[[ $stderr == *"volume '$vol' never opens again"* && $stderr != *second* ]]
	jq -e '[.report[] | select(.result == "erased") | .what] == ["'"$vol"'", "'"$PWD/second"'", "new"]' <<<"$output"
	jq -e '[.report[] | select(.result == "remains") | .what] ==
		["'"$PWD/third"'", "/nonexistent/d", "other volumes", "wrapping key", "twin", "copies", "the medium"]' <<<"$output"
	fails 4 'nothing that was tried opens' hwkey luks-open --test -q "$vol" --raw
	hwkey luks-open -q --test ./second >/dev/null
	[ "$(md5sum third)" = "$before" ]
}

@test "erase: the keyslots of another machine's key of the same name stay" {
	other() { HWKEY_PKS_DIR=$PWD/other-pks HWKEY_REPOSITORY=$PWD/other-repo "$@"; }
	hwkey generate -q k1 --volumes "$vol:v"
	other hwkey generate -q k1 --volumes "$vol:v"
	hwkey luks-format -q "$vol" k1 --size 17M
	hwkey luks-recovery -q "$vol" -o recovery
	other hwkey luks-enroll -q "$vol" k1 --key-file recovery
	fails 7 "two keys of the name 'k1'" hwkey luks-unenroll "$vol" k1
	hwkey luks-open -q --test "$vol" >/dev/null
	run -0 --separate-stderr hwkey secure-erase --i-understand k1 --json
	jq -e --arg v "$vol" '[.report[] | select(.what == $v) | .result] == ["erased", "remains"]' <<<"$output"
	other hwkey luks-open -q --test "$vol" >/dev/null
	fails 4 'nothing that was tried opens' hwkey luks-open --test -q "$vol" --raw
	[ "$(cryptsetup luksDump "$vol" | grep -c ': luks2$')" = 2 ]
	hwkey generate -q k1 --volumes "$vol:v"		# a third one, of which nothing is there
	hwkey secure-erase --i-understand k1 --json | jq -e --arg v "$vol" 'all(.report[] | select(.what == $v); .result == "remains")'
	other hwkey luks-unenroll -q "$vol" k1
}

@test "erase: a key is there or gone, wherever it was stopped, and the next command ends it" {
	hwkey generate -q k1
	hwkey generate -q k2
	echo 'erase k1' >"$repo/.hwkey.intent"		# written down, not yet begun
	hwkey validate -q k1 >/dev/null
	[ ! -e "$repo/.hwkey.intent" ]
	echo 'erase k1' >"$repo/.hwkey.intent"
	mv "$repo/k1.info" "$repo/.hwkey.old-info"
	exec 8<"$repo/k1.skey"
	[ "$(hwkey list --raw --noheadings --output NAME)" = k2 ]
	zeros /dev/fd/8
	[ "$(cd "$repo" && ls -A | tr '\n' ' ')" = '.lock k2.info k2.skey ' ]
	hwkey check
}

@test "erase: a key that took the name during the confirmation stays" {
	hwkey generate -q k1
	{
		for _ in {1..100}; do ! grep -qs "Type 'k1'" shown || break; sleep 0.1; done
		hwkey rename k1 old
		hwkey generate -q k1
		echo k1
		sleep 0.5
	} | run -7 script -qefc 'hwkey secure-erase k1' shown
	grep -q 'another key has come in the place' shown
	hwkey validate -q k1 >/dev/null
	hwkey validate -q old >/dev/null
}

@test "erase: a damaged key goes as well" {
	for k in k1 k2 k3; do hwkey generate -q $k; done
	echo rubbish >"$repo/k1.info"
	rm "$repo/k2.info"
	erase k1
	erase k2
	[ "$(cd "$repo" && echo *)" = 'k3.info k3.skey' ]
	rm "$repo/k3.info"
	erase --all
	[ "$(cd "$repo" && echo *)" = '*' ]
}

@test "erase: a volume's headers and keyslots are zero, its data as it was" {
	hwkey generate -q k1
	hwkey luks-format -q "$vol" k1 --size 18M
	hwkey luks-recovery -q "$vol" >/dev/null
	printf data | dd of="$vol" bs=1M seek=17 conv=notrunc status=none
	[ "$(erase "$vol" | grep -c recovery)" = 1 ]
	cmp -n $((16 << 20)) "$vol" /dev/zero
	[ "$(tail -c +$(((17 << 20) + 1)) "$vol" | head -c 4)" = data ]
	fails 5 'no LUKS2 volume' hwkey secure-erase "$vol" --i-understand
}

@test "erase: a detached header is what is erased" {
	hwkey generate -q k1
	truncate -s 1M "$vol"
	hwkey luks-format -q "$vol" k1 --header ./header
	printf data | dd of="$vol" conv=notrunc status=none
	before=$(md5sum "$vol")
	fails 5 'no LUKS2 volume' hwkey secure-erase "$vol" --i-understand
	erase "$vol" --header ./header
	zeros header
	[ "$(md5sum "$vol")" = "$before" ]
}

@test "erase: a volume in use is refused" {
	hwkey generate -q k1
	hwkey luks-format -q "$vol" k1 --size 17M
	before=$(md5sum "$vol")
	uuid=$(cryptsetup luksUUID "$vol")
	mkdir -p machine/sys/block/loop9/loop machine/sys/block/dm-3/dm
	echo "$vol" >machine/sys/block/loop9/loop/backing_file
	fails 7 "in use by /dev/loop9" hwkey secure-erase "$vol" --i-understand
	rm machine/sys/block/loop9/loop/backing_file
	echo "CRYPT-LUKS2-${uuid//-/}-data" >machine/sys/block/dm-3/dm/uuid
	echo data >machine/sys/block/dm-3/dm/name
	fails 7 "in use as 'data'" hwkey secure-erase "$vol" --i-understand
	[ "$(md5sum "$vol")" = "$before" ]
	echo "CRYPT-LUKS2-00000000000000000000000000000000-data" >machine/sys/block/dm-3/dm/uuid
	erase "$vol"
}

@test "erase: a block device that somebody holds is refused" {
	hwkey generate -q k1
	hwkey luks-format -q "$vol" k1 --size 17M
	loop=$(losetup --find --show "$vol" 2>/dev/null) || skip 'no loop devices'
	python3 -c 'import os, sys, time; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL); print(flush=True); time.sleep(20)' "$loop" >held &
	holder=$!
	until [ -s held ]; do sleep 0.1; done
	fails 7 'in use: close or unmount it' hwkey secure-erase "$loop" --i-understand
	kill $holder
	wait $holder || true
	erase "$loop"
	losetup -d "$loop"
	zeros "$vol"
}

@test "erase: a damaged header, and one that was cut short, are erased to the end" {
	hwkey generate -q k1
	hwkey luks-format -q "$vol" k1 --size 17M
	cp "$vol" whole
	dd if=/dev/urandom of="$vol" bs=4096 seek=1 count=2 conv=notrunc status=none	# the first header's JSON
	dd if=/dev/zero of="$vol" bs=4096 seek=4 count=100 conv=notrunc status=none	# the second one
	run -0 --separate-stderr hwkey secure-erase --i-understand "$vol"
	[[ $stderr == *'header is damaged'* ]]
	zeros "$vol"
	cp whole "$vol"
	dd if=/dev/zero of="$vol" bs=4096 seek=3 count=$(((16 << 20) / 4096 - 3)) conv=notrunc status=none	# as far as it came
	erase "$vol"
	zeros "$vol"
}

@test "erase: a volume in the middle of a re-encryption is erased" {
	hwkey generate -q k1
	hwkey luks-format -q "$vol" k1 --size 24M
	printf word >word
	hwkey luks-recovery -q "$vol" -o recovery
	fast=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --batch-mode)
	cryptsetup luksAddKey "$vol" word --key-file recovery "${fast[@]}"
	cryptsetup luksKillSlot "$vol" 0 --key-file word --batch-mode
	cryptsetup luksKillSlot "$vol" 1 --key-file word --batch-mode
	cryptsetup reencrypt --init-only --force-offline-reencrypt --key-file word "${fast[@]}" "$vol" || skip 'cryptsetup cannot do it here'
	fails 7 'being re-encrypted' hwkey luks-unenroll "$vol" --recovery
	erase "$vol"
	cmp -n $((16 << 20)) "$vol" /dev/zero
}

@test "erase: the keystore goes from a local console only" {
	hwkey generate -q k1
	before=$(all)
	console 0:0
	fails 4 'this is no terminal' hwkey secure-erase --pks --i-understand
	fails 4 'this is no terminal' hwkey secure-erase --all --i-understand
	console 136:3
	fails 4 'this is a pty' hwkey secure-erase --pks --i-understand
	terminal 3:2 ttyp2
	console 3:2
	fails 4 'this is a pty' hwkey secure-erase --pks --i-understand
	rm machine/proc/self/stat
	fails 4 'this is no terminal' hwkey secure-erase --pks --i-understand
	# This machine, where there is no such thing in a test.
	unset HWKEY_SYSROOT
	fails 4 'this is no terminal' setsid -w hwkey secure-erase --pks --i-understand
	run -4 script -qec 'hwkey secure-erase --pks --i-understand' /dev/null
	[[ $output == *'this is a pty'* ]]
	HWKEY_SYSROOT=$PWD/machine
	[ "$(all)" = "$before" ]
}

@test "erase: virtual terminals, serial lines and the kernel's console are local" {
	terminal 4:64 ttyS0
	mkdir machine/sys/class/tty/ttyS0/device
	terminal 229:0 hvc0
	mkdir -p machine/sys/class/tty/console
	echo 'tty0 hvc0' >machine/sys/class/tty/console/active
	terminal 204:64 ttyAMA0
	for tty in 4:1 4:63 4:64 229:0; do
		hwkey pks-write -q o - <<<data
		console $tty
		erase --pks --now
	done
	hwkey pks-write -q o - <<<data
	console 204:64		# no device, no console
	fails 4 'this is a pty' hwkey secure-erase --pks --i-understand
}

@test "erase: the keystore's root key goes first, its data in a later boot" {
	hwkey generate -q k1
	hwkey pks-write -q o - <<<data
	hwkey pks-write -q t - --policy transient <<<data
	exec 8<"$pks/system/root.plain" 9<"$pks/system/local.A"
	cp "$pks/system/local.A" kept
	install -m 600 /dev/null word
	echo word >word
	hwkey pks-backup -q backup --passphrase-file word
	run=$(echo machine/run/hwkey/pks/*/boot)
	[ -e "$run" ]
	[ "$(erase --pks | head -n 2)" = 'erased root\x20key
next keystore' ]
	zeros /dev/fd/8
	cmp /dev/fd/9 kept
	[ ! -e "$(dirname "$run")" ]
	[ -z "$(find . -name 'root.*')" ]
	# Until then there is none, and none is made.
	fails 7 'finishes that' hwkey pks-restore backup --passphrase-file word --accept-lost-keys --accept-rollback
	for command in 'pks-list' 'pks-read o' 'pks-config' 'generate k2' 'seal kept'; do
		fails 7 'is being erased' hwkey $command
	done
	hwkey list-devices | grep -q 'being erased'
	console 0:0		# it was confirmed, and there is nothing left to protect
	exec 9<"$pks/.erase/local.A"
	hwkey secure-erase --pks --batch --raw | grep -q '^next '
	cmp /dev/fd/9 kept
	boot 2
	hwkey secure-erase --pks --batch --raw | grep -q '^erased keystore '
	zeros /dev/fd/9
	[ "$(ls -A "$pks")" = .lock ]
	fails 3 'not initialised' hwkey secure-erase --pks
	fails 3 "key 'k1' needs it" hwkey pks-write o - <<<data
	erase k1
	hwkey pks-write -q o - <<<data
}

@test "erase: --now needs no other boot, also where it was begun without" {
	hwkey pks-write -q o - <<<data
	erase --pks --now
	[ "$(ls -A "$pks")" = .lock ]
	hwkey pks-write -q o - <<<data
	erase --pks
	hwkey secure-erase --pks --now --batch >/dev/null
	[ "$(ls -A "$pks")" = .lock ]
	hwkey pks-write -q o - <<<data
	mv machine/proc/sys away		# a system that tells no boots
	run -5 --separate-stderr hwkey secure-erase --pks --i-understand
	[[ ${stderr_lines[-1]} == *'--now erases all at once' ]]
	mv away machine/proc/sys
	[ "$(hwkey pks-read o)" = data ]
	[ "$(cd "$pks/system" && echo *)" = 'local.A local.B root.plain' ]
}

@test "erase: whatever cannot be read or removed, every root key goes, and the next command ends it" {
	hwkey pks-write -q o - <<<data
	mkdir "$pks/system/"{a,m,zz}
	chmod 0 "$pks/system/local.B"
	install -m 600 "$pks/system/root.plain" "$pks/system/copy"
	run -1 hwkey secure-erase --pks --i-understand
	[[ $output == *'cannot overwrite and remove'*'Is a directory'* ]]
	[ "$(cd "$pks/.erase" && echo *)" = 'a erase-boot local.A local.B m zz' ]
	fails 7 'after a reboot' hwkey pks-read o
	run -1 hwkey secure-erase --pks --now
	[ "$(cd "$pks/.erase" && echo *)" = 'a erase-boot m zz' ]
	rmdir "$pks/.erase/"{a,m,zz}
	boot 2
	hwkey secure-erase -q --pks >/dev/null
	[ "$(ls -A "$pks")" = .lock ]
}

@test "erase: a container with an unreadable sector does not stop it" {
	command -v strace >/dev/null || skip 'no strace'
	hwkey pks-write -q o - <<<data
	eio=(-o /dev/null -P "$pks/.erase/local.A" -P "$pks/.erase/local.B" -e inject=pread64:error=EIO)
	run -1 strace -f "${eio[@]}" hwkey secure-erase -q --pks --i-understand
	[ -z "$(find "$pks" -name 'root.*')" ]
	strace -f "${eio[@]}" hwkey secure-erase -q --pks --now >/dev/null
	[ "$(ls -A "$pks")" = .lock ]
}

@test "erase: while the root key of an erase that was stopped is there, it is to go on now" {
	hwkey pks-write -q o - <<<data
	mv "$pks/system" "$pks/.erase"
	fails 7 "still there: give 'hwkey secure-erase --pks' again now" hwkey pks-read o
	hwkey secure-erase -q --pks >/dev/null
	fails 3 'not initialised' hwkey pks-read o
}

@test "erase: a keystore needs not open to be erased" {
	hwkey pks-write -q o - <<<data
	install -m 600 /dev/null word
	echo word >word
	hwkey pks-config -q --add-slot passphrase --passphrase-file word
	hwkey pks-config -q --remove-slot plain
	mkdir "$pks/.new"
	echo 'cut short' >"$pks/.new/.hwkey.tmp"
	echo 'may be a slot' >"$pks/system/.hwkey.tmp"
	truncate -s 10 "$pks/system/local.B"
	erase --pks
	[ "$(cd "$pks" && find . -type f | sort | tr '\n' ' ')" = './.erase/erase-boot ./.erase/local.A ./.lock ' ]
	boot 2
	hwkey secure-erase --pks >/dev/null
	[ "$(ls -A "$pks")" = .lock ]
}

@test "erase: the anchor goes, too, or is told" {
	hwkey pks-write -q o - <<<data
	mkdir card
	hwkey pks-config -q --anchor "$PWD/card/a"
	exec 8<card/a
	run -0 --separate-stderr hwkey secure-erase --i-understand --pks --now --raw --noheadings --output RESULT,WHAT
	[[ $stderr == *"its anchor '$PWD/card/a' goes, too"* ]]
	grep -qx "erased $PWD/card/a" <<<"$output"
	[ -z "$(ls -A card)" ]
	zeros /dev/fd/8
	hwkey pks-write -q o - <<<data
	hwkey pks-config -q --anchor "$PWD/card/a"
	mv card away
	erase --pks --now | grep -qx "remains $PWD/card/a"
	mv away card
	[ -s card/a ]
}

@test "erase: other partitions must be empty, or --all takes them with it" {
	hwkey pks-config -q --store mail --create --size 8K
	hwkey pks-write -q o - <<<data
	erase --pks --now
	hwkey pks-config -q --store mail --create --size 8K
	hwkey pks-write -q o - --store mail <<<data
	fails 7 "partition 'mail' holds 1 object" hwkey secure-erase --pks --i-understand
	install -m 600 /dev/null word
	echo word >word
	hwkey pks-config -q --add-slot passphrase --passphrase-file word
	hwkey pks-config -q --remove-slot plain
	fails 4 "cannot tell whether partition 'mail' is empty" hwkey secure-erase --pks --i-understand
	[ -e "$pks/system" ]
	run -0 --separate-stderr hwkey secure-erase --pks --all --i-understand --raw --noheadings --output RESULT,WHAT
	[[ $stderr == *"all objects of keystore 'local', and all sealed data, never"*"all objects of keystore 'mail' never"* ]]
	[[ $output == *$'next keystore\nnext mail\n'* ]]
	[ "$(cd "$pks/.erase" && echo *)" = 'erase-boot local.A local.B mail.A mail.B' ]
	boot 2
	hwkey secure-erase --pks >/dev/null
	[ "$(ls -A "$pks")" = .lock ]
}

# The newer container of partition mail, which is damaged, had its only object.
damage_mail() {
	hwkey pks-config -q --store mail --create --size 8K
	hwkey pks-write -q o - --store mail <<<data
	newer=$(for f in "$pks"/system/mail.?; do echo "$(od -An -tx1 -j48 -N8 "$f" | tr -d ' ') $f"; done | sort | tail -n 1)
	newer=${newer#* }
	printf '\xff' | dd of="$newer" bs=1 seek=300 conv=notrunc status=none
}

@test "erase: a partition of which a container is damaged, or that has transient objects, is not taken for empty" {
	hwkey pks-config -q --store p2 --create --size 8K
	hwkey pks-write -q t - --store p2 --policy transient <<<data
	fails 7 "partition 'p2' holds 1 object" hwkey secure-erase --pks --i-understand
	hwkey pks-remove -q t --store p2
	damage_mail
	fails 6 "cannot tell whether partition 'mail' is empty" hwkey secure-erase --pks --i-understand
	hwkey pks-config -q --store mail --size 0
	[ -e "$newer.damaged" ]
	fails 6 ".damaged' may hold objects" hwkey secure-erase --pks --i-understand
	rm "$newer.damaged"
	erase --pks
}

@test "erase: each keystore that goes is named, with what it holds" {
	hwkey pks-config -q --store mail --create --size 8K
	for o in a b c; do hwkey pks-write -q $o - --store mail <<<data; done
	run -0 --separate-stderr hwkey secure-erase --all --now --i-understand --raw --noheadings --output RESULT,WHAT
	[[ $stderr == *"0 objects of keystore 'local', and all sealed data, never"*"3 objects of keystore 'mail' never"* ]]
	[[ $output == *$'erased keystore\nerased mail\n'* ]]
}

@test "erase: keys that nothing opens any more are to be removed before a new keystore is made" {
	hwkey generate -q k3
	[[ $(erase --pks --now) == *$'next k3\n'* ]]
	fails 3 "key 'k3' needs it" hwkey generate k4
	hwkey remove k3 --force
	hwkey generate -q k4
}

@test "erase: --all takes the keys, their keyslots and the keystore" {
	fails 3 'neither a key nor a keystore' hwkey secure-erase --all --i-understand
	hwkey generate -q k1
	hwkey generate -q k2
	hwkey luks-format -q "$vol" k1 --size 17M
	hwkey change k1 --volumes "$vol:dm"
	run -0 --separate-stderr hwkey secure-erase --all --i-understand --raw --noheadings --output RESULT,WHAT
	[[ $stderr == *"'$vol' never opens again"* ]]
	[ "$(grep -v ^remains <<<"$output")" = "erased $vol
erased k1
erased k2
erased root\\x20key
next keystore" ]
	[ -z "$(ls "$repo")" ]
	boot 2
	hwkey secure-erase --all >/dev/null
	[ "$(ls -A "$pks")" = .lock ]
}
