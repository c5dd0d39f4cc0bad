#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The runner itself: what a guest says, how it ends, and that it boots every time.

setup() { load helpers; }

@test "output, error output and status are the script's; arguments arrive" {
	run --separate-stderr -7 guest -- 'a b' "c'd" <<'EOF'
	printf '[%s]' "$@"
	echo complaint >&2
	exit 7
EOF
	[ "$output" = "[a b][c'd]" ]
	[ "$stderr" = complaint ]
}

@test "a panic is status 125, a hang is 124; both show the kernel's log" {
	run -125 guest <<'EOF'
	echo c >/proc/sysrq-trigger
EOF
	[[ $output = *'died before the script was done'*'Kernel panic'* ]]
	run -124 guest -t 2 <<'EOF'
	sleep 60
EOF
	[[ $output = *'not done after 2 s'* ]]
}

@test "a kernel in the cache that is not whole is not booted" {
	kernel=${LAB_KERNEL:-$("$top/tests/kernel/modules-build")}
	export XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache
	unset LAB_KERNEL
	copy=$XDG_CACHE_HOME/hwkey-lab/$(basename "$(dirname "$kernel")")
	mkdir -p "$copy"
	cp -a "$kernel" "$kernel/../linux" "$copy"
	guest <<<true
	truncate -s -1 "$copy/linux"
	run -125 guest <<<true
	[ "$output" = "lab: '$copy/${kernel##*/}' is damaged: remove it, and it is made anew" ]
}

@test "the host's files are not written; the state directory is, and outlives a reboot" {
	guest <<'EOF'
	echo x >/etc/hwkey-lab-was-here
	echo y >/state/file
EOF
	[ ! -e /etc/hwkey-lab-was-here ]
	[ "$(cat "$BATS_TEST_TMPDIR/machine/file")" = y ]
	guest <<'EOF'
	[ ! -e /etc/hwkey-lab-was-here ]
	[ "$(cat /state/file)" = y ]
EOF
}

@test "BOOTS boots in a row (3)" {
	for ((i = 0; i < ${BOOTS:-3}; i++)); do
		guest -t 30 <<<'[ "$(stat -f -c %T /)" = overlayfs ] && true >>/state/boots && echo >>/state/boots'
	done
	[ "$(wc -l <"$BATS_TEST_TMPDIR/machine/boots")" -eq "${BOOTS:-3}" ]
}
