# SPDX-License-Identifier: MIT
# What a user of a TPM sees of the commands.

setup() {
	load helpers
	cd "$BATS_TEST_TMPDIR" || exit 1
	printf 'the-marker-of-the-secret\n' >clear
	chmod 600 clear
	printf '7=%064d\n' 1 >values
	(umask 077; printf '1234\n' >pin; : >empty)
}

@test "options of a TPM and of a keystore do not mix, and fit the device" {
	fails 2 "--pcrs is not for device 'local'" hwkey seal -d local --pcrs 7 clear -o sealed
	fails 2 "--pin is not for device 'local'" hwkey generate -d local --pin k
	fails 2 "--pcr-values is not for device 'local'" hwkey wrap -d local --pcr-values values k clear
	fails 2 '--pin is for a TPM, --policy for a keystore' hwkey seal --pin --policy pwset clear -o sealed
	fails 2 'give one of them' hwkey seal --pin --pin-file pin clear -o sealed
	fails 2 '--public-key-pcrs is about' hwkey seal --public-key-pcrs 11 clear -o sealed
	fails 2 "--pcrs: '7+7'" hwkey generate --pcrs 7+7 k
	fails 2 "no PCR bank 'md5'" hwkey seal --pcrs 7:md5 clear -o sealed
	fails 5 'no TPM 2.0 here, which --pcrs is for' hwkey seal --pcrs 7 clear -o sealed
	fails 5 'no TPM 2.0 here, which --pin-file is for' hwkey generate --pin-file pin k
	[ ! -e sealed ]
	[ ! -e "$HWKEY_REPOSITORY" ]
	[ ! -e "$HWKEY_PKS_DIR" ]
}
