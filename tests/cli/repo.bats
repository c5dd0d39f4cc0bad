# SPDX-License-Identifier: MIT
# The key repository: what a user sees, that zkey's files come through it unharmed, and what must not get lost.

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	repo=$HWKEY_REPOSITORY
	data=$top/tests/data/zkey-repository
}

teardown() { ! mountpoint -q "$repo" || umount "$repo"; }

# A writable copy of the repository that zkey wrote.
use_zkey_repository() {
	cp -r "$data" "$repo"
	chmod 700 "$repo"
	chmod 600 "$repo"/* "$repo/.lock"
}

# What is in the repository, down to the bytes and the modes.
state() { (cd "${1:-$repo}" && find . -type f ! -name .lock -printf '%M %p ' -exec sha256sum {} \; | sort); }

# hash FILE.info: what its last line must be, by other tools than ours.
hash() { grep -v -e '^__hash__=' -e '^#' -e '^$' "$1" | sed 's/=//' | tr -d '\n' | sha256sum | sed 's/^\([0-9a-f]*\).*/__hash__=\1/'; }

hash_is_right() { [ "$(tail -n 1 "$1")" = "$(hash "$1")" ]; }

set_hash() { local line; line=$(hash "$1"); sed -i '/^__hash__=/d' "$1"; echo "$line" >> "$1"; }

@test "repository: what a TPM has wrapped is listed without one" {
	token=$top/tests/fuzz/corpus/key/tpm2
	hwkey import t "$token"
	[ "$(hwkey show t --json | jq -c '.keys[0] | [.type, .bits, .xts, .cipher, .policy]')" = \
		'["HWKEY-TPM2",512,true,"aes",["PCR 7 (secure boot state) of sha256, and a PIN"]]' ]
	[ "$(hwkey list --type tpm2 --raw --noheadings --output name)" = t ]
	[ "$(hwkey show t --raw --noheadings --output master-key)" = \
		"$(printf '\0\43\0\13\0\3\4\162\0\0\1\2\3' | sha256sum | cut -d' ' -f1)" ]
	hwkey export t - | cmp - "$token"
	hwkey check
	head -c -1 "$token" > "$BATS_TEST_TMPDIR/cut"
	run -6 hwkey import u "$BATS_TEST_TMPDIR/cut"
}

@test "repository: zkey's keys are listed as they are" {
	use_zkey_repository
	before=$(state)
	[ "$(TZ=XYZ-2 hwkey list --raw --noheadings --output name,type,bits,xts,volumes,created,staged)" = \
"cbc_cipher CCA-AESCIPHER 256 no - 2026-11-20T20:34:36Z no
xts_cipher CCA-AESCIPHER 512 yes /dev/loop90:enc-disk1 2026-11-20T20:34:35Z yes
xts_data CCA-AESDATA 512 yes /dev/sda1:plain1 2026-11-20T20:34:35Z no
xts_ep11 EP11-AES 512 yes - 2026-11-20T20:34:35Z no" ]
	hwkey list --json | python3 -c 'import json, sys
k = {k["name"]: k for k in json.load(sys.stdin)["keys"]}
assert len(k) == 4 and k["xts_cipher"]["bits"] == 512 and k["xts_cipher"]["xts"] is True, k
assert k["xts_cipher"]["apqns"] == ["00.0011", "01.0011"] and k["xts_cipher"]["sector-size"] == 4096, k
assert k["xts_data"]["apqns"] == [] and k["xts_data"]["description"] is None, k
assert k["xts_cipher"]["dummy-passphrase"] and not k["xts_data"]["dummy-passphrase"], k'
	[ "$(state)" = "$before" ]
}

@test "repository: a list in JSON has what was written, quotes, backslashes and control characters too" {
	use_zkey_repository
	sed -i '/^__hash__=/d' "$repo/xts_data.info"
	printf 'mine=say "a\\b"\001\nother=2\n' >>"$repo/xts_data.info"
	set_hash "$repo/xts_data.info"
	hwkey list xts_data --json | python3 -c 'import json, sys
k = json.load(sys.stdin)["keys"][0]
assert k["other"] == ["mine=say \"a\\b\"\x01", "other=2"], k'
}

@test "doctor counts keys in the singular, too" {
	hwkey generate -q a
	hwkey doctor | grep -q ", 1 key$"
	hwkey generate -q b
	hwkey doctor | grep -q ", 2 keys$"
}

@test "repository: list filters by name, type and volume; no match is 3" {
	use_zkey_repository
	names() { hwkey list --raw --noheadings --output name "$@" | tr '\n' ' '; }
	[ "$(names 'xts_*')" = "xts_cipher xts_data xts_ep11 " ]
	[ "$(names 'cbc*' xts_ep11)" = "cbc_cipher xts_ep11 " ]
	[ "$(names -t cca-aescipher)" = "cbc_cipher xts_cipher " ]
	hwkey generate new --type local --volume-type Plain
	[ "$(names --type local)" = "new " ]
	[ "$(names --type HWKEY-LOCAL)" = "new " ]
	grep -qx volume-type=PLAIN "$repo/new.info"
	hwkey remove -f new
	[ "$(names --volume '/dev/sd*')" = "xts_data " ]
	[ "$(names --volume '*:enc-*')" = "xts_cipher " ]
	fails 3 'no key' hwkey list nothing
	fails 3 'no key' hwkey list 'no*'
	fails 3 'no key' hwkey list --type HWKEY-LOCAL
	fails 2 'column' hwkey list --output colour
}

@test "repository: an absent or empty one lists nothing, and is not created by reading" {
	[ -z "$(hwkey list)" ]
	[ ! -e "$repo" ]
	[ -z "$(hwkey check)" ]
	[ -z "$(hwkey check --repair)" ]
	[ ! -e "$repo" ]
	fails 3 "no key 'a'" hwkey show a
	fails 3 "no key 'a'" hwkey rename a b
	fails 3 "no key 'a'" hwkey change a --description x
	fails 3 "no key 'a'" hwkey copy a b
	fails 3 "no key 'a'" hwkey remove --force a
	fails 3 "no key 'a'" hwkey rewrap --plan a
	hwkey rewrap --all
	[ ! -e "$repo" ]
	mkdir -m 700 "$repo"
	[ -z "$(hwkey list)" ]
}

@test "repository: show tells everything but the key" {
	use_zkey_repository
	run -0 hwkey show xts_cipher
	for words in 'CCA-AESCIPHER' 'Data volume key' 'STAGED +yes' "$repo/xts_cipher.skey" 'in clear in .*xts_cipher.pass' \
		'71ecf46a35bd8924' 'cd6b103236fbd87d'; do
		grep -qE -- "$words" <<<"$output"
	done
	[ "$(grep -c a5a4a7a6 <<<"$output")" = 0 ]
	sed -i '/__hash__/d' "$repo/xts_data.info"
	printf 'kms=EKMFWeb\nx-odd=a\033[2Jb\n' >> "$repo/xts_data.info"
	set_hash "$repo/xts_data.info"
	run -0 hwkey show xts_data
	[[ $output == *"kms=EKMFWeb, x-odd=a?[2Jb"* ]]
	fails 3 "no key 'x'" hwkey show x
	fails 2 'invalid key name' hwkey show ../x
}

@test "repository: import, export and copy keep the token's bytes" {
	for k in cbc_cipher xts_cipher xts_data xts_ep11; do
		hwkey import "$k" "$data/$k.skey" --description "the $k" --volumes "/dev/$k:$k" --apqns 1.2
		hwkey export "$k" "$BATS_TEST_TMPDIR/$k.out"
		cmp "$data/$k.skey" "$BATS_TEST_TMPDIR/$k.out"
		hwkey export "$k" - | cmp - "$data/$k.skey"
		hwkey copy "$k" "$k.copy"
		cmp "$repo/$k.skey" "$repo/$k.copy.skey"
		hash_is_right "$repo/$k.info"
		hash_is_right "$repo/$k.copy.info"
	done
	hwkey import from-stdin - < "$data/xts_data.skey"
	cmp "$repo/from-stdin.skey" "$data/xts_data.skey"
	[ "$(cut -d= -f1 "$repo/xts_data.info" | tr '\n' ' ')" = \
	  "cipher iv-mode creation-time description key-type volumes apqns sector-size volume-type __hash__ " ]
	grep -qx 'apqns=01.0002' "$repo/xts_data.info"
	grep -qx 'volumes=' "$repo/xts_data.copy.info"
	[ "$(stat -c %a "$BATS_TEST_TMPDIR/xts_data.out")" = 600 ]
	fails 7 "out' exists already" hwkey export xts_data "$BATS_TEST_TMPDIR/xts_data.out"
	fails 6 'known type' hwkey import bad /etc/passwd
	fails 3 'none' hwkey import x "$BATS_TEST_TMPDIR/none"
	fails 8 'longer' hwkey import x /dev/zero
	[ -z "$(hwkey check)" ]
}

@test "repository: export to a terminal needs --force-tty" {
	use_zkey_repository
	run -4 script -qec 'hwkey export xts_data -' /dev/null
	script -qec 'hwkey export xts_data - --force-tty' /dev/null > "$BATS_TEST_TMPDIR/out" < /dev/null
	grep -qa 'Z\[XY' "$BATS_TEST_TMPDIR/out"
}

@test "repository: copy takes the staged token and the dummy passphrase along, not the volumes" {
	use_zkey_repository
	hwkey copy xts_cipher new --description other --volumes /dev/sdz:z
	cmp "$repo/xts_cipher.pass" "$repo/new.pass"
	cmp "$repo/xts_cipher.renc" "$repo/new.renc"
	grep -qx 'volumes=/dev/sdz:z' "$repo/new.info"
	grep -qx 'description=other' "$repo/new.info"
	[ "$(stat -c %a "$repo"/new.* | sort -u)" = 600 ]
}

@test "repository: change keeps what it does not know" {
	use_zkey_repository
	sed -i '/__hash__/d' "$repo/xts_data.info"
	printf 'kms=EKMFWeb\nunknown=1=2\n' >> "$repo/xts_data.info"
	set_hash "$repo/xts_data.info"
	hwkey change xts_data -D 'a "new" one' --volumes +/dev/sdb:b,UUID=1-2:c --sector-size 4096 --volume-type LUKS2 -a 0.11
	hash_is_right "$repo/xts_data.info"
	for line in kms=EKMFWeb unknown=1=2 'description=a "new" one' volumes=/dev/sda1:plain1,/dev/sdb:b,UUID=1-2:c \
		sector-size=4096 volume-type=LUKS2 apqns=00.0011; do
		grep -qxF "$line" "$repo/xts_data.info"
	done
	grep -qE '^update-time=[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}$' "$repo/xts_data.info"
	[ "$(head -n 3 "$repo/xts_data.info")" = "$(head -n 3 "$data/xts_data.info")" ]
	hwkey change xts_data --volumes -/dev/sda1:plain1
	grep -qx 'volumes=/dev/sdb:b,UUID=1-2:c' "$repo/xts_data.info"
	hwkey change xts_data --volumes=
	grep -qx 'volumes=' "$repo/xts_data.info"
	cmp "$repo/xts_data.skey" "$data/xts_data.skey"
	before=$(state)
	fails 2 'nothing' hwkey change xts_data
	fails 2 'volume' hwkey change xts_data --volumes '/dev/sda:x;touch pwned'
	fails 2 'volume' hwkey change xts_data --volumes $'/dev/sda:x\ny'
	fails 2 'control' hwkey change xts_data --description $'a\nb'
	fails 2 'sector-size' hwkey change xts_data --sector-size 100
	fails 3 'associated' hwkey change xts_data --volumes -/dev/none:x
	fails 7 "'xts_cipher'" hwkey change xts_data --volumes +/dev/loop90:other
	fails 8 'long' hwkey change xts_data --description "$(head -c 5000 /dev/zero | tr '\0' x)"
	fails 3 'no key' hwkey change none --description x
	[ "$(state)" = "$before" ]
}

@test "repository: rename takes all files along" {
	use_zkey_repository
	hwkey rename xts_cipher renamed
	[ "$(cd "$repo" && echo renamed.* xts_cipher.*)" = "renamed.info renamed.pass renamed.renc renamed.skey xts_cipher.*" ]
	cmp "$repo/renamed.info" "$data/xts_cipher.info"
	before=$(state)
	fails 7 "'cbc_cipher' exists" hwkey rename renamed cbc_cipher
	fails 7 'exists' hwkey rename renamed renamed
	fails 3 'no key' hwkey rename none other
	fails 2 'valid' hwkey rename renamed $'new\nline'
	fails 2 'invalid key name' hwkey rename renamed .hidden
	fails 2 'invalid key name' hwkey rename none .hidden
	fails 2 'invalid key name' hwkey rename .hidden other
	fails 2 'invalid key name' hwkey copy none .hidden
	fails 2 'invalid key name' hwkey remove .hidden
	[ "$(state)" = "$before" ]
}

@test "repository: remove asks, and keeps keys of volumes" {
	answer() { { sleep 0.3; echo "$1"; sleep 0.2; } | script -qec "hwkey remove cbc_cipher" /dev/null; }
	use_zkey_repository
	before=$(state)
	fails 4 'confirmation' hwkey remove --batch cbc_cipher
	fails 7 'enc-disk1' hwkey remove xts_cipher
	fails 3 'no key' hwkey remove cbc_cipher none --force
	fails 2 'twice' hwkey remove cbc_cipher cbc_cipher --force
	run -4 answer n
	[ "$(state)" = "$before" ]
	answer y
	[ ! -e "$repo/cbc_cipher.info" ]
	hwkey remove -f xts_cipher xts_data
	[ "$(cd "$repo" && echo *)" = "xts_ep11.info xts_ep11.skey" ]
}

@test "repository: copy onto a key leaves both as they were" {
	use_zkey_repository
	before=$(state)
	fails 7 "'xts_data' exists" hwkey copy cbc_cipher xts_data
	fails 7 "'xts_data' exists" hwkey import xts_data "$data/xts_ep11.skey"
	[ "$(state)" = "$before" ]
}

@test "repository: a full disk leaves nothing behind and is 8" {
	mkdir "$repo"
	mount -t tmpfs -o size=64k,mode=700 none "$repo" || skip "cannot mount"
	cp "$data"/*.* "$repo"
	chmod 600 "$repo"/*
	i=0
	while hwkey copy xts_ep11 "copy$i" 2> "$BATS_TEST_TMPDIR/err"; do i=$((i + 1)); done
	status=0
	before=$(state)
	hwkey copy xts_ep11 "copy$i" 2> "$BATS_TEST_TMPDIR/err" || status=$?
	after=$(state)
	left=$(cd "$repo" && echo .hwkey* "copy$i".*)
	check=$(hwkey check)
	dd if=/dev/zero of="$repo/filler" status=none || true
	changed=0
	hwkey change xts_ep11 --description "$(head -c 4000 /dev/zero | tr '\0' x)" 2> /dev/null || changed=$?
	rm "$repo/filler"
	changed_state=$(state)
	umount "$repo"
	[ "$status" = 8 ]
	[ "$i" -gt 0 ]
	[ "$before" = "$after" ]
	[ "$left" = ".hwkey* copy$i.*" ]
	[ -z "$check" ]
	[ "$changed" = 8 ]
	[ "$changed_state" = "$before" ]
}

@test "repository: planted symbolic links are neither followed nor replaced" {
	use_zkey_repository
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$repo/new.skey"
	fails 7 'damaged key' hwkey copy cbc_cipher new
	rm "$repo/new.skey"
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$repo/.hwkey.tmp"
	hwkey copy cbc_cipher new
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$repo/.hwkey.new-info"
	cp "$data/xts_ep11.info" "$BATS_TEST_TMPDIR/foreign"
	ln -sf "$BATS_TEST_TMPDIR/foreign" "$repo/xts_ep11.info"
	fails 4 'xts_ep11.info' hwkey show xts_ep11
	ln -sf "$data/xts_data.skey" "$repo/cbc_cipher.skey"
	fails 4 'cbc_cipher.skey' hwkey export cbc_cipher "$BATS_TEST_TMPDIR/out"
	[ ! -e "$BATS_TEST_TMPDIR/elsewhere" ]
	[ ! -e "$BATS_TEST_TMPDIR/out" ]
	rm "$repo/.lock"
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$repo/.lock"
	fails 4 '.lock' hwkey change xts_data --description x
	[ ! -e "$BATS_TEST_TMPDIR/elsewhere" ]
}

@test "repository: names that hide, split or point elsewhere are refused, zkey's others work" {
	for name in .a -- -a 'a b' a/b 'a*' 'a?' "a'" 'a"' 'a\b' $'a\nb' $'a\033b' "$(head -c 201 /dev/zero | tr '\0' a)"; do
		run hwkey import -- "$name" "$data/xts_data.skey"
		[ "$status" = 2 ]
	done
	[ ! -e "$repo" ]
	for name in 'a;b' 'a$b' a,b grün 'a[1]' a.info a.skey; do
		hwkey import "$name" "$data/xts_data.skey"
		hwkey show "$name" > /dev/null
	done
	[ "$(hwkey list --noheadings | wc -l)" = 7 ]
	[ -z "$(hwkey check)" ]
}

@test "repository: a world-writable one is refused" {
	use_zkey_repository
	chmod 777 "$repo"
	fails 4 'everybody' hwkey list
	fails 4 'everybody' hwkey copy cbc_cipher new
	[ ! -e "$repo/new.info" ]
}

@test "repository: modes follow the directory, whatever the umask" {
	umask 000
	hwkey import a "$data/xts_data.skey"
	[ "$(stat -c %a "$repo")" = 700 ]
	[ "$(stat -c %a "$repo"/* "$repo/.lock" | sort -u)" = 600 ]
	hwkey change a --description x
	[ "$(stat -c %a "$repo"/* | sort -u)" = 600 ]
	umask 077
	chmod 2770 "$repo"
	chgrp 1 "$repo"
	hwkey copy a b
	hwkey change a --description y
	[ "$(stat -c '%a %g' "$repo"/b.* "$repo/a.info" "$repo/.lock" | sort -u)" = "660 1" ]
}

@test "repository: a damaged key does not hide the others" {
	use_zkey_repository
	truncate -s -1 "$repo/cbc_cipher.info"
	run -6 --separate-stderr hwkey list
	[ "$(wc -l <<<"$output")" = 5 ]
	[[ $stderr == *cbc_cipher*hwkey\ check* ]]
	hwkey list xts_data
	fails 6 'hwkey check' hwkey show cbc_cipher
	fails 6 'hwkey check' hwkey change cbc_cipher --description x
	fails 6 'hwkey check' hwkey copy cbc_cipher new
	: > "$repo/xts_data.info"
	run -6 --separate-stderr hwkey list
	[[ $stderr == *"2 keys are damaged"* ]]
	hwkey remove --force cbc_cipher
	[ ! -e "$repo/cbc_cipher.skey" ]
}

@test "repository: check finds, --repair mends, nothing that may be a key is lost" {
	use_zkey_repository
	[ -z "$(hwkey check)" ]
	rm "$repo/cbc_cipher.info"					# a token without its properties
	rm "$repo/xts_ep11.skey"					# properties without their token
	rm "$repo/xts_cipher.info" "$repo/xts_cipher.skey"		# only .renc and .pass
	sed -i 's/PLAIN/LUKS2/' "$repo/xts_data.info"			# a wrong hash
	cp "$data/xts_data.skey" "$repo/cut.skey"
	head -c 100 "$data/xts_data.info" > "$repo/cut.info"		# what zkey leaves on a full disk
	cp "$repo/cut.info" "$BATS_TEST_TMPDIR/cut.info"
	echo rubbish > "$repo/.hwkey.tmp"
	chmod 644 "$repo/cbc_cipher.skey"
	before=$(state)
	run -6 hwkey check
	[ "$(state)" = "$before" ]
	run -0 hwkey check --repair
	[ -z "$(hwkey check)" ]
	cmp "$repo/cbc_cipher.skey" "$data/cbc_cipher.skey"
	hash_is_right "$repo/cbc_cipher.info"
	grep -qx key-type=CCA-AESCIPHER "$repo/cbc_cipher.info"
	cmp "$repo/xts_ep11.info.orphan" "$data/xts_ep11.info"
	cmp "$repo/xts_cipher.renc.orphan" "$data/xts_cipher.renc"
	cmp "$repo/xts_cipher.pass.orphan" "$data/xts_cipher.pass"
	hash_is_right "$repo/xts_data.info"
	grep -qx volume-type=LUKS2 "$repo/xts_data.info"
	[ -e "$repo/xts_data.info.broken" ]
	cmp "$repo/cut.info.broken" "$BATS_TEST_TMPDIR/cut.info"
	grep -qx 'creation-time=2026-11-20 22:34:35' "$repo/cut.info"
	hwkey show cut
	[ ! -e "$repo/.hwkey.tmp" ]
	[ "$(stat -c %a "$repo/cbc_cipher.skey")" = 600 ]
}

@test "repository: check says what it cannot mend" {
	use_zkey_repository
	cp "$data/xts_data.skey" "$repo/xts_ep11.skey"
	echo junk > "$repo/junk.skey"
	ln -s /dev/null "$repo/link.skey"
	chmod 600 "$repo/junk.skey"
	before=$(state)
	fails 6 'problems are left' hwkey check --repair
	[ "$(state)" = "$before" ]
	hwkey check --json 2> /dev/null | python3 -c 'import json, sys
p = json.load(sys.stdin)["problems"]
assert {x["file"] for x in p} == {"xts_ep11.skey", "junk.skey", "link.skey"}, p' || [ "${PIPESTATUS[0]}" = 6 ]
}

@test "repository: what a killed writer left is finished or undone by the next command" {
	use_zkey_repository
	before=$(state)
	cp "$data/xts_data.skey" "$repo/new.skey"			# killed between the two files of a copy
	echo 'settle new' > "$repo/.hwkey.intent"
	hwkey list > /dev/null
	[ "$(state)" = "$before" ]
	ln "$repo/xts_data.skey" "$repo/new.skey"			# in a rename, after its commit
	echo 'settle xts_data new' > "$repo/.hwkey.intent"
	mv "$repo/xts_data.info" "$repo/new.info"
	hwkey copy new again
	[ ! -e "$repo/xts_data.skey" ]
	rm "$repo/new.info"						# in a remove, after its commit
	echo 'settle new' > "$repo/.hwkey.intent"
	fails 3 'no key' hwkey show new
	[ ! -e "$repo/new.skey" ]
	[ -z "$(hwkey check)" ]
}

@test "repository: a token without properties that no intent names is never overwritten" {
	use_zkey_repository
	rm "$repo/cbc_cipher.info"
	before=$(state)
	fails 7 'hwkey check' hwkey copy xts_data cbc_cipher
	fails 7 'hwkey check' hwkey rename xts_data cbc_cipher
	fails 7 'hwkey check' hwkey import cbc_cipher "$data/xts_data.skey"
	fails 6 'hwkey check' hwkey show cbc_cipher
	[ "$(state)" = "$before" ]
}

@test "repository: a reader that may not write reads on beside an unfinished change" {
	use_zkey_repository
	echo 'settle new' > "$repo/.hwkey.intent"
	exec 9< "$repo/.lock"
	flock 9								# a writer at work
	[ "$(hwkey list --noheadings | wc -l)" = 4 ]
	[ -e "$repo/.hwkey.intent" ]
	exec 9<&-
	chmod 755 "$repo"						# and one that is somebody else's
	chmod 644 "$repo"/* "$repo/.hwkey.intent" "$repo/.lock"
	chown -R 65534 "$repo"
	[ "$(setpriv --bounding-set -all --inh-caps -all hwkey list --noheadings | wc -l)" = 4 ]
	run setpriv --bounding-set -all --inh-caps -all hwkey change xts_data --description x
	[ "$status" = 4 ]
	[ -e "$repo/.hwkey.intent" ]
}

@test "repository: 32 copies to one name at once have one winner" {
	use_zkey_repository
	for i in $(seq 32); do
		{ rc=0; hwkey copy xts_data new --description "$i" 2> /dev/null || rc=$?; echo "$rc $i" > "$BATS_TEST_TMPDIR/rc.$i"; } &
	done
	wait
	[ "$(cat "$BATS_TEST_TMPDIR"/rc.* | cut -d' ' -f1 | sort | uniq -c | tr -s ' \n' ' ')" = " 1 0 31 7 " ]
	winner=$(cat "$BATS_TEST_TMPDIR"/rc.* | sed -n 's/^0 //p')
	grep -qx "description=$winner" "$repo/new.info"
	hash_is_right "$repo/new.info"
	[ -z "$(hwkey check)" ]
}

@test "repository: concurrent changes of one key are all kept" {
	use_zkey_repository
	for i in $(seq 12); do hwkey change xts_data --volumes "+/dev/vd$i:v$i" & done
	wait
	[ "$(sed -n 's/^volumes=//p' "$repo/xts_data.info" | tr , '\n' | wc -l)" = 13 ]
}

@test "repository: looking up a name costs the same among 2000 keys; a listing six calls a key" {
	command -v strace || skip "no strace"
	[ -z "${HWKEY_EMULATED-}" ] || skip 'an emulator makes system calls of its own'
	! ldd "$(command -v hwkey)" | grep -q asan || skip "the sanitizer makes calls of its own"
	use_zkey_repository
	calls() { strace -f -c -o "$BATS_TEST_TMPDIR/trace" "$@" > /dev/null; awk '$NF == "total" { print $4 }' "$BATS_TEST_TMPDIR/trace"; }
	few=$(calls hwkey show xts_data)
	few_listed=$(calls hwkey list)
	for i in $(seq 1996); do echo "$repo/k$i.info"; done | xargs -n 500 sh -c 'for f; do ln "$0" "$f"; done' "$repo/xts_data.info"
	for i in $(seq 1996); do echo "$repo/k$i.skey"; done | xargs -n 500 sh -c 'for f; do ln "$0" "$f"; done' "$repo/xts_data.skey"
	[ "$(calls hwkey show xts_data)" = "$few" ]
	many=$(calls hwkey list)
	echo "show $few, list of 4 $few_listed, list of 2000 $many"
	[ "$few" -le 100 ]
	[ "$((many - few_listed))" -le $((1996 * 6 + 200)) ]
}

@test "repository: a removal that leaves something behind says so, and the next command finishes it" {
	hwkey generate a
	mkdir "$repo/a.renc"
	fails 1 "key 'a' is removed, but the next command must finish that" hwkey remove --force a
	fails 6 'left' hwkey check
	[ -z "$(hwkey list)" ]
	rmdir "$repo/a.renc"
	hwkey generate b
	[ -z "$(hwkey check)" ]
	[ "$(ls "$repo")" = "$(printf 'b.info\nb.skey')" ]
}

@test "repository: a file with a second name elsewhere keeps its mode and group" {
	hwkey generate a
	victim=$BATS_TEST_TMPDIR/victim
	echo mine >"$victim"
	chmod 640 "$victim"
	ln -f "$victim" "$repo/.lock"
	fails 4 "'.lock' has another name" hwkey change a --description x
	[ "$(stat -c %a "$victim")" = 640 ]
	rm "$repo/.lock"
	ln "$victim" "$repo/b.skey"
	hwkey generate c
	run -6 hwkey check --repair
	[[ $output == *"b.skey"*"another name"* ]]
	[ "$(stat -c %a "$victim")" = 640 ]
	[ "$(cat "$victim")" = mine ]
	chmod 600 "$victim"
	chgrp nogroup "$victim"
	run -6 hwkey check --repair
	[ "$(stat -c %G "$victim")" = nogroup ]
}

@test "repository: a copy of it by hard links, as backups make it, changes nothing" {
	hwkey generate a
	cp -al "$repo" "$BATS_TEST_TMPDIR/backup"
	hwkey generate b
	hwkey change a --description new
	[ -z "$(hwkey check --repair)" ]
	[ "$(ls -A "$BATS_TEST_TMPDIR/backup")" = "$(printf '.lock\na.info\na.skey')" ]
	! grep -q new "$BATS_TEST_TMPDIR/backup/a.info"
}

@test "repository: JSON is UTF-8, whatever bytes a name or a property has" {
	hwkey generate $'k\xff' --description $'\xc3\xa9 \xe9\xed\xa0\x80\xc0\x80\xf5 a\\b \xef\xbf\xbd' --volumes $'/dev/x\xfe:a,/dev/y:b'
	hwkey generate plain --description $'\xc3\xa9\xf0\x9f\x94\x91'
	cd "$BATS_TEST_TMPDIR"
	hwkey list --json >out.json
	iconv -f UTF-8 -t UTF-8 out.json >/dev/null
	python3 - out.json <<'END'
import json, re, sys
k = {k["name"]: k for k in json.load(open(sys.argv[1], encoding="utf-8"))["keys"]}
def back(s):	# as the manual says
    return re.sub("\ufffd(..)|(.)", lambda m: m[1] and bytes.fromhex(m[1]).decode("latin-1") or
                  m[2].encode().decode("latin-1"), s).encode("latin-1")
odd = k["k\ufffdff"]
assert back(odd["description"]) == b"\xc3\xa9 \xe9\xed\xa0\x80\xc0\x80\xf5 a\\b \xef\xbf\xbd", odd["description"]
assert odd["volumes"] == ["/dev/x\ufffdfe:a", "/dev/y:b"], odd["volumes"]
assert k["plain"]["description"] == "\u00e9\U0001f511", k["plain"]
END
	for options in '--json' '--json --output name,description'; do
		# shellcheck disable=SC2086
		hwkey list $options | jq -e '.keys | length == 2' >/dev/null
	done
	hwkey show $'k\xff' --json | jq -e . >/dev/null
	hwkey validate --json | jq -e . >/dev/null
	[ "$(hwkey list --raw --noheadings --output name | head -n 1)" = 'k\xff' ]
}

@test "repository: a stray directory does not hide the keys" {
	hwkey generate -q k
	mkdir "$HWKEY_REPOSITORY/x.info"
	run bash -c 'hwkey list --raw --noheadings --output name 2>/dev/null'
	[ "$status" -eq 6 ]
	[ "$output" = $'k\nx' ]
	fails 6 "'x.info' is a directory" hwkey show x
}
