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

# --- with TPMs ---------------------------------------------------------------------------------------------------

tpms() {
	load tpm
	tpm_start
	tpm_srk
	tpm_extend 7 secure-boot
	tpm_extend 11 kernel-1
}

teardown() { [ ! -d "$BATS_TEST_TMPDIR/tpm" ] || tpm_end; }

# pin WORD: what a person would type
pin() {
	mkdir -p cred
	(umask 077; printf '%s\n' "$1" >cred/hwkey.tpm2-pin; cp cred/hwkey.tpm2-pin cred/hwkey.tpm2-new-pin)
	export CREDENTIALS_DIRECTORY=$PWD/cred
}

# next_pcr PCR WORD: the line of PCR values after WORD is measured into a PCR that is zero
next_pcr() {
	printf '%s=%s\n' "$1" "$( (printf '%064d' 0; printf '%s' "$2" | openssl dgst -sha256 -r | cut -c 1-64) | xxd -r -p |
		openssl dgst -sha256 -r | cut -c 1-64)"
}

field() { jq -r ".$1[0].\"$2\" | if type == \"array\" then join(\"; \") else . end"; }

# the next boot, with kernel $1
boot_kernel() { tpm_reboot; tpm_extend 7 secure-boot; tpm_extend 11 "$1"; }

tries() { tpm_property TPM2_PT_LOCKOUT_COUNTER; }

@test "unseal --explain and show say which PCR differs, and open nothing" {
	tpms
	hwkey seal --pcrs 7+11:sha256 clear -o sealed
	hwkey unseal sealed -o again
	cmp clear again
	hwkey generate -q --pcrs 7+11 vol1
	hwkey unseal --explain --json sealed >json
	[ "$(field sealed policy <json)" = 'PCRs 7 (secure boot state), 11 (unified kernel image) of sha256' ]
	[ "$(field sealed now <json)" = opens ]
	[ "$(hwkey show --json vol1 | field keys now)" = opens ]
	tpm_extend 11 something
	for words in "$(hwkey unseal --explain --json sealed | field sealed now)" "$(hwkey show --json vol1 | field keys now)"; do
		echo "$words"
		[[ $words == *'PCR 11'*'unified kernel image'* && $words != *'PCR 7'* ]]
	done
	fails 4 'PCR 11' hwkey unseal sealed -o more
	fails 4 'PCR 11' hwkey rewrap vol1
	[ "$(hwkey list --json | field keys now)" = '' ]
	tpm_stop
	HWKEY_TCTI='' hwkey unseal --explain sealed
	[ -z "$(tpm_start; tpm_left)" ]
}

@test "seal and generate with a PIN: asked for twice, and never tried twice" {
	tpms
	pin 2468
	hwkey seal --pin clear -o sealed
	hwkey generate -q --pin --pcrs 7 vol1
	[ "$(hwkey show --json vol1 | field keys policy)" = 'PCR 7 (secure boot state) of sha256, and a PIN' ]
	[ "$(hwkey show --json vol1 | field keys now)" = 'opens with its PIN' ]
	hwkey unseal sealed -o again
	hwkey luks-format -q --size 24M img vol1
	hwkey luks-open --test img
	[ "$(tries)" = 0x0 ]
	pin wrong
	fails 4 'wrong PIN' hwkey unseal sealed -o more
	[ "$(tries)" = 0x1 ]
	printf 'words\n' | not hwkey luks-unenroll -q img vol1
	printf '%s\n' "$(tries)"
	[ "$(tries)" = 0x2 ]
	unset CREDENTIALS_DIRECTORY
	fails 4 'PIN' hwkey unseal --batch sealed -o more
	fails 4 'use --pin-file' hwkey seal --batch --pin clear -o more
	fails 2 'empty PIN' hwkey seal --pin-file empty clear -o more
}

