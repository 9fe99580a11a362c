#!/bin/sh
# The core is pure: of its objects together, no undefined symbol but mem* and vcpu_load(), and nothing writable.
# Usage: purity.sh OBJECT…
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ld -r -o "$dir/core.o" "$@"
undefined=$(nm -u "$dir/core.o" | awk '{print $2}' | grep -vxE 'memcpy|memmove|memset|memcmp|vcpu_load' || true)
writable=$(nm "$dir/core.o" | awk '$2 ~ /^[bBdDcCgGsS]$/ {print $3}')
status=0
for symbol in $undefined; do echo "purity: the core calls $symbol(), which is outside of it" >&2; status=1; done
for symbol in $writable; do echo "purity: the core keeps state of its own in $symbol" >&2; status=1; done
exit $status
