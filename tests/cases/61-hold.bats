# SPDX-License-Identifier: GPL-2.0-only
# hold, release, mark, rollback, on the kernel's own messages; 62-rollback.bats has jbdctl's verbs and the story.
# Seen red, each in its test: a checkpoint that does not look at the hold; one that passes a mark; a mark that only one
# superblock slot has; a mark taken at the durable end instead of behind all that was acknowledged; a rollback without a
# barrier; one that is let through while the volume is open; a full log that waits under a hold; an error policy that
# fails flushes, too.
# vm: sample=6.12

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-simdisk dm-checkpoint dm-journal
	home_disk=$(mkdisk home 64)
	log_disk=$(mkdisk log 16)
	home=$(mkdm sim-home simdisk "$home_disk" 1)
	log=$(mkdm sim-log simdisk "$log_disk" 2)
}

tell() { dmsetup message v 0 "$@"; }
opens() { jbdctl open v "$home" "$log" --opt idle_ms=0 "$@" > /dev/null; }
cut_power() {
	dmsetup message sim-log 0 powercut all
	dmsetup remove v
	dmsetup remove v-home
	dmsetup message sim-log 0 restore
	dmsetup message sim-home 0 restore
}
home_has() { [ "$(vstat v 4 | cut -d: -f1)" -ge "$1" ]; }

# go_back NAME: from a volume that is running to the mark, running again.
go_back() {
	dmsetup suspend v
	tell rollback "$1"
	dmsetup resume v
}

# scribble SEED: what a system does after a mark: overwrites, discards, zeroes, with and without flushes.
scribble() {
	fio --name=s --filename="$vol" --direct=1 --rw=randwrite --bssplit=512/30:4k/50:64k/20 --blockalign=512 --size=60m --io_size=4m \
		--fsync=8 --randseed="$1" --output=/dev/null
	blkdiscard -o $((1000 * 512)) -l $((3000 * 512)) "$vol"
	blkdiscard -z -o $((9000 * 512)) -l $((500 * 512)) "$vol"
	fill "$vol" $((20000 + $1 * 64)) 64 "after $1"
}

@test "hold: nothing reaches the home, whoever asks; release: it goes on" {
	vol=$(mkvol v "$home" "$log" --opt idle_ms=1 --opt max_lag_ms=1 --opt high=1 --opt low=0)
	tell hold
	[ "$(vstat v 33)" = held ]
	sum=$(md5sum < "$home_disk")
	before=$(io_of "$home_disk")
	fill "$vol" 0 128 held
	commit "$vol"
	run tell checkpoint
	[ "$status" -ne 0 ]
	# idleness, lag and the watermark ask at the next look of the checkpoint's timer, four times a second
	committed=$(vstat v 23)
	fill "$vol" 500 8 more
	timer() { fill "$vol" 500 8 more; commit "$vol"; [ "$(vstat v 23)" -gt $((committed + 30)) ]; }
	wait_for 60 timer
	[ "$(vstat v 26)" -eq 0 ]
	[ "$(io_of "$home_disk")" = "$before" ]
	[ "$(md5sum < "$home_disk")" = "$sum" ]
	holds "$vol" 0 128 held
	tell release
	[ "$(vstat v 33)" = - ]
	wait_for 30 is_home v
	jbdctl close v
	holds "$home" 0 128 held
}

@test "a checkpoint reaches a mark and does not pass it, and goes on from there when the mark is released" {
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 64 before
	tell mark one
	seq=$(vstat v 33 | cut -d: -f3)
	[ "$(vstat v 33)" = "mark:one:$seq" ]
	fill "$vol" 0 32 after
	commit "$vol"
	[ "$(tell checkpoint)" -eq "$seq" ]
	wait_for 30 home_has "$seq"
	[ "$(vstat v 4 | cut -d: -f1)" -eq "$seq" ]
	holds "$home" 0 64 before
	holds "$vol" 0 32 after
	# another mark is another limit: the first one counts until it goes
	tell mark two
	fill "$vol" 0 8 later
	commit "$vol"
	tell checkpoint
	[ "$(vstat v 4 | cut -d: -f1)" -eq "$seq" ]
	two=$(vstat v 33 | cut -d, -f2 | cut -d: -f3)
	tell release one
	tell checkpoint
	wait_for 30 home_has "$two"
	holds "$home" 0 32 after
	tell release
	checkpoint v
	holds "$home" 0 8 later
}

@test "hold and marks are there after a close, after a reload, and after a power cut" {
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 64 before
	tell mark one
	tell hold
	want=$(vstat v 33)
	[[ $want == held,mark:one:* ]]
	cut_power
	opens
	[ "$(vstat v 33)" = "$want" ]
	# and if the slot that was written last rots
	jbdctl close v
	dd if=/dev/zero of="$log" bs=4k seek=$(( $(jbdctl log dump --json "$log" | jq '[.slots[].super.generation] | if .[0] > .[1] then 0 else 16 end') )) \
		count=1 oflag=direct conv=notrunc status=none
	opens
	[ "$(vstat v 33)" = "$want" ]
	dmsetup suspend v
	dmsetup reload v --table "$(dmsetup table v | sed 's/ 2 idle_ms 0/ 4 idle_ms 0 staging_mib 8/')"
	dmsetup resume v
	[ "$(vstat v 33)" = "$want" ]
	holds "$vol" 0 64 before
}

