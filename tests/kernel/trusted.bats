#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the kernel's trusted and encrypted keys do, under a simulated TPM: the ground that later work stands on.

setup() { load helpers; }

# A storage key without lockout (noda): wrong guesses at other objects do not lock it.
make_key() {
	guest -T <<'EOF'
	export TPM2TOOLS_TCTI=device:/dev/tpmrm0
	tpm2_createprimary -Q -C o -g sha256 -G ecc -c srk \
		-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt|noda'
	tpm2_evictcontrol -Q -C o -c srk 0x81000001
	k=$(keyctl add trusted k 'new 32 keyhandle=0x81000001' @u)
	keyctl pipe "$k" >/state/blob
	e=$(keyctl add encrypted e 'new trusted:k 64' @u)
	keyctl pipe "$e" >/state/encrypted
EOF
}

@test "a trusted key is made, saved, and loaded after a reboot; dm-crypt takes it from the keyring" {
	make_key
	guest -T <<'EOF'
	k=$(keyctl add trusted k "load $(cat /state/blob)" @u)
	[ "$(keyctl pipe "$k")" = "$(cat /state/blob)" ]
	e=$(keyctl add encrypted e "load $(cat /state/encrypted)" @u)
	[ "$(keyctl pipe "$e")" = "$(cat /state/encrypted)" ]
	d=$(disk img 8M)
	dmsetup create v --table "0 16384 crypt aes-xts-plain64 :64:encrypted:e 0 $d 0"
	echo hello >/dev/mapper/v
	dmsetup remove v
	dmsetup create v --table "0 16384 crypt aes-xts-plain64 :64:encrypted:e 0 $d 0"
	[ "$(head -n 1 /dev/mapper/v)" = hello ]
EOF
}

@test "another TPM and a changed blob are refused" {
	make_key
	on other guest -T <<'EOF'
	:
EOF
	cp "$BATS_TEST_TMPDIR/machine/blob" "$BATS_TEST_TMPDIR/other"
	on other guest -T <<'EOF'
	export TPM2TOOLS_TCTI=device:/dev/tpmrm0
	tpm2_createprimary -Q -C o -g sha256 -G ecc -c srk
	tpm2_evictcontrol -Q -C o -c srk 0x81000001
	fails 1 'not permitted' keyctl add trusted k "load $(cat /state/blob)" @u
EOF
	guest -T <<'EOF'
	blob=$(cat /state/blob)
	fails 1 'not permitted' keyctl add trusted k "load ${blob%??}$(printf %02x $((0x${blob: -2} ^ 1)))" @u
	keyctl add trusted k "load $blob" @u
EOF
}

@test "the kernel loads what hwkey exports for it, and hwkey imports what the kernel printed" {
	guest -T <<'EOF'
	export TPM2TOOLS_TCTI=device:/dev/tpmrm0 HWKEY_REPOSITORY=/state/repository HWKEY_PKS_DIR=/state/pks
	tpm2_createprimary -Q -C o -g sha256 -G ecc -c srk \
		-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt|noda'
	tpm2_evictcontrol -Q -C o -c srk 0x81000001
	# behind KEY [LINE]: the first line of a disk under that key, after LINE was written
	behind() {
		dmsetup create v --table "0 16384 crypt aes-xts-plain64 $1 0 $d 0"
		if [ -n "${2-}" ]; then echo "$2" >/dev/mapper/v; fi
		head -n 1 /dev/mapper/v
		dmsetup remove v
	}
	d=$(disk img 8M)
	umask 077
	head -c 64 /dev/urandom >/state/clear
	hwkey wrap -q mine /state/clear --xts --type tpm2
	keyctl add trusted mine "load $(hwkey export mine - --format kernel)" @u
	[ "$(behind :64:trusted:mine hello)" = hello ]
	[ "$(behind "$(xxd -p -c 64 /state/clear)")" = hello ]
	k=$(keyctl add trusted its 'new 64 keyhandle=0x81000001' @u)
	[ "$(behind :64:trusted:its there)" = there ]
	keyctl pipe "$k" >/state/printed
	hwkey import its /state/printed
	keyctl add trusted again "load $(hwkey export its - --format kernel)" @u
	[ "$(behind :64:trusted:again)" = there ]
EOF
}

@test "without a TPM the type is not there" {
	guest <<'EOF'
	modprobe trusted
	fails 1 'No such device' keyctl add trusted k 'new 32' @u
EOF
}

@test "doctor asks the TPM: no storage root key, one, and a lockout after a wrong answer" {
	guest -T <<'EOF'
	export TPM2TOOLS_TCTI=device:/dev/tpmrm0
	tpm() { hwkey doctor 2>/dev/null | grep '^tpm2 ' || :; }
	tpm | grep -q 'ok .*tpm0: TPM 2.0'
	tpm | grep -q 'ok .*tpm0: manufacturer IBM'
	tpm | grep -q 'warning .*tpm0: no persistent storage root key 0x81000001'
	hwkey doctor | grep "^trusted  *ok .*source tpm"
	cd /run
	tpm2_createprimary -Q -C o -g sha256 -G ecc -c srk
	tpm2_evictcontrol -Q -C o -c srk 0x81000001
	[ "$(tpm | grep -c 'storage root key')" -eq 0 ]
	tpm2_dictionarylockout -Q -s -n 1 -t 1000 -l 1000
	echo secret | tpm2_create -Q -C 0x81000001 -i - -p right -c sealed
	[ "$(tpm | grep -c lockout)" -eq 0 ]
	! tpm2_unseal -Q -c sealed -p wrong 2>/dev/null
	tpm | grep -q 'bad .*tpm0: in lockout after 1 wrong answers, takes none now: wait 1000 seconds'
	fails 4 'must be mended' hwkey doctor
	tpm2_dictionarylockout -Q -c
	[ "$(tpm | grep -c lockout)" -eq 0 ]
EOF
}
