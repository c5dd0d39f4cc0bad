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
	for so in cryptsetup/libcryptsetup-token-hwkey.so hwkey/soft.so; do
		copy=$BATS_TEST_TMPDIR/${so//\//-}
		mkdir "$copy"
		cp -a "$build/root" "$copy"
		chmod o+w "$(find "$copy/root" -path "*/$so")"
		run env B="$copy" "$top/tests/with-plugin" /usr/local/bin/hwkey doctor
		[ "$status" -eq 4 ]
		[[ $output == *"/$so' (mode 0"*'can be changed by others than root: chown root, chmod go-w'* ]]
	done
}

@test "doctor: a module that does not load, a repository open to others" {
	cp -a "$build/root" "$BATS_TEST_TMPDIR/root"
	rm "$(find "$BATS_TEST_TMPDIR/root" -name seal.so)"
	run env B="$BATS_TEST_TMPDIR" "$top/tests/with-plugin" /usr/local/bin/hwkey doctor
	[ "$status" -eq 4 ]
	[[ $output == *"cannot load module 'seal'"* ]]
	mkdir -m 777 "$HWKEY_REPOSITORY"
	run hwkey doctor
	[ "$status" -eq 4 ]
}

@test "doctor: JSON" {
	hwkey doctor --json | jq -e '.checks | map(.verdict) | all(. == "ok" or . == "warning" or . == "bad")' || [ "$?" -eq 4 ]
}
