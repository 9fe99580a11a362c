#!/bin/bash
# `make golden`: record the golden traces anew and say what changed. A trace whose raw records are the same is left alone.
#
# Usage: golden.sh BUILD_DIR [PATTERN]   The list is traces/golden/LIST: NAME, then the arguments of `vexit record`,
#     quoted as for a shell.
#     The word LINUX stands for the Linux guest's files; words after a | are arguments of `vexit slice`.
#     PATTERN: only the traces whose name matches.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1 pattern=${2:-*}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

counts() { "$build/vexit" query --format csv "$1" "SELECT reason_name, count(*) FROM exits GROUP BY 1 ORDER BY 1" 2>/dev/null || true; }

# A slice of whole frames in place of the trace $1.
slice() {
	local from=$1
	shift
	"$build/vexit" slice -q "$from" "$@" -o "$from.slice" && mv "$from.slice" "$from"
}

status=0
while read -r name arguments; do
	[ -n "$name" ] && [ "${name#\#}" = "$name" ] || continue
	# shellcheck disable=SC2254
	case $name in $pattern) ;; *) continue ;; esac
	cut=${arguments#*|}
	[ "$cut" != "$arguments" ] || cut=
	arguments=${arguments%|*}
	arguments=${arguments/LINUX/--guest $build/linux/vmlinuz --initrd $build/linux/initrd.gz}
	new=$work/$name.vxt old=traces/golden/$name.vxt
	# The guest's verdict may be any (a triple fault is a fine trace); a trace must be whole.
	eval "set -- $arguments"
	timeout 900 "$build/vexit" record -q "$@" --console "$work/$name.txt" -o "$new" </dev/null 2>"$work/$name.log" || true
	# shellcheck disable=SC2086
	[ -z "$cut" ] || slice "$new" $cut || status=1
	if ! "$build/vexit" verify -q "$new" >/dev/null 2>&1; then
		echo "$name: NOT RECORDED: $(tail -n 3 "$work/$name.log" | tr '\n' ' ')"; status=1; continue
	fi
	size=$(stat -c %s "$new")
	if [ "$size" -ge 1000000 ]; then
		echo "$name: $size bytes, too large for the repository"; status=1; continue
	fi
	if [ -e "$old" ] && cmp -s <(zstd -qdc "$old") <(zstd -qdc "$new"); then
		echo "$name: unchanged"; continue
	fi
	if [ -e "$old" ]; then
		echo "$name: changed ($(stat -c %s "$old") → $size bytes); exits by reason:"
		diff <(counts "$old") <(counts "$new") | sed -n 's/^[<>]/  &/p' || true
	else
		echo "$name: new, $size bytes"
	fi
	cp "$new" "$old"
done <traces/golden/LIST
exit $status
