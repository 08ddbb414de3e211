# SPDX-License-Identifier: GPL-2.0-only
# Volumes for Bats files: load it after helpers.

# mkvol NAME HOME LOG [JBDCTL-OPTION..]: format LOG and open the volume, which never checkpoints by itself unless an
# option says so; prints its path.
mkvol() {
	local name=$1 home=$2 log=$3
	shift 3
	jbdctl create "$name" "$home" "$log" --opt idle_ms=0 "$@" >&2 && echo "/dev/mapper/$name"
}

# stat_of DEVICE N: field N, counted from 1, of the kernel's statistics (1 reads, 3 sectors read, 5 writes,
# 7 sectors written, 12 discards, 16 flushes).
stat_of() {
	awk -v n="$2" '{ print $n }' "/sys/class/block/$(basename "$(readlink -f "$1")")/stat"
}

# io_of DEVICE: reads, writes, sectors written, discards and flushes so far.
io_of() {
	awk '{ print $1, $5, $7, $12, $16 }' "/sys/class/block/$(basename "$(readlink -f "$1")")/stat"
}

# vstat VOLUME N: field N of the journal's status line, as docs/journal.rst numbers them.
vstat() { counter "$1" "$2"; }

# is_home VOLUME: everything is. stalled_by VOLUME WHAT: why checkpoints stand still, as the status line says.
is_home() { [ "$(vstat "$1" 2)" = clean ]; }
stalled_by() { [[ $(vstat "$1" 32) == "$2":* ]]; }

# holds_back NAME: the simulated disk sim-NAME does, some bio.
holds_back() { [ "$(counter "sim-$1" 8)" -gt 0 ]; }

# gone VOLUME: neither of its devices is there.
gone() { [ ! -e "/dev/mapper/$1" ] && [ ! -e "/dev/mapper/$1-home" ]; }

# checkpoint VOLUME: everything that was written is at home when it returns.
checkpoint() { jbdctl checkpoint "$1" --quiet; }

# commit VOLUME: fsync.
commit() { sync "$1"; }