@test "rewrap: the next boot's state beside the present one, and then that alone; the volumes follow" {
	tpms
	hwkey generate -q --pcrs 7+11 -l "$PWD/img:data" vol1
	hwkey luks-format -q --size 24M img vol1
	next_pcr 11 kernel-2 >next
	[ "$(hwkey rewrap --plan --json vol1 | field keys next-boot)" = 'opens if PCR 7+11 stays' ]
	[ "$(hwkey rewrap --plan --json vol1 | field keys only-by-pcrs)" = "$PWD/img" ]
	[ "$(hwkey rewrap --plan --json --pcrs-next next vol1 | field keys next-boot)" = 'breaks: PCR 11' ]
	fails 2 "'clear': PCR values, line 1" hwkey rewrap --plan --pcrs-next clear vol1
	hwkey rewrap -q --pcrs-next next vol1
	[ "$(hwkey rewrap --plan --json vol1 | field keys next-boot)" = 'opens in one of 2 states' ]
	[ "$(hwkey rewrap --plan --json --pcrs-next next vol1 | field keys next-boot)" = opens ]
	hwkey show vol1
	[[ $(hwkey show --json vol1 | field keys policy) == 'one of 2 states of PCRs 7'* ]]
	[[ $(hwkey luks-status --json img | field keyslots needs) == 'one of 2 states of PCRs 7'* ]]
	[ "$(hwkey luks-status --json img | jq '[.keyslots[] | select(.type == "hwkey")] | length')" = 1 ]
	hwkey luks-open --test img
	tpm_reboot
	tpm_extend 7 no-secure-boot
	tpm_extend 11 kernel-2
	[[ $(hwkey show --json vol1 | field keys now) == *'PCR 7'* ]]	# it is not a state of PCR 11 alone
	boot_kernel kernel-2
	hwkey luks-open --test img
	hwkey validate vol1
	hwkey rewrap -q vol1
	[[ $(hwkey show --json vol1 | field keys policy) == 'PCRs 7'* ]]
	hwkey luks-open --test img
	boot_kernel kernel-1
	[[ $(hwkey validate --json vol1 2>/dev/null | field keys reason) == *'PCR 11'* ]]
	[[ $(hwkey luks-status --json img | field keyslots now) == *'PCR 11'* ]]
	run hwkey luks-open --test img
	[ "$status" = 4 ]
	[[ $output == *'PCR 11'* ]]
	boot_kernel kernel-2
	hwkey luks-recovery -q -o recovery img
	[ "$(hwkey rewrap --plan --json vol1 | field keys only-by-pcrs)" = '' ]
	[ -z "$(tpm_left)" ]
}

@test "rewrap: another PIN, for the volumes, too, and no wrong one is sent to the TPM" {
	tpms
	pin 1111
	hwkey generate -q --pin -l "$PWD/img:data" vol1
	hwkey luks-format -q --size 24M img vol1
	printf '2222\n' >new
	chmod 600 new
	hwkey rewrap -q --pin-file new vol1
	[ "$(tries)" = 0x0 ]
	[[ $(hwkey validate --json vol1 2>/dev/null | field keys reason) == *'wrong PIN'* ]]
	pin 2222
	hwkey validate vol1
	hwkey luks-open --test img
	[ "$(hwkey luks-status --json img | jq '[.keyslots[] | select(.type == "hwkey")] | length')" = 1 ]
	[ "$(tries)" = 0x1 ]
}

@test "rewrap: where a keyslot needed more than its key that is told, with its volume" {
	tpms
	hwkey generate -q --volumes "$PWD/img:x" vol1
	hwkey luks-format -q --size 24M --pin-file pin img vol1
	hwkey rewrap --pcrs 7 vol1 2>err
	grep -q "volume '$PWD/img': .*before it needed a PIN.*luks-enroll" err
	hwkey rewrap --pcrs 7+11 vol1 2>err
	not grep before err
	hwkey luks-open --test img
}

@test "rewrap: a predicted state stands beside the present one or is refused, and a volume that waits is renewed with both" {
	tpms
	hwkey generate -q -l "$PWD/none:x" plain
	next_pcr 7 other >next
	fails 2 'bound to no PCRs yet' hwkey rewrap --pcrs-next next plain
	hwkey generate -q --pcrs 7+11 -l "$PWD/img:x" vol1
	hwkey luks-format -q --size 24M img vol1
	mv img away
	next_pcr 11 kernel-2 >next
	run hwkey rewrap --pcrs-next next vol1
	[ "$status" = 5 ]
	mv away img
	hwkey rewrap vol1
	[ "$(hwkey rewrap --plan --json vol1 | field keys next-boot)" = 'opens in one of 2 states' ]
	printf '11:sha384=%096d\n' 1 >other
	[[ $(hwkey rewrap --plan --json --pcrs-next other vol1 | field keys next-boot) == 'not told'* ]]
}

