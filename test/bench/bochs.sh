# bochs.sh: a Linux kernel in Bochs without vexit, for what is measured beside it. Sourced by test/bench/linux_native.sh and
# guests/kvm/measure.sh. Everything stands in a directory DIR of its own.

# bochs_medium DIR KERNEL INITRD APPEND: DIR/medium.iso, from which GRUB boots them.
bochs_medium() {
	local dir=$1 tree=$1/tree
	mkdir -p "$tree/boot/grub"
	ln -L "$2" "$tree/boot/vmlinuz" 2>/dev/null || cp "$2" "$tree/boot/vmlinuz" || return
	ln -L "$3" "$tree/boot/initrd" 2>/dev/null || cp "$3" "$tree/boot/initrd" || return
	cat >"$tree/boot/grub/grub.cfg" <<-GRUB
		linux /boot/vmlinuz $4
		initrd /boot/initrd
		boot
	GRUB
	grub-mkrescue -d /usr/lib/grub/i386-pc --install-modules="normal linux iso9660 biosdisk" --modules= --locales= --fonts= \
		--themes= -o "$dir/medium.iso" "$tree" >"$dir/mkrescue.out" 2>&1 || { cat "$dir/mkrescue.out" >&2; return 2; }
}

# bochs_start DIR MB KHZ PREFIX…: start Bochs by PREFIX (nice, timeout …) with the debugger's commands in DIR/commands; its
# process is $bochs, what it says DIR/bochs.out, the serial line DIR/console.txt.
#
# As recorder/bochs.c configures it, but for ips: Linux takes its time from emulated devices, so that its clock and its TSC
# agree only when an emulated second has as many instructions as the TSC is said to have ticks.
bochs_start() {
	local dir=$1 mb=$2 khz=$3
	shift 3
	cat >"$dir/bochsrc" <<-BOCHS
		cpu: model=corei7_skylake_x, count=1, ips=${khz}000, reset_on_triple_fault=0, ignore_bad_msrs=1
		memory: guest=$mb, host=$mb
		romimage: file=/usr/share/bochs/BIOS-bochs-latest
		vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
		ata0-master: type=cdrom, path=medium.iso, status=inserted
		boot: cdrom
		display_library: rfb, options="timeout=0"
		vga: update_freq=1
		sound: driver=dummy
		clock: sync=none, time0=1767225600
		panic: action=fatal
		error: action=ignore
		info: action=ignore
		debug: action=ignore
		log: events.txt
		com1: enabled=1, mode=file, dev=console.txt
	BOCHS
	: >"$dir/console.txt"
	: >"$dir/bochs.out"
	(cd "$dir" && exec "$@" bochs -q -f bochsrc -rc commands </dev/null >bochs.out 2>&1) &
	# shellcheck disable=SC2034
	bochs=$!
}