@test "a rollback is exact: the volume at the mark, with a power cut before, between and after, twice" {
	vol=$(mkvol v "$home" "$log")
	scribble 1
	# acknowledged, in no flush: a mark covers it
	fill "$vol" 40000 64 acknowledged
	tell mark one
	at_mark=$(md5sum < "$vol")
	for round in 2 3; do
		scribble $round
		tell checkpoint
		wait_for 30 home_has "$(vstat v 33 | cut -d: -f3)"
		[ "$(md5sum < "$vol")" != "$at_mark" ]
		cut_power
		opens
		[ "$(md5sum < "$vol")" != "$at_mark" ]
		go_back one
		[ "$(md5sum < "$vol")" = "$at_mark" ]
		holds "$vol" 40000 64 acknowledged
		cut_power
		opens
		[ "$(md5sum < "$vol")" = "$at_mark" ]
		[[ $(vstat v 33) == mark:one:* ]]
	done
	# what was given up does not come back behind new records either, nor when a slot rots
	fill "$vol" 50000 8 new
	commit "$vol"
	new=$(md5sum < "$vol")
	cut_power
	opens
	[ "$(md5sum < "$vol")" = "$new" ]
	tell release
	checkpoint v
	jbdctl close v
	[ "$(md5sum < "$home")" = "$new" ]
}

@test "a rollback gives up the marks behind its own, and keeps those before" {
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 8 one; tell mark one
	fill "$vol" 0 8 two; tell mark two
	fill "$vol" 0 8 three; tell mark three
	go_back two
	holds "$vol" 0 8 two
	[[ $(vstat v 33) == mark:one:*,mark:two:* ]]
	[[ $(vstat v 33) != *three* ]]
	go_back one
	holds "$vol" 0 8 one
	[[ $(vstat v 33) == mark:one:* ]]
	[[ $(vstat v 33) != *two* ]]
}

@test "marks of an empty log, of one that is all at home, and right behind a recovery" {
	vol=$(mkvol v "$home" "$log")
	empty=$(md5sum < "$vol")
	tell mark empty
	fill "$vol" 0 64 first
	go_back empty
	[ "$(md5sum < "$vol")" = "$empty" ]
	tell release
	fill "$vol" 0 64 first
	checkpoint v
	tell mark at-home
	fill "$vol" 0 64 second
	cut_power
	opens
	go_back at-home
	holds "$vol" 0 64 first
	tell release
	fill "$vol" 0 64 third
	commit "$vol"
	cut_power
	opens
	tell mark recovered
	fill "$vol" 0 64 fourth
	go_back recovered
	holds "$vol" 0 64 third
}

@test "a mark under load: what is in it was acknowledged before, in order" {
	vol=$(mkvol v "$home" "$log" --opt high=20 --opt low=10)
	spawn fio --name=load --filename="$vol" --direct=1 --ioengine=libaio --iodepth=16 --rw=randwrite --bs=4k --offset=32m --size=16m \
		--io_size=100g --fsync=32 --time_based --runtime=600 --output=/dev/null
	for i in 1 2 3 4; do
		fill "$vol" 0 8 "before $i"
		timeout -k 1 $((30 * VM_SCALE)) dmsetup message v 0 mark "m$i"
		fill "$vol" 0 8 "after $i"
		[ $i -eq 4 ] || timeout -k 1 $((30 * VM_SCALE)) dmsetup message v 0 release
	done
	kill $! && wait $! || :
	go_back m4
	holds "$vol" 0 8 "before 4"
}

@test "a rollback is refused while the volume is open, while it runs, and to a mark that there is not" {
	allow_console 'journal: .*rollback needs|journal: .*there is no mark'
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 8 one; tell mark one
	fill "$vol" 0 8 two; commit "$vol"
	run tell rollback one
	[ "$status" -ne 0 ]
	exec {user}< "$vol"
	dmsetup suspend v
	run tell rollback one
	[ "$status" -ne 0 ]
	[[ $output == *busy* ]]
	exec {user}<&-
	run tell rollback none
	[ "$status" -ne 0 ]
	for words in "hold" "mark two" "release one"; do
		run tell $words
		[ "$status" -ne 0 ]
	done
	dmsetup resume v
	holds "$vol" 0 8 two
	[[ $(vstat v 33) == mark:one:* ]]
	# a volume that is suspended for good rolls back without a resume
	dmsetup suspend v
	tell rollback one
	dmsetup remove v
	dmsetup remove v-home
	opens
	holds "$vol" 0 8 one
}

