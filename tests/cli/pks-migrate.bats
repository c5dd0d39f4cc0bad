#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A keystore moves to another system.

setup() {
	load helpers
	f=$BATS_TEST_TMPDIR/f here=$BATS_TEST_TMPDIR/here there=$BATS_TEST_TMPDIR/there
	boot 1
	HWKEY_PKS_DIR=$there
	hwkey pks-config -q --size 8K
	hwkey pks-tsk -q --new "$f.tsk"
	hwkey pks-tsk -q --set "$f.tsk"
	HWKEY_PKS_DIR=$here
}

put() { printf %s "$2" | hwkey pks-write --quiet "${@:3}" "$1" -; }
there() { HWKEY_PKS_DIR=$there "$@"; }
labels() { hwkey pks-list -q --raw --noheadings --output LABEL | tr '\n' ' '; }
state() { find "$1" -type f -exec sha256sum {} + | sort; }
# ready: this keystore has an object, and the trusted system key of the other one
ready() {
	put a data
	hwkey pks-tsk -q --set "$f.tsk"
}
export_() { hwkey pks-export -q --tsk-file "$f.tsk" "$@"; }

@test "pks-export: all objects and wrapping keys go, and are erased once they are there" {
	ready
	put i unchanging --policy immutable
	put fw data --consumer firmware --policy worldreadable
	hwkey generate -q k1
	hwkey generate -q k2 --volumes /dev/vdb1:home
	printf secret | hwkey seal -q -o "$f.sealed" -
	put t here --policy transient
	[[ $(hwkey pks-export -q --tsk-file "$f.tsk" "$f" 2>&1) == *'transient objects stay here'* ]]
	[ "$(stat -c %a "$f")" = 600 ]
	not grep -q unchanging "$f"
	receipt=$(there hwkey pks-import -q --tsk-file "$f.tsk" "$f")
	[ ${#receipt} = 32 ]
	[ "$(there labels)" = 'fw a default-wrapping-key i ' ]
	[ "$(there hwkey pks-read i)" = unchanging ]
	there fails 4 "policy 'immutable'" hwkey pks-remove i
	there hwkey validate k1
	[ "$(there hwkey unseal "$f.sealed")" = secret ]
	# what does not open here again is named, and nothing is erased unasked
	before=$(state "$here")
	run hwkey pks-export -q --batch --confirm "$receipt"
	[ "$status" = 4 ]
	[[ $output == *"1 object of policy 'immutable' goes from here"* ]]
	[[ $output == *"key 'k2' does not open here again, nor does what only it opens: /dev/vdb1:home"* ]]
	[[ $output == *'--i-understand'* ]]
	[ "$(state "$here")" = "$before" ]
	fails 2 'goes with --confirm' hwkey pks-export --i-understand "$f"
	# the same again only tells the receipt again
	before=$(state "$there")
	[ "$(there hwkey pks-import -q --tsk-file "$f.tsk" "$f")" = "$receipt" ]
	[ "$(state "$there")" = "$before" ]
	there hwkey rewrap -q --to-new k1
	there hwkey validate k1
	fails 4 'receipt is not of the export' hwkey pks-export -q --confirm 00112233445566778899aabbccddeeff
	fails 4 'receipt is not of the export' hwkey pks-export -q --confirm x
	[ "$(hwkey pks-read -q a)" = data ]
	hwkey pks-export -q --i-understand --confirm "$receipt"
	fails 5 'was moved to another system' hwkey pks-read a
	fails 5 'was moved to another system' hwkey pks-export --cancel
	fails 5 'was moved to another system' hwkey pks-config --size 64K
	not grep -q unchanging -r "$here"
}

@test "pks-export: the source takes no changes, and says so to who reads" {
	ready
	hwkey generate -q k1
	export_ "$f"
	[ "$(hwkey pks-read a 2>"$f.err")" = data ]
	grep -q "keystore 'local' was exported: what is here may have changed elsewhere" "$f.err"
	hwkey validate -q k1
	before=$(state "$here")
	printf x | fails 4 "was exported and takes no changes: 'hwkey pks-export --cancel'" hwkey pks-write -q b -
	fails 4 'takes no changes' hwkey pks-remove -q a
	fails 4 'takes no changes' hwkey generate -q k2
	printf x | fails 4 'takes no changes' hwkey seal -q -o "$f.s" -
	fails 4 'takes no changes' hwkey rewrap -q --to-new k1
	boot 2
	fails 4 'takes no changes' hwkey pks-config -q --power11
	[ "$(state "$here")" = "$before" ]
	# a file that was lost can be made again, and is as good
	export_ "$f.again"
	[ "$(state "$here")" = "$before" ]
	receipt=$(there hwkey pks-import -q --tsk-file "$f.tsk" "$f.again")
	[ "$(there hwkey pks-import -q --tsk-file "$f.tsk" "$f")" = "$receipt" ]
	[[ $(hwkey pks-export --cancel 2>&1) == *'both are in use now'* ]]
	put b data
	fails 3 'was not exported' hwkey pks-export --cancel
	fails 3 'was not exported' hwkey pks-export --confirm "$receipt"
	export_ "$f.2"
	fails 4 'receipt is not of the export' hwkey pks-export -q --confirm "$receipt"
}

@test "pks-export: nothing is marked when it cannot be made" {
	put a data
	fails 3 "no trusted system key; 'hwkey pks-tsk' sets" hwkey pks-export --tsk-file "$f.tsk" "$f"
	hwkey pks-tsk -q --set "$f.tsk"
	before=$(state "$here")
	fails 4 ': export needs its trusted system key' hwkey pks-export --batch "$f"
	hwkey pks-tsk -q --new "$f.other"
	fails 4 'another trusted system key' hwkey pks-export --tsk-file "$f.other" "$f"
	install -m 600 /dev/null "$f.empty"
	fails 2 'not a trusted system key' hwkey pks-export --tsk-file "$f.empty" "$f"
	fails 2 'a file to export to is missing' hwkey pks-export
	fails 2 'exclude each other' hwkey pks-export --cancel --confirm x
	fails 2 'need no file' hwkey pks-export --cancel "$f"
	touch "$f"
	fails 7 'exists already' hwkey pks-export --tsk-file "$f.tsk" "$f"
	fails 3 'cannot open directory' hwkey pks-export --tsk-file "$f.tsk" "$f.none/x"
	[ "$(state "$here")" = "$before" ]
	HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/none
	fails 3 'not initialised' hwkey pks-export --tsk-file "$f.tsk" "$f.x"
	[ ! -e "$HWKEY_PKS_DIR" ]
}

@test "pks-restore: brings no keystore back that was exported or moved" {
	ready
	hwkey pks-backup -q "$f.before"
	export_ "$f"
	before=$(state "$here")
	fails 4 "takes no changes: 'hwkey pks-export --cancel'" hwkey pks-restore --accept-rollback "$f.before"
	[ "$(state "$here")" = "$before" ]
	hwkey pks-backup -q "$f.meanwhile"
	receipt=$(there hwkey pks-import -q --tsk-file "$f.tsk" "$f")
	hwkey pks-export -q --confirm "$receipt"
	before=$(state "$here")
	fails 5 "'hwkey secure-erase --pks' makes room" hwkey pks-restore --accept-rollback "$f.before"
	fails 5 'was moved' hwkey pks-restore --accept-rollback "$f.meanwhile"
	[ "$(state "$here")" = "$before" ]
	cp "$here"/system/root.tsk "$f.slot"
	rm "$here"/system/root.*	# nothing opens it but the backup's own slot
	fails 5 'was moved' hwkey pks-restore --accept-rollback --tsk-file "$f.tsk" "$f.before"
	[ -z "$(ls "$here"/system/root.* 2>/dev/null)" ]
	# where all is lost the state comes with the backup
	rm -r "$here"
	hwkey pks-restore -q --tsk-file "$f.tsk" "$f.meanwhile"
	hwkey pks-tsk -q --check "$f.tsk" --batch 2>/dev/null || true
	CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
	export CREDENTIALS_DIRECTORY
	install -D -m 600 "$f.tsk" "$CREDENTIALS_DIRECTORY/hwkey.pks-tsk"
	printf x | fails 4 'takes no changes' hwkey pks-write -q b -
}

@test "exported, moved, disabled: no check calls it healthy" {
	ready
	health() { hwkey pks-config --json 2>/dev/null | jq -r '.keystore[0].health'; }
	ready_is() { hwkey pks-check --json 2>/dev/null | jq -r '.checks[6] | .result + " " + .detail'; }
	remark() { hwkey list-devices --json local | jq -r '.devices[0] | .state + " " + .remark'; }
	export_ "$f"
	[ "$(health)" = 'exported, takes no changes' ]
	[[ $(ready_is) == 'degraded exported, takes no changes'* ]]
	[[ $(remark) == 'online exported'* ]]
	hwkey doctor >"$f.doctor" 2>/dev/null || true
	grep -q '^soft:local *bad .*exported' "$f.doctor"
	not grep -q '^commands *ok .*objects' "$f.doctor"
	hwkey pks-export -q --confirm "$(there hwkey pks-import -q --tsk-file "$f.tsk" "$f")"
	[ "$(health)" = 'moved to another system' ]
	[[ $(ready_is) == 'degraded moved'* ]]
	[[ $(remark) == 'error moved to another system'* ]]
	hwkey doctor >"$f.doctor" 2>/dev/null || true
	grep -q '^soft:local *bad .*moved' "$f.doctor"
	HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/off
	hwkey pks-config -q --size 0
	[ "$(health)" = disabled ]
	[[ $(ready_is) == 'degraded disabled'* ]]
	[[ $(remark) == 'error disabled; protection:'* ]]
	hwkey pks-config -q --size 64K
	[ "$(health)" = 'disabled until the next boot' ]
	fails 5 'disabled until the next boot' hwkey pks-list
	boot 2
	[ "$(health)" = healthy ]
	[[ $(ready_is) == due* ]]
	put a data
	[[ $(remark) == 'online protection'* ]]
}

@test "pks-export: --confirm that was cut short is finished by the same again" {
	command -v strace || skip 'no strace'
	ready
	put t here --policy transient
	hwkey pks-export -q --tsk-file "$f.tsk" "$f" 2>/dev/null
	receipt=$(there hwkey pks-import -q --tsk-file "$f.tsk" "$f")
	strace -f -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:signal=SIGKILL:when=2 \
		hwkey pks-export -q --confirm "$receipt" && exit 1
	fails 5 'was moved to another system' hwkey pks-export --cancel
	cp -r "$here" "$f.cut"
	hwkey pks-export -q --confirm "$receipt"
	# nothing is left in the older container either
	for x in A B; do
		mv "$here/system/local.$x" "$f.kept"
		fails 5 'was moved to another system' hwkey pks-read a
		mv "$f.kept" "$here/system/local.$x"
	done
}

@test "pks-export: what consumers closed, or keep by a password, does not leave without it" {
	ready
	hwkey pks-config -q --store second --create
	export_ "$f.early"
	hwkey pks-export -q --cancel
	printf word >"$f.word"
	chmod 600 "$f.word"
	put fw data --consumer firmware
	hwkey pks-password -q --consumer firmware --password-file "$f.word"
	before=$(state "$here")
	fails 4 "password" hwkey pks-export --batch --tsk-file "$f.tsk" "$f"
	[ ! -e "$f" ]
	hwkey pks-lock -q --password-file "$f.word" firmware
	fails 4 'locked until the next boot' hwkey pks-export --tsk-file "$f.tsk" --password-file "$f.word" "$f"
	[ "$(state "$here")" = "$before" ]
	fails 7 'of this very system' hwkey pks-import --tsk-file "$f.tsk" --store second "$f.early"
	boot 2
	hwkey pks-password -q --consumer firmware --password-file "$f.word"
	export_ --password-file "$f.word" "$f"
	# nor does it come in over a lock
	HWKEY_PKS_DIR=$there
	hwkey pks-password -q --consumer firmware --password-file "$f.word"
	fails 4 'password' hwkey pks-import --batch --tsk-file "$f.tsk" "$f"
	receipt=$(hwkey pks-import -q --tsk-file "$f.tsk" --password-file "$f.word" "$f")
	HWKEY_PKS_DIR=$here
	fails 4 'password' hwkey pks-export -q --batch --confirm "$receipt"
	hwkey pks-export -q --password-file "$f.word" --confirm "$receipt"
}

# damage_newest: of the two containers of this keystore
damage_newest() {
	local x newest=A
	x=$(for x in A B; do echo "$(od -An -tx1 -j48 -N8 "$HWKEY_PKS_DIR/system/local.$x" | tr -d ' ') $x"; done | sort | tail -1)
	newest=${x##* }
	printf '\xa5\x5a\xa5' | dd of="$HWKEY_PKS_DIR/system/local.$newest" bs=1 seek=300 conv=notrunc status=none
}

@test "pks-export: what is only in a damaged container is not left behind, nor erased" {
	ready
	put b last
	damage_newest
	run hwkey pks-backup --quiet "$f.backup"
	[ "$status" = 0 ]
	[[ $output == *'lacks what was written last'* ]]
	before=$(state "$here")
	fails 6 "would stay behind: 'hwkey pks-check --repair' goes on without it" \
		hwkey pks-export -q --tsk-file "$f.tsk" "$f"
	[ "$(state "$here")" = "$before" ]
	hwkey pks-check --repair >/dev/null 2>&1
	ls "$here"/system/*.damaged
	export_ "$f"
	receipt=$(there hwkey pks-import -q --tsk-file "$f.tsk" "$f")
	before=$(state "$here")
	fails 7 'which may hold objects: remove that first' hwkey pks-export -q --batch --confirm "$receipt"
	[ "$(state "$here")" = "$before" ]
	rm "$here"/system/*.damaged
	hwkey pks-export -q --confirm "$receipt"
}

@test "pks-restore: a wrapping key that moved here is not lost to a backup from before" {
	ready
	hwkey generate -q k1
	export_ "$f"
	HWKEY_PKS_DIR=$there
	hwkey pks-backup -q "$f.before"
	hwkey pks-import -q --tsk-file "$f.tsk" "$f"
	hwkey pks-backup -q "$f.after"
	rm -r "$there"
	fails 7 "key 'k1' needs a wrapping key that is not in this backup" hwkey pks-restore --tsk-file "$f.tsk" "$f.before"
	[ ! -e "$there/system" ]
	hwkey pks-restore -q --tsk-file "$f.tsk" "$f.after"
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
	install -D -m 600 "$f.tsk" "$CREDENTIALS_DIRECTORY/hwkey.pks-tsk"
	hwkey validate k1
	for x in A B; do printf '\xa5\x5a\xa5' | dd of="$there/system/local.$x" bs=1 seek=300 conv=notrunc status=none; done
	fails 7 "key 'k1' needs a wrapping key" hwkey pks-restore --tsk-file "$f.tsk" "$f.before"
}

@test "pks-export: one beside the first, moved away, keeps its name from being used again" {
	ready
	hwkey pks-config -q --store second --create
	put x data --store second
	export_ --store second "$f"
	receipt=$(there hwkey pks-import -q --tsk-file "$f.tsk" "$f")
	hwkey pks-export -q --store second --confirm "$receipt"
	before=$(state "$here")
	fails 7 'was moved away' hwkey pks-config --store second --remove
	fails 7 'exists already' hwkey pks-config --store second --create
	[ "$(state "$here")" = "$before" ]
}

@test "pks-import: without a keystore, or with another key, it writes nothing" {
	ready
	export_ "$f"
	HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/none
	fails 3 'not initialised' hwkey pks-import --tsk-file "$f.tsk" "$f"
	[ ! -e "$HWKEY_PKS_DIR" ]
	hwkey pks-config -q --size 8K
	before=$(state "$HWKEY_PKS_DIR")
	fails 3 "no trusted system key; 'hwkey pks-tsk --set'" hwkey pks-import --tsk-file "$f.tsk" "$f"
	[ "$(state "$HWKEY_PKS_DIR")" = "$before" ]
	hwkey pks-tsk -q --new "$f.other"
	hwkey pks-tsk -q --set "$f.other"
	before=$(state "$HWKEY_PKS_DIR")
	fails 4 'export is under another trusted system key' hwkey pks-import --batch "$f"
	fails 4 'export is under another trusted system key' hwkey pks-import --tsk-file "$f.other" "$f"
	[ "$(state "$HWKEY_PKS_DIR")" = "$before" ]
	HWKEY_PKS_DIR=$there
	before=$(state "$there")
	fails 4 'another trusted system key' hwkey pks-import --tsk-file "$f.other" "$f"
	fails 4 'export needs its trusted system key: nobody' hwkey pks-import --batch "$f"
	[ "$(state "$there")" = "$before" ]
}

@test "pks-import: into a keystore that is empty, and large enough, and is another one" {
	ready
	for n in 1 2 3 4 5; do head -c 2000 /dev/zero | hwkey pks-write -q "o$n" -; done
	export_ "$f"
	fails 4 'takes no changes' hwkey pks-import --tsk-file "$f.tsk" "$f"
	hwkey pks-export -q --cancel
	fails 7 'of this very keystore' hwkey pks-import --tsk-file "$f.tsk" "$f"
	HWKEY_PKS_DIR=$there
	before=$(state "$there")
	fails 8 "'hwkey pks-config --size' makes the keystore larger" hwkey pks-import --tsk-file "$f.tsk" "$f"
	[ "$(state "$there")" = "$before" ]
	boot 2
	hwkey pks-config -q --size 16K
	put x data
	fails 7 'needs one that is empty' hwkey pks-import --tsk-file "$f.tsk" "$f"
	hwkey pks-remove -q x
	hwkey pks-import -q --tsk-file "$f.tsk" "$f"
	[ "$(labels)" = 'a o1 o2 o3 o4 o5 ' ]
	put y data
	fails 7 'needs one that is empty' hwkey pks-import --tsk-file "$f.tsk" "$f"
}

@test "pks-import: takes exports only, and none that is damaged" {
	ready
	hwkey pks-backup -q "$f.backup"
	export_ "$f"
	there fails 6 "a backup, not an export: 'hwkey pks-restore' takes it" hwkey pks-import --tsk-file "$f.tsk" "$f.backup"
	fails 6 "an export, not a backup: 'hwkey pks-import' takes it" hwkey pks-restore "$f"
	before=$(state "$there")
	for at in 0 20 40 110 250 260 290 320 400 470 700; do
		cp "$f" "$f.x"
		printf '\xa5\x5a\xa5' | dd of="$f.x" bs=1 seek="$at" conv=notrunc status=none
		there fails 6 : hwkey pks-import --tsk-file "$f.tsk" "$f.x"
	done
	head -c 4000 "$f" >"$f.x"
	there fails 6 : hwkey pks-import --tsk-file "$f.tsk" "$f.x"
	[ "$(state "$there")" = "$before" ]
}

@test "pks-import: a receipt that cannot be written is an error, and is told again" {
	ready
	export_ "$f"
	there fails 1 'receipt cannot be written' bash -c "hwkey pks-import -q --tsk-file '$f.tsk' '$f' >&-"
	receipt=$(there hwkey pks-import -q --tsk-file "$f.tsk" "$f")
	hwkey pks-export -q --confirm "$receipt"
}
