# SPDX-License-Identifier: GPL-2.0-only
# The checkpoint target: docs/checkpoint.rst.
#
# The home is three layers, so that a test decides when a write and when a flush ends: `wgate` over `fgate` over a RAM
# disk. Both gates are dm-linear until one is closed, which makes it a dm-delay of an hour for its class of bios; a
# delay sends all that it holds when it is suspended, so opening is a reload. Order is read from the tracepoints.
# vm: sample=6.1

load helpers

TRACE=/sys/kernel/tracing

setup() {
	vm_setup
	load_modules dm-checkpoint
	disk=$(mkdisk home 32)
	size=$(sectors "$disk")
	fgate=$(mkdm fgate linear "$disk" 0)
	wgate=$(mkdm wgate linear "$fgate" 0)
	mountpoint -q $TRACE || mount -t tracefs tracefs $TRACE
	echo counter > $TRACE/trace_clock
	echo > $TRACE/trace
	echo 1 > $TRACE/events/dm_checkpoint/enable
	# Status words.
	STATE=1 FENCES=2 WRITES=4 WRITE_SECTORS=5 DISCARDS=6 READS=7 AT_HOME=8 QUEUED=9 HELD=10 LAST=12
}

teardown() {
	echo 0 > $TRACE/events/enable
	# A failed test may leave a gate closed, and writes behind it.
	[ ! -b /dev/mapper/fgate ] || open_flushes
	[ ! -b /dev/mapper/wgate ] || open_writes
	vm_teardown
}

# start [WORD..]: the device under test.
start() { ckpt=$(mkdm ckpt checkpoint "$wgate" "$@"); }

# swap NAME TARGET WORD..: give a device another table.
swap() {
	local name=$1
	shift
	dmsetup load "$name" --table "0 $size $*"
	dmsetup suspend "$name"
	dmsetup resume "$name"
}

# put SECTOR COUNT TEXT [DDFLAG]: what fill writes, as one bio.
put() {
	pattern "$1" "$2" "$3" | dd of="$ckpt" bs=$(($2 * 512)) seek=$(($1 * 512))B iflag=fullblock \
		oflag=direct${4:+,$4} status=none conv=notrunc
}

close_writes() { swap wgate delay "$fgate" 0 0 "$fgate" 0 3600000 "$fgate" 0 0; }
open_writes() { swap wgate linear "$fgate" 0; }
close_flushes() { swap fgate delay "$disk" 0 0 "$disk" 0 0 "$disk" 0 3600000; }
open_flushes() { swap fgate linear "$disk" 0; }

# bad_writes SECTOR COUNT: writes there fail.
bad_writes() {
	dmsetup load fgate <<-END
	0 $1 linear $disk 0
	$1 $2 error
	$(($1 + $2)) $((size - $1 - $2)) linear $disk $(($1 + $2))
	END
	dmsetup suspend fgate
	dmsetup resume fgate
}

# bad_flushes: flushes fail, writes do not.
bad_flushes() {
	mkdm bad flakey "$disk" 0 0 1 1 error_writes
	swap fgate delay "$disk" 0 0 "$disk" 0 0 /dev/mapper/bad 0 0
}

status_is() { [ "$(counter ckpt "$1")" = "$2" ]; }

