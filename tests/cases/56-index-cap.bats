# SPDX-License-Identifier: GPL-2.0-only
# A log that holds more extents than the index may: recovery sends home what it cannot keep, while it scans.

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	home=$(mkdisk home 256)
	log=$(mkdisk log 192)
}

# samples DEVICE: of its start, which goes home first, its middle and its end.
samples() {
	local at
	for at in 0 126 252; do
		dd if="$1" bs=1M skip=$at count=2 iflag=direct status=none
	done | md5sum
}

@test "recovery beyond index_mib checkpoints while it scans, and the volume is what it was" {
	vol=$(mkvol v "$home" "$log" --opt index_mib=64 --opt high=99 --opt low=98)
	# every second sector: no two of them share an entry of the index
	fio --name=w --filename="$vol" --rw=write:512 --bs=512 --size=256m --io_size=127m --direct=1 --ioengine=libaio --iodepth=64 \
		--end_fsync=1 --output=/dev/null
	before=$(samples "$vol")
	[ "$(vstat v 26)" -eq 0 ]
	jbdctl close v
	jbdctl open v "$home" "$log" --opt idle_ms=0 --opt index_mib=4
	echo "index: $(vstat v 11), batches: $(vstat v 26)"
	[ "$(vstat v 26)" -gt 0 ]
	[ "$(samples "$vol")" = "$before" ]
}
