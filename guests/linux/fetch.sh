#!/bin/bash
# Fetch Debian's cloud kernel and its static BusyBox, by package name, without installing anything.
#
# Usage: fetch.sh kernel|busybox OUT       OUT becomes the package's vmlinuz or busybox; nothing is done if it is there
#
# As root or as anyone else: apt-get downloads (and checks) the packages beside OUT, where they stay.
# VEXIT_APT_UPDATE=0 never refreshes apt's lists.
set -euo pipefail
what=${1:?usage: fetch.sh kernel|busybox OUT} out=${2:?usage: fetch.sh kernel|busybox OUT}

die() { echo "vexit: $*" >&2; exit 2; }

# The image package that linux-image-cloud-amd64, which is empty, depends on.
kernel_package() {
	apt-cache depends --important linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}
package_name() { if [ "$what" = kernel ]; then kernel_package; else echo busybox-static; fi; }

# Root's sandbox user can't write here, and needn't.
download() {
	local package
	package=$(package_name)
	[ -n "$package" ] || { echo "apt knows no linux-image-cloud-amd64" >"$directory/apt.log"; return 1; }
	rm -f "$directory/$package"_*.deb
	(cd "$directory" && apt-get -qq -o APT::Sandbox::User=root download "$package" </dev/null >apt.log 2>&1)
}

update_lists() {
	local sudo=
	[ "${VEXIT_APT_UPDATE:-1}" = 1 ] || return 1
	if [ "$(id -u)" != 0 ]; then
		sudo="sudo -n"
		command -v sudo >/dev/null || return 1
	fi
	$sudo apt-get -qq update </dev/null >>"$directory/apt.log" 2>&1
}

# unpack PACKAGE_FILE MEMBER: the one file of the package whose name matches, to OUT.
unpack() {
	dpkg-deb --fsys-tarfile "$1" | tar -x -O --wildcards "$2" >"$out.part" || die "$1: no file $2 in it"
	[ -s "$out.part" ] || die "$1: $2 is empty"
	chmod 755 "$out.part"
	mv "$out.part" "$out"
}

[ ! -s "$out" ] || exit 0
for tool in apt-get dpkg-deb tar; do
	command -v $tool >/dev/null || die "there is no $tool here; give a kernel with KERNEL=/boot/vmlinuz-… and a static busybox with BUSYBOX=…"
done
mkdir -p "$(dirname "$out")"
directory=$(cd "$(dirname "$out")" && pwd)
echo "Fetching Debian's $what"
if ! download && ! { update_lists && download; }; then
	sed 's/^/  /' "$directory/apt.log" >&2
	die "the package of Debian's $what could not be fetched (offline? apt's lists old? try: apt-get update);" \
		"give a kernel with KERNEL=/boot/vmlinuz-… and a static busybox with BUSYBOX=…"
fi
file=$(echo "$directory/$(package_name)"_*.deb)
case $what in
kernel) unpack "$file" './boot/vmlinuz-*' ;;
busybox) unpack "$file" './bin/busybox' ;;
*) die "fetch.sh: kernel or busybox, not $what" ;;
esac
rm -f "$directory/apt.log"
echo "  $(basename "$file")"
