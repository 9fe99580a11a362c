#!/bin/sh
# run.sh: the SQL tests. Each NAME.test has a trace, a query and the expected rows as CSV:
#
#	trace: small | golden | FILE		small: made by make_trace.c; golden: each trace of traces/golden (or of $GOLDEN)
#	query:
#	SELECT …
#	expected:
#	column,…
#	…
#
#	run.sh BUILD		prints a line per test and `sql: N passed, N failed`; status 1 if one failed
#
# Each query is asked of the trace, and again of the database that `vexit import` makes of it.
set -u
build=$1
vexit=$build/vexit
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

pass() { passed=$((passed + 1)); echo "ok sql/$1"; }
fail() { failed=$((failed + 1)); echo "not ok sql/$1"; sed 's/^/        /' "$2"; }

# compare NAME TRACE: $work/query and $work/expected
compare() {
	"$vexit" import -q -f "$2" -o "$work/db" >"$work/log" 2>&1 || { fail "$1" "$work/log"; return; }
	for from in "$2" "$work/db"; do
		"$vexit" query -q --format csv "$from" - <"$work/query" >"$work/got" 2>"$work/log" || cat "$work/log" >>"$work/got"
		if ! diff -u "$work/expected" "$work/got" >"$work/diff"; then
			fail "$1" "$work/diff"
			return
		fi
	done
	pass "$1"
}

run_test() {
	name=$(basename "$1" .test)
	trace=$(sed -n 's/^trace: *//p' "$1")
	sed -n '/^query:$/,/^expected:$/p' "$1" | sed '1d;$d' >"$work/query"
	sed '1,/^expected:$/d' "$1" >"$work/expected"
	case $trace in
	small) compare "$name" "$work/small.vxt" ;;
	golden)
		for golden in "${GOLDEN:-traces/golden}"/*.vxt; do
			[ -e "$golden" ] && compare "$name, $(basename "$golden")" "$golden"
		done ;;
	*) compare "$name" "$trace" ;;
	esac
}

# check NAME COMMAND…: it succeeds
check() {
	name=$1
	shift
	if "$@" >"$work/log" 2>&1; then pass "$name"; else fail "$name" "$work/log"; fi
}

gcc -std=gnu11 -O1 -fno-strict-aliasing -Itest -Ihv -Ihv/include -o "$work/make_trace" test/sql/make_trace.c \
	test/support/recording.c "$build/libcore.a" -lzstd || exit 2
"$work/make_trace" "$work/small.vxt" || exit 2

for test in test/sql/*.test; do
	run_test "$test"
done

# The database stands alone, and the stock sqlite3 opens every view of it.
every_view() {
	for view in exit_stats io_stats msr_stats cpuid_stats mmio_stats hot_rips; do
		sqlite3 "$work/db" "SELECT count(*) FROM $view" || return 1
	done
}
refuses_unknown_field() {
	! "$vexit" query -q "$work/small.vxt" "SELECT vmcs(0, 'NO_SUCH_FIELD')"
}
refuses_to_write() {
	! "$vexit" query -q "$work/db" "DELETE FROM exits" && ! "$vexit" query -q "$work/small.vxt" "DELETE FROM exits"
}
keeps_existing() {
	! "$vexit" import -q "$work/small.vxt" -o "$work/db"
}
stat_adds_up() {
	"$vexit" stat -q --json "$work/small.vxt" >"$work/a" && "$vexit" stat -q --json "$work/db" >"$work/b" &&
		cmp "$work/a" "$work/b" && python3 -c '
import json, sys
stat = json.load(open(sys.argv[1]))
for key in ("exits", "handler_cycles", "tracer_cycles", "guest_cycles"):
    assert sum(row[key] for row in stat["rows"]) == stat["total"][key], key
assert stat["total"]["exits"] == 11' "$work/a"
}
json_is_json() {
	"$vexit" query -q --format json "$work/small.vxt" "SELECT * FROM exits" | python3 -c '
import json, sys
rows = json.load(sys.stdin)
assert len(rows) == 11 and rows[0]["reason_name"] == "CPUID" and rows[0]["insn"] == "0fa2"'
}
"$vexit" import -q -f "$work/small.vxt" -o "$work/db"
check "docs.sh" sh test/sql/docs.sh "$vexit" "$work/small.vxt"
check "every view in stock sqlite3" every_view
check "vmcs() refuses an unknown field" refuses_unknown_field
check "query is read-only" refuses_to_write
check "import refuses an existing file" keeps_existing
check "stat adds up, of trace and database alike" stat_adds_up
check "--format json" json_is_json

echo "sql: $passed passed, $failed failed"
[ $failed -eq 0 ]
