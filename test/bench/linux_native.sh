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
build=$(realpath "${1:?usage: linux_native.sh BUILD_DIR [APPEND]}")
kernel=$(realpath "${KERNEL:-$build/linux/vmlinuz}") append="console=ttyS0 quiet tsc_early_khz=400000${2:+ $2}"
work=$(mktemp -d)
bochs=
trap '[ -z "$bochs" ] || kill "$bochs" 2>/dev/null; rm -rf "$work"' EXIT

# GRUB loads a relocatable kernel where its header asks for it: 16 MiB, which nothing ran in before.
ENTRY=0x1000000
MHZ=400	# Bochs' ips in millions, and what the kernel is told; the header's `tsc_khz` of a recording

mkdir -p "$work/tree/boot/grub"
ln "$kernel" "$work/tree/boot/vmlinuz" 2>/dev/null || cp "$kernel" "$work/tree/boot/vmlinuz"
cp "$build/linux/initrd.gz" "$work/tree/boot/"
cat >"$work/tree/boot/grub/grub.cfg" <<END
linux /boot/vmlinuz $append
initrd /boot/initrd.gz
boot
END
grub-mkrescue -d /usr/lib/grub/i386-pc --install-modules="linux iso9660 biosdisk normal" --modules= --locales= --fonts= \
	--themes= -o "$work/linux.iso" "$work/tree" >"$work/mkrescue.out" 2>&1 || { cat "$work/mkrescue.out" >&2; exit 2; }

cat >"$work/bochsrc" <<END
cpu: model=corei7_skylake_x, count=1, ips=${MHZ}000000, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest=256, host=256
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path=linux.iso, status=inserted
boot: cdrom
display_library: rfb, options="timeout=0"
vga: update_freq=1
sound: driver=dummy
clock: sync=none, time0=1767225600
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
log: events
com1: enabled=1, mode=file, dev=console
END
# Run to the kernel, say so (which gives the time in ticks), and go on without the breakpoint.
printf '%s\n' "pb $ENTRY" c "d 1" c >"$work/commands"
: >"$work/out"
cd "$work"
timeout "${TIMEOUT:-400}" bochs -q -f bochsrc -rc commands </dev/null >out 2>&1 &
bochs=$!
while kill -0 $bochs 2>/dev/null && ! grep -q 'Breakpoint 1,' out; do sleep 0.05; done
start=$(date +%s.%N)
wait $bochs || true	# Bochs' status is 1 when its machine powers off
bochs=
end=$(date +%s.%N)

entered=$(sed -n '/Breakpoint 1,/{n;s/^Next at t=\([0-9]*\).*/\1/p}' out)
mark=$(tr -d '\r' <console | sed -n 's/^vexit-linux: up tsc=\([0-9]*\) idle_ns=\([0-9]*\)$/\1 \2/p')
[ -n "$entered" ] && [ -n "$mark" ] || { echo "linux_native: the guest didn't come up:" >&2; tail -n 20 out console >&2; exit 1; }
awk -v entered="$entered" -v mark="$mark" -v mhz=$MHZ -v seconds="$(echo "$end $start" | awk '{print $1 - $2}')" 'BEGIN {
	split(mark, m, " ")
	halted = m[2] * mhz / 1000
	printf "linux.instr.native %.0f\nlinux.halt.native %.0f\nlinux.wall.native %.1f\n", m[1] - entered - halted, halted, seconds
}'
