# SPDX-License-Identifier: GPL-2.0-only
# A device below that neither ends its I/O nor fails it: a disk that has gone to sleep, a path that is down, a network that
# is. Each wait has a limit, and the kernel's hung-task detector is on.
# Seen red: a flush that also waits for the home, or for the FUA write of somebody else; one that does not wait for the open
# record; a suspend that is given up and goes on failing what has no room.
# vm: sample=6.1

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	modprobe dm-simdisk
	home=$(mkdm sim-home simdisk "$(mkdisk home 64)" 1 0)
	log=$(mkdm sim-log simdisk "$(mkdisk log 16)" 1 0)
	vol=$(mkvol v "$home" "$log")
}

teardown() {
	for disk in sim-home sim-log; do dmsetup message $disk 0 release; done
	vm_teardown
}

hang() { dmsetup message "sim-$1" 0 hang "$2"; }
release() { dmsetup message "sim-$1" 0 release; }

asleep() { [[ $(ps -o stat= -p "$1") == [SD]* ]]; }
tail_of() { vstat v 4 | cut -d: -f1; }			# last record durable at home
at_most() { timeout -k 1 $((20 * VM_SCALE)) "$@"; }

# write_on COUNT: in the background, COUNT MiB, each MiB with fsync, of its own content.
write_on() {
	spawn fio --name=w --filename="$vol" --direct=1 --rw=write --bs=64k --fsync=16 --size="$1m" --verify=crc32c --do_verify=0 \
		--randseed=1 --output=/tmp/w.log
	writer=$!
}
verify() {
	fio --name=w --filename="$1" --direct=1 --rw=write --bs=64k --size="$2m" --verify=crc32c --verify_only --randseed=1 > /tmp/v.log
}

@test "the home hangs: fsync does not notice" {
	hang home all
	fill "$vol" 0 64 first
	at_most sync "$vol"
	spawn jbdctl checkpoint v --quiet
	checkpoint=$!
	wait_for 20 holds_back home
	fill "$vol" 64 64 second
	at_most sync "$vol"
	holds "$vol" 0 64 first
	holds "$vol" 64 64 second
	at_most dmsetup status v
	at_most jbdctl checkpoint v --status > /tmp/status
	cat /tmp/status
	grep -q '^v: checkpointing' /tmp/status
	runs $checkpoint
	release home
	wait_for 20 ended $checkpoint
	wait $checkpoint
	holds "$home" 0 64 first
}

@test "the home hangs until the log is full: writers wait, status answers, and all goes on when it is back" {
	hang home write
	write_on 40
	wait_for 60 eval '[ "$(vstat v 10)" -gt 0 ]'
	at_most dmsetup status v
	at_most jbdctl checkpoint v --status
	at_most dmsetup table v
	# a flush queues behind no write that waits for room
	at_most sync "$vol"
	# one that is slowed is let through now and then, and the next one comes
	wait_for 20 eval '[ "$(vstat v 10)" -gt 0 ]'
	runs $writer
	release home
	wait_for 60 ended $writer
	wait $writer
	verify "$vol" 40
	checkpoint v
	verify "$home" 40
}

@test "only the fence hangs: fsync does not notice, and the log keeps what the home may not have" {
	hang home flush
	fill "$vol" 0 64 first
	at_most sync "$vol"
	tail=$(tail_of)
	spawn jbdctl checkpoint v --quiet
	checkpoint=$!
	wait_for 20 holds_back home
	fill "$vol" 64 64 second
	at_most sync "$vol"
	holds "$vol" 0 64 first
	[ "$(tail_of)" = "$tail" ]
	[ "$(vstat v 2)" = checkpointing ]
	runs $checkpoint
	release home
	wait_for 20 ended $checkpoint
	wait $checkpoint
	[ "$(tail_of)" -gt "$tail" ]
	holds "$home" 0 64 first
}

@test "the home hangs and then loses power: the log has what the home lost" {
	allow_console 'dm-checkpoint|checkpoint: |dm-journal|journal: |I/O error'
	fill "$vol" 0 64 first
	hang home flush
	spawn jbdctl checkpoint v --quiet
	checkpoint=$!
	wait_for 20 holds_back home
	dmsetup message sim-home 0 powercut
	wait_for 20 eval '[ "$(vstat v 2)" = stalled ]'
	vstat v 32 | grep '^home-'
	fill "$vol" 64 64 second
	at_most sync "$vol"
	holds "$vol" 0 64 first
	release home
	dmsetup message sim-home 0 restore
	wait_for 40 ended $checkpoint
	checkpoint v
	holds "$home" 0 64 first
	holds "$home" 64 64 second
}

@test "the home hangs with the log full, and the volume is suspended: all ends when the home is back" {
	for how in --nolockfs --noflush; do
		hang home write
		write_on 40
		wait_for 60 eval '[ "$(vstat v 10)" -gt 0 ]'
		spawn dmsetup suspend $how v
		suspend=$!
		wait_for 20 asleep $suspend
		at_most dmsetup status --noflush v
		at_most dmsetup table v
		runs $suspend
		release home
		wait_for 60 ended $suspend
		wait $suspend
		[ "$(dmsetup info -c --noheadings -o suspended v)" = Suspended ]
		dmsetup resume v
		wait_for 60 ended $writer
		wait $writer
		verify "$vol" 40
	done
	checkpoint v
	verify "$home" 40
}

