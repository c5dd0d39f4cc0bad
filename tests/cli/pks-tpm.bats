# The keystore with a TPM behind it: a root key that it sealed, and a counter that tells older states
setup() {
	bats_require_minimum_version 1.5.0
	load helpers
	load tpm
	boot 1
	tpm_start
	tpm_srk
	cd "$BATS_TEST_TMPDIR" || return
	umask 077
	printf one >one
	hwkey pks-write secret one
}

teardown() { tpm_end; }

field() { hwkey pks-config --json | jq -r ".keystore[0].${1,,} | if type == \"array\" then join(\",\") else . end"; }

# put_back DIR: who can write to the disk puts an older copy of the keystore in its place
put_back() {
	rm -r "$HWKEY_PKS_DIR"
	cp -a "$1" "$HWKEY_PKS_DIR"
}

only_tpm() { hwkey pks-config --add-slot tpm2 --remove-slot plain; }

@test "pks-tpm: the TPM alone opens the keystore, after a reboot too, and no other TPM does" {
	only_tpm
	[ "$(field SLOTS)" = tpm2 ]
	[ "$(field PROTECTION)" = 'TPM of this machine' ]
	tpm_reboot
	boot 2
	[ "$(hwkey pks-read secret)" = one ]
	hwkey pks-check --repair | grep -q 'trust source *ok .*tpm2'
	fails 7 'last one that opens' hwkey pks-config --remove-slot tpm2
	tpm_replace
	fails 4 'keystore needs its tpm2' hwkey pks-read secret
	[ -z "$(tpm_left)" ]
}

@test "pks-tpm: where the TPM does not open it another slot does, and that is told" {
	printf 'a passphrase' >passphrase
	chmod 600 passphrase
	hwkey pks-config --add-slot passphrase --passphrase-file passphrase --remove-slot plain
	mkdir credentials
	cp passphrase credentials/hwkey.pks-passphrase
	CREDENTIALS_DIRECTORY=$PWD/credentials hwkey pks-config --add-slot tpm2
	[ "$(hwkey pks-read secret --batch 2>err)" = one ]
	tpm_clear
	fails 4 'keystore needs its tpm2' hwkey pks-read secret --batch
	[ "$(CREDENTIALS_DIRECTORY=$PWD/credentials hwkey pks-read secret 2>err)" = one ]
	grep -q 'another slot opened the keystore' err
	CREDENTIALS_DIRECTORY=$PWD/credentials hwkey pks-config --add-slot tpm2 --replace
	[ "$(hwkey pks-read secret --batch)" = one ]
}

@test "pks-tpm: an older state is refused, and accepted when it is asked for" {
	[ "$(field ROLLBACK)" = 'not protected from' ]
	hwkey pks-config --counter
	fails 7 'has a counter already' hwkey pks-config --counter
	field ROLLBACK | grep -qE '^TPM counter 0x01[0-9a-f]{6} at [0-9]+$'
	cp -a "$HWKEY_PKS_DIR" old
	printf two >two
	hwkey pks-write --replace secret two
	[ "$(hwkey pks-read secret)" = two ]
	put_back old
	fails 6 'was rolled back' hwkey pks-read secret
	fails 6 'was rolled back' hwkey pks-write another one
	hwkey pks-check >steps && return 1
	grep -q 'rolled back' steps
	hwkey pks-check --reanchor
	[ "$(hwkey pks-read secret)" = one ]
	hwkey pks-write another one
	hwkey pks-check
}

@test "pks-tpm: a commit whose counter did not move is made up for, and is no rollback" {
	hwkey pks-config --counter
	cp -a "$HWKEY_PKS_DIR" before
	tpm_stop			# power goes between the write and the counter: as if the TPM were still where it was
	cp -a "$tpm_dir/tpm0" tpm-before
	tpm_start
	hwkey pks-write another one
	tpm_stop
	rm -r "$tpm_dir/tpm0"
	cp -a tpm-before "$tpm_dir/tpm0"
	tpm_start
	[ "$(hwkey pks-read another)" = one ]
	hwkey pks-write third one
	[ "$(hwkey pks-read another)" = one ]
	put_back before
	fails 6 'was rolled back' hwkey pks-read secret
}

@test "pks-tpm: without its TPM the keystore is refused until that is accepted" {
	hwkey pks-config --counter
	tpm_clear
	fails 6 'cannot tell whether' hwkey pks-read secret
	tpm_replace
	fails 6 'cannot tell whether' hwkey pks-read secret
	hwkey pks-check --reanchor
	hwkey pks-check
	tpm_stop
	fails 5 'cannot tell whether' hwkey pks-read secret
	HWKEY_TCTI='' hwkey pks-check --reanchor 2>err
	grep -q 'has no counter any more' err
	[ "$(field ROLLBACK)" = 'not protected from' ]
}

