#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# More than one keystore under one root key, and the pool that their sizes come from.

setup() {
	load helpers
	cd "$BATS_TEST_TMPDIR"
	boot 1
	hwkey pks-config -q --size 4K 2>/dev/null
}

# make NAME [OPTION...]
make() { hwkey pks-config --store "$1" --create "${@:2}"; }

# put STORE LABEL DATA [OPTION...]
put() { printf %s "$3" | hwkey pks-write -q --store "$1" "${@:4}" "$2" -; }

# of STORE FIELD: as JSON
of() { hwkey pks-config --store "$1" --json | jq -c ".keystore[0].$2"; }

@test "pks: another keystore has its own objects, size, passwords and locks, and an identity of its own" {
	make mail --size 8K
	[ "$(of mail store)$(of mail size)$(of mail objects)" = '"mail"81920' ]
	[ "$(of mail uuid)" != "$(of local uuid)" ]
	put local same 'of local'
	put mail same 'of mail'
	put mail gone 'of this boot' --policy transient
	[ "$(hwkey pks-read same)/$(hwkey pks-read same --store mail)" = 'of local/of mail' ]
	fails 3 'not found' hwkey pks-read gone
	hwkey pks-lock os --store mail
	fails 4 'locked' hwkey pks-read same --store mail
	install -m 600 /dev/null word
	echo word >word
	hwkey pks-password --consumer firmware --password-file word
	[ "$(of local passwords)$(of mail passwords)$(of mail locked)" = '["firmware"][]["os"]' ]
	boot 2
	[ "$(hwkey pks-read same --store mail)" = 'of mail' ]
	[ "$(hwkey pks-list --raw --noheadings --output label --store mail)" = same ]
}

@test "pks: keys need the first keystore, the others keep objects only" {
	make mail
	[ "$(hwkey list-devices --json mail | jq -c '.devices[0].can')" = '["store"]' ]
	fails 5 "no device 'mail' here that can do this" hwkey generate k --device mail
	fails 3 "no keystore 'nobody'" hwkey pks-list --store nobody
	[[ $(hwkey pks-list --store soft:mail --json) == *'"objects": []'* ]]
	hwkey --complete pks-read --store '' | grep -qx mail
	hwkey doctor | grep -E '^soft:mail +ok '
}

@test "pks: what opens one keystore opens all" {
	make mail
	put mail a data
	install -m 600 /dev/null word
	printf 'correct horse' >word
	hwkey pks-config -q --store mail --add-slot passphrase --passphrase-file word --remove-slot plain
	fails 4 'needs its passphrase' hwkey pks-read a --store mail --batch
	fails 4 'needs its passphrase' hwkey pks-list --batch
	install -D -m 600 word credentials/hwkey.pks-passphrase
	[ "$(CREDENTIALS_DIRECTORY=$PWD/credentials hwkey pks-read a --store mail)" = data ]
}

@test "pks: names of keystores" {
	long=$(printf 'x%.0s' {1..32})
	for good in a 0 a-b "$long"; do
		make "$good" --size 4K
		put "$good" a data
	done
	for bad in '' - -a A a.b a/b ../a a_b "é" "${long}x"; do
		fails 2 "a keystore's name has" hwkey pks-config --create --store="$bad"
	done
	fails 7 "keystore 'a' exists already" make a
	fails 7 "keystore 'local' exists already" make local
	fails 2 'need --store' hwkey pks-config --create
	fails 2 '--remove stands alone' hwkey pks-config --remove --store a --size 0
	fails 2 'show nothing' hwkey pks-config --create --store b --json
	install -D /dev/null "$HWKEY_SYSROOT/sys/class/tpm/tpm0/tpm_version_major"
	echo 2 >"$HWKEY_SYSROOT/sys/class/tpm/tpm0/tpm_version_major"
	fails 7 "device 'tpm0' (tpm2) has that name" make tpm0
}

@test "pks: a bad name or size makes no keystore at all" {
	rm -r "$HWKEY_PKS_DIR"
	fails 2 "a keystore's name" make A
	fails 2 'a keystore has 4096' make a --size 4097
	fails 2 'is not one that is disabled' make a --size 0
	[ ! -e "$HWKEY_PKS_DIR" ]
}