@test "the home hangs, and a noflush suspend is given up: writes without room wait, and do not fail" {
	hang home all
	spawn dd if="$vol" of=/dev/null bs=4k count=1 skip=9000 iflag=direct status=none
	reader=$!
	wait_for 20 holds_back home
	spawn dmsetup suspend --noflush --nolockfs v
	suspend=$!
	wait_for 20 asleep $suspend
	kill $suspend
	wait_for 20 ended $suspend
	[ "$(dmsetup info -c --noheadings -o suspended v)" = Active ]
	write_on 40
	wait_for 60 eval '[ "$(vstat v 10)" -gt 0 ]'
	# longer than the back-pressure lets a write wait
	wait_for 60 eval '[ "$(vstat v 3 | cut -d/ -f1)" -gt $(($(vstat v 3 | cut -d/ -f2) * 9 / 10)) ]'
	runs $writer
	release home
	wait_for 60 ended $writer
	wait $writer
	wait_for 20 ended $reader
	verify "$vol" 40
}

@test "a hung home's volume is suspended and given a new table: what was durable is there" {
	fill "$vol" 0 64 first
	at_most sync "$vol"
	hang home write
	spawn jbdctl checkpoint v --quiet
	wait_for 20 holds_back home
	dmsetup table v | dmsetup reload v
	spawn dmsetup resume v
	resume=$!
	wait_for 20 asleep $resume
	at_most dmsetup status --noflush v
	release home
	wait_for 20 ended $resume
	wait $resume
	holds "$vol" 0 64 first
	fill "$vol" 64 64 second
	at_most sync "$vol"
	checkpoint v
	holds "$home" 0 64 first
	holds "$home" 64 64 second
}

@test "the log hangs: writes are taken, their fsync waits, status answers, and it ends when the log is back" {
	hang log write
	fill "$vol" 0 64 waiting
	spawn sync "$vol"
	pending=$!
	wait_for 20 holds_back log
	at_most dmsetup status v
	at_most jbdctl checkpoint v --status
	holds "$vol" 0 64 waiting
	runs $pending
	release log
	wait_for 20 ended $pending
	wait $pending
	jbdctl close v
	dmsetup message sim-log 0 powercut all
	for disk in sim-home sim-log; do dmsetup message $disk 0 restore; done
	jbdctl open v "$home" "$log"
	holds "$vol" 0 64 waiting
}

@test "the log hangs under a FUA write: a flush of somebody else does not wait for it" {
	fill "$vol" 0 8 before dsync
	hang log write
	spawn fill "$vol" 64 8 fua dsync
	pending=$!
	wait_for 20 holds_back log
	at_most sync "$vol"
	runs $pending
	release log
	wait_for 20 ended $pending
	wait $pending
	holds "$vol" 64 8 fua
}

@test "the log hangs: what is acknowledged stays below inflight_kib, and writes behind it wait" {
	jbdctl close v
	mkvol v "$home" "$log" --force --record-kib 64 --opt inflight_kib=128
	hang log write
	spawn dd if=/dev/zero of="$vol" bs=4k count=256 oflag=direct status=none
	writer=$!
	wait_for 20 eval '[ "$(vstat v 10)" -gt 0 ]'
	# the one that waits counts, too
	echo "sectors: $(vstat v 17)"
	[ "$(vstat v 17)" -le $((2 * 128 + 8)) ]
	runs $writer
	release log
	wait_for 20 ended $writer
	wait $writer
}

@test "a log write fails and those behind it hang, and the volume is taken away: that waits for them" {
	allow_console 'dm-journal|journal: |I/O error'
	jbdctl close v
	mkvol v "$home" "$log" --force --record-kib 64
	hang log write
	dd if=/dev/zero of="$vol" bs=32k count=8 oflag=direct status=none
	wait_for 20 eval '[ "$(counter sim-log 8)" -ge 2 ]'
	dmsetup message sim-log 0 fail write 1
	dmsetup message sim-log 0 hang write 2
	# the disk looks at its queue when something comes
	spawn contents "$log" 0 1 > /dev/null
	wait_for 20 eval '[ "$(vstat v 1)" = error ]'
	spawn dmsetup remove v
	remove=$!
	run ! wait_for 2 ended $remove
	release log
	wait_for 20 ended $remove
	wait $remove
}

@test "the log hangs and then loses power: the fsync fails, and nothing waits for ever" {
	allow_console 'dm-journal|journal: '
	hang log write
	fill "$vol" 0 64 lost
	spawn sync "$vol"
	pending=$!
	wait_for 20 holds_back log
	dmsetup message sim-log 0 powercut
	wait_for 20 ended $pending
	status=0
	wait $pending || status=$?
	[ "$status" -ne 0 ]
	run ! at_most fill "$vol" 64 64 later
	dmsetup message sim-log 0 restore
	at_most jbdctl close v
}
