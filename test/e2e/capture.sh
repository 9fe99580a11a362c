#!/bin/bash
# `vexit capture` from each kind of source, `slice`, `dump`; the stream is that of a recording.
#
# Usage: capture.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$(realpath "${1:?usage: capture.sh BUILD_DIR}")
vexit=$build/vexit
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1"; cat "$work/err" 2>/dev/null; }
check() { local name=$1; shift; if "$@"; then ok "$name"; else not_ok "$name: $*"; fi; }
status() {
	local wanted=$1 name=$2 got
	shift 2
	timeout 120 "$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	if [ $got = "$wanted" ]; then ok "$name"; else not_ok "$name: status $got, expected $wanted"; fi
}
records() { zstd -dcq "$1" | sha256sum; }
same() { [ "$(records "$work/t.vxt")" = "$(records "$1")" ] && "$vexit" verify -q "$1"; }

"$vexit" record --machine bochs --guest bench --append n=1500 --timeout 300 -q -o "$work/t.vxt" \
	--console "$work/console" 2>"$work/err" </dev/null
check "a recording to work with" "$vexit" verify -q "$work/t.vxt"

# The raw stream: what came over the wire, without the recorder's seek table.
status 0 "capture from a file" "$vexit" capture --from "$work/t.vxt" -o "$work/file.vxt"
check "it is the same" same "$work/file.vxt"
timeout 60 "$vexit" capture --from - -q -o "$work/stdin.vxt" <"$work/t.vxt" 2>"$work/err"
check "capture from stdin" same "$work/stdin.vxt"

# serve KIND ADDRESS: send the trace in pieces to whoever connects, then leave the connection open.
cat >"$work/serve.py" <<'P'
import os, pty, socket, sys, time, tty
kind, path, data = sys.argv[1], sys.argv[2], open(sys.argv[3], "rb").read()
if kind == "pty":
    master, slave = pty.openpty()
    tty.setraw(slave)
    open(path, "w").write(os.ttyname(slave))
    time.sleep(1.5)
    send = lambda b: os.write(master, b)
else:
    s = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
    s.bind(path if kind == "unix" else ("127.0.0.1", 0))
    s.listen(1)
    if kind == "tcp":
        open(path, "w").write(str(s.getsockname()[1]))
    c, _ = s.accept()
    send = c.sendall
for at in range(0, len(data), 777):
    piece = data[at:at + 777]
    while piece:
        try:
            n = send(piece)
        except OSError:
            sys.exit(0)     # the other end has seen the closing frame
        piece = piece[n:] if n is not None else b""
time.sleep(20)
P
serve() {
	timeout 60 python3 "$work/serve.py" "$1" "$2" "$work/t.vxt" &
	server=$!
	for _ in $(seq 50); do [ -e "$2" ] && break; sleep 0.1; done
	sleep 0.2
}

serve unix "$work/socket"
status 0 "capture from a Unix socket ends with the closing frame" \
	"$vexit" capture --from "unix:$work/socket" -o "$work/unix.vxt"
check "it is the same" same "$work/unix.vxt"
kill $server 2>/dev/null; wait $server 2>/dev/null
serve tcp "$work/port"
status 0 "capture from a TCP socket" \
	"$vexit" capture --from "tcp:127.0.0.1:$(cat "$work/port")" -o "$work/tcp.vxt"
check "it is the same" same "$work/tcp.vxt"
kill $server 2>/dev/null; wait $server 2>/dev/null
serve pty "$work/tty"
status 0 "capture from a tty" "$vexit" capture --from "$(cat "$work/tty")" --baud 115200 -o "$work/tty.vxt"
check "it is the same" same "$work/tty.vxt"
kill $server 2>/dev/null; wait $server 2>/dev/null

# What isn't a whole stream.
size=$(stat -c %s "$work/t.vxt")
head -c $((size / 2)) "$work/t.vxt" >"$work/half"
status 1 "half a stream gives 1" "$vexit" capture --from "$work/half" -o "$work/half.vxt"
check "and says so" grep -q 'truncated: no closing frame' "$work/err"
check "its file is valid zstd" zstd -q -t "$work/half.vxt"
head -c 100000 /dev/urandom >"$work/noise"
status 2 "noise gives 2" "$vexit" capture --from "$work/noise" -o "$work/noise.vxt"
check "and leaves no file" [ ! -e "$work/noise.vxt" ]
{ head -c 5000 "$work/noise"; cat "$work/t.vxt"; } >"$work/noisy"
status 1 "noise before a stream gives 1" "$vexit" capture --from "$work/noisy" -o "$work/noisy.vxt"
check "and the stream is whole in its file" same "$work/noisy.vxt"
sleep 5 | timeout 20 "$vexit" capture --from - --timeout 1 -o "$work/silent.vxt" 2>"$work/err"
check "a timeout ends a silent source" [ "${PIPESTATUS[1]}" = 2 ]
status 2 "a rate that no line has" "$vexit" capture --from /dev/ptmx --baud 12345 -o "$work/x.vxt"

# Slices, by whole frames.
exits=$("$vexit" info --json "$work/t.vxt" | sed 's/.*"exits": \([0-9]*\).*/\1/')
frames=$("$vexit" info --json "$work/t.vxt" | sed 's/.*"frames": \([0-9]*\).*/\1/')
check "the recording has several frames" [ "$frames" -ge 2 ]
status 0 "a slice of the middle" "$vexit" slice "$work/t.vxt" --exits $((exits / 2)) -o "$work/slice.vxt"
status 0 "it is whole" "$vexit" verify "$work/slice.vxt"
"$vexit" dump "$work/t.vxt" --exits $((exits / 2)) >"$work/whole.txt"
"$vexit" dump "$work/slice.vxt" --exits $((exits / 2)) >"$work/slice.txt"
check "and has the same exit" cmp -s "$work/whole.txt" "$work/slice.txt"
status 0 "a slice of everything" "$vexit" slice "$work/t.vxt" --exits 0.. -o "$work/all.vxt"
check "has the same records" same "$work/all.vxt"
status 0 "a slice of a slice" "$vexit" slice "$work/slice.vxt" --exits $((exits / 2)) -o "$work/slice2.vxt"
check "is the slice" [ "$(records "$work/slice.vxt")" = "$(records "$work/slice2.vxt")" ]
status 2 "a slice of what isn't there" \
	"$vexit" slice "$work/t.vxt" --exits $((exits + 5)).. -o "$work/none.vxt"
check "leaves no file" [ ! -e "$work/none.vxt" ]

# Dumps.
status 0 "dump of one reason" "$vexit" dump "$work/t.vxt" --reason cpuid --exits 0..5000
check "has no other" [ -z "$(grep '^exit' "$work/out" | grep -v ' CPUID ')" ]
status 0 "dump as JSON" "$vexit" dump "$work/t.vxt" --json --exits 0..200
check "is JSON, an object a line" python3 -c \
	'import json,sys; assert len([json.loads(l) for l in open(sys.argv[1])]) >= 200' "$work/out"
"$vexit" dump "$work/t.vxt" | head -n 3 >/dev/null
check "a closed pipe ends it by SIGPIPE at most" [ "${PIPESTATUS[0]}" -le 2 -o "${PIPESTATUS[0]}" = 141 ]
