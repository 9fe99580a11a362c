# lib.bash: what the tests with the Linux guest share: record a boot, and hold the trace, its replay, its SQL and the
# console against each other. Sourced by test/e2e/linux.sh and test/e2e/linux/*.sh, which have set $build.
#
# Leaves $vexit, $kernel, $initrd, and $work, which goes away at the end (KEEP=DIR: it is DIR and stays); prints `ok NAME` and
# `not ok NAME`.
build=$(realpath "$build")
vexit=$build/vexit
kernel=$(realpath "${KERNEL:-$build/linux/vmlinuz}")
initrd=$build/linux/initrd.gz
work=${KEEP:-$(mktemp -d)} pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null; [ -n "${KEEP:-}" ] || rm -rf "$work"' EXIT
export TMPDIR=$work/tmp && mkdir -p "$TMPDIR"
BOOT_TIMEOUT=${BOOT_TIMEOUT:-550}	# seconds; a boot takes less than 60 on an idle machine

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1"; }
check() { local name=$1; shift; if "$@"; then ok "$name"; else not_ok "$name: $*"; fi; }

# start NAME VCPUS APPEND [OPTION…]: record in the background, as $pid: $work/NAME.vxt, the console in NAME.txt, messages in
# NAME.err.
start() {
	local name=$1 vcpus=$2 append=$3
	shift 3
	"$vexit" record --machine bochs --timeout "$BOOT_TIMEOUT" --guest "$kernel" --initrd "$initrd" --vcpus "$vcpus" \
		--append "console=ttyS0 quiet $append" --console "$work/$name.txt" -o "$work/$name.vxt" "$@" \
		</dev/null >"$work/$name.out" 2>"$work/$name.err" &
	pid=$!
}
# Wait for it: $status.
finish() { wait "$pid"; status=$?; pid=; }
boot() { start "$@"; finish; }

# booted NAME VCPUS APPEND [OPTION…]: boot, which must end with power-off; false if it didn't.
booted() {
	local start=$SECONDS
	boot "$@"
	if [ $status = 0 ] && [ "$("$vexit" info --json "$work/$1.vxt" | json ended)" = "power-off 0" ]; then
		ok "$1: recorded from boot to power-off in $((SECONDS - start)) s"
		return 0
	fi
	not_ok "$1: status $status"
	tail -n 15 "$work/$1.txt" "$work/$1.err"
	return 1
}

# The value of a key in JSON on stdin whose keys are unique: a number or a string.
json() { tr ',{}' '\n\n\n' | sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" | head -n 1; }
# The console as text without carriage returns.
console() { tr -d '\r' <"$work/$1.txt"; }
records() { zstd -dcq "$work/$1.vxt" | sha256sum; }
# sql NAME QUERY: the values alone, of NAME.db when it was imported.
sql() {
	local from=$work/$1.db
	[ -e "$from" ] || from=$work/$1.vxt
	"$vexit" query -q --format csv "$from" "$(echo "$2" | tr -s '\n\t' ' ')" | tail -n +2
}

# replays NAME: whole, every exit and entry step compared, as many as the hypervisor counted.
replays() {
	local info report exits steps
	info=$("$vexit" info --json "$work/$1.vxt")
	report=$("$vexit" replay "$work/$1.vxt" 2>"$work/$1.replay" | tail -n 1)
	exits=$(sql "$1" "SELECT value FROM meta WHERE key = 'closing.exits'")
	steps=$(sql "$1" "SELECT value FROM meta WHERE key = 'closing.steps'")
	check "$1: info and the closing frame agree" [ "$(echo "$info" | json exits) $(echo "$info" | json steps)" = "$exits $steps" ]
	if [ "$report" = "$exits exits and $((steps - exits)) entry steps compared, 0 skipped, 0 divergences" ]; then
		ok "$1: replay: $report (the hypervisor counted $exits exits, $steps steps)"
	else
		not_ok "$1: replay, where the hypervisor counted $exits exits, $steps steps"
		"$vexit" replay "$work/$1.vxt" 2>&1 | head -n 40
	fi
}

# counts NAME: imported; SQL's counts by reason are the hypervisor's own counters, which add up to its exits.
counts() {
	"$vexit" import -q "$work/$1.vxt" -o "$work/$1.db" || { not_ok "$1: import"; return; }
	check "$1: SQL counts each reason as the hypervisor did" [ "$(sql "$1" "
		SELECT count(*) FROM exit_reason e WHERE (SELECT count(*) FROM exits x WHERE x.reason = e.reason) <>
			ifnull((SELECT value FROM meta WHERE key = 'closing.reason.' || e.name), 0)")" = 0 ]
	check "$1: which add up to its exits and steps" [ "$(sql "$1" "
		SELECT (SELECT sum(value) FROM meta WHERE key LIKE 'closing.reason.%') =
			(SELECT value FROM meta WHERE key = 'closing.exits') AND
			(SELECT count(*) FROM exits) + (SELECT count(*) FROM entries) =
			(SELECT value FROM meta WHERE key = 'closing.steps') AS equal")" = 1 ]
}

# says_it_is_up NAME VCPUS: what guests/linux/init prints.
says_it_is_up() {
	local sum
	sum=$(sha256sum <"$build/linux/work" | cut -d' ' -f1)
	check "$1: nproc says $2" [ "$(console "$1" | sed -n 's/.*nproc: //p')" = "$2" ]
	check "$1: /proc/interrupts has the serial line's" [ "$(console "$1" | grep -c 'ttyS0$')" = 1 ]
	check "$1: its timer interrupts" [ "$(console "$1" | awk '$1 == "LOC:" || $1 == "0:" {n += $2} END {print (n > 50)}')" = 1 ]
	check "$1: the checksum of a file is the host's" [ "$(console "$1" | sed -n 's/.*\([0-9a-f]\{64\}\)  \/bin\/work$/\1/p')" = "$sum" ]
	check "$1: the line \"up\"" [ "$(console "$1" | grep -c '^vexit-linux: up tsc=[0-9]* idle_ns=[0-9]*$')" = 1 ]
	check "$1: powers off in words" [ "$(console "$1" | grep -c 'reboot: Power down$')" = 1 ]
}

# damaged NAME CUTS FLIPS: seeded damages of the trace, under sanitizers.
damaged() {
	local log=$work/$1.damage
	if (cd "$work" && "$build/test/unit/damage_test" "$1.vxt" "$2" "$3") >"$log" 2>&1; then
		ok "$1: $2 cuts and $3 flips: every frame that is whole is read, what is missing is named"
	else
		not_ok "$1: $2 cuts and $3 flips"
		tail -n 20 "$log"
	fi
}
