#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# list-devices --watch: events of a real kernel, from its simulated AP bus and a TPM that comes and goes.

setup() {
	load helpers
	mkdir -p "$BATS_TEST_TMPDIR/machine/bin"
	cp "$B"/sim/cards "$BATS_TEST_TMPDIR/machine/bin"
	cat >"$BATS_TEST_TMPDIR/machine/cards" <<'EOF'
card 00 cca 8 93AABE12 1 1 0
card 01 cca 8 93AABE13 1 1 0
queue 00.0011 1 1 0 0
queue 00.0012 1 1 0 1
queue 01.0011 1 1 0 0
EOF
	# watch OPTION...: listens from when it returns. says EVENT DEVICE WORDS: a line with them comes.
	cat >"$BATS_TEST_TMPDIR/watch.bash" <<'EOF'
log=/state/log
watch() {
	: >$log
	hwkey list-devices --watch "$@" >$log &
	watcher=$!
	wait_for '^TIME'
}
wait_for() {
	for ((n = 0; n < 250; n++)); do
		! grep -qE -e "$1" $log || return 0
		sleep 0.02
	done
	echo "no '$1' in:" >&2
	cat $log >&2
	return 1
}
says() { wait_for "^[0-9TZ:-]+ $1 +$2 +[a-z0-9]+ .*${3-}"; }
watch_end() { kill -TERM $watcher && wait $watcher; }
EOF
}

machine_z() { cat "$top/tests/kernel/cards.bash" "$BATS_TEST_TMPDIR/watch.bash" - | guest; }

# What udevd passes on is heard only where it runs: both ways are tested with the same changes.
changes='
	watch --interval 3600
	echo 0 >$queues/00.0011/online
	echo 1 >$queues/00.0011/online
	says online=0 00.0011
	says online=1 00.0011 "online +CCA"
	echo 0 >$queues/card01/online
	says online=0 01 "offline +set offline"
	says online=0 01.0011 "offline +set offline"
	echo "config 0" >$queues/card00/sim
	says config=0 00 "offline +not configured"
	says config=0 00.0011 "offline +its card is not configured"
	says config=0 00.0012 "offline +its card"
	echo "config 1" >$queues/card00/sim
	says config=1 00.0011 "online +CCA"
	echo 00.0011 >/sys/bus/ap/drivers/cex4queue/unbind
	says driver=none 00.0011
	echo 00.0011 >/sys/bus/ap/drivers/cex4queue/bind
	says driver=cex4queue 00.0011 online
	pkill -x cards
	says remove 00.0012 gone
	says remove 01 gone
	cards /state
	says add 01.0011
	says driver=vfio_ap 00.0012 "in use by a guest"
	watch_end
	[ "$(grep -c " online=" $log)" -eq 4 ]
	[ "$(grep -c " remove " $log)" -eq 5 ]
'

@test "watch: each change of a queue, a card, a driver; cards that go and come" {
	machine_z <<<"$changes"
}

@test "watch: what udevd passes on" {
	machine_z <<<"/lib/systemd/systemd-udevd --daemon $changes"
}

@test "watch: a check-stop is no event, and told all the same; those asked for alone; as any user" {
	machine_z <<'EOF'
	watch --interval 1 00.0011 tpm0
	echo 'checkstop 1' >$queues/01.0011/sim
	echo 'checkstop 1' >$queues/00.0011/sim
	says change 00.0011 'offline check-stopped'
	echo 'checkstop 0' >$queues/00.0011/sim
	says change 00.0011 online
	[ "$(grep -c 01.0011 $log)" -eq 0 ]
	watch_end
	: >$log
	setpriv --reuid 1234 --clear-groups hwkey list-devices --watch --interval 3600 >$log &
	watcher=$!
	wait_for ^TIME
	echo 0 >$queues/00.0011/online
	says online=0 00.0011 offline
	watch_end
EOF
}

@test "watch: a TPM comes and goes; JSON is an object a line" {
	machine_z <<'EOF'
	hwkey list-devices --watch --interval 3600 --json >json &
	json=$!
	watch --interval 3600
	mkdir /state/tpm
	swtpm chardev --vtpm-proxy --tpm2 --tpmstate dir=/state/tpm --flags startup-clear --daemon --pid file=/state/tpm/pid
	says add tpm0
	wait_for 'tpm0 .*TPM 2.0 +online'
	kill "$(cat /state/tpm/pid)"
	says remove tpm0 gone
	watch_end
	kill -TERM $json
	wait $json
	jq -se 'map(select(.device == "tpm0")) | .[0].event == "add" and .[-1].event == "remove" and .[-1].state == "gone"' json
	[ "$(jq -s length json)" -eq "$(wc -l <json)" ]
EOF
}
