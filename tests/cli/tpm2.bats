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
	hwkey doctor | grep -q "by tpm2-tss' names, from tpm0 on: '$HWKEY_TCTI'"
	unset HWKEY_TCTI
	hwkey seal -o soft secret
	hwkey unseal --explain soft | grep -Eq '^BACKEND +soft$'
	install -D -m 600 /dev/null "$HWKEY_SYSROOT/dev/tpmrm0"
	install -D /dev/null "$HWKEY_SYSROOT/sys/class/tpm/tpm0/tpm_version_major"
	echo 2 >"$HWKEY_SYSROOT/sys/class/tpm/tpm0/tpm_version_major"
	fails 5 "no TPM at '$HWKEY_SYSROOT/dev/tpmrm0'" hwkey seal -o refused secret
	[ ! -e refused ]
	if [ "$(id -u)" -eq 0 ]; then
		chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR"
		setpriv --reuid 65534 --clear-groups "$(command -v hwkey)" list-devices |
			grep -q "^tpm0 .* offline .* no permission for '/dev/tpmrm0': be root, or of group tss"
	fi
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

# pin PIN: what is answered when a PIN is asked for
pin() { mkdir -p -m 700 credentials; (umask 077; printf %s "$1" >credentials/hwkey.tpm2-pin); }

@test "a PIN: right, wrong, none, and the TPM's lockout with the way out of it" {
	tpm_start
	tpm_srk
	pin 4711
	hwkey seal -q -d tpm0 --pin-file credentials/hwkey.tpm2-pin -o sealed secret
	hwkey seal -q -d tpm0 -o other secret
	fails 4 'the TPM wants its PIN' hwkey unseal --batch sealed
	export CREDENTIALS_DIRECTORY=$PWD/credentials
	opens sealed
	pin 4712
	fails 4 'wrong PIN; 2 more tries are left' hwkey unseal sealed
	[ "$(tpm_property TPM2_PT_LOCKOUT_COUNTER)" = 0x1 ]	# one try is one
	fails 4 'wrong PIN; 1 more try is left' hwkey unseal sealed
	fails 4 'that was the last try' hwkey unseal sealed
	pin 4711
	fails 4 'in lockout after 3 wrong answers: it takes another one in at most 1000 seconds' hwkey unseal sealed
	fails 4 tpm2_dictionarylockout hwkey unseal sealed
	hwkey unseal --explain sealed | grep -q 'in lockout after 3 wrong answers'
	fails 4 'in lockout' hwkey seal -d tpm0 --pin-file credentials/hwkey.tpm2-pin -o third secret
	[ -z "$(tpm_left)" ]
	opens other		# without a PIN there is nothing to guess
	tpm2_dictionarylockout --clear-lockout 2>/dev/null
	opens sealed
}

@test "for another machine's TPM, without it: P-256 and RSA, TPM2B_PUBLIC and PEM" {
	tpm_start
	pin 4711
	for type in ecc rsa; do
		tpm_start $type
		tpm_srk $type
		tpm2_readpublic -Q -c 0x81000001 -o $type.public
		tpm2_readpublic -Q -c 0x81000001 -f pem -o $type.pem
		for form in public pem; do
			hwkey seal -q -d tpm0 --device-key $type.$form -o sealed secret
			opens sealed
			hwkey seal -q -d tpm0 --device-key $type.$form --pin-file credentials/hwkey.tpm2-pin -f -o sealed secret
			CREDENTIALS_DIRECTORY=$PWD/credentials opens sealed
			rm sealed
		done
	done
	openssl ecparam -name secp384r1 -genkey -noout | openssl ec -pubout -out other.pem 2>/dev/null
	fails 2 'no public key of a TPM' hwkey seal -d tpm0 --device-key other.pem -o refused secret
	[ ! -e refused ]
}

# A TPM without AES in CFB mode for sessions: it says so of the second parameter.
@test "a TPM that cannot encrypt what goes over its bus is refused, unless that is allowed" {
	tpm_start
	tpm_srk
	sock=$tpm_dir/tpm0.sock
	fails 5 'the TPM cannot encrypt what goes over its bus: --allow-clear-bus does without' \
		"$build/fault/tpmat" -f 2:rc=2d6 "$sock" -- hwkey seal -d tpm0 -o sealed secret
	[ ! -e sealed ]
	"$build/fault/tpmat" -f 2:rc=2d6 "$sock" -- hwkey seal -d tpm0 --allow-clear-bus -o sealed secret
	opens sealed		# encrypted, because this TPM can
	hwkey seal -d tpm0 --allow-clear-bus -o other secret
	fails 5 'the TPM cannot encrypt' "$build/fault/tpmat" -f 1:rc=2d6 "$sock" -- hwkey unseal other
	[ "$("$build/fault/tpmat" -f 1:rc=2d6 "$sock" -- hwkey unseal sealed)" = 'the secret' ]
	[ -z "$(tpm_left)" ]
}