@test "pks-tpm: a counter that is given up, or erased with its keystore, is not left in the TPM" {
	indices() { tpm2_getcap handles-nv-index; }
	[ -z "$(indices)" ]
	hwkey pks-config --counter
	[ -n "$(indices)" ]
	hwkey pks-config --no-counter
	[ -z "$(indices)" ]
	fails 3 'has no counter' hwkey pks-config --no-counter
	hwkey pks-config --counter
	console 4:1
	hwkey secure-erase --pks --now --i-understand
	[ -z "$(indices)" ]
}

@test "pks-tpm: writes that do not wait move the counter when they are confirmed" {
	hwkey pks-config --counter
	hwkey pks-write --no-wait a one
	hwkey pks-write --no-wait b one
	[ "$(hwkey pks-read b)" = one ]
	hwkey pks-confirm b
	hwkey pks-check
	cp -a "$HWKEY_PKS_DIR" old
	hwkey pks-write --no-wait c one
	hwkey pks-write d one
	boot 2
	[ "$(hwkey pks-read a)" = one ]
	put_back old
	fails 6 'was rolled back' hwkey pks-read a
}

@test "pks-tpm: a write that follows one that did not wait is as safe from rollback" {
	hwkey pks-config --counter
	hwkey pks-write --no-wait a one
	cp -a "$HWKEY_PKS_DIR" old
	printf two >two
	hwkey pks-write --replace secret two
	put_back old
	fails 6 'was rolled back' hwkey pks-read secret
}

@test "pks-tpm: a counter begins where a write was not confirmed yet" {
	hwkey pks-write --no-wait a one
	hwkey pks-config --counter 2>err
	not grep 'not yet safe' err
	[ "$(hwkey pks-read a)" = one ]
	hwkey pks-write --no-wait b one
	hwkey pks-config --no-counter
	[ "$(hwkey pks-read b)" = one ]
}

@test "pks-tpm: of two TPMs the one that has the counter, or the root key, is found" {
	hwkey pks-config --counter
	tpm_start tpm9
	tpm_srk
	[ "$(hwkey pks-read secret)" = one ]
	hwkey pks-write a one
	HWKEY_TCTI="${HWKEY_TCTI#* } ${HWKEY_TCTI%% *}"	# now the other one is the first
	[ "$(hwkey pks-read secret)" = one ]
	hwkey pks-write b one
	only_tpm
	HWKEY_TCTI="${HWKEY_TCTI#* } ${HWKEY_TCTI%% *}"
	[ "$(hwkey pks-read b)" = one ]
	hwkey pks-config --no-counter
	for name in tpm0 tpm9; do
		tpm_use $name
		[ -z "$(tpm2_getcap handles-nv-index)" ]
	done
}

@test "pks-tpm: what the TPM does not open any more is not taken for the last way in" {
	hwkey pks-config --add-slot tpm2
	tpm_clear
	hwkey pks-check | grep -q 'trust source *degraded .*cleared'
	fails 7 'last one that opens' hwkey pks-config --remove-slot plain
	[ "$(hwkey pks-read secret)" = one ]
	tpm_extend 7 now
	printf '7:sha256=%064d\n' 1 >values
	run -7 --separate-stderr hwkey pks-config --add-slot tpm2 --replace --pcr-values values --remove-slot plain
	[[ $stderr == *"slot 'plain' is the last one that opens"*'PCR 7'* ]]
	[ "$(hwkey pks-read secret)" = one ]
}

@test "pks-tpm: who reads beside a writer sees no rollback" {
	hwkey pks-config --counter
	for i in 1 2 3 4 5 6 7 8; do hwkey pks-write --replace secret one; done &
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do [ "$(hwkey pks-read secret)" = one ]; done
	wait
}

@test "pks-tpm: an erase takes nothing from the TPM but a counter" {
	tpm2_nvdefine -Q -C o -s 32 0x01c00aaa
	tpm2_nvdefine -Q -C o -s 32 0x01800aaa
	for handle in '\1\xc0\x0a\xaa' '\1\x80\x0a\xaa'; do
		printf "\\0\\0\\0\\1$handle" | dd of="$HWKEY_PKS_DIR/system/local.B" bs=1 seek=56 conv=notrunc status=none
		cp -a "$HWKEY_PKS_DIR" copy
		console 4:1
		HWKEY_PKS_DIR=$PWD/copy hwkey secure-erase --pks --now --i-understand
		rm -rf copy
	done
	[ "$(tpm2_getcap handles-nv-index | grep -c 0x)" -eq 2 ]
}

@test "pks-tpm: a slot of the TPM opens in the state that it is bound to, and says which PCR differs" {
	tpm_extend 7 before
	fails 2 'add-slot=tpm2' hwkey pks-config --add-slot plain --replace --pcrs 7
	hwkey pks-config --add-slot tpm2 --pcrs 7 --remove-slot plain
	[ "$(hwkey pks-read secret)" = one ]
	tpm_extend 7 after
	fails 4 'PCR 7' hwkey pks-read secret
	tpm_reboot
	tpm_extend 7 before
	[ "$(hwkey pks-read secret)" = one ]
}
