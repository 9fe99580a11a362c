#!/bin/bash
# What goes into a guest: what is typed, from a file, a pipe and a terminal, its command line, its first module.
#
# Usage: input.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$(realpath "${1:?usage: input.sh BUILD_DIR}")
. test/support/e2e.sh

echoed() { sed -n 's/^> //p' "$work/console" | tr -d '\r'; }
# echo_guest OPTIONS…: a recording of guests/echo, with stdin as it is
echo_guest() {
	"$vexit" record --machine bochs --guest echo --timeout 200 -f -o "$work/t.vxt" --console "$work/console" "$@" \
		>"$work/out" 2>"$work/err"
	got=$?
}

# More than fits in any buffer on the way: every byte arrives, once and in order.
for i in $(seq 60); do echo "line $i: the quick brown fox jumps over the lazy dog"; done >"$work/lines"
(cat "$work/lines"; echo quit) >"$work/typed"
echo_guest --input "$work/typed" </dev/null
check "a guest fed from a file powers off" [ $got = 0 ]
check "every line of it came" cmp -s "$work/lines" <(echoed)
check "its trace replays" "$vexit" replay -q "$work/t.vxt"
bytes=$("$vexit" query -q --format csv "$work/t.vxt" \
	"SELECT count(*) FROM crossings WHERE kind = 'console_in' AND value >= 0" | tail -n 1)
check "each byte is a crossing of it" [ "$bytes" = "$(stat -c %s "$work/typed")" ]

# A pipe, whose writer is slow and then gone; the interrupt instead of polling. Its end isn't the guest's.
echo_guest --input - --append irq < <(echo one; sleep 3; echo two; sleep 2; echo quit)
check "a guest fed from a pipe powers off" [ $got = 0 ]
check "and got all of it" [ "$(echoed | xargs)" = "one two" ]
patience=$(($(measure_boot) * 2))
echo_guest --input - --timeout $patience < <(echo three)
check "the end of input isn't the end of the run" [ $got = 1 ]
check "which goes on to its timeout" grep -q "timeout after $patience" "$work/err"
echo_guest --timeout $patience < <(echo quit)
check "without --input stdin isn't read" [ $got = 1 ]
echo_guest --input "$work/nonesuch" </dev/null
check "a missing input is refused" [ $got = 2 ]

# The command line passes through the boot loader as it is; the module lies where the guest is told.
line="dyndbg=\"file x.c  +p\" it's \\back \$HOME \${x} a;b &|<> \`ls\` # 'q' *"
printf 'cmdline\nmodule\nquit\n' >"$work/typed"
head -c 300001 "$vexit" >"$work/module"
crc=$(python3 -c "import sys, zlib; print('%08x' % zlib.crc32(open(sys.argv[1], 'rb').read()))" "$work/module")
echo_guest --input "$work/typed" --append "$line" --initrd "$work/module" </dev/null
check "a command line of any text arrives" grep -qF "command line: echo.elf $line" "$work/console"
check "a module arrives whole" grep -q "^module: 300001 bytes, CRC-32 $crc" "$work/console"
echo_guest --append $'a\tb' </dev/null
check "what is not printable is refused" [ $got = 2 ]

python3 test/e2e/terminal.py "$vexit" "$work"
check "no directory is left but those of killed recorders" [ "$(ls "$TMPDIR" | wc -l)" -le 2 ]
