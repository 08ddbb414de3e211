# SPDX-License-Identifier: GPL-2.0-only
# simdisk, the disk that loses its write cache: the ground on which crash tests stand.
# vm: sample=6.1
load helpers

# simdisk NAME SEED KEEP: over a new RAM disk, whose path goes to $below; the disk's own to $disk.
simdisk() {
	below=$(mkdisk "$1-ram" 16)
	disk=$(mkdm "$1" simdisk "$below" "$2" "$3")
}

cut() { dmsetup message "$1" 0 powercut ${2-}; }
restore() { dmsetup message "$1" 0 restore; }
flush() { sync "$1"; }

# new_sectors DEVICE COUNT TEXT: the numbers of the sectors that are what fill wrote; each other one must be zero.
new_sectors() {
	python3 - "$@" <<-'END'
	import os, sys
	device, count, text = sys.argv[1], int(sys.argv[2]), sys.argv[3]
	with open(device, "rb") as f:
	    for n in range(count):
	        sector = f.read(512)
	        new = (f"{text} {n}\n" * 512).encode()[:512]
	        if sector == new:
	            print(n)
	        elif sector != bytes(512):
	            sys.exit(f"sector {n} is neither old nor new: {sector[:40]}")
	END
}

@test "it is a write-back disk with FUA and zeroing discard" {
	simdisk d 1 0
	[ "$(queue "$disk" write_cache)" = "write back" ]
	[ "$(queue "$disk" fua)" = 1 ]
	[ "$(queue "$disk" discard_max_bytes)" -gt 0 ]
	[ "$(queue "$disk" logical_block_size)" = 512 ]
}

@test "its table loads again unchanged" {
	simdisk d 77 250
	table=$(dmsetup table d)
	[[ $table == "0 32768 simdisk "*" 77 250" ]]
	dmsetup reload d --table "$table"
	dmsetup resume d
	[ "$(dmsetup table d)" = "$table" ]
}

@test "an unflushed write is read back, is not below, and is lost in a power cut" {
	simdisk d 1 0
	fill "$disk" 8 24 new
	holds "$disk" 8 24 new
	zeroes "$below" 8 24
	[ "$(counter d 7)" = 24 ]
	cut d
	restore d
	zeroes "$disk" 8 24
}

@test "a flushed write survives" {
	simdisk d 1 0
	fill "$disk" 8 24 kept
	flush "$disk"
	[ "$(counter d 7)" = 0 ]
	fill "$disk" 16 8 lost
	cut d
	restore d
	holds "$disk" 8 8 kept
	holds "$disk" 16 8 kept
	holds "$disk" 24 8 kept
}

@test "a FUA write survives without a flush, and takes nothing else along" {
	simdisk d 1 0
	fill "$disk" 100 8 lost
	# A synchronous write to a block device is a FUA write and then a flush: let the flush fail.
	dmsetup message d 0 fail flush 1 0
	run ! fill "$disk" 8 8 kept dsync
	[ "$(counter d 3)" = 1 ]
	[ "$(counter d 7)" = 8 ]
	cut d
	restore d
	holds "$disk" 8 8 kept
	zeroes "$disk" 100 8
}

@test "while the power is off every operation fails" {
	simdisk d 1 0
	cut d
	[[ $(dmsetup status d) == *" off" ]]
	run ! fill "$disk" 0 8 x
	run ! dd if="$disk" of=/dev/null count=1 iflag=direct
	run ! flush "$disk"
	restore d
	[[ $(dmsetup status d) == *" on" ]]
	fill "$disk" 0 8 x
	flush "$disk"
	allow_console 'Buffer I/O error'
}

@test "in between, some sectors survive, each whole, and the seed says which" {
	for name in a b c; do
		seed=5
		[ $name != c ] || seed=6
		simdisk $name $seed 500
		fill "$disk" 0 256 new
		cut $name
		restore $name
		new_sectors "$disk" 256 new > "$BATS_TEST_TMPDIR/$name"
		count=$(wc -l < "$BATS_TEST_TMPDIR/$name")
		[ "$count" -gt 0 ]
		[ "$count" -lt 256 ]
	done
	cmp "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
	run ! cmp -s "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/c"
}

@test "powercut all cuts every disk, powercut only its own" {
	simdisk a 1 0
	simdisk b 2 0
	cut a
	[[ $(dmsetup status a) == *" off" ]]
	[[ $(dmsetup status b) == *" on" ]]
	restore a
	fill /dev/mapper/a 0 8 x
	fill /dev/mapper/b 0 8 x
	cut a all
	[[ $(dmsetup status a) == *" off" ]]
	[[ $(dmsetup status b) == *" off" ]]
	restore a
	restore b
	zeroes /dev/mapper/a 0 8
	zeroes /dev/mapper/b 0 8
}

