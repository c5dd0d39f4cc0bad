#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What opens the keystore beside its plain file, and what becomes of it at a start.

setup() {
	load helpers
	cd "$BATS_TEST_TMPDIR"
	store=$HWKEY_PKS_DIR/system
	umask 077
	boot 1
	printf secret | hwkey pks-write --quiet a -
}

# credential NAME FILE
credential() {
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
	install -D -m 600 "$2" "$CREDENTIALS_DIRECTORY/$1"
}

# flip FILE OFFSET: its lowest bit
flip() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "tsk: a key is made on demand, set, shown by its id only, and checked" {
	fails 3 'no trusted system key; --new FILE makes one' hwkey pks-tsk
	hwkey pks-tsk --new tsk 2>said
	grep -q 'away from the machine' said
	[ "$(stat -c %a tsk)" = 600 ]
	grep -qxE '[0-9a-f]{64}' tsk
	fails 7 exists hwkey pks-tsk --new tsk
	hwkey pks-tsk --new - --quiet >other
	not cmp -s tsk other
	fails 3 'no trusted system key' hwkey pks-tsk --check tsk
	[ -z "$(hwkey pks-tsk --set tsk 2>&1)" ]
	[ "$(stat -c %a "$store/root.tsk")" = 400 ]
	id=$(hwkey pks-tsk --raw --noheadings)
	grep -qxE '[0-9a-f]{32}' <<<"$id"
	[ "$(hwkey pks-tsk --json | jq -r '.tsk[0].id')" = "$id" ]
	hwkey pks-tsk --check tsk
	fails 4 'another trusted system key' hwkey pks-tsk --check other
	fails 7 '--replace sets another' hwkey pks-tsk --set other
	hwkey pks-tsk --set - --replace <other 2>said
	grep -q 'under another key open with that key alone' said
	fails 4 'another trusted system key' hwkey pks-tsk --check tsk
	hwkey pks-tsk --check other
	[ "$(hwkey pks-tsk --raw --noheadings)" != "$id" ]
	[ "$(hwkey pks-config --json | jq -c '.keystore[0].slots')" = '["plain","tsk"]' ]
	not grep -rqaF "$(cat other)" "$HWKEY_PKS_DIR"
	not grep -rqaP "$(sed 's/../\\x&/g' other)" "$HWKEY_PKS_DIR"	# nor the bytes themselves
}

@test "tsk: what is no key is refused" {
	for text in '' 00 "$(printf %063d 0)" "$(printf %063dg 0)" "$(printf %065d 0)"; do
		printf %s "$text" >bad
		fails 2 'not a trusted system key' hwkey pks-tsk --set bad
		[ ! -e "$store/root.tsk" ]
	done
	head -c 32 /dev/urandom >raw
	hwkey pks-tsk --set raw
	hwkey pks-tsk --check raw
	od -An -v -tx1 raw | tr -d ' \n' >hex
	hwkey pks-tsk --check hex
	chmod 644 hex
	fails 4 'open to other users' hwkey pks-tsk --check hex
	fails 2 'exclude each other' hwkey pks-tsk --check raw --set raw
	fails 2 'goes with --set' hwkey pks-tsk --replace
	fails 2 'goes with --new' hwkey pks-tsk --force-tty
	fails 2 'show nothing' hwkey pks-tsk --set raw --json
}

@test "tsk: the key alone opens the keystore, from a credential" {
	hwkey pks-tsk --quiet --new tsk
	hwkey pks-tsk --set tsk
	hwkey pks-config --quiet --remove-slot plain
	fails 4 "credential 'hwkey.pks-tsk'" hwkey pks-read a --batch
	credential hwkey.pks-tsk tsk
	[ "$(hwkey pks-read a)" = secret ]
	hwkey pks-config | grep -q 'PROTECTION *trusted system key'
	fails 7 'the last one' hwkey pks-config --remove-slot tsk
	printf 'correct horse' >pass
	hwkey pks-config --quiet --add-slot passphrase --passphrase-file pass
	[ "$(hwkey pks-read a)" = secret ]	# nobody gives the passphrase: the key does
	credential hwkey.pks-passphrase pass
	[ "$(hwkey pks-read a)" = secret ]
	hwkey pks-config --quiet --remove-slot tsk
	[ "$(hwkey pks-read a)" = secret ]
}

