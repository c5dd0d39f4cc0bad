#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The edges of the keystore's rules as a user meets them; tests/unit/pks-rules.c has more of them. One line is one case.

setup() {
	load helpers
	cd "$BATS_TEST_TMPDIR"
	boot 1
	install -m 600 /dev/null f
}

# put LABEL DATA [OPTION...]
put() { printf %s "$2" | hwkey pks-write -q "${@:3}" -- "$1" -; }

# is STATUS COMMAND...
is() {
	local status=0
	"${@:2}" >/dev/null 2>err || status=$?
	[ "$status" = "$1" ] || { echo "wanted $1, got $status: ${*:2}: $(cat err)" >&2; return 1; }
}

# label STATUS LABEL [SHOWN]: of an object that is written, listed, read, removed
label() {
	is "$1" put "$2" data
	[ "$1" = 0 ] || return 0
	[ "$(hwkey pks-list --json | jq -r '.objects[].label')" = "${3-$2}" ]
	[ "$(hwkey pks-read -- "$2")" = data ]
	hwkey pks-remove -q -- "$2"
}

# hex STATUS DIGITS [SHOWN]: the same of one given by --label-hex
hex() {
	is "$1" put "$2" data --label-hex
	[ "$1" = 0 ] || return 0
	[ "$(hwkey pks-list --json | jq -r '.objects[].label')" = "$3" ]
	[ "$(hwkey pks-read --label-hex "$2")" = data ]
	hwkey pks-remove -q --label-hex "$2"
}

# times N TEXT
times() { printf "$2%.0s" $(seq "$1"); }

@test "pks: labels" {
	label 0 a
	label 0 'with space'
	label 0 /
	label 0 ../../etc/passwd
	label 0 .
	label 0 -a
	label 0 --force
	label 0 é '\xc3\xa9'
	label 0 $'a\nb' 'a\x0ab'
	label 0 $'\e[31m' '\x1b[31m'
	label 0 'a\b' 'a\x5cb'
	label 0 '\x00' '\x5cx00'
	label 2 ''
	label 0 "$(times 239 x)"
	label 2 "$(times 240 x)"
	label 0 "$(times 119 é)" "$(times 119 '\\xc3\\xa9')"
	label 2 "$(times 120 é)"
	hex 0 00 '\x00'
	hex 0 0000 '\x00\x00'
	hex 0 6100 'a\x00'
	hex 0 64006200 'd\x00b\x00'
	hex 0 2f /
	hex 0 FF '\xff'
	hex 0 "$(times 239 00)" "$(times 239 '\\x00')"
	hex 2 "$(times 240 00)"
	hex 2 ''
	hex 2 0
	hex 2 000
	hex 2 0g
	hex 2 0x00
}

# data STATUS BYTES [OPTION...]: an object of that many bytes is written, and read back
data() {
	head -c "$2" /dev/urandom >f
	is "$1" hwkey pks-write -q a f "${@:3}"
	[ "$1" = 0 ] || return 0
	hwkey pks-read a | cmp - f
	hwkey pks-remove -q a
}

@test "pks: data of 0 bytes, of 1, of the most, of one more" {
	hwkey pks-config -q --size 4K
	data 2 0
	data 0 1
	data 0 4031		# and 64, and the label
	data 8 4032
	data 8 4096
	data 8 1000000
	data 2 0 --policy transient
	data 0 4031 --policy transient
	data 8 4032 --policy transient
	boot 2
	hwkey pks-config -q --size 64K
	data 0 65471
	data 8 65472
	boot 3
	hwkey pks-config -q --power11 --size 128K
	data 0 131007
	data 8 131008
	data 8 131073
}

# sets STATUS SIZE TOTAL PENDING: what --size gives, and what is shown then
sets() {
	is "$1" hwkey pks-config -q --size "$2"
	[ "$(hwkey pks-config --json | jq -c '.keystore[0] | [.size, .pending]')" = "[$3,$4]" ]
}

