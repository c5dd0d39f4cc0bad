# The man pages say what the binary does: pages, options and exit statuses are in step both ways.
setup() {
	load helpers
	man=$top/man
}

commands() { hwkey --complete '' | grep -vE '^(help|--.*)$'; }

# Rows of --help, as "-x, --name=ARG".
help_rows() { hwkey "$1" --help | sed -nE 's/^  (-., |    )(--[a-z0-9-]+(=[^ ]+)?)( .*)?$/\1\2/p' | sed 's/^ *//' | sort; }

# Rows of a page's options, in the same form.
page_rows() {
	sed -nE 's/^\.It Fl (.*)$/\1/p' "$1" |
		sed -E 's/ , Fl -/, --/; s/^-([a-z])/--\1/; s/^([A-Za-z],)/-\1/; s/ Ns = Ns Ar /=/' | sort
}

# same WHAT WANTED FOUND: two lists are the same; says what is not.
same() {
	diff <(cat <<<"$2") <(cat <<<"$3") >"$BATS_TEST_TMPDIR/diff" && return
	echo "$1:" >&2
	cat "$BATS_TEST_TMPDIR/diff" >&2
	return 1
}

@test "every command has a page, every page a command, and hwkey(8) names them all" {
	pages=$(cd "$man" && printf '%s\n' hwkey-*.8 | sed 's/^hwkey-//; s/\.8$//' | sort)
	same 'pages' "$(commands | sort)" "$pages"
	named=$(sed -nE 's/^\.It Xr hwkey-([a-z-]+) 8$/\1/p' "$man/hwkey.8" | sort)
	same 'hwkey.8' "$(commands | sort)" "$named"
}

@test "options of --help are in the page, or, if they are common ones, in hwkey(8)" {
	common=$(page_rows "$man/hwkey.8")
	for c in $(commands); do
		rows=$(help_rows "$c") page=$(page_rows "$man/hwkey-$c.8")
		[ "$(grep -c . <<<"$rows")" -ge 5 ]
		known=$(printf '%s\n' "$common" "$page" | sort -u)
		same "$c: only in --help" '' "$(comm -23 <(cat <<<"$rows") <(cat <<<"$known"))"
		same "$c: only in the page" '' "$(comm -13 <(cat <<<"$rows") <(grep . <<<"$page"))"
	done
}

@test "options of hwkey(8) are those that commands share" {
	shared=$(comm -12 <(help_rows list-devices) <(help_rows doctor))
	same 'hwkey.8' "$shared" "$(page_rows "$man/hwkey.8")"
}