@test "rewrap --device: to another TPM, to a keystore and back, with the volumes" {
	tpms
	hwkey generate -q --pcrs 7 -l "$PWD/img:data" vol1
	hwkey luks-format -q --size 24M img vol1
	pattern=$(hwkey show --json vol1 | field keys pattern)
	tpm_start second
	tpm_extend 7 secure-boot-there
	fails 2 "choose 'tpm0' or 'tpm1' by --device" hwkey seal clear -o sealed
	fails 2 'several TPMs' hwkey generate x
	hwkey rewrap -q --device tpm1 vol1
	[ "$(hwkey show --json vol1 | field keys pattern)" = "$pattern" ]
	hwkey validate vol1
	hwkey luks-open --test img
	[ "$(hwkey luks-status --json img | jq '[.keyslots[] | select(.type == "hwkey")] | length')" = 1 ]
	tpm_use tpm0
	tpm_stop
	hwkey luks-open --test img
	run hwkey rewrap --device local vol1
	[ "$status" = 0 ]
	[[ $output == *'opens without from now on'* ]]
	[ "$(hwkey show --json vol1 | field keys type)" = HWKEY-LOCAL ]
	[ "$(hwkey show --json vol1 | field keys pattern)" = "$pattern" ]
	hwkey luks-open --test img
	fails 2 "--pcrs-next is not for device 'local'" hwkey rewrap --pcrs-next values vol1
	fails 2 "--pin-file is not for device 'local'" hwkey rewrap --pin-file pin vol1
	hwkey rewrap -q --device tpm1 --pin-file pin vol1
	pin 1234
	hwkey validate vol1
	hwkey luks-open --test img
	tpm_use tpm0
	tpm_start tpm0
	fails 2 '--pin or --pin-file' hwkey rewrap --device tpm0 vol1
	fails 2 'no wrapping keys' hwkey rewrap --device tpm0 --wrapping-key x vol1
}

@test "luks-format and luks-enroll: a slot's own policy, and a note where nothing but PCRs opens the volume" {
	tpms
	hwkey generate -q vol1
	hwkey luks-format --size 24M plain.img vol1 2>&1 | not grep -q 'PCRs alone'
	run hwkey luks-format --size 24M --pcrs 7 img vol1
	[ "$status" = 0 ]
	[[ $output == *"'img' opens by PCRs alone"*"'hwkey luks-recovery img'"* ]]
	[ "$(hwkey luks-status --json img | field keyslots needs)" = 'PCR 7 (secure boot state) of sha256' ]
	[ "$(hwkey show --json vol1 | field keys policy)" = 'this TPM alone' ]
	hwkey luks-recovery -q img -o recovery
	run hwkey luks-enroll --pcrs 11 --pin-file pin img vol1
	[ "$status" = 0 ] && [ -z "$output" ]
	[ "$(hwkey luks-status --json img | jq -r '[.keyslots[] | select(.type == "hwkey")] | .[].needs')" = \
		'PCR 11 (unified kernel image) of sha256, and a PIN' ]
	pin 1234
	hwkey luks-open --test img
	tpm_extend 11 more
	run hwkey luks-open --test --json img
	[ "$status" = 4 ]
	[[ $output == *'PCR 11'* ]]
	hwkey luks-enroll img vol1			# the key itself opens its slot, and its own policy holds
	hwkey luks-open --test img
	hwkey generate -q -d local soft
	fails 2 "--pcrs is not for device 'local'" hwkey luks-enroll --pcrs 7 --key-file recovery img soft
	fails 2 "--pin is not for device 'local'" hwkey luks-format --size 24M --pin new.img soft
	[ ! -e new.img ]
}

@test "doctor --make-srk stores the root key that was made anew before" {
	load tpm
	tpm_start
	hwkey seal clear -o sealed
	[ "$(tpm2_getcap handles-persistent)" = '' ]
	fails 2 'for --make-srk' hwkey doctor --device tpm0
	fails 2 'shows nothing' hwkey doctor --make-srk --json
	fails 5 "'local' has no storage root key" hwkey doctor --make-srk --device local
	hwkey doctor --make-srk
	[ "$(tpm2_getcap handles-persistent)" = '- 0x81000001' ]
	hwkey unseal sealed -o again
	cmp clear again
	fails 7 'already' hwkey doctor --make-srk
	[ -z "$(tpm_left)" ]
	tpm_stop
	HWKEY_TCTI='' fails 5 'no TPM 2.0 is usable here' hwkey doctor --make-srk
}
