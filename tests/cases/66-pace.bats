# SPDX-License-Identifier: GPL-2.0-only
# How fast the home is written when nobody waits, and when somebody does.
# Seen red: rate_mib parsed and not kept.

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	home=$(mkdisk home 64)
	log=$(mkdisk log 32)
}

is_home() { [ "$(vstat v 2)" = clean ]; }
ms() { awk '{ print int($1 * 1000) }' /proc/uptime; }

@test "rate_mib: 4 MiB take three seconds at least, and do not if they are asked for" {
	vol=$(mkvol v "$home" "$log" --opt rate_mib=1)
	fill "$vol" 0 8192 first
	sync "$vol"
	[ "$(vstat v 2)" = lagging ]
	# nobody waits: the log is above its high mark now
	dmsetup reload v --table "$(dmsetup table v | awk '{ $6 += 4; print $0, "high 1 low 0" }')"
	dmsetup suspend v
	start=$(ms)
	dmsetup resume v
	wait_for 60 is_home
	took=$(($(ms) - start))
	echo "$took ms"
	[ $took -ge 3000 ]
	holds "$home" 0 8192 first
	fill "$vol" 0 8192 second
	start=$(ms)
	checkpoint v
	asked=$(($(ms) - start))
	echo "$asked ms when asked for"
	[ $asked -lt $took ]
	holds "$home" 0 8192 second
}