# reaches WORD VALUE [WORD VALUE..]: wait until the status says so, in turn.
reaches() {
	while [ $# -gt 0 ]; do
		wait_for 10 status_is "$1" "$2" || { dmsetup status ckpt; return 1; }
		shift 2
	done
}

# steps: what the target did, one line each: step, sector, sectors, error.
steps() {
	sed -n 's/.*: checkpoint_\([a-z]*\): [0-9,]* \([0-9]*\) + \([0-9]*\) error \(-\?[0-9]*\)$/\1 \2 \3 \4/p' $TRACE/trace
}

# step_count STEP N: true if the step was taken N times.
step_count() { [ "$(steps | grep -c "^$1 ")" = "$2" ]; }

# ends PID [PID..]: wait for jobs; false if one failed.
ends() {
	local pid bad=0
	for pid; do
		wait "$pid" || bad=1
	done
	return $bad
}

# fails PID [PID..]: wait for jobs; false if one succeeded.
fails() {
	local pid bad=0
	for pid; do
		wait "$pid" && bad=1
	done
	return $bad
}

@test "data passes through unchanged, down to 512 bytes" {
	start
	[ "$(sectors "$ckpt")" = "$size" ]
	[ "$(blockdev --getss "$ckpt")" = 512 ]
	put 1 1 one
	put 7 3 three
	put $((size - 1)) 1 last
	put 16 2048 large
	sync "$ckpt"
	for device in "$ckpt" "$disk"; do
		zeroes "$device" 0 1
		holds "$device" 1 1 one
		zeroes "$device" 2 5
		holds "$device" 7 3 three
		holds "$device" 16 2048 large
		holds "$device" $((size - 1)) 1 last
	done
	status_is $STATE idle
	status_is $FENCES 1
	status_is $WRITES $(steps | grep -c ^admit)
	status_is $WRITE_SECTORS $((1 + 3 + 1 + 2048))
	[ "$(counter ckpt $READS)" -gt 0 ]
	dmsetup message ckpt 0 clear_stats
	[[ $(dmsetup status ckpt) == *"checkpoint idle 0 0 0 0 0 0 0 0 0 0 - strict consistent 0 0 0 0" ]]
}

@test "a random load with fences and little depth reads back what it wrote" {
	start 2 depth 3
	fio --name=load --filename="$ckpt" --direct=1 --rw=randwrite --bsrange=512-64k --blockalign=512 --size=8m \
		--ioengine=libaio --iodepth=16 --fsync=8 --verify=crc32c --verify_fatal=1 --output=/tmp/fio.log ||
		{ cat /tmp/fio.log; false; }
	[ "$(counter ckpt $FENCES)" -gt 10 ]
	status_is $STATE idle
	cmp "$ckpt" "$disk"
}

@test "FUA, discard and write-zeroes reach the home as such" {
	start
	put 0 64 old
	home=$(stat -c '%Hr,%Lr' "$(readlink -f "$wgate")")
	echo 1 > $TRACE/events/block/block_bio_queue/enable
	put 0 8 forced dsync
	blkdiscard -o $((16 * 512)) -l $((16 * 512)) "$ckpt"
	blkdiscard -z -o $((48 * 512)) -l $((8 * 512)) "$ckpt"
	echo 0 > $TRACE/events/block/block_bio_queue/enable
	grep -q "block_bio_queue: $home WFS 0 + 8 " $TRACE/trace
	grep -q "block_bio_queue: $home DS\? 16 + 16 " $TRACE/trace
	status_is $DISCARDS 1
	holds "$disk" 0 8 forced
	holds "$disk" 8 8 old
	zeroes "$disk" 16 16
	holds "$disk" 32 16 old
	zeroes "$disk" 48 8
	holds "$disk" 56 8 old
}

# Seen to catch: a flush that is sent while a write before it is on its way.
@test "the home is flushed when the writes before the fence have completed" {
	start
	close_writes
	spawn put 0 8 slow
	write=$!
	reaches $AT_HOME 1 $STATE writing
	spawn sync "$ckpt"
	fence=$!
	wait_for 10 step_count fence 1
	open_writes
	ends $write $fence
	[ "$(steps)" = $'admit 0 8 0\nfence 0 0 0\ndone 0 8 0\nflush 0 0 0\ndone 0 0 0' ]
	status_is $FENCES 1
}

@test "a fence without a write since the last one flushes the home too" {
	start
	sync "$ckpt"
	sync "$ckpt"
	step_count flush 2
	status_is $FENCES 2
}

# Seen to catch: writes let through while a fence is served.
@test "a write behind a fence is held until the home is flushed" {
	start
	put 0 8 first
	close_flushes
	spawn sync "$ckpt"
	fence1=$!
	wait_for 10 step_count flush 1
	status_is $STATE fencing
	spawn put 0 8 second
	write=$!
	reaches $HELD 1
	spawn sync "$ckpt"
	fence2=$!
	wait_for 10 step_count hold 2
	holds "$ckpt" 0 8 first
	status_is $AT_HOME 0
	status_is $FENCES 0
	open_flushes
	ends $fence1 $write $fence2
	[ "$(steps | tail -n +3)" = "$(cat <<-END
		fence 0 0 0
		flush 0 0 0
		hold 0 8 0
		hold 0 0 0
		done 0 0 0
		admit 0 8 0
		fence 0 0 0
		done 0 8 0
		flush 0 0 0
		done 0 0 0
	END
	)" ]
	status_is $STATE idle
	status_is $HELD 0
	status_is $FENCES 2
	holds "$disk" 0 8 second
}

# Seen to catch: a write's error that is not latched for its fence; held writes that are sent after a failed fence; a
# latch that is not cleared.
@test "a failed write fails its fence and all that is held, and a retry succeeds" {
	start
	bad_writes 1000 8
	close_writes
	spawn put 1000 8 bad
	bad=$!
	spawn put 2000 8 good
	good=$!
	reaches $AT_HOME 2
	spawn sync "$ckpt"
	fence1=$!
	wait_for 10 step_count fence 1
	spawn put 64 8 behind
	behind=$!
	reaches $HELD 1
	spawn sync "$ckpt"
	fence2=$!
	wait_for 10 step_count hold 2
	open_writes
	ends $good
	fails $bad $fence1 $behind $fence2
	zeroes "$disk" 64 8
	step_count flush 0
	[[ $(dmsetup status ckpt) == *"checkpoint error 0 2 3 24 0 "*" 0 0 0 1 write:-5 "* ]]
	[ "$(console | grep -c 'checkpoint: .*: fence failed: error -5')" = 1 ]

	open_flushes
	put 1000 8 bad
	put 2000 8 good
	sync "$ckpt"
	put 64 8 behind
	sync "$ckpt"
	status_is $STATE idle
	status_is $FENCES 2
	holds "$disk" 1000 8 bad
	holds "$disk" 64 8 behind
}

# Seen to catch: a flush whose result is not looked at; a latch that is not cleared.
@test "a failed flush fails its fence, and only that" {
	start
	bad_flushes
	put 0 8 data
	run ! sync "$ckpt"
	run ! sync "$ckpt"
	[[ $(dmsetup status ckpt) == *"checkpoint error 0 2 1 8 0 "*" 0 0 0 0 flush:-5 "* ]]
	open_flushes
	sync "$ckpt"
	status_is $STATE idle
	status_is $FENCES 1
	status_is $LAST flush:-5
	[ "$(console | grep -c 'fence failed')" = 1 ]
}

# Seen to catch: a write's error that is not latched for its fence.
@test "a write that fails without a fence behind it fails the next fence" {
	start
	bad_writes 1000 8
	run ! put 1000 8 bad
	status_is $STATE error
	open_flushes
	run ! sync "$ckpt"
	sync "$ckpt"
	status_is $STATE idle
}

# Seen to catch: a depth that is off by one; a sweep that starts again at the lowest sector each time.
@test "not more than depth writes are at the home, and the others follow in a sweep" {
	start 2 depth 1
	close_writes
	jobs=()
	for sector in 100 50 200 150 25; do
		spawn put $sector 8 data
		jobs+=($!)
		wait_for 10 step_count admit ${#jobs[@]}
	done
	status_is $AT_HOME 1
	status_is $QUEUED 4
	open_writes
	ends "${jobs[@]}"
	[ "$(steps | sed -n 's/^done \([0-9]*\) .*/\1/p' | paste -sd' ')" = "100 150 200 25 50" ]
	for sector in 100 50 200 150 25; do
		holds "$disk" $sector 8 data
	done

	dmsetup remove ckpt
	start 2 depth 3
	close_writes
	for sector in 0 8 16 24 32; do
		spawn put $sector 8 more
	done
	reaches $WRITES 5 $AT_HOME 3 $QUEUED 2
	open_writes
	reaches $STATE idle
}

# Seen to catch: overlapping writes that are queued together, so that the sweep sends the later one first; a write that
# overtakes one held for its overlap.
@test "overlapping writes of one epoch reach the home in order of arrival" {
	start 2 depth 1
	close_writes
	jobs=()
	n=0
	for write in "100 8 first" "8 8 old" "0 12 new" "0 4 newest" "300 8 other"; do
		spawn put $write
		jobs+=($!)
		n=$((n + 1))
		reaches $WRITES $n
	done
	status_is $AT_HOME 1
	status_is $QUEUED 1
	status_is $HELD 3
	open_writes
	ends "${jobs[@]}"
	holds "$disk" 0 4 newest
	holds "$disk" 4 8 new
	holds "$disk" 12 4 old
	holds "$disk" 300 8 other
	reaches $STATE idle
}

# Seen to catch: a write that is sent while one that it overlaps is on its way.
@test "a write that overlaps one on its way is held, a neighbour is not" {
	start
	close_writes
	spawn put 8 8 old
	reaches $AT_HOME 1
	spawn put 0 8 below
	spawn put 16 8 above
	reaches $AT_HOME 3
	spawn put 15 1 new
	reaches $HELD 1
	open_writes
	reaches $STATE idle
	holds "$disk" 8 7 old
	holds "$disk" 15 1 new
}

# Seen to catch: a worker that is not told of the end of the flush.
@test "suspend and remove complete with writes queued and held" {
	for flag in --flush --noflush; do
		start 2 depth 1
		close_flushes
		spawn sync "$ckpt"
		jobs=($!)
		reaches $STATE fencing
		for sector in 0 8 0 16; do
			spawn put $sector 8 data
			jobs+=($!)
		done
		reaches $HELD 4
		spawn sync "$ckpt"
		jobs+=($!)
		wait_for 10 step_count hold 5
		spawn dmsetup suspend ${flag#--flush} ckpt
		suspend=$!
		open_flushes
		ends $suspend
		[ "$(dmsetup info -c --noheadings -o suspended ckpt)" = Suspended ]
		status_is $STATE idle
		dmsetup resume ckpt
		ends "${jobs[@]}"
		status_is $FENCES 2
		holds "$disk" 16 8 data
		dmsetup remove ckpt
		echo > $TRACE/trace
	done
}

@test "a forced removal fails nothing that was accepted" {
	start
	close_flushes
	spawn sync "$ckpt"
	fence=$!
	reaches $STATE fencing
	spawn put 0 8 data
	write=$!
	reaches $HELD 1
	spawn dmsetup wipe_table ckpt --noflush
	wipe=$!
	open_flushes
	ends $wipe $fence $write
	holds "$disk" 0 8 data
	[[ $(dmsetup table ckpt) == *error* ]]
}

@test "the target comes and goes under load" {
	for i in 1 2 3 4; do
		start 2 depth $i
		spawn put $((i * 8)) 64 "round $i"
		sync "$ckpt"
		ends $!
		dmsetup remove ckpt
		rmmod dm-checkpoint
		modprobe dm-checkpoint
	done
	for i in 1 2 3; do
		holds "$disk" $((i * 8)) 8 "round $i"
	done
	holds "$disk" 32 64 "round 4"
}

@test "the printed table loads again unchanged" {
	dev=$(stat -c '%Hr:%Lr' "$(readlink -f "$wgate")")
	for words in "" " 2 depth 1" " 2 depth 1024"; do
		dmsetup create ckpt --table "0 $((size - 8)) checkpoint $wgate$words"
		table=$(dmsetup table ckpt)
		[ "$table" = "0 $((size - 8)) checkpoint $dev$words" ]
		dmsetup remove ckpt
		dmsetup create ckpt --table "$table"
		[ "$(dmsetup table ckpt)" = "$table" ]
		dmsetup load ckpt --table "$table"
		dmsetup suspend ckpt
		dmsetup resume ckpt
		[ "$(dmsetup table ckpt)" = "$table" ]
		dmsetup remove ckpt
	done
}

@test "a bad table is refused with the reason" {
	while IFS='|' read -r words reason; do
		run ! dmsetup create ckpt --table "0 $size checkpoint $words"
		reasons+="$reason"$'\n'
	done <<-END
	|Missing home device
	/dev/nosuch|Cannot open the home device
	$wgate many|Invalid number of option words
	$wgate 2048|Invalid number of option words
	$wgate 2 depth|Invalid number of option words
	$wgate 0 depth 4|The number of option words does not match the words that follow
	$wgate 1 depth 4|The number of option words does not match the words that follow
	$wgate 2 width 4|Unknown option
	$wgate 1 depth|The number of option words does not match the words that follow
	$wgate 2 depth 0|depth must be between 1 and 1024
	$wgate 2 depth 1025|depth must be between 1 and 1024
	$wgate 2 depth four|depth must be between 1 and 1024
	$wgate 2 order loose|order must be strict or relaxed
	$wgate 2 intent /dev/nosuch|Cannot open the intent device
	$wgate 2 intent $wgate|The home and the intent device are the same
	END
	run ! dmsetup create ckpt --table "0 $((size + 1)) checkpoint $wgate"
	reasons+="The home device is smaller than the target"
	diff <(console | sed -n 's/.* checkpoint: \(.*\) (-[A-Z]*)$/\1/p') - <<< "$reasons"
}

@test "an unknown message is refused" {
	start
	run ! dmsetup message ckpt 0 clear
	run ! dmsetup message ckpt 0 clear_stats now
	console | grep -q 'checkpoint: .*: unknown message clear'
}
