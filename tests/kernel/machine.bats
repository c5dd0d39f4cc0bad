#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A machine as it is after 'make install': default places, root and a normal user, secrets in memory.

setup() { load helpers; }

# What each of these begins with: nothing but the defaults, and a normal user.
defaults='unset HWKEY_REPOSITORY HWKEY_PKS_DIR; user() { setpriv --reuid 1234 --regid 1234 --clear-groups -- "$@"; }'

@test "root's repository, keystore and keys are root's alone, whatever the umask" {
	guest <<EOF
	$defaults
	umask 0
	hwkey generate -q vol1
	[ -z "\$(find /etc/hwkey /var/lib/hwkey -perm /077)" ]
	hwkey doctor
	chmod 777 /etc/hwkey/repository
	fails 4 'chmod o-w' hwkey list
	fails 4 'must be mended' hwkey doctor
EOF
}

@test "a normal user reads none of it, and has places of his own" {
	guest <<EOF
	$defaults
	hwkey generate -q vol1
	hwkey luks-format -q --size 20M /tmp/img vol1
	chmod 666 /tmp/img
	for command in list 'show vol1' 'generate -q x' 'luks-open --test /tmp/img'; do
		fails 4 'Permission denied' user hwkey \$command
	done
	fails 4 'must be mended' user hwkey doctor
	user hwkey list-devices | grep -q 'local *soft .*no permission to look'
	export HWKEY_REPOSITORY=/tmp/r HWKEY_PKS_DIR=/tmp/p
	user hwkey generate -q mine
	[ "\$(stat -c '%u %a' /tmp/r /tmp/p | sort -u)" = '1234 700' ]
	user hwkey doctor
	user hwkey luks-format -q --size 20M /tmp/his mine
	user hwkey luks-open --test -q /tmp/his
	fails 4 '/dev/mapper/control' user hwkey luks-open --batch /tmp/his v
EOF
}

@test "secrets in memory are locked, in no core file, and lost to a child; with no right to lock it still works" {
	guest <<EOF
	$defaults
	hwkey generate -q vol1
	hwkey luks-format -q --size 20M /tmp/img vol1
	ulimit -c unlimited
	echo /run/core >/proc/sys/kernel/core_pattern
	( trap - ERR; sh -c 'kill -SEGV \$\$' || : ) 2>/dev/null
	rm /run/core		# this kernel writes core files
	mkfifo fifo
	exec 5<>fifo		# it reads, and waits for the end of the passphrase
	hwkey luks-open --key-file fifo /tmp/img v &
	echo -n 'a secret' >&5
	n=0
	until grep -q '^0::\|pipe_read\|wait' /proc/\$!/wchan 2>/dev/null || [ \$n -gt 50 ]; do n=\$((n + 1)); sleep 0.02; done
	awk '/^[0-9a-f]+-/ { map = \$0 } /^VmFlags/ && / lo/ && / dd/ && / wf/ { found++ } map ~ /secretmem/ { found++ }
		END { exit !found }' /proc/\$!/smaps
	kill -SEGV \$!
	wait \$! 2>/dev/null || [ \$? -eq 139 ]
	[ ! -e /run/core ]

	export HWKEY_REPOSITORY=/tmp/r HWKEY_PKS_DIR=/tmp/p
	ulimit -l 0
	user hwkey generate -q mine
	user hwkey luks-format -q --size 20M /tmp/his mine
EOF
}

@test "doctor and list-devices on a bare machine" {
	guest <<EOF
	$defaults
	hwkey doctor >out
	grep -q 'token plug-in ok' out
	grep -q 'dm-crypt *ok' out
	hwkey list-devices | grep -q '^local *soft'
EOF
}