@test "the operation that was asked for fails, and no other" {
	simdisk d 1 0
	dmsetup message d 0 fail write 2
	fill "$disk" 0 8 first
	run ! fill "$disk" 0 8 second
	fill "$disk" 8 8 third
	holds "$disk" 0 8 first
	holds "$disk" 8 8 third

	dmsetup message d 0 fail read 1 2
	run ! dd if="$disk" of=/dev/null count=1 iflag=direct
	run ! dd if="$disk" of=/dev/null count=1 iflag=direct
	dd if="$disk" of=/dev/null count=1 iflag=direct

	dmsetup message d 0 fail flush 1 0
	for _ in 1 2 3; do run ! flush "$disk"; done
	[ "$(counter d 7)" = 16 ]
	dmsetup message d 0 heal
	flush "$disk"
	[ "$(counter d 7)" = 0 ]
	allow_console 'Buffer I/O error'
}

@test "a discard reads as zeroes at once, and is as volatile as a write" {
	simdisk d 1 0
	fill "$disk" 0 64 old
	flush "$disk"
	blkdiscard -o 4096 -l 16384 "$disk"
	zeroes "$disk" 8 32
	holds "$disk" 0 8 old
	holds "$disk" 40 24 old
	fill "$disk" 10 2 over
	holds "$disk" 10 2 over
	zeroes "$disk" 12 28
	cut d
	restore d
	holds "$disk" 0 64 old

	blkdiscard -o 4096 -l 16384 "$disk"
	flush "$disk"
	cut d
	restore d
	zeroes "$disk" 8 32
	holds "$disk" 40 24 old
}

@test "removing the device is no power cut" {
	simdisk d 1 0
	fill "$disk" 0 64 kept
	dmsetup remove d
	holds "$below" 0 64 kept
}

@test "bad tables and messages are refused" {
	below=$(mkdisk ram 16)
	for words in "" "$below" "$below x" "$below 1 1001" "$below 1 2 3" "/dev/none 1"; do
		run ! dmsetup create d --table "0 8 simdisk $words"
	done
	disk=$(mkdm d simdisk "$below" 1)
	for words in "fail" "fail write" "fail write 0" "fail sleep 1" "powercut some" "nonsense"; do
		run ! dmsetup message d 0 $words
	done
	allow_console 'device-mapper: table'
}

@test "data of all sizes are right under load" {
	simdisk d 3 500
	fio --name=v --filename="$disk" --direct=1 --ioengine=libaio --iodepth=8 --rw=randrw --bsrange=512-64k --bs_unaligned=0 \
		--blockalign=512 --size=8m --verify=crc32c --verify_fatal=1 --fsync=32 --randseed=1 --output="$BATS_TEST_TMPDIR/fio"
}

@test "a file system that was cut under load recovers, with what was synced" {
	simdisk d 4 300
	mkfs.ext4 -q "$disk"
	mount "$disk" /mnt
	pattern 0 512 synced > /mnt/kept
	sync
	spawn fio --name=load --directory=/mnt --rw=randwrite --bs=4k --size=4m --fsync=4 --time_based --runtime=60 \
		--output=/dev/null
	wait_for 10 test -e /mnt/load.0.0
	before=$(counter d 2)
	wait_for 20 eval '[ $(counter d 2) -gt $((before + 50)) ]'
	cut d
	wait "$!" || :
	umount /mnt
	restore d
	allow_console 'EXT4-fs|JBD2|I/O error|Buffer I/O|Aborting journal'
	mount "$disk" /mnt
	cmp <(pattern 0 512 synced) /mnt/kept
	umount /mnt
	e2fsck -fn "$disk"
}

@test "a unit of 8 sectors is saved or lost as a whole" {
	below=$(mkdisk d-ram 16)
	disk=$(mkdm d simdisk "$below" 5 500 8)
	[[ $(dmsetup table d) == *" 5 500 8" ]]
	fill "$disk" 0 1024 new
	cut d
	restore d
	kept=$(new_sectors "$disk" 1024 new | awk '{ n[int($1 / 8)]++ } END { for (u in n) if (n[u] != 8) exit 1; print length(n) }')
	[ "$kept" -gt 20 ]
	[ "$kept" -lt 108 ]
	for bad in "500 3" "500 16"; do run ! mkdm e simdisk "$below" 5 $bad; done
}
