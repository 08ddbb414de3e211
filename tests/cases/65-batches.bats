# SPDX-License-Identifier: GPL-2.0-only
# Batches of several epochs: with an intent device the home alone, once that is applied, is the volume after some record, and
# without one they are refused, or relaxed when the table says so.
# Seen red: the home not flushed before the batch is retired; recovery that applies nothing; a member that is taken though its
# batch began with another table; a batch too large for the intent device that is not sent smaller; the data of
# a last write left in the image; members of the next batch that go home before the log promises it (relaxed); the end of a
# batch taken for that of the next one; recovery that goes by what a cache may lose.
# vm: sample=6.12

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	modprobe dm-simdisk
	home=$(mkdm sim-home simdisk "$(mkdisk home 64)" 1 0)
	log=$(mkdm sim-log simdisk "$(mkdisk log 32)" 2 0)
	intent=$(mkdm sim-intent simdisk "$(mkdisk intent 8)" 3 0)
	empty=$(md5sum < "$home")
}

teardown() {
	for disk in sim-home sim-log sim-intent; do dmsetup message $disk 0 release; done
	vm_teardown
}

# volume WORD..: with these words for jbdctl create.
volume() { vol=$(mkvol v "$home" "$log" "$@"); }

# epochs TEXT: eight of them; the last one overwrites what the first one wrote.
epochs() {
	local i
	for i in 0 1 2 3 4 5 6 0; do fill "$vol" $((i * 8)) 8 "$1-$i" dsync; done
}
has_epochs() { for i in 0 1 2 3 4 5 6; do holds "$1" $((i * 8)) 8 "$2-$i" || return; done; }

applies() { [ "$(counter v-home 14)" = applying ]; }
cut_power() { dmsetup message sim-home 0 powercut all; }
restore() { for disk in sim-home sim-log sim-intent; do dmsetup message $disk 0 restore; done; }

# lose_power: of all three disks, with the volume gone.
lose_power() {
	allow_console 'dm-checkpoint|checkpoint: |dm-journal|journal: |I/O error'
	cut_power
	for disk in sim-home sim-intent; do dmsetup message $disk 0 release; done
	dmsetup remove --force v
	dmsetup remove --retry v-home
	restore
}

# begin_batch: a checkpoint that stops at the home's first write.
begin_batch() {
	dmsetup message sim-home 0 hang write
	dmsetup message v 0 checkpoint
	wait_for 20 holds_back home
}

@test "several epochs are one batch: each sector once, one flush of the home" {
	volume --intent "$intent"
	epochs first
	checkpoint v
	has_epochs "$home" first
	[ "$(vstat v 26)" = 1 ]		# batches
	[ "$(vstat v 27)" = 1 ]		# home writes
	[ "$(vstat v 28)" = 56 ]	# home sectors, of 64 that were written
	[ "$(counter v-home 13)" = intent ]
	[ "$(counter v-home 14)" = consistent ]
	[ "$(counter v-home 15)" = 1 ]
	[ "$(counter v-home 17)" = 56 ]
	[ "$(counter v-home 18)" = 56 ]
	epochs second
	flushes=$(counter sim-home 4)
	checkpoint v
	has_epochs "$home" second
	[ "$(counter sim-home 4)" = $((flushes + 1)) ]
}

@test "power is lost while a batch is applied, and the log with it: the intent device brings all of it home" {
	volume --intent "$intent"
	epochs first
	begin_batch
	lose_power
	[ "$(md5sum < "$home")" = "$empty" ]
	jbdctl recover --home "$home" --intent "$intent"
	has_epochs "$home" first
	# it is not applied again
	fill "$home" 0 8 later
	sync "$home"
	jbdctl recover --home "$home" --intent "$intent"
	holds "$home" 0 8 later
}

# Seen red: zeroes written in place of what was discarded.
@test "what a batch discards is discarded by jbdctl, too" {
	local below discards
	below=$(mkdisk discarding 64)
	home=$(mkdm lost linear "$below" 0)
	allow_console 'dm-checkpoint|checkpoint: |dm-journal|journal: |I/O error'
	volume --intent "$intent"
	epochs first
	blkdiscard -o 65536 -l 65536 "$vol"
	dmsetup suspend --noflush lost
	dmsetup message v 0 checkpoint
	wait_for 20 applies
	dmsetup load lost --table '0 131072 error'
	dmsetup resume lost
	dmsetup remove --force v
	dmsetup remove --retry v-home
	dmsetup remove --retry lost
	discards=$(stat_of "$below" 12)
	jbdctl recover --home "$below" --intent "$intent"
	[ "$(stat_of "$below" 12)" -gt "$discards" ]
	has_epochs "$below" first
}

