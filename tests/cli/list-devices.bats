# list-devices: Crypto Express as lszcrypt shows it, captured machines, hostile attributes
setup() {
	load helpers
	root=$BATS_TEST_TMPDIR/root
	ap=$root/sys/devices/ap
}

machine() { "$top/tests/machines/unpack" "$top/tests/machines/$1.machine" "$root"; }
lszcrypt() { hwkey list-devices --sysroot "$root" --lszcrypt "$@"; }

# golden WORDS: what lszcrypt 2.43 printed for them on the machine z16-mixed.
golden() { awk -v words="\$ lszcrypt${1:+ $1}" '$0 == words { on = 1; next } /^\[rc=/ { on = 0 } on' "$top/tests/data/lszcrypt/golden"; }

# value ID COLUMN: of a card or queue in the table of list-devices -V.
value() { hwkey list-devices --sysroot "$root" -V "$1" --raw --noheadings --output "$2" 2>/dev/null | head -n 1; }

@test "lszcrypt's text, byte for byte" {
	machine z16-mixed
	for words in '' -V -s -b '-c 0' '-c 2' '-c 3' '-c 00.0011' '-c 02.0011' .0011 02 '--ccaonly --queueonly -V'; do
		[ "$(golden "$words" | wc -l)" -gt 1 ]
		# shellcheck disable=SC2086
		cmp <(golden "$words") <(lszcrypt $words)
		# shellcheck disable=SC2086
		cmp <(golden "$words") <(HWKEY_SYSROOT='' SYSFS_ROOT=$root/sys hwkey list-devices --lszcrypt $words)
	done
	cmp <(golden 09) <(lszcrypt 09 2>/dev/null || true)
}

@test "lszcrypt's text: domains, from both masks" {
	machine z16-mixed
	lszcrypt -d >"$BATS_TEST_TMPDIR/out"
	[ "$(sed -n 1,2p "$BATS_TEST_TMPDIR/out" | tr -d '\n')" = 'DOMAIN 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f------------------------------------------------------' ]
	grep -qx '    10  \.  B  B  C  \.  \.  \.  \.  \.  \.  \.  \.  \.  \.  \.  \.' "$BATS_TEST_TMPDIR/out"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 22 ]
	echo 0x12 >"$root/sys/bus/ap/ap_usage_domain_mask"
	fails 5 'mask of usage domains' hwkey list-devices --sysroot "$root" -d
}

@test "lszcrypt's text: bits of one, two, many cards; the secure-execution column" {
	"$top/tests/machines/ap-tree" "$root" 9 11
	lszcrypt -V >"$BATS_TEST_TMPDIR/out"
	[ "$(head -n 1 "$BATS_TEST_TMPDIR/out")" = 'CARD.DOM TYPE  MODE        STATUS     REQUESTS  PENDING HWTYPE QDEPTH FUNCTIONS  DRIVER      SESTAT     ' ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq $((2 + 9 + 9 * 11)) ]
	grep -qx '07       CEX8A Accelerator online          372        0     14     07 SMC-A-N-F- cex4card    -          ' "$BATS_TEST_TMPDIR/out"
	grep -qx '03.0004  CEX8P EP11-Coproc offline           0        0     14     07 SMC--XN-F- cex4queue   usable     ' "$BATS_TEST_TMPDIR/out"
	for pair in '0xF2804000 bound' '0xF2808000 unbound' '0xF280C000 illicit' '0x00000000 invalid'; do
		rm "$ap/card00/00.0000/ap_functions"
		echo "${pair% *}" >"$ap/card00/00.0000/ap_functions"
		[ "$(value 00.0000 sestat)" = "${pair#* }" ]
	done
	rm "$ap/card00/00.0000/ap_functions"
	[ "$(value 00.0000 sestat)" = error ]
}

@test "status: offline, deconfigured, check-stopped, a guest's" {
	machine z16-mixed
	[ "$(value 03.0011 status)" = offline ]
	[ "$(value 00.0012 status,driver)" = 'in\x20use vfio_ap' ]
	echo 0 >"$ap/card01/01.0011/online"
	echo 1 >"$ap/card01/01.0011/chkstop"
	[ "$(value 01.0011 status)" = chkstop ]
	echo 0 >"$ap/card01/01.0011/config"
	[ "$(value 01.0011 status,requests)" = 'deconfig -' ]
	hwkey list-devices --sysroot "$root" --raw --noheadings --output device,state,can,remark | grep -qx '01.0011 offline - its\\x20card\\x20is\\x20not\\x20configured'
}

