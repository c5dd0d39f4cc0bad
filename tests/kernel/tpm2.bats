#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The TPM backend through the kernel: /dev/tpmrm0, whose resource manager puts commands of its own around ours

setup() { load helpers; }

@test "a sealed file opens after a reboot, through the kernel's resource manager; few commands reach the TPM for that" {
	guest -T <<'EOF'
	export TPM2TOOLS_TCTI=device:/dev/tpmrm0
	reached() { grep -c 'SWTPM_IO_Read: length' /state/tpm/log; }
	tpm2_createprimary -Q -C o -g sha256 -G ecc256:null:aes128cfb -c srk \
		-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'
	tpm2_evictcontrol -Q -C o -c srk 0x81000001
	umask 077
	echo word >clear
	hwkey list-devices
	before=$(reached)
	hwkey seal -q --device tpm0 -o /state/sealed clear
	echo "seal: $(($(reached) - before)) commands reached the TPM" >/state/reached
	before=$(reached)
	[ "$(hwkey unseal -q /state/sealed)" = word ]
	n=$(($(reached) - before))
	echo "unseal: $n commands reached the TPM" >>/state/reached
	[ "$n" -le 20 ]
	[ -z "$(tpm2_getcap handles-transient; tpm2_getcap handles-loaded-session)" ]
EOF
	guest -T <<'EOF'
	[ "$(hwkey unseal -q /state/sealed)" = word ]
EOF
	sed 's/^/# /' "$BATS_TEST_TMPDIR/machine/reached" >&3
}