@test "power is lost while a batch is applied: the kernel brings it home, and nothing of the volume is missing" {
	volume --intent "$intent"
	epochs first
	begin_batch
	epochs second
	lose_power
	jbdctl open v "$home" "$log" --intent "$intent" --opt idle_ms=0
	console | grep 'batch 1 of intent device .* was brought home: 1 extents, 56 sectors'
	has_epochs "$home" first
	has_epochs /dev/mapper/v second
	checkpoint v
	has_epochs "$home" second
}

@test "power is lost before a batch is committed: the home is as it was" {
	volume --intent "$intent"
	epochs first
	dmsetup message sim-intent 0 hang flush
	dmsetup message v 0 checkpoint
	wait_for 20 holds_back intent
	lose_power
	jbdctl recover --home "$home" --intent "$intent"
	[ "$(md5sum < "$home")" = "$empty" ]
	jbdctl open v "$home" "$log" --intent "$intent" --opt idle_ms=0
	has_epochs /dev/mapper/v first
}

@test "a batch that is too large for the intent device is sent smaller" {
	volume --intent "$intent"
	dmsetup table v | sed 's/ batch_mib 1/ batch_mib 16/' | dmsetup reload v
	dmsetup resume v
	for i in 0 1 2 3 4 5; do
		dd if=/dev/urandom of="$vol" bs=1M seek=$((2 * i)) count=2 oflag=direct,dsync status=none
	done
	sum=$(dd if="$vol" bs=1M count=12 iflag=direct status=none | md5sum)
	checkpoint v
	[ "$(dd if="$home" bs=1M count=12 iflag=direct status=none | md5sum)" = "$sum" ]
	[ "$(vstat v 26)" -ge 6 ]
	# what was too much is in the first, not in the second
	[ "$(counter v-home 17)" -gt $((12 * 2048)) ]
	[ "$(counter v-home 18)" = $((12 * 2048)) ]
	[ "$(vstat v 32)" = - ]
}

@test "an intent device that fails: fsync goes on, the home is not touched, and it is tried again" {
	allow_console 'checkpoint: |journal: |I/O error'
	volume --intent "$intent"
	dmsetup message sim-intent 0 powercut
	epochs first
	dmsetup message v 0 checkpoint
	wait_for 20 stalled_by v home-write
	epochs second
	[ "$(md5sum < "$home")" = "$empty" ]
	dmsetup message sim-intent 0 restore
	wait_for 20 is_home v
	has_epochs "$home" second
}

@test "a home that fails while a batch is applied is torn, says so, and is not when the batch was applied" {
	allow_console 'checkpoint: |journal: |I/O error'
	volume --intent "$intent"
	epochs first
	begin_batch
	[ "$(counter v-home 14)" = applying ]
	dmsetup message sim-home 0 powercut
	dmsetup message sim-home 0 release
	wait_for 20 stalled_by v home-write
	[ "$(counter v-home 14)" = torn ]
	[ "$(counter v-home 12)" = apply:-5 ]
	# nothing else is written home before
	run ! fill /dev/mapper/v-home 80 8 other
	dmsetup message sim-home 0 restore
	wait_for 20 is_home v
	[ "$(counter v-home 14)" = consistent ]
	has_epochs "$home" first
}

@test "the checkpoint device gets a new table in the middle of a batch: it is sent again, and no write fails" {
	volume --intent "$intent"
	# more members than are sent at once
	for ((i = 0; i < 80; i++)); do fill "$vol" $((i * 16)) 8 "member-$i"; done
	epochs first
	dmsetup table v-home | dmsetup reload v-home
	dmsetup message sim-intent 0 hang write
	dmsetup message v 0 checkpoint
	wait_for 20 holds_back intent
	spawn dmsetup resume v-home
	resume=$!
	wait_for 20 suspends $resume
	epochs second
	dmsetup message sim-intent 0 release
	wait_for 20 ended $resume
	wait $resume
	wait_for 20 is_home v
	has_epochs "$home" second
	for ((i = 4; i < 80; i++)); do holds "$home" $((i * 16)) 8 "member-$i"; done
	# some of its 77 bios, and all of them; another for what was written second
	[ "$(vstat v 27)" -gt 78 ]
	[ "$(vstat v 31)" = 0 ]		# home errors
}

