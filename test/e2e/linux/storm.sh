#!/bin/bash
# A million VM exits of one kernel: what the guest says it did is what the trace holds.
#
# Usage: storm.sh BUILD_DIR [N]
set -u
cd "$(dirname "$0")/../../.." || exit 2
build=${1:?usage: storm.sh BUILD_DIR [N]} n=${2:-1000000}
. test/e2e/linux/lib.bash

BOOT_TIMEOUT=1200
booted storm 1 "cryptomgr.notests work=storm storm=$n" || exit 1
read -r cpuids reads bytes sleeps < <(console storm | sed -n \
	's/^vexit-linux: storm over: \([0-9]*\) CPUID, \([0-9]*\) port reads, \([0-9]*\) console bytes, \([0-9]*\) sleeps$/\1 \2 \3 \4/p')
check "storm: its end is told" [ -n "${sleeps:-}" ]
exits=$("$vexit" info --json "$work/storm.vxt" | json exits)
check "storm: $exits exits" [ "${exits:-0}" -ge "$n" ]
replays storm
counts storm
# Exits from user space (CPL 3) are the storm's own, and nobody else's.
check "storm: every CPUID is in the trace" [ "$(sql storm "SELECT count(*) FROM exits WHERE reason_name = 'CPUID' AND cpl = 3")" -ge "$cpuids" ]
check "storm: every port read" [ "$(sql storm "SELECT count(*) FROM exits WHERE reason_name = 'IO_INSTRUCTION' AND cpl = 3 AND qualification & 8")" = "$reads" ]
# The transmit register of COM1: port 0x3f8, a write.
check "storm: every byte that it printed" [ "$(sql storm "SELECT count(*) FROM exits WHERE reason_name = 'IO_INSTRUCTION' AND (qualification >> 16 & 0xffff) = 0x3f8 AND NOT qualification & 8")" -ge "$bytes" ]
echo "# $sleeps sleeps; $(stat -c %s "$work/storm.vxt") bytes"
