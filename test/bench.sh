#!/bin/bash
# `make bench`: measure, print the figures beside KVM's, and write BUILD_DIR/bench.json, an array of {"name", "value", "unit"}.
#
# Usage: bench.sh BUILD_DIR [EXITS]      EXITS: of the trace that the host's rates are measured on (default 1000000)
#
# Instructions are counted by the TSC in Bochs and are exact. The host's rates are wall time on one core: quote them with the machine.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1 exits=${2:-1000000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export VEXIT_DIR=$PWD/$build
vexit=$build/vexit
: >"$work/figures"

figure() { printf '%s %s %s\n' "$1" "$2" "$3" >>"$work/figures"; }
note() { printf 'bench: %s\n' "$*" >&2; }
# A number of `vexit info --json`, by key.
info() { "$vexit" info --json "$1" | tr ',{}' '\n\n\n' | sed -n "s/^ *\"$2\": *//p" | head -n 1; }

# ---- instructions a round trip: guest `bench`, untraced and traced ----
for level in off full; do
	note "guests/bench, --trace $level"
	trace=$work/bench-$level.vxt
	timeout 300 "$vexit" record -q --guest bench --trace $level --console "$work/$level.txt" -o "$trace" </dev/null
	name=untraced
	[ $level = full ] && name=traced
	# "bench: cpuid 1072 …": the first number is the round trip without the loop
	sed -n 's/^bench: \([a-z0-9_-]*\) \([0-9]*\).*/\1 \2/p' "$work/$level.txt" |
		while read -r reason cycles; do
			# what costs less doesn't exit: the guest owns it (CR0.TS, CR3, RDTSC, PAUSE of one vCPU, …)
			[ "$cycles" -lt 50 ] || figure "exit.$reason.$name" "$cycles" instructions
		done
done

# ---- bytes an exit ----
note "bytes an exit"
timeout 300 "$vexit" record -q --guest print --vcpus 4 --console /dev/null -o "$work/print.vxt" </dev/null
note "guests/exits, $exits exits: the trace for the host's rates"
start=$(date +%s.%N)
timeout 1200 "$vexit" record -q --guest exits --append "n=$exits" --console /dev/null -o "$work/exits.vxt" </dev/null
end=$(date +%s.%N)
for guest in bench-full print exits; do
	n=$(info "$work/$guest.vxt" exits)
	name=${guest%-full}
	figure "wire.$name" "$(echo "$(info "$work/$guest.vxt" packed_bytes) $n" | awk '{printf "%.2f", $1 / $2}')" bytes/exit
	figure "raw.$name" "$(echo "$(info "$work/$guest.vxt" raw_bytes) $n" | awk '{printf "%.2f", $1 / $2}')" bytes/exit
done
total=$(info "$work/exits.vxt" exits)
figure record.exits "$(echo "$total $start $end" | awk '{printf "%.0f", $1 / ($3 - $2)}')" exits/s

# ---- host rates, one core: the best of some runs, in turn, since a shared machine's speed changes ----
seconds() { local s e; s=$(date +%s.%N); "$@" >/dev/null 2>&1; e=$(date +%s.%N); echo "$s $e" | awk '{print $2 - $1}'; }
rate() { echo "$total $1" | awk '{printf "%.0f", $1 / $2}'; }
best() { sort -g | head -n 1; }
twice() { "$@" & "$@"; wait; }	# two processes at once, which have nothing in common
note "replay"
for _ in 1 2 3 4 5; do
	seconds "$vexit" replay -q --jobs 1 "$work/exits.vxt" >>"$work/one"
	seconds "$vexit" replay -q --jobs 2 "$work/exits.vxt" >>"$work/two"
	seconds twice "$vexit" replay -q --jobs 1 "$work/exits.vxt" >>"$work/apart"
done
figure host.replay "$(rate "$(best <"$work/one")")" exits/s
figure host.replay.jobs2 "$(rate "$(best <"$work/two")")" exits/s
# What two cores give here at all: two jobs that share nothing, against one.
figure host.two.cores "$(echo "$(best <"$work/one")" "$(best <"$work/apart")" | awk '{printf "%.2f", 2 * $1 / $2}')" times
figure host.replay.rss "$(python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)' "$vexit" replay -q --jobs 2 "$work/exits.vxt")" bytes
note "import; decode, and SQLite alone with the same rows"
for _ in 1 2; do
	rm -f "$work/exits.db"
	seconds "$vexit" import -q "$work/exits.vxt" -o "$work/exits.db" >>"$work/import"
	"$build/bench-host" "$work/exits.vxt" "$work/exits.db" "$work/plain.db" >>"$work/host"
done
figure host.import "$(rate "$(best <"$work/import")")" exits/s
for name in host.decode host.sqlite; do
	figure $name "$(sed -n "s/^$name //p" "$work/host" | sort -gr | head -n 1)" exits/s
done

# ---- a Linux boot ----
if [ -s "${KERNEL:-$build/linux/vmlinuz}" ] && [ -s "$build/linux/initrd.gz" ]; then
	note "a Linux boot, traced, untraced and without a hypervisor"
	test/bench/linux.sh "$build" >>"$work/figures"
else
	note "no Linux boot: 'make linux' fetches its kernel"
fi

# ---- KVM in the same Bochs, by `make bench-kvm`: as measured here; if it wasn't, as measured before and kept in the tree ----
if [ -s "$build/kvm.json" ]; then
	peers=$build/kvm.json origin="as 'make bench-kvm' measured them here on $(date -r "$build/kvm.json" +%F)"
else
	peers=guests/kvm/kvm.json
	origin="from $peers: an earlier measurement; 'make bench-kvm' repeats it here"
fi
sed -n 's/.*"name": "\([^"]*\)", "value": \([0-9.]*\), "unit": "\([^"]*\)".*/\1 \2 \3/p' "$peers" >>"$work/figures"

awk 'BEGIN { print "[" } { printf "%s  {\"name\": \"%s\", \"value\": %s, \"unit\": \"%s\"}", (NR > 1 ? ",\n" : ""), $1, $2, $3 } END { print "\n]" }' \
	"$work/figures" >"$build/bench.json"

awk '
function peer(name) { return name in value ? value[name] : "" }
{ value[$1] = $2; unit[$1] = $3; order[NR] = $1 }
END {
	printf "%-14s %10s %10s %16s %16s\n", "round trip", "untraced", "traced", "KVM untraced", "KVM kvm_exit"
	for (i = 1; i <= NR; i++)
		if (match(order[i], /^exit\..*\.untraced$/)) {
			r = substr(order[i], 6, length(order[i]) - 14)
			printf "%-14s %10s %10s %16s %16s\n", r, value[order[i]], value["exit." r ".traced"], \
				peer("kvm." r ".untraced"), peer("kvm." r ".kvm_exit")
		}
	print ""
	for (i = 1; i <= NR; i++)
		if (order[i] !~ /^(exit|kvm)\./)
			printf "%-20s %12s %s\n", order[i], value[order[i]], unit[order[i]]
	printf "%-20s %12.2f times\n", "replay, two jobs", value["host.replay.jobs2"] / value["host.replay"]
	if (value["host.sqlite"] > 0)
		printf "%-20s %12.2f of SQLite alone\n", "import", value["host.import"] / value["host.sqlite"]
}' "$work/figures"
echo "KVM's figures are $origin."
echo "written: $build/bench.json"
