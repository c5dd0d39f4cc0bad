# doctor: what is sound, what is not, and that it says what to do
setup() {
	load helpers
	[ "$(id -u)" -eq 0 ] || skip 'owner and modes are judged as root'
	[ -z "${ASAN_OPTIONS-}" ] || skip 'a sanitizer build finds its modules by another path'
}

verdict() { awk -v check="$1" 'index($0, check) == 1 { sub(check " *", ""); print $1 }'; }

@test "doctor: installed as it should be" {
	B=$build "$top/tests/with-plugin" /usr/local/bin/hwkey doctor >"$BATS_TEST_TMPDIR/out" || true
	[ "$(verdict 'token plug-in' <"$BATS_TEST_TMPDIR/out")" = ok ]
	[ "$(verdict soft:local <"$BATS_TEST_TMPDIR/out")" = ok ]
	[ "$(verdict repository <"$BATS_TEST_TMPDIR/out")" = ok ]
}

@test "doctor: a plug-in or module that others may change" {
	for so in cryptsetup/libcryptsetup-token-hwkey.so hwkey/keyring.so; do
		copy=$BATS_TEST_TMPDIR/${so//\//-}
		mkdir "$copy"
		cp -a "$build/root" "$copy"
		chmod o+w "$(find "$copy/root" -path "*/$so")"
		run env B="$copy" "$top/tests/with-plugin" /usr/local/bin/hwkey doctor
		[ "$status" -eq 4 ]
		[[ $output == *"/$so' (mode 0"*'can be changed by others than root: chown root, chmod go-w'* ]]
	done
}

@test "doctor: a plug-in that is not where libcryptsetup looks" {
	cp -a "$build/root" "$BATS_TEST_TMPDIR/root"
	mv "$(find "$BATS_TEST_TMPDIR/root" -name libcryptsetup-token-hwkey.so)" "$BATS_TEST_TMPDIR/root/usr/local/lib"
	B="$BATS_TEST_TMPDIR" "$top/tests/with-plugin" /usr/local/bin/hwkey doctor >"$BATS_TEST_TMPDIR/out" || true
	[ "$(verdict 'token plug-in' <"$BATS_TEST_TMPDIR/out")" = warning ]
	grep -q "^token plug-in.*no '/.*/cryptsetup/libcryptsetup-token-hwkey.so', where this libcryptsetup looks" "$BATS_TEST_TMPDIR/out"
}

@test "doctor: a module that does not load, a repository open to others" {
	cp -a "$build/root" "$BATS_TEST_TMPDIR/root"
	rm "$(find "$BATS_TEST_TMPDIR/root" -name keyring.so)"
	run env B="$BATS_TEST_TMPDIR" "$top/tests/with-plugin" /usr/local/bin/hwkey doctor
	[ "$status" -eq 4 ]
	[[ $output == *"cannot load module 'keyring'"* ]]
	mkdir -m 777 "$HWKEY_REPOSITORY"
	run hwkey doctor
	[ "$status" -eq 4 ]
}

@test "doctor: JSON" {
	hwkey doctor --json | jq -e '.checks | map(.verdict) | all(. == "ok" or . == "absent" or . == "warning" or . == "bad")' || [ "$?" -eq 4 ]
}

@test "doctor and list-devices: a damaged keystore is told, and nobody is asked for its passphrase" {
	cd "$BATS_TEST_TMPDIR"
	local keystore=$HWKEY_PKS_DIR/system
	remark() { hwkey list-devices --raw --noheadings --output remark; }
	hwkey generate k
	[[ $(remark) == protection:* ]]
	cp -a "$keystore" "$BATS_TEST_TMPDIR/whole"
	truncate -s 100 "$keystore/local.B"
	[[ $(remark) == *"'local.B'"*damaged*plain* ]]
	hwkey doctor >out || true
	[ "$(verdict soft:local <out)" = warning ]
	grep -q '^soft:local.*damaged: local.B' out
	rm "$keystore/local.A"
	[[ $(remark) == damaged:*neither* ]]
	[ "$(hwkey list-devices --raw --noheadings --output state local)" = error ]
	run hwkey doctor
	[ "$status" -eq 4 ]
	[ "$(verdict soft:local <<<"$output")" = bad ]
	# What only its key can tell.
	rm -r "$keystore"
	cp -a "$BATS_TEST_TMPDIR/whole" "$keystore"
	for f in A B; do
		printf '\377\376\375' | dd of="$keystore/local.$f" bs=1 seek=1000 conv=notrunc status=none
		hwkey doctor >out || true
		[ "$(verdict soft:local <out)" = "$([ $f = A ] && echo warning || echo bad)" ]
		hwkey list-devices -V --raw --noheadings --output remark local | grep -q 'damaged'
	done
	rm -r "$keystore"
	cp -a "$BATS_TEST_TMPDIR/whole" "$keystore"
	[ "$(hwkey list-devices --raw --noheadings --output state local)" = online ]
	(umask 077; printf x >pass)
	hwkey pks-config --add-slot=passphrase --passphrase-file=pass
	hwkey pks-config --remove-slot=plain
	timeout 10 script -qec 'hwkey doctor' /dev/null >out || true
	[ "$(verdict soft:local <out)" = ok ]
	timeout 10 script -qec 'hwkey list-devices -V local' /dev/null | grep -q online
	rm -r "$HWKEY_PKS_DIR"
	run hwkey doctor
	[ "$status" -eq 4 ]
	[ "$(verdict soft:local <<<"$output")" = bad ]
	[[ $output == *"is missing and key 'k' needs it"* ]]
	[ "$(verdict commands <<<"$output" | sort -u)" = bad ]
	[[ $(hwkey list-devices --json local | jq -r '.devices[0] | .state, .remark') == error$'\n'*"is missing and key 'k' needs it"* ]]
	hwkey remove -q --force k
	hwkey doctor >out || true
	[ "$(verdict soft:local <out)" = ok ]
	[[ $(hwkey list-devices --json local | jq -r '.devices[0].remark') == 'not initialised yet'* ]]
	[ ! -e "$HWKEY_PKS_DIR" ]
}
