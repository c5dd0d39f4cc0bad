# The face of the binary: help, version, completion, exit statuses that need no key
setup() { load helpers; }

@test "--version and --help answer at once and exit 0" {
	[[ $(hwkey --version) == 'hwkey '[0-9]* ]]
	hwkey --help | grep -q '^Usage: hwkey COMMAND'
	hwkey help generate | grep -q '^Usage: hwkey generate'
}

@test "no command is a usage error" {
	run hwkey
	[ "$status" -eq 2 ]
	fails 2 "no command 'frob'" hwkey frob
}

@test "every command has a summary, a synopsis in --help, and the common options" {
	for c in $(hwkey --complete '' | grep -vE '^(help|--)'); do
		help=$(hwkey "$c" --help)
		grep -qE "^Usage: hwkey $c \[OPTION\.\.\.\]( .*[^ ])?$" <<<"$help"
		for o in --help --quiet --verbose --batch --repository; do
			grep -q -e "$o" <<<"$help"
		done
		hwkey --complete "$c" -- | grep -qx -- --help
	done
}

@test "every command refuses an unknown option, an option twice, and too many arguments" {
	for c in $(hwkey --complete '' | grep -vE '^(help|--)'); do
		fails 2 'unknown option' hwkey "$c" --no-such-option
		fails 2 'only once' hwkey "$c" --batch --batch
		hwkey "$c" --help | grep -q '^Usage:.*\.\.\..*\.\.\.' || fails 2 'unexpected argument' hwkey "$c" a b c d
	done
}

@test "a control character in an argument does not reach the terminal" {
	fails 2 '?[31m' hwkey generate $'\e[31m'
}

@test "standard output that is full is an error" {
	run bash -c 'hwkey --help >/dev/full'
	[ "$status" -eq 1 ]
	run bash -c 'hwkey list-devices >/dev/full'
	[ "$status" -eq 8 ]
}

@test "completion: commands, options, values, keys, devices" {
	hwkey generate -q disk1
	[[ $'\n'$(hwkey --complete gen)$'\n' == *$'\ngenerate\n'* ]]
	[ "$(hwkey --complete validate '')" = disk1 ]
	[ "$(hwkey --complete generate --device '')" = local ]
	[ "$(hwkey --complete generate --device=)" = local ]
	[ "$(hwkey --complete generate --volume-type '')" = $'luks2\nplain' ]
	[ "$(hwkey --complete generate --type '')" = $'tpm2\nlocal' ]
	[ "$(hwkey --complete wrap name '')" = '#file' ]
	[ "$(hwkey --complete secure-erase '')" = $'disk1\n/\n./' ]	# a key, or what has a '/' in it
	[ "$(hwkey --complete secure-erase di)" = disk1 ]
	[ "$(hwkey --complete secure-erase ./di)" = '#file' ]
	[ -z "$(hwkey --complete generate name '')" ]
	[ "$(hwkey --complete pks-lock '')" = $'firmware\nbootloader\nos' ]
	[ -z "$(hwkey --complete pks-lock os '')" ]
	[ "$(hwkey --complete pks-password '')" = $'firmware\nbootloader\nos' ]
	boot 1
	policies='ossecbootaudit ossecbootenforce pwset worldreadable immutable transient '
	[ "$(hwkey --complete pks-write --policy '' | tr '\n' ' ')" = "$policies" ]
	[ "$(hwkey --complete pks-write --policy=pwset,im | grep imm)" = pwset,immutable ]
	for policy in $policies; do		# what is offered is taken
		printf x | hwkey pks-write -q "$policy" --policy "$policy" || [ "$?" -eq 4 ]
	done
	for command in generate seal pks-genkey; do
		[ "$(hwkey --complete $command --policy '' | tr '\n' ' ')" = 'ossecbootaudit ossecbootenforce pwset ' ]
	done
	[ "$(hwkey --complete help pk | grep -c ^pks-)" -gt 5 ]
}

@test "bash completion offers static words without starting a process" {
	cat >"$BATS_TEST_TMPDIR/t.bash" <<-EOF
		compopt() { :; }
		source $build/hwkey.bash
		COMP_WORDS=(hwkey gen) COMP_CWORD=1
		_hwkey && echo "\${COMPREPLY[@]}"
		COMP_WORDS=(hwkey generate --dev) COMP_CWORD=2
		_hwkey && echo "\${COMPREPLY[@]}"
		COMP_WORDS=(hwkey generate --volume-type = l) COMP_CWORD=4
		_hwkey && echo "\${COMPREPLY[@]}"
		COMP_WORDS=(hwkey help pks-co) COMP_CWORD=2
		_hwkey && echo "\${#COMPREPLY[@]}"
	EOF
	run strace -f -qq -e trace=clone,clone3,fork,vfork,execve -o "$BATS_TEST_TMPDIR/trace" bash "$BATS_TEST_TMPDIR/t.bash"
	[ "$output" = $'generate\n--device=\nluks2\n2' ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/trace")" -eq 1 ]
}

