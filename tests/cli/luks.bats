#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# LUKS2 volumes on image files: no device mapper is needed for anything but a named mapping.

setup() {
	load helpers
	load image
	img=$BATS_TEST_TMPDIR/img
	cd "$BATS_TEST_TMPDIR"
	hwkey generate -q vol1 2>/dev/null
}

format() { hwkey luks-format -q "$img" vol1 --size 20M "$@"; }
opens() { hwkey luks-open --test -q "$img" >/dev/null; }
passphrase_slot() { echo -n "$1" | cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
	--key-file "$2" "$img" -; }

@test "luks-format makes an image whose slot opens by its token" {
	format --label data --sector-size 4096
	[ "$(stat -c %a:%s "$img")" = 600:20971520 ]
	[ "$(state)" = "$(printf 'hwkey vol1 ok\npaes-verification-pattern - ok')" ]
	opens
	[ "$(meta .config.json_size)" != null ]
	hwkey luks-status "$img" --output label,cipher --noheadings | grep -q 'data *aes-xts-plain64'
	[ "$(meta '.segments["0"].sector_size')" = 4096 ]
}

@test "a random passphrase gets PBKDF2 with 1000 rounds, never argon2" {
	format --recovery --output rec
	[ "$(meta '[.keyslots[].kdf | .type, .hash, .iterations] | unique')" = '[1000,"pbkdf2","sha512"]' ]
}

@test "the token holds what the page says and nothing else" {
	format
	[ "$(meta '[.tokens["0"] | keys_unsorted[]]')" = \
	  '["type","keyslots","v","name","backend","blob","vol","pattern","state","created"]' ]
	[ "$(meta '.tokens["0"].v | type')" = '"number"' ]
	[ "$(meta '.tokens["0"].keyslots')" = '["0"]' ]
	[ "$(meta '.tokens["0"].vol')" = "\"$(cryptsetup luksUUID "$img")\"" ]
}

@test "luks-format refuses what holds data, and erases it only when told twice" {
	truncate -s 20M "$img"
	mkfs.ext4 -q "$img"
	sum=$(sha256sum <"$img")
	fails 7 'holds data (ext4); --force erases it' hwkey luks-format "$img" vol1
	fails 4 'not confirmed' setsid hwkey luks-format "$img" vol1 --force
	run script -qec "hwkey luks-format '$img' vol1 --force </dev/null" /dev/null
	[ "$status" -eq 4 ]
	[[ $output == *'--batch does not ask'* && $output != *'[y/N]'* ]]
	[ "$(sha256sum <"$img")" = "$sum" ]
	hwkey luks-format -q --batch --force "$img" vol1
	opens
	[ "$(wipefs "$img" | grep -c ext4)" -eq 0 ]
	fails 7 LUKS hwkey luks-format "$img" vol1
}

@test "luks-format refuses partition tables, absent volumes, existing images, bad values" {
	truncate -s 20M "$img"
	printf '\x80\0\0\0\x83\0\0\0\x08\0\0\0\x10\0\0\0' | dd of="$img" bs=1 seek=446 conv=notrunc status=none
	printf '\x55\xaa' | dd of="$img" bs=1 seek=510 conv=notrunc status=none
	fails 7 'partition table' hwkey luks-format "$img" vol1
	fails 3 --size hwkey luks-format absent vol1
	fails 7 'there already' hwkey luks-format "$img" vol1 --size 20M
	fails 2 'no size' hwkey luks-format new vol1 --size 20X
	fails 2 'sector size' hwkey luks-format new vol1 --size 20M --sector-size 777
	fails 2 'label' hwkey luks-format new vol1 --size 20M --label "$(printf %048d 1)"
	fails 2 'cipher' hwkey luks-format new vol1 --size 20M --cipher aes
	fails 3 "'nokey'" hwkey luks-format new nokey --size 20M
	fails 1 new hwkey luks-format new vol1 --size 20M --cipher foo-xts-plain64
	fails 5 neither hwkey luks-format /dev/null vol1
	[ ! -e new ]
}