@test "pks: all keystores together have 1 MiB, and sizes to come count" {
	for n in {1..7}; do
		make "p$n" --power11 --size 128K
	done
	fails 8 "1048576 bytes together: 126976 are left for 'p8', not 131072" make p8 --power11 --size 128K
	make p8 --power11 --size 64K			# 896K + 4K + 64K: 60K are left
	put p8 a data
	fails 8 "126976 are left for 'p8', not 131072" hwkey pks-config --store p8 --size 128K
	hwkey pks-config -q --store p8 --size 124K	# to come
	fails 8 "0 are left for 'more', not 4096" make more --size 4K
	fails 8 "4096 are left for 'local', not 5120" hwkey pks-config --size 5K
	hwkey pks-config -q --store p8 --size 120K	# changed again before it comes
	make more --size 4K
	boot 2
	put p8 b data
	[ "$(of p8 size)" = 122880 ]
	hwkey pks-config --store p7 --size 0		# takes nothing
	make again --size 64K
	fails 8 "65536 are left for 'p7', not 131072" hwkey pks-config --store p7 --size 128K
	hwkey pks-config -q --store p7 --size 64K	# comes with the next boot, and counts from now on
	fails 8 "0 are left for 'last', not 4096" make last --size 4K
	boot 3
	put p7 a data
	[ "$(of p7 size)" = 65536 ]
}

@test "pks: a size that cannot be told is not guessed" {
	make mail
	truncate -s 300 "$HWKEY_PKS_DIR/system/mail.A" "$HWKEY_PKS_DIR/system/mail.B"
	fails 6 "cannot tell how large 'mail' is" make more
	fails 7 'exists already' make mail
	fails 6 'is damaged' hwkey pks-list --store mail
	hwkey pks-list
	[ "$(hwkey list-devices --json mail | jq -r '.devices[0].state')" = error ]
	run hwkey doctor
	[ "$status" = 4 ]
	[[ $output == *soft:mail*bad*damaged* ]]
}

@test "pks: a keystore goes when it is disabled, and the first one never" {
	make mail
	put mail a data
	hwkey pks-lock firmware --store mail
	fails 7 'is not disabled' hwkey pks-config --remove --store mail
	fails 7 'holds 1 object' hwkey pks-config --size 0 --store mail
	hwkey pks-remove -q a --store mail
	hwkey pks-config --size 0 --store mail
	fails 5 "--store mail --size 64K' enables it" hwkey pks-list --store mail
	hwkey pks-config -q --size 8K --store mail
	fails 7 'is not disabled' hwkey pks-config --remove --store mail
	hwkey pks-config --size 0 --store mail
	touch "$HWKEY_PKS_DIR/system/mail.A.damaged"
	fails 7 "'mail.A.damaged', which may hold objects" hwkey pks-config --remove --store mail
	rm "$HWKEY_PKS_DIR/system/mail.A.damaged"
	hwkey pks-config --remove --store mail
	fails 3 "no keystore 'mail'" hwkey pks-list --store mail
	[ "$(cd "$HWKEY_PKS_DIR/system" && echo *)" = 'local.A local.B root.plain' ]
	hwkey pks-config --size 0
	fails 2 "keystore 'local' is the system's own" hwkey pks-config --remove --store local
	make mail		# the same boot still
	put mail a data
	[ "$(of mail locked)" = '["firmware"]' ]
}

@test "pks: containers under another name are refused" {
	make mail
	make news
	put mail a data
	cd "$HWKEY_PKS_DIR/system"
	cp mail.A news.A
	cp mail.B news.B
	fails 6 'belongs to another keystore' hwkey pks-read a --store news
	cp local.A news.A
	fails 6 'belongs to another keystore' hwkey pks-list --store news
	state=$HWKEY_SYSROOT/run/hwkey/pks
	cp "$state/$(of local uuid | tr -d '"-')/boot" "$state/$(of mail uuid | tr -d '"-')/boot"
	fails 6 'not the state of this keystore' hwkey pks-read a --store mail
}

@test "pks: the making of a keystore that was killed is taken up again" {
	make mail --size 8K
	rm "$HWKEY_PKS_DIR/system/mail.B"
	make mail --size 16K
	[ "$(of mail size)$(of mail damaged)" = '16384[]' ]
	put mail a data
	rm "$HWKEY_PKS_DIR/system/mail.B"	# this one is in use
	fails 7 'exists already' make mail
}

@test "pks: of many that make one keystore one does; many take no more than there is" {
	for n in 1 2 3 4 5 6; do
		{
			status=0
			make mail --power11 --size 128K 2>/dev/null || status=$?
			echo $status >s$n
		} &
	done
	wait
	[ "$(cat s? | sort | tr -d '\n')" = 077777 ]
	for n in 1 2 3 4 5 6 7 8 9; do
		{
			status=0
			make "p$n" --power11 --size 128K 2>/dev/null || status=$?
			echo $status >s$n
		} &
	done
	wait
	[ "$(cat s? | sort | tr -d '\n')" = 000000888 ]
}
