#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The simulated cards of IBM Z: their bus, /dev/pkey, and volumes that plain cryptsetup opens with their secure keys.

# One machine: two CCA cards and an EP11 one, all under the same master key, a domain under
# another one, and one that a virtual machine has.
setup() {
	load helpers
	mkdir -p "$BATS_TEST_TMPDIR/machine/bin"
	cp "$B"/sim/{cards,pkey,rewrap} "$BATS_TEST_TMPDIR/machine/bin"
	mk=$(printf '%02x' {0..31})
	cat >"$BATS_TEST_TMPDIR/machine/cards" <<EOF
card 00 cca 8 93AABE12 1 1 0
card 01 cca 8 93AABE13 1 1 0
card 02 ep11 8 93AABE14EP110001 1 1 0
queue 00.0011 1 1 0 0
mk 00.0011 cur full $mk
queue 00.0012 1 1 0 0
mk 00.0012 cur full $(printf 'ab%.0s' {1..32})
queue 00.0013 1 1 0 1
queue 01.0011 1 1 0 0
mk 01.0011 cur full $mk
queue 02.0011 1 1 0 0
mk 02.0011 cur full $mk
EOF
}

machine_z() { cat "$top/tests/kernel/cards.bash" - | guest; }

# What 32 zeros of sector 0 become is zkey's verification pattern: these two were measured on real zkey.
@test "what a volume has on disk is AES with the effective key of its tokens" {
	machine_z <<'EOF'
	xts=cd6b103236fbd87dba93e9001e29bc3d5e885d6abd1577e3e0e0a5f49e444894
	cbc=f29000b62a499fd0a9f39a6add2e7780d4e96925c0bfcffb52f8a187ee774aab
	for type in data cipher ep11; do
		keys $type pair
		d=$(disk $type)
		format "$d" pair paes-xts-plain64
		luks_open "$d" v
		dmsetup table v | grep -q ' crypt paes-xts-plain64 '
		head -c 4096 /dev/zero >/dev/mapper/v
		[ "$(on_disk "$d" 32)" = $xts ]

		key $type 0 >single
		d=$(disk $type-cbc)
		format "$d" single paes-cbc-plain64
		luks_open "$d" w
		head -c 4096 /dev/zero >/dev/mapper/w
		[ "$(on_disk "$d" 32)" = $cbc ]
		cryptsetup close v
		cryptsetup close w
		[ "$(pkey pattern xts <pair)" = $xts ]		# and by AF_ALG
		[ "$(pkey pattern cbc <single)" = $cbc ]
	done
EOF
}

@test "a volume with a generated key: file system, reboot, read back; and all of it is aes-xts-plain64" {
	machine_z <<'EOF'
	for half in 1 2; do pkey generate cipher 256 00.0011; done >pair
	d=$(disk img)
	format "$d" pair paes-xts-plain64
	luks_open "$d" v
	mkfs.ext4 -q /dev/mapper/v
	mount /dev/mapper/v /mnt
	seq 1 20000 >/mnt/file
	umount /mnt
	cryptsetup close v
EOF
	machine_z <<'EOF'
	d=$(disk img)
	luks_open "$d" v
	mount -o ro /dev/mapper/v /mnt
	cmp /mnt/file <(seq 1 20000)
	umount /mnt
	cryptsetup close v
	keys cipher pair		# and a known one
	format "$d" pair paes-xts-plain64
	luks_open "$d" v
	mkfs.ext4 -q /dev/mapper/v
	for ((i = 0; i < 64; i++)); do printf "\\x$(printf %02x "$i")"; done >clear
	offset=$(cryptsetup luksDump --dump-json-metadata "$d" | jq -r '.segments."0".offset')
	cryptsetup open --type plain --cipher aes-xts-plain64 --key-file clear --key-size 512 --offset $((offset / 512)) \
		--readonly --shared "$d" plain
	cmp /dev/mapper/v /dev/mapper/plain
EOF
}

@test "a clear key, and tokens that are none, are refused" {
	machine_z <<'EOF'
	d=$(disk img)
	map() { dmsetup create v --table "0 8192 crypt paes-xts-plain64 $(hex key) 0 $d 0" 2>&1; }
	refused() { local said; ! said=$(map) && [[ $said = *": $1"* ]] || { echo "$said" >&2; false; }; }
	keys cipher key
	map
	dmsetup remove v
	truncate -s 136 key
	refused 'Invalid argument'
	head -c 64 /dev/urandom >key
	refused 'Invalid argument'
	head -c 272 /dev/urandom >key
	refused 'Invalid argument'
	keys cipher key
	printf '\xff\xff\xff\xff' | dd of=key bs=1 seek=100 conv=notrunc status=none
	refused 'Input/output error'
EOF
}