@test "a recovery key opens the volume by cryptsetup, and is printed once" {
	format
	hwkey luks-recovery "$img" >rec 2>err
	[ "$(cat err)" = 'hwkey: recovery key: written once and kept nowhere else; keep it away from this machine' ]
	grep -qxE '([cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}' rec
	[ "$(stat -c %s rec)" -eq 71 ]
	cryptsetup open --test-passphrase --key-file rec "$img"
	[ "$(state | grep -c hwkey-recovery)" -eq 1 ]
	hwkey luks-recovery -q "$img" --replace --output rec2
	[ "$(stat -c %a rec2)" = 600 ]
	cryptsetup open --test-passphrase --key-file rec2 "$img"
	not cryptsetup open --test-passphrase --key-file rec "$img"
	[ "$(state | grep -c hwkey-recovery)" -eq 1 ]
}

@test "a recovery key that cannot be written leaves no slot" {
	format
	before=$(state)
	touch rec
	fails 7 "'rec' exists" hwkey luks-recovery -q "$img" --output rec
	status=0
	hwkey luks-recovery -q "$img" >/dev/full || status=$?
	[ "$status" -eq 8 ]
	[ "$(state)" = "$before" ]
}

@test "luks-format --recovery: an output that cannot be written is seen before anything is erased" {
	format
	touch rec
	sum=$(sha256sum <"$img")
	fails 7 "'rec' exists" hwkey luks-format --batch --force "$img" vol1 --recovery --output rec
	fails 3 'absent' hwkey luks-format --batch --force "$img" vol1 --recovery --output absent/rec
	[ "$(sha256sum <"$img")" = "$sum" ]
	fails 7 "'rec' exists" hwkey luks-format new vol1 --size 20M --recovery --output rec
	[ ! -e new ]
}

@test "luks-format --recovery: a key that nobody got leaves no slot" {
	status=0
	hwkey luks-format -q "$img" vol1 --size 20M --recovery >/dev/full 2>err || status=$?
	[ "$status" -eq 8 ]
	grep -q 'the volume is ready, but has no recovery key: .*No space.*luks-recovery.* adds one' err
	[ "$(state)" = "$(printf 'hwkey vol1 ok\npaes-verification-pattern - ok')" ]
	opens
}

@test "a recovery key cut short at any write is completed or removed, others stay" {
	command -v strace || skip 'no strace'
	format --recovery --output rec
	cp --sparse=always "$img" before
	for n in 1 4 7 8 10 13 16 19; do
		cp --sparse=always before "$img"
		strace -f -o /dev/null -e trace=pwrite64,write -e "inject=pwrite64,write:signal=KILL:when=$n" \
			hwkey luks-recovery -q "$img" >/dev/null 2>&1 || true
		state >>seen
		hwkey luks-status --repair "$img" >/dev/null
		not grep -qE 'pending|dead' <(state)
		cryptsetup open --test-passphrase --key-file rec "$img"
		opens
	done
	grep -q 'hwkey-recovery - pending' seen
	grep -q '^passphrase' seen	# a slot whose token did not name it yet
}

@test "repair removes the slot of an unfinished recovery key, but none that may be another's" {
	format --recovery --output rec
	pending() { echo '{"type":"hwkey-recovery","v":1,"keyslots":[],"state":"pending","slot":'"$1${2:+,\"salt\":$2}"'}' | cryptsetup token import "$img"; }
	cryptsetup luksAddKey -q --key-file rec --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --hash sha512 "$img" - <<<other
	cryptsetup luksAddKey -q --key-file rec --pbkdf pbkdf2 --pbkdf-force-iterations 1001 --hash sha512 "$img" - <<<kept
	for slot in 0 1 2 3 9 "0 $(meta '.keyslots["0"].kdf.salt')" "2 $(meta '.keyslots["3"].kdf.salt')"; do
		pending $slot
		grep -q 'hwkey-recovery - pending' <(state)
		hwkey luks-status --repair "$img" >out
		[ "$(state type | sort | uniq -c | awk '{ print $1 $2 }' | tr '\n' ' ')" = \
			'1hwkey 1hwkey-recovery 1paes-verification-pattern 2passphrase ' ]
	done
	pending 2 "$(meta '.keyslots["2"].kdf.salt')"
	hwkey luks-status --repair "$img" | grep -q 'interrupted recovery key'
	[ "$(state type | grep -c passphrase)" -eq 1 ]
	cryptsetup open --test-passphrase --key-file rec "$img"
}