@test "filters, the tree, JSON" {
	machine z16-mixed
	list() { hwkey list-devices --sysroot "$root" --noheadings --raw --output card.dom "$@" | tr '\n' ' '; }
	[ "$(list --ccaonly)" = '00 00.0011 00.0012 01 01.0011 ' ]
	[ "$(list --ep11only --queueonly)" = '02.0011 ' ]
	[ "$(list --accelonly --cardonly)" = '03 ' ]
	[ "$(list --cardonly)" = '00 01 02 03 ' ]
	fails 2 'only one of' hwkey list-devices --sysroot "$root" --ccaonly --ep11only
	fails 2 'only one of' hwkey list-devices --sysroot "$root" --cardonly --queueonly
	hwkey list-devices --sysroot "$root" --tree --json |
		jq -e '.devices | map(select(.device == "00")) | .[0].children | map(.device) == ["00.0011", "00.0012"]'
	hwkey list-devices --sysroot "$root" -V --json | jq -e '."crypto-express" | map(select(."card.dom" == "03"))[0] |
		.mode == "Accelerator" and .requests == 372 and .pending == 2 and .driver == "cex4card"'
}

@test "-V beside Crypto Express: the other trust sources, or what was asked for" {
	machine z16-mixed
	both() { hwkey list-devices --sysroot "$root" -V --json "$@" | jq -e "$filter"; }
	filter='keys == ["crypto-express", "devices"] and (."crypto-express" | length == 10) and
		(.devices | map(.device) == ["pkey", "z90crypt", "local"]) and
		(.devices[2].details | map(startswith("secure boot: ")) == [true])' both
	filter='keys == ["crypto-express"] and (."crypto-express" | map(."card.dom") == ["03.0011", "01", "01.0011"])' both 03.0011 01
	filter='keys == ["devices"] and (.devices | map(.device) == ["local"])' both local
	filter='(."crypto-express" | map(."card.dom") == ["03.0011"]) and (.devices | map(.device) == ["pkey"])' both pkey 03.0011
	[ "$(hwkey list-devices --sysroot "$root" -V --noheadings --output device,state pkey | xargs)" = 'pkey online' ]
	[ "$(hwkey list-devices --sysroot "$root" -V | grep -c '^$')" -eq 1 ]
	fails 3 "no device 'pkei' here" hwkey list-devices --sysroot "$root" -V 01 pkei
}

@test "--mkvp asks for the registers, nothing else does" {
	machine z16-mixed
	hwkey list-devices --sysroot "$root" --mkvp --json | jq -e '."crypto-express" | map(select(."card.dom" == "00.0011"))[0].mkvps |
		.[1] == "AES CUR: valid 71ecf46a35bd8924" and .[8] == "ASYM OLD: invalid 00000000000000000000000000000000"'
	for words in '' -V --tree --json --lszcrypt '--lszcrypt -V' --ccaonly; do
		# shellcheck disable=SC2086
		run strace -f -e trace=openat,open -o "$BATS_TEST_TMPDIR/trace" hwkey list-devices --sysroot "$root" $words
		[ "$status" -eq 0 ]
		grep -q 'online' "$BATS_TEST_TMPDIR/trace"
		[ "$(grep -cE 'mkvps|serialnr' "$BATS_TEST_TMPDIR/trace")" -eq 0 ]
	done
}

@test "what is not there: AP bus, device, directory, form" {
	mkdir -p "$root/sys"
	fails 5 'no AP bus' hwkey list-devices --sysroot "$root" --lszcrypt
	fails 3 'cannot look into' hwkey list-devices --sysroot "$root/none"
	machine z16-mixed
	fails 3 "no device '00.0099'" hwkey list-devices --sysroot "$root" --ccaonly 00.0099
	fails 2 'is no card' hwkey list-devices --sysroot "$root" --ccaonly ../card00
	fails 2 'one form' hwkey list-devices --sysroot "$root" --lszcrypt --json
	fails 2 'only one of --bus' hwkey list-devices --sysroot "$root" -b -d
}

@test "attributes missing, empty, too long, unreadable, no text: the row says what is unknown" {
	machine z16-mixed
	q=$ap/card00/00.0011
	for make in 'rm %' ': >%' 'head -c 5000 /dev/zero | tr "\0" 7 >%' 'printf "\377\376\n" >%' 'rm %; mkdir %' 'rm %; ln -s nowhere %' 'rm %; mkfifo %'; do
		rm -rf "$root" && machine z16-mixed
		for file in online request_count pendingq_count; do
			bash -c "${make//%/$q/$file}"
		done
		for file in type hwtype depth ap_functions; do
			bash -c "${make//%/$ap/card02/$file}"
		done
		run hwkey list-devices --sysroot "$root" -V --json
		[ "$status" -eq 0 ]
		jq -e '."crypto-express" | map(select(."card.dom" == "00.0011"))[0] | .status == null and .requests == null and .pending == null' <<<"$output"
		jq -e '."crypto-express" | map(select(."card.dom" == "02"))[0] | .mode == "Unknown" and .hwtype == null and .qdepth == null' <<<"$output"
		hwkey list-devices --sysroot "$root" --lszcrypt -V >/dev/null
		hwkey list-devices --sysroot "$root" >/dev/null
	done
}

