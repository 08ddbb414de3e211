# SPDX-License-Identifier: GPL-2.0-only
# vm: icount kernel=6.1
# flash, the disk that takes an SSD's time: each operation its latency, so many at a time. Time is virtual here, so a slow
# host changes nothing; the latencies are long, so that the processor's own time does not count.
# Seen red: a queue without an end, a FUA write that takes the time of a write, an end that does not wait.
load helpers

setup() {
	vm_setup
	ram=$(mkdisk ram 64 cache=0)
	modprobe dm-flash
}

# flash [PARAM..]: over the RAM disk; its path goes to $disk.
flash() { disk=$(mkdm d flash "$ram" "$@"); }

# about VALUE EXPECTED: within 5 %.
about() {
	echo "$1, expected $2"
	[ $(($1 * 100)) -ge $(($2 * 95)) ] && [ $(($1 * 100)) -le $(($2 * 105)) ]
}

# iops read|write FIO-OPTION..: a job of so many operations a second, which go to $iops.
iops() {
	fio --name=m --filename="$disk" --direct=1 --bs=4k --rw="rand$1" --number_ios=400 --output-format=json "${@:2}" > /tmp/iops.json
	iops=$(sed -n '/^{/,$p' /tmp/iops.json | jq ".jobs[0].$1.iops | round")
}

@test "its table loads again unchanged, and bad parameters are refused" {
	flash queue 4 fua 0
	table=$(dmsetup table d)
	[[ $table == *" latency_us 80 flush_us 80 queue 4 fua 0" ]]
	dmsetup reload d --table "$table"
	dmsetup resume d
	[ "$(dmsetup table d)" = "$table" ]
	[ "$(queue "$disk" write_cache)" = "write back" ]
	for bad in "queue 0" "queue" "speed 1" "fua 2" "latency_us x"; do
		run ! mkdm e flash "$ram" $bad
	done
	allow_console 'device-mapper: table'
}

@test "one read or write after the other takes the latency" {
	flash latency_us 2000
	iops read
	about "$iops" 500
	iops write
	about "$iops" 500
	[ "$(counter d 1)" = 400 ]
	[ "$(counter d 2)" = 400 ]
	[ "$(counter d 4)" = 3200 ]
	[ "$(counter d 5)" = 3200 ]
	[ "$(counter d 7)" = 1600000 ]
}

@test "so many are served at a time as the queue is long, and the others wait for their turn" {
	flash latency_us 2000 queue 4
	for depth in 1 2 4 16; do
		iops read --ioengine=libaio --iodepth=$depth
		about "$iops" $((500 * (depth < 4 ? depth : 4)))
	done
}

@test "a flush takes its own time" {
	flash latency_us 1000 flush_us 3000
	iops write --fsync=1
	about "$iops" 250
	about "$(counter d 3)" 400
	[ "$(counter d 6)" = 0 ]
}

@test "a FUA write takes the time of a write, or without FUA of a write and a flush" {
	# what is synchronous on a block device is a FUA write and then a flush
	flash latency_us 1000 flush_us 3000
	iops write --sync=dsync
	about "$iops" 250
	about "$(counter d 3)" 400
	[ "$(counter d 6)" = 400 ]
	dmsetup remove d
	flash latency_us 1000 flush_us 3000 fua 0
	iops write --sync=dsync
	about "$iops" 143
	about "$(counter d 3)" 800
	[ "$(counter d 6)" = 400 ]
}

@test "an error is passed on, and a suspend waits for all" {
	modprobe dm-simdisk
	mkdm s simdisk "$ram" 1 0
	disk=$(mkdm d flash /dev/mapper/s latency_us 200000)
	dmsetup message s 0 fail read 1
	run ! dd if="$disk" of=/dev/null bs=4k count=1 iflag=direct
	fill "$disk" 8 8 kept
	spawn fio --name=l --filename="$disk" --direct=1 --rw=read --bs=4k --ioengine=libaio --iodepth=64 --number_ios=256 --size=4m
	job=$!
	wait_for 20 eval '[ "$(counter d 1)" -gt 32 ]'
	dmsetup suspend d
	# nothing waits any more: what came was served
	[ "$(counter d 7)" = $((200000 * ($(counter d 1) + 1))) ]
	dmsetup resume d
	wait $job
	[ "$(counter d 1)" = 256 ]
	holds "$disk" 8 8 kept
}
