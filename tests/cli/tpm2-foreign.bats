#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What systemd, clevis and others sealed by a TPM: tests/data/tpm says how it was made.

setup() {
	load helpers
	load image
	img=$BATS_TEST_TMPDIR/img
	data=$top/tests/data/tpm
	cd "$BATS_TEST_TMPDIR"
}

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
