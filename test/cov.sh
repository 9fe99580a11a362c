#!/bin/bash
# `make cov`: line coverage of the core under the unit and handler tests, by file, least covered first.
#
# Usage: cov.sh BUILD_DIR      builds in BUILD_DIR/cov, with gcov's counters in place of the sanitizers
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1/cov
tests=$(ls test/unit/*_test.c test/exit/*_test.c | sed "s|^test/\(.*\)\.c$|$out/test/\1|")
# shellcheck disable=SC2086
make -s -j"$(nproc)" O="$out" ASAN="--coverage -O0" $tests >/dev/null
find "$out" -name '*.gcda' -delete
for test in $tests; do
	timeout 600 "$test" >/dev/null 2>&1 || echo "cov: $test failed" >&2
done
find "$out/asan/hv" -name '*.gcda' | while read -r data; do
	gcov -n "$data" 2>/dev/null
done | awk -F"'" '
/^File/ { file = $2 }
/^Lines executed:/ && file ~ /^hv\/(exit|insn|dev|trace)\/.*\.c$/ {
	split($0, part, /[:% ]+/)
	print part[3], part[5], file
	file = ""
}' | sort -u -k3,3 | sort -n | awk '
{ printf "%6.2f %% of %5d  %s\n", $1, $2, $3; lines += $2; covered += $1 * $2 / 100 }
END { if (lines == 0) exit 1; printf "%6.2f %% of %5d  all of the core\n", 100 * covered / lines, lines }'
