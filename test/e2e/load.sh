#!/bin/bash
# What `vexit record --guest FILE --initrd FILE --append STR` makes of files: a bzImage starts by Linux' 64-bit boot
# protocol; what can't boot is refused before a machine starts, and by the hypervisor itself when the recorder isn't there.
#
# Usage: load.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$(realpath "${1:?usage: load.sh BUILD_DIR}")
vexit=$build/vexit
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
export TMPDIR=$work/tmp && mkdir "$TMPDIR"

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1"; cat "$work/err"; }
check() { local name=$1; shift; if "$@"; then ok "$name"; else not_ok "$name: $*"; fi; }
# put FILE OFFSET BYTES…: a copy of the kernel with other bytes (octal or \x escapes) at an offset
put() { cp "$work/kernel" "$1" && printf "$3" | dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none; }
# refused NAME TEXT OPTIONS…: status 2, TEXT on stderr, no trace, no machine
refused() {
	local name=$1 text=$2
	shift 2
	"$vexit" record --machine bochs --timeout 60 "$@" -o "$work/refused.vxt" >"$work/out" 2>"$work/err" </dev/null
	local got=$?
	if [ $got = 2 ] && grep -qF -- "$text" "$work/err" && [ ! -e "$work/refused.vxt" ] && [ "$(wc -l <"$work/err")" = 1 ]; then
		ok "$name"
	else
		not_ok "$name: status $got, expected 2 and '$text'"
		rm -f "$work/refused.vxt"
	fi
}

gcc -c test/e2e/bzimage.S -o "$work/kernel.o" && objcopy -O binary -j .text "$work/kernel.o" "$work/kernel"
seq 1000 >"$work/initrd"
cp "$work/kernel" "$work/a kernel"

"$vexit" record --machine bochs --timeout 120 --guest "$work/a kernel" --initrd "$work/initrd" --append "two  words" --mem 64M \
	--console "$work/console" --keep "$work/keep" -o "$work/t.vxt" >"$work/out" 2>"$work/err" </dev/null
check "a bzImage starts and finds all that it was given" [ $? = 0 ]
check "its command line is what was appended" [ "$(head -n 1 "$work/console")" = "two  words" ]
check "its initrd arrives whole" cmp -s <(tail -n +2 "$work/console") "$work/initrd"
check "its trace replays" "$vexit" replay -q "$work/t.vxt"

python3 -c 'open("'"$work/module"'", "wb").write(bytes(i * 7 & 255 for i in range(5000)))'
"$vexit" record --machine bochs --timeout 120 --guest firmware --initrd "$work/module" --append "only=module module=5000" \
	--console "$work/console" -o "$work/m.vxt" >"$work/out" 2>"$work/err" </dev/null
check "a multiboot guest finds its module, whole and by name" [ $? = 0 ]
check "and nothing failed there" grep -q "firmware: module ok" "$work/console"

head -c 3000 "$work/kernel" >"$work/short"
put "$work/old" 0x206 '\x0b\x02'
put "$work/other" 0x202 'hDrS'
put "$work/real" 0x236 '\x00'
: >"$work/empty"
cp "$build/vexit" "$work/program"
cp "$build/guests/hello.elf" "$work/arm" && printf '\x28' | dd of="$work/arm" bs=1 seek=18 conv=notrunc status=none
head -c 5000 "$build/guests/hello.elf" >"$work/half"
refused "neither bzImage nor ELF" "$work/other:0: magic, expected" --guest "$work/other"
refused "a protocol too old" "$work/old:0x206: version of the boot protocol, expected at least 0x20c (2.12), got 0x20b" --guest "$work/old"
refused "no 64-bit entry" "$work/real:0x236: xloadflags" --guest "$work/real"
refused "a truncated kernel" "$work/short:0xbb8: end of the file, expected 3072 bytes of kernel after 0x400, got 1976" --guest "$work/short"
refused "an empty file" "$work/empty:0: size" --guest "$work/empty"
refused "a directory" "$work: Is a directory" --guest "$work"
refused "a file that isn't there" "$work/none: No such file or directory" --guest "$work/none"
refused "too little memory" "$work/kernel:0x260: init_size, expected at most 0 bytes" --guest "$work/kernel" --mem 16M
refused "an initrd beyond memory" "$work/program:0: size, expected at most" --guest "$work/kernel" --initrd "$work/program" --mem 18M
refused "an empty initrd" "$work/empty:0: size, expected at least 1 byte" --guest "$work/kernel" --initrd "$work/empty"
refused "a long command line" "--append:0xff: --append, expected at most the kernel's 255 bytes, got 256" --guest "$work/kernel" \
	--append "$(printf '%256s' '' | tr ' ' x)"
refused "an ELF for another architecture" "$work/arm:0x12: machine of an ELF-32, expected 3 (i386), got 40" --guest "$work/arm"
refused "a truncated ELF" "$work/half:0x" --guest "$work/half"
refused "an ELF that is no guest" "ELF type, expected 2 (executable), got 3" --guest "$work/program"

# By GRUB, without our recorder: the same code says the same.
offset=$(LC_ALL=C grep -aboP 'HdrS\x0f\x02' "$work/keep/boot.iso" | cut -d: -f1)
printf '\x0b\x02' | dd of="$work/keep/boot.iso" bs=1 seek=$((offset + 4)) conv=notrunc status=none
sed -i 's/^com3:.*/com3: enabled=1, mode=file, dev=bare.log/' "$work/keep/bochsrc"
(cd "$work/keep" && timeout 60 bochs -q -f bochsrc -rc commands >/dev/null 2>&1 </dev/null)
cp "$work/keep/bare.log" "$work/err"
check "the hypervisor refuses what the recorder would" grep -q \
	'error: guest:0x206: version of the boot protocol, expected at least 0x20c (2.12), got 0x20b' "$work/keep/bare.log"
check "and ends the run" grep -q 'vexit: verdict host-error' "$work/keep/bare.log"
