#!/bin/bash
# The Linux guest in Bochs without a hypervisor: what a recorded boot is measured against. GRUB boots the kernel, and
# the figures go from its first instruction to the line "up" of guests/linux: instructions from the TSC (which
# counts them in Bochs), less what the processor stood in HLT, by the kernel's own account; seconds of wall time
# from the first instruction to power-off.
#
# Usage: linux_native.sh BUILD_DIR [APPEND]      APPEND: further words of the kernel's command line
#        prints: linux.instr.native N, linux.halt.native N, linux.wall.native S
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/bench/bochs.sh
build=$(realpath "${1:?usage: linux_native.sh BUILD_DIR [APPEND]}")
kernel=$(realpath "${KERNEL:-$build/linux/vmlinuz}") append="console=ttyS0 quiet tsc_early_khz=400000${2:+ $2}"
work=$(mktemp -d)
bochs=
trap '[ -z "$bochs" ] || kill "$bochs" 2>/dev/null; rm -rf "$work"' EXIT

# GRUB loads a relocatable kernel where its header asks for it: 16 MiB, which nothing ran in before.
ENTRY=0x1000000
MHZ=400	# Bochs' ips in millions, and what the kernel is told; the header's `tsc_khz` of a recording

bochs_medium "$work" "$kernel" "$build/linux/initrd.gz" "$append"
# Run to the kernel, say so (which gives the time in ticks), and go on without the breakpoint.
printf '%s\n' "pb $ENTRY" c "d 1" c >"$work/commands"
bochs_start "$work" 256 ${MHZ}000 timeout "${TIMEOUT:-400}"
cd "$work"
while kill -0 $bochs 2>/dev/null && ! grep -q 'Breakpoint 1,' bochs.out; do sleep 0.05; done
start=$(date +%s.%N)
wait $bochs || true	# Bochs' status is 1 when its machine powers off
bochs=
end=$(date +%s.%N)

entered=$(sed -n '/Breakpoint 1,/{n;s/^Next at t=\([0-9]*\).*/\1/p}' bochs.out)
mark=$(tr -d '\r' <console.txt | sed -n 's/^vexit-linux: up tsc=\([0-9]*\) idle_ns=\([0-9]*\)$/\1 \2/p')
[ -n "$entered" ] && [ -n "$mark" ] || { echo "linux_native: the guest didn't come up:" >&2; tail -n 20 bochs.out console.txt >&2; exit 1; }
awk -v entered="$entered" -v mark="$mark" -v mhz=$MHZ -v seconds="$(echo "$end $start" | awk '{print $1 - $2}')" 'BEGIN {
	split(mark, m, " ")
	halted = m[2] * mhz / 1000
	printf "linux.instr.native %.0f\nlinux.halt.native %.0f\nlinux.wall.native %.1f\n", m[1] - entered - halted, halted, seconds
}'
