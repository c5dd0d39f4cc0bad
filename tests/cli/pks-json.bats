#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The JSON of the keystore commands against what tests/data says of it.

setup() {
	load helpers
	cd "$BATS_TEST_TMPDIR"
	boot 1
}

# valid SCHEMA COMMAND...: its output is what the schema allows
valid() {
	"${@:2}" >out.json || return
	python3 - "$top/tests/data/$1.schema.json" out.json <<-'EOF'
		import json, sys
		from jsonschema import Draft202012Validator as Validator
		schema, shown = (json.load(open(name)) for name in sys.argv[1:])
		Validator.check_schema(schema)
		problems = ["%s: %s" % (list(p.path), p.message) for p in Validator(schema).iter_errors(shown)]
		sys.exit("\n".join(problems) or 0)
	EOF
}

# put LABEL [OPTION...]
put() { printf data | hwkey pks-write -q "$@" -; }

everything() {
	valid pks-list hwkey pks-list --json "$@" && valid pks-config hwkey pks-config --json "$@" &&
		valid pks-config hwkey pks-list --info --json "$@"
}

@test "pks: the JSON of every state is what its schema says" {
	valid pks-list hwkey pks-list --json			# none yet
	hwkey pks-config -q --size 4K
	everything
	put a
	put b --consumer firmware --policy immutable,worldreadable
	put c --consumer bootloader --policy transient
	put '\"/ é'
	put 00ff0a7f225c --label-hex
	put "$(printf 'x%.0s' {1..239})"
	hwkey generate -q k					# wrapping key
	everything
	hwkey pks-password --generate --consumer firmware || true
	hwkey pks-lock bootloader
	hwkey pks-config -q --power11 --size 128K		# to come
	put d --no-wait
	everything
	[ "$(jq -c '.keystore[0] | [.pending, .locked, .unconfirmed != null]' out.json)" = '[131072,["bootloader"],true]' ]
	hwkey pks-config --store more --create --size 5K
	everything --store more
	hwkey pks-config --store more --size 0
	valid pks-config hwkey pks-config --json --store more
	rm "$HWKEY_PKS_DIR/system/local.A"
	touch "$HWKEY_PKS_DIR/system/local.B.damaged"
	everything
	[ "$(jq -c '.keystore[0].damaged | length' out.json)" = 2 ]
}

@test "pks: the schemas tell what is wrong" {
	for wrong in '.objects[0].consumer = "root"' '.objects[0].size = null' '.objects[0].policy = "immutable"' \
		'.objects[0].policy = ["signed"]' '.objects[0].label = ""' '.objects[0].label = "a\nb"' 'del(.objects[0].generation)' \
		'.objects = null' '.more = 1'; do
		echo '{"objects":[{"consumer":"os","label":"a","policy":[],"size":1,"generation":3}]}' | jq "$wrong" >wrong.json
		run valid pks-list cat wrong.json
		[ "$status" -ne 0 ] || { echo "$wrong"; false; }
	done
	hwkey pks-config -q --size 4K
	hwkey pks-config --json >right.json
	valid pks-config cat right.json
	for wrong in '.size = 4097' '.uuid = "x"' '.slots = []' '.pending = 1' '.locked = ["x"]' '.damaged = ["x"]' '.max = 1' \
		'.used = -1' 'del(.protection)'; do
		jq ".keystore[0] |= ($wrong)" right.json >wrong.json
		run valid pks-config cat wrong.json
		[ "$status" -ne 0 ] || { echo "$wrong"; false; }
	done
}
