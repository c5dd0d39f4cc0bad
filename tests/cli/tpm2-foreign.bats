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

# The TPM that sealed them, in the state in which it did.
captured_tpm() {
	mkdir -p "$tpm_dir/tpm0"
	cp "$data/state" "$tpm_dir/tpm0/tpm2-00.permall"
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