@test "bash completion asks the binary once for names" {
	hwkey generate -q disk1
	cat >"$BATS_TEST_TMPDIR/t.bash" <<-EOF
		compopt() { :; }
		source $build/hwkey.bash
		COMP_WORDS=(hwkey validate d) COMP_CWORD=2
		_hwkey && echo "\${COMPREPLY[@]}"
		compopt() { echo "compopt \$*"; }
		COMP_WORDS=(hwkey secure-erase /de) COMP_CWORD=2
		_hwkey && echo "\${#COMPREPLY[@]}"
	EOF
	run strace -f -qq -e trace=execve -o "$BATS_TEST_TMPDIR/trace" bash "$BATS_TEST_TMPDIR/t.bash"
	[ "$output" = $'disk1\ncompopt -o default\n0' ]
	[ "$(grep -c 'hwkey.*--complete' "$BATS_TEST_TMPDIR/trace")" -eq 2 ]
}

@test "zsh and fish completions load and offer commands" {
	zsh -f -n "$top/completions/_hwkey"
	fish --no-config -c "source $top/completions/hwkey.fish; complete -C 'hwkey gener'" | grep -q '^generate'
}

@test "devices: a table, JSON, columns" {
	hwkey list-devices | grep -q '^local  *soft'
	[ "$(hwkey list-devices --raw --noheadings --output device,backend)" = 'local soft' ]
	hwkey list-devices --json | grep -q '"device": "local"'
	fails 2 "no column 'colour'" hwkey list-devices --output colour
	fails 3 "no device 'tpm9'" hwkey list-devices tpm9
}

@test "--verbose says which repository and devices are used" {
	run hwkey list --verbose
	[[ $output == *"repository '$HWKEY_REPOSITORY', not there yet"* ]]
	run hwkey seal --verbose -o "$BATS_TEST_TMPDIR/sealed" </dev/null
	[[ $output == *"device 'local' (soft) is usable"* ]]
}

@test "a passphrase that is too long does not reach the shell" {
	hwkey generate -q k
	passphrase=$(printf '%0600d' 7)
	cat >"$BATS_TEST_TMPDIR/t" <<-EOF
		hwkey pks-config --add-slot passphrase
		read -r -t 1 left
		echo "left=[\$left]"
	EOF
	wait_for() { for ((n = 0; n < 600; n++)); do ! grep -q "$1" "$BATS_TEST_TMPDIR/screen" || break; sleep 0.1; done; }
	: >"$BATS_TEST_TMPDIR/screen"
	run script -qefc "bash $BATS_TEST_TMPDIR/t" "$BATS_TEST_TMPDIR/screen" \
		< <(wait_for ': $'; printf '%s\n' "$passphrase"; wait_for 'left=')
	[[ $output == *'longer than 511 bytes'* ]]
	[[ $output == *'left=[]'* ]]
}

@test "a signal at the prompt leaves the terminal as it was, and ends the command" {
	hwkey generate -q k
	python3 - <<-'EOF'
		import os, pty, signal, termios, time
		pid, fd = pty.fork()
		if pid == 0:
		    os.execvp("hwkey", ["hwkey", "pks-config", "--add-slot", "passphrase"])
		text = b""
		while not text.endswith(b": "):
		    text += os.read(fd, 100)
		time.sleep(0.1)
		assert not termios.tcgetattr(fd)[3] & termios.ECHO
		os.kill(pid, signal.SIGTERM)
		while True:
		    try:
		        if not os.read(fd, 100): break
		    except OSError:
		        break
		status = os.waitpid(pid, 0)[1]
		assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM, status
		assert termios.tcgetattr(fd)[3] & termios.ECHO
	EOF
}

@test "descriptors that came closed are not written into files" {
	echo x | hwkey pks-write -q l
	bash -c 'hwkey pks-write --replace l <<<y >&- 2>&-'
	[ ! -s "$HWKEY_PKS_DIR/.lock" ]
	[ "$(hwkey pks-read l)" = y ]
}

@test "an empty variable is one that is not set" {
	run env HWKEY_REPOSITORY= hwkey list --verbose
	[[ $output == *"'/etc/hwkey/repository'"* ]]
}