@test "an option that a page mentions is one of some command" {
	all=$(for c in $(commands); do help_rows "$c"; done | sed -E 's/^-., //; s/=.*//' | sort -u)
	mentioned=$(grep -hoE 'Fl -[a-z0-9-]+' "$man"/*.8 "$man/hwkey-repository.5" | sed 's/Fl -/--/' | sort -u)
	same 'options of no command' '--version' "$(comm -13 <(cat <<<"$all") <(cat <<<"$mentioned"))"
}

@test "synopses are those of --help" {
	for c in $(commands); do
		want=$(hwkey "$c" --help | sed -nE 's/^Usage: //p')
		found=$(mandoc -Tascii -O width=200 "$man/hwkey-$c.8" | sed 's/.\x08//g' | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' |
			sed -nE 's/^ +//p' | sed 's/ *$//')
		same "$c" "$want" "$found"
	done
}

@test "the exit statuses of hwkey(8) are 0 to 8, and those that errors are given" {
	listed=$(sed -n '/^\.Sh EXIT STATUS/,/^\.Sh EXAMPLES/p' "$man/hwkey.8" | sed -nE 's/^\.It ([0-9]+)$/\1/p')
	same 'hwkey.8' "$(seq 0 8)" "$listed"
	given=$(sed -n '/^} statuses/,/^};/p' "$top/lib/err.c" | grep -oE ', [0-9]+ \}' | grep -oE '[0-9]+')
	same 'lib/err.c' "$(seq 0 8)" "$(printf '%s\n' 1 "$given" | sort -un)"
	for c in $(commands); do
		grep -A 2 '^\.Sh EXIT STATUS' "$man/hwkey-$c.8" | grep -qx '\.Xr hwkey 8 \.'
	done
}

@test "hwkey-pks(7) says of every rule what software makes of it, and what the keystore is not" {
	page=$(mandoc -Tascii -O width=80 "$man/hwkey-pks.7" | sed 's/.\x08//g')
	rules=$(sed -n '/^RULES/,/^FILES/p' <<<"$page" | grep -oE '^ *R[0-9]+ ' | tr -d ' R')
	same 'rules' "$(seq 25)" "$rules"
	said=$(sed -n '/"The software keystore/,/;$/p' "$top/backends/soft/store.c" | grep -oE '"[^"]*"' | tr -d '"\n')
	[ "$(wc -w <<<"$said")" -gt 30 ]
	[[ $(tr -s ' \n' ' ' <<<"$page") == *"$said"* ]]
	for policy in $(sed -nE 's/^.*\{ POLICY_[A-Z]+, "([a-z]+)" \}.*/\1/p' "$top/cmd/pks.c"); do
		grep -qi "$policy" "$man/hwkey-pks.7"
	done
	listed=$(sed -n '/^\.Sh SEE ALSO/,$p' "$man/hwkey-pks.7" | sed -nE 's/^\.Xr hwkey-(pks-[a-z]+) 8.*/\1/p')
	same 'commands' "$(commands | grep ^pks-)" "$listed"
}

@test "pages of ours that pages refer to exist" {
	grep -hoE 'Xr hwkey[a-z0-9-]* [0-9]' "$man"/* | sort -u | while read -r _ name section; do
		[ -e "$man/$name.$section" ] || { echo "no $name($section)" >&2; exit 1; }
	done
}

@test "environment variables and credentials that the sources name are in hwkey(8)" {
	for name in $(cat "$top"/cmd/*.c "$top"/lib/luks/*.c | grep -oE 'secure_getenv\("[A-Z_]+"' | grep -oE '[A-Z_]{4,}' | sort -u); do
		grep -qx "\.It Ev $name" "$man/hwkey.8"
	done
	for name in $(cat "$top"/cmd/*.c "$top"/lib/luks/*.c "$top"/backends/*/*.c | grep -oE '"hwkey\.[a-z-]+"' | tr -d '"' | sort -u); do
		grep -qx "\.It Pa $name" "$man/hwkey.8"
	done
}

@test "columns that the sources define are in the page of their command" {
	for source in $(grep -lE '\{ "[A-Z-]+"(, OUT_[A-Z]+)?(, \.?[a-z]+[^}]*)? \}' "$top"/cmd/*.c); do
		page=$(basename "$source" .c)
		case $page in keys) page=list ;; pks) page=pks-config ;; list-ap | list-watch) page=list-devices ;; esac
		for column in $(grep -oE '\{ "[A-Z-]+"(, OUT_[A-Z]+)?(, \.?[a-z]+[^}]*)? \}' "$source" | grep -oE '"[A-Z-]+"' | tr -d '"'); do
			sed '/^\.Sh EXAMPLES/q' "$man/hwkey-$page.8" | grep -qw -e "$column" ||
				{ echo "$page: no column $column" >&2; return 1; }
		done
	done
}

@test "pages are clean for mandoc and groff, and dated" {
	mandoc -Tlint -Wwarning "$man"/*.[578]
	for page in "$man"/*.[578]; do
		! command -v groff >/dev/null || [ -z "$(groff -ww -t -mdoc -Tascii -z "$page" 2>&1)" ]
		grep -m 1 '^\.Dd' "$page" | grep -qE '^\.Dd [A-Z][a-z]+ [0-9]{1,2}, [0-9]{4}$'
	done
}
