#!/bin/bash
# The golden traces, and one that test/bad.py encoded from the text, read twice: by vexit and by test/vxtread.py, which was
# written from traces/FORMAT.md alone.
#
# Usage: independent.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${1:?usage: independent.sh BUILD_DIR}

for trace in traces/bad/0-whole.vxt traces/golden/*.vxt; do
	[ -e "$trace" ] || { echo "not ok there is no golden trace"; exit 1; }
	if python3 -B test/vxtcompare.py "$build/vexit" "$trace"; then
		echo "ok $trace"
	else
		echo "not ok $trace"
	fi
done
