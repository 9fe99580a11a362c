#!/bin/bash
# Build build/vexit's host tool from a copy of the tree with one source patch applied: a handler broken on purpose.
#
# Usage: broken.sh PATCH WORK_DIR      leaves WORK_DIR/build/vexit; a second call with the same WORK_DIR takes the
#                                      patch before back first and rebuilds only what differs.
set -euo pipefail
patch=$(realpath "$1") work=$2
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$work"
if [ ! -e "$work/Makefile" ]; then
	(cd "$here" && tar cf - Makefile hv recorder replay analyzer test/*.sh) | tar xf - -C "$work"
	make -s -C "$work" O=build build/vexit >/dev/null
fi
cd "$work"
if [ -e applied.patch ]; then
	patch -s -R -p1 <applied.patch
	rm applied.patch
fi
patch -s -p1 --fuzz=0 <"$patch"
cp "$patch" applied.patch
make -s O=build build/vexit >make.log 2>&1 || { cat make.log >&2; exit 2; }
