#!/bin/bash
# Build the host tool from a copy of the tree with one source patch applied: a handler broken on purpose.
#
# Usage: broken.sh PATCH WORK_DIR [BUILD_DIR]
#
# Makes WORK_DIR anew and leaves WORK_DIR/build/vexit. Objects come from BUILD_DIR (build), so that only what
# differs is compiled; times are kept, so that make can tell.
set -euo pipefail
patch=$(realpath "$1") work=$(realpath -m "$2") from=${3:-build}
cd "$(dirname "$0")/.."

rm -rf "$work"
mkdir -p "$work/build"
cp -a --parents Makefile hv recorder replay analyzer guests/*/*.mk test/broken.sh "$work"
[ ! -d "$from/host" ] || cp -a "$from/host" "$work/build/"
[ "$from" = build ] || find "$work/build" -name '*.d' -exec sed -i "s|^$from/|build/|" {} +
cd "$work"
patch -s -p1 --fuzz=0 <"$patch"
make -s O=build build/vexit >make.log 2>&1 || { cat make.log >&2; exit 2; }
