#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# LUKS2 volumes on a real device-mapper: by plain cryptsetup with the token plug-in, and by hwkey itself. No udevd is there.

setup() { load helpers; }

# A machine with key 'vol1' and a volume that it opens, with a file system and a file in it.
make_volume() {
	guest <<'EOF'
	hwkey generate -q vol1
	d=$(disk img)
	hwkey luks-format -q "$d" vol1
	cryptsetup open --token-only "$d" v
	mkfs.ext4 -q /dev/mapper/v
	mount /dev/mapper/v /mnt
	echo hello >/mnt/file
	umount /mnt
	cryptsetup close v
EOF
}

# bats test_tags=stock
@test "a volume written under cryptsetup is read after a reboot, opened by hwkey luks-open and by cryptsetup" {
	make_volume
	guest <<'EOF'
	d=$(disk img)
	hwkey luks-open "$d" v
	mount /dev/mapper/v /mnt
	[ "$(cat /mnt/file)" = hello ]
	echo again >/mnt/file
	umount /mnt
	cryptsetup close v
	cryptsetup open --token-only "$d" v
	mount -o ro /dev/mapper/v /mnt
	[ "$(cat /mnt/file)" = again ]
	umount /mnt
	cryptsetup close v
	# the image itself, which libcryptsetup attaches to a loop device and lets go of
	losetup -d "$d"
	hwkey luks-open --readonly /state/img v
	[ "$(blockdev --getro /dev/mapper/v)" = 1 ]
	cryptsetup close v
	[ -z "$(losetup -a)" ]
	# by the key alone, when the token is lost
	cryptsetup token remove --token-id 0 /state/img
	fails 4 "no token opens '/state/img'" hwkey luks-open --batch /state/img v
	hwkey luks-open --key vol1 /state/img v
	cryptsetup close v
EOF
}

@test "another machine is refused, by hwkey with status 4 and by cryptsetup, and maps nothing" {
	make_volume
	on thief guest <<'EOF'
	:
EOF
	mv "$BATS_TEST_TMPDIR/machine/img" "$BATS_TEST_TMPDIR/thief"
	on thief guest <<'EOF'
	d=$(disk img)
	fails 4 'is not initialised' hwkey luks-open --batch "$d" v
	hwkey generate -q vol1
	fails 4 'another keystore' hwkey luks-open --batch "$d" v
	fails 4 "key 'vol1' does not open" hwkey luks-open --batch --key vol1 "$d" v
	fails 1 "hwkey: token 0 (key 'vol1'):" cryptsetup open --token-only "$d" v
	[ -z "$(dmsetup ls | grep -v 'No devices')" ]
EOF
}

@test "a token that was tampered with is refused, by hwkey and by cryptsetup" {
	make_volume
	guest <<'EOF'
	d=$(disk img)
	cryptsetup token export --token-id 0 "$d" >token
	cryptsetup token remove --token-id 0 "$d"
	# one letter of the sealed passphrase
	python3 - <<'PY'
import json
t = json.load(open('token'))
b = t['blob']
t['blob'] = b[:-12] + ('A' if b[-12] != 'A' else 'B') + b[-11:]
json.dump(t, open('changed', 'w'))
PY
	cryptsetup token import --disable-external-tokens --token-id 0 --json-file changed "$d"
	fails 4 "'$d':" hwkey luks-open --batch "$d" v
	fails 1 "hwkey: token 0 (key 'vol1'):" cryptsetup open --token-only "$d" v
	[ ! -e /dev/mapper/v ]
	cryptsetup token remove --token-id 0 "$d"
	cryptsetup token import --disable-external-tokens --token-id 0 --json-file token "$d"
	hwkey luks-open "$d" v
EOF
}

