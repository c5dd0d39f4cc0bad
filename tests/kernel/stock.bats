#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Debian's own kernel, with the modules, the device nodes and the options that users have, in a machine that QEMU emulates.

# bats file_tags=stock

setup() {
	load helpers
	home=$BATS_TEST_TMPDIR/machine	# of the test's machine
	disk=$BATS_TEST_TMPDIR/disk
	mkdir "$home"
}

# here COMMAND...: on this machine, with the repository and the keystore of the guest
here() {
	PATH=$(dirname "$(readlink -f "$B/hwkey")"):$PATH HWKEY_REPOSITORY=$home/repository HWKEY_PKS_DIR=$home/pks "$@"
}

@test "stock kernel: a fresh machine makes a volume, systemd opens it by crypttab, and after a reboot it opens alone" {
	truncate -s 64M "$disk"
	guest -d "$disk" <<-'EOF'
		# nothing is loaded yet, and nobody loads it by hand: doctor finds what the kernel can load
		[ -z "$(sed -n /^dm_/p /proc/modules)" ]
		hwkey doctor >found
		grep -q '^dm-crypt  *ok' found
		grep -q '^token plug-in  *ok' found
		grep -q '^soft:local  *ok' found
		[ -z "$(sed -n '/ bad /p' found)" ]
		# what Debian's kernel has no code for is said to be absent, not broken
		fails 1 'No such device' keyctl add trusted k 'new 32' @u

		hwkey generate -q disk1 --volumes /dev/vda:data
		hwkey luks-format -q /dev/vda disk1
		# the line of crypttab, through systemd's own generator, to the command that it runs at boot
		hwkey crypttab >/etc/crypttab
		grep -q "^data	UUID=$(cryptsetup luksUUID /dev/vda)	none	luks$" /etc/crypttab
		mkdir units /dev/disk /dev/disk/by-uuid
		ln -s /dev/vda "/dev/disk/by-uuid/$(cryptsetup luksUUID /dev/vda)"	# udev's part
		/lib/systemd/system-generators/systemd-cryptsetup-generator units units units
		sed -n 's/^ExecStart=//p' units/systemd-cryptsetup@data.service >start
		grep -q '/systemd-cryptsetup attach ' start
		. ./start
		mkfs.ext4 -q /dev/mapper/data
		mount /dev/mapper/data /mnt
		echo hello >/mnt/file
		umount /mnt
		/lib/systemd/systemd-cryptsetup detach data
		[ ! -e /dev/mapper/data ]
	EOF
	guest -d "$disk" <<-'EOF'
		hwkey luks-open --readonly /dev/vda data
		mount -o ro /dev/mapper/data /mnt
		[ "$(cat /mnt/file)" = hello ]
		umount /mnt
		cryptsetup close data
		# the key never was in a table that can be read
		hwkey luks-open /dev/vda data
		dmsetup table --showkeys data | grep -q ' :64:logon:cryptsetup:'
		cryptsetup close data
		# with another keystore nothing opens it
		export HWKEY_PKS_DIR=/state/other HWKEY_REPOSITORY=/state/repository.other
		hwkey generate -q theirs
		fails 4 'another keystore' hwkey luks-open /dev/vda data
		status=0
		cryptsetup open --token-only /dev/vda data || status=$?
		[ "$status" -ne 0 ] && [ ! -e /dev/mapper/data ]
	EOF
}

@test "stock kernel: the volume that another kernel made and filled opens, and the other way round" {
	RING=uml guest <<-'EOF'
		d=$(disk img)
		hwkey generate -q disk1
		hwkey luks-format -q "$d" disk1
		cryptsetup open --token-only "$d" data
		mkfs.ext4 -q /dev/mapper/data
		mount /dev/mapper/data /mnt
		echo hello >/mnt/file
		umount /mnt
		cryptsetup close data
	EOF
	guest -d "$home/img" <<-'EOF'
		cryptsetup open --token-only /dev/vda data
		mount -o ro /dev/mapper/data /mnt
		[ "$(cat /mnt/file)" = hello ]
		umount /mnt
		cryptsetup close data
		hwkey generate -q disk2
		hwkey luks-enroll -q /dev/vda disk2
		hwkey luks-unenroll -q /dev/vda disk1
	EOF
	here "$top/tests/with-plugin" cryptsetup open --token-only --test-passphrase "$home/img"
	here hwkey luks-open --test "$home/img" | grep -q disk2
}

@test "stock kernel: a guest that dies or hangs is a failure, and says so" {
	run guest <<<'echo c >/proc/sysrq-trigger'
	[ "$status" -eq 125 ]
	[[ $output == *'the kernel died before the script was done'*'Kernel panic'* ]]
	run guest -t 4 <<<'sleep 1000'
	[ "$status" -eq 124 ]
	[[ $output == *'not done after 4 s'* ]]
}
