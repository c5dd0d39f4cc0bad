# What every script of a guest begins with. A command that fails ends it, and says where.
set -eEu -o pipefail
trap 'echo "guest: line $LINENO: $BASH_COMMAND: status $?" >&2' ERR
export HWKEY_REPOSITORY=/state/repository HWKEY_PKS_DIR=/state/pks

# fails STATUS WORDS COMMAND...: it exits with STATUS, and its last line on standard error has WORDS in it.
fails() {
	local want=$1 words=$2 err status=0
	shift 2
	err=$("$@" 2>&1 >/dev/null) || status=$?
	if [ "$status" -ne "$want" ] || [[ ${err##*$'\n'} != *"$words"* ]]; then
		echo "wanted exit $want and '$words' of '$*'; got exit $status: $err" >&2
		return 1
	fi
}

# disk FILE [SIZE]: the loop device of a file below /state, which is made if it is not there
disk() {
	[ -e "/state/$1" ] || truncate -s "${2:-64M}" "/state/$1"
	losetup -f --show "/state/$1"
}
