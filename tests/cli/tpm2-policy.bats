#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Which state a TPM must be in to open what it sealed, on real TPMs in software (swtpm)
setup() {
	load helpers
	load tpm
	cd "$BATS_TEST_TMPDIR"
	printf 'the secret' >secret
	tpm_start
	for pcr in 0 7 11; do tpm_extend $pcr firmware; done
}
teardown() { tpm_end; }

opens() { [ "$(hwkey unseal "$1")" = 'the secret' ] && [ -z "$(tpm_left)" ]; }

# refuses FILE WORDS: it does not open, and says why
refuses() { fails 4 "$2" hwkey unseal "$1" && [ -z "$(tpm_left)" ]; }

# after VALUE WORD: what a PCR of VALUE will be when WORD is measured
after() { { printf '%s' "$1"; printf '%s' "$2" | sha256sum | cut -d ' ' -f 1; } | xxd -r -p | sha256sum | cut -d ' ' -f 1; }

# reboot WORD: and WORD is what PCR 11 measures
reboot() {
	tpm_reboot
	tpm_extend 0 firmware
	tpm_extend 7 firmware
	tpm_extend 11 "$1"
}

@test "opens while PCRs are as they were, and tells which one is not: from, to, what it measures" {
	hwkey seal --pcrs 7+11 -o sealed secret
	opens sealed
	hwkey unseal --explain sealed | grep -q '^NOW *opens$'
	was=$(tpm_pcr 11)
	tpm_extend 11 update
	is=$(tpm_pcr 11)
	refuses sealed "PCR 11 (unified kernel image) was ${was:0:16}, is ${is:0:16}"
	not grep -q 'PCR 7' <(hwkey unseal sealed 2>&1)
	hwkey unseal --explain sealed | grep -q "^NOW *PCR 11 (unified kernel image) was ${was:0:16}, is ${is:0:16}$"
	reboot firmware
	opens sealed
	tpm_extend 7 update
	tpm_extend 11 update
	refuses sealed 'PCR 7 (secure boot state) was'
	refuses sealed '; PCR 11 (unified kernel image) was'
}

@test "all PCRs of a bank, more than one command reads" {
	hwkey seal --allow-weak-pcrs --pcrs "$(seq -s + 0 23)" -o sealed secret
	opens sealed
	for pcr in 0 8 15 16 23; do tpm_extend $pcr update; done
	refuses sealed 'PCR 0 (firmware code) was'
	refuses sealed '; and 2 more; boot as before'
	[ "$(hwkey unseal --explain --json sealed | grep -o 'PCR [0-9]* ([^)]*) was' | wc -l)" = 5 ]
}

@test "a state that there will be opens, too, and eight states do" {
	printf '# after the update\n7=%s\n11=%s\n' "$(tpm_pcr 7)" "$(after "$(tpm_pcr 11)" update)" >next
	hwkey seal --pcrs 7+11 --pcr-values next -o both secret
	hwkey seal --pcr-values next -o later secret
	opens both
	refuses later 'PCR 11 (unified kernel image) was'
	tpm_extend 11 update
	opens both
	opens later
	tpm_extend 11 another
	refuses both 'in another state than each that opens it: PCR 11'
	hwkey unseal --explain both | grep -q 'in none of the 2 states that open it'
	for word in 1 2 3 4 5 6 7; do printf '11=%s\n\n' "$(after "$(tpm_pcr 11)" $word)"; done >seven
	hwkey seal --pcrs 11 --pcr-values seven -o eight secret
	opens eight
	tpm_extend 11 7
	opens eight
	for word in 1 2 3 4 5 6 7 8; do printf '11=%s\n\n' "$(after "$(tpm_pcr 11)" $word)"; done >eight.values
	fails 2 'more than 8 states' hwkey seal --pcrs 11 --pcr-values eight.values -o nine secret
	[ ! -e nine ]
}

@test "states may be of different PCRs and banks" {
	tpm_extend 7 firmware sha384
	printf '7:sha384=%s\n\n0:sha256=%s\n11=%s\n' "$(tpm_pcr 7 sha384)" "$(tpm_pcr 0)" "$(after "$(tpm_pcr 11)" a)" >values
	hwkey seal --pcr-values values -o sealed secret
	opens sealed
	tpm_extend 7 later sha384
	refuses sealed 'in another state than each that opens it'
	tpm_extend 11 a
	opens sealed
}

