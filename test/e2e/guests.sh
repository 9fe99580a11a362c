#!/bin/bash
# The guests that check the hypervisor: each must end with verdict 0, and its trace must replay clean. (Golden
# traces are recorded whatever the verdict is.)
#
# Usage: guests.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 2
vexit=$(realpath "${1:?usage: guests.sh BUILD_DIR}")/vexit
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
export TMPDIR=$work

while read -r arguments; do
	# shellcheck disable=SC2086
	if ! "$vexit" record --machine bochs --timeout 120 -q -f --guest $arguments \
		--console "$work/console" -o "$work/t.vxt" >"$work/log" 2>&1 </dev/null; then
		echo "not ok $arguments"; tail -n 20 "$work/console" "$work/log"
	elif ! "$vexit" replay -q "$work/t.vxt" >"$work/log" 2>&1; then
		echo "not ok $arguments: replay"; head -n 20 "$work/log"
	else
		echo "ok $arguments: $(grep -v '^ *$' "$work/console" | tail -n 1), $(tail -n 1 "$work/log")"
	fi
done <<'END'
cpu --vcpus 2
mmio
edge --vcpus 2
firmware
firmware --vcpus 2
apic --vcpus 2
apic --hide-tracing-time
time
time --hide-tracing-time
time --vcpus 2
crash --append badvmcall
crash --append ud-vmx
crash --append hole
END

# How a run can end otherwise: what `record` says and gives, and the trace up to there replays clean.
while read -r status end arguments; do
	# shellcheck disable=SC2086
	"$vexit" record --machine bochs --timeout 120 -f --guest $arguments \
		--console "$work/console" -o "$work/t.vxt" >"$work/log" 2>&1 </dev/null
	got=$?
	if [ $got != "$status" ] || ! grep -q "guest ended: $end" "$work/log"; then
		echo "not ok $arguments: $end"; tail -n 20 "$work/console" "$work/log"
	elif ! "$vexit" replay -q "$work/t.vxt" >"$work/log" 2>&1; then
		echo "not ok $arguments: $end: replay"; head -n 20 "$work/log"
	else
		echo "ok $arguments: $end"
	fi
done <<'END'
1 reset crash --append reset
1 reset crash --append reset=8042
1 reset crash --append reset=line
1 reset crash --append reset=fast
0 power-off crash --append poweroff
1 triple-fault crash --append triple
END
