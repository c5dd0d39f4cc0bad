#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The token plug-in under plain cryptsetup, installed in a mount namespace of the test's own.

setup() {
	load helpers
	load image
	[ "$(id -u)" -eq 0 ] && plug true || skip 'needs mount namespaces'
	cd "$BATS_TEST_TMPDIR"
	img=$BATS_TEST_TMPDIR/img
	so=$(find "$build/root" -name 'libcryptsetup-token-hwkey.so')
	hwkey generate -q vol1 2>/dev/null
	hwkey luks-format -q "$img" vol1 --size 20M
}

# plug COMMAND...: where this build is installed, with no hwkey in PATH.
plug() { PATH=/usr/sbin:/usr/bin:/sbin:/bin B=$build "$top/tests/with-plugin" "$@"; }
opens() { plug cryptsetup open --token-only --test-passphrase "$@" "$img"; }
# set_token ID JQ-FILTER: changes token ID as whoever holds the disk could.
set_token() {
	meta ".tokens[\"$1\"] | $2" >changed
	cryptsetup token remove --token-id "$1" "$img"
	cryptsetup token import --disable-external-tokens --token-id "$1" --json-file changed "$img"
}
# The token's code, from libcryptsetup's debug output.
code() { opens --debug "$@" 2>&1 | sed -n 's/.*Token [0-9]* (hwkey) open failed with \(.*\)\./\1/p' | head -1; }

@test "the six functions, in libcryptsetup's version node, and nothing else" {
	nm -D --defined-only "$so" | awk '$2 != "A" { print $3 }' | sort >got
	printf 'cryptsetup_token_%s@@CRYPTSETUP_TOKEN_1.0\n' buffer_free dump open open_pin validate version | diff - got
	# bound at once: what is missing shows at start, not in the middle of a boot
	readelf -d "$so" | grep -q BIND_NOW || readelf -d "$so" | grep -q 'Flags: NOW'
	[ "$(stat -c %a "$so")" = 755 ] || [ "$(stat -c %a "$so")" = 644 ]
}

@test "cryptsetup opens by any token, by type and by number" {
	not plug sh -c 'command -v hwkey'
	opens
	opens --token-type hwkey
	opens --token-id 0
	LD_BIND_NOW=1 opens
	plug cryptsetup luksOpen --test-passphrase "$img" </dev/null
}

@test "luksDump shows what the token is" {
	plug cryptsetup luksDump "$img" >out
	grep -q 'key name: *vol1' out
	grep -q 'backend: *soft' out
	grep -q "pattern: *$(meta '.tokens["1"]["verification-pattern"]' | tr -d '"')" out
	grep -q 'state: *ok' out
}

@test "another machine is refused with the reason, and the next token is tried" {
	export HWKEY_PKS_DIR=$PWD/pks2 HWKEY_REPOSITORY=$PWD/repo2
	hwkey generate -q vol2 2>/dev/null
	not opens 2>err
	grep -q "hwkey: token 0 (key 'vol1'): .*another keystore" err
	HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/pks hwkey luks-recovery -q "$img" --output rec
	hwkey luks-enroll -q "$img" vol2 --key-file rec
	[ "$(meta '[.tokens[] | select(.type == "hwkey") | .name]')" = '["vol1","vol2"]' ]
	opens
	HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/pks opens
}

@test "a token copied from another volume is refused, and the next one is tried" {
	hwkey luks-format -q other vol1 --size 20M
	img=other meta '.tokens["0"]' >theirs
	cryptsetup token import --disable-external-tokens --token-id 5 --json-file theirs "$img"
	not opens --token-id 5 2>err
	grep -q 'made for another volume' err
	# not by a lie about the volume either
	set_token 5 ".vol = \"$(cryptsetup luksUUID "$img")\""
	not opens --token-id 5 2>err
	grep -q 'token 5' err
	opens
}

@test "a header with the volume key of somebody else is refused" {
	# same UUID and token, another volume key: what a swapped header would be
	hwkey luks-recovery -q "$img" --output rec
	meta '.tokens["0"]' >token
	uuid=$(cryptsetup luksUUID "$img")
	truncate -s 20M evil
	echo -n guess | cryptsetup luksFormat -q --type luks2 --uuid "$uuid" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 evil -
	cryptsetup token import --disable-external-tokens --token-id 0 --json-file token evil
	img=evil
	[ "$(code --token-id 0)" = -2 ]
	not hwkey luks-open -q --test evil >/dev/null
}