@test "pks: sizes" {
	hwkey pks-config -q --size 4K
	sets 2 4095 4096 null
	sets 0 4096 4096 null
	sets 2 4097 4096 null
	sets 2 65537 4096 null
	sets 2 131072 4096 null
	sets 0 5120 4096 5120
	sets 0 65536 4096 65536
	boot 2
	put a data
	sets 2 4096 65536 null
	sets 7 0 65536 null
	hwkey pks-remove -q a
	put a data --policy transient
	sets 7 0 65536 null
	hwkey pks-config -q --power11
	sets 2 131073 65536 null
	sets 0 131072 65536 131072
	boot 3
	sets 0 0 0 null
	sets 0 4096 0 4096
	boot 4
	put a data
	sets 0 4096 4096 null
}

# efi SECUREBOOT SETUPMODE AUDITMODE: what the firmware of this machine says; '-': no such variable
efi() {
	local dir=$HWKEY_SYSROOT/sys/firmware/efi/efivars name
	rm -rf "$HWKEY_SYSROOT/sys" "$HWKEY_SYSROOT/proc/device-tree"
	mkdir -p "$dir"
	for name in SecureBoot SetupMode AuditMode; do
		[ "$1" = - ] || printf '\6\0\0\0\'"$1" >"$dir/$name-8be4df61-93ca-11d2-aa0d-00e098032b8c"
		shift
	done
}

# tree STATE: the same by Power's device tree
tree() {
	rm -rf "$HWKEY_SYSROOT/sys"
	mkdir -p "$HWKEY_SYSROOT/proc/device-tree"
	printf '\0\0\0\'"$1" >"$HWKEY_SYSROOT/proc/device-tree/ibm,secure-boot"
}

# reads AUDIT ENFORCE: what reading gives objects of these two policies
reads() {
	is "$1" hwkey pks-read audit
	is "$2" hwkey pks-read enforce
}

@test "pks: where secure boot is seen" {
	tree 2
	put audit data --policy ossecbootaudit
	put enforce data --policy ossecbootenforce
	reads 0 0
	tree 1; reads 0 4
	tree 0; reads 4 4
	tree 3; reads 4 4
	efi 1 0 -; reads 0 0
	efi 1 0 0; reads 0 0
	efi 0 0 0; reads 4 4
	efi 0 0 1; reads 0 4		# audit mode
	efi 0 1 1; reads 0 4
	efi 1 1 0; reads 4 4		# setup mode
	efi 0 1 -; reads 4 4
	efi 7 0 0; reads 4 4
	efi 1 - -; reads 4 4
	efi - - -; reads 4 4		# not mounted
	rm -r "$HWKEY_SYSROOT/sys"; reads 4 4
}

# across STATUS-IN-THIS-BOOT STATUS-IN-THE-NEXT COMMAND...
across() {
	boot 1; is "$1" "${@:3}"
	boot 2; is "$2" "${@:3}"
	boot 1
}

@test "pks: what a new boot id ends" {
	put a data
	put b data --consumer firmware
	put c data --consumer bootloader
	put t data --policy transient --consumer firmware
	echo word >f
	hwkey pks-password --password-file f
	hwkey pks-lock bootloader
	across 4 0 hwkey pks-read a --batch
	across 0 4 hwkey pks-read a --password-file f
	across 0 0 hwkey pks-read b --consumer firmware
	across 0 3 hwkey pks-read t --consumer firmware
	across 4 0 hwkey pks-read c --consumer bootloader
}

