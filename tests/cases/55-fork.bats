# SPDX-License-Identifier: GPL-2.0-only
# A home that was written elsewhere since its log was used: a log is never replayed over that by accident.
# Seen red when recovery did not compare, when a checkpoint did not note what it had written, when --accept-loss replayed what a
# damaged log still had over such a home, and when an --ignore-fork that failed was the last word.
# vm: sample=6.12

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	home=$(mkdisk home 64)
	log=$(mkdisk log 16)
	vol=$(mkvol v "$home" "$log")
}

opens() { jbdctl open v "$home" "$log" --opt idle_ms=0 "$@"; }

# by_hand: what a table says that nobody has checked before.
by_hand() {
	mkdm v-home checkpoint "$home" > /dev/null
	dmsetup create v --table "0 $(sectors "$home") journal /dev/mapper/v-home $log 2 idle_ms 0"
}

@test "a home that was mounted elsewhere is refused by jbdctl and by the kernel, and nothing of it is touched" {
	mkfs.ext4 -q "$vol"
	checkpoint v
	fill "$vol" 100000 8 later
	jbdctl close v
	mount "$home" /mnt
	echo precious > /mnt/elsewhere
	umount /mnt
	before=$(md5sum < "$home")

	run opens
	echo "$output"
	[ "$status" -eq 3 ]
	[[ $output == *"$home was written elsewhere since the log $log was used: sector "*--ignore-fork* ]]
	run jbdctl recover --log "$log" --home "$home"
	[ "$status" -eq 3 ]
	[[ $output == *"was written elsewhere"*"Nothing was written"* ]]
	run by_hand
	[ "$status" -ne 0 ]
	console | grep -q "home .* was written elsewhere since its log .* was used: sector .* jbdctl open --ignore-fork"
	dmsetup remove v-home
	[ "$(md5sum < "$home")" = "$before" ]

	opens --ignore-fork
	holds "$vol" 100000 8 later
}

@test "so is one where only what a checkpoint wrote lately has changed" {
	fill "$vol" 70000 8 first
	checkpoint v
	fill "$vol" 100000 8 later
	jbdctl close v
	fill "$home" 70000 1 elsewhere
	run opens
	[ "$status" -eq 3 ]
	[[ $output == *"sector 70000 "* ]]
	run by_hand
	[ "$status" -ne 0 ]
	dmsetup remove v-home
	fill "$home" 70000 8 first
	opens
	holds "$vol" 100000 8 later
}

@test "with nothing left to replay the home may go on by itself, and come back" {
	fill "$vol" 0 8 first
	checkpoint v
	jbdctl close v
	fill "$home" 0 8 elsewhere
	opens
	holds "$vol" 0 8 elsewhere
	fill "$vol" 0 8 again
	jbdctl close v
	opens
	holds "$vol" 0 8 again
}

@test "closing and opening, checkpointing between, is no fork" {
	for i in 1 2 3 4 5; do
		for at in 0 2 8 128 5000 90000 $((131072 - 8)); do
			fill "$vol" $at 8 "round$i"
		done
		commit "$vol"
		[ $((i % 2)) -eq 0 ] || checkpoint v
		fill "$vol" 2 6 "behind$i"
		blkdiscard -o 4096 -l 4096 "$vol"
		blkdiscard -z -o 65536 -l 4096 "$vol"
		[ $((i % 3)) -eq 0 ] || checkpoint v
		fill "$vol" 5000 8 "last$i"
		jbdctl close v
		opens
		holds "$vol" 5000 8 "last$i"
	done
}

@test "a damaged log is no reason to replay over such a home, and an open that failed does not forget it" {
	allow_console 'journal: '
	fill "$vol" 100000 8 first
	commit "$vol"
	fill "$vol" 100008 8 second
	commit "$vol"
	jbdctl close v
	second=$(jbdctl log dump "$log" --json | jq '.records[1].log_sector')
	dd if=/dev/zero of="$log" bs=512 seek="$second" count=1 oflag=direct conv=notrunc status=none
	fill "$home" 2 1 elsewhere
	before=$(md5sum < "$home")

	run jbdctl recover --log "$log" --home "$home" --accept-loss
	echo "$output"
	[ "$status" -eq 3 ]
	[[ $output == *"was written elsewhere"*"Nothing was written"* ]]
	run opens --ignore-fork
	[ "$status" -ne 0 ]
	run opens
	[ "$status" -eq 3 ]
	[[ $output == *"was written elsewhere"* ]]
	[ "$(md5sum < "$home")" = "$before" ]
	jbdctl recover --log "$log" --home "$home" --accept-loss --ignore-fork
	holds "$home" 100000 8 first
}
