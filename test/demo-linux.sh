#!/bin/bash
# `make demo-linux`: a stock Linux kernel boots; every VM exit is recorded, replayed, asked; each command as it can be typed.
#
# Usage: demo-linux.sh BUILD_DIR       KERNEL: another kernel than Debian's that was fetched
#        leaves BUILD_DIR/demo-linux/{boot.vxt,boot.db,console.txt}
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1 out=$1/demo-linux kernel=${KERNEL:-$1/linux/vmlinuz}
. test/demo.bash
rm -rf "$out" && mkdir -p "$out"

say "Boot Linux on the hypervisor, in Bochs, to power-off (about a minute)"
run "$build/vexit" record --guest "$kernel" --initrd "$build/linux/initrd.gz" --append "console=ttyS0 quiet" \
	--console "$out/console.txt" -o "$out/boot.vxt"
printf '$ cat %s\n' "$out/console.txt"
tr -d '\r' <"$out/console.txt"

say "The trace: plain zstd, whole, every VM exit of the boot with its whole VMCS"
run zstd -q -t "$out/boot.vxt"
run "$build/vexit" verify "$out/boot.vxt"

say "Replay: the same handlers and devices, on this machine, must do the same at every exit and every VM entry"
run "$build/vexit" replay "$out/boot.vxt"

say "Where the exits and the cycles went"
run "$build/vexit" stat "$out/boot.vxt"

say "And in SQL: the ports that Linux used most; its busiest places; how long it slept"
run "$build/vexit" import "$out/boot.vxt" -o "$out/boot.db"
run "$build/vexit" query "$out/boot.db" "SELECT * FROM io_stats LIMIT 8"
run "$build/vexit" query "$out/boot.db" "SELECT * FROM hot_rips LIMIT 8"
run "$build/vexit" query "$out/boot.db" \
	"SELECT reason_name, count(*) AS exits, sum(handler_cycles) AS handler, sum(guest_cycles) AS guest FROM exits GROUP BY reason_name ORDER BY exits DESC LIMIT 5"

left_for_you "$out"
