#!/bin/bash
# A stock Linux kernel from boot to power-off on one vCPU, without the crypto self-tests that are half of its boot: recorded,
# replayed whole, imported, damaged. What takes longer is in test/e2e/linux/ (`make test-linux`).
#
# Usage: linux.sh BUILD_DIR       FULL=1: 1,000 cuts and 5,000 flips of the trace instead of 300 in all
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${1:?usage: linux.sh BUILD_DIR}
. test/e2e/linux/lib.bash

booted boot 1 "cryptomgr.notests symbols=do_idle,start_kernel" || exit 1
says_it_is_up boot 1
check "boot: the lines of the functions asked for" \
	[ "$(console boot | grep -c '^ffffffff[0-9a-f]* [tT] \(do_idle\|start_kernel\)$')" = 2 ]
check "boot: verify passes" "$vexit" verify -q "$work/boot.vxt"
check "boot: zstd -t passes" zstd -q -t "$work/boot.vxt"
replays boot
counts boot
if [ -n "${FULL:-}" ]; then damaged boot 1000 5000; else damaged boot 50 250; fi
