#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The TPM backend through the kernel: /dev/tpmrm0, whose resource manager puts commands of its own around ours

setup() { load helpers; }

# machine_tpm crb|tis: on the stock kernel, its TPM is behind this interface. User-mode Linux has no hardware.
machine_tpm() { cat "$top/tests/kernel/tpm.bash" - | guest -T ${RING:+-i "$1"} -- "${RING:+tpm_$1}"; }

figures() { sed 's/^/# /' "$BATS_TEST_TMPDIR/machine/reached" >&3; }

@test "a sealed file opens after a reboot, through the kernel's resource manager; few commands reach the TPM for that" {
	machine_tpm crb <<'EOF'
	make_srk
	echo word >clear
	hwkey list-devices
	reaches 36 hwkey seal -q --device tpm0 -o /state/sealed clear
	reaches 20 hwkey unseal -q -o word /state/sealed
	[ "$(cat word)" = word ]
	at_rest
EOF
	guest -T <<'EOF'
	[ "$(hwkey unseal -q /state/sealed)" = word ]
EOF
	figures
}

# bats test_tags=stock
@test "a volume enrolled to a TPM opens after a reboot, not in another state of PCR 7, and there again after rewrap" {
	machine_tpm crb <<'EOF'
	hwkey list-devices | grep -Eq "^tpm0 +tpm2 +TPM 2.0 +online +key, seal +driver ${1:-unknown}\$"
	hwkey doctor >found
	grep -Eq "^tpm2 +ok +tpm0: TPM 2.0${1:+, driver $1, PCR banks sha1, sha256}" found
	grep -Eq '^tpm2 +warning +tpm0: no persistent storage root key 0x81000001' found
	grep -Eq "^commands +ok +keys .*: device 'tpm0'" found
	grep -Eq "^commands +ok +sealing .*: device 'tpm0'" found
	d=$(disk img)
	hwkey generate -q -d tpm0 --pcrs 7 --volumes /state/img:data disk1
	hwkey luks-format -q --recovery -o /state/recovery "$d" disk1
	hwkey luks-open "$d" data
	mkfs.ext4 -q /dev/mapper/data
	mount /dev/mapper/data /mnt
	echo hello >/mnt/file
	umount /mnt
	cryptsetup close data

	was=$(pcr7)
	measure update
	refuses "$d" "$was" "$(pcr7)"
	fails 4 "PCR 7 (secure boot state) was ${was:0:16}" hwkey rewrap disk1
	# the recovery key lets a key of this state in
	hwkey generate -q -d tpm0 --pcrs 7 disk2
	hwkey luks-enroll -q --key-file /state/recovery "$d" disk2
	hwkey luks-open --key disk2 "$d" data
	holds_file
	hwkey luks-unenroll -q "$d" disk2
	at_rest
EOF
	machine_tpm tis <<'EOF'
	d=$(disk img)
	opens "$d" 36
	printf '7=%s\n' "$(pcr7_after update)" >next
	hwkey rewrap --pcrs-next next disk1
	hwkey luks-open --test -q "$d"
	measure update
	opens "$d" 42
	# from now on a storage root key is found
	make_srk
	at_rest
EOF
	machine_tpm crb <<'EOF'
	[ "$(hwkey doctor | grep -c '^tpm2 .*storage root key')" -eq 0 ]
	d=$(disk img)
	measure update
	opens "$d" 24
	hwkey rewrap disk1
	opens "$d" 20
	was=$(pcr7)
	measure more
	refuses "$d" "$was" "$(pcr7)"
	at_rest
EOF
	figures
}
