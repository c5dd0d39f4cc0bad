#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a TPM goes through in its life, and what that does to what was sealed to it
setup() { load helpers; load tpm; }
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
