# SPDX-License-Identifier: GPL-2.0-only
# Homes that take less at once than a range has, that cannot do what their limits promise, or that failed once; and what a
# suspend does not wait for.
# Seen red: parts of a range that each are the first of a batch; a range that is split again and again and never
# comes home; a refused discard that fails each fence; refused zeroes that are sent as zeroes for ever; a stall that nothing
# but its cause would end; the error of one attempt that fails the fence of the next; a stall that fails writes under a hold;
# a suspend that waits at rate_mib; a superblock that is believed although another format has come between table and resume.
# vm: sample=6.12

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	modprobe -a dm-simdisk loop
	log=$(mkdisk log 64)
}

runs_again() { [ "$(vstat v 32)" = - ]; }
# limit DEVICE KIB: its discards are of so many KiB at most from now on.
limit() { queue "$1" discard_max_bytes $(($2 * 1024)); }

# ranges_go_home: what lies between data is discarded at the home in whole, be it the first or the last of a batch.
ranges_go_home() {
	local at=$1
	fill "$vol" $at 8 ahead
	fill "$vol" $((at + 2048 + 8)) 8 behind
	sync "$vol"
	checkpoint v
	holds "$home" $at 8 ahead
	blkdiscard -o $(((at - 2048) * 512)) -l 1M "$vol"	# the first, behind it data
	fill "$vol" $at 8 middle
	blkdiscard -o $(((at + 8) * 512)) -l 1M "$vol"
	fill "$vol" $((at + 2048 + 8)) 8 end
	blkdiscard -o $(((at + 2048 + 16) * 512)) -l 1M "$vol"	# the last
	dmsetup message v 0 checkpoint
	wait_for 20 is_home v
	zeroes "$home" $((at - 2048)) 2048
	zeroes "$home" $((at + 8)) 2048
	zeroes "$home" $((at + 2048 + 16)) 2048
	holds "$home" $at 8 middle
	holds "$home" $((at + 2048 + 8)) 8 end
}

@test "ranges that are more than the home discards at once stay whole in a batch, whoever set the limit" {
	home=$(mkdisk home 64)
	yes full | dd of="$home" bs=1M count=64 iflag=fullblock oflag=direct status=none
	limit "$home" 64
	vol=$(mkvol v "$home" "$log" --intent "$(mkdisk intent 16)")
	[ "$(queue /dev/mapper/v-home discard_max_bytes)" -gt 1048576 ]
	ranges_go_home 4096
	limit /dev/mapper/v-home 64
	ranges_go_home 32768
}

# refuses WORD..: a home that is moved to one that can neither discard nor write zeroes, which the limits above do not tell.
refuses() {
	local file=/tmp/refuses below plain
	truncate -s 64M $file
	below=$(losetup -f --show $file)
	plain=$(mkdisk plain 64 discard=0)
	home=$(mkdm moved linear "$below" 0)
	vol=$(mkvol v "$home" "$log" "$@")
	[ "$(queue /dev/mapper/v-home discard_max_bytes)" -gt 0 ]
	[ "$(queue /dev/mapper/v-home write_zeroes_max_bytes)" -gt 0 ]
	fill "$vol" 0 64 data
	fill "$vol" 64 64 gone
	fill "$vol" 4096 64 gone
	sync "$vol"
	checkpoint v
	dmsetup suspend moved
	dd if="$below" of="$plain" bs=1M iflag=direct oflag=direct status=none
	dmsetup load moved --table "0 131072 linear $plain 0"
	dmsetup resume moved
	losetup -d "$below"
	rm $file
	blkdiscard -z -o $((64 * 512)) -l $((64 * 512)) "$vol"
	blkdiscard -o $((4096 * 512)) -l $((64 * 512)) "$vol"
	fill "$vol" 8192 8 later
	dmsetup message v 0 checkpoint
	wait_for 20 is_home v
	[ "$(vstat v 32)" = - ]
	holds "$home" 0 64 data
	zeroes "$home" 64 64
	holds "$home" 8192 8 later
	[ "$(counter v-home 3)" = 0 ]		# fences that failed
	jbdctl remove v
	dmsetup remove --retry moved
}

@test "a home that refuses discards and zeroes against its limits: zeroes are written, discards left out" {
	refuses
}

@test "the same in relaxed order" {
	refuses --order relaxed
}

@test "the same with an intent device" {
	refuses --intent "$(mkdisk intent 16)"
}