@test "the bank is one that firmware extends; what it does not extend protects nothing" {
	fails 2 'nothing is measured into PCR 4 (boot loader) of sha256' hwkey seal --pcrs 4+7 -o sealed secret
	fails 2 'nothing is measured into PCR 17 ' hwkey seal --pcrs 17 -o sealed secret
	fails 2 'nothing is measured into PCR 7 (secure boot state) of sha384' hwkey seal --pcrs 7:sha384 -o sealed secret
	fails 2 'sha1 can be forged' hwkey seal --pcrs 7:sha1 -o sealed secret
	printf '7=%064d\n' 0 >zero
	fails 2 'nothing is measured into PCR 7' hwkey seal --pcr-values zero -o sealed secret
	fails 2 "PCR values, line 1" hwkey seal --pcr-values secret -o sealed secret
	[ ! -e sealed ]
	for pcrs in 4+7 17 7:sha384 7:sha1; do
		hwkey seal -f --allow-weak-pcrs --pcrs $pcrs -o sealed secret
		opens sealed
	done
	# sha384 alone is extended
	tpm_reboot
	tpm_extend 7 firmware sha384
	hwkey seal -f --pcrs 7 -o sealed secret
	opens sealed
	tpm_extend 7 update sha384
	refuses sealed 'PCR 7 (secure boot state) was'
	# a bank that is not there
	tpm2_pcrallocate -Q sha1:none+sha256:all+sha384:none+sha512:none
	reboot firmware
	fails 5 'the TPM has no PCR bank sha384' hwkey seal --pcrs 7:sha384 -o other secret
	fails 5 'the TPM has no PCR bank sha384' hwkey unseal sealed
	hwkey seal --pcrs 7 -o again secret
	opens again
	[ ! -e other ]
}

# sign KEY PCRS...: adds the present values of PCRs, as systemd-measure does it, to the entries
sign() {
	local key=$1 pkfp pol
	shift
	tpm2_startauthsession -S session
	tpm2_policypcr -Q -S session -l "sha256:$1" -L policy
	tpm2_flushcontext session
	pkfp=$(openssl rsa -in "$key" -RSAPublicKey_out -outform DER 2>/dev/null | sha256sum | cut -d ' ' -f 1)
	pol=$(xxd -p -c 64 policy)
	printf '{"pcrs":[%s],"pkfp":"%s","pol":"%s","sig":"%s"}\n' "$1" "$pkfp" "$pol" \
		"$(openssl dgst -sha256 -sign "$key" policy | base64 -w 0)" >>entries
	paste -sd , entries | sed 's/.*/{"sha256":[&]}/' >"$signatures"
}

signed_setup() {
	openssl genrsa -out key.pem 2048
	openssl pkey -in key.pem -pubout -out public.pem
	signatures=$HWKEY_SYSROOT/run/systemd/tpm2-pcr-signature.json
	mkdir -p "$(dirname "$signatures")"
}

@test "what the owner of a key has signed opens, however often it changes; else it says what is missing" {
	signed_setup
	hwkey seal --public-key public.pem -o sealed secret
	hwkey seal --public-key public.pem --public-key-pcrs 11:sha256 --pcrs 7 -o both secret
	refuses sealed "no 'tpm2-pcr-signature.json' in /etc/systemd"
	sign key.pem 11
	opens sealed
	opens both
	tpm_extend 11 update
	refuses sealed '1 signature by the policy'
	refuses sealed 'none for the present values'
	hwkey unseal --explain sealed | grep -q '^NOW *1 signature by .* but none for the present values'
	sign key.pem 11
	hwkey unseal --explain both | grep -q '^NOW *opens$'
	opens sealed
	opens both
	reboot firmware
	opens sealed
	tpm_extend 7 update
	opens sealed
	refuses both 'PCR 7 (secure boot state) was'
	mkdir -p "$HWKEY_SYSROOT/etc/systemd"
	echo '{}' >"$HWKEY_SYSROOT/etc/systemd/tpm2-pcr-signature.json"
	refuses sealed "no signature by the policy's key for PCR 11:sha256"
	HWKEY_PCR_SIGNATURE=$signatures opens sealed
	[ "$(hwkey unseal --pcr-signature "$signatures" sealed)" = 'the secret' ]
	HWKEY_PCR_SIGNATURE=$PWD/none refuses sealed 'cannot read signatures of PCR values'
}

# stub_extend: measures NAME and FILE, as systemd-stub does a section of a unified kernel image
stub_extend() {
	tpm2_pcrextend "11:sha256=$(printf '%s\0' "$1" | sha256sum | cut -d ' ' -f 1)"
	tpm2_pcrextend "11:sha256=$(sha256sum <"$2" | cut -d ' ' -f 1)"
}

@test "what systemd-measure signs and predicts opens" {
	measure=/usr/lib/systemd/systemd-measure
	[ -x $measure ] || skip 'no systemd-measure here'
	signed_setup
	printf 'a kernel' >linux
	printf 'root=/dev/vda' >cmdline
	sections=(--bank=sha256 --linux=linux --cmdline=cmdline)
	$measure sign "${sections[@]}" --private-key=key.pem --public-key=public.pem "--tpm2-device=$TPM2TOOLS_TCTI" >"$signatures"
	$measure calculate "${sections[@]}" | sed G >values
	hwkey seal --public-key public.pem -o signed secret
	hwkey seal --pcr-values values -o predicted secret
	refuses signed '4 signatures by the policy'
	refuses predicted 'PCR 11 (unified kernel image) was'
	tpm_reboot
	stub_extend .linux linux
	stub_extend .cmdline cmdline
	tpm_extend 11 enter-initrd
	opens signed
	opens predicted
	tpm_extend 11 leave-initrd
	opens signed
	opens predicted
	tpm_extend 11 shell
	refuses signed 'none for the present values'
	refuses predicted 'than each that opens it'
}

