#!/bin/bash
# Guests that reset, hang, flood the console or die: how their recordings end, what is told of them, and what is in
# the trace. With --reboot each boot is a session of its own.
#
# Usage: reboot.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$(realpath "${1:?usage: reboot.sh BUILD_DIR}")
. test/support/e2e.sh

# start LINES OPTIONS…: guests/echo, told LINES, in the background: $pid
start() {
	echo "$1" >"$work/typed"
	shift
	"$vexit" record --machine bochs --guest echo --input "$work/typed" -f -o "$work/t.vxt" --console "$work/console" \
		--symbols "$build/guests/echo.elf" "$@" >"$work/out" 2>"$work/err" </dev/null &
	pid=$!
}
finish() { wait "$pid"; got=$?; pid=; }
run() { start "$@"; finish; }
wait_console() {
	for _ in $(seq 1500); do
		[ "$(grep -c "$1" "$work/console" 2>/dev/null)" -ge "$2" ] && return 0
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}
info() { "$vexit" info --json --session "$1" "$work/t.vxt" 2>/dev/null; }
whole() { "$vexit" verify -q "$work/t.vxt" >/dev/null 2>>"$work/err"; }
replays() { "$vexit" replay -q --session "$1" "$work/t.vxt" >"$work/out" 2>>"$work/err"; }

# A reset ends the run, or with --reboot begins the next boot.
run "reset" --timeout 200
check "a reset gives 1" [ $got = 1 ]
said "and is told" 'guest ended: reset'
run $'first\nreset\nsecond\nreset\nthird\nquit' --reboot --timeout 300 --json
check "--reboot ends with the last boot's status" [ $got = 0 ]
said "says that it boots again" 'guest ended: reset 0; booting again'
said "and how many boots there were" ': 3 boots, '
check "in JSON, too" grep -q '"boots": 3' "$work/out"
check "each boot reads on where the one before was" \
	[ "$(sed -n 's/^> //p' "$work/console" | tr -d '\r' | xargs)" = "first second third" ]
check "the trace is whole" whole
check "zstd -t passes" zstd -q -t "$work/t.vxt"
for session in 1 2 3; do
	check "boot $session is a session that replays" replays $session
done
check "of an id of its own" [ "$(for s in 1 2 3; do info $s | grep -o '"id": "[0-9]*"'; done | sort -u | wc -l)" = 3 ]
check "the first ended by a reset" grep -q '"ended": "reset 0"' <(info 1)
check "the last by power-off" grep -q '"ended": "power-off 0"' <(info 3)
check "there is no fourth" [ "$("$vexit" info --session 4 "$work/t.vxt" >/dev/null 2>&1; echo $?)" = 2 ]

patience=$(($(measure_boot) * 2))
# A loop of resets is bounded by the timeout, and ^C ends it at once.
yes reset | head -n 1000 >"$work/resets"
run "$(cat "$work/resets")" --reboot --timeout $patience
check "a loop of resets ends with the timeout" [ $got = 1 ]
said "which is told" "timeout after $patience"
check "its trace is readable" zstd -q -t "$work/t.vxt"
start "$(cat "$work/resets")" --reboot --timeout 300
wait_console 'echo: ready' 2 && kill -INT "$pid"
finish
check "^C in the second boot gives 130" [ $got = 130 ]
check "and leaves the first whole" replays 1

# What a guest was doing that didn't end.
run "hang" --timeout $patience
check "a guest that hangs ends with the timeout" [ $got = 1 ]
said "its last exits are told" 'its last exits:'
said "in words" '  exit [0-9]*  vcpu 0  PREEMPTION_TIMER  at hang+0x'
said "and where it was, by name" '^ *[0-9]*  hang+0x'
check "a hung guest leaves a whole trace" whole
run "hang" --timeout $patience -q
check "-q says no more than that" [ "$(cat "$work/err")" = "vexit: timeout after $patience.0 s" ]
run "flood" --timeout $patience
check "a guest that floods the console ends with the timeout" [ $got = 1 ]
said "how much it wrote is told" 'at these it wrote [0-9]* bytes to its console'
said "and what it did" 'IO_INSTRUCTION'
check "what it wrote is in the console's file" [ "$(wc -c <"$work/console")" -gt 10000 ]
check "its trace is whole" whole

# An emulator that dies in the second boot.
start $'reset\nstay' --reboot --timeout 300
wait_console 'echo: ready' 2 && wait_console 'stay' 1 && sleep 1 && kill -KILL "$(pgrep -P "$pid" bochs)"
finish
check "a vanished emulator in the second boot gives 2" [ $got = 2 ]
check "the first boot replays" replays 1
check "zstd -t passes on what is there" zstd -q -t "$work/t.vxt"

# Names.
if "$vexit" record --guest echo --symbols "$work/typed" -o "$work/n.vxt" >"$work/out" 2>"$work/err" </dev/null; then
	not_ok "a file without symbols is taken"
else
	said "a file without symbols is refused" 'no symbols in it'
fi
check "and nothing was made" [ ! -e "$work/n.vxt" ]
symbols=$build/guests/echo.elf
run "quit" --timeout 200
check "dump shows names" grep -q 'rip 0x[0-9a-f]* main+0x' <("$vexit" dump --symbols "$symbols" "$work/t.vxt")
check "and what an exit is about" grep -q 'IO_INSTRUCTION out port 0x604 = 0x2000' <("$vexit" dump "$work/t.vxt")
check "stat shows names" grep -q '^console_write+0x' <("$vexit" stat -q --by rip --symbols "$symbols" "$work/t.vxt")
check "query has them" grep -q '^main+0x' <("$vexit" query -q --format csv --symbols "$symbols" "$work/t.vxt" \
	"SELECT symbol(rip) FROM exits ORDER BY seq DESC LIMIT 1")