# failing_home WORD..: a home that fails once somebody has waited for no checkpoint; nothing else asks for one.
failing_home() {
	allow_console 'checkpoint: |journal: |I/O error'
	home=$(mkdm sim-home simdisk "$(mkdisk home 64)" 1 0)
	vol=$(mkvol v "$home" "$log" "$@")
	dmsetup table v | sed 's/ idle_ms 0/ idle_ms 100/' | dmsetup reload v
	dmsetup message sim-home 0 fail write 1 0
	dmsetup resume v
	fill "$vol" 0 64 first
	sync "$vol"
	wait_for 20 stalled_by v home-write
	dmsetup table v | sed 's/ idle_ms 100/ idle_ms 0/' | dmsetup reload v
	dmsetup resume v
	stalled_by v home-write
}

@test "a home that failed is tried again every second, also when nothing else wants a checkpoint" {
	failing_home
	dmsetup message sim-home 0 fail write 1000000000
	wait_for 10 runs_again
	wait_for 10 is_home v
	holds "$home" 0 64 first
}

@test "what a home could not write once is sent once more, not twice" {
	allow_console 'checkpoint: |journal: |I/O error'
	home=$(mkdm sim-home simdisk "$(mkdisk home 64)" 1 0)
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 64 first
	sync "$vol"
	dmsetup message sim-home 0 fail write 1
	dmsetup message v 0 checkpoint
	wait_for 20 is_home v
	holds "$home" 0 64 first
	[ "$(vstat v 27)" = 2 ]		# home writes
	[ "$(vstat v 31)" = 1 ]		# errors
}

@test "a hold over a home that had failed: a full log ends the hold, and no write fails" {
	failing_home --opt on_hold_full=release
	dmsetup message v 0 hold
	dmsetup message sim-home 0 fail write 1000000000
	timeout -k 1 $((200 * VM_SCALE)) fio --name=full --filename="$vol" --rw=randwrite --bs=64k --size=60m --io_size=90m --direct=1 \
		--output=/dev/null
	[ "$(vstat v 32)" = hold-released ]
	run -4 jbdctl checkpoint v --release
	[[ $output == *"no single state"* ]]
	checkpoint v
}

@test "under a hold that does not end, a full log over such a home is no room, not an error" {
	failing_home --opt on_hold_full=error
	dmsetup message v 0 hold
	dmsetup message sim-home 0 fail write 1000000000
	run -1 timeout -k 1 $((200 * VM_SCALE)) dd if=/dev/zero of="$vol" bs=64k oflag=direct status=none
	says 'No space left on device'
	jbdctl checkpoint v --release
	checkpoint v
}

# suspends_at_once DEVICE: though 8 MiB are on their way home as one batch, one MiB a second.
suspends_at_once() {
	local start took
	vol=$(mkvol v "$(mkdisk home 64)" "$log" --opt rate_mib=1 --order relaxed --opt batch_mib=16)
	fill "$vol" 0 16384 rated
	sync "$vol"
	dmsetup reload v --table "$(dmsetup table v | awk '{ $6 += 4; print $0, "high 1 low 0" }')"
	dmsetup resume v
	begun() { [ "$(counter v-home 4)" -gt 0 ]; }
	wait_for 20 begun
	start=$(ms)
	dmsetup suspend "$1"
	took=$(($(ms) - start))
	dmsetup resume "$1"
	echo "$took ms"
	[ $took -lt 4000 ]
}

@test "suspends do not wait for rate_mib" {
	suspends_at_once v-home
}

@test "nor does that of the volume" {
	suspends_at_once v
}

@test "an intent device that was formatted anew after its table was loaded is refused, and told why" {
	allow_console 'checkpoint: .*formatted anew|intent device'
	home=$(mkdisk home 64)
	intent=$(mkdisk intent 16)
	jbdctl create v "$home" "$log" --intent "$intent" --no-open
	dmsetup create v-home --notable
	dmsetup load v-home --table "0 131072 checkpoint $home 2 intent $intent"
	other=$(mkdisk other 16)
	jbdctl create w "$(mkdisk otherhome 64)" "$(mkdisk otherlog 64)" --intent "$other" --no-open --force
	dd if="$other" of="$intent" bs=1M oflag=direct status=none
	run ! dmsetup resume v-home
	console | grep 'formatted anew after the table was loaded'
	dmsetup remove v-home
}
