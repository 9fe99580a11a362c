#!/bin/bash
# The figures of a Linux boot, for `make bench`: Debian's kernel under vexit, traced and not, and without a hypervisor,
# from its first instruction to the line "up" of guests/linux (which is an OUT of 0x4d to port 0x80, too).
#
# Usage: linux.sh BUILD_DIR      prints: NAME VALUE UNIT. Needs what `make linux` makes.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:?usage: linux.sh BUILD_DIR}
export VEXIT_DIR=$PWD/$build
vexit=$build/vexit kernel=${KERNEL:-$build/linux/vmlinuz} initrd=$build/linux/initrd.gz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A number of the summary of `vexit record --json`, by key.
summary() { tr ',{}' '\n\n\n' <"$work/$1.json" | sed -n "s/^ *\"$2\": *//p" | head -n 1; }
sql() { "$vexit" query --format csv "$work/full.db" "$1" | tail -n 1 | tr ',' ' '; }
boot() {
	timeout "${TIMEOUT:-600}" "$vexit" record -q --json --trace "$1" --guest "$kernel" --initrd "$initrd" --append "console=ttyS0 quiet" \
		--console "$work/$1.txt" -o "$work/$1.vxt" </dev/null >"$work/$1.json"
	mark[$1]=$(tr -d '\r' <"$work/$1.txt" | sed -n 's/^vexit-linux: up tsc=\([0-9]*\) .*/\1/p')
	[ -n "${mark[$1]}" ] || { echo "linux.sh: the guest didn't come up:" >&2; tail -n 5 "$work/$1.txt" >&2; exit 1; }
}
declare -A mark
boot full
boot off
# What a recording takes before its guest runs.
timeout 100 "$vexit" record -q --json --guest hello --console /dev/null -o "$work/hello.vxt" </dev/null >"$work/hello.json"
"$vexit" import -q "$work/full.vxt" -o "$work/full.db"

# The OUT of the mark: the number of its exit, and the time from the first entry to it.
read -r seq instr <<<"$(sql "SELECT seq, tsc_exit - (SELECT min(tsc_entry) FROM exits) FROM exits
	WHERE reason = 30 AND (qualification >> 16 & 0xffff) = 0x80 AND (rax & 0xff) = 0x4d ORDER BY seq LIMIT 1")"
read -r guest tail <<<"$(sql "SELECT sum(CASE WHEN seq <= $seq THEN guest_cycles ELSE 0 END),
	sum(CASE WHEN seq > $seq THEN guest_cycles ELSE 0 END) FROM exits")"
# The last frame goes out after the mark, in the second that it ends; the guest halts after it alone, if at all.
wire=$(($(summary full wire) - $(summary full last_wire)))
zstd=$(($(summary full zstd) - $(summary full last_zstd)))
# The guest's clock begins a little before its first entry, by as much in both runs.
untraced=$((mark[off] - mark[full] + instr))

awk -v instr="$instr" -v wire="$wire" -v zstd="$zstd" -v guest="$guest" -v tail="$tail" -v untraced="$untraced" -v exits=$((seq + 1)) \
	-v bytes="$(summary full wire_bytes)" -v off="$(summary off guest)" -v seconds="$(summary full seconds)" \
	-v hello="$(summary hello seconds)" -v idle="$(summary off idle)" 'BEGIN {
	traced = instr - wire
	printf "linux.instr.untraced %.0f instructions\n", untraced
	printf "linux.instr.traced %.0f instructions\n", traced
	printf "linux.instr.wire %.0f instructions\n", wire
	printf "linux.instr.zstd %.0f instructions\n", zstd
	printf "linux.share.untraced %.2f %%\n", 100 * (1 - (off - idle - tail) / untraced)
	printf "linux.share.traced %.2f %%\n", 100 * (1 - guest / traced)
	printf "linux.exits %d exits\n", exits
	printf "linux.wire %d bytes\n", bytes
	printf "linux.wire.kinstr %.3f bytes/1000\n", bytes / (guest / 1000)
	printf "linux.wall.traced %.1f s\n", seconds - hello
}'
"$vexit" query --format csv "$work/full.db" "SELECT reason || ' ' || name FROM exit_reason" | tail -n +2 |
	python3 -B test/bench/wire_bytes.py "$work/full.vxt" | sed 's/^\(.*\) \(.*\)/linux.bytes.\1 \2 bytes\/exit/; s/keyframes\(.*\)bytes.exit/keyframes\1bytes/'
test/bench/linux_native.sh "$build" | sed 's/\(instr\|halt\)\(.*\)/\1\2 instructions/; s/wall.*/& s/'
