#!/bin/sh
# Installs a program from Debian's package of the same name or of a second name, unless it is there: install-package.sh wrk
set -eu
program=$1
package=${2:-$1}

refuse() {
	echo "$program is not installed, and this script can't install it: $1. Install it." >&2
	exit 1
}

if command -v "$program" >/dev/null; then
	exit
fi
command -v apt-get >/dev/null || refuse "there is no apt-get"
if [ "$(id -u)" -ne 0 ]; then
	sudo -n true 2>/dev/null || refuse "it is not run as root and sudo asks for a password"
	exec sudo -n sh "$0" "$program" "$package"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$package"