@test "an open volume: its header can be seen and changed, not its data erased" {
	make_volume
	guest <<'EOF'
	d=$(disk img)
	hwkey luks-open "$d" v
	mount /dev/mapper/v /mnt
	fails 7 'already exists' hwkey luks-open "$d" v
	fails 7 'in use' hwkey luks-open "$d" w
	fails 7 'busy' hwkey luks-format --batch --force "$d" vol1
	fails 7 'busy' hwkey luks-format --batch --force /dev/mapper/v vol1
	hwkey luks-status "$d" | grep -q 'hwkey *vol1'
	# rotation: the mapping goes on, the new key opens from now on, the old one does not
	hwkey generate -q vol2
	hwkey luks-enroll -q "$d" vol2 --replace vol1
	[ "$(cat /mnt/file)" = hello ]
	umount /mnt
	cryptsetup close v
	fails 4 "key 'vol1' does not open" hwkey luks-open --batch --key vol1 "$d" v
	hwkey luks-open --key vol2 "$d" v
	cryptsetup close v
	cryptsetup open --token-only "$d" v
	mount /dev/mapper/v /mnt
	[ "$(cat /mnt/file)" = hello ]
EOF
}

@test "re-encryption to a new volume key, cut short by a reboot: refused meanwhile, and enrolled again after it" {
	make_volume
	guest <<'EOF'
	d=$(disk img)
	hwkey luks-recovery -q "$d" --output /state/recovery
	slot=$(cryptsetup luksDump --dump-json-metadata "$d" | jq -r '.tokens[] | select(.type == "hwkey-recovery") | .keyslots[0]')
	cryptsetup reencrypt -q --init-only --key-file /state/recovery --key-slot "$slot" "$d"
	fails 7 'being re-encrypted' hwkey luks-enroll -q "$d" vol1
EOF
	guest <<'EOF'
	d=$(disk img)
	fails 7 'being re-encrypted' hwkey luks-open --batch "$d" v
	cryptsetup reencrypt -q --resume-only --key-file /state/recovery "$d"
	# cryptsetup drops the keyslots whose passphrase it was not given
	fails 4 'no token opens' hwkey luks-open --batch "$d" v
	hwkey luks-enroll -q "$d" vol1 --key-file /state/recovery
	hwkey luks-open "$d" v
	mount -o ro /dev/mapper/v /mnt
	[ "$(cat /mnt/file)" = hello ]
EOF
}

@test "what a device cannot do is said before anything is written: too small, read-only, partitioned" {
	guest <<'EOF'
	hwkey generate -q vol1
	d=$(disk small 16M)
	fails 8 '16 MiB' hwkey luks-format -q "$d" vol1

	hwkey luks-format -q --size 20M /state/img vol1
	r=$(losetup -f -r --show /state/img)
	sum=$(sha256sum </state/img)
	fails 4 'read-only' hwkey luks-format --batch --force "$r" vol1
	fails 4 'read-only' hwkey luks-enroll -q "$r" vol1
	fails 4 'read-only' hwkey luks-recovery -q "$r"
	fails 4 'read-only' hwkey luks-unenroll -q "$r" vol1 --force-last
	hwkey luks-open --test -q "$r"
	hwkey luks-status --repair "$r"
	hwkey luks-open "$r" v
	[ "$(blockdev --getro /dev/mapper/v)" = 1 ]
	cryptsetup close v
	losetup -d "$r"
	mount --bind /state /mnt
	mount -o remount,bind,ro /mnt
	fails 4 'Read-only file system' hwkey luks-enroll -q /mnt/img vol1
	umount /mnt
	[ "$(sha256sum </state/img)" = "$sum" ]

	truncate -s 64M /state/disk
	printf 'label: gpt\n2048,32768\n36864,60000\n' | sfdisk -q /state/disk
	p=$(losetup -f -P --show /state/disk)
	fails 7 'partition table (gpt)' hwkey luks-format --batch "$p" vol1
	fails 8 '16 MiB' hwkey luks-format -q "${p}p1" vol1
	hwkey luks-format -q "${p}p2" vol1
	hwkey luks-open "${p}p2" v
	fails 7 'busy' hwkey luks-format --batch --force "$p" vol1
	cryptsetup close v
	hwkey luks-format -q --batch --force "$p" vol1
	[ ! -e "/sys/block/${p##*/}/${p##*/}p2" ]	# or somebody would write through it
EOF
}

@test "a disk of 4096-byte sectors" {
	guest <<'EOF'
	hwkey generate -q vol1
	truncate -s 64M /state/img
	d=$(losetup -f -b 4096 --show /state/img)
	hwkey luks-format -q "$d" vol1
	hwkey luks-open "$d" v
	[ "$(blockdev --getss /dev/mapper/v)" = 4096 ]
	mkfs.ext4 -q /dev/mapper/v
	mount /dev/mapper/v /mnt
EOF
}
