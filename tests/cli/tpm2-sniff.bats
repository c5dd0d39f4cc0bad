#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Who records all that goes between a command and its TPM learns no secret. What he would have to find is got without hwkey.
setup() {
	load helpers
	load tpm
	cd "$BATS_TEST_TMPDIR" || exit 1
	tpm_start
	tpm_srk
	tpm_extend 7 state
	umask 077
	printf 'the-marker-of-the-payload\n' >clear
	head -c 64 /dev/urandom >key
	records=
}
teardown() { tpm_end; }

# recorded COMMAND...: runs it; what it says to its TPM, and hears, is one more of the records.
recorded() {
	records=${records:+$records,}record.${#records}
	"$build/fault/tpmat" -r "${records##*,}" "$tpm_dir/$tpm.sock" -- "$@"
	[ -s "${records##*,}" ]
}

# hidden FILE SECRET...: the secrets of the token in FILE, which opens with the PIN in pin if there is one, and those files'
# bytes are in no record; they are in that of somebody who unseals in clear.
hidden() {
	local dir
	dir=$(mktemp -d secrets.XXXXXX)
	"$build/fault/tpmat" -r "$dir/control" "$tpm_dir/$tpm.sock" -- \
		"$BATS_TEST_DIRNAME/sniff" open "$1" "$dir" ${pin:+"$pin"}
	shift
	[ "$("$BATS_TEST_DIRNAME/sniff" look "$dir/control" "$dir/object")" = "$dir/object" ]
	[ "$(wc -c <"$dir/object")" = 32 ]
	[ -z "${pin-}" ] || set -- "$dir/auth" "$@"
	"$BATS_TEST_DIRNAME/sniff" look "$records" "$dir/object" "$dir/payload" "$@"
	cp "$dir/payload" payload
}

@test "seal and unseal: neither payload, nor data key, nor the TPM's object" {
	recorded hwkey seal --device tpm0 -o sealed clear
	recorded hwkey unseal -o again sealed
	cmp again clear
	hidden sealed clear
}

@test "keys and volumes: neither key, nor passphrase, nor the TPM's object" {
	recorded hwkey wrap --xts --device tpm0 wrapped key
	recorded hwkey generate --device tpm0 made
	recorded hwkey validate
	recorded hwkey luks-format --size 20M vol made
	recorded hwkey luks-enroll vol wrapped
	recorded hwkey luks-open --test vol
	cp "$HWKEY_REPOSITORY/made.skey" before
	recorded hwkey rewrap --all
	hidden "$HWKEY_REPOSITORY/wrapped.skey" key
	cmp payload key
	for token in before "$HWKEY_REPOSITORY/made.skey"; do hidden "$token"; done
	for id in 0 2; do
		cryptsetup token export --token-id $id vol >token
		hidden token
	done
}

@test "with PCRs and a PIN: neither the PIN, nor what is made of it, nor the rest" {
	pin=the-marker-of-the-PIN
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR
	printf %s "$pin" | tee pin >hwkey.tpm2-pin
	recorded hwkey seal --device tpm0 --pcrs 7 --pin-file pin -o sealed clear
	recorded hwkey unseal -o again sealed
	cmp again clear
	recorded hwkey wrap --xts --device tpm0 --pcrs 7 --pin-file pin wrapped key
	recorded hwkey luks-format --size 20M vol wrapped
	recorded hwkey luks-open --test vol
	hidden sealed clear pin
	hidden "$HWKEY_REPOSITORY/wrapped.skey" key pin
}