@test "a key outlives one change of a CCA master key, not two, and none of EP11's" {
	machine_z <<'EOF'
	keys cipher cca
	keys ep11 ep11
	c=$(disk c)
	e=$(disk e)
	format "$c" cca paes-xts-plain64
	format "$e" ep11 paes-xts-plain64
	for q in 00.0011 01.0011 02.0011; do change $q 21; done
	[ "$(head -c 136 cca | pkey verify)" = '00.0011 2 256 old' ]
	luks_open "$c" v
	cryptsetup close v
	fails 4 'Invalid argument' luks_open "$e" v
	change 00.0011 22
	luks_open "$c" v		# the other card still has it
	cryptsetup close v
	change 01.0011 22
	fails 4 'Invalid argument' luks_open "$c" v
	fails 1 ENODEV pkey verify <cca
EOF
	machine_z <<'EOF'
	c=$(disk c)
	fails 4 'Invalid argument' luks_open "$c" v	# the cards remember
EOF
}

@test "a re-enciphered key opens the same data when the old one is dead" {
	machine_z <<'EOF'
	plain() { cryptsetup open --type plain --cipher paes-xts-plain64 --key-file "$1" --key-size 2176 "$d" v; }
	new() { printf 'new %s\n' "$(printf "$2%.0s" {1..32})" >$queues/$1/sim; }
	keys cipher first
	d=$(disk img 1M)
	plain first
	echo hello | dd of=/dev/mapper/v status=none conv=notrunc
	cryptsetup close v
	for q in 00.0011 01.0011; do new $q 31; done
	fails 1 EIO rewrap /state 00.0012 to-new <first		# another master key there, and nothing new
	rewrap /state 00.0011 to-new <first >second
	fails 4 'Invalid argument' plain second			# not yet
	for q in 00.0011 01.0011; do echo activate >$queues/$q/sim; done
	plain second
	cryptsetup close v
	rewrap /state 01.0011 from-old <first >late
	[ "$(head -c 136 late | pkey verify)" = '00.0011 2 256 cur' ]
	for q in 00.0011 01.0011; do new $q 32; done
	rewrap /state 01.0011 to-new <late >third
	for q in 00.0011 01.0011; do echo activate >$queues/$q/sim; done
	fails 4 'Invalid argument' plain first
	plain third
	[ "$(head -c 5 /dev/mapper/v)" = hello ]
EOF
}

@test "a volume needs a queue that is online; a busy one is asked again" {
	machine_z <<'EOF'
	keys ep11 pair
	d=$(disk img)
	format "$d" pair paes-xts-plain64
	for off in 'card02/online 0' '02.0011/online 0' 'card02/config 0' '02.0011/sim checkstop 1'; do
		read -r attr off <<<"$off"
		echo "$off" >$queues/$attr
		fails 4 'No such device' luks_open "$d" v
		case $attr in
		*/sim) echo checkstop 0 >$queues/$attr ;;
		*) echo 1 >$queues/$attr ;;
		esac
		luks_open "$d" v
		cryptsetup close v
	done
	echo 'fail 0 EBUSY 2' >$queues/02.0011/sim
	luks_open "$d" v
	cryptsetup close v
	echo 'fail 0 EIO 1' >$queues/02.0011/sim
	fails 4 'Input/output error' luks_open "$d" v
EOF
}

