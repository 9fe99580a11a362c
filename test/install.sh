#!/bin/sh
# Install those of the named Debian packages that are missing, as root or through sudo, saying what.
# Called by `make deps`; does nothing when all are there.
set -eu
missing=
for package in "$@"; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
	echo "vexit: these Debian packages are needed, and there is no apt-get here to install them:$missing" >&2
	exit 2
fi
sudo=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "vexit: run as root, or install:$missing" >&2; exit 2; }
	sudo=sudo
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null
