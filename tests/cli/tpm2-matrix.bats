#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a TPM goes through in its life, and what that does to what was sealed to it
setup() {
	load helpers
	load tpm
	cd "$BATS_TEST_TMPDIR" || exit 1
	umask 077
	echo word >clear
}
teardown() { tpm_end; }

@test "the TPMs of these tests are real: reboot, power cut, clear, replacement and a second one" {
	tpm_start
	[ -z "$(tpm_left)" ]
	tpm_srk
	name=$(tpm2_readpublic -c 0x81000001 | sed -n 's/^name: //p')
	zero=$(tpm_pcr 7)
	tpm_extend 7 word
	[ "$(tpm_pcr 7)" != "$zero" ]
	tpm_reboot
	[ "$(tpm_pcr 7)" = "$zero" ]
	[ "$(tpm2_readpublic -c 0x81000001 | sed -n 's/^name: //p')" = "$name" ]
	tpm_stop
	not tpm2_getcap handles-persistent
	tpm_start
	tpm_start second
	[ "$(wc -w <<<"$HWKEY_TCTI")" = 2 ]
	[ -z "$(tpm2_getcap handles-persistent)" ]
	tpm_srk rsa
	tpm2_readpublic -c 0x81000001 | grep -A 1 ^type: | grep -q rsa
	tpm_use tpm0
	[ "$(tpm2_getcap handles-persistent)" = '- 0x81000001' ]
	tpm_clear
	[ -z "$(tpm2_getcap handles-persistent)" ]
	tpm_srk
	[ "$(tpm2_readpublic -c 0x81000001 | sed -n 's/^name: //p')" != "$name" ]
	tpm_replace
	[ -z "$(tpm2_getcap handles-persistent)" ]
	tpm2_createprimary -Q -C owner -c "$BATS_TEST_TMPDIR/left"
	[ "$(tpm_left)" = '- 0x80000000' ]
	[ "$(tpm_property inLockout)" = 0 ]
}

# opens FILE: it still holds what was sealed in it
opens() { [ "$(hwkey unseal -q "$1")" = word ]; }

@test "a storage root key that is stored, made anew each time, stored later, or gone is the same one" {
	tpm_start
	hwkey seal -q --device tpm0 -o before clear
	opens before
	tpm_reboot
	opens before
	tpm_srk
	opens before
	hwkey seal -q --device tpm0 -o stored clear
	opens stored
	tpm_reboot
	opens stored
	tpm2_evictcontrol -Q -C owner -c 0x81000001
	opens stored
	opens before
	[ -z "$(tpm_left)" ]
}

@test "a storage root key of RSA does as well; what is no storage key is let be" {
	tpm_start
	tpm_srk rsa
	hwkey seal -q --device tpm0 -o sealed clear
	hwkey generate -q --device tpm0 key
	tpm_reboot
	opens sealed
	hwkey validate -q key
	tpm2_evictcontrol -Q -C owner -c 0x81000001
	tpm2_createprimary -Q -C owner -G ecc -c signer -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
	tpm2_evictcontrol -Q -C owner -c signer 0x81000001
	tpm2_flushcontext -t
	hwkey seal -q --device tpm0 -o again clear
	opens again
	[ -z "$(tpm_left)" ]
}

@test "a TPM that was cleared, or another one in its place, has lost what was sealed, and says so" {
	tpm_start
	tpm_srk
	hwkey seal -q --device tpm0 -o sealed clear
	hwkey generate -q --device tpm0 key
	for loss in tpm_clear tpm_replace; do
		$loss
		fails 4 'cleared' hwkey unseal sealed
		tpm_srk
		fails 4 'cleared' hwkey unseal sealed
		[ -z "$(tpm_left)" ]
	done
	hwkey validate -q && false
	hwkey seal -q --device tpm0 -o new clear
	opens new
}

@test "power cuts lock nobody out of what needs no PIN" {
	tpm_start
	tpm_srk
	hwkey seal -q --device tpm0 -o sealed clear
	for _ in $(seq "$(($(tpm_property TPM2_PT_MAX_AUTH_FAIL) + 2))"); do
		opens sealed
		tpm_stop
		tpm_start
	done
	opens sealed
}

@test "two TPMs: one must be named to seal, and each opens its own" {
	tpm_start first
	tpm_srk
	tpm_start second
	fails 2 'tpm' hwkey seal --pcrs 7 -o sealed clear
	hwkey seal -q --device tpm0 -o sealed0 clear
	hwkey seal -q --device tpm1 -o sealed1 clear
	hwkey generate -q --device tpm1 key1
	opens sealed0
	opens sealed1
	hwkey validate -q key1
	HWKEY_TCTI=${HWKEY_TCTI% *} not hwkey unseal -q sealed1
	HWKEY_TCTI="${HWKEY_TCTI#* } ${HWKEY_TCTI% *}"		# now they are found in another order
	opens sealed0
	opens sealed1
	hwkey validate -q key1
	echo one | hwkey pks-write -q o -
	hwkey pks-config -q --add-slot tpm2 --remove-slot plain
	[ "$(hwkey pks-read o)" = one ]
	for tpm in first second; do
		tpm_use $tpm
		[ -z "$(tpm_left)" ]
	done
}

# pin WORD: what is asked for it answers this
pin() {
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
	mkdir -p "$CREDENTIALS_DIRECTORY"
	printf %s "$1" >"$CREDENTIALS_DIRECTORY/hwkey.tpm2-pin"
}

@test "wrong PINs: each is counted once, lockout says how long it lasts and how to end it, and nothing makes it worse" {
	tpm_start
	tpm_srk
	tpm2_dictionarylockout -Q --setup-parameters --max-tries 3 --recovery-time 600 --lockout-recovery-time 600
	printf 4815162342 >pin
	hwkey seal -q --device tpm0 --pin-file pin -o sealed clear
	hwkey seal -q --device tpm0 -o other clear
	pin 4815162342
	opens sealed
	pin wrong
	for left in 2 1; do
		fails 4 "$left more" hwkey unseal sealed
		[ "$(tpm_property TPM2_PT_LOCKOUT_COUNTER)" = "$(printf '0x%X' $((3 - left)))" ]
	done
	pin 4815162342
	opens sealed			# wrong ones stay counted until the TPM forgets them
	[ "$(tpm_property TPM2_PT_LOCKOUT_COUNTER)" = 0x2 ]
	pin wrong
	fails 4 600 hwkey unseal sealed
	[ "$(tpm_property inLockout)" = 1 ]
	for word in wrong 4815162342; do
		pin $word
		fails 4 'at most 600 seconds' hwkey unseal sealed
		fails 4 'tpm2_dictionarylockout --clear-lockout' hwkey unseal sealed
		[ "$(tpm_property TPM2_PT_LOCKOUT_COUNTER)" = 0x3 ]
	done
	"$build/fault/tpmat" -l log "$tpm_dir/tpm0.sock" -- hwkey unseal sealed || true
	[ "$(grep -c Unseal log)" = 1 ]
	opens other			# what has no PIN knows no lockout
	tpm_reboot
	fails 4 lockout hwkey unseal sealed
	tpm2_dictionarylockout -Q --clear-lockout
	opens sealed
	[ -z "$(tpm_left)" ]
}
