# SPDX-License-Identifier: GPL-2.0-only
# What the hang that the project began with (docs/design.md) does not do here; tests/hang shows the hang itself, in a machine
# that is thrown away.

load helpers
load volumes

# the load: writes, then one flush, from one task
load_of() {
	dd if=/dev/zero of="$1" bs=4k count=16 oflag=direct conv=fsync,notrunc status=none
}

@test "the same load through the journal finishes, with every flush served from a checkpoint" {
	load_modules dm-checkpoint dm-journal
	home=$(mkdisk home 64) log=$(mkdisk log 16)
	vol=$(mkvol v "$home" "$log" --flush home)
	timeout -k 1 $((20 * VM_SCALE)) dd if=/dev/zero of="$vol" bs=4k count=16 oflag=direct conv=fsync,notrunc status=none
	timeout -k 1 $((20 * VM_SCALE)) dd if=/dev/zero of="$vol" bs=4k count=16 oflag=direct,dsync conv=notrunc status=none
	[ "$(vstat v 29)" -ge 17 ]
}

# Positive control of the module: the same write, deferred to a worker instead of waited for in map().
@test "the demonstration target finishes when it defers instead of waiting" {
	load_modules dm-hangdemo
	home=$(mkdisk home 64)
	dev=$(mkdm defers hangdemo "$home" defer)
	load_of "$dev"
}
