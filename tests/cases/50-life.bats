# SPDX-License-Identifier: GPL-2.0-only
# Suspend, resume, reload, remove, failing devices: under load and with the log full. Each wait has a limit, so a bio that
# never ends fails its test, and a suspend that never ends is caught by the kernel's hung-task detector.
# Seen red, each in its test: a resume that leaves the checkpoint stopped; a new journal for each table; a suspend that
# commits nothing; an admission that nobody wakes; errors of the home's writes and flushes taken for success; errors of the
# log taken for success; no autocommit; no idle checkpoint; a third table that knows nothing of what the first one lost.
# vm: sample=6.12

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	home=$(mkdisk home 64)
	log=$(mkdisk log 16)
}

# gate NAME DEVICE: a linear device that break_gate and mend_gate turn into one that fails everything, and back.
gate() { mkdm "$1" linear "$2" 0; }
break_gate() { swap "$1" "0 $(sectors "/dev/mapper/$1") error"; }
mend_gate() { swap "$1" "0 $(sectors "/dev/mapper/$1") linear $2 0"; }
swap() { dmsetup suspend --noflush --nolockfs "$1" && dmsetup load "$1" --table "$2" && dmsetup resume "$1"; }

# load_on VOLUME: mixed writes with fsync that verify themselves, until the test ends.
load_on() {
	spawn fio --name=load --filename="$1" --direct=1 --ioengine=libaio --iodepth=16 --rw=randwrite \
		--bssplit=512/20:4k/50:64k/30 --blockalign=512 --size=48m --io_size=100g --fsync=16 --time_based --runtime=600 \
		--output=/tmp/load.log
	load_pid=$!
}

load_grew() { [ "$(vstat v 16)" -gt $(($1 + 50)) ]; }

@test "suspend and resume under load, with the log wrapping, 10 times" {
	vol=$(mkvol v "$home" "$log")
	load_on "$vol"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		wait_for 60 load_grew "$(vstat v 16)"
		case $i in *[02468]) noflush= ;; *) noflush=--noflush ;; esac
		timeout -k 1 $((30 * VM_SCALE)) dmsetup suspend $noflush v
		[ "$(vstat v 10)" -eq 0 ]
		timeout -k 1 $((30 * VM_SCALE)) dmsetup resume v
	done
	kill -0 $load_pid
}

@test "the same table loaded again under load keeps every write" {
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 100000 64 kept
	load_on "$vol"
	for i in 1 2 3; do
		wait_for 60 load_grew "$(vstat v 16)"
		swap v "$(dmsetup table v)"
	done
	kill -0 $load_pid
	holds "$vol" 100000 64 kept
}

@test "a table with another staging size recovers from the log and keeps every write" {
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 64 kept
	swap v "$(dmsetup table v | sed 's/ 2 idle_ms 0/ 4 idle_ms 0 staging_mib 8/')"
	holds "$vol" 0 64 kept
	dmsetup table v | grep -q 'staging_mib 8'
}

@test "writers that outrun the home wait, and go on when the checkpoint has made room" {
	modprobe dm-delay
	slow=$(mkdm slow delay "$home" 0 400)
	vol=$(mkvol v "$slow" "$log")
	timeout -k 1 $((200 * VM_SCALE)) fio --name=w --filename="$vol" --direct=1 --ioengine=libaio --iodepth=64 --rw=randwrite --bs=64k \
		--size=64m --io_size=32m --verify=crc32c --verify_fatal=1 --randseed=5 --serialize_overlap=1 --output=/tmp/w.log
	[ "$(vstat v 22)" -gt 0 ]
	[ "$(vstat v 10)" -eq 0 ]
}

@test "when the home fails, writes go on until the log is full, then fail; they go on when it is back" {
	allow_console 'journal: .*stalled|checkpoint: .*failed'
	g=$(gate g "$home")
	vol=$(mkvol v "$g" "$log")
	fill "$vol" 0 64 before
	commit "$vol"
	break_gate g
	fill "$vol" 64 64 after
	commit "$vol"
	run timeout -k 1 $((120 * VM_SCALE)) dd if=/dev/zero of="$vol" bs=64k seek=100 count=400 oflag=direct conv=notrunc status=none
	[ "$status" -eq 1 ]
	[ "$(vstat v 2)" = stalled ]
	[[ $(vstat v 32) == home-* ]]
	holds "$vol" 64 64 after
	timeout -k 1 $((30 * VM_SCALE)) dmsetup suspend v
	timeout -k 1 $((30 * VM_SCALE)) dmsetup resume v
	mend_gate g "$home"
	timeout -k 1 $((120 * VM_SCALE)) jbdctl checkpoint v --quiet
	holds "$home" 0 64 before
	holds "$home" 64 64 after
	[ "$(vstat v 32)" = - ]
}

