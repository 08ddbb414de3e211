# SPDX-License-Identifier: GPL-2.0-only
# What the benchmark's loads may cost at most, in counts that no busy host changes: log writes, sectors and flushes, home
# I/O, and memory of the index. `make bench` tells the rates.
# vm: sample=6.12

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	home=$(mkdisk home 1024)
	log=$(mkdisk log 512 latency=80)
	vol=$(mkvol v "$home" "$log" --opt high=99 --opt low=98)
}

# cost NAME FIO-ARG..: runs it and sets reads, writes, sectors, flushes of the log, and home_io, each times 100 an operation.
cost() {
	local r0 w0 s0 f0 r1 w1 s1 f1 before n
	read -r r0 w0 s0 _ f0 < <(io_of "$log")
	before=$(io_of "$home" | awk '{ print $1 + $2 + $4 + $5 }')
	n=$(fio --name=b --filename="$vol" --direct=1 --group_reporting --randseed=7 --norandommap --output-format=json "$@" 2> /dev/null |
		sed -n '/^{/,$p' | jq '.jobs[0] | .read.total_ios + .write.total_ios')
	read -r r1 w1 s1 _ f1 < <(io_of "$log")
	reads=$(((r1 - r0) * 100 / n)) writes=$(((w1 - w0) * 100 / n)) sectors=$(((s1 - s0) * 100 / n)) flushes=$((f1 - f0))
	home_io=$(($(io_of "$home" | awk '{ print $1 + $2 + $4 + $5 }') - before))
	echo "of $n operations, a hundred of them: log reads $reads writes $writes sectors $sectors; log flushes $flushes, home I/O $home_io"
}

@test "write and fsync, 1 job: 1 write of 9 sectors" {
	cost --rw=randwrite --bs=4k --size=256m --fsync=1 --number_ios=1000
	[ $writes -le 100 ]
	[ $sectors -le 900 ]
	[ "$flushes $home_io" = "0 0" ]
}

@test "write and fsync, 32 jobs: they share records, and so headers" {
	cost --rw=randwrite --bs=4k --size=256m --fsync=1 --numjobs=32 --number_ios=200
	[ $writes -le 60 ]
	[ $sectors -le 860 ]
	[ "$flushes $home_io" = "0 0" ]
}

@test "FUA writes, 8 jobs" {
	cost --rw=randwrite --bs=4k --size=256m --sync=dsync --numjobs=8 --number_ios=500
	[ $writes -le 100 ]
	[ $sectors -le 900 ]
	[ "$flushes $home_io" = "0 0" ]
}

@test "random writes without fsync: their headers are shared, 30 bytes of header a block at most" {
	cost --rw=randwrite --bs=4k --size=256m --ioengine=libaio --iodepth=16 --number_ios=20000 --end_fsync=1
	[ $writes -le 6 ]
	[ $sectors -le 806 ]
	[ "$flushes $home_io" = "0 0" ]
}

@test "sequential 1 MiB writes" {
	cost --rw=write --bs=1m --size=128m --end_fsync=1
	[ $writes -le 1000 ]
	[ $sectors -le 205300 ]
	[ "$flushes $home_io" = "0 0" ]
}

@test "reads of what only the log has: one read of it, none of the home" {
	cost --rw=write --bs=64k --size=128m --end_fsync=1
	cost --rw=randread --bs=4k --size=64m --number_ios=2000
	[ $reads -eq 100 ]
	[ "$writes $flushes $home_io" = "0 0 0" ]
}

# Field 11 is the memory of the index, of which 512 KiB are there from the start.
index_bytes() { vstat v 11 | cut -d/ -f1; }

@test "the index takes 24 bytes a random dirty block at most, and less than one a sequential one" {
	before=$(index_bytes)
	cost --rw=write --bs=1m --size=256m --end_fsync=1
	[ $(($(index_bytes) - before)) -lt 65536 ]
	checkpoint v
	cost --rw=randwrite --bs=4k --size=1g --ioengine=libaio --iodepth=16 --number_ios=60000 --end_fsync=1
	used=$(index_bytes)
	echo "$used bytes"
	# some blocks are drawn twice
	[ $((used / 59000)) -le 24 ]
}