@test "a signature by another key, or for other PCRs, opens nothing" {
	signed_setup
	hwkey seal --public-key public.pem -o sealed secret
	openssl genrsa -out other.pem 2048
	sign other.pem 11
	refuses sealed "no signature by the policy's key"
	sign key.pem 7
	refuses sealed "no signature by the policy's key"
	# who forges the fingerprint still cannot sign
	sign key.pem 11
	opens sealed
	sed -i '1,2d' entries
	sed -i "s|\"sig\":\"[^\"]*\"|\"sig\":\"$(openssl dgst -sha256 -sign other.pem policy | base64 -w 0)\"|" entries
	paste -sd , entries | sed 's/.*/{"sha256":[&]}/' >"$signatures"
	refuses sealed 'not by the key that it names'
	echo 'no JSON' >"$signatures"
	fails 6 'no JSON object' hwkey unseal sealed
}

@test "for another machine's TPM only values and a key say which state it must be in" {
	signed_setup
	printf '7=%s\n' "$(tpm_pcr 7)" >values
	tpm_start second
	tpm_srk
	tpm2_readpublic -Q -c 0x81000001 -o srk.pub
	fails 2 'PCRs of another machine' hwkey seal -d tpm0 --device-key srk.pub --pcrs 7 -o sealed secret
	hwkey seal -d tpm0 --device-key srk.pub --pcr-values values --public-key public.pem -o sealed secret
	export HWKEY_TCTI=$TPM2TOOLS_TCTI
	tpm_extend 11 firmware
	sign key.pem 11
	refuses sealed 'PCR 7 (secure boot state) was'
	tpm_extend 7 firmware
	opens sealed
	tpm_extend 11 update
	refuses sealed 'none for the present values'
}

@test "keys that cannot sign states of this TPM are refused at once" {
	openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout -out ec.pem
	fails 2 'is not RSA' hwkey seal --public-key ec.pem -o sealed secret
	fails 2 'is no PEM' hwkey seal --public-key secret -o sealed secret
	openssl genrsa 4096 | openssl pkey -pubout -out large.pem
	fails 5 'no public keys of RSA with 4096 bits' hwkey seal --public-key large.pem -o sealed secret
	openssl genrsa 3072 | openssl pkey -pubout -out larger.pem
	hwkey seal --public-key larger.pem -o sealed secret
	[ -z "$(tpm_left)" ]
}

# commands FILE: what unsealing it sends to the TPM
commands() {
	"$build/fault/tpmat" -l log "$tpm_dir/tpm0.sock" -- hwkey unseal "$1" >out
	[ "$(cat out)" = 'the secret' ]
	awk '{ print $2 }' log | paste -sd ' '
}

@test "what is measured while it is opened costs another try, not the secret" {
	tpm_srk
	printf '11=%s\n' "$(after "$(tpm_pcr 11)" update)" >next
	hwkey seal --pcrs 11 --pcr-values next -o sealed secret
	# TPM_RC_PCR_CHANGED, of each command that can say so
	for n in 2 3 5; do
		[ "$("$build/fault/tpmat" -f $n:rc=128 "$tpm_dir/tpm0.sock" -- hwkey unseal sealed)" = 'the secret' ]
		[ -z "$(tpm_left)" ]
	done
	fails 5 'try again' "$build/fault/tpmat" -f 2+:rc=128 "$tpm_dir/tpm0.sock" -- hwkey unseal sealed
}

@test "policies are few commands: one for a state, two for one of several" {
	signed_setup
	tpm_srk
	hwkey seal -o none secret
	[ "$(commands none)" = 'StartAuthSession PolicyCommandCode Load Unseal FlushContext' ]
	hwkey seal --pcrs 7+11 -o one secret
	[ "$(commands one)" = 'StartAuthSession PolicyPCR Load Unseal FlushContext' ]
	printf '11=%s\n' "$(after "$(tpm_pcr 11)" update)" >next
	hwkey seal --pcrs 11 --pcr-values next -o two secret
	[ "$(commands two)" = 'StartAuthSession PolicyPCR PolicyOR Load Unseal FlushContext' ]
	hwkey seal --public-key public.pem -o signed secret
	sign key.pem 11
	[ "$(commands signed)" = 'StartAuthSession PolicyPCR PolicyGetDigest LoadExternal VerifySignature FlushContext PolicyAuthorize Load Unseal FlushContext' ]
}