@test "the AP bus is there as lszcrypt walks it" {
	machine_z <<'EOF'
	is() { [ "$(cat "$1")" = "$2" ] || { echo "$1: $(cat "$1")"; false; }; }
	cd /sys/bus/ap
	is ap_domain 0
	is ap_max_domain_id 84
	is features 'APSC APXA QACT RC8A'
	[ ! "$(pkey status)" ]			# there is no queue in that domain
	echo 17 >ap_domain
	is ap_domain 17
	echo 0 >devices/card01/online
	[ "$(pkey status | xargs)" = '00:07 01:0d 02:0c' ]
	echo 1 >devices/card01/online
	[ "$(ls devices | xargs)" = '00.0011 00.0012 00.0013 01.0011 02.0011 card00 card01 card02' ]
	cd /sys/devices/ap
	[ "$(find . -mindepth 1 -maxdepth 2 -type d -name '*[0-9]' | sort | xargs)" = \
		'./card00 ./card00/00.0011 ./card00/00.0012 ./card00/00.0013 ./card01 ./card01/01.0011 ./card02 ./card02/02.0011' ]
	is card00/type CEX8C
	is card02/type CEX8P
	is card00/hwtype 14
	is card00/ap_functions 0x92808000
	is card02/API_ordinalnr 6
	is card02/serialnr 93AABE14EP110001
	[ "$(readlink card00/driver card02/02.0011/driver card00/00.0013/driver | sed 's:.*/::' | xargs)" = \
		'cex4card cex4queue vfio_ap' ]
	is card00/00.0013/status 'in use'
	[ ! -e card00/00.0013/online ]
	grep -qx MODE=cca card00/uevent
	grep -qx DEV_TYPE=000E card00/uevent
	grep -qx MODE=ep11 card02/02.0011/uevent
	is card00/00.0011/mkvps "$(printf '%s\n' 'AES NEW: empty 0x0000000000000000' 'AES CUR: valid 0x491176b0f443c65a' \
		'AES OLD: invalid 0x0000000000000000' {APKA,ASYM}\ {NEW:\ empty,CUR:\ invalid,OLD:\ invalid} |
		sed 's/^APKA.*/& 0x0000000000000000/; s/^ASYM.*/& 0x00000000000000000000000000000000/')"
	is card02/02.0011/mkvps "$(printf '%s\n' 'WK NEW: empty -' | sed \
		'1i WK CUR: valid 0x630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd')"
	is card00/00.0012/request_count 0
	pkey generate data 256 00.0012 >/dev/null
	is card00/00.0012/request_count 1
	is card00/request_count 1
	echo 0 >card00/online
	is card00/00.0011/online 0
	fails 1 'Invalid argument' dd if=<(echo 1) of=card00/00.0011/online status=none
	fails 1 'Permission denied' dd if=<(echo 1) of=card00/type conv=notrunc status=none
EOF
}

@test "cards can go away under an open volume and come back, and many can ask at once" {
	machine_z <<'EOF'
	d=$(disk img)
	keys cipher pair
	format "$d" pair paes-xts-plain64
	luks_open "$d" v
	for ((i = 0; i < 20; i++)); do (pkey generate cipher 256 >token.$i && [ "$(pkey verify <token.$i)" ]) & asked[i]=$!; done
	for p in "${asked[@]}"; do wait "$p"; done
	[ "$(sort -u <(cat token.* | od -An -tx1 -v -w136) | wc -l)" = 20 ]
	p=$(pgrep -x cards)
	kill "$p"
	while [ -e "/proc/$p" ]; do sleep 0.05; done
	[ ! "$(ls $queues)" ]
	fails 1 'No such device' cat /sys/bus/ap/ap_domain
	head -c 4096 /dev/zero >/dev/mapper/v		# the key is in use: no card is asked
	cryptsetup close v
	fails 4 'No such device' luks_open "$d" v
	fails 1 ENODEV pkey pattern xts <pair
	cards /state
	luks_open "$d" v
	cryptsetup close v
	kill "$(pgrep -x cards)"
	for ((n = 0; n < 100; n++)); do ! rmmod paes ap 2>/dev/null || break; sleep 0.05; done
	[ ! -e /sys/bus/ap ]
EOF
}

@test "pkey: lists of APQNs, types, wrong queues and what is refused" {
	machine_z <<'EOF'
	for bits in 128 192 256; do
		[ "$(pkey generate data $bits 00.0011 | pkey verify)" = "00.0011 1 $bits cur" ]
		[ "$(pkey generate cipher $bits 01.0011 | pkey verify)" = "00.0011 2 $bits cur" ]
		[ "$(pkey generate ep11 $bits 02.0011 | pkey verify)" = "02.0011 6 $bits cur" ]
	done
	pkey generate cipher 256 00.0012 >other
	[ "$(pkey apqns <other)" = 00.0012 ]
	pkey generate cipher 256 00.0011 >token
	[ "$(pkey apqns <token | xargs)" = '00.0011 01.0011' ]
	[ "$(pkey protect 00.0011 <token | wc -c)" = 64 ]
	fails 1 EIO pkey protect 00.0012 <token
	fails 1 ENODEV pkey protect 02.0011 <token
	pkey protect 00.0012 02.0011 01.0011 <token >/dev/null
	fails 1 ENODEV pkey generate cipher 256 02.0011
	fails 1 ENODEV pkey generate cipher 256 00.0013		# not ours
	fails 1 ENODEV pkey generate cipher 256 00.0014		# not there
	fails 1 EINVAL pkey generate cipher 200 00.0011
	fails 1 EINVAL pkey verify </dev/null
	fails 1 EFAULT pkey nowhere
	echo 0 >$queues/card00/online
	[ "$(pkey apqns <token)" = 01.0011 ]
	[ "$(stat -c %a /dev/pkey)" = 666 ]
EOF
}
