#!/bin/bash
# Deliberate one-line bugs: each patch of this directory is applied to the core, and replay of the golden
# traces must find it: status 1, and a report that says which step, which field or device, expected and got.
# A patch that survives fails the test; so does a handler that crashes or hangs.
#
# Usage: run.sh BUILD_DIR [PATTERN]     PATTERN: only the patches whose name matches. BUGS_JOBS: at once (2).
#
# For speed, a patch to a .c file costs one compilation and one link: its object stands before libcore.a,
# whose own member of that name is then not taken. A patch to a header builds what make says.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${1:?usage: run.sh BUILD_DIR [PATTERN]} pattern=${2:-*}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
base=$work/base
# Those first that find most.
traces=$(sed -n 's/^\([^# ][^ ]*\).*/\1/p' traces/golden/LIST | awk '
	/^(print-4|mmio|cpu|edge)$/ { print; next } { rest = rest "\n" $0 } END { print rest }')

# Without a bug the traces replay clean, or nothing below means anything.
if ! test/broken.sh /dev/null "$base" "$build" >"$work/log" 2>&1; then
	echo "not ok build: the tree as it is doesn't build"; cat "$work/log"; exit 1
fi
for trace in $traces; do
	"$base/build/vexit" replay -q "traces/golden/$trace.vxt" >"$work/log" 2>&1 && continue
	echo "not ok baseline: $trace.vxt doesn't replay without a bug"; tail -n 5 "$work/log"; exit 1
done

# How the Makefile compiles the core and links the tool
commands=$(make -C "$base" -ns -W hv/exit/dispatch.c O=build build/vexit)
compile=$(echo "$commands" | grep -o 'gcc .* -c ')
link=$(echo "$commands" | grep -o 'gcc .* -o build/vexit .*')

# Leaves $2/vexit: the tool with the patch $1.
build_with() {
	local patch=$1 dir=$2 file
	file=$(sed -n 's|^+++ b/||p' "$patch")
	mkdir -p "$dir/${file%/*}"
	if [ "${file%.c}" = "$file" ]; then
		"$base/test/broken.sh" "$patch" "$dir" && cp "$dir/build/vexit" "$dir/vexit"
		return
	fi
	cp "$base/$file" "$dir/$file" && patch -s -d "$dir" -p1 --fuzz=0 <"$patch" || return
	cd "$base" || return
	${compile/-O2/-O1} -g0 -Wno-error -MF /dev/null "$dir/$file" -o "$dir/changed.o" &&
		${link/-o build\/vexit/-Wl,-S -o $dir/vexit $dir/changed.o}
}

# The first place of a report and what stands under it, in a line
summary() {
	awk 'NR == 1 { place = $0; next }
	     /^ / { sub(/^ +/, ""); gsub(/  +/, " "); text = text (text ? "; " : "") $0; next }
	     { exit }
	     END { print place ": " text }' "$1" | cut -c1-"${BUGS_WIDTH:-240}"
}

run_patch() {
	local patch=$1 name dir report trace status=0
	name=${patch##*/} name=${name%.patch}
	dir=$work/$name report=$work/$name.report
	if ! (build_with "$patch" "$dir") >"$report" 2>&1; then
		echo "not ok $name: doesn't apply or build: $(tail -n 3 "$report" | tr '\n' ' ')"; return
	fi
	for trace in $traces; do
		timeout 60 "$dir/vexit" replay -q -j 1 "traces/golden/$trace.vxt" >"$report" 2>"$report.err"
		status=$?
		[ $status != 0 ] && break
	done
	rm -rf "$dir"
	if [ $status = 0 ]; then
		echo "not ok $name: survived every golden trace"
	elif [ $status != 1 ] || grep -q '^    handler ' "$report"; then
		echo "not ok $name: $trace.vxt: status $status: $(summary "$report")"; tail -n 2 "$report.err"
	elif ! grep -q '^    .* expected ' "$report" || ! grep -q '^    .* got ' "$report"; then
		echo "not ok $name: $trace.vxt: no divergence in the report: $(tail -n 1 "$report.err")"
	else
		echo "ok $name: $trace.vxt: $(summary "$report")"
	fi
}
export -f run_patch build_with summary
export work base traces compile link

# shellcheck disable=SC2086
realpath test/bugs/$pattern.patch |
	xargs -P "${BUGS_JOBS:-2}" -I{} bash -c 'run_patch "$@"' - {} | tee "$work/result"
grep -q '^ok' "$work/result" && ! grep -q '^not ok' "$work/result"
