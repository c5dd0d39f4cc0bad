# What a script begins with in a guest whose TPM seals to PCR 7.
export TPM2TOOLS_TCTI=device:/dev/tpmrm0
umask 077

pcr7() { tpm2_pcrread sha256:7 | sed -n 's/^ *7 *: 0x//p' | tr A-F a-f; }

digest() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }

measure() { tpm2_pcrextend "7:sha256=$(digest "$1")"; }

# What PCR 7 will be when its argument is measured.
pcr7_after() { printf '%s%s' "$(pcr7)" "$(digest "$1")" | xxd -r -p | sha256sum | cut -d ' ' -f 1; }

# A kernel that is a program has no firmware; QEMU's has measured more than nothing.
[ -n "$(pcr7 | tr -d 0)" ] || measure firmware

# A storage root key that stays, as others make it
make_srk() {
	tpm2_createprimary -Q -C o -g sha256 -G ecc256:null:aes128cfb -c srk \
		-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'
	tpm2_evictcontrol -Q -C o -c srk 0x81000001
}

# reaches MOST COMMAND...: so many commands reach the TPM for it at most, the kernel's resource manager's among them
reaches() {
	local most=$1 before n
	before=$(grep -c 'SWTPM_IO_Read: length' /state/tpm/log)
	shift
	"$@"
	n=$(($(grep -c 'SWTPM_IO_Read: length' /state/tpm/log) - before))
	echo "$n commands reach the TPM: $*" >>/state/reached
	[ "$n" -le "$most" ]
}

# holds_file: the open volume 'data', which is closed then
holds_file() {
	mount -o ro /dev/mapper/data /mnt
	[ "$(cat /mnt/file)" = hello ]
	umount /mnt
	cryptsetup close data
}

# opens DISK MOST: by hwkey, and by cryptsetup with the plug-in, each with so many commands at most
opens() {
	reaches "$2" hwkey luks-open --batch "$1" data
	holds_file
	reaches "$2" cryptsetup open --token-only "$1" data
	holds_file
}

# refuses DISK FROM TO: because PCR 7 was FROM and is TO
refuses() {
	local why="PCR 7 (secure boot state) was ${2:0:16}, is ${3:0:16}"
	fails 4 "$why" hwkey luks-open --batch "$1" data
	fails 1 "$why" cryptsetup open --token-only "$1" data
	[ ! -e /dev/mapper/data ]
}

# Nothing stays in the TPM, behind the resource manager, and the kernel has nothing to say of it.
at_rest() {
	local kind
	for kind in transient loaded-session saved-session; do
		[ -z "$(TPM2TOOLS_TCTI=device:/dev/tpm0 tpm2_getcap handles-$kind)" ]
	done
	dmesg >said
	! grep -iE 'tpm.*(error|fail|timeout|timed out|bug)' said
}
