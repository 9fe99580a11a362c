#!/bin/bash
# README's chapter "Trace a Linux boot", word for word: each of its commands (the indented lines) is run as it stands, in a
# directory that looks like the tree. Its comment may say `status N`; otherwise it must be 0.
#
# Usage: readme.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../../.." || exit 2
build=$(realpath "${1:?usage: readme.sh BUILD_DIR}")
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
export PATH=$build:$PATH TMPDIR=$work/tmp
tree=$PWD
mkdir "$work/tree" "$TMPDIR"
cd "$work/tree" || exit 2
for file in "$tree"/* ; do [ "$file" = "$build" ] || ln -s "$file" .; done
ln -s "$build" build
rm -f README.md
awk '/^## / {in_it = $0 == "## Trace a Linux boot"} in_it' "$tree/README.md" >"$work/chapter"

commands=0
while IFS= read -r command; do
	commands=$((commands + 1))
	wanted=$(echo "$command" | sed -n 's/.*#.*status \([0-9]*\).*/\1/p')
	start=$SECONDS
	bash -c "$command" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	if [ $status = "${wanted:-0}" ]; then
		echo "ok $command ($((SECONDS - start)) s)"
	else
		echo "not ok $command: status $status"
		tail -n 20 "$work/out" "$work/err"
	fi
	case $command in
	*"vexit replay"*)
		grep -q ' compared, 0 skipped, 0 divergences$' "$work/out" && echo "ok no divergence" || { echo "not ok it replays clean"; tail -n 5 "$work/out"; } ;;
	esac
	case $command in	# what it shows, to compare README's figures with
	*"vexit stat"* | *"vexit query"*) sed 's/^/# /' "$work/out" ;;
	esac
done < <(sed -n 's/^    //p' "$work/chapter" | sed -e ':a' -e '/\\$/{N;s/\\\n *//;ba' -e '}')
[ $commands -ge 8 ] || echo "not ok only $commands commands were found in README's chapter"
