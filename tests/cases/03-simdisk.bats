# SPDX-License-Identifier: GPL-2.0-only
# vm: kernel=6.12
# What simdisk does beside losing its cache: it hangs, alone and above a spindle that takes a spinning disk's time.
# Seen red: a hang that holds nothing back, a release that starts nothing, an operation served past one that hangs.
load helpers

setup() {
	vm_setup
	modprobe dm-simdisk
	ram=$(mkdisk ram 64 cache=0)
}

teardown() {
	dmsetup message d 0 release || :
	vm_teardown
}

hang() { dmsetup message d 0 hang "$1"; }
release() { dmsetup message d 0 release; }
waiting() { [ "$(counter d 8)" = "$1" ]; }	# so many bios wait
get() { dd if="$disk" of=/dev/null bs=4k count=1 iflag=direct status=none; }

# operation NAME: do one.
operation() {
	case $1 in
	read) get ;;
	write) fill "$disk" 0 8 written ;;
	flush) sync "$disk" ;;
	# without -f it reads first
	discard) blkdiscard -f -o 8192 -l 4096 "$disk" ;;
	esac
}

# done_soon PID: it ends by itself, without an error.
done_soon() { wait_for 20 ended "$1" && wait "$1"; }
# works NAME: the operation ends, without an error.
works() { spawn operation "$1" && done_soon $!; }

@test "each operation can hang, the others do not, and a release ends it without an error" {
	disk=$(mkdm d simdisk "$ram" 1 0)
	for hung in read write flush discard; do
		hang $hung
		for op in read write flush discard; do
			[ $op = $hung ] || works $op
		done
		waiting 0
		spawn operation $hung
		job=$!
		wait_for 20 waiting 1
		dmsetup status d
		runs $job
		release
		done_soon $job
		waiting 0
		works $hung
	done
}

@test "what comes behind one that hangs waits too, and order is kept" {
	disk=$(mkdm d simdisk "$ram" 1 0)
	hang write
	spawn fill "$disk" 0 8 first
	first=$!
	wait_for 20 waiting 1
	spawn fill "$disk" 0 8 second
	second=$!
	wait_for 20 waiting 2
	spawn get
	third=$!
	wait_for 20 waiting 3
	for job in $first $second $third; do runs $job; done
	release
	for job in $first $second $third; do
		done_soon $job
	done
	holds "$disk" 0 8 second
}

@test "a power cut ends what hangs, with an error; power alone is no release" {
	disk=$(mkdm d simdisk "$ram" 1 0)
	hang write
	spawn fill "$disk" 0 8 lost
	job=$!
	wait_for 20 waiting 1
	dmsetup message d 0 powercut
	wait_for 20 ended $job
	status=0
	wait $job || status=$?
	[ "$status" -ne 0 ]
	dmsetup message d 0 restore
	zeroes "$disk" 0 8
	spawn fill "$disk" 0 8 kept
	job=$!
	wait_for 20 waiting 1
	release
	done_soon $job
	holds "$disk" 0 8 kept
	allow_console 'Buffer I/O error'
}

@test "a suspend waits for what hangs, without flushing too, and a release lets it end" {
	disk=$(mkdm d simdisk "$ram" 1 0)
	for how in --nolockfs --noflush; do
		hang write
		spawn fill "$disk" 0 8 "kept$how"
		job=$!
		wait_for 20 waiting 1
		spawn dmsetup suspend $how d
		suspend=$!
		wait_for 20 suspends $suspend
		dmsetup status --noflush d
		runs $suspend
		runs $job
		release
		done_soon $suspend
		done_soon $job
		[ "$(dmsetup info -c --noheadings -o suspended d)" = Suspended ]
		dmsetup resume d
		holds "$disk" 0 8 "kept$how"
	done
}

@test "bad words are refused" {
	disk=$(mkdm d simdisk "$ram" 1 0)
	for words in "hang" "hang sleep" "hang write 0" "hang write 1 2" "release write"; do
		run ! dmsetup message d 0 $words
	done
	works write
}

@test "above a spindle it loses its cache as ever, and its writes take the platter's time" {
	modprobe dm-spindle
	mkdm s spindle "$ram" cache_mib 0
	disk=$(mkdm d simdisk /dev/mapper/s 1 0)
	fill "$disk" 8 8 kept
	sync "$disk"
	[ "$(counter s 7)" = 1 ]
	fill "$disk" 8 8 newer dsync
	[ "$(counter s 7)" = 2 ]
	[ "$(counter s 10)" -ge 1 ]
	fill "$disk" 80 8 lost
	fill "$disk" 8 8 lost
	[ "$(counter s 7)" = 2 ]
	dmsetup message d 0 powercut
	dmsetup message d 0 restore
	holds "$disk" 8 8 newer
	holds "$ram" 8 8 newer
	zeroes "$disk" 80 8
}

@test "above a spindle the operation that was asked for fails, and takes no time" {
	modprobe dm-spindle
	mkdm s spindle "$ram" cache_mib 0
	disk=$(mkdm d simdisk /dev/mapper/s 1 0)
	fill "$disk" 8 8 first
	dmsetup message d 0 fail flush 1
	run ! sync "$disk"
	[ "$(counter s 7)" = 0 ]
	sync "$disk"
	[ "$(counter s 7)" = 1 ]
	dmsetup message d 0 fail read 2
	get
	run ! get
	get
	[ "$(counter s 1)" = 2 ]
	allow_console 'Buffer I/O error'
}
