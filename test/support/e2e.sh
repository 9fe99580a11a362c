# e2e.sh: what the scripts of test/e2e share. Sourced after `build=…`; makes $work, which goes away, and $TMPDIR in it.
vexit=$build/vexit
work=$(mktemp -d)
export TMPDIR=$work/tmp && mkdir "$TMPDIR"
clean_up() {
	[ -z "${pid:-}" ] || kill -KILL "$pid" 2>/dev/null
	rm -rf "$work"
}
trap clean_up EXIT

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1"; tail -n 20 "$work/err" 2>/dev/null; }
# check NAME COMMAND…
check() { local name=$1; shift; if "$@" >"$work/check.out"; then ok "$name"; else not_ok "$name: $*"; fi; }
# said NAME PATTERN: in what the last command said on stderr
said() { if grep -q -- "$2" "$work/err"; then ok "$1"; else not_ok "$1: expected '$2'"; fi; }
# Seconds from the start of a recording to its guest's first word, on this machine now.
measure_boot() {
	local start=$SECONDS
	"$vexit" record --machine bochs --guest hello --timeout 300 -q -f -o "$work/boot.vxt" >/dev/null 2>&1 </dev/null
	echo $((SECONDS - start + 2))
}