@test "tsk: no bit of the slot can be changed unseen" {
	hwkey pks-tsk --quiet --new tsk
	hwkey pks-tsk --set tsk
	for at in 20 40 50 70 100 245 256 280 310; do
		flip "$store/root.tsk" $at
		fails 6 "'root.tsk'" hwkey pks-tsk
		flip "$store/root.tsk" $at
	done
	hwkey pks-tsk --check tsk
	cp "$store/root.tsk" "$store/root.passphrase"
	rm "$store"/root.{plain,tsk}
	fails 6 'another type than its name says' hwkey pks-read a --batch
}

# anchored: the keystore has an anchor in a directory of its own, card/anchor
anchored() {
	mkdir -p card
	hwkey pks-config --quiet --anchor "$PWD/card/anchor" 2>said
}

@test "anchor: disk and anchor together open the keystore, neither alone does" {
	anchored
	grep -q "file system of the keystore: it protects as little as slot 'plain'" said
	[ "$(stat -c %a "$store/root.anchor")" = 400 ]
	hwkey pks-config --remove-slot plain 2>said
	together="anchor on the keystore's own disk, no protection against a disk thief"
	grep -qx "hwkey: protection: $together" said
	[ "$(hwkey pks-config --json | jq -r '.keystore[0].protection')" = "$together" ]
	[ "$(hwkey list-devices --json local | jq -r '.devices[0].remark')" = "protection: $together" ]
	[ "$(hwkey pks-config --json | jq -c '.keystore[0].slots')" = '["anchor"]' ]
	[ "$(hwkey pks-read a)" = secret ]
	mv card away
	fails 5 "anchor '$PWD/card/anchor' is not there" hwkey pks-read a
	fails 5 'is not there' hwkey pks-write b "$store/root.anchor"
	mkdir card
	fails 5 'is not there' hwkey pks-read a
	cp -r away/anchor card/anchor
	[ "$(hwkey pks-read a)" = secret ]
	for at in 20 40 50 245 256 280 310; do
		flip card/anchor $at
		fails 6 "anchor '$PWD/card/anchor'" hwkey pks-read a
		flip card/anchor $at
	done
	fails 7 'the last one' hwkey pks-config --remove-slot anchor
}

@test "anchor: one that is not there does not hide the passphrase" {
	anchored
	hwkey pks-config --quiet --remove-slot plain 2>/dev/null
	mv card/anchor away
	fails 5 "anchor '$PWD/card/anchor' is not there; mount what it is on" hwkey pks-read a --batch
	mv away card/anchor
	printf pass >pass
	hwkey pks-config --quiet --add-slot passphrase --passphrase-file pass
	rm card/anchor
	fails 4 'keystore needs its passphrase' hwkey pks-read a --batch
	[[ $(hwkey pks-check --batch 2>&1 >/dev/null) == *"; or mount its anchor '"* ]]
	credential hwkey.pks-passphrase pass
	[ "$(hwkey pks-read a)" = secret ]
}

@test "a keystore that was lost is not an empty one" {
	hwkey generate -q k
	rm -r "$HWKEY_PKS_DIR"
	for command in pks-list pks-check pks-config pks-tsk; do
		fails 3 "is missing and key 'k' needs it: restore it" hwkey $command
	done
	hwkey remove -q --force k
	[ -z "$(hwkey pks-list --noheadings)" ]
	fails 3 "is not initialised: its first use does that, as 'hwkey pks-config --size 64K'" hwkey pks-check
	[ ! -e "$HWKEY_PKS_DIR" ]
}

@test "anchor: it moves, and the one before opens nothing any more" {
	anchored
	cp card/anchor old
	fails 7 "slot 'anchor' already; --replace" hwkey pks-config --anchor "$PWD/other"
	hwkey pks-config --quiet --anchor "$PWD/other" --replace 2>/dev/null
	[ ! -e card/anchor ]
	hwkey pks-config --quiet --remove-slot plain
	[ "$(hwkey pks-read a)" = secret ]
	cp old other
	fails 6 'not the one of this keystore' hwkey pks-read a
}

