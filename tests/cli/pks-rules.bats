#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The rules of PowerVM's keystore at the command line; tests/unit/pks-rules.c has them all, one row each.

setup() {
	load helpers
	f=$BATS_TEST_TMPDIR/f p=$BATS_TEST_TMPDIR/p
	boot 1
}

# put LABEL DATA [OPTION...]
put() { printf %s "$2" | hwkey pks-write --quiet "${@:3}" "$1" -; }

# password WORDS: in a file, $p
password() {
	install -m 600 /dev/null "$p"
	printf '%s\n' "$1" >"$p"
}

uuid() { hwkey pks-config --json | jq -r '.keystore[0].uuid' | tr -d -; }

@test "pks: a label of each consumer is an object of its own" {
	for c in firmware bootloader os; do
		put same "of $c" --consumer $c
	done
	for c in firmware bootloader OS; do
		[ "$(hwkey pks-read same --consumer $c)" = "of ${c,,}" ]
	done
	hwkey pks-remove -q same --consumer bootloader
	[ "$(hwkey pks-list --raw --noheadings --output consumer,label | tr '\n' ' ')" = 'firmware same os same ' ]
}

@test "pks: a password is chosen once, and gone with the boot" {
	put a data
	password 'open sesame'
	hwkey pks-password --password-file "$p"
	fails 7 'set already in this boot' hwkey pks-password --password-file "$p"
	fails 7 'set already in this boot' hwkey pks-password --generate
	[ "$(hwkey pks-config --json | jq -c '.keystore[0].passwords')" = '["os"]' ]
	fails 4 "needs its password: nobody can be asked here: give credential 'hwkey.pks-password'" hwkey pks-read a --batch
	[ "$(hwkey pks-read a --password-file "$p")" = data ]
	printf 'open sesame' | hwkey pks-remove -q a --password-file -
	fails 2 'cannot both come' hwkey pks-write a - --password-file -
	put a data --password-file "$p"
	install -D -m 600 "$p" "$BATS_TEST_TMPDIR/credentials/hwkey.pks-password"
	[ "$(CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials hwkey pks-read a)" = data ]
	password 'open barley'
	fails 4 "wrong password of consumer 'os'" hwkey pks-read a --password-file "$p"
	[ -z "$(grep -rl 'open sesame' "$HWKEY_SYSROOT" "$HWKEY_PKS_DIR")" ]
	boot 2
	[ "$(hwkey pks-read a)" = data ]
	fails 4 'has no password in this boot' hwkey pks-read a --password-file "$p"
}

@test "pks: a generated password is in the user keyring, and where it was asked for" {
	keyctl add user hwkey-test x @u >/dev/null 2>&1 || skip 'no keyrings here'
	keyctl purge -p user hwkey-test >/dev/null
	put a data
	hwkey pks-password --generate
	[ "$(hwkey pks-read a)" = data ]
	[ "$(keyctl pipe "$(keyctl search @u user "hwkey:pks:$(uuid):os")" | wc -c)" = 64 ]
	hwkey pks-password --generate --consumer firmware --output "$p"
	[ "$(stat -c %a "$p")" = 600 ]
	[ "$(keyctl pipe "$(keyctl search @u user "hwkey:pks:$(uuid):firmware")")" = "$(cat "$p")" ]
	keyctl purge -p user "hwkey:pks:$(uuid):" >/dev/null
	fails 4 'needs its password' hwkey pks-read a --batch
	put b data --consumer firmware --password-file "$p"
}

@test "pks: no password is set when it cannot be written out" {
	put a data
	touch "$f"
	fails 3 'cannot open directory' hwkey pks-password --generate -o "$BATS_TEST_TMPDIR/nonexistent/x"
	fails 7 'exists already' hwkey pks-password --generate -o "$f"
	fails 1 'standard output' bash -c 'hwkey pks-password --generate -o - >&-'
	[ "$(hwkey pks-read a)" = data ]
	[ "$(hwkey pks-config --json | jq -c '.keystore[0].passwords')" = '[]' ] ||
		[ "$(hwkey pks-config --json | jq -c '.keystore[0].passwords')" = null ]
}

@test "pks: what cannot be written to a closed standard output is an error" {
	put a data
	hwkey generate -q k
	fails 1 'standard output' bash -c 'hwkey pks-read a >&-'
	fails 1 'standard output' bash -c 'hwkey export k - >&-'
	fails 1 'standard output' bash -c 'hwkey list >&-'
	fails 1 'standard output' bash -c 'printf x | hwkey seal -q - >&-'
	hwkey generate -q k2 >&-
}

