#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The platform keystore, in its software form.

setup() {
	load helpers
	store=$HWKEY_PKS_DIR/system f=$BATS_TEST_TMPDIR/f
	boot 1
}

# put LABEL DATA [OPTION...]
put() {
	printf %s "$2" | hwkey pks-write --quiet "${@:3}" "$1"
}

# secret DATA: in a file nobody else may read, $f
secret() {
	install -m 600 /dev/null "$f"
	printf %s "$1" >"$f"
}

# flip FILE BYTE: one bit of it
flip() {
	local old
	old=$(od -An -tu1 -j "$2" -N1 "$1")
	chmod u+w "$1"
	# shellcheck disable=SC2059
	printf "\\x$(printf %02x $((old ^ 4)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# The file of the older and of the newer generation.
older() { newest | tail -n 1; }
newer() { newest | head -n 1; }
newest() {
	local f
	for f in local.A local.B; do
		echo "$(od -An -tx1 -j48 -N8 "$store/$f" | tr -d ' ') $store/$f"
	done | sort -r | cut -d' ' -f2
}

# A keystore that only a passphrase opens.
passphrase_only() {
	secret 'correct horse'
	hwkey pks-config --quiet --add-slot passphrase --passphrase-file "$f" --remove-slot plain
}

@test "pks: what is written is read back, byte for byte" {
	head -c 5000 /dev/urandom >"$BATS_TEST_TMPDIR/data"
	chmod 600 "$BATS_TEST_TMPDIR/data"
	hwkey pks-write blob "$BATS_TEST_TMPDIR/data"
	hwkey pks-read blob | cmp - "$BATS_TEST_TMPDIR/data"
	hwkey pks-read blob --output "$BATS_TEST_TMPDIR/out"
	cmp "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/data"
	[ "$(stat -c %a "$BATS_TEST_TMPDIR/out")" = 600 ]
	fails 7 "out' exists already" hwkey pks-read blob --output "$BATS_TEST_TMPDIR/out"
	run hwkey pks-read blob --output "$BATS_TEST_TMPDIR/out"
	[[ $output != *--force* ]]
}

@test "pks: who makes a keystore is told once what it is not" {
	run bash -c 'printf x | hwkey pks-write first 2>&1 | fmt -w 999'
	[[ $output == *'The software keystore follows the rules of the PowerVM Platform KeyStore inside this tool. Unlike PowerVM it is not a separate trust domain: whoever is root on this machine, or holds every root-key slot, can open it.'* ]]
	run bash -c 'printf x | hwkey pks-write second 2>&1'
	[[ $output != *PowerVM* ]]
}

@test "pks: each write says how well it is protected, once, and --quiet keeps quiet" {
	run bash -c 'printf x | hwkey pks-write --quiet first 2>&1'
	[ "$output" = "hwkey: a new keystore was made in '$HWKEY_PKS_DIR'" ]
	run bash -c 'printf x | hwkey pks-write a 2>&1'
	[ "$output" = 'hwkey: protection: plain file, no protection against a disk thief' ]
	run bash -c 'hwkey pks-remove a 2>&1'
	[ "$output" = 'hwkey: protection: plain file, no protection against a disk thief' ]
	run bash -c 'hwkey pks-list 2>&1 >/dev/null'
	[ "$output" = 'hwkey: protection: plain file, no protection against a disk thief' ]
	run bash -c 'printf x | hwkey pks-write --quiet a 2>&1'
	[ -z "$output" ]
	run bash -c 'hwkey pks-read a 2>&1'
	[ "$output" = x ]
}

@test "pks: an object is not overwritten unless told so" {
	put a one
	secret two
	fails 7 "object 'a': exists already; --replace overwrites it" hwkey pks-write a "$f"
	[ "$(hwkey pks-read a)" = one ]
	put a two --replace
	[ "$(hwkey pks-read a)" = two ]
	hwkey pks-remove -q a
	fails 3 "object 'a': not found" hwkey pks-read a
	fails 3 "object 'a': not found" hwkey pks-remove a
}

@test "pks: a full store" {
	secret ''
	fails 2 'at least 1 byte' hwkey pks-write a "$f"
	[ ! -e "$HWKEY_PKS_DIR" ]
	truncate -s $((65536 - 64 - 1)) "$f"
	hwkey pks-write -q a "$f"
	printf x >"$f"
	fails 8 '0 of 65536 free; wrapping keys, old ones too: 0,' hwkey pks-write b "$f"
	hwkey pks-write -q --replace a "$f"
	hwkey pks-write -q b "$f"
	[ "$(hwkey pks-read b)" = x ]
	[ "$(hwkey pks-list --info --json | tr -d ' ,' | grep used)" = '"used":132' ]
	hwkey generate -q k
	hwkey rewrap -q --to-new k
	truncate -s $((65536 - 132 - 116 - 117 - 65)) "$f"
	hwkey pks-write -q c "$f"
	fails 8 'wrapping keys, old ones too: 1, 117 bytes' hwkey rewrap -q --to-new k
}

@test "pks: policies are enforced, and those that cannot be are refused" {
	put a data --policy immutable,worldreadable
	put c data
	secret other
	fails 4 immutable hwkey pks-write a "$f" --replace
	fails 4 immutable hwkey pks-remove a
	[ "$(hwkey pks-read a)" = data ]
	hwkey pks-list | grep -F 'worldreadable, immutable'
	secret x
	fails 5 "policy 'signedupdate'" hwkey pks-write b "$f" --policy signedupdate
	fails 2 "policy 'wrappingkey'" hwkey pks-write b "$f" --policy wrappingkey
	fails 2 "its policy was fixed" hwkey pks-write c "$f" --replace --policy worldreadable
	fails 2 "no policy 'nonsense'" hwkey pks-write b "$f" --policy immutable,nonsense
	fails 4 'kept for wrapping keys' hwkey pks-write default-wrapping-key "$f"
	fails 3 'not found' hwkey pks-read b
	fails 2 "'nobody'" hwkey pks-read --consumer nobody c
}

@test "pks: a store that is not there is not made by looking" {
	[ -z "$(hwkey pks-list)" ]
	fails 3 'not initialised' hwkey pks-config
	fails 3 'not initialised' hwkey pks-read a
	fails 3 'not initialised' hwkey pks-remove a
	secret x
	fails 4 "policy 'pwset'" hwkey pks-write a "$f" --policy pwset
	[ ! -e "$HWKEY_PKS_DIR" ]
	hwkey list-devices | grep 'local.*not initialised yet'
}

@test "pks: a keystore that went missing is not made anew while keys need it" {
	hwkey generate -q k
	mv "$HWKEY_PKS_DIR" "$BATS_TEST_TMPDIR/away"
	secret data
	fails 3 "is missing and key 'k' needs it" hwkey seal -q -o "$BATS_TEST_TMPDIR/sealed" "$f"
	fails 3 "is missing and key 'k' needs it" hwkey generate -q k2
	fails 3 "is missing and key 'k' needs it" hwkey pks-write -q a "$f"
	[ ! -e "$HWKEY_PKS_DIR" ]
	mkdir -m 700 "$HWKEY_PKS_DIR"
	fails 3 "is missing and key 'k' needs it" hwkey pks-write -q a "$f"
	rm -r "$HWKEY_PKS_DIR"
	mv "$BATS_TEST_TMPDIR/away" "$HWKEY_PKS_DIR"
	hwkey generate -q k2
	hwkey remove -q --force k k2
	rm -r "$HWKEY_PKS_DIR"
	put a data
}

@test "pks: a keystore that went missing is not made anew while a damaged key may need it" {
	hwkey generate -q k
	rm -r "$HWKEY_PKS_DIR"
	truncate -s 20 "$HWKEY_REPOSITORY/k.info"
	fails 3 "is missing and key 'k' needs it" hwkey generate -q k2
	rm "$HWKEY_REPOSITORY/k.info"
	fails 3 "is missing and key 'k' needs it" hwkey generate -q k2
	truncate -s 20 "$HWKEY_REPOSITORY/k.skey"
	fails 3 "is missing and key 'k' needs it" hwkey generate -q k2
	[ ! -e "$HWKEY_PKS_DIR" ]
	rm "$HWKEY_REPOSITORY/k.skey"
	hwkey generate -q k2
}

@test "pks: nothing can be read by others, whatever the umask" {
	umask 000
	put a data
	[ -z "$(find "$HWKEY_PKS_DIR" -type d ! -perm 700)" ]
	[ "$(cd "$HWKEY_PKS_DIR" && find . -type f -printf '%m %P\n' | sort | tr '\n' ' ')" = \
		'400 system/root.plain 600 .lock 600 system/local.A 600 system/local.B ' ]
	chmod 777 "$HWKEY_PKS_DIR"
	fails 4 'can be written by other users' hwkey pks-read a
}

@test "pks: a root key that others can read opens what is there, not more; what they can write, nothing" {
	put a data
	hwkey generate -q k
	chmod 755 "$HWKEY_PKS_DIR" "$store"
	hwkey pks-read -q a
	chmod 644 "$store/root.plain"
	[ "$(hwkey pks-read -q a)" = data ]
	run bash -c 'hwkey validate k 2>&1 >/dev/null'
	[[ $output == *"root.plain' can be read by other users: chmod 400"* ]]
	fails 4 "root.plain' first" hwkey generate -q k2
	secret x
	fails 4 "root.plain' first" hwkey pks-write -q b "$f"
	fails 4 "root.plain' first" hwkey seal -q -o "$BATS_TEST_TMPDIR/sealed" "$f"
	run hwkey doctor
	[ "$status" -eq 4 ]
	[[ $output == *"bad "*"root key can be read by other users"* ]]
	chmod 400 "$store/root.plain"
	hwkey generate -q k2
	for name in '' /root.plain /local.A /local.B; do
		mode=$(stat -c %a "$store$name")
		chmod o+w "$store$name"
		fails 4 "/system$name' can be written by other users: chmod go-w" hwkey pks-read -q a
		chmod "$mode" "$store$name"
	done
	chown 12345 "$store/local.A"
	fails 4 "local.A' belongs to another user" hwkey pks-read -q a
}

@test "pks: a flipped bit in the root-key slot is an integrity failure that names it" {
	put a data
	for at in 0 9 13 20 40 50 70 100 110 120 180 250 256 287; do
		flip "$store/root.plain" $at
		fails 6 "'root.plain'" hwkey pks-read a
		flip "$store/root.plain" $at
	done
	[ "$(hwkey pks-read a)" = data ]
	truncate -s 287 "$store/root.plain"
	fails 6 "'root.plain'" hwkey pks-read a
	rm -f "$store/root.plain"
	fails 6 'slots are missing' hwkey pks-read a
	secret data
	fails 6 'slots are missing' hwkey pks-write b "$f"
	[ ! -e "$store/root.plain" ]
}

@test "pks: one damaged container is survived, two are an integrity failure" {
	put a one
	put b two
	flip "$(older)" 5000
	[ "$(hwkey pks-read b)" = two ]
	put c three
	[ "$(hwkey pks-read c)" = three ]
	flip "$(newer)" 300
	[ "$(hwkey pks-read b)" = two ]
	flip "$(older)" 300
	fails 6 "is damaged: local.A" hwkey pks-read b
	secret x
	fails 6 "is damaged: local.A" hwkey pks-write d "$f"
	rm "$store/local.A" "$store/local.B"
	fails 6 "is damaged: local.A" hwkey pks-list
}

@test "pks: a wrapping key survives damage of the newest container" {
	secret data
	hwkey seal -q -o "$BATS_TEST_TMPDIR/sealed" "$f"
	hwkey generate -q k
	flip "$(newer)" 5000
	[ "$(hwkey unseal -q "$BATS_TEST_TMPDIR/sealed")" = data ]
	put a one
	hwkey rewrap -q --to-new k
	flip "$(newer)" 5000
	[ "$(hwkey validate -q --raw --noheadings --output STATUS k)" = valid ]
}

@test "pks: what a damaged container may have held is not lost silently" {
	put a one
	put b two
	new=$(newer)
	flip "$new" 5000
	cp "$new" "$BATS_TEST_TMPDIR/evidence"
	run bash -c 'hwkey pks-read a 2>&1 >/dev/null'
	[[ $output == "hwkey: '${new##*/}'"*"is damaged"*generation* ]]
	fails 6 'is damaged' hwkey pks-read -q b
	hwkey pks-config | grep -E "^DAMAGED +${new##*/}\$"
	run bash -c 'printf x | hwkey pks-write c 2>&1'
	[[ $output == *"is kept as '${new##*/}.damaged'"* ]]
	cmp "$new.damaged" "$BATS_TEST_TMPDIR/evidence"
	fails 3 'not found' hwkey pks-read b
	hwkey pks-config | grep -E "^DAMAGED +${new##*/}.damaged\$"
	rm "$new.damaged"
	[ "$(hwkey pks-read c 2>&1)" = x ]
	run bash -c 'hwkey pks-config | grep DAMAGED'
	[[ $output != *local* ]]
	dd if=/dev/zero of="$(newer)" bs=256 count=1 conv=notrunc status=none	# what a failed commit leaves
	put d four
	[ "$(hwkey pks-read d 2>&1)" = four ]
	[ ! -e "$store/local.A.damaged" ]
	[ ! -e "$store/local.B.damaged" ]
}

@test "pks: an object that may be stale is read with a warning, one that may be lost says so" {
	put a one
	put a two --replace
	flip "$(newer)" 5000
	[ "$(hwkey pks-read -q a 2>"$f")" = one ]
	grep -q "^hwkey: what is read may have been written anew since: 'local.[AB]' is newer, and damaged$" "$f"
	put b three
	[ "$(hwkey pks-read a 2>&1)" = one ]
	rm "$(newer)"
	fails 3 "not found, and 'local." hwkey pks-read -q b
}

@test "pks: an older copy of a keystore says that it is that" {
	hwkey generate -q k
	cp -a "$HWKEY_PKS_DIR" "$BATS_TEST_TMPDIR/older"
	hwkey rewrap -q --to-new k
	rm -r "$HWKEY_PKS_DIR"
	mv "$BATS_TEST_TMPDIR/older" "$HWKEY_PKS_DIR"
	run hwkey validate k
	[ "$status" -eq 6 ]
	[[ $output == *"sealed by this keystore"*"was an older copy of it restored?"* ]]
}

@test "pks: containers of another keystore are refused" {
	put a data
	HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/other put a data
	cp "$BATS_TEST_TMPDIR"/other/system/local.[AB] "$store"
	fails 6 'belongs to another keystore' hwkey pks-read a
}

@test "pks: a killed first use is taken up again" {
	mkdir -p -m 700 "$HWKEY_PKS_DIR/.new"
	printf junk >"$HWKEY_PKS_DIR/.new/root.plain"
	printf junk >"$HWKEY_PKS_DIR/.new/.hwkey.tmp"
	put a data
	[ "$(hwkey pks-read a)" = data ]
	[ ! -e "$HWKEY_PKS_DIR/.new" ]
	[ ! -e "$store/.hwkey.tmp" ]
}

@test "pks: a reader never fails while others write" {
	put a 0
	(for n in 1 2 3 4 5 6 7 8 9 10 11 12; do put a "$n" --replace; done; touch "$BATS_TEST_TMPDIR/done") &
	while [ ! -e "$BATS_TEST_TMPDIR/done" ]; do
		hwkey pks-read a >/dev/null
	done
	wait
	[ "$(hwkey pks-read a)" = 12 ]
}

@test "pks: a passphrase, from a credential or not at all" {
	put a data
	passphrase_only
	[ ! -e "$store/root.plain" ]
	[ "$(stat -c %a "$store/root.passphrase")" = 400 ]
	hwkey list-devices | grep 'protection: passphrase'
	fails 4 'needs its passphrase' hwkey pks-read a --batch
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
	mkdir "$CREDENTIALS_DIRECTORY"
	printf 'wrong horse' >"$CREDENTIALS_DIRECTORY/hwkey.pks-passphrase"
	fails 4 'wrong passphrase' hwkey pks-read a
	printf 'correct horse' >"$CREDENTIALS_DIRECTORY/hwkey.pks-passphrase"
	[ "$(hwkey pks-read a)" = data ]
	flip "$store/root.passphrase" 260
	fails 6 "'root.passphrase'" hwkey pks-read a
}

@test "pks: a change of slots says once what protects the keystore now" {
	put a data
	secret 'correct horse'
	[ "$(hwkey pks-config --add-slot passphrase --remove-slot plain --passphrase-file "$f" 2>&1)" = \
		'hwkey: protection: passphrase (scrypt)' ]
	hwkey pks-config --help | tr -s ' \n' ' ' | grep -q 'add-slot=SLOT .*: plain, passphrase, tpm2'
}

@test "pks: the last way in stays; a slot is added, replaced, removed" {
	put a data
	fails 7 'the last one' hwkey pks-config --remove-slot plain
	fails 7 "slot 'plain' already; --replace overwrites it" hwkey pks-config --add-slot plain
	fails 3 "no slot 'passphrase'" hwkey pks-config --remove-slot passphrase
	fails 4 'nobody can be asked' hwkey pks-config --add-slot passphrase --batch
	fails 4 "'hwkey.pks-new-passphrase'" hwkey pks-config --add-slot passphrase --batch
	fails 2 'show nothing' hwkey pks-config --add-slot passphrase --json
	fails 2 'show nothing' hwkey pks-config --remove-slot plain --output uuid
	fails 2 'goes with --add-slot' hwkey pks-config --replace
	secret ''
	fails 2 'empty passphrase' hwkey pks-config --add-slot passphrase --passphrase-file "$f"
	passphrase_only
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
	mkdir "$CREDENTIALS_DIRECTORY"
	printf 'correct horse' >"$CREDENTIALS_DIRECTORY/hwkey.pks-passphrase"
	fails 7 'the last one' hwkey pks-config --remove-slot passphrase
	printf 'battery staple' >"$CREDENTIALS_DIRECTORY/hwkey.pks-new-passphrase"
	fails 7 'already' hwkey pks-config --add-slot passphrase
	hwkey pks-config -q --add-slot passphrase --replace
	fails 4 'wrong passphrase' hwkey pks-read a
	mv "$CREDENTIALS_DIRECTORY/hwkey.pks-new-passphrase" "$CREDENTIALS_DIRECTORY/hwkey.pks-passphrase"
	hwkey pks-config -q --add-slot plain
	rm "$CREDENTIALS_DIRECTORY/hwkey.pks-passphrase"
	[ "$(hwkey pks-read a)" = data ]
	[ "$(hwkey pks-config | grep -E '^(SLOTS|PROTECTION)' | tr -s ' ' | tr '\n' ';')" = \
		'SLOTS plain, passphrase;PROTECTION plain file, no protection against a disk thief;' ]
}

@test "pks: a damaged slot does not lock out another one" {
	put a data
	secret 'correct horse'
	echo >>"$f"	# the newline an editor leaves
	hwkey pks-config -q --add-slot passphrase --passphrase-file "$f"
	flip "$store/root.plain" 270
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR
	cp "$f" "$BATS_TEST_TMPDIR/hwkey.pks-passphrase"
	run bash -c 'hwkey pks-read a 2>&1 >/dev/null'
	[[ $output == *"'root.plain'"*'another slot opened'* ]]
	[ "$(hwkey pks-read -q a)" = data ]
	fails 7 'the last one' hwkey pks-config -q --remove-slot passphrase
	hwkey pks-config -q --add-slot plain --replace
	unset CREDENTIALS_DIRECTORY
	[ "$(hwkey pks-read a)" = data ]
}

@test "pks: a passphrase that nobody can type is refused, and the other slot stays" {
	put a data
	for p in 'two\nlines' 'bell\a' 'nul\0nul' 'del\177' 'crlf\r\n' "$(printf %0512d 0)"; do
		secret ''
		# shellcheck disable=SC2059
		printf "$p" >"$f"
		fails 2 'could not be typed' hwkey pks-config --add-slot passphrase --passphrase-file "$f" --remove-slot plain
	done
	[ ! -e "$store/root.passphrase" ]
	[ "$(hwkey pks-read a)" = data ]
	printf %0511d 0 >"$f"
	hwkey pks-config -q --add-slot passphrase --passphrase-file "$f"
}

@test "pks: what a killed writer of a plain slot left counts as one, and is overwritten" {
	put a data
	cp "$store/root.plain" "$BATS_TEST_TMPDIR/clear"
	passphrase_only
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR
	cp "$f" "$BATS_TEST_TMPDIR/hwkey.pks-passphrase"
	install -m 400 "$BATS_TEST_TMPDIR/clear" "$store/.hwkey.tmp"
	ln "$store/.hwkey.tmp" "$BATS_TEST_TMPDIR/blocks"
	hwkey list-devices | grep 'plain file'
	hwkey pks-config | grep 'plain file'
	put b data
	[ ! -e "$store/.hwkey.tmp" ]
	cmp -n 288 "$BATS_TEST_TMPDIR/blocks" /dev/zero
	hwkey pks-config | grep 'passphrase (scrypt)'
}

@test "pks: replacing a damaged plain slot overwrites the old one, a good one stays" {
	put a data
	passphrase_only
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR
	cp "$f" "$BATS_TEST_TMPDIR/hwkey.pks-passphrase"
	hwkey pks-config -q --add-slot plain
	cp "$store/root.plain" "$BATS_TEST_TMPDIR/good"
	hwkey pks-config -q --add-slot plain --replace
	cmp "$store/root.plain" "$BATS_TEST_TMPDIR/good"
	flip "$store/root.plain" 150
	ln "$store/root.plain" "$BATS_TEST_TMPDIR/blocks"
	hwkey pks-config -q --add-slot plain --replace
	cmp -n 288 "$BATS_TEST_TMPDIR/blocks" /dev/zero
	unset CREDENTIALS_DIRECTORY
	[ "$(hwkey pks-read a)" = data ]
}

@test "pks: the data never goes to a terminal unless told so" {
	command -v script >/dev/null || skip 'no script(1)'
	put a geheim
	run script -qec 'hwkey pks-read a' /dev/null
	[ "$status" -eq 4 ]
	[[ $output != *geheim* ]]
	run script -qec 'hwkey pks-read a --force-tty' /dev/null
	[[ $output == *geheim* ]]
}

@test "pks: a write is one flush and few system calls" {
	[ -z "${ASAN_OPTIONS-}" ] || skip "a sanitizer makes system calls of its own"
	command -v strace >/dev/null || skip 'no strace'
	[ -z "${HWKEY_EMULATED-}" ] || skip 'an emulator makes system calls of its own'
	put a data
	secret x
	strace -f -o "$BATS_TEST_TMPDIR/trace" hwkey pks-write -q b "$f" || skip 'strace cannot trace here'
	[ "$(grep -cE ' (fsync|fdatasync|sync|syncfs|msync)\(' "$BATS_TEST_TMPDIR/trace")" = 1 ]
	echo "system calls: $(grep -c '(' "$BATS_TEST_TMPDIR/trace")"
	[ "$(grep -c '(' "$BATS_TEST_TMPDIR/trace")" -le 170 ]	# 93 of them start the process and libcrypto, 14 look for trust sources
}

@test "one write: 100 system calls and one flush at most, and nothing of openssl.cnf" {
	command -v strace >/dev/null || skip 'no strace'
	[ -z "${ASAN_OPTIONS-}" ] && [ "$(uname -m)" = x86_64 ] || skip 'counted for a plain build on x86_64'
	cd "$BATS_TEST_TMPDIR"
	put a 1
	put a 2 --replace
	secret 3
	printf 'openssl_conf = [\n' >bad.cnf
	OPENSSL_CONF=$PWD/bad.cnf strace -f -o trace hwkey pks-write -q --replace a - <"$f"
	[ "$(hwkey pks-read a)" = 3 ]
	[ "$(grep -cE '(fsync|fdatasync|sync_file_range)\(' trace)" -eq 1 ]
	not grep -F .cnf trace
	calls=$(grep -cE '^[0-9]+ +[a-z].* = ' trace)
	echo "$calls system calls"
	[ "$calls" -gt 50 ]
	[ "$calls" -le 100 ]
}