@test "anchor: what is no anchor of this keystore is not overwritten" {
	mkdir card
	echo precious >card/file
	fails 7 'is no anchor: choose another name' hwkey pks-config --anchor "$PWD/card/file"
	fails 7 'is no anchor: choose another name' hwkey pks-config --anchor "$PWD/card/file" --replace
	[ "$(cat card/file)" = precious ]
	printf x | HWKEY_PKS_DIR=$PWD/pks2 hwkey pks-write -q b -
	HWKEY_PKS_DIR=$PWD/pks2 hwkey pks-config --quiet --anchor "$PWD/card/anchor" 2>/dev/null
	cp card/anchor foreign
	fails 7 'an anchor of another keystore; --replace' hwkey pks-config --anchor "$PWD/card/anchor"
	cmp card/anchor foreign
	[ ! -e "$store/root.anchor" ]
	fails 2 'absolute path' hwkey pks-config --anchor card/anchor2
	fails 2 'absolute path' hwkey pks-config --anchor "$PWD/card/"
	fails 5 'is not there' hwkey pks-config --anchor "$PWD/none/anchor"
	fails 2 'exclude each other' hwkey pks-config --anchor "$PWD/card/a" --add-slot plain
	fails 2 'at once' hwkey pks-config --anchor "$PWD/card/a" --remove-slot anchor
	hwkey pks-config --quiet --anchor "$PWD/card/anchor" --replace 2>/dev/null
	not cmp -s card/anchor foreign
	hwkey pks-config --quiet --remove-slot anchor
	[ ! -e card/anchor ]
	[ ! -e "$store/root.anchor" ]
}

@test "anchor: where its slot cannot be read it is not given up, nor its half left behind in silence" {
	anchored
	for call in openat read; do
		for n in 1 2 3 4; do
			cp -a "$HWKEY_PKS_DIR" before
			cp card/anchor half
			fault=(-o /dev/null -P "$store/root.anchor" -e "inject=$call:error=EIO:when=$n")
			if strace "${fault[@]}" hwkey pks-config --remove-slot anchor 2>said; then
				[ ! -e card/anchor ]
			else
				cmp card/anchor half
				[ -e "$store/root.anchor" ]
			fi
			rm -rf "$HWKEY_PKS_DIR"
			mv before "$HWKEY_PKS_DIR"
			mv half card/anchor
		done
	done
}

@test "anchor: where its medium is not mounted, nothing is written in its place" {
	[ "$(stat -c %d /dev/shm)" != "$(stat -c %d .)" ] || skip 'no second file system here'
	shm=$(mktemp -d /dev/shm/hwkey-anchor.XXXXXX)
	ln -s "$shm" medium
	status=0
	hwkey pks-config --quiet --anchor "$PWD/medium/anchor" 2>said || status=$?
	[ "$(stat -c %a "$shm/anchor")" = 600 ] || status=1
	hwkey pks-config --remove-slot plain 2>grade || status=1
	grep -qx 'hwkey: protection: anchor, none against who has both disk and anchor' grade || status=1
	hwkey list-devices --json local | jq -r '.devices[0].remark' | grep -q 'none against who has both' || status=1
	hwkey pks-config --quiet --add-slot plain 2>/dev/null || status=1
	rm -r "$shm" medium
	mkdir medium
	[ "$status" = 0 ]
	[ ! -s said ]
	fails 5 'what it is on is not mounted' hwkey pks-config --anchor "$PWD/medium/anchor" --replace
	[ -z "$(ls medium)" ]
	fails 7 'the last one' hwkey pks-config --remove-slot plain
}

# results [OPTION...]: of the nine steps, a word each; nothing of it is said on standard error
results() { hwkey pks-check --raw --noheadings --output RESULT "$@" 2>/dev/null | tr '\n' ' '; }

# detail CHECK
detail() { hwkey pks-check --json 2>/dev/null | jq -r --arg c "$1" '.checks[] | select(.check == $c) | .detail'; }

health() { hwkey pks-config --json 2>/dev/null | jq -r '.keystore[0].health'; }

@test "check: nine steps, and a boot is begun once" {
	[ "$(results)" = 'skipped ok skipped ok ok ok ok ok skipped ' ]
	boot 2
	[ "$(results)" = 'skipped ok skipped ok ok ok due ok skipped ' ]
	cp -r "$HWKEY_PKS_DIR" before
	[ "$(results --repair)" = 'skipped ok skipped ok ok ok done ok skipped ' ]
	[ "$(results --repair)" = 'skipped ok skipped ok ok ok ok ok skipped ' ]
	diff -r before "$HWKEY_PKS_DIR"
	[ "$(health)" = healthy ]
	[ "$(hwkey pks-check --json | jq -c '[.checks[].step]')" = '[1,2,3,4,5,6,7,8,9]' ]
	fails 2 'goes with --repair' hwkey pks-check --heal-foreign
	rm -r "$HWKEY_PKS_DIR"
	fails 3 'not initialised' hwkey pks-check --repair
	[ ! -e "$HWKEY_PKS_DIR" ]
}

