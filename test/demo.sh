#!/bin/bash
# `make demo`: the whole loop on the guest `print`, each command as it can be typed, in at most three minutes.
#
# Usage: demo.sh BUILD_DIR       leaves BUILD_DIR/demo/{print.vxt,print.db,console.txt}
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1 out=$1/demo
. test/demo.bash
rm -rf "$out" && mkdir -p "$out"

say "Boot the hypervisor in Bochs; it runs the guest 'print' on four vCPUs and streams every VM exit"
run "$build/vexit" record --guest print --vcpus 4 --console "$out/console.txt" -o "$out/print.vxt"
printf '$ head -n 12 %s\n' "$out/console.txt"
head -n 12 "$out/console.txt"

say "The trace is plain zstd, checked from the wire to the file"
run zstd -q -t "$out/print.vxt"
run "$build/vexit" verify "$out/print.vxt"

say "Replay: the same handler code, on this machine, must do the same for every exit"
run "$build/vexit" replay "$out/print.vxt"

say "Break one handler on purpose (one line of source), and replay again"
run cat test/bugs/demo-cpuid-feature.patch
run test/broken.sh test/bugs/demo-cpuid-feature.patch "$out/broken" "$build"
status=0
run "$out/broken/build/vexit" replay "$out/print.vxt" || status=$?
if [ $status != 1 ]; then
	echo "demo: the broken handler should have diverged (status 1), but replay gave $status" >&2
	exit 1
fi

say "Put the trace into SQLite and ask"
run "$build/vexit" import "$out/print.vxt" -o "$out/print.db"
run "$build/vexit" query "$out/print.db" "SELECT reason_name, count(*) AS exits, sum(handler_cycles) AS handler, sum(guest_cycles) AS guest FROM exits GROUP BY reason_name ORDER BY exits DESC"
run "$build/vexit" stat "$out/print.vxt"

rm -rf "$out/broken"
left_for_you "$out"
printf '\nNext: make demo-linux records the boot of a stock Linux kernel, every VM exit of it, and replays it\n'
