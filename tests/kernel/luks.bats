#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# LUKS2 volumes on a real device-mapper: by plain cryptsetup with the token plug-in, and by hwkey itself.

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
@test "a volume made, opened by cryptsetup and written; after a reboot read by hwkey luks-open and by cryptsetup" {
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
EOF
}
