# What one architecture writes, another reads and changes: every format is the same bytes on both, whichever end a number
# starts with. Runs where both run: tests/kernel/arch/in ARCH bats ...
bats_require_minimum_version 1.5.0
setup_file() {
	cd "$BATS_TEST_DIRNAME/../../.."
	HERE=$(realpath "${B:-build}") THERE=$(realpath "build-$HWKEY_EMULATED")
	export HERE THERE
	[ "$(machine "$HERE")" != "$(machine "$THERE")" ]
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	export HWKEY_REPOSITORY=$PWD/repository HWKEY_PKS_DIR=$PWD/pks
	umask 077
	exec </dev/null
}

# Byte order and processor of a build.
machine() { od -An -tx1 -j5 -N15 "$1/hwkey"; }
here() { "$HERE/hwkey" "$@"; }
there() { "$THERE/hwkey" "$@"; }
# both_ways FUNCTION: with one of the builds as the writer and the other as the reader, and then the other way round
both_ways() {
	for way in 'here there' 'there here'; do
		mkdir "$BATS_TEST_TMPDIR/${way/ /-}"
		cd "$BATS_TEST_TMPDIR/${way/ /-}"
		HWKEY_REPOSITORY=$PWD/repository HWKEY_PKS_DIR=$PWD/pks
		echo "# $way" >&2
		# shellcheck disable=SC2086
		"$1" $way
	done
}

keys() {
	local writer=$1 reader=$2
	$writer generate -q one --description 'of the writer' --sector-size 4096 2>/dev/null
	head -c 64 /dev/urandom >clear
	$writer wrap -q two clear --xts
	$writer list --json >written
	$reader list --json | diff written -
	$reader show two --json >shown
	$writer show two --json | diff shown -
	$reader validate --noheadings --output NAME,STATUS,PATTERN >valid
	[ "$(tr -s ' ' <valid | sed 's/ $//')" = $'one valid matches\ntwo valid matches' ]
	$reader check
	# changed there, and read back here
	$reader change one --description 'of the reader'
	$reader generate -q three 2>/dev/null
	$reader rewrap -q --all --to-new
	$writer list --json | jq -e '.. | strings | select(. == "of the reader")'
	$writer validate --noheadings --output NAME,STATUS,PATTERN | grep -c ' valid *matches' | grep -qx 3
	$writer check
}
@test "keys and the repository" { both_ways keys; }

sealed() {
	local writer=$1 reader=$2 size
	for size in 0 1 65536 300001; do
		head -c $size /dev/urandom >plain
		$writer seal -q plain -o sealed.$size 2>/dev/null
		$reader unseal -q sealed.$size -o open.$size
		cmp plain open.$size
		$writer unseal --explain --json sealed.$size >explained
		$reader unseal --explain --json sealed.$size | diff explained -
	done
	cp sealed.300001 bad
	printf X | dd of=bad bs=1 seek=150000 conv=notrunc status=none
	run ! "$reader" unseal bad -o never
	[ ! -e never ]
}
@test "sealed files" { both_ways sealed; }

store() {
	local writer=$1 reader=$2
	head -c 3000 /dev/urandom >object
	$writer pks-write app/object object 2>/dev/null
	$reader pks-read app/object -o back
	cmp object back
	$reader pks-write app/second back
	$writer pks-list --json >listed
	$reader pks-list --json | diff listed -
	$writer pks-read app/second -o again
	cmp object again
	$writer pks-remove -q app/object
	run ! "$reader" pks-read app/object -o never
	$writer pks-config --json >config
	$reader pks-config --json | diff config -
}
@test "the keystore's objects" { both_ways store; }

passphrase() {
	local writer=$1 reader=$2 CREDENTIALS_DIRECTORY=$PWD
	export CREDENTIALS_DIRECTORY
	printf 'correct horse battery staple' >hwkey.pks-passphrase
	printf 'correct horse battery staple' >hwkey.pks-new-passphrase
	chmod 600 hwkey.*
	printf x >object
	$writer pks-write object object 2>/dev/null
	$writer pks-config -q --add-slot passphrase
	$reader pks-config --json | diff <($writer pks-config --json) -
	$reader pks-read object -o back
	cmp object back
}
@test "a keystore with a passphrase" { both_ways passphrase; }

volume() {
	local writer=$1 reader=$2
	$writer generate -q vol 2>/dev/null
	$writer luks-format -q image vol --size 20M 2>/dev/null
	$writer setvp image vol
	$reader luks-open image --test
	$writer luks-status image --json >status
	$reader luks-status image --json | diff status -
	$reader generate -q other 2>/dev/null
	$reader luks-recovery -q image --output recovery 2>/dev/null
	$reader luks-enroll -q image other --key-file recovery
	$writer luks-open image --test --noheadings --output NAME,OPENS | tr -s ' ' | grep -x 'other yes'
}
@test "volumes" { both_ways volume; }
