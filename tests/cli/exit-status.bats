# Mistakes and their exit status, each with one clear line; nothing that was there is lost. See hwkey(8), EXIT STATUS.
setup() {
	load helpers
	cd "$BATS_TEST_TMPDIR" || return
	hwkey generate -q k
	hwkey generate -q busy --volumes /dev/none:data
	echo secret | hwkey pks-write -q l -
	echo data | hwkey seal -q -o sealed
	hwkey luks-format -q --size 32M img k
	state=$(state_of)
}

state_of() { find repository pks/system sealed img -type f ! -name .lock -print0 | sort -z | xargs -0 sha256sum; }
teardown() { [ "$state" = "$(state_of)" ]; }

@test "2: usage" {
	fails 2 "no command 'no-such'" hwkey no-such
	fails 2 'unknown option' hwkey list --no-such
	fails 2 'an argument is missing' hwkey show
	fails 2 "unexpected argument 'b'" hwkey show k b
	fails 2 "invalid key name 'a/b'" hwkey generate a/b
	fails 2 'invalid key name' hwkey rename k $'new\nline'
	fails 2 "invalid --type 'rsa': one of tpm2, local" hwkey generate --type rsa new
	fails 2 "invalid --add-slot 'anchor': one of plain, passphrase" hwkey pks-config --add-slot anchor
	fails 2 "invalid --consumer 'foo': one of firmware, bootloader, os" hwkey pks-read o --consumer foo
	fails 2 "no consumer 'foo': one of firmware, bootloader, os" hwkey pks-lock foo
	fails 2 'said twice' hwkey pks-password os --consumer os --generate
	fails 2 "no column 'x'" hwkey list --output x
	fails 2 'at least 1 byte' hwkey pks-write l2 /dev/null
}

@test "3: not found" {
	fails 3 "'none'" hwkey show none
	fails 3 "'none'" hwkey remove --force none
	fails 3 "'none'" hwkey rename none new
	fails 3 "'none'" hwkey pks-read none
	fails 3 "'none'" hwkey pks-remove none
	fails 3 "'none'" hwkey unseal none
	fails 3 "'none'" hwkey luks-status none
	fails 3 "'none'" hwkey import new none
}

@test "4: refused" {
	fails 4 'confirmation' hwkey remove --batch k
	chmod 604 sealed
	fails 4 'open to other users' hwkey wrap new sealed
	chmod 600 sealed
	mkdir open
	chmod 777 open
	fails 4 'open' hwkey list -R open
	fails 4 'kept for wrapping keys' hwkey pks-write --replace default-wrapping-key sealed
}

@test "5: device absent, offline, unsupported" {
	fails 5 "no device '00.0035'" hwkey generate -d 00.0035 new
	fails 5 "no device 'tpm0'" hwkey seal -d tpm0 sealed -o new
	if ! grep -q device-mapper /proc/misc; then
		fails 5 'no device mapper' hwkey luks-open img name
	fi
	head -c 1M /dev/zero >nothing
	fails 5 "'nothing'" hwkey luks-status nothing
}

@test "6: corrupt, tampered, another machine's" {
	head -c 60 sealed >cut
	fails 6 "'cut'" hwkey unseal cut -o new
	HWKEY_REPOSITORY=$PWD/others HWKEY_PKS_DIR=$PWD/other hwkey pks-write -q x sealed
	HWKEY_PKS_DIR=$PWD/other fails 6 "'sealed'" hwkey unseal sealed -o new
	[ ! -e new ]
	head -c 100 repository/k.skey >token
	fails 6 'not a token of' hwkey import new token
	cp -r repository damaged
	echo x >>damaged/k.info
	fails 6 "'k.info'" hwkey show -R damaged k
	cp -r pks damaged-pks
	rm damaged-pks/system/root.plain
	HWKEY_PKS_DIR=$PWD/damaged-pks fails 6 'root-key' hwkey pks-read l
}

