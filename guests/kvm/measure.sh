#!/bin/bash
# `make bench-kvm`: measure Linux's own KVM in the Bochs in which vexit is measured: the columns beside vexit's figures.
#
# Usage: measure.sh BUILD_DIR KERNEL BUSYBOX INITRD
#
#   What runs      Bochs boots KERNEL ("L1": Debian's stock cloud kernel, its defaults, mitigations on) with an initramfs
#                  of BusyBox, KVM's modules from the same package, and `kvmrun`, a small monitor on /dev/kvm (main.c).
#                  Under KVM then run the guests ("L2") that vexit is measured with, the same files, put into memory by the
#                  same loader (hv/load), with the same ACPI tables, and without RDRAND, as there:
#                    loops   guests/bench: loops of 2,000 of one exit, best of 3, the loop without the exit taken off
#                    acpi    KERNEL and INITRD, `console=ttyS0 quiet`, 256 MB, from the first VM entry to the marker on
#                            its console; with ACPI tables: I/O APIC, x2APIC
#                    pic     the same without ACPI: 8259 and PIT, in the kernel
#                  each untraced, with the tracepoint kvm_exit on, and with all of KVM's events on (init, in L1).
#   How it counts  By the TSC, which counts instructions in Bochs. The loops read it in the guest; a boot's total is
#                  read by kvmrun, less the time that KVM says the guest was halted (main.c says what that takes off).
#                  L1's own timer tick is in the totals, as it is on any host.
#   In KVM's favour: the guest's memory is populated, by large pages, before it starts; the ring loses nothing and is
#                  read afterwards; the console's bytes are kept in memory; there are no devices that Linux can do
#                  without (vexit's guest finds PCI and a keyboard controller); the guest gets all that KVM offers: its
#                  clock, EOI by paravirtualization, the TSC-deadline timer and more.
#   Left as it is: KVM's parameters stand as the module sets them, nx_huge_pages and halt_poll_ns among them.
#
# Written: BUILD_DIR/kvm.json, an array of {"name", "value", "unit"}; BUILD_DIR/kvm/console.txt, all that L1 said: exits by
# reason, events, statistics, parameters. `ONLY="loops acpi"` leaves the other runs, and their figures, out.
#   kvm.KIND.untraced|kvm_exit|all     instructions a round trip, KIND as guests/bench names it; but its `io…` use the
#                                      UART, a port that goes to kvmrun here, and are `io-user…`. `io` is a port that
#                                      KVM has in the kernel: guests/bench's `io-pic`. `mmio` is the local APIC; KVM
#                                      avoids most of those exits by APICv, which needs posted interrupts and so
#                                      isn't to be had in Bochs. `mmio-ioapic` is KVM's usual way.
#   linux.instr.kvm, linux.kvm.kvm_exit, linux.kvm.all    the boot, instructions
#   linux.exits.kvm                    exits of the untraced boot, by KVM's own counter
#   linux.wire.kvm, linux.wire.kvm.all bytes in the ring: kvm_exit events, all events
#   linux.share.kvm                    KVM's part of the boot's instructions: all but what ran between VM entry and exit
#   linux.halted.kvm                   instructions' worth of time that was left out
#   Each linux.… is with ACPI; with the suffix .pic without.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/bench/bochs.sh
build=$1 kernel=$2 busybox=$3 initrd=$4
only=${ONLY:-loops acpi pic}
work=$build/kvm/run
console=$build/kvm/console.txt
append="console=ttyS0 quiet"
marker="vexit-linux: up"
khz=400000	# of the TSC, as for every guest that is measured
# Bochs seeds RDRAND and RDSEED from the time of day. Without them (vexit's guests haven't got them either), and without
# random addresses, boots of two runs differ by a few thousandths of a per cent. The self-tests of cryptomgr would only
# make L1's own boot longer; the guests' boot has them.
# Bochs' CPUID and its XSAVES disagree about sizes, for which Linux does without XSAVE altogether, and so do KVM's guests.
# Without XSAVEC and XSAVES it has AVX, and so have they, as vexit's guests have.
l1_append="tsc=reliable tsc_early_khz=$khz nokaslr clearcpuid=rdrand,rdseed,xsavec,xsaves cryptomgr.notests"
modules="virt/lib/irqbypass arch/x86/kvm/kvm arch/x86/kvm/kvm-intel"
limit=3600	# s

