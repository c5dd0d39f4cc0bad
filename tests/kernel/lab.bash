# SPDX-License-Identifier: MIT
# What the lab's scripts share. Sourced.
# shellcheck shell=bash disable=SC2034
cache=${XDG_CACHE_HOME:-$HOME/.cache}/hwkey-lab	# survives 'make clean'

# Ends a script with one line that says why: 125, as no guest's own status is.
die() { echo "lab: $*" >&2; exit 125; }

# need COMMAND...: this machine has them
need() {
	local command
	for command; do
		command -v "$command" >/dev/null || die "no '$command' here: run 'make deps deps-lab deps-arch'"
	done
}

# "${as_root[@]}" COMMAND...: what it writes, and what this user has written, is root's to it, as it is to be in a guest.
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(unshare -r)

# note DIR: what is in it, before it gets its name in the cache. whole DIR: it is still that, all of it, when it is taken:
# half a kernel would be a riddle.
note() {
	local sums
	sums=$(cd "$1" && find . -xtype f -exec sha256sum {} +) && echo "$sums" >"$1/sums"
}
whole() { (cd "$1" && sha256sum --status -c sums 2>/dev/null) || die "'$1' is damaged: remove it, and it is made anew"; }
