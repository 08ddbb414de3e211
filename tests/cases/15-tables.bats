# SPDX-License-Identifier: GPL-2.0-only
# Tables and messages that the journal target refuses, each with its reason in the kernel log, and nothing changed.
# Seen red, each in its test: without the check of low and high, of the write cache, of a superblock's checksum, of the log's
# other users, of the generation at resume, of a message's words, of damage at recovery.
# vm: sample=6.1

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	home=$(mkdisk home 64)
	log=$(mkdisk log 16)
	jbdctl create v "$home" "$log" --no-open
	ckpt=$(mkdm v-home checkpoint "$home")
	len=$(sectors "$home")
}

# refused WORDS PATTERN: a table with these words is refused, and the kernel says PATTERN.
refused() {
	local seen
	run dmsetup create v --table "0 ${3:-$len} journal $1"
	[ "$status" -ne 0 ] || { dmsetup remove v; echo "accepted: $1"; return 1; }
	seen=$(console | grep -E "device-mapper: (table|ioctl|journal): .*$2") || {
		echo "no line with «$2» for «$1»:"
		console | tail -3
		return 1
	}
	[ ! -e /dev/mapper/v ] || dmsetup remove v
}

# copy FROM TO: past the page cache, which knows nothing of the bios of the journal.
copy() {
	local flags=
	[ ! -b "$1" ] || flags+=" iflag=direct"
	[ ! -b "$2" ] || flags+=" oflag=direct"
	# shellcheck disable=SC2086
	dd if="$1" of="$2" bs=1M $flags conv=notrunc status=none
}

@test "wrong words" {
	refused "$ckpt" "Needs a checkpoint device and a log device"
	refused "" "Needs a checkpoint device and a log device"
	refused "/dev/nothing $log" "Cannot open the checkpoint device"
	refused "$ckpt /dev/nothing" "Cannot open the log device"
	refused "$ckpt $log 1 high" "number of option words"
	refused "$ckpt $log 4 high 60" "number of option words|Invalid number"
	refused "$ckpt $log 2 high 60 low 10" "number of option words"
	refused "$ckpt $log x" "Invalid number of option words"
	refused "$ckpt $log 2 colour red" "unknown option colour"
	refused "$ckpt $log 2 high 100" "high must be a number from 1 to 99, not 100"
	refused "$ckpt $log 2 staging_mib -1" "staging_mib must be a number"
	refused "$ckpt $log 4 high 30 low 30" "low must be less than high"
	refused "$ckpt $log 2 flush never" "flush must be log or home"
}

@test "devices that do not fit" {
	refused "$ckpt $ckpt" "The log and the checkpoint device are the same"
	refused "$ckpt $log" "must start at 0 and fit" $((len + 8))
	refused "$ckpt $log" "was formatted for a home of $len sectors, the table has $((len - 8))" $((len - 8))
	plain=$(mkdisk plain 64 cache=0)
	refused "$plain $log" "takes no flushes: it must be a checkpoint target"
}

@test "a log that is none, is torn, is from a newer version, or was cut short" {
	blank=$(mkdisk blank 16)
	refused "$ckpt $blank" "not a superblock of a journal log"
	# both slots: one byte flipped behind the magic
	cp "$log" /tmp/saved
	for at in 0 65536; do
		printf '\377' | dd of="$log" bs=1 seek=$((at + 200)) conv=notrunc status=none
	done
	refused "$ckpt $log" "checksum fails"
	cp /tmp/saved "$log"
	short=$(mkdisk short 8)
	dd if=/tmp/saved of="$short" bs=1M count=8 status=none
	refused "$ckpt $short" "contradict each other or the size of the device"
	rm /tmp/saved
}

@test "a log that another journal uses" {
	dmsetup create v --table "0 $len journal $ckpt $log"
	home2=$(mkdisk home2 64)
	ckpt2=$(mkdm w-home checkpoint "$home2")
	run dmsetup create w --table "0 $len journal $ckpt2 $log"
	[ "$status" -ne 0 ]
	console | grep -q "The log belongs to another active journal"
	fill /dev/mapper/v 0 8 fine
	holds /dev/mapper/v 0 8 fine
}

@test "a log written by somebody else while the device was suspended" {
	dmsetup create v --table "0 $len journal $ckpt $log 2 idle_ms 0"
	fill /dev/mapper/v 0 8 mine
	dmsetup suspend v
	dmsetup resume v
	copy "$log" /tmp/older
	dmsetup suspend v
	# back to an older superblock, as a restored copy would have it
	copy "$log" /tmp/newer
	copy /tmp/older "$log"
	run dmsetup resume v
	[ "$status" -ne 0 ]
	console | grep -q "written by somebody else while this device was suspended"
	copy /tmp/newer "$log"
	dmsetup resume v
	holds /dev/mapper/v 0 8 mine
	rm /tmp/newer /tmp/older
}

@test "messages" {
	dmsetup create v --table "0 $len journal $ckpt $log 2 idle_ms 0"
	run dmsetup message v 0 sing
	[ "$status" -ne 0 ]
	console | grep -q "unknown message sing"
	run dmsetup message v 0 checkpoint later
	[ "$status" -ne 0 ]
	run dmsetup message v 0 clear_stats now
	[ "$status" -ne 0 ]
	fill /dev/mapper/v 0 8 one
	[ "$(dmsetup message v 0 checkpoint)" -gt 0 ]
	dmsetup message v 0 clear_stats
	[ "$(vstat v 16)" -eq 0 ]
}

@test "a damaged log is refused, the home untouched, and the reason is given" {
	dmsetup create v --table "0 $len journal $ckpt $log 2 idle_ms 0"
	for i in 0 1 2 3 4 5 6 7; do
		fill /dev/mapper/v $((i * 8)) 8 "part$i" dsync
	done
	dmsetup remove v
	before=$(md5sum < "$home")
	# the third record: a header and 8 sectors each, from 1 MiB on
	dd if=/dev/zero of="$log" bs=512 seek=$((2048 + 18)) count=1 conv=notrunc status=none
	run dmsetup create v --table "0 $len journal $ckpt $log 2 idle_ms 0"
	[ "$status" -ne 0 ]
	console | grep -q "is damaged behind record .* at sector $((2048 + 18)): .* jbdctl recover --accept-loss"
	[ "$(md5sum < "$home")" = "$before" ]
}