@test "a volume whose home fails can be closed, and loses nothing" {
	allow_console 'journal: .*stalled|checkpoint: .*failed'
	g=$(gate g "$home")
	vol=$(mkvol v "$g" "$log")
	fill "$vol" 0 64 kept
	break_gate g
	dmsetup message v 0 checkpoint
	stalled() { [ "$(vstat v 2)" = stalled ]; }
	wait_for 30 stalled
	timeout -k 1 $((60 * VM_SCALE)) dmsetup remove v
	dmsetup remove v-home
	mend_gate g "$home"
	jbdctl open v "$g" "$log" --opt idle_ms=0
	holds "$vol" 0 64 kept
}

@test "when the log fails, the flush fails, and so does everything after it; reads go on" {
	allow_console 'journal: .*log-write failed|journal: .*could not be committed'
	g=$(gate g "$log")
	vol=$(mkvol v "$home" "$g")
	fill "$vol" 0 64 durable
	commit "$vol"
	break_gate g
	fill "$vol" 64 8 volatile
	run commit "$vol"
	[ "$status" -ne 0 ]
	run commit "$vol"
	[ "$status" -ne 0 ]
	run fill "$vol" 80 8 refused dsync
	[ "$status" -ne 0 ]
	run fill "$vol" 80 8 refused
	[ "$status" -ne 0 ]
	[ "$(vstat v 1)" = error ]
	[ "$(vstat v 32)" = log-write ]
	holds "$vol" 0 64 durable
	# what was acknowledged and never committed is in memory over a reload, too
	swap v "$(dmsetup table v)"
	holds "$vol" 64 8 volatile
	[ "$(vstat v 1)" = error ]
	timeout -k 1 $((60 * VM_SCALE)) dmsetup remove v
	dmsetup remove v-home
	mend_gate g "$log"
	jbdctl open v "$home" "$g" --opt idle_ms=0
	holds "$vol" 0 64 durable
}

@test "when the log has failed, no table with other options takes the place of the one that has all that was written" {
	allow_console 'journal: |device-mapper: table|Buffer I/O error'
	gate=$(gate gate "$log")
	vol=$(mkvol v "$home" "$gate" --opt autocommit_ms=60000)
	table=$(dmsetup table v)
	fill "$vol" 0 8 acknowledged
	# loaded before the log fails
	dmsetup reload v --table "${table/ 4 / 6 } staging_mib 16"
	break_gate gate
	run ! dmsetup resume v
	mend_gate gate "$log"
	run ! dmsetup resume v
	# not even as it was at first, for what it had is gone
	dmsetup reload v --table "$table"
	run ! dmsetup resume v
	console | grep -q 'held writes that it lacks'
	dmsetup remove v
	jbdctl close v
	jbdctl open v "$home" "$gate"

	# loaded behind that
	jbdctl close v
	jbdctl open v "$home" "$gate" --opt idle_ms=0 --opt autocommit_ms=60000
	table=$(dmsetup table v)
	fill "$vol" 0 8 acknowledged
	break_gate gate
	run ! sync "$vol"
	mend_gate gate "$log"
	run ! dmsetup reload v --table "${table/ 4 / 6 } staging_mib 16"
	dmsetup reload v --table "$table"
	dmsetup resume v
	holds "$vol" 0 8 acknowledged
	[ "$(vstat v 1)" = error ]
}

@test "what was written without a flush is in the log after autocommit_ms" {
	vol=$(mkvol v "$home" "$log" --opt autocommit_ms=50)
	before=$(vstat v 23)
	fill "$vol" 0 8 soon
	committed() { [ "$(vstat v 23)" -gt "$before" ]; }
	wait_for 20 committed
	[ "$(vstat v 18)" -eq 0 ]
}

@test "an idle volume checkpoints itself" {
	vol=$(mkvol v "$home" "$log" --opt idle_ms=100)
	fill "$vol" 0 8 idle
	wait_for 30 holds "$home" 0 8 idle
}
