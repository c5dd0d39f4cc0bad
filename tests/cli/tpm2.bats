#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Data sealed and keys made under real TPMs in software (swtpm)
setup() { load helpers; load tpm; cd "$BATS_TEST_TMPDIR"; printf 'the secret' >secret; }
teardown() { tpm_end; }

# opens FILE: what was sealed comes back, and nothing stays behind in the TPM
opens() {
	[ "$(hwkey unseal "$1")" = 'the secret' ]
	[ -z "$(tpm_left)" ]
}

@test "seal and unseal with a transient, a persistent and an RSA storage root key" {
	tpm_start
	hwkey seal -d tpm0 -o transient secret
	[ -z "$(tpm_left)" ]
	opens transient
	tpm_srk
	opens transient
	hwkey seal -d tpm0 -o persistent secret
	opens persistent
	tpm_reboot
	opens transient
	opens persistent
	tpm_start rsa
	tpm_srk rsa
	hwkey seal -d tpm1 -o rsa secret
	opens rsa
}

@test "without --device the TPM is preferred to the keystore, and one that may not be used is not" {
	tpm_start
	hwkey seal -o sealed secret
	hwkey unseal --explain sealed | grep -Eq '^BACKEND +tpm2$'
	[ ! -e "$HWKEY_PKS_DIR" ]
	unset HWKEY_TCTI
	hwkey seal -o soft secret
	hwkey unseal --explain soft | grep -Eq '^BACKEND +soft$'
}

@test "another TPM, a cleared one and none each have their own refusal" {
	tpm_start
	hwkey seal -o sealed secret
	tpm_start second
	hwkey seal -d tpm1 -o other secret
	opens other
	opens sealed
	tpm_stop
	fails 4 'sealed by another TPM, or this one was cleared since' hwkey unseal other
	tpm_use tpm0
	tpm_clear
	fails 4 'this one was cleared since' hwkey unseal sealed
	[ -z "$(tpm_left)" ]
	tpm_stop
	fails 5 "cannot reach TPM 'tpm0'" hwkey unseal sealed
	unset HWKEY_TCTI
	fails 5 "trust source 'tpm2' is not on this machine" hwkey unseal sealed
}

@test "boards are told apart from TPMs" {
	tpm_start
	install -D /dev/null "$HWKEY_SYSROOT/sys/class/dmi/id/product_uuid"
	echo 4c4c4544-0042-4210-8031-b4c04f4a3132 >"$HWKEY_SYSROOT/sys/class/dmi/id/product_uuid"
	hwkey seal -o sealed secret
	tpm_replace
	fails 4 "this machine's TPM was cleared or replaced" hwkey unseal sealed
	echo 4c4c4544-0042-4210-8031-b4c04f4a3133 >"$HWKEY_SYSROOT/sys/class/dmi/id/product_uuid"
	fails 6 'sealed on another machine, or its board was replaced' hwkey unseal sealed
}

@test "keys are made, wrapped, checked and rewrapped" {
	tpm_start
	hwkey generate -d tpm0 key
	hwkey validate key
	(umask 077; head -c 32 /dev/urandom >clear)
	hwkey wrap -d tpm0 wrapped clear
	hwkey validate wrapped
	tpm_srk
	hwkey rewrap --all
	[ "$(hwkey validate | grep -c 'storage root key')" = 2 ]
	[ -z "$(tpm_left)" ]
}
