#!/bin/bash
# Every file that docs/architecture.md and README.md name exists, and holds the functions that are named with it.
#
# Usage: architecture.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 2
bad=0

complain() {
	echo "$1"
	bad=1
}

for text in docs/architecture.md README.md; do
	while read -r file; do
		[ -e "$file" ] || complain "$text names $file, which is not there"
	done < <(grep -oE '`(hv|recorder|replay|analyzer|test|traces|docs|guests)/[A-Za-z0-9_/.]+' "$text" | tr -d '`' |
		grep -v '^guests/NAME\|NAME_test\|/$' | sort -u)
	while IFS=: read -r file name; do
		grep -qw "$name" "$file" 2>/dev/null || complain "$text names $name in $file, which doesn't have it"
	done < <(grep -oE '`(hv|recorder|replay|analyzer)/[a-z0-9_/]+\.[chS]:[a-z_0-9]+' "$text" | tr -d '`' | sort -u)
	# Functions named alone: anywhere in the sources.
	while read -r name; do
		grep -rqw "$name" hv recorder replay analyzer --include='*.[chS]' || complain "$text names $name(), which no source has"
	done < <(grep -oE '[a-z]+_[a-z_0-9]+\(\)' "$text" | tr -d '()' | sort -u)
done
[ $bad = 0 ] && echo "ok the documents name what there is" || echo "not ok the documents name what there is not"