@test "rewrapping changes the PIN, keeps what it is not told to change, and leaves no try behind" {
	tpm_start
	tpm_srk
	tpm_extend 7 state
	pin 4711
	cp credentials/hwkey.tpm2-pin old
	for key in one two; do hwkey generate -q -d tpm0 --pcrs 7 --pin-file old $key; done
	export CREDENTIALS_DIRECTORY=$PWD/credentials
	pin 4712
	cp credentials/hwkey.tpm2-pin new
	pin 4711
	hwkey rewrap -q --pin-file new one two
	fails 4 'wrong PIN' hwkey rewrap one
	tpm2_dictionarylockout --clear-lockout 2>/dev/null
	pin 4712
	hwkey validate >out
	[ "$(grep -c 'valid.*PCR 7 (secure boot state) of sha256.*PIN' out)" = 2 ]
	[ "$(tpm_property TPM2_PT_LOCKOUT_COUNTER)" = 0x0 ]
	tpm_extend 7 update
	fails 4 'PCR 7 (secure boot state) was' hwkey rewrap one
	[ "$(tpm_property TPM2_PT_LOCKOUT_COUNTER)" = 0x0 ]
}

@test "keys for a state that there will be, and for another machine, can be made now" {
	tpm_start
	tpm_srk
	tpm_extend 7 now
	printf '7=%064d\n' 1 >values
	hwkey generate -d tpm0 --pcr-values values later 2>err
	grep -q 'what must hold to open it does not hold now, so that was not tried' err
	fails 4 'PCR 7 (secure boot state) was 0000000000000000, is' hwkey luks-format -q img later --size 20M
	tpm_start other
	tpm_srk
	tpm2_readpublic -Q -c 0x81000001 -o other.public
	hwkey seal -q -d tpm0 --device-key other.public -o there secret
	opens there		# by the TPM that it was made for
	tpm_stop
	not hwkey unseal there
	HWKEY_TCTI='' hwkey seal -q --device-key other.public -o far secret	# by a machine without a TPM
	tpm_start other
	opens far
}

# at COMMAND...: the names of the TPM commands that it sends are in the array sent.
at() {
	local status=0
	"$build/fault/tpmat" -l log "$tpm_dir/$tpm.sock" -- "$@" || status=$?
	mapfile -t sent < <(awk '/^[0-9]/ { print $2 }' log)
	return "$status"
}

@test "few commands: four to seal and five to unseal, seven where a primary key is made" {
	tpm_start
	tpm_extend 7 state
	hwkey seal -q -d tpm0 --pcrs 7 -o transient secret
	at hwkey unseal -o out transient
	[ "${sent[*]}" = 'CreatePrimary StartAuthSession PolicyPCR Load Unseal FlushContext FlushContext' ]
	tpm_srk
	at hwkey seal -q -d tpm0 --pcrs 7 -o persistent secret
	[ "${sent[*]:0:5}" = 'PCR_Read ReadPublic StartAuthSession Create Load' ]	# with Load what was sealed is tried
	at hwkey unseal -f -o out persistent
	[ "${sent[*]}" = 'StartAuthSession PolicyPCR Load Unseal FlushContext' ]
}

# swtpm is none, but tpmat flushes what is left as one does.
@test "a resource manager flushes what is left itself, and then a new persistent key is looked for" {
	tpm_start
	tpm_extend 7 state
	hwkey seal -q -d tpm0 --pcrs 7 -o sealed secret
	ln -s tpm0.sock "$tpm_dir/tpmrm0.sock"
	ln -s tpm0.sock.ctrl "$tpm_dir/tpmrm0.sock.ctrl"
	unseal_managed() { tpm=tpmrm0 HWKEY_TCTI=swtpm:path=$tpm_dir/tpmrm0.sock at hwkey unseal -f -o out sealed; }
	unseal_managed
	[ "${sent[*]}" = 'ReadPublic CreatePrimary StartAuthSession PolicyPCR Load Unseal' ]
	tpm_srk
	unseal_managed
	[ "${sent[*]}" = 'ReadPublic StartAuthSession PolicyPCR Load Unseal' ]
	tpm2_evictcontrol -Q -C owner -c 0x81000001
	tpm_srk rsa
	unseal_managed		# the primary key is still the same
	cmp out secret
	tpm_clear
	tpm_srk
	tpm_extend 7 other
	fails 4 'this one was cleared since' unseal_managed
}
