# Real TPMs in software (swtpm) for a test: "load tpm" after "load helpers" in setup, and teardown() { tpm_end; }.
# Each is a socket in the test's own directory that any number of processes can use in turn. HWKEY_TCTI names all that were
# started, in that order: the first one is tpm0. TPM2TOOLS_TCTI names the one that tpm2-tools talk to.
tpm_dir=$BATS_TEST_TMPDIR/tpm
unset HWKEY_TCTI TPM2TOOLS_TCTI
export TSS2_LOG=all+none

# tpm_start [NAME]: switched on, as it was when it was switched off; a new one if there is none of that name. NAME is not
# what hwkey calls it.
tpm_start() {
	local name=${1:-tpm0} tcti
	mkdir -p "$tpm_dir/$name"
	swtpm socket --tpm2 --tpmstate "dir=$tpm_dir/$name" --flags startup-clear --daemon --pid "file=$tpm_dir/$name.pid" \
		--server "type=unixio,path=$tpm_dir/$name.sock" --ctrl "type=unixio,path=$tpm_dir/$name.sock.ctrl" \
		--log "file=$tpm_dir/$name.log" 3>&- 4>&- </dev/null
	tcti=swtpm:path=$tpm_dir/$name.sock
	[[ " ${HWKEY_TCTI-} " == *" $tcti "* ]] || export HWKEY_TCTI="${HWKEY_TCTI:+$HWKEY_TCTI }$tcti"
	tpm_use "$name"
}

# tpm_use NAME: tpm2-tools, and the functions below, mean this one.
tpm_use() {
	tpm=$1
	export TPM2TOOLS_TCTI=swtpm:path=$tpm_dir/$1.sock
}

# tpm_stop: loses power
tpm_stop() {
	local pid
	pid=$(cat "$tpm_dir/$tpm.pid")
	kill -KILL "$pid"
	while [ -e "/proc/$pid/exe" ]; do sleep 0.01; done		# nobody may be in a hurry to wait for it
	rm -f "$tpm_dir/$tpm".{pid,sock,sock.ctrl}
}

# tpm_reboot: PCRs are zero again, as after an orderly shutdown
tpm_reboot() {
	tpm2_shutdown -Q -c
	tpm_stop
	tpm_start "$tpm"
}

# tpm_replace: another TPM is in its place
tpm_replace() {
	tpm_stop
	rm -r "${tpm_dir:?}/$tpm"
	tpm_start "$tpm"
}

# tpm_clear: as a firmware's menu does it: what was sealed to it never opens again
tpm_clear() { tpm2_clear -Q -c platform; }

# tpm_srk [ecc|rsa]: has a persistent storage root key as others make it, 0x81000001
tpm_srk() {
	local type=ecc256
	[ "${1-}" != rsa ] || type=rsa2048
	tpm2_createprimary -Q -C owner -g sha256 -G $type:null:aes128cfb -c "$tpm_dir/srk" \
		-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'
	tpm2_evictcontrol -Q -C owner -c "$tpm_dir/srk" 0x81000001
	tpm2_flushcontext -Q -t
}

# tpm_extend PCR WORD [BANK]: measures WORD
tpm_extend() {
	local bank=${3:-sha256}
	tpm2_pcrextend "$1:$bank=$(printf '%s' "$2" | openssl dgst "-$bank" -r | cut -d ' ' -f 1)"
}

# tpm_pcr PCR [BANK]: its value, 64 lower-case hex digits of SHA-256
tpm_pcr() { tpm2_pcrread "${2:-sha256}:$1" | sed -n "s/^ *$1 *: 0x//p" | tr A-F a-f; }

# tpm_left: handles of transient objects and sessions that somebody left behind
tpm_left() { for kind in transient loaded-session saved-session; do tpm2_getcap handles-$kind; done; }

# tpm_property NAME: a line of tpm2_getcap, as "TPM2_PT_LOCKOUT_COUNTER" or "inLockout"
tpm_property() { tpm2_getcap properties-variable | sed -n "s/^ *$1: *//p"; }

tpm_end() {
	local pid
	for pid in "$tpm_dir"/*.pid; do
		[ ! -e "$pid" ] || kill -KILL "$(cat "$pid")"
	done
}
