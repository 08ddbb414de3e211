# SPDX-License-Identifier: GPL-2.0-only
# vm: icount kernel=6.12
# spindle, the disk that takes a spinning disk's time: does it take the time that physics says? Time is virtual here, so a
# slow host changes nothing; what the host of the disk sees is compared with physics, and so is what the model says of itself.
# Seen red: no seek, a platter that is always in place, a cache emptied in order of arrival, a flush that does not wait, a
# turn lost between two tracks.
load helpers

setup() {
	vm_setup
	ram=$(mkdisk ram 256 cache=0)
	modprobe dm-spindle
}

# spindle [PARAM..]: over the RAM disk; its path goes to $disk.
spindle() { disk=$(mkdm d spindle "$ram" "$@"); }

# Fields of the status line.
writes() { counter d 2; }
accesses_to_read() { counter d 5; }
accesses_to_write() { counter d 7; }
sectors_written() { counter d 8; }
seeks() { counter d 9; }
busy_ms() { counter d 10; }
cached() { counter d 11; }
fua_writes() { counter d 12; }

# about VALUE EXPECTED PERCENT
about() {
	echo "$1, expected $2 within $3 %"
	[ $(($1 * 100)) -ge $(($2 * (100 - $3))) ] && [ $(($1 * 100)) -le $(($2 * (100 + $3))) ]
}

# measure KEY FIO-OPTION..: the job's result, rounded, goes to $measured.
measure() {
	fio --name=m --filename="$disk" --direct=1 --randseed=5 --output-format=json "${@:2}" > /tmp/measure.json
	measured=$(sed -n '/^{/,$p' /tmp/measure.json | jq ".jobs[0].$1 | round")
}

random_writes() {	# random_writes COUNT BYTES-OF-SPAN
	fio --name=w --filename="$disk" --direct=1 --ioengine=libaio --iodepth=8 --rw=randwrite --norandommap --bs=4k --number_ios="$1" \
		--size="$2" --randseed=3 "${@:3}" > /dev/null
}

@test "its table loads again unchanged, and bad parameters are refused" {
	spindle rpm 5400 cache_mib 0
	table=$(dmsetup table d)
	[[ $table == *" rpm 5400 seek_min_us 800 seek_max_us 14000 rate_mib 180 cache_mib 0 queue 32" ]]
	dmsetup reload d --table "$table"
	dmsetup resume d
	[ "$(dmsetup table d)" = "$table" ]
	for bad in "rpm 0" "rpm" "speed 1" "seek_min_us 5000 seek_max_us 10"; do
		run ! mkdm e spindle "$ram" $bad
	done
}

@test "reads in sequence run at the rate of the platter, without a seek but to the next track" {
	spindle
	measure read.bw_bytes --rw=read --bs=64k --size=64m
	[ "$(accesses_to_read)" = 1024 ]
	# 64 MiB at 180 MiB/s, after the first turn
	about "$(busy_ms)" 358 5
	about $((measured >> 20)) 180 5
}

@test "a random read takes a seek and half a turn" {
	spindle
	measure read.iops --rw=randread --norandommap --bs=4k --number_ios=300 --size=256m
	[ "$(accesses_to_read)" = 300 ]
	# 0.8 + 13.2 * 8 / 15 + 8.33 / 2 ms
	about $(($(busy_ms) / 3)) 1200 7
	about "$measured" 83 7
}

@test "of 32 queued reads the nearest is next" {
	spindle
	measure read.iops --ioengine=libaio --iodepth=32 --rw=randread --norandommap --bs=4k --number_ios=600 --size=256m
	# 4.72 ms: the mean of six simulations in floating point that always serve the access that ends first
	about $(($(busy_ms) / 6)) 472 10
	about "$measured" 212 10
}

@test "writes are done when they are in the cache, and a flush waits until it is empty" {
	spindle
	random_writes 1000 256m --end_fsync=1
	[ "$(writes)" = 1000 ]
	[ "$(cached)" = 0 ]
	# those that were overwritten in the cache, and neighbours, take no access of their own
	[ "$(accesses_to_write)" -le 1000 ]
	[ "$(accesses_to_write)" -gt 900 ]
}

@test "the cache is emptied in the arm's order: an eighth of the time of writes without a cache" {
	spindle cache_mib 0
	random_writes 400 256m --iodepth=1
	without=$(busy_ms)
	[ "$(accesses_to_write)" = 400 ]
	about $((without / 4)) 1200 7
	dmsetup remove d
	spindle
	random_writes 4000 256m --end_fsync=1
	[ $(($(busy_ms) * 8)) -lt $((without * 10)) ]
}

@test "writes in sequence are merged, and run at the rate of the platter" {
	spindle
	measure write.bw_bytes --rw=write --bs=64k --size=128m --end_fsync=1
	[ "$(sectors_written)" = 262144 ]
	[ "$(accesses_to_write)" -le 512 ]
	# 128 MiB at 180 MiB/s
	about "$(busy_ms)" 711 5
}

@test "no turn is lost where an access ends with its track" {
	# a track is 1 MiB, and so is the longest access to write
	spindle rpm 6000 rate_mib 100
	measure write.bw_bytes --rw=write --bs=1m --size=64m --end_fsync=1
	[ "$(sectors_written)" = 131072 ]
	about "$(busy_ms)" 640 5
}

@test "more than the cache holds waits for the platter" {
	spindle cache_mib 1
	dd if=/dev/zero of="$disk" bs=64k count=256 oflag=direct
	# 16 MiB but for what is in the cache
	[ "$(cached)" -le 2048 ]
	[ "$(sectors_written)" -ge 28672 ]
	[ "$(busy_ms)" -ge 77 ]
}

@test "a FUA write waits for the platter, and so does a flush" {
	spindle seek_min_us 90000 seek_max_us 100000
	for flag in dsync fsync; do
		begin=${EPOCHREALTIME/./}
		case $flag in
		dsync) fill "$disk" 200000 8 durable dsync ;;
		fsync) fill "$disk" 8 8 cached && sync "$disk" ;;
		esac
		[ $((${EPOCHREALTIME/./} - begin)) -ge 90000 ]
	done
	[ "$(accesses_to_write)" = 2 ]
	[ "$(fua_writes)" = 1 ]
	holds "$ram" 200000 8 durable
	holds "$ram" 8 8 cached
}
