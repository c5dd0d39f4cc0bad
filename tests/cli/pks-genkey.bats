#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Wrapping keys by name: made, used, revoked, removed; and the policies of what is under them.

setup() {
	load helpers
	f=$BATS_TEST_TMPDIR/f
	boot 1
}

# secure N: what the device tree says of secure boot
secure() {
	mkdir -p "$HWKEY_SYSROOT/proc/device-tree"
	printf "\\0\\0\\0\\$1" >"$HWKEY_SYSROOT/proc/device-tree/ibm,secure-boot"
}

# state LABEL: as it is listed
state() { hwkey pks-list --raw --noheadings --output LABEL,STATE | awk -v l="$1" '$1 == l { print $2 }'; }

# under NAME: whether a key is valid, and under what
under() { hwkey validate "$1" --json | jq -r '.keys[0] | .status + " " + .under'; }

sealed() { printf data | hwkey seal -q -o "$f" --force "$@"; }

# damage: of the newer container
damage() {
	local newer
	newer=$(cd "$HWKEY_PKS_DIR/system" && for c in local.A local.B; do
		printf '%s %s\n' "$(od -An -tx1 -j48 -N8 $c | tr -d ' ')" $c; done | sort | tail -n 1 | cut -d' ' -f2)
	printf x | dd of="$HWKEY_PKS_DIR/system/$newer" bs=1 seek=300 conv=notrunc status=none
}

# cut_short COMMAND...: killed when it is at the second container
cut_short() {
	strace -f -o /dev/null -e trace=pwrite64 -e inject=pwrite64:signal=KILL:when=2 "$@" && return 1 || [ $? -ge 128 ]
}

# The label of the one old wrapping key.
old() { hwkey pks-list --raw --noheadings --output LABEL,STATE | awk '$2 == "old" { print $1 }'; }

@test "pks-genkey: a key that is listed, and that nobody reads, writes or removes" {
	hwkey pks-genkey -q web
	hwkey pks-list --json | jq -e '.objects[0] | .label == "web" and .policy == ["wrappingkey"] and .size == null and
		.state == "active" and (.id | length) == 32'
	fails 4 "policy 'wrappingkey': nobody can read it" hwkey pks-read web
	printf x | fails 4 "policy 'wrappingkey'" hwkey pks-write --replace web
	fails 4 "'hwkey pks-genkey --revoke' comes first" hwkey pks-remove web
	fails 4 "'hwkey pks-genkey --revoke' comes first" hwkey pks-remove --force web
	before=$(sha256sum "$HWKEY_PKS_DIR"/system/local.*)
	[[ $(hwkey pks-genkey web 2>&1) == *"'web' exists already"* ]]
	[ "$before" = "$(sha256sum "$HWKEY_PKS_DIR"/system/local.*)" ]
	fails 7 'with another policy' hwkey pks-genkey web --policy immutable
	printf x | hwkey pks-write -q object
	fails 7 'no wrapping key' hwkey pks-genkey object
	fails 2 'no wrapping key' hwkey pks-genkey --revoke object
	fails 2 'no wrapping key' hwkey generate --wrapping-key object k
}

@test "pks-genkey: what is refused for its arguments makes no keystore" {
	for label in 'a b' 'ä' $'a\nb' '-a' 'a/b'; do
		fails 2 'label of a wrapping key' hwkey pks-genkey -- "$label"
	done
	fails 2 '1 to 239 bytes' hwkey pks-genkey ''
	fails 4 'kept for' hwkey pks-genkey default-wrapping-key
	fails 4 'kept for' hwkey pks-genkey wrapping-key-12345678
	for policy in transient worldreadable signedupdate wrappingkey ossecbootaudit,ossecbootenforce; do
		fails 2 'policy' hwkey pks-genkey web --policy $policy
	done
	fails 2 'three things' hwkey pks-genkey web --revoke --unrevoke
	fails 3 'not initialised' hwkey pks-genkey --revoke web
	fails 3 'not initialised' hwkey generate --wrapping-key web k
	printf x | fails 3 'not initialised' hwkey seal --wrapping-key web -o "$f"
	for policy in immutable ossecbootaudit,ossecbootenforce; do
		fails 2 '--policy' hwkey generate --policy $policy k
		printf x | fails 2 '--policy' hwkey seal --policy $policy -o "$f"
	done
	fails 2 'is empty' hwkey generate --wrapping-key '' k
	[ ! -e "$HWKEY_PKS_DIR" ]
	[ ! -e "$f" ]
}

