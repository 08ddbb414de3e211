# SPDX-License-Identifier: GPL-2.0-only
# jbdctl mark, rollback, checkpoint --hold and --release, on volumes that are open and on logs that are not; and the story
# that marks are for: mark, upgrade, reboot, roll back.
# Seen red, each in its test: a rollback that leaves the volume suspended when the kernel refuses; an offline rollback that
# writes one slot only; recover and remove that do not look at marks; a rollback without a barrier, whose tree is the
# upgraded one again after the next power cut.
# vm: sample=6.1

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

opens() { jbdctl open v "$home" "$log" "$@" > /dev/null; }
status_of() { jbdctl status v --json | jq -c "$1"; }

# power_cut: log and home lose what was not flushed; then power is back.
power_cut() {
	dmsetup message sim-log 0 powercut all
	! mountpoint -q /mnt || umount -l /mnt
	wait_for 60 dmsetup remove v
	dmsetup remove v-home
	dmsetup message sim-log 0 restore
	dmsetup message sim-home 0 restore
}

# tree DIR: every name below it with its kind, mode, owner, link and contents.
tree() {
	(
		cd "$1"
		find . -not -path './lost+found*' -printf '%y %m %u %g %n %P %l\n' | LC_ALL=C sort
		find . -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum
	) | md5sum
}

