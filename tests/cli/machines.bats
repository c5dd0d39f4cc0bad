# Captured machines: what list-devices and doctor say of each, and that a capture of a capture is the same
setup() {
	load helpers
	machines=$top/tests/machines
}

same_as_golden() {
	local machine name
	for machine in "$machines"/*.machine; do
		name=$(basename "$machine" .machine)
		diff "$machines/$name.$1" <("$machines/golden" show hwkey "$name" "$1" "$BATS_TEST_TMPDIR") || { echo "$name" >&2; return 1; }
	done
}

@test "machines: the tables" { same_as_golden list; }
@test "machines: the JSON" { same_as_golden json; }
@test "machines: what doctor says" { same_as_golden doctor; }

@test "machines: JSON is JSON" {
	for file in "$machines"/*.json; do
		jq -e '.devices | length > 0 and all(.device and .backend and .state)' "$file" >/dev/null
	done
}

# shows MACHINE WORDS: doctor says them of that machine.
shows() { grep -qF -e "$2" "$machines/$1.doctor" || { echo "$1: no '$2'" >&2; return 1; }; }

@test "doctor: each trap has a machine that shows it" {
	shows z17-split 'no module pkey_cca'
	shows z17-split 'no cipher paes'
	shows z17-split 'no device-mapper'
	shows z16-master-keys 'different master keys, 00.0011 71ecf46a35bd8924 and 01.0011 0d00000000001234'
	shows z16-master-keys 'without a valid master key: 1;'
	shows z16-no-cards 'no queue'
	shows pc-tpm12 "key type 'trusted' is not registered"
	shows arm-optee-late 'as early TA'
	shows arm-optee-no-driver 'has no driver'
	shows power10-pks-off 'this partition none: give it keystore_kbytes'
	shows power10-no-secvar 'has no secure variables'
	shows pc-lockout 'tpm0: in lockout'
	shows pc-two-tpms 'tpm1: no persistent storage root key'
	shows pc-two-tpms 'trusted keys know tpm0 alone'
	shows pc-lockout 'efivarfs is not mounted'
	shows imx6ull-dcp 'trusted.dcp_skip_zk_test'
	shows imx8-options "source dcp is asked for by '/etc/modprobe.d/60-trusted.conf'"
	shows imx8-behind-tee "needs 'trusted.source=caam'"
	shows imx8-rng "option 'trusted.rng=caam' is none"
	shows z17-guests "node '/dev/zcrypt_1' lets nothing through, its apmask is empty"
	shows z17-split 'no handler of keys'
	shows cloud-vm 'a virtual machine'
	[ "$(grep -l -e ' bad ' "$machines"/*.doctor | wc -l)" -eq "$(grep -l '^exit 4' "$machines"/*.doctor | wc -l)" ]
}

@test "capture: of a captured machine, says the same again" {
	for name in z16-mixed z17-guests power11-wrapping pc-two-tpms arm-optee imx8-caam pc-keylocker cloud-vm; do
		"$machines/unpack" "$machines/$name.machine" "$BATS_TEST_TMPDIR/$name.1"
		hwkey capture --sysroot "$BATS_TEST_TMPDIR/$name.1" "$BATS_TEST_TMPDIR/$name.text"
		"$machines/unpack" "$BATS_TEST_TMPDIR/$name.text" "$BATS_TEST_TMPDIR/$name.2"
		for what in 'list-devices --json -V' 'list-devices -V --mkvp' 'list-devices' doctor; do
			# shellcheck disable=SC2086
			diff <(hwkey $what --sysroot "$BATS_TEST_TMPDIR/$name.1" 2>&1) <(hwkey $what --sysroot "$BATS_TEST_TMPDIR/$name.2" 2>&1)
		done
	done
}

@test "capture: this machine, private, whole or not at all, without what is no trust source's" {
	umask 000
	unset HWKEY_SYSROOT
	hwkey capture "$BATS_TEST_TMPDIR/this"
	[ "$(stat -c %a "$BATS_TEST_TMPDIR/this")" = 600 ]
	grep -q '^/proc/sys/kernel/osrelease = ' "$BATS_TEST_TMPDIR/this"
	[ "$(grep -cvE '^(#|/[^ ]+ (=|:|->)( |$)|/[^ ]+/$)' "$BATS_TEST_TMPDIR/this")" -eq 0 ]
	fails 7 'exists already' hwkey capture "$BATS_TEST_TMPDIR/this"
	cmp <(hwkey capture -) "$BATS_TEST_TMPDIR/this"
	mkdir -p "$BATS_TEST_TMPDIR/root/proc" "$BATS_TEST_TMPDIR/root/sys/devices/ap/card00"
	echo 'quiet root=/dev/sda1 password=secret trusted.source=tpm rd.luks.key=hidden' >"$BATS_TEST_TMPDIR/root/proc/cmdline"
	echo A0B1SERIAL >"$BATS_TEST_TMPDIR/root/sys/devices/ap/card00/nothing"
	hwkey capture --sysroot "$BATS_TEST_TMPDIR/root" - >"$BATS_TEST_TMPDIR/out"
	grep -qx '/proc/cmdline = trusted.source=tpm' "$BATS_TEST_TMPDIR/out"
	[ "$(grep -cE 'secret|hidden|SERIAL' "$BATS_TEST_TMPDIR/out")" -eq 0 ]
}

@test "capture: any bytes of a file come back" {
	root=$BATS_TEST_TMPDIR/root
	mkdir -p "$root/sys/firmware/plpks/config"
	printf 'a\\b\n\0\377 ' >"$root/sys/firmware/plpks/config/odd name"
	: >"$root/sys/firmware/plpks/config/empty"
	printf '\n' >"$root/sys/firmware/plpks/config/line"
	head -c 300000 /dev/zero >"$root/sys/firmware/plpks/config/big"
	hwkey capture --sysroot "$root" "$BATS_TEST_TMPDIR/text"
	grep -q '^# /sys/firmware/plpks/config/big: File too large' "$BATS_TEST_TMPDIR/text"
	rm "$root/sys/firmware/plpks/config/big"
	"$machines/unpack" "$BATS_TEST_TMPDIR/text" "$BATS_TEST_TMPDIR/again"
	diff -r "$root/sys" "$BATS_TEST_TMPDIR/again/sys"
}
