# SPDX-License-Identifier: GPL-2.0-only
# vm: kernel=6.12
# tape, the recorder: the ground on which the crash states of tests/trace stand.
load helpers

setup() {
	vm_setup
	unload_modules		# a new tape
}

# tape NAME ID [KEY=VALUE..]: over a new RAM disk without a cache, whose path goes to $below; the tape's own to $disk.
tape() {
	below=$(mkdisk "$1-ram" 16 cache=0 "${@:3}")
	disk=$(mkdm "$1" tape "$below" "$2")
}

message() { dmsetup message "$1" 0 "${@:2}"; }

# events: the tape, one line an event: SUBMIT DONE DEVICE OP FLAGS SECTOR SECTORS STATUS and the first word of the payload.
events() {
	python3 - <<-'END'
	import struct
	ops = ("read", "write", "flush", "discard", "zeroes", "mark")
	data = open("/sys/kernel/debug/tape/events", "rb").read()
	magic, used, clock, count, overflow, frozen = struct.unpack_from("<8sQQQII", data)
	assert magic == b"JBDtape1" and used == len(data)
	at, seen = 64, 0
	while at < used:
	    submit, done, sector, sectors, payload, status, device, op, flags, ready = struct.unpack_from("<QQQIIiBBBB", data, at)
	    assert ready
	    text = data[at + 40:at + 40 + payload].split(b"\n")[0].split(b" ")[0].decode() or "-"
	    print(submit, done, device, ops[op], flags, sector, sectors, status, text)
	    at += 40 + (payload + 7) // 8 * 8
	    seen += 1
	assert seen == count
	END
}

# happened: the events without their numbers, reads left out.
happened() { events | awk '$4 != "read" { print $3, $4, $5, $6, $7, $8, $9 }'; }

@test "it takes flushes and FUA, even above a disk that has no cache" {
	tape d 1
	[ "$(queue "$below" write_cache)" = "write through" ]
	[ "$(queue "$disk" write_cache)" = "write back" ]
	[ "$(queue "$disk" fua)" = 1 ]
}

@test "each bio is recorded, with what was written, between its submission and its end" {
	tape d 7
	fill "$disk" 8 24 first
	sync "$disk"
	fill "$disk" 100 1 second dsync
	blkdiscard -o 4096 -l 8192 "$disk"
	message d mark a mark
	happened > /tmp/have
	cat > /tmp/want <<-END
	7 write 0 8 24 0 first
	7 flush 0 0 0 0 -
	7 write 1 100 1 0 second
	7 flush 0 0 0 0 -
	7 discard 0 8 16 0 -
	255 mark 0 0 0 0 a
	END
	diff /tmp/want /tmp/have
	# what one command did had ended before the next one began
	events | awk '$2 < $1 || $1 <= last { exit 1 } { last = $2 }'
	holds "$below" 100 1 second
	zeroes "$below" 8 16
	holds "$below" 24 8 first
}

@test "a read is recorded without payload" {
	tape d 1
	contents "$disk" 16 8 > /dev/null
	[ "$(events | awk '$4 == "read" && $6 == 16 && $7 == 8 { print $9 }')" = - ]
}

@test "all tapes have one clock" {
	tape a 1
	first=$disk
	tape b 2
	for i in 1 2 3; do
		fill "$first" 0 8 x
		fill "$disk" 0 8 y
	done
	[ "$(events | awk '$4 == "write" { print $3 }' | xargs)" = "1 2 1 2 1 2" ]
	events | awk '$2 < $1 || $1 <= last { exit 1 } { last = $2 }'
}

@test "frozen, all tapes accept writes and forget them, at once" {
	tape a 1
	one=$disk one_below=$below
	tape b 2
	fill "$one" 0 8 before
	message b freeze
	[[ $(dmsetup status a) == *" whole frozen" ]]
	fill "$one" 0 8 lost
	fill "$disk" 0 8 lost dsync
	sync "$disk"
	run ! message a mark lost
	holds "$one_below" 0 8 before
	zeroes "$below" 0 8
	[ "$(happened)" = "1 write 0 0 8 0 before" ]
	message a thaw
	fill "$disk" 0 8 after
	holds "$below" 0 8 after
	[ "$(happened | tail -n 1)" = "2 write 0 0 8 0 after" ]
}

