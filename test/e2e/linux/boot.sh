#!/bin/bash
# The stock kernel as it comes, with its self-tests, on one and on two vCPUs; the first recorded twice.
#
# Usage: boot.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../../.." || exit 2
build=${1:?usage: boot.sh BUILD_DIR}
. test/e2e/linux/lib.bash

for vcpus in 1 2; do
	name=vcpus-$vcpus
	booted $name $vcpus "" || continue
	says_it_is_up $name $vcpus
	check "$name: verify passes" "$vexit" verify -q "$work/$name.vxt"
	replays $name
	counts $name
	check "$name: every vCPU ran" [ "$(sql $name "SELECT count(DISTINCT vcpu) FROM exits")" = $vcpus ]
	check "$name: a row of exit_stats for each reason that came" \
		[ "$(sql $name "SELECT count(*) FROM exit_stats")" = "$(sql $name "SELECT count(DISTINCT reason) FROM exits")" ]
done

# The same image and options give the same records, times included.
if booted again 1 ""; then
	check "the same boot twice: zstd -dc is byte-identical" [ "$(records vcpus-1)" = "$(records again)" ]
	check "and the console" cmp "$work/vcpus-1.txt" "$work/again.txt"
fi
