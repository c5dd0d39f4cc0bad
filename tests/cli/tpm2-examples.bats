# SPDX-License-Identifier: MIT
# The examples for a TPM do what they say, with TPMs in software.

setup() {
	load helpers
	load tpm
	cd "$BATS_TEST_TMPDIR" || exit 1
	PATH=$top/examples:$PATH
	tpm_start
	tpm_srk
	tpm_extend 7 secure-boot
	tpm_extend 11 kernel-1
	(umask 077; printf 'old passphrase' >passphrase)
	truncate -s 32M disk
	cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 disk passphrase
}

teardown() { tpm_end; }

opens() { PATH=/usr/sbin:/usr/bin:/sbin:/bin B=$build "$top/tests/with-plugin" cryptsetup open --token-only --test-passphrase "$PWD/disk"; }

@test "unattended root unlock" {
	run tpm-root-unlock "$PWD/disk" root --key-file passphrase
	[ "$status" = 0 ]
	[[ $output == *"root "*"$PWD/disk"* ]]
	recovery=$(grep -m 1 -oE '([cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}' <<<"$output")
	rm -r "$HWKEY_REPOSITORY"			# the plug-in needs none
	opens
	tpm_reboot
	tpm_extend 7 no-secure-boot
	run opens
	[ "$status" != 0 ]
	[[ $output == *'PCR 7'* ]]
	printf %s "$recovery" | cryptsetup open --test-passphrase --key-file - disk
}

@test "PIN and PCR 7" {
	mkdir -m 700 cred
	printf 2468 >cred/hwkey.tpm2-new-pin
	printf 2468 >cred/hwkey.tpm2-pin
	CREDENTIALS_DIRECTORY=$PWD/cred tpm-pin "$PWD/disk" root --key-file passphrase
	not opens
	[ "$(tpm_property TPM2_PT_LOCKOUT_COUNTER)" = 0x0 ]
	CREDENTIALS_DIRECTORY=$PWD/cred hwkey luks-open --test disk
	tpm_extend 7 something
	CREDENTIALS_DIRECTORY=$PWD/cred fails 4 'nothing that was tried opens' hwkey luks-open --test disk
}

@test "an update with predicted PCRs" {
	hwkey generate -q --type tpm2 --pcrs 7+11 --volumes "$PWD/disk:data" data
	hwkey luks-enroll -q --key-file passphrase disk data
	tpm_reboot
	tpm_extend 11 kernel-2
	printf '11:sha256=%s\n' "$(tpm_pcr 11)" >next
	tpm_reboot
	tpm_extend 7 secure-boot
	tpm_extend 11 kernel-1
	run tpm-update before next data
	[ "$status" = 0 ]
	[[ $output == *'breaks: PCR 11'* ]]
	opens
	tpm_reboot
	tpm_extend 7 secure-boot
	tpm_extend 11 kernel-2
	opens
	tpm-update after data
	opens
	tpm_reboot
	tpm_extend 7 secure-boot
	tpm_extend 11 kernel-1
	not opens
}

@test "a disk goes to another machine" {
	hwkey generate -q --type tpm2 --pcrs 7 disk1
	hwkey luks-enroll -q --key-file passphrase disk disk1
	tpm-move-disk leave disk recovery
	tpm_replace
	export HWKEY_REPOSITORY=$PWD/there
	tpm_extend 7 secure-boot-there
	not opens
	tpm-move-disk arrive "$PWD/disk" recovery disk1 disk1-here
	opens
	[ "$(hwkey luks-status --json disk | jq -r '[.keyslots[] | select(.type == "hwkey")] | map(.name) | join(" ")')" = disk1-here ]
}
