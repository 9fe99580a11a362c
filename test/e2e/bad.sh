#!/bin/bash
# What `vexit verify` says of each small bad trace: traces/bad/STATUS-MESSAGE.vxt, written by test/bad.py. And whether the
# independent reader finds it bad, too.
#
# Usage: bad.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${1:?usage: bad.sh BUILD_DIR}
vexit=$build/vexit-asan
[ -x "$vexit" ] || vexit=$build/vexit
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT

# Signs and case don't count: "it's" is "its", any other sign is a space.
plain() {
	tr -d "'" | tr -c '[:alnum:]\n' ' ' | tr -s ' '
}

python3 -B test/bad.py "$work" || exit 2
if diff -rq "$work" traces/bad >"$work.diff"; then
	echo "ok bad traces are what test/bad.py writes"
else
	echo "not ok traces/bad differs from what test/bad.py writes: $(head -n 3 "$work.diff")"
fi
rm -f "$work.diff"

python3 -B test/vxtread.py --verify traces/bad/*.vxt >"$work/independent" 2>&1
for trace in traces/bad/*.vxt; do
	name=$(basename "$trace" .vxt)
	status=${name%%-*}
	message=$(echo "${name#*-}" | tr - ' ')
	said=$("$vexit" verify "$trace" </dev/null 2>&1)
	got=$?
	if [ $got != "$status" ]; then
		echo "not ok $name: status $got: $said"
	elif ! echo "$said" | plain | grep -qF "$message"; then
		echo "not ok $name: $said"
	elif [ "$status" != 0 ] && ! echo "$said" | grep -q "^vexit: $trace:"; then
		echo "not ok $name: no file named: $said"
	elif ! grep -qx "$trace: $([ "$status" = 0 ] && echo good || echo BAD)" "$work/independent"; then
		echo "not ok $name: vxtread.py says otherwise"
	else
		echo "ok $name"
	fi
done
