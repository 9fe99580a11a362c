#!/bin/bash
# Deliberate one-line bugs: each patch of this directory is applied to a copy of the core, and replay of the golden traces
# must find it: status 1, a divergence in the report, and no crash. A patch that survives fails the test.
#
# Usage: run.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
traces=$(ls traces/golden/*.vxt) || exit 2
for patch in test/bugs/*.patch; do
	name=$(basename "$patch" .patch)
	if ! test/broken.sh "$patch" "$work/tree" >"$work/log" 2>&1; then
		echo "not ok $name: the patch doesn't apply or build"; cat "$work/log"; continue
	fi
	found= crashed=
	for trace in $traces; do
		timeout 120 "$work/tree/build/vexit" replay -q "$trace" >"$work/report" 2>&1
		case $? in
		0) ;;
		1) found=$trace
		   grep -qi 'crash' "$work/report" && crashed=$trace
		   break ;;
		*) crashed=$trace; break ;;
		esac
	done
	if [ -n "$crashed" ]; then
		echo "not ok $name: replay of $crashed crashed"; tail -n 5 "$work/report"
	elif [ -z "$found" ]; then
		echo "not ok $name: survived every golden trace"
	else
		echo "ok $name: $(basename "$found"): $(grep -m1 -iE 'expected|diverge' "$work/report" | head -c 160)"
	fi
done
