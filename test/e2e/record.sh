#!/bin/bash
# `vexit record` from the outside: a guest with four vCPUs, its console, its verdicts, the files it
# leaves; the same run twice.
#
# Usage: record.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$(realpath "${1:?usage: record.sh BUILD_DIR}")
. test/support/e2e.sh

# status WANTED NAME COMMAND…
status() {
	local wanted=$1 name=$2 got
	shift 2
	"$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	if [ $got = "$wanted" ]; then ok "$name"; return; fi
	not_ok "$name: status $got, expected $wanted"
	cat "$work/err"
}
records() { zstd -dcq "$1" | sha256sum; }
record() { "$vexit" record --machine bochs --timeout 120 "$@"; }

# Four vCPUs, three lines each, verdict 0, a whole trace.
status 0 "print on four vCPUs ends well" record --guest print --vcpus 4 -o "$work/a.vxt"
cp "$work/out" "$work/console"
said "the verdict is told" 'guest ended: debug-exit 0'
for vcpu in 0 1 2 3; do
	check "vCPU $vcpu says its three lines" [ "$(grep -c "^vCPU $vcpu: hello by " "$work/console")" = 3 ]
done
check "zstd -t passes" zstd -q -t "$work/a.vxt"
status 0 "verify passes" "$vexit" verify "$work/a.vxt"
status 0 "info works" "$vexit" info "$work/a.vxt"
check "info shows four vCPUs" grep -q '^vCPUs *4' "$work/out"
check "info shows four VMCSs" grep -q '4 VMCSs' "$work/out"
check "its directory is gone" [ -z "$(ls "$TMPDIR")" ]

# The same image and options give the same raw records, times included; the ids differ.
status 0 "the same again" record --guest print --vcpus 4 -q --json --console "$work/console2" -o "$work/b.vxt"
check "--json gives one object with the verdict" grep -q '^{.*"verdict": "debug-exit 0".*}$' "$work/out"
check "-q says nothing" [ ! -s "$work/err" ]
check "the console is the same" cmp -s "$work/console" "$work/console2"
check "zstd -dc is the same" [ "$(records "$work/a.vxt")" = "$(records "$work/b.vxt")" ]
check "the files differ" [ "$(cat "$work/a.vxt" | sha256sum)" != "$(cat "$work/b.vxt" | sha256sum)" ]

# The trace to a pipe, the console to a file.
record --guest hello --console "$work/console3" -q -o - 2>"$work/err" </dev/null |
	"$vexit" verify - >"$work/out" 2>&1
check "-o - writes a whole trace to a pipe" grep -q 'whole:' "$work/out"
check "and the console to its file" grep -q hello "$work/console3"

# Levels.
status 0 "touched snapshots" record --guest print --trace touched -o "$work/touched.vxt"
status 0 "verify passes on them" "$vexit" verify "$work/touched.vxt"
status 0 "no trace at all" record --guest print --trace off -q
status 0 "every field checked at every exit" record --guest print --check-snapshot -q -o "$work/checked.vxt"

# What can't be done says why, and leaves nothing.
status 2 "an existing output is refused" record --guest print -o "$work/a.vxt"
said "with the way out" '-f'
status 2 "an unknown guest is refused" record --guest nonesuch -o "$work/c.vxt"
said "with those there are" 'guests in .*print'
status 2 "a file that is no guest is refused" record --guest "$work/console" -o "$work/c.vxt"
check "without leaving a file" [ ! -e "$work/c.vxt" ]
status 2 "a CPU model that Bochs lacks" record --guest hello --cpu nonesuch -o "$work/c.vxt"
said "is explained" 'bochs --help cpu'
status 2 "an option that isn't one" record --guest hello --nonesuch -o "$work/c.vxt"
if command -v qemu-system-x86_64 >/dev/null && [ ! -e /dev/kvm ]; then
	status 2 "QEMU without KVM has no VMX" \
		timeout 100 "$vexit" record --machine qemu --guest hello -o "$work/c.vxt"
	said "and the hypervisor says so" 'no VMX'
	check "without leaving a file" [ ! -e "$work/c.vxt" ]
fi
check "no directory is left" [ -z "$(ls "$TMPDIR")" ]
