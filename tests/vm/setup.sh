#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# setup.sh [--where | --debug]: have all that building and testing needs. Quiet and quick when it is there already.
#
# Host packages are installed (as root); kernels and the guest's root image go to the cache, ${JBD_CACHE:-/var/cache/dm-journal},
# under names that hash what they are made from: a part exists completely or not at all, and a changed recipe makes a
# new one. --where prints the two directories, kernels first. --debug has the debug kernel as well (minutes, once), and
# prints its directory.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cache=${JBD_CACHE:-/var/cache/dm-journal}

updated=
update() {
	[ "$updated" ] || apt-get -qq update
	updated=1
}

mapfile -t packages < <(sed '/^#/d' "$here/packages.host")
if [ "$(dpkg-query -W -f '${db:Status-Status}\n' "${packages[@]}" 2>/dev/null | grep -cx installed)" != ${#packages[@]} ]; then
	update
	log=$(mktemp)
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${packages[@]}" >"$log" 2>&1 || {
		cat "$log" >&2
		exit 1
	}
	rm "$log"
fi

hash() { cat "$@" | sha256sum | head -c 12; }
kernels=$cache/kernels-$(hash "$here/mkkernels.sh")
root=$cache/root-$(hash "$here/mkkernels.sh" "$here/mkroot.sh" "$here/mkdebian.sh" "$here/packages.guest" "$here/guest/first-init")

part() {	# make directory $1 with command $2.. unless it exists
	local dir=$1
	shift
	[ ! -d "$dir" ] || return 0
	mkdir -p "$cache"
	exec 9> "$cache/lock"
	flock 9
	if [ ! -d "$dir" ]; then
		update
		rm -rf "$dir.new"
		mkdir "$dir.new"
		"$@" "$dir.new" >&2
		mv "$dir.new" "$dir"
		# What a former recipe made.
		find "$cache" -maxdepth 1 -name "$(basename "${dir%-*}")-*" ! -path "$dir" -mtime +7 -exec rm -r {} +
	fi
	exec 9>&-
}
part "$kernels" "$here/mkkernels.sh"
part "$root" "$here/mkroot.sh" "$kernels"
if [ "${1-}" = --debug ]; then
	debug=$cache/debug-$(hash "$here/mkdebug.sh" "$here/debug.config")
	part "$debug" "$here/mkdebug.sh"
	echo "$debug"
fi
[ "${1-}" != --where ] || printf '%s\n' "$kernels" "$root"