@test "pks: of many that set a password one does, and its password holds" {
	put a data
	for n in 1 2 3 4 5 6 7 8; do
		install -m 600 /dev/null "$p$n"
		echo "word $n" >"$p$n"
		(
			status=0
			hwkey pks-password --password-file "$p$n" 2>/dev/null || status=$?
			echo $status >"$f$n"
		) &
	done
	wait
	[ "$(cat "$f"? | sort | tr -d '\n')" = 07777777 ]
	winner=$(grep -lx 0 "$f"?)
	for n in 1 2 3 4 5 6 7 8; do
		if [ "$f$n" = "$winner" ]; then
			[ "$(hwkey pks-read a --password-file "$p$n")" = data ]
		else
			fails 4 'wrong password' hwkey pks-read a --password-file "$p$n"
		fi
	done
}

@test "pks: of another consumer's password nothing opens, and a stranger learns nothing" {
	put a data --consumer bootloader
	password mine
	hwkey pks-password --consumer bootloader --password-file "$p"
	fails 4 'needs its password' hwkey pks-read a --consumer bootloader --batch
	fails 4 'needs its password' hwkey pks-read nothing --consumer bootloader --batch
	password yours
	hwkey pks-password --consumer os --password-file "$p"
	fails 4 'wrong password' hwkey pks-read a --consumer bootloader --password-file "$p"
}

@test "pks: refusals name the policy" {
	printf '\0\0\0\1' >"$BATS_TEST_TMPDIR/audit"
	install -D "$BATS_TEST_TMPDIR/audit" "$HWKEY_SYSROOT/proc/device-tree/ibm,secure-boot"
	put a data --policy ossecbootaudit
	[ "$(hwkey pks-read a)" = data ]
	printf data | fails 4 "policy 'ossecbootenforce': secure boot only audits (the device tree says so)" \
		hwkey pks-write e --policy ossecbootenforce
	rm -r "$HWKEY_SYSROOT/proc/device-tree"
	fails 4 "policy 'ossecbootaudit': secure boot is off (this firmware has none)" hwkey pks-read a
	mkdir -p "$HWKEY_SYSROOT/sys/firmware/efi/efivars"
	fails 4 "policy 'ossecbootaudit': cannot tell whether secure boot is on (efivarfs is not mounted)" hwkey pks-remove a
	printf data | fails 4 "policy 'pwset'" hwkey pks-write p --policy pwset
	put i data --policy immutable
	fails 4 "policy 'immutable'" hwkey pks-remove i
}

