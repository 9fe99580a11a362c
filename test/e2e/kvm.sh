#!/bin/bash
# guests/kvm without KVM: figures.awk on a console as L1 prints it; the figures kept in the tree are those that bench.sh shows.
# (That the monitor runs guests is seen by `make bench-kvm` alone: it takes minutes.)
build=${1:?usage: kvm.sh BUILD_DIR}
cd "$(dirname "$0")/../.." || exit 2
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT

check() { # NAME COMMAND...: ok if the command succeeds
	local name=$1
	shift
	if "$@"; then echo "ok $name"; else echo "not ok $name"; fi
}

cat >"$work/console" <<'END'
== loops untraced
bench: cpuid 1079 mean 1080
bench: vmcall skipped
bench: io 7417 mean 7418
bench: io-pic 1366 mean 1370
bench: cr0 1 mean 1
== acpi untraced
kvmrun: instructions 1000000
kvmrun: halted 77
kvmrun: exits 500
== acpi kvm_exit
kvmrun: instructions 1010000
kvmrun: exits 501
ring: entries: 501
ring: overrun: 0
ring: bytes: 34068
ring: dropped events: 0
ring: event kvm_exit 501
== acpi all
kvmrun: instructions 1030000
ring: entries: 1300
ring: overrun: 0
ring: bytes: 80000
ring: dropped events: 0
ring: event kvm_exit 501
ring: event kvm_entry 799
ring: guest_ns 2400000
END
cat >"$work/expected" <<'END'
kvm.cpuid.untraced 1079 instructions
kvm.io-user.untraced 7417 instructions
kvm.io.untraced 1366 instructions
kvm.io-pic.untraced 1366 instructions
linux.instr.kvm 1000000 instructions
linux.kvm.kvm_exit 1010000 instructions
linux.kvm.all 1030000 instructions
linux.exits.kvm 500 exits
linux.wire.kvm 34068 bytes
linux.wire.kvm.all 80000 bytes
linux.share.kvm 4 %
linux.halted.kvm 77 instructions
END
figures() { guests/kvm/figures.awk -v khz=400000 "$1" 2>/dev/null; }
same() { figures "$work/console" | diff "$work/expected" -; }
# refused SED: the console is refused after this change
refused() { sed "$1" "$work/console" >"$work/changed"; ! figures "$work/changed" >/dev/null; }
# kept NAME: the figure is in the tree's, in the form that bench.sh reads
kept() { grep -q "{\"name\": \"$1\", \"value\": [0-9.]*, \"unit\": \"[a-z%]*\"}" guests/kvm/kvm.json; }

check "figures of a console" same
check "lost events are refused" refused '0,/overrun: 0/s//overrun: 3/'
check "dropped events are refused" refused '0,/dropped events: 0/s//dropped events: 1/'
check "events that were not understood are refused" refused 's/entries: 1300/entries: 1301/'
for name in kvm.cpuid.untraced kvm.cpuid.kvm_exit kvm.cpuid.all kvm.vmcall.untraced kvm.rdmsr.untraced kvm.io.untraced \
	kvm.io-user.untraced kvm.mmio.untraced linux.instr.kvm linux.instr.kvm.pic linux.kvm.kvm_exit linux.kvm.all \
	linux.exits.kvm linux.wire.kvm; do
	check "$name is kept" kept "$name"
done
check "kvmrun says what is missing" grep -q "failed: which kernel" <("$build/kvm/kvmrun")
