# SPDX-License-Identifier: GPL-2.0-only
# The data path: what a write, a flush and a read cost, and that what comes back is what was written.
# Seen red, each in its test: a PREFLUSH on the commit; a flush that is sent although nothing is new; a FUA write acknowledged
# before its record; a read that goes home when staging has lapped; a discard that is not indexed; a recovery that indexes
# nothing; `flush home` ignored; an option left out of the printed table.

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	home=$(mkdisk home 64)
	log=$(mkdisk log 64)
}

@test "a 4 KiB write and fsync is one log write of 9 sectors, no flush, no home I/O" {
	vol=$(mkvol v "$home" "$log")
	before_log=$(io_of "$log") before_home=$(io_of "$home")
	fio --name=w --filename="$vol" --rw=randwrite --bs=4k --size=32m --number_ios=100 --fsync=1 --end_fsync=1 --ioengine=psync \
		--direct=1 --output=/dev/null
	read -r r0 w0 s0 d0 f0 <<< "$before_log"
	read -r r1 w1 s1 d1 f1 < <(io_of "$log")
	echo "log: reads $((r1 - r0)) writes $((w1 - w0)) sectors $((s1 - s0)) discards $((d1 - d0)) flushes $((f1 - f0))"
	[ $((w1 - w0)) -eq 100 ]
	[ $((s1 - s0)) -eq 900 ]
	[ $((f1 - f0)) -eq 0 ]
	[ $((r1 - r0)) -eq 0 ]
	[ "$(io_of "$home")" = "$before_home" ]
}

@test "on a log with 4096-byte physical blocks it is 16 sectors" {
	log4=$(mkdisk log4 64 blocksize=4096)
	home4=$(mkdisk home4 64 blocksize=4096)
	vol=$(mkvol v "$home4" "$log4")
	read -r r0 w0 s0 d0 f0 < <(io_of "$log4")
	fio --name=w --filename="$vol" --rw=randwrite --bs=4k --size=32m --number_ios=100 --fsync=1 --end_fsync=1 --ioengine=psync \
		--direct=1 --output=/dev/null
	read -r r1 w1 s1 d1 f1 < <(io_of "$log4")
	[ $((w1 - w0)) -eq 100 ]
	[ $((s1 - s0)) -eq 1600 ]
	[ $((f1 - f0)) -eq 0 ]
}

@test "so it is where the log has logical blocks of 512 bytes in physical ones of 4096, unless told otherwise" {
	modprobe sd_mod
	modprobe scsi_debug dev_size_mb=64 physblk_exp=3 delay=0
	disks=/sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block
	# it is looked for in the background
	wait_for 20 eval "compgen -G '$disks/*' > /dev/null"
	log=/dev/$(ls $disks)
	[ "$(queue "$log" logical_block_size) $(queue "$log" physical_block_size)" = "512 4096" ]
	for unit in 16 9; do
		[ $unit = 16 ] || set -- --unit 512
		vol=$(mkvol v "$home" "$log" --force "$@")
		before=$(vstat v 24)
		fill "$vol" 0 8 one dsync
		[ $(($(vstat v 24) - before)) -eq $unit ]
		jbdctl close v
	done
	rmmod scsi_debug
}

@test "a flush with nothing new is no I/O" {
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 8 one
	commit "$vol"
	before="$(io_of "$log") $(io_of "$home")"
	for i in 1 2 3; do
		commit "$vol"
	done
	[ "$before" = "$(io_of "$log") $(io_of "$home")" ]
	[ "$(vstat v 19)" -ge 3 ]
}

@test "a FUA write is one log write and is durable when it completes" {
	vol=$(mkvol v "$home" "$log")
	read -r r0 w0 s0 d0 f0 < <(io_of "$log")
	# The kernel sends a flush behind a O_DSYNC write to a block device, and that has nothing left to do.
	fua=$(vstat v 20) elided=$(vstat v 19)
	fill "$vol" 64 8 fua dsync
	[ "$(vstat v 20)" -eq $((fua + 1)) ]
	[ "$(vstat v 19)" -eq $((elided + 1)) ]
	read -r r1 w1 s1 d1 f1 < <(io_of "$log")
	[ $((w1 - w0)) -eq 1 ]
	[ $((f1 - f0)) -eq 0 ]
	holds "$vol" 64 8 fua
}

@test "reads come from staging, from the log after it has lapped, and from the home after a checkpoint" {
	vol=$(mkvol v "$home" "$log" --opt staging_mib=1)
	fill "$vol" 0 64 first
	commit "$vol"
	holds "$vol" 0 64 first
	[ "$(vstat v 14)" -gt 0 ]
	dd if=/dev/urandom of="$vol" bs=64k seek=100 count=256 oflag=direct conv=notrunc status=none
	before=$(vstat v 15)
	holds "$vol" 0 64 first
	[ "$(vstat v 15)" -gt "$before" ]
	checkpoint v
	before=$(vstat v 15)
	holds "$vol" 0 64 first
	[ "$(vstat v 15)" -eq "$before" ]
	holds "$home" 0 64 first
}

@test "a discard and a write-zeroes hide older data at once, and what is written later hides them" {
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 64 old
	commit "$vol"
	checkpoint v
	fill "$vol" 8 8 newer
	blkdiscard -o 0 -l $((32 * 512)) "$vol"
	blkdiscard -z -o $((40 * 512)) -l $((8 * 512)) "$vol"
	zeroes "$vol" 0 32
	holds "$vol" 32 8 old
	zeroes "$vol" 40 8
	fill "$vol" 4 2 last
	zeroes "$vol" 0 4
	holds "$vol" 4 2 last
	zeroes "$vol" 6 26
	checkpoint v
	holds "$vol" 4 2 last
	holds "$home" 4 2 last
	zeroes "$home" 40 8
	holds "$home" 48 16 old
}

@test "a closed volume opens again with everything that was written" {
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 100 kept
	jbdctl close v
	jbdctl open v "$home" "$log" --opt idle_ms=0
	holds "$vol" 0 100 kept
}

@test "flush home: an fsync returns when the home has it" {
	vol=$(mkvol v "$home" "$log" --flush home)
	fill "$vol" 16 16 there
	commit "$vol"
	holds "$home" 16 16 there
	fill "$vol" 40 8 fua dsync
	holds "$home" 40 8 fua
	[ "$(vstat v 4 | cut -d: -f1)" = "$(vstat v 4 | cut -d: -f2)" ]
}

@test "the printed table loads again, unchanged" {
	vol=$(mkvol v "$home" "$log" --opt high=60 --opt low=30 --flush log)
	table=$(dmsetup table v)
	fill "$vol" 0 8 before
	dmsetup load v --table "$table"
	dmsetup suspend v
	dmsetup resume v
	[ "$(dmsetup table v)" = "$table" ]
	holds "$vol" 0 8 before
}