@test "flush home refuses hold and mark, and a log that is held" {
	allow_console 'journal: .*flush home'
	vol=$(mkvol v "$home" "$log" --flush home)
	run tell hold
	[ "$status" -ne 0 ]
	run tell mark one
	[ "$status" -ne 0 ]
	[ "$(vstat v 33)" = - ]
	jbdctl close v
	opens
	tell mark one
	jbdctl close v
	run opens --flush home
	[ "$status" -ne 0 ]
	[[ $output == *"release it first"* ]]
	opens
	[[ $(vstat v 33) == mark:one:* ]]
}

@test "marks: bad names, names that exist, more than eight" {
	allow_console 'journal: .*(cannot be the name|already|no mark)'
	vol=$(mkvol v "$home" "$log")
	for name in 'a:b' 'a,b' 'a/b' 'ä' aaaaaaaaaabbbbbbbbbbccccccccccdd; do
		run tell mark "$name"
		[ "$status" -ne 0 ]
	done
	run tell mark
	[ "$status" -ne 0 ]
	tell mark aaaaaaaaaabbbbbbbbbbccccccccccd
	run tell mark aaaaaaaaaabbbbbbbbbbccccccccccd
	[ "$status" -ne 0 ]
	for i in 2 3 4 5 6 7 8; do tell mark m$i; done
	run tell mark m9
	[ "$status" -ne 0 ]
	run tell release none
	[ "$status" -ne 0 ]
	tell release m5
	tell mark m9
	[ "$(vstat v 33 | tr , '\n' | wc -l)" -eq 8 ]
}

# write_log: more than the log holds, past the page cache.
write_log() {
	timeout -k 1 $((200 * VM_SCALE)) dd if=/dev/zero of="$vol" bs=64k seek=100 count=400 oflag=direct conv=notrunc status=none
}

@test "a log that is full under a hold: on_hold_full release gives up hold and marks, says so, and goes on" {
	allow_console 'journal: .*is full while checkpoints are held'
	vol=$(mkvol v "$home" "$log" --opt on_hold_full=release)
	fill "$vol" 0 64 before
	tell mark one
	tell hold
	events=$(dmsetup info -c --noheadings -o events v)
	write_log
	[ "$(vstat v 33)" = - ]
	[ "$(vstat v 32)" = hold-released ]
	[ "$(dmsetup info -c --noheadings -o events v)" -eq $((events + 1)) ]
	[ "$(console | grep -c 'full while checkpoints are held')" -eq 1 ]
	[ "$(vstat v 10)" -eq 0 ]
	dmsetup suspend v
	run tell rollback one
	[ "$status" -ne 0 ]
	dmsetup resume v
	run -4 jbdctl checkpoint v --release
	[[ $output == *"as the log was full"*"no single state"* ]]
	[ "$(vstat v 32)" = - ]
	run -4 jbdctl checkpoint v --release
	[[ $output == *"neither a hold nor a mark"*"no single state"* ]]
	holds "$vol" 0 64 before
	cut_power
	opens
	[ "$(vstat v 33)" = - ]
}

@test "a log that is full under a hold: on_hold_full error fails writes with ENOSPC, not flushes, until it is released" {
	allow_console 'journal: .*is full while checkpoints are held|critical space allocation error'
	vol=$(mkvol v "$home" "$log" --opt on_hold_full=error)
	fill "$vol" 0 64 before
	tell mark one
	at_mark=$(md5sum < "$vol")
	before=$(io_of "$home_disk")
	run write_log
	[ "$status" -eq 1 ]
	[[ $output == *"No space left on device"* ]]
	[ "$(vstat v 32)" = hold-full ]
	[ "$(console | grep -c 'full while checkpoints are held')" -eq 1 ]
	commit "$vol"
	holds "$vol" 0 64 before
	run blkdiscard -z -o $((90000 * 512)) -l $((512 * 512)) "$vol"
	timeout -k 1 $((30 * VM_SCALE)) dmsetup suspend v
	timeout -k 1 $((30 * VM_SCALE)) dmsetup resume v
	# the room that a rollback makes is room
	go_back one
	[ "$(md5sum < "$vol")" = "$at_mark" ]
	fill "$vol" 0 64 again
	run write_log
	[ "$status" -eq 1 ]
	tell release
	write_log
	[ "$(vstat v 32)" = - ]
	holds "$vol" 0 64 again
}

@test "a hold waits for the batch that is on its way, and for no other" {
	modprobe dm-delay
	slow=$(mkdm slow delay "$home" 0 200)
	vol=$(mkvol v "$slow" "$log")
	for i in 1 2 3 4 5 6 7 8; do
		fill "$vol" $((i * 100)) 8 "epoch $i" dsync
	done
	dmsetup message v 0 checkpoint
	checkpoints() { [ "$(vstat v 2)" = checkpointing ]; }
	wait_for 30 checkpoints
	dmsetup message v 0 hold
	batches=$(vstat v 26) before=$(io_of "$home_disk")
	[ "$batches" -lt 8 ]
	commit "$vol"
	[ "$(vstat v 2)" = lagging ]
	[ "$(vstat v 26)" -eq "$batches" ]
	[ "$(io_of "$home_disk")" = "$before" ]
	dmsetup message v 0 release
	wait_for 60 is_home v
	[ "$(vstat v 26)" -eq 8 ]
}