@test "pks: a transient object does not outlive the boot, and leaves no trace on disk" {
	put a data
	before=$(cat "$HWKEY_PKS_DIR"/system/* | sha256sum)
	put t gone --policy transient,worldreadable
	[ "$(hwkey pks-read t)" = gone ]
	[ "$(cat "$HWKEY_PKS_DIR"/system/* | sha256sum)" = "$before" ]
	hwkey pks-remove -q t
	put t gone --policy transient
	boot 2
	fails 3 'not found' hwkey pks-read t
	[ "$(hwkey pks-read a)" = data ]
}

@test "pks: a locked consumer is closed until the next boot" {
	put a data --consumer bootloader
	hwkey pks-lock bootloader
	fails 4 'locked until the next boot' hwkey pks-read a --consumer bootloader
	hwkey pks-config | grep -E '^LOCKED +bootloader$'
	put a data
	fails 2 "no consumer 'nobody'" hwkey pks-lock nobody
	boot 2
	[ "$(hwkey pks-read a --consumer bootloader)" = data ]
}

@test "pks: the state of this boot is for root's eyes only" {
	put a data
	cd "$HWKEY_SYSROOT/run/hwkey/pks"
	[ "$(find . .. -maxdepth 0 -printf '%m ')" = '711 711 ' ]
	[ "$(find . -mindepth 1 -printf '%m %y\n' | sort | tr '\n' ' ')" = '600 f 700 d ' ]
}

@test "pks: a damaged state of this boot closes objects, not keys, until it is removed" {
	put a data
	hwkey generate -q k
	password 'open sesame'
	hwkey pks-password --password-file "$p"
	state=$HWKEY_SYSROOT/run/hwkey/pks/$(uuid)/boot
	cp "$state" "$f"
	for damage in 'truncate -s 0' 'truncate -s 300' 'flip 9' 'flip 40' 'flip 75' 'flip 150' 'flip 4000'; do
		cp "$f" "$state"
		if [[ $damage == flip* ]]; then
			printf '\xff' | dd of="$state" bs=1 seek="${damage#* }" conv=notrunc status=none
		else
			$damage "$state"
		fi
		cp "$state" "$f.damaged"
		fails 6 "/boot', which has the passwords and locks of this boot: " hwkey pks-read a --password-file "$p"
		fails 6 'reboot, or remove it' hwkey pks-password --password-file "$p"
		fails 6 "/boot'" hwkey pks-lock os
		fails 6 "/boot'" hwkey pks-list
		fails 6 "/boot'" hwkey pks-config
		hwkey validate -q k
		cmp "$state" "$f.damaged"
	done
	hwkey generate -q k2
	hwkey rewrap -q --to-new k
	printf data | hwkey seal -q | hwkey unseal -q | grep -q data
	cmp "$state" "$f.damaged"
	boot 2
	fails 6 "/boot'" hwkey pks-read a
	cp "$f" "$state"
	[ "$(hwkey pks-read a)" = data ]
	boot 1
	rm "$state"
	[ "$(hwkey pks-read a)" = data ]
	mkdir "$state"
	fails 6 "/boot'" hwkey pks-read a
	hwkey validate -q k
}

@test "pks: the size grows between boots, and 0 disables an empty keystore" {
	run hwkey pks-config -q --size 8K
	[ "$output" = "hwkey: a new keystore was made in '$HWKEY_PKS_DIR'" ]
	size() { hwkey pks-config --json | jq -c '.keystore[0] | [.size, .max, .pending]'; }
	[ "$(size)" = '[8192,65536,null]' ]
	for bad in 8191 4095 4097 65537 128K 1025 4K; do
		fails 2 'keystore' hwkey pks-config --size $bad
	done
	for bad in x 8M -1 '' 99999999999999999999 8KK; do
		fails 2 'is not a size' hwkey pks-config --size="$bad"
	done
	fails 2 'go with no other change' hwkey pks-config --size 8K --json
	run hwkey pks-config --size 16k
	[ "$output" = 'hwkey: the size of 16384 bytes counts from the next boot on' ]
	[ "$(size)" = '[8192,65536,16384]' ]
	hwkey pks-config -q --power11 --size 128K
	[ "$(size)" = '[8192,131072,131072]' ]
	put a data
	[ "$(size)" = '[8192,131072,131072]' ]
	fails 7 'holds 1 object: it is disabled only when it is empty' hwkey pks-config --size 0
	boot 2
	put b data
	[ "$(size)" = '[131072,131072,null]' ]
	[ "$(hwkey pks-read a)" = data ]
	hwkey pks-remove -q a
	hwkey pks-remove -q b
	hwkey pks-config --size 0
	fails 5 "is disabled: 'hwkey pks-config --size 64K' enables it" hwkey pks-list
	fails 5 'is disabled' hwkey generate -q k
	[ "$(size)" = '[0,131072,null]' ]
	hwkey pks-config -q --size 4K
	fails 5 'is disabled' hwkey pks-list
	boot 3
	[ -z "$(hwkey pks-list)" ]
	put a data
	[ "$(size)" = '[4096,131072,null]' ]
}

# flushes COMMAND...: how often it waits for the disk; files in memory do not count
flushes() {
	strace -f -y -o "$BATS_TEST_TMPDIR/trace" "$@" || return
	grep -E ' (fsync|fdatasync)\(' "$BATS_TEST_TMPDIR/trace" | grep -vc "$HWKEY_SYSROOT"
}

@test "pks: a write that does not wait is confirmed later, or by the next one" {
	command -v strace >/dev/null || skip 'no strace'
	unconfirmed() { hwkey pks-config --json | jq -c '.keystore[0].unconfirmed'; }
	put first data
	install -m 600 /dev/null "$f"
	printf data >"$f"
	[ "$(flushes hwkey pks-write -q a "$f" --no-wait)" = 0 ] || skip 'strace cannot trace here'
	[ "$(hwkey pks-read a)" = data ]
	[ "$(unconfirmed)" = 4 ]
	[ "$(flushes hwkey pks-confirm a)" = 2 ]
	[ "$(unconfirmed)" = null ]
	[ "$(flushes hwkey pks-confirm a)" = 0 ]
	put b data --no-wait
	[ "$(flushes hwkey pks-write -q c "$f")" = 3 ]		# that of b, and its own
	[ "$(unconfirmed)" = null ]
	[ "$(flushes hwkey pks-write -q d "$f")" = 1 ]
	hwkey pks-remove -q d --no-wait
	fails 3 'not found' hwkey pks-confirm d
	hwkey pks-confirm d --removed
	fails 7 'is there' hwkey pks-confirm a --removed
	put e data --no-wait
	[ "$(unconfirmed)" = 9 ]
	boot 2		# what is there after a boot was read from the disk
	[ "$(unconfirmed)" = null ]
	[ "$(hwkey pks-read e)" = data ]
}