@test "what finds no room is counted as an overflow for good" {
	modprobe dm-tape mib=1
	tape d 1
	[ "$(counter d 3)" = $((1 << 20)) ]
	for at in 0 512 1024 1536; do fill "$disk" $at 512 x; done
	[[ $(dmsetup status d) == *" overflow runs" ]]
	holds "$below" 1536 512 x
	[ "$(od -An -t u4 -j 32 -N 4 /sys/kernel/debug/tape/events)" -eq 1 ]
	fill "$disk" 0 1 x
	[[ $(dmsetup status d) == *" overflow runs" ]]
	message d clear
	[[ $(dmsetup status d) == "0 32768 tape 0 64 1048576 "*" whole runs" ]]
	fill "$disk" 0 8 again
	[ "$(happened)" = "1 write 0 0 8 0 again" ]
	allow_console 'the buffer of 1 MiB is full'
}

@test "a write whose pages change while it is in flight is marked" {
	tape d 1 latency=500000
	python3 - "$disk" "/sys/block/$(basename "$(readlink -f "$below")")/inflight" <<-'END'
	import mmap, os, sys, threading
	buffer = mmap.mmap(-1, 4096)
	fd = os.open(sys.argv[1], os.O_WRONLY | os.O_DIRECT)
	for change in (False, True):
	    buffer[:] = b"a" * 4096
	    writer = threading.Thread(target=os.pwritev, args=(fd, [buffer], 4096 * change))
	    writer.start()
	    while change and writer.is_alive() and open(sys.argv[2]).read().split()[1] == "0":
	        pass
	    if change:
	        buffer[100:200] = b"b" * 100
	    writer.join()
	END
	[ "$(events | awk '$4 == "write" { print $5, $6 }' | xargs)" = "0 0 2 8" ]
}

@test "its table loads again unchanged, and bad ones are refused" {
	tape d 3
	table=$(dmsetup table d)
	[[ $table == "0 32768 tape "*" 3" ]]
	dmsetup reload d --table "$table"
	dmsetup resume d
	[ "$(dmsetup table d)" = "$table" ]
	for words in "" "$below" "$below x" "$below 255" "$below 256" "$below 1 2" "/dev/none 1"; do
		run ! dmsetup create e --table "0 8 tape $words"
	done
	for words in "mark" "freeze now" "nonsense"; do
		run ! message d $words
	done
	allow_console 'device-mapper: table'
}

@test "data of all sizes are right under load, and the tape holds each write once" {
	tape d 1 cache=16
	fio --name=v --filename="$disk" --direct=1 --ioengine=libaio --iodepth=8 --rw=randwrite --bsrange=512-64k \
		--blockalign=512 --size=8m --verify=crc32c --verify_fatal=1 --fsync=32 --randseed=1 --output=/tmp/fio
	[[ $(dmsetup status d) == *" whole runs" ]]
	cp --sparse=never "$below" /tmp/below
	python3 - <<-'END'
	import struct
	data = open("/sys/kernel/debug/tape/events", "rb").read()
	disk, at = bytearray(16 << 20), 64
	while at < len(data):
	    submit, done, sector, sectors, payload, status, device, op, flags, ready = struct.unpack_from("<QQQIIiBBBB", data, at)
	    assert done > submit and not status and not flags & 2, at
	    if op == 1:
	        assert payload == sectors * 512
	        disk[sector * 512:sector * 512 + payload] = data[at + 40:at + 40 + payload]
	    at += 40 + (payload + 7) // 8 * 8
	assert disk == open("/tmp/below", "rb").read()
	END
}