@test "queues that go away while they are listed" {
	"$top/tests/machines/ap-tree" "$root" 4 8
	( for i in $(seq 40); do mv "$ap/card01" "$BATS_TEST_TMPDIR/away"; mv "$BATS_TEST_TMPDIR/away" "$ap/card01"; done ) &
	for i in $(seq 40); do
		hwkey list-devices --sysroot "$root" --lszcrypt -V >/dev/null
	done
	wait
}

@test "a device that can only be listed is offered for nothing" {
	machine z16-mixed
	export HWKEY_SYSROOT=$root
	mkdir -p "$root/run" "$root/proc/sys/kernel/random"
	cp /proc/sys/kernel/random/boot_id "$root/proc/sys/kernel/random"
	hwkey generate -q k
	[[ $(hwkey show k) == *HWKEY-LOCAL* ]]
	fails 5 'no device' hwkey generate -q --device 00.0011 k2
	cp "$top"/tests/data/zkey-repository/* "$HWKEY_REPOSITORY"
	fails 5 "can only be listed so far" hwkey rewrap cbc_cipher
	hwkey doctor | grep -q '^cex  *ok '
}

# watch OPTION...: from when it returns its lines go to $log. says WORDS: they come.
watch() {
	log=$BATS_TEST_TMPDIR/log
	: >"$log"
	HWKEY_SYSROOT='' env --default-signal=HUP hwkey list-devices --watch --interval 1 "$@" >"$log" 3>&- &
	watcher=$!
	says '^(TIME|EVENT)'
}
says() {
	local n
	for ((n = 0; n < 250; n++)); do
		! grep -qE -e "$1" "$log" || return 0
		sleep 0.02
	done
	cat "$log" >&2
	return 1
}

@test "watch: the keystore, which no event tells, line by line" {
	watch
	HWKEY_SYSROOT='' hwkey generate -q k
	says '^[0-9-]{10}T[0-9:]{8}Z change +local +soft +software keystore online +protection: '
	rm "$HWKEY_PKS_DIR"/system/local.[AB]
	says ' error +damaged: '
	rm -r "$HWKEY_PKS_DIR"
	says ' error +.*is missing and key'
	kill -TERM "$watcher"
	wait "$watcher"
	[ "$(wc -l <"$log")" -eq 4 ]
}

@test "watch: only those asked for, chosen columns, raw; JSON is an object a line" {
	cd "$BATS_TEST_TMPDIR"
	watch --output event,device,remark --raw local
	HWKEY_SYSROOT='' hwkey generate -q k
	says '^change local protection:\\x20plain'
	kill -HUP "$watcher"
	wait "$watcher"
	watch none
	HWKEY_SYSROOT='' hwkey list-devices --watch --interval 1 --json >"$BATS_TEST_TMPDIR/json" 3>&- &
	# JSON has no first line to wait for: the keystore goes and comes until one going is told.
	until grep -q 'is missing' "$BATS_TEST_TMPDIR/json"; do
		[ -d away ] && mv away "$HWKEY_PKS_DIR" || mv "$HWKEY_PKS_DIR" away
		for _ in {1..15}; do ! grep -q 'is missing' "$BATS_TEST_TMPDIR/json" && sleep 0.1; done
	done
	kill $!
	wait $!
	kill -TERM "$watcher"
	wait "$watcher"
	[ "$(wc -l <"$log")" -eq 1 ]
	jq -se '.[-1] | .event == "change" and .device == "local" and .state == "error" and (.remark | contains("is missing"))' "$BATS_TEST_TMPDIR/json"
	[ "$(jq -s length "$BATS_TEST_TMPDIR/json")" -eq "$(wc -l <"$BATS_TEST_TMPDIR/json")" ]
}

@test "watch: ends with its reader, and with a signal that is not ignored" {
	unset HWKEY_SYSROOT
	[[ $(timeout 5 bash -o pipefail -c 'hwkey list-devices --watch | head -n 1' 3>&-) == TIME* ]]
	timeout --preserve-status -s INT 0.5 hwkey list-devices --watch 3>&-
	(trap '' HUP; timeout --preserve-status -s HUP -k 0.5 0.5 hwkey list-devices --watch 3>&-) || [ $? -eq 137 ]
	fails 8 'cannot write to standard output' bash -c 'hwkey list-devices --watch >/dev/full' 3>&-
	for words in --tree --mkvp --lszcrypt -b --ccaonly; do
		fails 2 'in a form of its own' hwkey list-devices --watch $words
	done
	fails 2 'is no interval' hwkey list-devices --watch --interval 0
	fails 2 'goes with --watch' hwkey list-devices --interval 5
	fails 2 'does not change' hwkey list-devices --watch --sysroot /
}
