#!/bin/bash
# How recordings end before their guest does: timeout, ^C, SIGTERM, SIGKILL, an emulator that vanishes, a full
# disk. What was received is always a readable trace, and where the hypervisor can be asked, it has its closing
# frame.
#
# Usage: stop.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$(realpath "${1:?usage: stop.sh BUILD_DIR}")
. test/support/e2e.sh
mounts=()
# shellcheck disable=SC2317
clean_more() {
	for m in "${mounts[@]}"; do umount -l "$m" 2>/dev/null; done
	clean_up
}
trap clean_more EXIT

# Start a recording in the background: $pid. The rest are its arguments.
start() {
	rm -f "$work/t.vxt" "$work/console"
	"$vexit" record --machine bochs -o "$work/t.vxt" --console "$work/console" "$@" \
		>"$work/out" 2>"$work/err" </dev/null &
	pid=$!
}
# Until the guest runs: it has said something (spin), or has made a first frame.
wait_running() {
	for _ in $(seq 1200); do
		[ -s "$work/console" ] && return 0
		"$vexit" info --json "$work/t.vxt" 2>/dev/null | grep -q '"frames": [1-9]' && return 0
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.1
	done
	echo "not ok the guest did not start within 2 minutes"
	kill -TERM "$pid"
	return 1
}
finish() { wait "$pid"; got=$?; pid=; }
records() { zstd -dcq "$1" | sha256sum; }
gone() {
	for _ in $(seq 50); do
		grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}
emulator() { pgrep -P "$pid" bochs; }
whole() { "$vexit" verify "$work/t.vxt" >"$work/out" 2>>"$work/err"; }
ended_stopped() { "$vexit" info --json "$work/t.vxt" 2>/dev/null | grep -q '"ended": "stopped 0"'; }

patience=$(measure_boot)
for guest in spin bench; do
	append=; [ $guest = bench ] && append="n=100000000"
	# ^C is a signal to the whole group; a background job of a script ignores SIGINT, which
	# record sets anew.
	start --guest $guest --append "$append" && wait_running && sleep 1 && kill -INT "$pid"
	finish
	check "^C on $guest gives 130" [ $got = 130 ]
	check "^C on $guest leaves a whole trace" whole
	check "which says that it was stopped" ended_stopped
	start --guest $guest --append "$append" --timeout $patience
	finish
	check "a timeout on $guest gives 1" [ $got = 1 ]
	said "and says so" "timeout after $patience"
	check "a timeout on $guest leaves a whole trace" whole
	check "which says that it was stopped" ended_stopped
done

start --guest bench --append "n=100000000" && wait_running && sleep 2 && kill -TERM "$pid"
finish
check "SIGTERM gives 130" [ $got = 130 ]
check "SIGTERM leaves a whole trace" whole

# The recorder is killed: whole frames are in the file, the emulator is gone, the next recording tidies up.
start --guest bench --append "n=100000000" && wait_running && sleep 2
bochs=$(emulator)
kill -KILL "$pid"
{ finish; } 2>/dev/null
check "SIGKILL kills the emulator, too" gone "$bochs"
whole; got=$?
check "after SIGKILL verify says 1" [ $got = 1 ]
check "and only that the end is missing" [ "$(grep -c 'no closing frame' "$work/err")" = 1 ]
check "after SIGKILL zstd -t passes" zstd -q -t "$work/t.vxt"
check "after SIGKILL its directory is left" [ -n "$(ls "$TMPDIR")" ]

# The emulator vanishes.
start --guest bench --append "n=100000000" && wait_running && sleep 2 && kill -KILL "$(emulator)"
finish
check "a vanished emulator gives 2" [ $got = 2 ]
said "says what happened" 'bochs was killed by signal 9'
said "and what to do" '--keep DIR'
whole
check "a vanished emulator leaves the frames before" [ "$(grep -c 'no closing frame' "$work/err")" -ge 1 ]
check "what a killed recorder left is gone, too" [ -z "$(ls "$TMPDIR")" ]

# Verify --repair makes a trace that says what isn't there.
"$vexit" verify "$work/t.vxt" --repair "$work/repaired.vxt" -q 2>/dev/null
"$vexit" verify "$work/repaired.vxt" >"$work/out" 2>"$work/err"; got=$?
check "a repaired trace verifies as 1" [ $got = 1 ]
said "and says that it was repaired" 'repaired from a trace without a closing frame'
check "a repaired trace has the same records" \
	[ "$(records "$work/t.vxt")" = "$(records "$work/repaired.vxt")" ]

# A full disk.
small() { mkdir -p "$1" && mount -t tmpfs -o size="$2" tmpfs "$1" 2>/dev/null && mounts+=("$1"); }
if small "$work/small" 16k; then
	"$vexit" record --machine bochs --guest bench --timeout 300 -q -o "$work/small/t.vxt" \
		--console "$work/console" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	check "a full disk gives 2" [ $got = 2 ]
	said "says so" 'No space left on device'
	said "and what to do" 'free some space'
	cp "$work/small/t.vxt" "$work/t.vxt"
	check "a full disk leaves whole frames" zstd -q -t "$work/t.vxt"
	whole; got=$?
	check "of which verify says that the end is missing" [ $got = 1 ]
else
	echo "# no tmpfs can be mounted here: full disk not tried"
fi
if small "$work/tight" 6m; then
	TMPDIR=$work/tight "$vexit" record --machine bochs --guest spin --timeout 300 -q -o "$work/t2.vxt" \
		--console "$work/console" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	check "a full TMPDIR gives 2" [ $got = 2 ]
	said "and says what to do" 'set TMPDIR'
fi
