# SPDX-License-Identifier: GPL-2.0-only
# More extents than the index may hold: recovery sends home what it cannot keep, while it scans; what is written or
# discarded then waits for a checkpoint, and makes one.
# Seen red: a refused resume that leaves the checkpoint at work; a discard that no checkpoint makes room for, and one that
# waits for room for ever though the log has failed.
# vm: sample=6.12

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

	# the home fails meanwhile: the resume is refused, and nothing goes on behind that
	allow_console 'journal: |I/O error'
	modprobe dm-simdisk
	sim=$(mkdm sim simdisk "$home" 1 0)
	ckpt=$(mkdm ckpt checkpoint "$sim")
	dmsetup message sim 0 fail write 1 0
	dmsetup create v --notable
	dmsetup reload v --table "0 $(sectors "$home") journal $ckpt $log 4 idle_ms 0 index_mib 4"
	run ! dmsetup resume v
	errors=$(vstat v 31)
	[ "$errors" -gt 0 ]
	read -r -t 3 <> <(:) || :	# it would try again every second
	[ "$(vstat v 31)" -eq "$errors" ]
	dmsetup message sim 0 fail write 1000000000
	dmsetup resume v
	echo "index: $(vstat v 11), batches: $(vstat v 26)"
	[ "$(vstat v 26)" -gt 0 ]
	[ "$(samples "$vol")" = "$before" ]
}

# used: the index's part of index_mib, %.
used() {
	local used cap

	IFS=/ read -r used cap <<< "$(vstat v 11)"
	echo $((used * 100 / cap))
}

@test "a discard that the index has no room for is not left waiting: a checkpoint makes room" {
	large=$(mkdisk large 2048)
	vol=$(mkvol v "$large" "$log" --opt index_mib=4 --opt high=99 --opt low=98)
	fio --name=w --filename="$vol" --rw=write:7680 --bs=512 --size=1g --number_ios=128000 --direct=1 --ioengine=libaio --iodepth=64 \
		--end_fsync=1 --output=/dev/null
	echo "index: $(used) %, log: $(vstat v 3)"
	[ "$(used)" -gt 57 ]
	[ "$(used)" -lt 75 ]
	[ "$(vstat v 26)" -eq 0 ]
	timeout -k 1 $((10 * VM_SCALE)) blkdiscard -o 1g -l 1g "$vol"
	[ "$(vstat v 26)" -gt 0 ]
}

failed() { [ "$(vstat v 1)" = error ]; }

@test "a discard that the index has no room for fails when the log has failed, as no checkpoint will make room" {
	allow_console 'journal: |I/O error'
	large=$(mkdisk large 2048)
	modprobe dm-simdisk
	simlog=$(mkdm simlog simdisk "$log" 1 0)
	vol=$(mkvol v "$large" "$simlog" --opt index_mib=4 --opt high=99 --opt low=98)
	fio --name=w --filename="$vol" --rw=write:7680 --bs=512 --size=1g --number_ios=128000 --direct=1 --ioengine=libaio --iodepth=64 \
		--end_fsync=1 --output=/dev/null
	dmsetup message simlog 0 powercut
	run ! dd if=/dev/zero of="$vol" bs=512 count=1 oflag=direct,dsync conv=notrunc status=none
	failed
	# -f: it does not read what lies there, which the log cannot give
	run -1 timeout -k 1 $((10 * VM_SCALE)) blkdiscard -f -o 1g -l 1g "$vol"
	[ "$(vstat v 22)" -gt 0 ]
	[[ $output == *"Input/output error"* ]]
	dmsetup message simlog 0 restore
}