@test "generate, wrap, seal: under a key by name, any number, and none of it in the keystore" {
	hwkey pks-genkey -q web
	for i in 1 2 3 4 5; do hwkey generate -q --wrapping-key web k$i; done
	install -m 600 /dev/null "$f.clear"
	head -c 32 /dev/zero >>"$f.clear"
	hwkey wrap -q --wrapping-key web w "$f.clear"
	sealed --wrapping-key web
	[[ $(under k1) == "valid wrapping key "*" ('web')" && $(under w) == "$(under k1)" ]]
	[ "$(hwkey pks-list --noheadings | wc -l)" = 1 ]
	[ "$(hwkey unseal "$f")" = data ]
	[ "$(hwkey unseal --explain --json "$f" | jq -r '.sealed[0]."wrapping-key"')" = \
		"$(hwkey pks-list --json | jq -r '.objects[0].id')" ]
	[ "$(hwkey show k1 --json | jq -r '.keys[0]."master-key"')" = "$(hwkey pks-list --json | jq -r '.objects[0].id')" ]
	fails 3 "no wrapping key 'none'" hwkey generate --wrapping-key none k
	fails 3 "no wrapping key 'none'" hwkey wrap --wrapping-key none k "$f.clear"
	printf x | fails 3 "no wrapping key 'none'" hwkey seal --wrapping-key none
}

@test "policies: what is wrapped opens while they hold, and names the one that does not" {
	hwkey pks-genkey -q web
	for policy in ossecbootaudit ossecbootenforce; do
		secure 0
		fails 4 "policy '$policy': secure boot is off" hwkey generate --policy $policy k
		printf x | fails 4 "policy '$policy': secure boot is off" hwkey seal --policy $policy -o "$f"
		[ ! -e "$f" ]
	done
	secure 2
	hwkey generate -q --policy ossecbootenforce --wrapping-key web k
	sealed --policy ossecbootaudit
	[ "$(hwkey show k --json | jq -c '.keys[0].policy')" = '["ossecbootenforce"]' ]
	[ "$(hwkey unseal --explain "$f" | awk '/^POLICY/ { print $2 }')" = ossecbootaudit ]
	hwkey validate k
	secure 1
	[ "$(hwkey unseal "$f")" = data ]
	[[ $(hwkey validate k --raw --noheadings --output REASON || true) == *"policy\\x20'ossecbootenforce'"* ]]
	fails 4 "policy 'ossecbootenforce': secure boot only audits" hwkey rewrap --wrapping-key web k
	secure 0
	fails 4 "policy 'ossecbootaudit': secure boot is off" hwkey unseal "$f"
	rm -r "$HWKEY_SYSROOT/proc/device-tree"
	mkdir -p "$HWKEY_SYSROOT/sys/firmware/efi/efivars"
	fails 4 "policy 'ossecbootaudit': cannot tell" hwkey unseal "$f"
}