@test "check: a size that is due and what is not on disk yet" {
	printf x | hwkey pks-write -q --no-wait b -
	hwkey pks-config --quiet --power11 --size 128K
	printf x | hwkey pks-write -q --no-wait c -
	[ "$(results)" = 'skipped ok skipped ok ok ok ok due skipped ' ]
	[ "$(results --repair)" = 'skipped ok skipped ok ok ok ok done skipped ' ]
	[ "$(hwkey pks-config --json | jq -c '.keystore[0] | [.size, .pending, .unconfirmed]')" = '[65536,131072,null]' ]
	boot 2
	[ "$(detail ready)" = 'size of 131072 bytes is due; this boot has not begun: no password is set' ]
	[ "$(results --repair)" = 'skipped ok skipped ok ok ok done ok skipped ' ]
	[ "$(hwkey pks-config --json | jq -c '.keystore[0] | [.size, .pending]')" = '[131072,null]' ]
}

@test "check: a missing anchor is made again, by the first write of a boot as well" {
	anchored
	[ "$(health)" = healthy ]
	rm card/anchor
	[ "$(health)" = "degraded: anchor '$PWD/card/anchor' is missing" ]
	hwkey doctor >out || true
	grep '^soft:local *warning' out | grep -q "anchor'* is missing.*pks-check"
	hwkey pks-check --quiet 2>said >/dev/null
	[ "$(cat said)" = "hwkey: degraded: anchor '$PWD/card/anchor' is missing: --repair writes it anew" ]
	[ ! -e card/anchor ]
	[ "$(results --repair)" = 'repaired ok skipped ok ok ok ok ok skipped ' ]
	hwkey doctor >out || true
	grep '^soft:local *ok' out | grep -q 'healthy'
	rm card/anchor
	printf x | hwkey pks-write -q b -
	[ ! -e card/anchor ]		# this boot is under way
	boot 2
	printf x | hwkey pks-write c - 2>said
	grep -q "anchor '$PWD/card/anchor' was written anew" said
	hwkey pks-config --quiet --remove-slot plain
	[ "$(hwkey pks-read a)" = secret ]
}

@test "check: on a medium of its own, which may be another by now, an anchor is made again on demand only" {
	[ "$(stat -c %d /dev/shm)" != "$(stat -c %d .)" ] || skip 'no second file system here'
	shm=$(mktemp -d /dev/shm/hwkey-anchor.XXXXXX)
	ln -s "$shm" medium
	hwkey pks-config --quiet --anchor "$PWD/medium/anchor"
	rm medium/anchor
	boot 2
	printf x | hwkey pks-write --quiet c - 2>said
	here=$(ls medium)
	results --repair >out
	healed=$(ls medium)
	rm -r "$shm"
	[ -z "$here" ]
	grep -q "anchor '$PWD/medium/anchor' is missing; see 'hwkey pks-check'" said
	[ "$(cat out)" = 'repaired ok skipped ok ok ok ok ok skipped ' ]
	[ "$healed" = anchor ]
}

@test "check: a medium that is not there degrades, and stops nothing" {
	anchored
	mv card away
	boot 2
	printf x | hwkey pks-write b - 2>said
	grep -q "is not there.*pks-check" said
	[ "$(results --repair)" = 'degraded ok skipped ok ok ok ok ok skipped ' ]
	hwkey pks-check --repair >/dev/null 2>&1
	[[ $(health) == 'degraded: '*'is not there'* ]]
	mv away card
	[ "$(health)" = healthy ]
}

@test "check: an anchor that is of another key is told, and overwritten on demand only" {
	anchored
	cp card/anchor good
	printf x | HWKEY_PKS_DIR=$PWD/pks2 hwkey pks-write -q b -
	HWKEY_PKS_DIR=$PWD/pks2 hwkey pks-config --quiet --anchor "$PWD/foreign" 2>/dev/null
	hwkey pks-config --quiet --anchor "$PWD/card/later" --replace 2>/dev/null
	mv card/later good
	hwkey pks-config --quiet --anchor "$PWD/card/anchor" --replace 2>/dev/null
	cp good stale		# of this keystore, and of the key before
	cp card/anchor damaged
	flip damaged 300
	echo precious >no-card
	boot=2
	for what in foreign:another\ keystore stale:another\ key damaged:damaged no-card:slot; do
		cp -f "${what%%:*}" card/anchor
		boot $((boot += 1))
		printf x | hwkey pks-write -q --replace b - 2>said
		grep -q "${what##*:}.*see 'hwkey pks-check'" said
		run results --repair
		[ "$output" = 'failed ok skipped ok ok ok ok ok skipped ' ]
		cmp card/anchor "${what%%:*}"
		[[ $(detail anchor) == *': --repair --heal-foreign overwrites it' ]]
		fails 6 '1 of the checks failed' hwkey pks-check --repair
		[[ $(health) == degraded:* ]]
		[ "$(results --repair --heal-foreign)" = 'repaired ok skipped ok ok ok ok ok skipped ' ]
		not cmp -s card/anchor "${what%%:*}"
		[ "$(health)" = healthy ]
	done
}