note() { echo "bench-kvm: $*" >&2; }
die() { echo "bench-kvm: $*" >&2; exit 2; }

# The version string of a bzImage (Linux, boot.rst, "kernel_version").
kernel_version() {
	local at
	at=$(od -An -tu2 -j 526 -N 2 "$1")
	dd if="$1" bs=1 skip=$((at + 512)) count=128 2>/dev/null | tr '\0' '\n' | head -n 1 | cut -d ' ' -f 1
}

# KVM's modules of exactly this kernel: from the package that it was fetched with, or from the running system.
copy_modules() {
	local version package
	version=$(kernel_version "$kernel")
	mkdir -p "$1"
	for package in "$(dirname "$kernel")"/linux-image-"$version"_*.deb; do
		[ -f "$package" ] || continue
		# shellcheck disable=SC2046,SC2086
		dpkg-deb --fsys-tarfile "$package" |
			tar -x -C "$1" --transform 's,.*/,,' $(printf "./lib/modules/$version/kernel/%s.ko " $modules)
		return
	done
	for module in $modules; do
		[ -f "/lib/modules/$version/kernel/$module.ko" ] ||
			die "no package linux-image-$version beside $kernel, no /lib/modules/$version/kernel/$module.ko"
		cp "/lib/modules/$version/kernel/$module.ko" "$1"
	done
}

make_initramfs() {
	local root=$work/root
	mkdir -p "$root"/{bin,dev,proc,sys}
	copy_modules "$root/modules"
	install -m 755 "$busybox" "$root/bin/busybox"
	for applet in sh mount insmod uname cat grep sleep timeout poweroff; do
		ln -s busybox "$root/bin/$applet"
	done
	install -m 755 "$build/kvm/kvmrun" "$root/bin/kvmrun"
	install -m 755 guests/kvm/init "$root/init"
	cp "$kernel" "$root/vmlinuz"
	cp "$initrd" "$root/initrd"
	cp "$build/guests/bench.elf" "$root/bench.elf"
	printf 'WHAT="%s"\nAPPEND="%s"\nMARKER="%s"\n' "$only" "$append" "$marker" >"$root/measure.conf"
	(cd "$root" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$1"
}

# Until L1 powers off, or says that it is done, or $limit seconds have passed.
run_bochs() {
	local seconds=0 said="" running
	echo c >"$work/commands"
	bochs_start "$work" 1024 $khz nice
	# shellcheck disable=SC2064
	trap "kill $bochs 2>/dev/null || true" EXIT
	while kill -0 $bochs 2>/dev/null && [ $seconds -lt $limit ] && ! grep -q '^== end' "$work/console.txt"; do
		sleep 1
		seconds=$((seconds + 1))
		running=$(tr -d '\r' <"$work/console.txt" | sed -n 's/^== \(.* \(untraced\|kvm_exit\|all\)\)$/\1/p' | tail -n 1)
		if [ "$running" != "$said" ]; then
			said=$running
			note "$running (after $seconds s)"
		fi
	done
	kill $bochs 2>/dev/null || true
	wait $bochs 2>/dev/null || true
	[ -s "$work/console.txt" ] || die "Bochs printed nothing: $(tail -n 3 "$work/bochs.out")"
	tr -d '\r' <"$work/console.txt" >"$console"
	if ! grep -q '^== end' "$console" || grep -q 'failed:' "$console"; then
		tail -n 20 "$console" >&2
		die "the measurement failed; all of L1's console: $console"
	fi
}

rm -rf "$work"
mkdir -p "$work"
note "L1's boot medium, $(kernel_version "$kernel")"
make_initramfs "$work/initramfs"
bochs_medium "$work" "$kernel" "$work/initramfs" "console=ttyS0 quiet $l1_append" || die "grub-mkrescue failed"
note "Bochs: $only, three times each; some minutes"
run_bochs
guests/kvm/figures.awk -v khz=$khz "$console" >"$build/kvm/figures" || die "these figures can't be right; L1's console: $console"
awk 'BEGIN { print "[" }
	{ printf "%s  {\"name\": \"%s\", \"value\": %s, \"unit\": \"%s\"}", (NR > 1 ? ",\n" : ""), $1, $2, $3 }
	END { print "\n]" }' "$build/kvm/figures" >"$build/kvm.json"
rm -rf "$work"
awk '{ printf "%-28s %12s %s\n", $1, $2, $3 }' "$build/kvm/figures"
echo "written: $build/kvm.json; all that L1 said: $console"
