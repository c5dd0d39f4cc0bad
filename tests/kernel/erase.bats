#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# secure-erase where there is a device-mapper to be in its way, and a reboot between its steps.

setup() { load helpers; }

@test "a volume that is mapped is not erased, whether it is a device or an image, and is when it is closed" {
	guest <<'EOF'
	hwkey generate -q vol1
	d=$(disk img)
	hwkey luks-format -q "$d" vol1
	hwkey luks-open -q "$d" v
	fails 7 'in use' hwkey secure-erase -q --i-understand "$d"
	fails 7 'in use' hwkey secure-erase -q --i-understand /state/img
	mkfs.ext4 -q /dev/mapper/v
	cryptsetup close v
	hwkey secure-erase -q --i-understand "$d" >/dev/null
	cmp -n 16777216 "$d" /dev/zero
	losetup -d "$d"
	fails 5 'no LUKS2 volume' hwkey luks-open --batch /state/img v
EOF
}

@test "the keystore's data go after a reboot, from its console" {
	guest <<'EOF'
	echo data | hwkey pks-write -q o -
	fails 4 'this is no terminal' setsid -w hwkey secure-erase --pks --i-understand
	setsid -cw hwkey secure-erase --pks --i-understand --raw </dev/tty0 | grep '^next '
	[ -e /state/pks/.erase/local.A ]
	hwkey secure-erase --pks --raw | grep '^next '
EOF
	guest <<'EOF'
	fails 7 'is being erased' hwkey pks-read o
	hwkey secure-erase --pks --raw | grep '^erased keystore '
	fails 3 'not initialised' hwkey pks-read o
EOF
}