@test "policies: pwset asks for the password of this boot" {
	mkdir "$BATS_TEST_TMPDIR/credentials"
	word=$BATS_TEST_TMPDIR/credentials/hwkey.pks-password
	install -m 600 /dev/null "$word"
	echo sesame >"$word"
	hwkey pks-genkey -q web
	printf x | fails 4 "policy 'pwset': consumer 'os' has set no password" hwkey seal --policy pwset
	hwkey pks-password --password-file "$word"
	printf x | fails 4 'needs its password' hwkey seal --policy pwset --batch
	CREDENTIALS_DIRECTORY=${word%/*} sealed --policy pwset --wrapping-key web
	fails 4 'needs its password' hwkey unseal --batch "$f"
	[ "$(CREDENTIALS_DIRECTORY=${word%/*} hwkey unseal "$f")" = data ]
	fails 4 'needs its password' hwkey pks-genkey --revoke web --batch
	fails 4 'needs its password' hwkey pks-genkey other --batch
	echo barley >"$word"
	CREDENTIALS_DIRECTORY=${word%/*} fails 4 'wrong password' hwkey unseal "$f"
	sealed --wrapping-key web		# no policy, no password
	[ "$(hwkey unseal "$f")" = data ]
	boot 2
	CREDENTIALS_DIRECTORY=${word%/*} fails 4 "policy 'pwset'" hwkey pks-genkey p --policy pwset
}

@test "policies: those of the wrapping key hold for all that is under it" {
	secure 1
	hwkey pks-genkey -q web --policy ossecbootaudit
	hwkey generate -q --wrapping-key web k
	sealed --wrapping-key web
	secure 0
	fails 4 "policy 'ossecbootaudit'" hwkey unseal "$f"
	fails 4 "policy 'ossecbootaudit'" hwkey rewrap --wrapping-key default-wrapping-key k
	fails 4 "policy 'ossecbootaudit'" hwkey pks-genkey --revoke web
}

@test "policies: no bit of them can be cleared or set" {
	secure 2
	hwkey generate -q --policy ossecbootenforce k
	cp "$HWKEY_REPOSITORY/k.skey" "$f"
	for bits in '\x00' '\x40' '\x30'; do
		printf "$bits" | dd of="$HWKEY_REPOSITORY/k.skey" bs=1 seek=88 conv=notrunc status=none
		fails 6 'not every key is valid' hwkey validate k
	done
	cp "$f" "$HWKEY_REPOSITORY/k.skey"
	hwkey validate k
}

@test "a LUKS2 token is no weaker than the key that it stands for" {
	secure 2
	hwkey pks-genkey -q web
	hwkey generate -q --policy ossecbootenforce --wrapping-key web k
	hwkey luks-format -q --size 20M "$BATS_TEST_TMPDIR/img" k
	hwkey luks-open --test "$BATS_TEST_TMPDIR/img"
	secure 1
	[[ $(hwkey luks-open --test "$BATS_TEST_TMPDIR/img" 2>&1) == *"policy 'ossecbootenforce'"* ]]
	secure 2
	hwkey pks-genkey -q --revoke web
	[[ $(hwkey luks-open --test "$BATS_TEST_TMPDIR/img" 2>&1) == *"'web' is revoked"* ]]
	hwkey pks-genkey --unrevoke web
	hwkey luks-open --test "$BATS_TEST_TMPDIR/img"
}

@test "revoked: opens and wraps nothing, until that is undone" {
	hwkey pks-genkey -q web
	hwkey generate -q --wrapping-key web k
	sealed --wrapping-key web
	[[ $(hwkey pks-genkey --revoke web 2>&1) == *"does not open any more: key 'k'"* ]]
	[ "$(state web)" = revoked ]
	hwkey pks-genkey -q --revoke web	# is so already
	fails 4 "'web' is revoked: 'hwkey pks-genkey --unrevoke web'" hwkey unseal "$f"
	fails 4 "'web' is revoked" hwkey generate --wrapping-key web k2
	printf x | fails 4 "'web' is revoked" hwkey seal --wrapping-key web
	fails 4 "'web' is revoked" hwkey rewrap --wrapping-key default-wrapping-key k
	fails 7 'is revoked' hwkey pks-genkey web
	hwkey generate -q own
	fails 4 "'web' is revoked" hwkey rewrap --wrapping-key web own
	[[ $(under own) == *'(current)' ]]
	hwkey pks-genkey --unrevoke web
	[ "$(hwkey unseal "$f")" = data ]
	hwkey validate
	fails 3 'not found' hwkey pks-genkey --revoke none
	fails 7 'current wrapping key' hwkey pks-genkey --revoke default-wrapping-key
	hwkey pks-genkey -q rock --policy immutable
	fails 4 "policy 'immutable'" hwkey pks-genkey --revoke rock
}

@test "removed: only when revoked, nothing known is under it, and that was confirmed" {
	hwkey pks-genkey -q web
	hwkey generate -q --wrapping-key web k
	hwkey generate -q --wrapping-key web k2
	sealed --wrapping-key web
	hwkey pks-genkey -q --revoke web
	fails 7 "would be lost: key 'k' (2 in all)" hwkey pks-remove --force web
	hwkey pks-genkey --unrevoke web
	hwkey rewrap -q k k2 --wrapping-key default-wrapping-key
	hwkey pks-genkey --revoke web
	fails 4 'lost for ever: needs a confirmation' hwkey pks-remove web
	fails 4 'lost for ever: needs a confirmation' hwkey pks-remove --batch web
	cp "$HWKEY_REPOSITORY/k.info" "$f.info"
	echo x >>"$HWKEY_REPOSITORY/k.info"
	fails 6 'cannot be told' hwkey pks-remove --force web
	cp "$f.info" "$HWKEY_REPOSITORY/k.info"
	[ "$(state web)" = revoked ]
	hwkey pks-remove -q --force web
	[ -z "$(state web)" ]
	fails 6 'with a wrapping key that is not in it' hwkey unseal "$f"
	hwkey validate
	hwkey pks-genkey -q web		# another one of that name opens nothing of the first
	fails 6 'with a wrapping key that is not in it' hwkey unseal "$f"
}

@test "removed: not while a volume still waits to be moved away" {
	hwkey generate -q k --volumes "$BATS_TEST_TMPDIR/img:data"
	hwkey luks-format -q --size 20M "$BATS_TEST_TMPDIR/img" k
	cp "$BATS_TEST_TMPDIR/img" "$BATS_TEST_TMPDIR/header"
	mv "$BATS_TEST_TMPDIR/img" "$BATS_TEST_TMPDIR/away"
	fails 5 'still to be done' hwkey rewrap -q --to-new k
	old=$(old)
	hwkey pks-genkey -q --revoke "$old"
	fails 7 "perhaps a volume of key 'k' (1 in all)" hwkey pks-remove -q --force "$old"
	mv "$BATS_TEST_TMPDIR/away" "$BATS_TEST_TMPDIR/img"
	[[ $(hwkey luks-open --test "$BATS_TEST_TMPDIR/img" 2>&1) == *'is revoked'* ]]
	hwkey pks-genkey --unrevoke "$old"
	hwkey rewrap -q k
	hwkey luks-open --test "$BATS_TEST_TMPDIR/img"
	cp "$BATS_TEST_TMPDIR/header" "$BATS_TEST_TMPDIR/img"	# of a backup
	hwkey pks-genkey -q --revoke "$old"
	fails 7 "volume '$BATS_TEST_TMPDIR/img' of key 'k'" hwkey pks-remove --force "$old"
	hwkey pks-genkey --unrevoke "$old"
	hwkey luks-enroll -q "$BATS_TEST_TMPDIR/img" k
	hwkey pks-genkey -q --revoke "$old"
	hwkey pks-remove -q --force "$old"
	hwkey luks-open --test "$BATS_TEST_TMPDIR/img"
}

@test "rewrap: a key stays under the wrapping key that was chosen for it, unless another one is" {
	hwkey pks-genkey -q web
	hwkey pks-genkey -q mail
	hwkey generate -q --wrapping-key web k
	hwkey generate -q own
	web=$(under k)
	hwkey rewrap -q --all --to-new
	[ "$(under k)" = "$web" ]
	[ "$(hwkey rewrap --plan k --raw --noheadings --output ACTION)" = none ]
	fails 2 "--wrapping-key moves it" hwkey rewrap --to-new k
	fails 2 'not to' hwkey rewrap --to-new --wrapping-key mail k
	fails 3 "no wrapping key 'none'" hwkey rewrap --wrapping-key none k
	[ "$(under k)" = "$web" ]
	hwkey rewrap -q --wrapping-key mail k own
	[[ $(under k) == *"('mail')" && $(under own) == *"('mail')" ]]
	hwkey rewrap -q --wrapping-key default-wrapping-key k
	[[ $(under k) == *'(current)' ]]
}

@test "a full keystore names the way out, and old wrapping keys make room" {
	hwkey generate -q k
	hwkey rewrap -q --to-new k
	truncate -s $((65536 - 116 - 117 - 68)) "$f"
	chmod 600 "$f"
	hwkey pks-write -q fill "$f"
	fails 8 'pks-genkey --revoke and pks-remove free' hwkey rewrap -q --to-new k
	hwkey validate
	old=$(old)
	hwkey pks-genkey --revoke "$old"
	[ "$(state "$old")" = revoked ]
	hwkey pks-remove --force -q "$old"
	hwkey rewrap -q --to-new k
	hwkey validate
	[ "$(hwkey pks-list --noheadings | wc -l)" = 3 ]
}

@test "made, revoked, removed: both containers have it before the command returns" {
	hwkey pks-genkey -q web
	sealed --wrapping-key web
	damage
	[ "$(hwkey unseal -q "$f")" = data ]
	hwkey pks-genkey -q --revoke web
	damage
	[ "$(state web 2>/dev/null)" = revoked ]
	hwkey pks-genkey -q --unrevoke web
	hwkey pks-genkey -q --revoke web
	hwkey pks-remove -q --force web
	damage
	[ -z "$(state web 2>/dev/null)" ]
}

@test "revoked, removed: what was cut short between the containers is finished when it is said again" {
	command -v strace >/dev/null || skip 'no strace'
	strace -o /dev/null true || skip 'strace cannot trace here'
	hwkey pks-genkey -q web
	sealed --wrapping-key web
	cut_short hwkey pks-genkey -q --revoke web
	hwkey pks-genkey -q --revoke web
	damage
	fails 4 "'web' is revoked" hwkey unseal -q "$f"
	hwkey pks-genkey -q --revoke web
	cut_short hwkey pks-remove --force web
	hwkey pks-remove --force -q web
	fails 3 'not found' hwkey pks-remove --force web
	damage
	fails 6 'with a wrapping key that is not in it' hwkey unseal -q "$f"
}

# waits_for_lock PID: until it has the repository's lock open, which the test holds
waits_for_lock() {
	until [ -n "$(find "/proc/$1/fd" -lname "$HWKEY_REPOSITORY/.lock" 2>/dev/null)" ]; do
		kill -0 "$1"
		sleep 0.05
	done
}

@test "seal: fails where the wrapping key is revoked or removed while the data come" {
	mkfifo "$f.pipe"
	hwkey pks-genkey -q web
	for to in "$f.sealed" - removed; do
		hwkey pks-genkey -q --unrevoke web
		hwkey seal -q --wrapping-key web -o "${to/removed/$f.sealed}" "$f.pipe" >"$f.out" 2>"$f.said" &
		exec {data}>"$f.pipe"
		head -c 300000 /dev/zero >&"$data"	# more than a pipe takes: sealing is under way
		hwkey pks-genkey -q --revoke web
		[ $to != removed ] || hwkey pks-remove -q --force web
		exec {data}>&-
		status=0
		wait $! || status=$?
		[ ! -e "$f.sealed" ]
		if [ $to = removed ]; then
			[ $status = 6 ]
		else
			[ $status = 4 ]
			grep -q "what was sealed does not open: wrapping key 'web' is revoked" "$f.said"
		fi
	done
}

@test "generate, wrap: add no key whose wrapping key was revoked meanwhile" {
	install -m 600 /dev/null "$f.clear"
	head -c 32 /dev/zero >>"$f.clear"
	hwkey pks-genkey -q web
	hwkey generate -q first
	for what in 'generate k' "wrap k $f.clear"; do
		hwkey pks-genkey -q --unrevoke web
		exec {lock}>>"$HWKEY_REPOSITORY/.lock"
		flock "$lock"
		hwkey ${what%% *} -q --wrapping-key web ${what#* } 2>"$f.said" {lock}>&- &
		waits_for_lock $!
		hwkey pks-genkey -q --revoke web
		exec {lock}>&-
		status=0
		wait $! || status=$?
		[ $status = 4 ]
		grep -q "'web' is revoked" "$f.said"
		fails 3 "no key 'k'" hwkey show k
	done
}

@test "removed: not when a key under it was added before its turn came" {
	hwkey pks-genkey -q web
	hwkey generate -q --wrapping-key web k
	hwkey pks-genkey -q --revoke web
	mkdir "$f.away"
	mv "$HWKEY_REPOSITORY"/k.* "$f.away"
	exec {lock}>>"$HWKEY_REPOSITORY/.lock"
	flock "$lock"
	hwkey pks-remove -q --force web 2>"$f.said" {lock}>&- &
	waits_for_lock $!
	mv "$f.away"/k.* "$HWKEY_REPOSITORY"
	exec {lock}>&-
	status=0
	wait $! || status=$?
	[ $status = 7 ]
	grep -q "would be lost: key 'k'" "$f.said"
	[ "$(state web)" = revoked ]
}

@test "twenty at once make one key, and all is under it" {
	for i in {1..20}; do
		(hwkey pks-genkey -q web && hwkey generate -q --wrapping-key web k$i || echo "$i" >>"$f.failed") &
	done
	wait
	[ ! -e "$f.failed" ]
	[ "$(hwkey validate --raw --noheadings --output STATUS,UNDER | sort -u | wc -l)" = 1 ]
	[ "$(hwkey pks-list --noheadings | wc -l)" = 1 ]
}

@test "a locked consumer makes and revokes no wrapping keys, but what is under one opens" {
	hwkey pks-genkey -q web
	sealed --wrapping-key web
	hwkey pks-lock os
	fails 4 'locked until the next boot' hwkey pks-genkey mail
	fails 4 'locked until the next boot' hwkey pks-genkey --revoke web
	[ "$(hwkey unseal "$f")" = data ]
	boot 2
	hwkey pks-genkey -q --revoke web
}
