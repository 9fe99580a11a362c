#!/bin/bash
# Replay the fuzz targets without an engine: their seeds, the corpus of inputs that once failed, and seeded mutations.
#
# Usage: run.sh BUILD_DIR        FULL=1: twenty times as many mutations, with a new seed each day
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${1:?usage: run.sh BUILD_DIR}
count=20000 seed=1
[ -z "${FULL:-}" ] || count=400000 seed=$(date +%Y%m%d)
found=0
for target in "$build"/test/fuzz/fuzz_*; do
	[ -x "$target" ] || continue
	name=${target##*/}
	case $name in *.*) continue ;; esac
	found=1
	n=$count
	[ "$name" != fuzz_reader ] || n=$((count / 10))
	corpus=test/fuzz/corpus/$name
	if (cd "$build/test/fuzz" && "./$name" -n $n -s "$seed" $([ -d "$OLDPWD/$corpus" ] && echo "$OLDPWD/$corpus")); then
		echo "ok $name"
	else
		echo "not ok $name (input: $build/test/fuzz/$name.crash, seed $seed)"
	fi
done
[ $found = 1 ] || { echo "not ok no fuzz target was built"; exit 1; }
