#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Copies of the keystore that are kept elsewhere, and putting them back.

setup() {
	load helpers
	d=$BATS_TEST_TMPDIR/backups f=$BATS_TEST_TMPDIR/f w=$BATS_TEST_TMPDIR/words
	mkdir "$d"
	install -m 600 /dev/null "$w"
	echo 'correct horse' >"$w"
	boot 1
}

put() { printf %s "$2" | hwkey pks-write --quiet "${@:3}" "$1" -; }
generation() { hwkey pks-config --raw --noheadings --output GENERATION; }
labels() { hwkey pks-list --raw --noheadings --output LABEL | tr '\n' ' '; }
backup() { hwkey pks-backup -q --passphrase-file "$w" "$@"; }
restore() { hwkey pks-restore -q "$@"; }
lose() { mv "$HWKEY_PKS_DIR/system" "$BATS_TEST_TMPDIR/lost$1"; }
# The passphrase of the backups is now the keystore's.
credential() {
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
	install -D -m 600 "$w" "$CREDENTIALS_DIRECTORY/hwkey.pks-passphrase"
}
hash_tree() { (cd "$HWKEY_PKS_DIR/system" && sha256sum ./*); }
# flip FILE OFFSET: changes one byte
flip() { printf "\\x$(printf %02x $((0x$(dd if="$1" bs=1 skip="$2" count=1 status=none | xxd -p) ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

@test "pks-backup: is named by partition and generation, encrypted, and never overwritten unasked" {
	put a 'a secret to keep'
	backup "$d"
	name=$(hwkey pks-config --raw --noheadings --output UUID)-$(generation).hwkeypks
	[ "$(ls "$d")" = "$name" ]
	[ "$(stat -c %a "$d/$name")" = 600 ]
	not grep -q 'a secret' "$d/$name"
	before=$(sha256sum "$d/$name")
	fails 7 'exists already; --force replaces it' hwkey pks-backup --passphrase-file "$w" "$d"
	[ "$(sha256sum "$d/$name")" = "$before" ]
	backup -f "$d"
	[ "$(sha256sum "$d/$name")" != "$before" ]
	backup "$f"
	fails 3 'cannot open directory' hwkey pks-backup --passphrase-file "$w" "$d/none/x"
	[ "$(hwkey pks-backup --passphrase-file "$w" "$d/x" 2>&1)" = "hwkey: generation $(generation) is in '$d/x'" ]
}

@test "pks-backup: asks for nothing where nobody can answer, and wants a passphrase that can be typed" {
	put a data
	fails 4 'no new passphrase' hwkey pks-backup --batch --passphrase "$d"
	printf 'a\tb' >"$w"
	fails 2 'control character' hwkey pks-backup --passphrase-file "$w" "$d"
	mkdir "$BATS_TEST_TMPDIR/credentials"
	install -m 600 /dev/null "$BATS_TEST_TMPDIR/credentials/hwkey.pks-backup-passphrase"
	echo word >"$BATS_TEST_TMPDIR/credentials/hwkey.pks-backup-passphrase"
	CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials hwkey pks-backup -q --passphrase "$d"
	lose 1
	CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials restore "$d"/*
	[ "$(CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials hwkey pks-config --raw --noheadings --output SLOTS --batch 2>&1)" != '' ]
}

@test "pks-backup: of a keystore that is not there there is none" {
	fails 3 'not initialised' hwkey pks-backup --passphrase-file "$w" "$d"
	[ ! -e "$HWKEY_PKS_DIR" ]
	[ -z "$(ls "$d")" ]
}

@test "pks-backup: transient objects stay behind" {
	put a data
	put t data --policy transient
	backup "$f"
	hwkey pks-remove -q t
	restore "$f"
	[ "$(labels)" = 'a ' ]
}

@test "pks-backup --if-changed: only after so many generations" {
	put a 1
	backup --if-changed 2 "$d"
	[ "$(ls "$d" | wc -l)" = 1 ]
	put a 2 --replace
	backup --if-changed 2 "$d"
	[ "$(ls "$d" | wc -l)" = 1 ]
	put a 3 --replace
	backup --if-changed 2 "$d"
	[ "$(ls "$d" | wc -l)" = 2 ]
	# what is damaged does not count, whatever its name says
	newest=$d/$(ls -v "$d" | tail -1)
	flip "$newest" 700
	run hwkey pks-backup -q --if-changed 2 --passphrase-file "$w" "$d"
	[ "$status" = 7 ]
	[[ $output == *'is no backup: container is damaged'* ]]
	rm "$newest"
	backup --if-changed 2 "$d"
	# a keystore that is older than its backup was put back by somebody
	cp -r "$HWKEY_PKS_DIR" "$BATS_TEST_TMPDIR/old"
	put b 1
	put b 2 --replace
	backup --if-changed 2 "$d"
	rm -r "$HWKEY_PKS_DIR"
	mv "$BATS_TEST_TMPDIR/old" "$HWKEY_PKS_DIR"
	fails 6 'was an older copy of it put in its place?' hwkey pks-backup --if-changed 1 --passphrase-file "$w" "$d"
}

@test "pks-restore: brings back the snapshot, and a generation that was never used" {
	put a old
	put gone data
	backup "$f"
	put a new --replace
	hwkey pks-remove -q gone
	put later data
	before=$(generation)
	fails 6 'what was changed since would be lost; --accept-rollback restores it' hwkey pks-restore "$f"
	[ "$(hwkey pks-read a)" = new ]
	[ "$(generation)" = "$before" ]
	restore --accept-rollback "$f"
	[ "$(labels)" = 'a gone ' ]
	[ "$(hwkey pks-read a)" = old ]
	[ "$(generation)" -gt "$before" ]
	# each of the two files has it
	for x in A B; do
		mv "$HWKEY_PKS_DIR/system/local.$x" "$f$x"
		[ "$(hwkey pks-read -q a)" = old ]
		mv "$f$x" "$HWKEY_PKS_DIR/system/local.$x"
	done
	put more data
}

@test "pks-restore --show: what a backup is, and whether it opens, with the keystore or without" {
	put a data
	backup "$f"
	uuid=$(hwkey pks-config --raw --noheadings --output UUID) g=$(generation)
	show() { hwkey pks-restore --show --raw --noheadings --output "$@" | sed 's/\\x20/ /g'; }
	[ "$(show UUID,GENERATION,SLOT,STATUS "$f")" = "$uuid $g passphrase genuine" ]
	[[ $(show TIME "$f") == 20??-??-??T??:??:??Z ]]
	[ "$(hwkey pks-restore --show --json "$f" | python3 -c 'import json, sys; print(json.load(sys.stdin)["backup"][0]["generation"])')" = "$g" ]
	put b more
	before=$(hash_tree)
	[ "$(show STATUS --passphrase-file "$w" "$f")" = genuine ]
	lose 1
	[[ $(show STATUS "$f") == 'not compared: keystore '*' is not initialised'* ]]
	[ "$(show STATUS --passphrase-file "$w" "$f")" = genuine ]
	echo other >"$w"
	fails 4 'wrong passphrase' hwkey pks-restore --show --passphrase-file "$w" "$f"
	[ ! -e "$HWKEY_PKS_DIR/system" ]
	put a data
	[[ $(show STATUS "$f") == 'of another keystore'* ]]
	rm -r "$HWKEY_PKS_DIR/system"
	mv "$BATS_TEST_TMPDIR/lost1" "$HWKEY_PKS_DIR/system"
	[ "$(hash_tree)" = "$before" ]
	flip "$f" 600
	fails 6 "damaged or was tampered with" hwkey pks-restore --show "$f"
	fails 2 '--show changes nothing' hwkey pks-restore --show --root-key-only "$f"
	fails 2 '--show changes nothing' hwkey pks-restore --show --accept-rollback "$f"
	fails 2 'without --show nothing is shown' hwkey pks-restore --json "$f"
}

@test "pks-restore: of the same generation needs no leave, and no passphrase" {
	put a data
	backup "$f"
	restore --batch "$f"
	[ "$(hwkey pks-read a)" = data ]
	[[ $(hwkey pks-restore "$f" --accept-rollback 2>&1) == *'is back: what was changed later is not in it'* ]]
}

@test "pks-restore: makes the keystore where all of it is lost" {
	put a data --policy worldreadable
	put fw data --consumer firmware
	hwkey generate -q k1
	printf secret | hwkey seal -q -o "$f.sealed" -
	backup "$d"
	before=$(generation)
	lose 1
	fails 3 "is missing and key 'k1' needs it: restore it" hwkey pks-read a
	fails 4 'backup needs its passphrase: nobody can be asked here' hwkey pks-restore --batch "$d"/*
	echo wrong >"$f"
	chmod 600 "$f"
	fails 4 'wrong passphrase' hwkey pks-restore --passphrase-file "$f" "$d"/*
	[ ! -e "$HWKEY_PKS_DIR/system" ]
	restore --passphrase-file "$w" "$d"/*
	# the passphrase of the backup opens it
	fails 4 'keystore needs its passphrase' hwkey pks-read --batch a
	credential
	[ "$(hwkey pks-read a)" = data ]
	[ "$(hwkey pks-read fw --consumer firmware)" = data ]
	[ "$(hwkey unseal "$f.sealed")" = secret ]
	hwkey validate k1
	[ "$(hwkey pks-config --raw --noheadings --output SLOTS)" = passphrase ]
	[ "$(generation)" -gt $((before + 1000000)) ]
	hwkey pks-config -q --add-slot plain
	unset CREDENTIALS_DIRECTORY
	[ "$(hwkey pks-read a)" = data ]
	put b data
}

@test "pks-backup: opens with the trusted system key, which the machine does not have" {
	put a data
	fails 3 "no trusted system key; 'hwkey pks-tsk' sets one, --passphrase does without" hwkey pks-backup "$d"
	[ -z "$(ls "$d")" ]
	hwkey pks-tsk -q --new "$f.tsk"
	hwkey pks-tsk -q --set "$f.tsk"
	hwkey pks-backup -q "$d"
	lose 1
	fails 4 ', or --tsk-file' hwkey pks-restore --batch "$d"/*
	fails 2 'not a trusted system key' hwkey pks-restore --passphrase-file "$w" "$d"/*
	fails 2 'not with both' hwkey pks-restore --passphrase-file "$w" --tsk-file "$f.tsk" "$d"/*
	hwkey pks-tsk -q --new "$f.other"
	fails 4 'another trusted system key' hwkey pks-restore --tsk-file "$f.other" "$d"/*
	restore --tsk-file "$f.tsk" "$d"/*
	install -D -m 600 "$f.tsk" "$BATS_TEST_TMPDIR/credentials/hwkey.pks-tsk"
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
	[ "$(hwkey pks-read a)" = data ]
	[ "$(hwkey pks-config --raw --noheadings --output SLOTS)" = tsk ]
	hwkey pks-config -q --add-slot plain
	hwkey pks-backup -q "$d"
	[ "$(ls "$d" | wc -l)" = 2 ]
	rm "$HWKEY_PKS_DIR"/system/root.*
	hwkey pks-restore -q --root-key-only "$(ls -d "$d"/*-*000000* "$d"/* | head -1)"
	[ "$(hwkey pks-read a)" = data ]
}

@test "pks-restore: a backup of another keystore is refused" {
	put a data
	backup "$f"
	lose 1
	put a other
	before=$(find "$HWKEY_PKS_DIR" -type f -exec sha256sum {} + | sort)
	fails 6 'backup is of keystore' hwkey pks-restore --accept-rollback --passphrase-file "$w" "$f"
	rm "$HWKEY_PKS_DIR/system/root.plain"
	fails 6 'of another keystore' hwkey pks-restore --accept-rollback --passphrase-file "$w" "$f"
	fails 6 'another' hwkey pks-restore --root-key-only --passphrase-file "$w" "$f"
	[ "$(find "$HWKEY_PKS_DIR" -type f -exec sha256sum {} + | sort)" = "$(grep -v root.plain <<<"$before")" ]
}

@test "pks-restore: where no slot opens the keystore it puts one back" {
	put a old
	backup "$f"
	put a new --replace
	rm "$HWKEY_PKS_DIR/system/root.plain"
	fails 6 'root-key slots are missing' hwkey pks-read a
	fails 6 '--root-key-only puts back only what opens it' hwkey pks-restore --passphrase-file "$w" "$f"
	not hwkey pks-read -q --batch a
	hwkey pks-restore -q --root-key-only --passphrase-file "$w" "$f"
	credential
	[ "$(hwkey pks-read a)" = new ]
	fails 7 'no slot of it is lost' hwkey pks-restore --root-key-only "$f"
	rm "$HWKEY_PKS_DIR/system/root.passphrase"
	restore --accept-rollback --passphrase-file "$w" "$f"
	[ "$(hwkey pks-read a)" = old ]
}

@test "pks-restore: where both containers are damaged it keeps them" {
	put a data
	put b data
	backup "$f"
	for x in A B; do flip "$HWKEY_PKS_DIR/system/local.$x" 900; done
	fails 6 'is damaged' hwkey pks-read a
	restore "$f"
	[ "$(labels)" = 'a b ' ]
	[ "$(ls "$HWKEY_PKS_DIR/system" | tr '\n' ' ')" = 'local.A local.A.damaged local.B local.B.damaged root.plain ' ]
	rm "$HWKEY_PKS_DIR"/system/local.*
	restore "$f"
	[ "$(labels)" = 'a b ' ]
	put c data
}

@test "pks-restore: no wrapping key is lost unasked" {
	put a data
	backup "$f"
	hwkey generate -q k1
	fails 6 'would be lost' hwkey pks-restore "$f"
	fails 7 "key 'k1' would be lost: the backup has not the wrapping key that it needs; --accept-lost-keys" \
		hwkey pks-restore --accept-rollback "$f"
	hwkey validate k1
	cp -r "$HWKEY_REPOSITORY" "$f.repo"
	hwkey remove -q --force k1
	fails 7 'a wrapping key would be lost' hwkey pks-restore --accept-rollback "$f"
	rm -r "$HWKEY_REPOSITORY"
	mv "$f.repo" "$HWKEY_REPOSITORY"
	backup "$f.new"
	lose 1
	fails 7 "key 'k1' needs a wrapping key that is not in this backup" hwkey pks-restore --passphrase-file "$w" "$f"
	[ ! -e "$HWKEY_PKS_DIR/system" ]
	restore --passphrase-file "$w" "$f.new"
	credential
	restore --accept-rollback --accept-lost-keys "$f"
	not hwkey validate k1
	restore --accept-rollback "$f.new"
	hwkey validate k1
}

@test "pks-restore: an immutable object stays as it is" {
	put a data
	backup "$f"
	cp -r "$HWKEY_PKS_DIR" "$BATS_TEST_TMPDIR/pks2"
	put i data --policy immutable
	fails 6 'would be lost' hwkey pks-restore "$f"
	# also from a backup that is newer than what is here
	HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/pks2
	for n in 1 2 3; do put a "$n" --replace; done
	backup "$f.newer"
	HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/pks
	fails 4 "policy 'immutable': object 'i' is not in the backup" hwkey pks-restore "$f.newer"
	[ "$(hwkey pks-read i)" = data ]
	restore --accept-rollback "$f.newer"
	[ "$(labels)" = 'a ' ]
}

@test "pks-restore: what consumers closed, or keep until the next boot, is not passed over" {
	put a data
	backup "$f"
	put t data --policy transient
	restore "$f"
	[ "$(labels)" = 'a t ' ]
	hwkey pks-remove -q a
	put a transient --policy transient
	fails 7 "object 'a' of this boot stands in the way" hwkey pks-restore --accept-rollback "$f"
	hwkey pks-password --password-file "$w"
	fails 4 'needs its password' hwkey pks-restore --batch --accept-rollback "$f"
	hwkey pks-remove -q --password-file "$w" a
	restore --accept-rollback --password-file "$w" "$f"
	hwkey pks-lock -q firmware
	fails 4 'locked' hwkey pks-restore --accept-rollback --password-file "$w" "$f"
	boot 2
	restore --accept-rollback "$f"
}

@test "pks-restore: what is damaged, cut, or something else is refused" {
	put a data
	backup "$f"
	before=$(generation)
	size=$(stat -c %s "$f")
	for at in 0 9 12 20 40 60 80 100 110 120 200 245 260 290 300 350 380 400 440 500 540 600 $((size - 1)); do
		cp "$f" "$f.x"
		flip "$f.x" "$at"
		fails 6 : hwkey pks-restore --accept-rollback --passphrase-file "$w" "$f.x"
	done
	for len in 0 1 255 256 287 288 543 544 $((size - 1)); do
		head -c "$len" "$f" >"$f.x"
		fails 6 : hwkey pks-restore --accept-rollback --passphrase-file "$w" "$f.x"
	done
	{ cat "$f"; echo; } >"$f.x"
	fails 6 'wrong length' hwkey pks-restore --accept-rollback "$f.x"
	fails 6 'not a backup' hwkey pks-restore "$HWKEY_PKS_DIR/system/local.A"
	fails 3 'cannot open' hwkey pks-restore "$f.none"
	cp "$f" "$HWKEY_PKS_DIR/system/local.A"
	[ "$(generation)" = "$before" ] || [ "$(generation)" = $((before - 1)) ]
}

@test "pks-restore: the larger of both sizes stays" {
	hwkey pks-config -q --size 8K
	put a data
	backup "$f.8"
	boot 2
	hwkey pks-config -q --size 16K
	put b data
	backup "$f.16"
	restore --accept-rollback "$f.8"
	[ "$(hwkey pks-config --raw --noheadings --output SIZE)" = 16384 ]
	[ "$(labels)" = 'a ' ]
	lose 1
	credential
	restore --passphrase-file "$w" "$f.8"
	[ "$(hwkey pks-config --raw --noheadings --output SIZE)" = 8192 ]
	restore "$f.16" --accept-rollback
	[ "$(hwkey pks-config --raw --noheadings --output SIZE)" = 16384 ]
	[ "$(labels)" = 'a b ' ]
}

@test "pks-restore: a second one keeps what the first, which failed, has kept" {
	command -v strace || skip 'no strace'
	put a data
	backup "$f"
	put b data
	for x in A B; do flip "$HWKEY_PKS_DIR/system/local.$x" 900; done
	before=$(cd "$HWKEY_PKS_DIR/system" && sha256sum local.A local.B)
	strace -f -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:error=ENOSPC:when=1+ \
		hwkey pks-restore -q "$f" && exit 1
	restore "$f"
	[ "$(labels)" = 'a ' ]
	[ "$(cd "$HWKEY_PKS_DIR/system" && sha256sum local.A.damaged local.B.damaged)" = "${before//$'\n'/.damaged$'\n'}.damaged" ]
}

@test "pks-restore: a size that is to come does not exceed what there is" {
	put a data
	hwkey pks-config -q --power11
	hwkey pks-config -q --size 128K
	backup "$f"
	hwkey pks-config -q --size 64K
	for n in 1 2 3 4 5 6 7; do hwkey pks-config -q --store "p$n" --create --power11 --size 128K; done
	hwkey pks-config -q --store p8 --create --size 64K
	before=$(generation)
	fails 8 'all keystores of a system have' hwkey pks-restore --accept-rollback "$f"
	[ "$(generation)" = "$before" ]
}

@test "pks-restore: a wrapping key that was revoked stays revoked" {
	hwkey pks-genkey -q w1
	printf secret | hwkey seal -q --wrapping-key w1 -o "$f.sealed" -
	backup "$f"
	hwkey pks-genkey -q --revoke w1
	fails 4 revoked hwkey unseal "$f.sealed"
	restore --accept-rollback "$f"
	fails 4 revoked hwkey unseal "$f.sealed"
}

@test "pks-backup --if-changed: one under an earlier trusted system key does not count" {
	put a data
	for n in 1 2; do hwkey pks-tsk -q --new "$f.$n"; done
	hwkey pks-tsk -q --set "$f.1"
	hwkey pks-backup -q "$d"
	hwkey pks-tsk -q --set "$f.2" --replace
	run hwkey pks-backup -q --if-changed 8 "$d"
	[ "$status" = 7 ]
	[[ $output == *'under another trusted system key than the keystore has now'* ]]
	hwkey pks-backup -q -f --if-changed 8 "$d"
	lose 1
	restore --tsk-file "$f.2" "$d"/*
}

@test "pks-backup: what it refuses of its arguments" {
	put a 1
	fails 3 "there is no directory 'none/'" hwkey pks-backup none/ --passphrase-file "$w"
	: >file
	fails 2 "needs a directory" hwkey pks-backup --if-changed 1 file --passphrase-file "$w"
	fails 2 "--if-changed needs a number from 1 on" hwkey pks-backup --if-changed 0 "$d" --passphrase-file "$w"
	fails 2 "--if-changed needs a number from 1 on" hwkey pks-backup --if-changed 1x "$d" --passphrase-file "$w"
	[ -z "$(ls "$d")" ]
}

@test "pks-backup: the timer of examples/ does what it says" {
	unit=$top/examples/hwkey-pks-backup
	command=$(sed -n 's/^ExecStart=//p' "$unit.service")
	[[ $command == 'hwkey pks-backup '*' /var/backups/hwkey' ]]
	put a 1
	hwkey pks-tsk -q --new "$f"
	hwkey pks-tsk -q --set "$f"
	for want in 1 1; do
		eval "${command//\/var\/backups\/hwkey/$d}"
		[ "$(ls "$d" | wc -l)" = "$want" ]
	done
	for n in 1 2 3 4 5 6 7 8; do put a "$n" --replace; done
	eval "${command//\/var\/backups\/hwkey/$d}"
	[ "$(ls "$d" | wc -l)" = 2 ]
	command -v systemd-analyze >/dev/null || skip 'no systemd-analyze'
	cp "$unit".* "$BATS_TEST_TMPDIR"
	sed -i "s|^ExecStart=hwkey|ExecStart=$(command -v hwkey)|" "$BATS_TEST_TMPDIR/hwkey-pks-backup.service"
	systemd-analyze verify --man=no "$BATS_TEST_TMPDIR/hwkey-pks-backup.timer" "$BATS_TEST_TMPDIR/hwkey-pks-backup.service"
}

@test "pks-restore: a keystore beside the first one comes back under its name" {
	put a data
	hwkey pks-config -q --store second --create --size 8K
	put b other --store second
	hwkey pks-backup -q --passphrase-file "$w" --store second "$f.2"
	backup "$f.1"
	put b changed --store second --replace
	fails 6 'backup is of keystore' hwkey pks-restore "$f.2"
	restore --accept-rollback --store second "$f.2"
	[ "$(hwkey pks-read b --store second)" = other ]
	lose 1
	credential
	fails 6 "another keystore than 'local'" hwkey pks-restore --passphrase-file "$w" "$f.2"
	restore --passphrase-file "$w" "$f.1"
	hwkey pks-config -q --store second --create --size 8K
	restore --store second "$f.2"
	[ "$(hwkey pks-read b --store second)" = other ]
	[ "$(labels)" = 'a ' ]
}
