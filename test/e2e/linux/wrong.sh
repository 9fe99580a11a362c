#!/bin/bash
# When it goes wrong, or someone types: a shell on the console, a guest that hangs, panics, floods its console or resets
# in a loop, an emulator that dies under it. Each leaves a readable trace that replays, and says what the guest was doing.
#
# Usage: wrong.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../../.." || exit 2
build=${1:?usage: wrong.sh BUILD_DIR}
. test/e2e/linux/lib.bash

said() { if grep -Eq -- "$2" "$work/$3.err"; then ok "$1"; else not_ok "$1: expected '$2' in:"; cat "$work/$3.err"; fi; }
# The trace, cut short by whatever, replays: all its exits, no divergence.
replays_what_is_there() {
	check "$1: what is there replays" grep -q ' compared, 0 skipped, 0 divergences$' \
		<("$vexit" replay "$work/$1.vxt" 2>/dev/null | tail -n 1)
}
# until_console NAME COUNT PATTERN: the pattern stands in so many of the console's lines; false when the recorder is gone.
until_console() {
	while [ "$(cat "$work/$1.txt" 2>/dev/null | grep -ac -- "$3")" -lt "$2" ]; do	# 0 while there is no file
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.2
	done 2>/dev/null
}

# A shell: what is typed once it prompts reaches it, and its answer the console. (Its log has names for the panic below.)
mkfifo "$work/keys"
start shell 1 "nokaslr cryptomgr.notests symbols=panic,delay_tsc,native_write_msr,do_idle work=shell" --input "$work/keys"
exec 9>"$work/keys"
until_console shell 1 '/ #' && printf 'echo answer $((6 * 7)) $(nproc)\nexit\n' >&9
exec 9>&-
finish
check "a shell that ends powers off" [ $status = 0 ]
check "what is typed reaches it" [ "$(console shell | grep -c '^answer 42 1$')" = 1 ]
replays shell

# A program that spins. The timer's interrupts still come.
BOOT_TIMEOUT=120
boot hang 1 "cryptomgr.notests work=hang"
check "a guest that hangs is stopped: 1" [ $status = 1 ]
said "by its timeout" 'timeout after 120' hang
said "its last exits are told" 'exit [0-9]+' hang
replays hang

# A kernel that has panicked; without address randomisation, so that symbols may come from another boot's console.
boot panic 1 "nokaslr cryptomgr.notests work=panic" --symbols "$work/shell.txt"
check "a guest that panicked is stopped: 1" [ $status = 1 ]
check "after its last words" grep -aq 'Kernel panic - not syncing' "$work/panic.txt"
said "where it is is told by name" '(panic|delay_tsc)\+0x' panic
replays panic

# A console without end.
boot flood 1 "cryptomgr.notests work=flood"
check "a guest that floods its console is stopped: 1" [ $status = 1 ]
said "which is told" 'console' flood
replays flood

# A reset ends the run, unless --reboot.
BOOT_TIMEOUT=550
boot reset 1 "cryptomgr.notests work=reboot"
check "a reset gives 1" [ $status = 1 ]
check "and the trace says so" [ "$("$vexit" info --json "$work/reset.vxt" | json ended | cut -d' ' -f1)" = reset ]
replays reset

start again 1 "cryptomgr.notests work=reboot" --reboot
until_console again 2 '^vexit-linux: up' && kill -TERM "$pid"
finish
check "a loop of resets runs until it is stopped: 130" [ $status = 130 ]
check "one session a boot" [ "$("$vexit" info --json "$work/again.vxt" 2>/dev/null | json sessions)" -ge 2 ]
for session in 1 2; do
	check "session $session replays" grep -q ' compared, 0 skipped, 0 divergences$' \
		<("$vexit" replay --session $session "$work/again.vxt" 2>/dev/null | tail -n 1)
done

# The emulator dies in the middle of a boot.
start dead 1 ""
while kill -0 "$pid" 2>/dev/null && ! "$vexit" info --json "$work/dead.vxt" 2>/dev/null | grep -Eq '"frames": ([2-9]|..)'; do sleep 0.2; done
kill -KILL "$(pgrep -P "$pid" bochs)"
finish
check "a dead emulator gives 2" [ $status = 2 ]
check "zstd -t passes on what is there" zstd -q -t "$work/dead.vxt"
replays_what_is_there dead
