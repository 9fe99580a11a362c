#!/bin/bash
# Make the Linux guest's initramfs: the same bytes for the same files, whoever makes it, whenever and where.
#
# Usage: initramfs.sh OUT BUSYBOX WORK      WORK: the compiled work.c
set -euo pipefail
out=$(realpath -m "$1") busybox=$2 work=$3
root=$(mktemp -d) && trap 'rm -rf "$root" "$out.part"' EXIT

mkdir -m 755 "$root"/{bin,dev,proc,sys}
install -m 755 "$busybox" "$root/bin/busybox"
install -m 755 "$work" "$root/bin/work"
install -m 755 "$(dirname "$0")/init" "$root/init"
# BusyBox' shell finds its other commands by itself; /dev/console is in every kernel's built-in initramfs.
ln -s busybox "$root/bin/sh"
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
	cpio --quiet -0 -o -H newc --reproducible -R 0:0) | gzip -9 -n >"$out.part"
mv "$out.part" "$out"