@test "without an intent device batches are refused, and the home is not touched" {
	allow_console 'journal: .*no-intent-device'
	volume
	dmsetup table v | sed 's/ 2 idle_ms 0/ 4 idle_ms 0 batch_mib 8/' | dmsetup reload v
	dmsetup resume v
	epochs first
	dmsetup message v 0 checkpoint
	wait_for 20 stalled_by v no-intent-device
	[ "$(md5sum < "$home")" = "$empty" ]
	has_epochs "$vol" first
	# and without batches it goes on
	dmsetup table v | sed 's/ batch_mib 8/ batch_mib 0/' | dmsetup reload v
	dmsetup resume v
	dmsetup message v 0 checkpoint
	wait_for 20 is_home v
	has_epochs "$home" first
}

@test "relaxed: the home is torn while a batch is written, and an event says when and when not" {
	volume --order relaxed
	epochs first
	[ "$(counter v-home 13)" = relaxed ]
	[ "$(counter v-home 14)" = unknown ]	# a crash may have left it torn
	events=$(dmsetup info -c --noheadings -o events v-home)
	begin_batch
	[ "$(counter v-home 14)" = torn ]
	[ "$(dmsetup info -c --noheadings -o events v-home)" = $((events + 1)) ]
	dmsetup message sim-home 0 release
	wait_for 20 is_home v
	[ "$(counter v-home 14)" = consistent ]
	wait_for 20 eval '[ "$(dmsetup info -c --noheadings -o events v-home)" = $((events + 2)) ]'
	has_epochs "$home" first
	[ "$(vstat v 29)" = 1 ]		# fences
}

# piece N: 384 KiB, an epoch; two of them are a batch of 1 MiB of log.
piece() { dd if=/dev/urandom of="$vol" bs=384k seek=$((4 * $1)) count=1 oflag=direct,dsync status=none; }
# sum_of DEVICE MIB COUNT
sum_of() { dd if="$1" bs=1M skip="$2" count="$3" iflag=direct status=none | md5sum; }
collected() { [ "$(counter v-home 17)" = "$1" ]; }
sent() { [ "$(vstat v 27)" = "$1" ]; }	# home writes

@test "the next batch is collected while one is applied; power and log are lost: the home has the one and nothing of the other" {
	volume --intent "$intent"
	for i in 0 1 2 3; do piece $i; done
	first=$(sum_of "$vol" 0 3)
	all=$(sum_of "$vol" 0 6)
	begin_batch
	# all of the first, and half of the second, whose last member waits for the first
	wait_for 20 collected $((3 * 768))
	[ "$(vstat v 26)" = 0 ]
	lose_power
	[ "$(md5sum < "$home")" = "$empty" ]
	jbdctl recover --home "$home" --intent "$intent"
	[ "$(sum_of "$home" 0 3)" = "$first" ]
	[ "$(sum_of "$home" 3 3)" = "$(head -c 3M /dev/zero | md5sum)" ]
	jbdctl open v "$home" "$log" --intent "$intent" --opt idle_ms=0
	[ "$(sum_of "$vol" 0 6)" = "$all" ]
	checkpoint v
	[ "$(sum_of "$home" 0 6)" = "$all" ]
}

@test "relaxed: nothing of the next batch is at home before the fence behind the one and the log's promise" {
	volume --order relaxed --opt batch_mib=1
	for i in 0 1 2 3; do piece $i; done
	dmsetup message sim-home 0 hang flush
	dmsetup message v 0 checkpoint
	wait_for 20 holds_back home
	[ "$(counter v-home 14)" = torn ]
	# the superblock that moves the tail promises the next batch
	dmsetup message sim-log 0 hang write
	dmsetup message sim-home 0 release
	wait_for 20 holds_back log
	[ "$(counter v-home 2)" = 1 ]
	[ "$(counter v-home 14)" = consistent ]
	zeroes "$home" $((3 * 2048)) 768
	dmsetup message sim-log 0 release
	wait_for 20 is_home v
	[ "$(counter v-home 14)" = consistent ]
	run ! zeroes "$home" $((3 * 2048)) 768
}