@test "the story: mark a root-like tree, upgrade it, reboot, roll back: the tree is what it was, and the file system clean" {
	allow_console 'EXT4-fs|I/O error|JBD2|Aborting journal|journal: .*(failed|could not be committed)'
	dmsetup remove sim-home
	dmsetup remove sim-log
	home=$(mkdm sim-home simdisk "$(mkdisk big-home 256)" 1)
	log=$(mkdm sim-log simdisk "$(mkdisk big-log 160)" 2)
	vol=$(mkvol v "$home" "$log")
	mkfs.ext4 -q "$vol"
	mount "$vol" /mnt
	mkdir -p /mnt/usr /mnt/etc
	cp -a /usr/bin /mnt/usr/ 2>/dev/null || :
	find /mnt/usr/bin -type f -size +300k -delete
	cp -a /etc/. /mnt/etc/
	sync -f /mnt
	before=$(tree /mnt)
	[ "$(find /mnt -type f | wc -l)" -gt 300 ]
	jbdctl mark v before-upgrade
	jbdctl status v | grep -q 'marks: before-upgrade'

	# the upgrade: replaced, changed in place, removed, new; with checkpoints that may go as far as they want
	for file in /mnt/usr/bin/[a-m]*; do
		[ ! -f "$file" ] || { head -c 20000 /dev/urandom > "$file.new"; mv "$file.new" "$file"; }
	done
	for file in /mnt/etc/*.conf; do echo changed >> "$file"; done
	rm -rf /mnt/usr/bin/[s-z]* /mnt/etc/init.d
	mkdir /mnt/opt
	cp -a /mnt/usr/bin/n* /mnt/opt/ || :
	sync -f /mnt
	timeout $((60 * VM_SCALE)) jbdctl checkpoint v --quiet
	upgraded=$(tree /mnt)
	[ "$upgraded" != "$before" ]

	# it is used for a while, and the machine is reset
	echo "not in any flush" > /mnt/lost
	power_cut
	opens
	mount "$vol" /mnt
	[ "$(tree /mnt)" != "$before" ]
	[ -d /mnt/opt ]
	run jbdctl rollback v before-upgrade
	[ "$status" -eq 4 ]
	[[ $output == *"mounted on /mnt"* ]]
	umount /mnt

	jbdctl rollback v before-upgrade
	# ext4 replays its own journal: a mark is a crash state that a mounted file system is made for
	mount "$vol" /mnt
	[ "$(tree /mnt)" = "$before" ]
	umount /mnt
	e2fsck -fn "$vol"

	# nothing of the upgrade comes back, whatever happens next
	power_cut
	opens
	mount "$vol" /mnt
	[ "$(tree /mnt)" = "$before" ]
	umount /mnt
	e2fsck -fn "$vol"
	jbdctl mark v before-upgrade --release
	checkpoint v
	jbdctl remove v --quiet
	mount "$home" /mnt
	[ "$(tree /mnt)" = "$before" ]
}

@test "a volume that is closed rolls back by its log alone, after a close or a power cut, with either slot lost later" {
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 64 before
	jbdctl mark v one
	at_mark=$(md5sum < "$vol")
	fill "$vol" 0 500 after
	jbdctl close v
	run jbdctl rollback "$log" none
	[ "$status" -eq 3 ]
	jbdctl rollback "$log" one
	for slot in 0 16; do
		dd if="$log" of=/tmp/slot bs=4k skip=$slot count=1 iflag=direct status=none
		dd if=/dev/zero of="$log" bs=4k seek=$slot count=1 oflag=direct conv=notrunc status=none
		jbdctl log verify "$log" --quiet
		[ "$(jbdctl log verify "$log" --json --quiet | jq .records)" -eq "$(jbdctl log dump "$log" --json | jq '.records | length')" ]
		opens
		[ "$(md5sum < "$vol")" = "$at_mark" ]
		jbdctl close v
	done
	opens
	fill "$vol" 0 500 again
	commit "$vol"
	power_cut
	jbdctl rollback "$log" one
	jbdctl rollback "$log" one
	opens
	[ "$(md5sum < "$vol")" = "$at_mark" ]
	[ "$(status_of '[.held, .marks[].name]')" = '[false,"one"]' ]
}

@test "hold and release; what everybody shows of them" {
	vol=$(mkvol v "$home" "$log" --opt on_hold_full=error)
	dmsetup table v | grep -q 'on_hold_full error'
	fill "$vol" 0 64 held
	jbdctl mark v one
	jbdctl checkpoint v --hold
	[ "$(status_of '[.held, .marks[].name]')" = '[true,"one"]' ]
	[ "$(jbdctl list --json | jq -c '.[0] | [.held, .marks[].name]')" = '[true,"one"]' ]
	jbdctl list | grep -q 'lagging, held'
	jbdctl status v | grep -q 'Held .*Checkpoints are held; marks: one (record '
	for words in "checkpoint v" "remove v"; do
		run jbdctl $words
		[ "$status" -eq 4 ]
		[[ $output == *"--release"* ]]
	done
	jbdctl close v
	jbdctl log dump "$log" | grep -q 'mark  *one behind record'
	jbdctl log dump "$log" | grep -q 'flags .*held'
	[ "$(jbdctl log dump "$log" --json | jq -c '[.slots[].super | [.held, .marks[].name]]')" = '[[true,"one"],[true,"one"]]' ]
	opens
	jbdctl checkpoint v --release
	[ "$(status_of '[.held, .marks]')" = '[false,[]]' ]
	checkpoint v
	holds "$home" 0 64 held
	jbdctl remove v --quiet
}

@test "one that waits for a checkpoint is told when a mark or a hold comes in between" {
	below=$(mkdm below linear "$home" 0)
	vol=$(mkvol v "$below" "$log")
	dmsetup suspend --noflush --nolockfs below
	for i in 1 2 3 4 5 6 7 8 9; do
		fill "$vol" $((i * 100)) 8 "epoch $i" dsync
	done
	jbdctl checkpoint v --quiet > /tmp/waiter 2>&1 3>&- &
	waiter=$!
	asked() { [ "$(vstat v 6)" != - ]; }
	wait_for 30 asked
	jbdctl checkpoint v --hold 3>&- &
	holder=$!
	held() { [ "$(status_of .held)" = true ]; }
	wait_for 30 held
	dmsetup resume below
	wait $holder
	status=0
	wait $waiter || status=$?
	cat /tmp/waiter
	[ "$status" -eq 4 ]
	grep -q -- --release /tmp/waiter
	jbdctl checkpoint v --release
	checkpoint v
}

@test "recover does not bring home what a mark excludes, unless it is told to" {
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 64 before
	jbdctl mark v one
	fill "$vol" 0 64 after
	jbdctl close v
	before=$(md5sum < "$home")
	run jbdctl recover --log "$log" --home "$home" --quiet
	[ "$status" -eq 4 ]
	[[ $output == *"--release"* ]]
	[ "$(md5sum < "$home")" = "$before" ]
	copy=$(mkdisk copy 64)
	jbdctl recover --log "$log" --onto "$copy" --quiet
	holds "$copy" 0 64 after
	jbdctl recover --log "$log" --home "$home" --release --quiet
	holds "$home" 0 64 after
	[ "$(jbdctl log dump "$log" --json | jq -c '[.slots[].super.marks[]]')" = '[]' ]
	opens
	[ "$(status_of .marks)" = '[]' ]
}

@test "names that cannot be, volumes that are in use, suspended ones" {
	vol=$(mkvol v "$home" "$log")
	for words in "mark v a:b" "mark v ''" "rollback v a:b" "mark v"; do
		run eval jbdctl "$words"
		[ "$status" -eq 1 ]
	done
	run jbdctl rollback v none
	[ "$status" -eq 3 ]
	run jbdctl mark none one
	[ "$status" -eq 3 ]
	jbdctl mark v one
	run jbdctl mark v one
	[ "$status" -eq 4 ]
	[[ $output == *"there is a mark one already"* ]]
	fill "$vol" 0 8 later
	exec {user}< "$vol"
	run jbdctl rollback v one
	[ "$status" -eq 4 ]
	exec {user}<&-
	holds "$vol" 0 8 later
	# one that its owner has suspended stays so
	dmsetup suspend v
	jbdctl rollback v one
	[ "$(dmsetup info -c --noheadings -o suspended v)" = Suspended ]
	dmsetup resume v
	zeroes "$vol" 0 8
}
