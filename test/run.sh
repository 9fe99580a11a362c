#!/bin/bash
# Run every test of a built tree, two at a time, and count: `N passed, N failed` is the last line; status 1 if any failed.
#
# Usage: run.sh BUILD_DIR [PATTERN]     PATTERN: only the tests whose name matches this glob. FULL=1: the long ones, too.
#
# A test is a program of test/unit or test/exit (cmocka counts its cases), or a script of test/e2e, test/sql or
# test/fuzz, which may print lines `ok NAME` and `not ok NAME` to be counted one by one; otherwise its exit status counts.
# Scripts get the build directory as their first argument. FULL=1 adds those of test/e2e/linux.
set -u
cd "$(dirname "$0")/.." || exit 2
build=${1:?usage: run.sh BUILD_DIR [PATTERN]}
pattern=${2:-*}
logs=$build/test-logs
rm -rf "$logs" && mkdir -p "$logs"
export VEXIT_DIR=$PWD/$build

run_one() {
	local test=$1 log=$2/$(echo "$1" | tr / _).log start=$SECONDS status passed failed limit=${TEST_TIMEOUT:-600}
	case $test in
	test/e2e/linux/*) limit=3600 ;;
	esac
	case $test in
	*.sh) timeout "$limit" bash "$test" "$3" </dev/null >"$log" 2>&1 ;;
	*) timeout "$limit" "$test" </dev/null >"$log" 2>&1 ;;
	esac
	status=$?
	passed=$(grep -c '^ok ' "$log") failed=$(grep -c '^not ok ' "$log")
	if grep -q '^\[==========\] .* test(s) run' "$log"; then
		passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s).*/\1/p' "$log" | awk '{n+=$1} END {print n+0}')
		failed=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' "$log" | awk '{n+=$1} END {print n+0}')
	elif [ $((passed + failed)) = 0 ]; then
		[ $status = 0 ] && passed=1 || failed=1
	fi
	[ $status = 0 ] || [ "$failed" != 0 ] || failed=1
	echo "$passed $failed" >"$log.count"
	printf '%-4s %-44s %4d passed %3d failed %4d s\n' "$([ "$failed" = 0 ] && echo ok || echo FAIL)" "$test" "$passed" "$failed" \
		$((SECONDS - start))
	[ "$failed" = 0 ] || { echo "---- $log (last lines)"; tail -n 40 "$log"; echo "----"; }
}
export -f run_one

{
	ls "$build"/test/unit/*_test "$build"/test/exit/*_test 2>/dev/null
	[ -z "${FULL:-}" ] || ls test/e2e/linux/*.sh
	ls test/e2e/*.sh test/sql/run.sh test/fuzz/run.sh test/bugs/run.sh 2>/dev/null
} | while read -r test; do
	# shellcheck disable=SC2254
	case $test in $pattern | *"$pattern"*) echo "$test" ;; esac
done >"$logs/list"
xargs -a "$logs/list" -P "${TEST_JOBS:-2}" -I{} bash -c 'run_one "$@"' - {} "$logs" "$build"

passed=0 failed=0
while read -r test; do
	read -r p f 2>/dev/null <"$logs/$(echo "$test" | tr / _).log.count" || { p=0 f=1; }
	passed=$((passed + p)) failed=$((failed + f))
done <"$logs/list"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
