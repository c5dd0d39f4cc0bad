# SPDX-License-Identifier: MIT
# arch_names ARCH: what it is called by Debian ($deb, its kernel $flavour), by GNU ($gnu) and by QEMU ($qemu).
# Sourced. $suite is whose packages are taken.
# shellcheck shell=bash disable=SC2034
suite=bookworm
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=${here%/tests/kernel/arch}
. "$top/tests/kernel/lab.bash"

arch_names() {
	arch=$1
	case $arch in
	s390x) deb=s390x flavour=s390x gnu=s390x-linux-gnu qemu=s390x ;;
	ppc64le) deb=ppc64el flavour=powerpc64le gnu=powerpc64le-linux-gnu qemu=ppc64le ;;
	arm64) deb=arm64 flavour=arm64 gnu=aarch64-linux-gnu qemu=aarch64 ;;
	*) die "no architecture '$arch' here: s390x, ppc64le or arm64" ;;
	esac
}

# tree KIND FILLER: prints the directory KIND of the cache for $arch; FILLER DEBS DIR fills a new one, if there is none that
# this version of these scripts made. It is there whole, or not at all.
tree() {
	local dir=$cache/$1/$suite-$deb made
	made=$(cat "$here/names.bash" "$here/../lab.bash" "$here/$1" | sha256sum)
	mkdir -p "$cache/$1"
	exec 8>"$dir.lock"
	flock 8
	if [ "$(cat "$dir/made" 2>/dev/null)" != "$made" ]; then
		rm -rf "$dir" "$dir.new" "$dir.debs"
		mkdir -p "$dir.new" "$dir.debs"
		"$2" "$dir.debs" "$dir.new" >&2
		echo "$made" >"$dir.new/made"
		note "$dir.new"
		rm -rf "$dir.debs"
		mv "$dir.new" "$dir"
	fi
	whole "$dir"
	exec 8>&-
	echo "$dir"
}