@test "luks-enroll adds to a volume of cryptsetup, opened by a key file or standard input" {
	truncate -s 20M "$img"
	echo -n secret >pass; chmod 600 pass
	cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$img" pass
	fails 4 'does not open' hwkey luks-enroll -q "$img" vol1 --key-file - <<<wrong
	[ "$(state | wc -l)" -eq 1 ]
	fails 4 "no token opens '$img'; nobody can be asked here: give credential 'hwkey.luks-passphrase'" \
		hwkey luks-enroll -q --batch "$img" vol1
	fails 4 "credential 'hwkey.luks-passphrase'" hwkey luks-enroll -q --batch --ask "$img" vol1
	hwkey luks-enroll -q "$img" vol1 --key-file pass
	[ "$(state type,name | tr '\n' ,)" = 'passphrase -,hwkey vol1,' ]
	opens
	hwkey generate -q vol2 2>/dev/null
	echo -n secret | hwkey luks-enroll -q "$img" vol2 --key-file -
	cryptsetup open --test-passphrase --key-file pass "$img"
}

@test "a passphrase from a credential authorizes, too" {
	truncate -s 20M "$img"
	mkdir creds
	echo -n secret >creds/hwkey.luks-passphrase
	cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$img" creds/hwkey.luks-passphrase
	CREDENTIALS_DIRECTORY=$PWD/creds hwkey luks-enroll -q "$img" vol1
	opens
}

@test "enrolling a name again rotates its slot and token" {
	format
	old=$(meta '.keyslots["0"].kdf.salt')
	hwkey luks-enroll -q "$img" vol1
	[ "$(state type,name,state | head -1)" = 'hwkey vol1 ok' ]
	[ "$(state slot | grep -cv -)" -eq 1 ]
	meta '.keyslots[].kdf.salt' | not grep -qF "$old"
	opens
}

@test "luks-enroll --replace changes the key, the header's pattern follows" {
	format
	hwkey generate -q vol2 2>/dev/null
	fails 3 nokey hwkey luks-enroll -q "$img" vol2 --replace nokey
	hwkey luks-enroll -q "$img" vol2 --replace vol1
	[ "$(state)" = "$(printf 'hwkey vol2 ok\npaes-verification-pattern - ok')" ]
	[ "$(state pattern | sort -u | wc -l)" -eq 1 ]
	opens
	fails 4 'does not open' hwkey luks-open -q "$img" --key vol1
	hwkey luks-open -q "$img" --key vol2
}

@test "the last way in stays unless told otherwise" {
	format
	fails 7 '; --force-last removes it' hwkey luks-unenroll "$img" vol1
	fails 7 'last way' hwkey luks-unenroll "$img" --slot 0
	hwkey luks-recovery -q "$img" --output rec
	hwkey luks-unenroll "$img" vol1
	[ "$(state | tr '\n' ,)" = 'hwkey-recovery - ok,paes-verification-pattern - ok,' ]
	fails 7 'last way' hwkey luks-unenroll "$img" --recovery
	hwkey luks-unenroll "$img" --recovery --force-last
	[ "$(meta '.keyslots')" = '{}' ]
}

@test "luks-unenroll by slot, by recovery; names nothing twice" {
	format --recovery --output rec
	fails 2 'one of' hwkey luks-unenroll "$img"
	fails 2 'one of' hwkey luks-unenroll "$img" vol1 --recovery
	fails 2 '--slot' hwkey luks-unenroll "$img" --slot x
	fails 3 'keyslot 9' hwkey luks-unenroll "$img" --slot 9
	fails 3 'keyslot 99' hwkey luks-unenroll "$img" --slot 99
	fails 3 nokey hwkey luks-unenroll "$img" nokey
	hwkey luks-unenroll "$img" --slot 0
	[ "$(state | tr '\n' ,)" = 'hwkey-recovery - ok,paes-verification-pattern - ok,' ]
	fails 3 vol1 hwkey luks-unenroll "$img" vol1
}

