#!/bin/bash
# Every golden trace replays whole: no divergence, none skipped, as many exits as the hypervisor counted (closing frame), and
# byte for byte the same report twice, and with one job and with four.
cd "$(dirname "$0")/../.." || exit 2
build=${1:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for trace in traces/golden/*.vxt; do
	name=$(basename "$trace" .vxt)
	for run in "1 --jobs 1" "2 --jobs 1" "3 --jobs 4" "4 --jobs 4 --json" "5 --jobs 1 --json"; do
		# shellcheck disable=SC2086
		set -- $run
		"$build/vexit" replay "$trace" "${@:2}" >"$work/$1" 2>"$work/err" || { echo "not ok $name: $run"; cat "$work/$1" "$work/err"; continue 2; }
	done
	cmp "$work/1" "$work/2" && cmp "$work/1" "$work/3" && cmp "$work/4" "$work/5" || { echo "not ok $name: reports differ"; continue; }
	counted=$("$build/vexit" query --format csv "$trace" "SELECT value FROM meta WHERE key = 'closing.exits'" | tail -n 1)
	if ! grep -q "^$counted exits and [0-9]* entry steps compared, 0 skipped, 0 divergences$" "$work/1"; then
		echo "not ok $name: the hypervisor counted $counted exits"; cat "$work/1"; continue
	fi
	echo "ok $name: $(cat "$work/1")"
done