@test "the next batch is gathered where the last write of one lay that has not ended: it is not overwritten" {
	large=$(mkdm sim-large simdisk "$(mkdisk large 32)" 4 0)
	volume --intent "$large"
	dmsetup table v | sed 's/ batch_mib [0-9]*/ batch_mib 4/' | dmsetup reload v
	dmsetup resume v
	# what was logged first goes home last
	for at in 40 0 20 4 8 12; do
		dd if=/dev/urandom of="$vol" bs=1M seek=$at count=1 oflag=direct,dsync status=none
	done
	sum=$(md5sum < "$vol")
	dmsetup message sim-large 0 hang write 3
	dmsetup message v 0 checkpoint
	wait_for 20 holds_back large
	wait_for 20 sent 5
	dmsetup message sim-large 0 release
	wait_for 20 is_home v
	[ "$(md5sum < "$home")" = "$sum" ]
	[ "$(vstat v 31)" = 0 ]		# home errors
}

@test "the end of a batch that the next one has overtaken does not end that" {
	volume --intent "$intent"
	for i in 0 1 2 3; do piece $i; done
	sum=$(sum_of "$vol" 0 8)
	modprobe dm-overtake
	between=$(mkdm between overtake /dev/mapper/v-home)
	dmsetup table v | awk -v home="$between" '{ $4 = home; print }' | dmsetup reload v
	dmsetup resume v
	# two writes are a batch: its second one is its end
	dmsetup message between 0 keep 2
	dmsetup message v 0 checkpoint
	wait_for 20 collected $((2 * 768))
	[ "$(counter between 1)" = kept ]
	dmsetup message between 0 pass
	wait_for 20 is_home v
	[ "$(sum_of "$home" 0 8)" = "$sum" ]
}

@test "recovery goes by what the intent device will not lose any more" {
	home=$(mkdm sim-half simdisk "$(mkdisk half 64)" 5 500)	# a power cut leaves half of what its cache has
	volume --intent "$intent"
	epochs first
	checkpoint v
	dd if="$intent" of=/tmp/intent-first bs=1M iflag=direct status=none
	epochs second
	dmsetup message sim-half 0 hang flush
	dmsetup message v 0 checkpoint
	wait_for 20 holds_back half
	# it is committed, and all at home
	dd if="$intent" of=/tmp/intent-second bs=1M iflag=direct status=none
	table=$(dmsetup table v-home)
	lose_power
	dmsetup message sim-half 0 restore
	dmsetup message sim-half 0 release

	# as a host leaves it that died with the commit block in the device's cache
	for i in 0 1 2 3 4 5 6; do fill "$home" $((i * 8)) 8 "first-$i" dsync; done
	dd if=/tmp/intent-first of="$intent" bs=1M oflag=direct conv=notrunc,fsync status=none
	dd if=/tmp/intent-second of="$intent" bs=1M oflag=direct conv=notrunc status=none
	dmsetup message sim-half 0 hang flush
	spawn dmsetup create again --table "$table"
	wait_for 20 holds_back half
	cut_power
	wait_for 20 ended $!
	dmsetup message sim-half 0 restore
	dmsetup message sim-half 0 release
	restore
	dmsetup create again --table "$table"
	has_epochs "$home" first || has_epochs "$home" second
}

@test "bad tables are refused, with the reason; a good one loads again unchanged" {
	allow_console 'device-mapper: |checkpoint: '
	volume --intent "$intent"
	table=$(dmsetup table v-home)
	[[ $table == *" 2 intent "* ]]
	dmsetup reload v-home --table "$table"
	dmsetup clear v-home
	jbdctl close v
	for words in "2 intent $home" "2 intent $log" "4 intent $intent order relaxed" "4 intent $intent intent $intent" \
		"2 order loose" "1 intent" "2 intent /dev/none"; do
		run ! dmsetup create bad --table "0 131072 checkpoint $home $words"
	done
	run ! dmsetup create bad --table "0 65536 checkpoint $home 2 intent $intent"
	console | grep 'was formatted for a home of 131072 sectors, the table has 65536'
	console | grep 'not an intent device'
}
