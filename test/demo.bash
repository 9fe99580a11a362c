# demo.bash: what the demos share: numbered headings, and commands shown as they can be typed. Sourced by test/demo*.sh.
step=0
say() { step=$((step + 1)); printf '\n\033[1m%d. %s\033[0m\n' $step "$1"; }
# Show a command as it can be typed, and run it.
run() {
	local word line='$'
	for word in "$@"; do
		case $word in *[\ \*\(]*) word="\"$word\"" ;; esac
		line="$line $word"
	done
	printf '%s\n' "$line"
	"$@"
}
# left_for_you DIRECTORY: its files.
left_for_you() {
	printf '\nLeft for you:\n'
	ls -l "$1" | awk 'NR > 1 {printf "  %s/%s  %d bytes\n", d, $NF, $5}' d="$1"
}