@test "luks-open --test tries each slot and says why one does not open" {
	format --recovery --output rec
	hwkey luks-open -q --test "$img" --json >out
	jq -e '[.keyslots[] | .name, .opens] == ["vol1", true, null, false]' out
	hwkey luks-open -q --test "$img" --key-file rec --json | jq -e '[.keyslots[].opens] == [true, true]'
	HWKEY_PKS_DIR=$PWD/other fails 4 'nothing that was tried' hwkey luks-open -q --test "$img"
	HWKEY_PKS_DIR=$PWD/other hwkey luks-open -q --test "$img" --key-file rec >/dev/null
}

@test "without a device mapper luks-open says so" {
	grep -qw device-mapper /proc/misc && skip 'there is one'
	format
	fails 5 'device mapper' hwkey luks-open -q "$img" name
	fails 2 '--test' hwkey luks-open -q "$img"
	fails 2 'only --test shows' hwkey luks-open -q "$img" name --json
}

@test "LUKS1, no LUKS and damaged headers are refused with the reason by every command" {
	truncate -s 20M "$img" none
	echo -n p >pass; chmod 600 pass
	cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 "$img" pass
	for c in "luks-enroll $img vol1" "luks-unenroll $img vol1" "luks-open --test $img" "luks-status $img" \
		 "luks-recovery $img" "setvp $img vol1" "luks-status --repair $img"; do
		fails 5 'LUKS1' hwkey $c -q
		fails 5 'no LUKS2' hwkey ${c//$img/none} -q
		fails 3 'absent' hwkey ${c//$img/absent} -q
	done
	rm "$img"
	format
	dd if=/dev/urandom of="$img" bs=1 seek=8 count=32768 conv=notrunc status=none
	fails 6 'header' hwkey luks-status "$img"
}

@test "a full volume is refused before anything is written" {
	format
	hwkey luks-open -q "$img" --key vol1
	hwkey luks-recovery -q "$img" --output rec
	for i in $(seq 30); do passphrase_slot "p$i" rec; done
	sum=$(sha256sum <"$img")
	fails 8 'no free keyslot' hwkey luks-enroll -q "$img" vol1
	fails 8 'no free keyslot' hwkey luks-recovery -q "$img"
	[ "$(sha256sum <"$img")" = "$sum" ]
}

@test "a header without a free token, or without space for one, is refused" {
	format
	for i in $(seq 30); do
		echo '{"type":"other","keyslots":[]}' | cryptsetup token import "$img"
	done
	fails 8 'no free token' hwkey luks-enroll -q "$img" vol1
	opens
	for i in $(seq 2 31); do cryptsetup token remove --token-id "$i" "$img"; done
	printf '{"type":"other","keyslots":[],"x":"%010000d"}' 1 | cryptsetup token import "$img"
	fails 8 'no space' hwkey luks-enroll -q "$img" vol1
	opens
}

@test "a volume under re-encryption is left alone" {
	hwkey luks-format -q "$img" vol1 --size 40M --recovery --output rec
	cryptsetup reencrypt -q --init-only --force-offline-reencrypt --key-file rec --key-slot 1 "$img"
	sum=$(sha256sum <"$img")
	fails 7 're-encrypted' hwkey luks-enroll -q "$img" vol1
	fails 7 're-encrypted' hwkey luks-unenroll "$img" vol1
	fails 7 're-encrypted' hwkey luks-recovery "$img"
	fails 7 're-encrypted' hwkey luks-open --test "$img"
	hwkey luks-status "$img" >/dev/null
	[ "$(sha256sum <"$img")" = "$sum" ]
}

@test "detached headers: format, status, open, enroll" {
	truncate -s 20M data
	hwkey luks-format -q data vol1 --header head
	[ "$(stat -c %a head)" = 600 ]
	hwkey luks-status data --header head | grep -q vol1
	hwkey luks-open -q --test data --header head >/dev/null
	hwkey luks-enroll -q data vol1 --header head
	hwkey luks-recovery -q data --header head --output rec
	hwkey luks-unenroll data vol1 --header head
	cmp -n 1048576 data /dev/zero
	fails 5 'no LUKS2' hwkey luks-status data
	fails 7 LUKS hwkey luks-format -q data vol1 --header head
}

@test "a token copied to another volume, or a changed one, does not open" {
	format
	cp "$img" first
	rm "$img"
	format
	meta '.tokens["0"]' >mine
	img=first meta '.tokens["0"]' >theirs
	cryptsetup token remove --token-id 0 "$img"
	cryptsetup token import --token-id 0 --json-file theirs "$img"
	hwkey luks-open -q --test "$img" --json >out || true
	jq -e '.keyslots[0].opens == false' out
	grep -q 'another volume' out
	cryptsetup token remove --token-id 0 "$img"
	jq -c --arg u "$(cryptsetup luksUUID "$img")" '.vol = $u' theirs >forged
	cryptsetup token import --token-id 0 --json-file forged "$img"
	not hwkey luks-open -q --test "$img" >/dev/null
	cryptsetup token remove --token-id 0 "$img"
	cryptsetup token import --token-id 0 --json-file mine "$img"
	opens
}

@test "foreign tokens are shown by type and left alone" {
	format
	echo '{"type":"systemd-tpm2","keyslots":["0"],"tpm2-blob":"eA=="}' | cryptsetup token import --disable-external-tokens "$img"
	echo '{"type":"clevis","keyslots":[],"jwe":{}}' | cryptsetup token import "$img"
	echo '{"type":"hwkey","keyslots":[],"v":2}' | cryptsetup token import --disable-external-tokens "$img"
	state type,state >out
	grep -q '^systemd-tpm2' out
	grep -q '^clevis' out
	grep -q '^hwkey invalid' out
	[ "$(hwkey luks-status -q --repair --noheadings --output REMARK "$img")" = 'token of an unknown version' ]
	[ "$(state type,state)" = "$(cat out)" ]
}

@test "repair drops what never got a slot, adopts what did, and is idempotent" {
	format --recovery --output rec
	meta '.tokens["0"]' >token
	jq -c '.keyslots = [] | .state = "pending"' token | cryptsetup token import --disable-external-tokens "$img"
	grep -q pending <(state)
	hwkey luks-status --repair "$img" | grep -q 'interrupted enrolment removed'
	not grep -q pending <(state)
	# the slot is there, the token still waits
	jq -c '.keyslots = [] | .state = "pending"' token >pending
	cryptsetup token remove --token-id 0 "$img"
	cryptsetup token import --token-id 0 --json-file pending --disable-external-tokens "$img"
	hwkey luks-status --repair "$img" | grep -q 'completed'
	[ "$(state | head -1)" = 'hwkey vol1 ok' ]
	opens
	sum=$(sha256sum <"$img")
	[ -z "$(hwkey luks-status --repair "$img" --noheadings)" ]
	[ "$(sha256sum <"$img")" = "$sum" ]
}

@test "repair finishes a removal, but never that of the last way in" {
	format --recovery --output rec
	meta '.tokens["0"]' >token
	jq -c '.state = "pending"' token >removing
	cryptsetup token remove --token-id 0 "$img"
	cryptsetup token import --token-id 0 --json-file removing --disable-external-tokens "$img"
	[ "$(state | head -1)" = 'hwkey vol1 removing' ]
	cp "$img" keep
	hwkey luks-status --repair "$img" | grep -q 'undone'	# the recovery key is not proven
	opens
	hwkey generate -q vol2
	hwkey luks-enroll -q "$img" vol2
	cryptsetup token remove --token-id 0 "$img"
	cryptsetup token import --token-id 0 --json-file removing --disable-external-tokens "$img"
	hwkey luks-status --repair "$img" | grep -q 'removal completed'
	[ "$(state name,state | grep -v '^-')" = 'vol2 ok' ]
	cp keep "$img"
	cryptsetup luksKillSlot -q "$img" 1
	hwkey luks-status --repair "$img" | grep -q 'undone'
	opens
}

@test "repair keeps the newest of two slots of one key, of any order in the header" {
	printf "$(printf '\\x%02x' {0..31})" >clear; chmod 600 clear
	hwkey wrap -q vol2 clear 2>/dev/null
	base64 -w0 clear >key
	truncate -s 20M "$img"
	for year in 2020 2090; do
		# the same key in a second slot: slot 2, its token 3
		hwkey luks-format -q --batch --force "$img" vol2
		meta '.tokens["0"]' >token
		cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --hash sha512 --key-file key "$img" key
		jq -c ".created = \"$year-01-01T00:00:00Z\" | .keyslots = [\"1\"]" token |
			cryptsetup token import --disable-external-tokens "$img"
		[ "$(state type | grep -cx hwkey)" -eq 2 ]
		hwkey luks-status --repair "$img" | grep -q 'older keyslot of the same key removed'
		[ "$(state type | grep -cx hwkey)" -eq 1 ]
		[ "$(state slot | head -1)" -eq $((year == 2090)) ]
		opens
	done
}

@test "setvp stores, keeps, and refuses another key's pattern" {
	format
	p=$(state pattern | head -1)
	cryptsetup token remove --token-id 1 "$img"
	hwkey setvp -q "$img"
	[ "$(meta '.tokens["1"]')" = '{"type":"paes-verification-pattern","keyslots":[],"verification-pattern":"'$p'"}' ]
	sum=$(sha256sum <"$img")
	hwkey setvp -q "$img" vol1
	[ "$(sha256sum <"$img")" = "$sum" ]
	hwkey generate -q vol2 2>/dev/null
	fails 6 'another key' hwkey setvp -q "$img" vol2
	hwkey setvp -q --force "$img" vol2
	[ "$(meta '[.tokens[] | select(.type == "paes-verification-pattern")] | length')" = 1 ]
	meta '.tokens["1"]' | not grep -q "$p"
}

@test "verification patterns are zkey's" {
	printf "$(printf '\\x%02x' {0..63})" >xts; printf "$(printf '\\x%02x' {0..31})" >cbc; chmod 600 xts cbc
	hwkey wrap -q x xts --xts 2>/dev/null
	hwkey wrap -q c cbc 2>/dev/null
	hwkey luks-format -q --size 20M one x
	hwkey luks-format -q --size 20M two c
	img=one; [ "$(meta '.tokens["1"]["verification-pattern"]')" = \
		'"cd6b103236fbd87dba93e9001e29bc3d5e885d6abd1577e3e0e0a5f49e444894"' ]
	img=two; [ "$(meta '.tokens["1"]["verification-pattern"]')" = \
		'"f29000b62a499fd0a9f39a6add2e7780d4e96925c0bfcffb52f8a187ee774aab"' ]
	# the passphrase is the key itself, in base64
	base64 -w0 xts | cryptsetup open --test-passphrase --key-file - one
}

@test "random bytes in place of an integrity pattern are not written again" {
	format
	cryptsetup token remove --token-id 1 "$img"
	echo '{"type":"paes-verification-pattern","keyslots":[],"verification-pattern":"'"$(printf %064d 1)"'","integrity-verification-pattern":"\u0001x"}' |
		cryptsetup token import --token-id 1 "$img"
	hwkey setvp -q --force "$img" vol1
	[ "$(meta '.tokens["1"] | keys_unsorted')" = '["type","keyslots","verification-pattern"]' ]
}

@test "crypttab tells of a name that /etc/crypttab has already" {
	[ "$(id -u)" -eq 0 ] || skip 'needs mount namespaces'
	hwkey generate -q vol2 --volumes '/dev/none:two#2,/dev/other:two'
	mkdir etc
	printf '# a comment\ntwo#2\tUUID=x\tnone\tluks\ntwo2 x\n' >etc/crypttab
	unshare -m --propagation private bash -c 'mount -t overlay -o ro,lowerdir=etc:/etc hwkey /etc && hwkey crypttab vol2' >out 2>err
	[ "$(grep -c already err)" -eq 1 ]
	grep -q "an entry 'two#2' already" err
	[ "$(wc -l <out)" -eq 2 ]
}

@test "crypttab names volumes by path or UUID, escaped" {
	format
	cp "$img" 'a#c'
	hwkey generate -q vol3 --volumes "$PWD/a#c:dm#1,LABEL=x:dm2,/absent:dm3,/absent2:#4" 2>/dev/null
	hwkey crypttab -q >out
	printf '%s\n' "dm#1	$PWD/a#c	none	luks" 'dm2	LABEL=x	none	luks' 'dm3	/absent	none	luks' \
		'\0434	/absent2	none	luks' | diff - out
	for bad in '/dev/x y:d' $'/dev/x\ty:d' $'/dev/x\ny:d' '/dev/x\y:d' '/dev/x:d e' $'/dev/x:d\ne' '/dev/x:d\e' '/dev/x:d/e'; do
		fails 2 'no volume' hwkey generate -q bad --volumes "$bad"
	done
	hwkey crypttab vol1 >out
	[ ! -s out ]
	fails 3 nokey hwkey crypttab nokey
}

@test "rotation killed at any write leaves a volume that opens and repairs to one slot" {
	command -v strace || skip 'no strace'
	format
	cp --sparse=always "$img" before
	for n in 1 4 6 9 12 16 19 22; do
		cp --sparse=always before "$img"
		strace -f -o /dev/null -e trace=pwrite64,write -e "inject=pwrite64,write:signal=KILL:when=$n" \
			hwkey luks-enroll -q "$img" vol1 2>/dev/null || true
		opens
		hwkey luks-status --repair "$img" >/dev/null
		opens
		[ "$(state type,state | grep -c '^hwkey ok')" -eq 1 ]
		[ "$(state slot | grep -cv -)" -eq 1 ]
	done
}

@test "luks-enroll: another machine's key of the same name keeps its slot, unless it is named" {
	hwkey generate -q k
	hwkey luks-format -q --size 32M img k --recovery --output recovery
	export HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/pks2 HWKEY_REPOSITORY=$BATS_TEST_TMPDIR/repository2
	hwkey generate -q k
	hwkey luks-enroll -q img k --key-file recovery
	hwkey luks-open --test img
	HWKEY_PKS_DIR=$BATS_TEST_TMPDIR/pks hwkey luks-open --test img
	[ "$(hwkey luks-status --raw --noheadings --output name img | grep -c '^k$')" -eq 2 ]
	hwkey luks-enroll -q img k --replace k
	[ "$(hwkey luks-status --raw --noheadings --output name img | grep -c '^k$')" -eq 1 ]
	hwkey luks-open --test img
}

@test "luks-format --force: a format that would fail erases nothing" {
	hwkey generate -q k
	hwkey luks-format -q --size 32M img k
	run hwkey luks-format --batch --force img k --cipher nocipher-xts-plain64
	[ "$status" -ne 0 ]
	hwkey luks-open --test img
	fails 2 'no cipher specification' hwkey luks-format --batch --force img k --cipher aes
	hwkey luks-open --test img
}

@test "luks-format: a volume too small for header and data is refused and not made" {
	hwkey generate -q k
	fails 8 'header alone takes 16 MiB' hwkey luks-format --size 16M img k
	[ ! -e img ]
	truncate -s 1M small
	fails 8 'header alone takes 16 MiB' hwkey luks-format small k
	[ "$(stat -c %s small)" -eq 1048576 ]
}

@test "rewrap: renews the keyslots on the key's volumes, and says which it could not" {
	hwkey change vol1 --volumes "$img:data,$BATS_TEST_TMPDIR/gone:gone"
	format --recovery --output recovery
	token() { cryptsetup luksDump --dump-json-metadata "$img" | grep '"blob"'; }
	before=$(token)
	run hwkey rewrap --to-new vol1
	[ "$status" -eq 5 ]
	[[ $output == *"volume '$BATS_TEST_TMPDIR/gone' of key 'vol1' is not renewed"* ]]
	hwkey rewrap --all --plan | grep -q "vol1 .*renew volumes  *$BATS_TEST_TMPDIR/gone:gone"
	[ "$before" != "$(token)" ]
	hwkey luks-open --test "$img"
	cryptsetup open --test-passphrase --key-file recovery "$img"
	[ "$(hwkey luks-status --raw --noheadings --output name "$img" | grep -c vol1)" -eq 1 ]
}

@test "validate: finds a header with the pattern of another key" {
	hwkey change vol1 --volumes "$img:data"
	format
	hwkey validate vol1
	hwkey generate -q other
	hwkey setvp --force "$img" other
	run hwkey validate vol1
	[ "$status" -eq 6 ]
	[[ $output == *"the header of '$img' has the verification pattern of another key"* ]]
}