@test "7: exists, or in use" {
	fails 7 "'k'" hwkey generate k
	fails 7 "'busy'" hwkey copy k busy
	fails 7 "'busy'" hwkey rename k busy
	fails 7 "'l'" hwkey pks-write l sealed
	fails 7 "'sealed'" hwkey seal repository/k.skey -o sealed
	fails 7 "'busy'" hwkey remove --batch busy
	fails 7 'img' hwkey luks-format --batch img k
	fails 7 'last way' hwkey luks-unenroll img k
}

@test "8: no space, or too big" {
	head -c 70000 /dev/zero >big
	chmod 600 big
	fails 8 'too many' hwkey pks-write big big
	fails 8 'longer than 64 bytes' hwkey wrap new big
	fails 8 'header alone takes 16 MiB' hwkey luks-format --size 1M new k
	fails 8 'o space left' bash -c 'hwkey pks-read l >/dev/full'
	if [ "$(id -u)" -eq 0 ]; then
		fails 8 'o space left' unshare -m sh -c 'mount -t tmpfs -o size=64k tmpfs /mnt && head -c 65536 /dev/zero >/mnt/fill
			hwkey export k /mnt/token'
	fi
}

@test "what is refused for its arguments makes no keystore" {
	export HWKEY_REPOSITORY=$PWD/none HWKEY_PKS_DIR=$PWD/no-pks
	head -c 70000 /dev/zero >big
	head -c 32 /dev/zero >clear
	: >empty
	chmod 600 big clear empty
	fails 2 "'BAD' is no volume" hwkey generate new --volumes BAD
	fails 2 'control character' hwkey generate new --description $'a\nb'
	fails 2 '--sector-size' hwkey generate new -S 513
	fails 2 'repository is empty' hwkey generate new -R ''
	fails 2 "'BAD' is no volume" hwkey wrap new clear --volumes BAD
	fails 2 '16, 24 or 32 bytes' hwkey wrap new empty
	fails 1 "'none' is a directory" bash -c 'mkdir none; hwkey seal none -o out'
	fails 2 'label' hwkey seal big -o out --label $'a\nb'
	fails 4 'kept for wrapping keys' hwkey pks-write default-wrapping-key clear
	fails 8 'too many' hwkey pks-write new big
	fails 2 'empty passphrase' hwkey pks-config --add-slot passphrase --passphrase-file empty
	fails 2 '--add-slot=passphrase' hwkey pks-config --add-slot plain --passphrase-file clear
	fails 2 'at once' hwkey pks-config --add-slot plain --remove-slot plain
	fails 3 'not initialised' hwkey pks-config --add-slot plain
	[ ! -e no-pks ]
}

@test "luks-format looks at its arguments before it opens the keystore" {
	printf %s 'correct horse' >passphrase
	chmod 600 passphrase
	cp -r pks locked
	export HWKEY_PKS_DIR=$PWD/locked
	hwkey pks-config -q --add-slot passphrase --remove-slot plain --passphrase-file passphrase
	fails 2 'sector size' hwkey luks-format --size 32M new k -S 513
	fails 2 'no cipher' hwkey luks-format --size 32M new k --cipher aes
	fails 8 'header alone' hwkey luks-format --size 1M new k
	fails 3 '--size creates' hwkey luks-format new k
	fails 4 'passphrase' hwkey luks-format --size 32M new k
}

# Too few descriptors is the machine's failure: nothing is damaged, refused or missing because of it.
@test "exit status: a lack of descriptors is told as such, by every command that reads" {
	cp img vol
	local commands=('luks-status vol' 'luks-recovery vol' 'luks-open --test vol' 'luks-enroll vol k' 'show k' 'unseal sealed' check
		pks-list 'validate k' 'rewrap --plan k' 'list k') short=0
	for c in "${commands[@]}"; do
		for n in 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			# shellcheck disable=SC2086
			run bash -c "ulimit -n $n; exec hwkey $c </dev/null 2>&1"
			[ "$status" -ne 0 ] || break
			[[ $output != *'Too many open files'* ]] || short=$((short + 1))
			[ "$status" -eq 1 ] || { echo "$c with $n descriptors: exit $status: $output"; return 1; }
		done
		[ "$status" -eq 0 ]
	done
	[ "$short" -gt 20 ]
}