@test "pks: what is immutable stays, whatever is tried" {
	hwkey pks-config -q --size 4K
	put a data --policy immutable
	is 4 put a more
	is 4 put a more --replace
	is 4 hwkey pks-remove a
	is 7 hwkey pks-config --size 0
	boot 2
	is 4 put a more --replace
	is 4 hwkey pks-remove a
	is 7 hwkey pks-config --size 0
	hwkey pks-config -q --size 8K
	is 4 hwkey pks-remove a
	hwkey generate -q k
	hwkey rewrap -q --to-new k
	is 4 hwkey pks-remove a
	echo 'pass phrase' >f
	mkdir copies
	hwkey pks-backup -q --passphrase-file f copies
	hwkey pks-restore -q --passphrase-file f copies/*
	is 4 put a more --replace
	is 4 hwkey pks-remove a
	is 7 hwkey pks-config --size 0
	[ "$(hwkey pks-read a)" = data ]
}

@test "pks: signed updates are not taken, and that is said" {
	for policy in signedupdate worldreadable,signedupdate; do
		printf x | fails 5 "policy 'signedupdate': the software keystore takes no signed updates" hwkey pks-write a --policy $policy
	done
	[ ! -e "$HWKEY_PKS_DIR" ]
}

@test "pks: of twenty writers at once each finds its objects there afterwards" {
	put first data
	for w in {1..20}; do
		{
			put "w$w-1" "$w" && put "w$w-2" "$w" && put shared "$w" --replace
		} 2>"err$w" || touch failed &
	done
	wait
	[ ! -e failed ] || { cat err?*; false; }
	[ "$(hwkey pks-list --noheadings | wc -l)" = 42 ]
	for w in {1..20}; do
		[ "$(hwkey pks-read "w$w-1")$(hwkey pks-read "w$w-2")" = "$w$w" ]
	done
	for w in {1..20}; do
		put one "$w" 2>/dev/null && echo "$w" >>won &
	done
	wait
	[ "$(wc -l <won)" = 1 ]
	[ "$(hwkey pks-read one)" = "$(cat won)" ]
}

# on FILESYSTEM-OPTIONS: the rest of the test has a small file system of its own for the keystore; $disk
on() {
	[ "$(id -u)" -eq 0 ] || skip 'needs mount namespaces'
	unshare -m true || skip 'no mount namespaces here'
	disk=$PWD/disk
	mkdir -p "$disk"
	cat >script
	export -f put is boot
	HWKEY_PKS_DIR=$disk/pks disk=$disk unshare -m bash -euc "mount -t tmpfs -o $1 none \$disk; . ./script"
}

@test "pks: a full disk refuses, and what was there stays" {
	on size=64k,mode=700 <<-'EOF'
		is 8 put a data
		[ ! -e disk/pks/system ]
		mount -o remount,size=512k disk
		put a data 2>err
		! head -c 1M /dev/zero >disk/fill 2>/dev/null
		put b data			# into space that is its own
		state() { cat disk/pks/system/* | sha256sum; }
		before=$(state)
		is 8 hwkey pks-config --store more --create
		[ "$(state)" = "$before" ]
		boot 2
		is 8 hwkey pks-config --power11 --size 128K
		[ "$(state)" = "$before" ]
		[ "$(hwkey pks-read a)$(hwkey pks-read b)" = datadata ]
		rm disk/fill
		hwkey pks-config --power11 --size 128K
		hwkey pks-config --store more --create
	EOF
}

@test "pks: no space for the state of this boot" {
	mkdir -p machine/run
	on size=1m,mode=700 <<-'EOF'
		put a data 2>err
		mount -t tmpfs -o size=4k none machine/run
		! head -c 8192 /dev/zero >machine/run/fill 2>/dev/null
		is 8 put t data --policy transient
		is 8 hwkey pks-lock os
		[ "$(hwkey pks-read a)" = data ]
		rm machine/run/fill
		mount -o remount,size=1m machine/run
		put t data --policy transient
	EOF
}

@test "pks: a file system that is read-only is read, and not written" {
	on size=1m,mode=700 <<-'EOF'
		put a data 2>err
		hwkey generate -q k 2>err
		mount -o remount,ro disk
		[ "$(hwkey pks-read a)" = data ]
		hwkey pks-list >/dev/null
		hwkey pks-config >/dev/null
		hwkey validate -q k
		is 4 put b data
		is 4 put a data --replace
		is 4 hwkey pks-remove a
		is 4 hwkey pks-config --size 64K
		is 4 hwkey pks-config --store more --create
		is 4 hwkey pks-lock os
		is 4 hwkey pks-confirm a
		is 4 hwkey rewrap --to-new k
		mount -o remount,rw disk
		put b data
	EOF
}
