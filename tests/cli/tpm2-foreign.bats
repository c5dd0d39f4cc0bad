#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What systemd, clevis and others sealed by a TPM: tests/data/tpm says how it was made.

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	load image
	load tpm
	img=$BATS_TEST_TMPDIR/img
	data=$top/tests/data/tpm
	cd "$BATS_TEST_TMPDIR"
	umask 077
}

teardown() { tpm_end; }

# volume NAME...: slot 0 is a passphrase's, the next ones are those of tokens NAME
volume() {
	local name n=0
	truncate -s 20M "$img"
	printf pass >pass
	cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$img" pass
	for name; do
		n=$((n + 1))
		printf '%s' "$name" >new
		[ ! -e "$data/$name.pass" ] || cp "$data/$name.pass" new
		cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file pass "$img" new
		jq -c ".keyslots = [\"$n\"]" "$data/$name.json" | cryptsetup token import --token-id "$((n - 1))" "$img"
	done
}

@test "luks-status says in words what other programs' tokens need" {
	volume systemd-pcr systemd-pin systemd-signed clevis
	[ "$(state type,backend,state,needs)" = "passphrase - - -
systemd-tpm2 tpm2 ok PCR 7 (secure boot state) of sha256
systemd-tpm2 tpm2 ok PCRs 7 (secure boot state), 11 (unified kernel image) of sha256, and a PIN
systemd-tpm2 tpm2 ok a signature for PCR 11 (unified kernel image) of sha256
clevis tpm2 ok PCR 7 (secure boot state) of sha256" ]
}

@test "luks-status: what of others' tokens hwkey does not know, is cut, or has no keyslot" {
	volume
	protected=$(printf '{"alg":"dir","clevis":{"pin":"tang","tang":{}},"enc":"A256GCM"}' | basenc --base64url -w0 | tr -d =)
	jq -c ".keyslots = [] | .jwe.protected = \"$protected\"" "$data/clevis.json" | cryptsetup token import "$img"
	jq -c '.keyslots = ["0"] | .tpm2_pcrlock = true | .["tpm2-pcrs"] = []' "$data/systemd-pcr.json" |
		cryptsetup token import "$img"
	jq -c '.keyslots = ["0"] | .["tpm2-blob"] |= .[:80]' "$data/systemd-pcr.json" | cryptsetup token import "$img"
	[ "$(state type,backend,state,needs)" = "systemd-tpm2 tpm2 ok what systemd-pcrlock allows
systemd-tpm2 - invalid -
clevis - dead clevis' pin 'tang'" ]
}

# captured_tpm [STATE]: the TPM that sealed them, in the state in which it did.
captured_tpm() {
	mkdir -p "$tpm_dir/tpm0"
	cp "$data/${1:-state}" "$tpm_dir/tpm0/tpm2-00.permall"
	tpm_start
	tpm_extend 7 a
	tpm_extend 11 b
}

pin() {
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
	mkdir -p "$CREDENTIALS_DIRECTORY"
	printf '%s' "$1" >"$CREDENTIALS_DIRECTORY/hwkey.tpm2-pin"
}

# What opens, and why not: a line for each keyslot but the first one.
tries() { hwkey luks-open --test "$img" --json "$@" | jq -r '.keyslots[1:][] | "\(.type) \(.opens) \(.remark // "-")"'; }

@test "luks-open --test opens what systemd and clevis enrolled" {
	captured_tpm
	volume systemd-pcr systemd-pin systemd-signed clevis
	pin 1234
	export HWKEY_PCR_SIGNATURE=$data/systemd-signed.sig
	[ "$(tries)" = "systemd-tpm2 true -
systemd-tpm2 true -
systemd-tpm2 true -
clevis true -" ]
	[ -z "$(tpm_left)" ]
}

@test "luks-open --test: wrong PIN, no signature, another state, a TPM that was cleared" {
	captured_tpm
	volume systemd-pcr systemd-pin systemd-signed clevis
	wrong=$(tpm_property TPM2_PT_LOCKOUT_COUNTER)
	pin 4321
	run -0 tries
	[[ ${lines[0]} == "systemd-tpm2 true -" ]]
	[[ ${lines[1]} == "systemd-tpm2 false "*PIN* ]]
	[[ ${lines[2]} == "systemd-tpm2 false "*signature* ]]
	[ $(($(tpm_property TPM2_PT_LOCKOUT_COUNTER) - wrong)) = 1 ]
	pin 1234
	tpm_extend 7 more
	run -4 --separate-stderr hwkey luks-open --test "$img"
	[[ $output == *'not the state in which systemd sealed it'*'PCR 7 (secure boot state) of sha256'* ]]
	[[ $output == *'not the state in which clevis sealed it'* ]]
	[ $(($(tpm_property TPM2_PT_LOCKOUT_COUNTER) - wrong)) = 1 ]
	tpm_clear
	run -4 --separate-stderr hwkey luks-open --test "$img"
	[ "$(grep -c ' no ' <<<"$output")" = 5 ]
	[ -z "$(tpm_left)" ]
}

@test "luks-open --test: a token that was tampered with, and a TPM that is not here" {
	captured_tpm
	volume systemd-pcr clevis
	jq -c '.keyslots = ["1"] | .["tpm2-blob"] |= .[:40] + "AAAA" + .[44:]' "$data/systemd-pcr.json" |
		cryptsetup token import --token-id 0 --token-replace "$img"
	jq -c '.keyslots = ["2"] | .jwe.tag |= "AAAA" + .[4:]' "$data/clevis.json" |
		cryptsetup token import --token-id 1 --token-replace "$img"
	run -4 --separate-stderr hwkey luks-open --test "$img"
	[[ $output == *"clevis' JWE was tampered with"* ]]
	[ "$(grep -c ' no ' <<<"$output")" = 3 ]
	HWKEY_TCTI=swtpm:path=none run -4 --separate-stderr hwkey luks-open --test "$img"
	echo "$output"
	[ "$(grep -c ' no ' <<<"$output")" = 3 ]
}

# The programs themselves, where they are.
@test "luks-open --test opens what systemd-cryptenroll enrolls here" {
	command -v systemd-cryptenroll >/dev/null || skip 'systemd-cryptenroll is not installed'
	tpm_start
	tpm_extend 7 a
	volume
	for options in '--tpm2-pcrs=7' '--tpm2-pcrs=7 --tpm2-with-pin=yes' '--tpm2-pcrs='; do
		# shellcheck disable=SC2086
		PASSWORD=pass NEWPIN=1234 systemd-cryptenroll --tpm2-device="$TPM2TOOLS_TCTI" $options "$img" >/dev/null 2>&1
		tpm2_flushcontext -l
		tpm2_flushcontext -t
	done
	pin 1234
	[ "$(tries)" = "systemd-tpm2 true -
systemd-tpm2 true -
systemd-tpm2 true -" ]
	tpm_extend 7 b
	[ "$(tries | cut -d ' ' -f 2)" = "$(printf 'false\nfalse\ntrue')" ]
}

shows() { hwkey show "$1" --json | jq -r --arg c "$2" '.keys[0] | [.[$c | split(",") | .[]]] | flatten | join(" ")'; }

@test "import: what systemd sealed is a key of hwkey's that opens the same keyslot" {
	captured_tpm
	volume systemd-pcr systemd-pin systemd-signed
	pin 1234
	export HWKEY_PCR_SIGNATURE=$data/systemd-signed.sig
	for name in pcr pin signed; do
		hwkey import "$name" "$data/systemd-$name.json"
		hwkey luks-open "$img" --key "$name"
	done
	[ "$(shows pcr type,bits,xts)" = 'HWKEY-TPM2 256 false' ]
	[ "$(shows pcr policy)" = 'PCR 7 (secure boot state) of sha256' ]
	[ "$(shows pin policy)" = 'PCRs 7 (secure boot state), 11 (unified kernel image) of sha256, and a PIN' ]
	[ "$(shows signed policy)" = 'a signature for PCR 11 (unified kernel image) of sha256' ]
	hwkey validate
	tpm_extend 7 more
	fails 4 'PCR 7' hwkey luks-open "$img" --key pcr
	hwkey luks-open "$img" --key signed
	[ -z "$(tpm_left)" ]
}

@test "tokens of newer systemd: a stored storage root key, a salted PIN, and what is not known yet" {
	captured_tpm state-257
	pin 4321
	hwkey import pcr "$data/systemd-257-pcr.json"
	fails 4 'wrong PIN' hwkey import pin "$data/systemd-257-pin.json"
	pin 1234
	hwkey import pin "$data/systemd-257-pin.json"
	[ "$(shows pin policy)" = 'PCRs 7 (secure boot state), 11 (unified kernel image) of sha256, and a PIN' ]
	hwkey validate
	wrong=$(tpm_property TPM2_PT_LOCKOUT_COUNTER)
	fails 5 'Argon2id' hwkey import new "$data/systemd-262-pin.json"
	[ "$(tpm_property TPM2_PT_LOCKOUT_COUNTER)" = "$wrong" ]
	volume systemd-262-pin
	[[ $(tries) == *Argon2id* ]]
	tpm_clear
	fails 4 'cleared' hwkey import late "$data/systemd-257-pcr.json"
}

# unseal_tss2 FILE: by tpm2-tools, the two octet strings of its DER
unseal_tss2() {
	sed '/^-----/d' "$1" | base64 -d >der
	openssl asn1parse -inform DER -in der | sed -n '/d=1.*OCTET/s/.*\[HEX DUMP\]://p' >octets
	sed -n 1p octets | xxd -r -p >o.pub
	sed -n 2p octets | xxd -r -p >o.priv
	tpm2_load -Q -C 0x81000001 -u o.pub -r o.priv -c o.ctx
	tpm2_unseal -c o.ctx "${@:2}"
	tpm2_flushcontext -t
}

@test "export --format tss2: tpm2-tools open it, and so does hwkey" {
	tpm_start
	tpm_extend 7 a
	head -c 64 /dev/zero | tr '\0' k >clear
	hwkey wrap -q early clear --xts --type tpm2
	hwkey export early early.pem --format tss2
	hwkey import early-2 early.pem
	tpm_srk
	hwkey wrap -q plain clear --xts --type tpm2
	hwkey wrap -q bound clear --xts --type tpm2 --pcrs 7
	hwkey export plain plain.pem --format tss2
	hwkey export bound - --format tss2 >bound.pem
	unseal_tss2 plain.pem | cmp - clear
	unseal_tss2 bound.pem -p pcr:sha256:7 | cmp - clear
	for name in early plain bound; do
		[ $name = early ] || hwkey import $name-2 $name.pem
		[ "$(shows $name-2 bits,xts,pattern,policy)" = "$(shows $name bits,xts,pattern,policy)" ]
	done
	tpm_extend 7 b
	fails 4 'PCR 7' hwkey export bound other.pem --format tss2
	fails 4 'TSS2' hwkey import bound-3 bound.pem
	[ ! -e other.pem ]
	[ -z "$(tpm_left)" ]
}

@test "export --format kernel: five fields in hex, which import takes as well" {
	tpm_start
	head -c 32 /dev/zero | tr '\0' k >clear
	hwkey wrap -q k clear --type tpm2
	fails 3 'hwkey doctor --make-srk' hwkey export k k.hex --format kernel
	tpm_srk
	hwkey export k k.hex --format kernel
	[ "$(wc -l <k.hex)" = 1 ]
	xxd -r -p k.hex >der
	[ "$(openssl asn1parse -inform DER -in der | grep -c 'd=1')" = 5 ]
	hwkey import again k.hex
	[ "$(shows again pattern)" = "$(shows k pattern)" ]
	head -c 16 clear >short
	hwkey wrap -q s short --type tpm2
	fails 2 '32 bytes' hwkey export s - --format kernel
}

@test "import takes the two files of tpm2_create" {
	tpm_start
	tpm_srk
	head -c 32 /dev/urandom >clear
	tpm2_create -Q -C 0x81000001 -i clear -u o.pub -r o.priv
	cat o.priv o.pub >object
	hwkey import k object
	hwkey wrap -q same clear --type tpm2
	[ "$(shows k pattern)" = "$(shows same pattern)" ]
	tpm2_create -Q -C 0x81000001 -i clear -u o.pub -r o.priv -p secret
	cat o.priv o.pub >object
	fails 4 'password' hwkey import l object
}

@test "import and export refuse what they cannot do, and leave nothing behind" {
	captured_tpm
	pin 1234
	fails 5 'a passphrase, not a key' hwkey import k "$data/clevis.json"
	jq -c '.tpm2_pcrlock = true' "$data/systemd-pcr.json" >lock
	fails 5 'systemd-pcrlock' hwkey import k lock
	jq -c '.["tpm2-pcrs"] = 7' "$data/systemd-pcr.json" >bad
	fails 6 "'tpm2-pcrs'" hwkey import k bad
	fails 6 'neither' hwkey import k <(echo '{"type":"systemd-fido2"}')
	fails 2 'taken as it is' hwkey import k "$top/tests/fuzz/corpus/key/tpm2" --xts
	hwkey import p "$data/systemd-pin.json"
	fails 5 'no PIN' hwkey export p - --format tss2
	hwkey generate -q local --type local
	fails 5 'only a TPM' hwkey export local - --format tss2
	fails 2 'format' hwkey export p - --format pkcs8
	[ "$(hwkey list --raw --noheadings --output name)" = "$(printf 'local\np')" ]
	[ -z "$(tpm_left)" ]
}

@test "luks-enroll: systemd's token is what opens the volume to be changed" {
	captured_tpm
	volume systemd-pcr
	hwkey import moved "$data/systemd-pcr.json"
	hwkey generate -q new --type tpm2
	hwkey luks-enroll -q "$img" new
	[ "$(state type,name,state)" = "$(printf 'passphrase - -\nsystemd-tpm2 - ok\nhwkey new ok')" ]
	tpm_extend 7 more
	[ "$(tries | cut -d ' ' -f 2)" = "$(printf 'false\ntrue')" ]
}
