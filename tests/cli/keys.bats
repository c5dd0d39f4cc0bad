# generate, wrap, rewrap, validate: keys of the local keystore
setup() { load helpers; }

token() { sha256sum "$HWKEY_REPOSITORY/$1.skey"; }

@test "generate: a key that validates, and says which type and what grade of protection" {
	run hwkey generate k
	[ "$status" -eq 0 ]
	[[ $output == *"key type 'local' on device 'local'"* && $output == *"protection: plain file"* ]]
	hwkey validate k | grep -q "^k *HWKEY-LOCAL *valid .*matches"
}

@test "generate: sizes, XTS pairs, silence with --quiet" {
	for bits in 128 192 256; do
		hwkey generate -q -k $bits k$bits
	done
	run hwkey generate -q --xts x256
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	hwkey validate
	[ "$(stat -c %s "$HWKEY_REPOSITORY"/{k128,k192,k256,x256}.skey | xargs)" = '128 136 144 176' ]
}

@test "generate: mistakes leave nothing" {
	fails 2 "invalid key name '../k'" hwkey generate ../k
	fails 2 "invalid --type 'rsa'" hwkey generate k -t rsa
	fails 2 '--bits is 128, 192 or 256, not 7' hwkey generate k -k 7
	fails 2 'no XTS with keys of 192 bits' hwkey generate k -x -k 192
	fails 5 "no device '00.0035' here" hwkey generate k -d 00.0035
	[ ! -e "$HWKEY_REPOSITORY" ]
	hwkey generate -q k
	before=$(token k)
	fails 7 "key 'k' exists already" hwkey generate k
	[ "$before" = "$(token k)" ]
}

@test "wrap: the pattern is the one that zkey computes for the same key" {
	for i in $(seq 0 63); do printf "\\x$(printf %02x "$i")"; done >"$BATS_TEST_TMPDIR/xts"
	chmod 600 "$BATS_TEST_TMPDIR/xts"
	hwkey wrap -q --xts x "$BATS_TEST_TMPDIR/xts"
	head -c 32 "$BATS_TEST_TMPDIR/xts" | hwkey wrap -q c -
	grep -q verification-pattern=cd6b103236fbd87dba93e9001e29bc3d5e885d6abd1577e3e0e0a5f49e444894 "$HWKEY_REPOSITORY/x.info"
	grep -q verification-pattern=f29000b62a499fd0a9f39a6add2e7780d4e96925c0bfcffb52f8a187ee774aab "$HWKEY_REPOSITORY/c.info"
}

@test "wrap: sizes and files are checked" {
	head -c 20 /dev/zero >"$BATS_TEST_TMPDIR/f"
	chmod 644 "$BATS_TEST_TMPDIR/f"
	fails 4 'open to other users' hwkey wrap k "$BATS_TEST_TMPDIR/f"
	chmod 600 "$BATS_TEST_TMPDIR/f"
	fails 2 'a clear key has 16, 24 or 32 bytes' hwkey wrap k "$BATS_TEST_TMPDIR/f"
	fails 3 'cannot open' hwkey wrap k "$BATS_TEST_TMPDIR/none"
	head -c 65 /dev/zero >"$BATS_TEST_TMPDIR/f"
	fails 8 'longer than 64 bytes' hwkey wrap k "$BATS_TEST_TMPDIR/f"
}

@test "rewrap: another token, the same key; a plan changes nothing" {
	hwkey generate -q a
	hwkey generate -q b
	before=$(token a)
	hwkey rewrap --all --plan --to-new | grep -q '^a .*rewrap'
	[ "$before" = "$(token a)" ]
	hwkey rewrap -q --to-new a
	[ "$before" != "$(token a)" ]
	grep -q '^reencipher-time=' "$HWKEY_REPOSITORY/a.info"
	[[ $(hwkey rewrap --all --plan --raw --noheadings --output NAME,ACTION) == $'a none\nb rewrap' ]]
	before=$(token b)
	hwkey rewrap -q --all
	[ "$before" != "$(token b)" ]
	hwkey validate
}

@test "rewrap: of nothing and of an unknown key" {
	fails 2 'name keys, or give --all' hwkey rewrap
	fails 3 "'none'" hwkey rewrap none
}

@test "validate: a swapped token opens, but is found out" {
	hwkey generate -q a
	hwkey generate -q b
	cp "$HWKEY_REPOSITORY/b.skey" "$HWKEY_REPOSITORY/a.skey"
	run hwkey validate
	[ "$status" -eq 6 ]
	[[ $output == *'the token holds another key than the repository says'* ]]
}

@test "validate: another machine's key" {
	hwkey generate -q a
	rm -r "$HWKEY_PKS_DIR"
	HWKEY_REPOSITORY=$BATS_TEST_TMPDIR/others hwkey generate -q mine	# this repository needs the keystore that was
	hwkey generate -q b
	run hwkey validate a
	[ "$status" -eq 6 ]
	[[ $output == *'another keystore'* ]]
	hwkey validate b
}

@test "validate: a flipped bit anywhere in the token" {
	hwkey generate -q a
	f=$HWKEY_REPOSITORY/a.skey
	cp "$f" "$BATS_TEST_TMPDIR/good"
	for at in 0 9 13 17 40 60 83 85 87 90 100 143; do
		cp "$BATS_TEST_TMPDIR/good" "$f"
		byte=$(od -An -tu1 -j $at -N 1 "$f")
		printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$f" bs=1 seek=$at conv=notrunc status=none
		run hwkey validate a
		[ "$status" -eq 6 ]
	done
}

@test "rewrap --all: a key of another trust source does not stop the others" {
	hwkey generate -q a
	hwkey generate -q b
	hwkey import -q foreign "$top/tests/data/zkey-repository/cbc_cipher.skey"
	before=$(token b)
	run hwkey rewrap --all --to-new
	[ "$status" -eq 5 ]
	[[ $output == *"key 'foreign' is as it was: trust source 'cex' can only be listed so far"* ]]
	[ "$before" != "$(token b)" ]
	hwkey rewrap --all --plan | grep -q '^foreign .*can only be listed'
	before=$(token b)
	fails 5 "key 'foreign'" hwkey rewrap --to-new b foreign
	[ "$before" = "$(token b)" ]
}

@test "rewrap --plan makes no repository" {
	fails 3 "'none'" hwkey rewrap --plan none
	[ ! -e "$HWKEY_REPOSITORY" ]
}