@test "what is malformed is not imported, and does not stop the next token" {
	meta '.tokens["0"]' >good
	cat >bad <<-'END'
		.name = "../x"
		.name = "a\u0000b"
		.name = ("x" * 201)
		.backend = "../../lib/x"
		.backend = "nobody"
		.blob = ""
		.blob = "eA"
		.blob = ("eHh4" * 1400)
		.vol = 7
		.v = 2
		.v = "1"
		.state = "maybe"
		.created = "yesterday"
		.pattern = "zz"
		del(.blob)
		del(.name)
	END
	while read -r filter; do
		jq -c "$filter" good >changed
		case $filter in *nobody*) ;; *) not plug cryptsetup token import --token-id 7 --json-file changed "$img" 2>/dev/null ;; esac
		cryptsetup token import --disable-external-tokens --token-id 7 --json-file changed "$img"
		not opens --token-id 7 2>/dev/null
		plug cryptsetup luksDump "$img" >/dev/null
		cryptsetup token remove --token-id 7 "$img"
	done <bad
	for id in 2 3; do
		jq -c '.backend = "nobody"' good >changed
		cryptsetup token import --disable-external-tokens --token-id "$id" --json-file changed "$img"
	done
	set_token 0 '.blob = ("eHh4" * 20)'
	not opens 2>/dev/null
	cryptsetup token import --disable-external-tokens --token-id 9 --json-file good "$img"
	opens
}

@test "an absent keystore says EAGAIN, a stranger ENOENT, and neither ends the loop" {
	[ "$(HWKEY_PKS_DIR=$PWD/absent code)" = -11 ]
	[ ! -e absent ]
	set_token 0 '.backend = "nobody"'
	[ "$(code)" = -2 ]
	set_token 0 '.backend = "soft" | .blob = ("eHh4" * 20)'
	[ "$(code)" = -2 ]
}

@test "the keystore's passphrase is the PIN, asked for only where there is a keystore" {
	echo 1234 >new
	chmod 600 new
	hwkey pks-config -q --add-slot passphrase --passphrase-file new
	hwkey pks-config -q --remove-slot plain
	[ "$(code </dev/null)" = -55 ]	# ENOANO
	echo 1234 | opens 2>err
	grep -qxF "hwkey: token 0 (key 'vol1'): its PIN is the passphrase of the keystore" err
	not opens <<<wrong 2>err
	grep -q 'wrong passphrase' err
	[ "$(HWKEY_PKS_DIR=$PWD/absent code </dev/null)" = -11 ]
}

@test "the plug-in needs the keystore's directory, and nothing else of hwkey" {
	mkdir b less
	cp -r "$build/root" b/root
	find b/root -type f ! -name 'libcryptsetup-token-*' -delete
	cp -r "$HWKEY_PKS_DIR/system" less/
	HWKEY_PKS_DIR=$PWD/less B=$PWD/b PATH=/usr/sbin:/usr/bin "$top/tests/with-plugin" \
		cryptsetup open --token-only --test-passphrase "$img"
	[ "$(ls less)" = system ]
}

@test "a pending token without a slot is passed over in silence" {
	meta '.tokens["0"] | .keyslots = [] | .state = "pending"' >pending
	cryptsetup token import --disable-external-tokens --token-id 7 --json-file pending "$img"
	opens 2>err
	[ ! -s err ]
}

@test "32 tokens, the good one last" {
	meta '.tokens["0"]' >good
	cryptsetup token remove --token-id 0 "$img"
	cryptsetup token remove --token-id 1 "$img"
	for id in $(seq 0 30); do
		echo '{"type":"hwkey","keyslots":["0"],"v":1}' |
			cryptsetup token import --disable-external-tokens --token-id "$id" "$img"
	done
	cryptsetup token import --disable-external-tokens --token-id 31 --json-file good "$img"
	opens 2>/dev/null
}

@test "a slot of priority ignore opens only when its token is named" {
	cryptsetup config --priority ignore --key-slot 0 "$img"
	not opens 2>/dev/null
	opens --token-id 0
}

@test "a set-user-ID program gets nothing" {
	dir=$(mktemp -d /var/tmp/hwkey-test.XXXXXX)
	cp /sbin/cryptsetup "$dir" && chmod 4755 "$dir/cryptsetup" && chmod 755 "$dir"
	findmnt -no OPTIONS -T "$dir" | grep -q nosuid && { rm -r "$dir"; skip 'no set-user-ID here'; }
	cp "$img" "$dir/img"
	status=0
	plug setpriv --reuid 65534 --clear-groups "$dir/cryptsetup" open --token-only --test-passphrase "$dir/img" 2>err || status=$?
	rm -r "$dir"
	[ "$status" -ne 0 ]
	grep -q 'set-user-ID' err
}

@test "a volume whose key is under a TPM and a PIN" {
	load tpm
	tpm_start
	tpm_srk
	mkdir -m 700 credentials
	(umask 077; printf 4711 >credentials/hwkey.tpm2-pin)
	export CREDENTIALS_DIRECTORY=$PWD/credentials
	hwkey generate -q -d tpm0 --pin-file credentials/hwkey.tpm2-pin vol2
	rm -f "$img"
	hwkey luks-format -q "$img" vol2 --size 20M
	[ "$(meta '[.tokens[] | select(.type == "hwkey") | .backend]')" = '["tpm2"]' ]
	[ "$(code </dev/null)" = -55 ]	# ENOANO
	not opens </dev/null 2>err
	grep -qxF "hwkey: token 0 (key 'vol2'): its PIN is the TPM's" err
	not opens <<<4712 2>err
	grep -q 'wrong PIN; 2 more tries are left' err
	opens <<<4711
	tpm_stop
	not opens 2>err
	grep -q "hwkey: token 0 (key 'vol2'): cannot reach TPM 'tpm0'" err
	tpm_end
}
