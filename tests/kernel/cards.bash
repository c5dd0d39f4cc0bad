# What a script begins with in a guest that has the simulated cards of IBM Z: they are there, and /dev/pkey.
modprobe ap
modprobe paes
PATH=$PATH:/state/bin
cards /state
cd /state
queues=/sys/bus/ap/devices

# key TYPE FIRST: the token of the 32 bytes FIRST, FIRST + 1, ...
key() { for ((i = $2; i < $2 + 32; i++)); do printf "\\x$(printf %02x "$i")"; done | pkey import "$1"; }

# keys TYPE FILE: an XTS pair of the effective key 00 to 3f
keys() { { key "$1" 0; key "$1" 32; } >"$2"; }

# format DISK FILE CIPHER: a volume whose key are the tokens in FILE, with the passphrase 'x'
format() {
	echo -n x | cryptsetup luksFormat -q --type luks2 --cipher "$3" --key-size $(($(stat -c %s "$2") * 8)) \
		--volume-key-file "$2" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file - "$1"
}
luks_open() { echo -n x | cryptsetup open --key-file - "$1" "$2"; }

hex() { od -An -v -tx1 "$@" | tr -d ' \n'; }

# on_disk DISK BYTES: the first ones of a volume as they are on the disk, in hex
on_disk() {
	local offset
	offset=$(cryptsetup luksDump --dump-json-metadata "$1" | jq -r '.segments."0".offset')
	sync
	dd if="$1" iflag=skip_bytes,count_bytes skip="$offset" count="$2" status=none | hex
}

# change CARD.DOMAIN BYTE: another master key is loaded and activated
change() {
	printf 'new %s\n' "$(printf "$2%.0s" {1..32})" >$queues/$1/sim
	echo activate >$queues/$1/sim
}