@test "check: the copy that opens the files counts, another one is told" {
	printf pass >pass
	hwkey pks-config --quiet --add-slot passphrase --passphrase-file pass
	printf x | HWKEY_PKS_DIR=$PWD/pks2 hwkey pks-write -q b -
	cp -f pks2/system/root.plain "$store/root.plain"
	fails 4 'needs its passphrase' hwkey pks-read a --batch
	credential hwkey.pks-passphrase pass
	hwkey pks-read a 2>said >out
	[ "$(cat out)" = secret ]
	grep -q "'root.plain': of another root key" said
	fails 6 'checks failed' hwkey pks-check --repair --heal-foreign --quiet
	detail 'slots on disk' | grep -q "'root.plain': of another keystore: 'hwkey pks-config' renews it.*; passphrase (not opened)"
	cmp pks2/system/root.plain "$store/root.plain"
	hwkey pks-config --quiet --add-slot plain --replace 2>/dev/null
	[ "$(results)" = 'skipped ok skipped ok ok ok ok ok skipped ' ]
}

@test "check: no slot, no file, damaged files: which step it is, and what is next" {
	cp -r "$HWKEY_PKS_DIR" whole
	rm "$store/root.plain"
	fails 6 'slots are missing' hwkey pks-check --repair
	[ "$(results || true)" = 'skipped skipped skipped failed skipped skipped skipped skipped skipped ' ]
	cp -a whole/system/root.plain "$store/"
	for f in local.A local.B; do
		flip "$store/$f" 5000
	done
	fails 6 "'hwkey pks-restore' brings back a backup" hwkey pks-check --repair
	[ "$(results || true)" = 'skipped skipped skipped skipped failed skipped skipped skipped skipped ' ]
	rm "$store"/local.?
	fails 6 "local.A: is missing; local.B: is missing; 'hwkey pks-restore'" hwkey pks-check --repair
	[ -z "$(ls "$store"/local.? 2>/dev/null)" ]
	cp -a whole/system/local.? "$store/"
	printf junk >"$HWKEY_SYSROOT/run/hwkey/pks/$(ls "$HWKEY_SYSROOT/run/hwkey/pks")/boot"
	fails 6 'passwords and locks of this boot' hwkey pks-check --repair
	[ "$(results || true)" = 'skipped ok skipped ok ok skipped failed skipped skipped ' ]
}

@test "check: a file of the two that is missing or damaged is written anew" {
	newest=$(detail files | grep -o 'local\..')
	other=$([ "$newest" = local.A ] && echo local.B || echo local.A)
	rm "$store/$other"
	[ "$(results)" = 'skipped ok skipped ok degraded ok ok ok skipped ' ]
	[ "$(health)" = "degraded: '$other' is damaged or missing" ]
	[[ $(detail files) == *'--repair writes it anew' ]]
	[ "$(results --repair)" = 'skipped ok skipped ok repaired ok ok ok skipped ' ]
	[ -s "$store/$other" ]
	flip "$store/$other" 5000		# it is the newer one now
	run results
	[ "$output" = 'skipped ok skipped ok failed ok ok ok skipped ' ]
	hwkey pks-check --repair >/dev/null 2>&1
	[ -e "$store/$other.damaged" ]
	detail files | grep -q "'$other.damaged' is kept"
	rm "$store/$other.damaged"
	[ "$(results)" = 'skipped ok skipped ok ok ok ok ok skipped ' ]
	[ "$(hwkey pks-read a)" = secret ]
}

@test "check: the unit is one that systemd takes" {
	command -v systemd-analyze >/dev/null || skip 'no systemd here'
	sed "s,=hwkey,=$(command -v hwkey)," "$top/examples/hwkey-pks-check.service" >hwkey-pks-check.service
	systemd-analyze --man=no verify "$PWD/hwkey-pks-check.service" >said 2>&1
	[ ! -s said ]
	eval "$(sed -n 's/^ExecStart=//p' hwkey-pks-check.service)" >/dev/null
}
