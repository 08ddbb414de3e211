# SPDX-License-Identifier: GPL-2.0-only
# jbdctl on real devices: docs/jbdctl.8. What needs only image files is in tests/cli.
# vm: sample=6.1
load helpers
load volumes

USAGE=1 DEVICE=3 BUSY=4 DAMAGE=5 IO=6 INTERRUPTED=7 KERNEL=8

setup() {
	vm_setup
	home=$(mkdisk home 64)
	log=$(mkdisk log 32)
}

state_is() { [ "$(jbdctl checkpoint --status v --json | jq -r .state)" = "$1" ]; }

@test "create loads the modules, opens the volume, and leaves the home's file system as it was" {
	unload_modules
	mkfs.ext4 -q "$home"
	mount "$home" /mnt
	echo kept > /mnt/file
	umount /mnt
	before=$(contents "$home" 0 8192 | cksum)
	run -0 jbdctl create v "$home" "$log"
	says "Formatted $log" '/dev/mapper/v is open'
	[ "$(contents "$home" 0 8192 | cksum)" = "$before" ]
	mount /dev/mapper/v /mnt
	[ "$(cat /mnt/file)" = kept ]
}

@test "a module that cannot be loaded is named, and nothing is written" {
	unload_modules
	mkdir /tmp/bin
	printf '#!/bin/sh\necho "modprobe: FATAL: Module $1 not found." >&2\nexit 1\n' > /tmp/bin/modprobe
	chmod +x /tmp/bin/modprobe
	PATH=/tmp/bin:$PATH run -$KERNEL jbdctl create v "$home" "$log"
	says "no target 'checkpoint'" 'Module dm-checkpoint not found' "$(uname -r)" install
	rm -r /tmp/bin
	zeroes "$log" 0 8192
	gone v
}

@test "the devices have uuids by which they are recognised" {
	jbdctl create v "$home" "$log"
	[[ $(dmsetup info -c --noheadings -o uuid v) =~ ^JBD-[0-9a-f]{32}-vol$ ]]
	[[ $(dmsetup info -c --noheadings -o uuid v-home) =~ ^CRYPT-SUBDEV-JBD-[0-9a-f]{32}-home$ ]]
	[ "$(dmsetup info -c --noheadings -o uuid v | cut -c5-36)" = "$(jbdctl status v --json | jq -r .uuid | cut -c5-36)" ]
}

@test "the tables of a dry run are the tables that are loaded" {
	jbdctl create v "$home" "$log" --no-open
	run -0 jbdctl open v "$home" "$log" --dry-run --flush log --opt high=60 --opt depth=8
	gone v
	inner=${lines[0]#v-home: } outer=${lines[1]#v: }
	load_modules
	dmsetup create v-home --table "$inner"
	dmsetup create v --table "$outer"
	by_hand=$(dmsetup table v-home; dmsetup table v)
	dmsetup remove v
	dmsetup remove v-home
	jbdctl open v "$home" "$log" --flush log --opt high=60 --opt depth=8
	[ "$(dmsetup table v-home; dmsetup table v)" = "$by_hand" ]
}

@test "a device in use is refused, and by whom it is" {
	mkfs.ext4 -q "$home"
	mount "$home" /mnt
	run -$BUSY jbdctl create v "$home" "$log"
	says "$home is in use" 'mounted on /mnt' umount
	umount /mnt
	mkdm other linear "$log" 0
	run -$BUSY jbdctl create v "$home" "$log"
	says "$log is in use" 'part of /dev/mapper/other'
	dmsetup remove other
	mkswap "$log" > /dev/null
	swapon "$log"
	run -$BUSY jbdctl create v "$home" "$log"
	says "$log is in use" swap
	swapoff "$log"
	run -$BUSY jbdctl create v "$home" "$log"
	says "$log holds a swap" --force
	run -$DEVICE jbdctl create v "$home" "$home"
	says same
	gone v
}

@test "a name that is taken is refused before the log is touched" {
	mkdm v linear "$(mkdisk other 16)" 0
	run -$BUSY jbdctl create v "$home" "$log"
	says '/dev/mapper/v exists already' 'another name'
	zeroes "$log" 0 8192
	run -$DEVICE jbdctl close v
	says 'v is a device-mapper device, but not'
	run -$DEVICE jbdctl status v
	dmsetup remove v
}

@test "a log with larger blocks than the home is refused, with the reason" {
	large=$(mkdisk large 32 blocksize=4096)
	run -$DEVICE jbdctl create v "$home" "$large"
	says "$large has logical blocks of 4096 bytes" "$home of 512" 'no longer be mounted'
	zeroes "$large" 0 8192
}

@test "what the targets would refuse is refused before anything is written" {
	run -$USAGE jbdctl create v "$home" "$log" --opt high=100
	says "option 'high' has the value '100'" 'from 1 to 99'
	run -$USAGE jbdctl create v "$home" "$log" --opt high=20 --opt low=30
	says 'low is 30 and high is 20'
	gone v
	zeroes "$log" 0 8192
}

@test "close says who uses the volume, and then leaves it alone" {
	mkfs.ext4 -q "$home"
	jbdctl create v "$home" "$log"
	mount /dev/mapper/v /mnt
	run -$BUSY jbdctl close v
	says '/dev/mapper/v is in use' 'mounted on /mnt' 'try again'
	run -$BUSY jbdctl remove v
	says 'mounted on /mnt'
	echo still > /mnt/works
	umount /mnt
	run -0 jbdctl close v
	says 'v is closed'
	gone v
	run -$DEVICE jbdctl close v
	says 'there is no volume v'
}

@test "half a volume is shown, and closed" {
	jbdctl create v "$home" "$log"
	dmsetup remove v
	run -0 jbdctl list
	says 'only v-home exists'
	run -$DEVICE jbdctl status v
	says 'jbdctl close v'
	jbdctl close v
	gone v
	run -0 jbdctl list
	says 'No volume is open'
}

@test "list and status show what the kernel does" {
	vol=$(mkvol v "$home" "$log")
	mkvol w "$(mkdisk home2 16)" "$(mkdisk log2 16)"
	fill "$vol" 0 64 some
	commit "$vol"
	run -0 jbdctl list
	says NAME v w "$home" "$log" lagging clean
	run -0 jbdctl list --json
	[ "$(jq -r '.[0].name + .[1].name' <<< "$output")" = vw ]
	run -0 jbdctl status v
	says 'v: lagging' "$home" '32 KiB in' 'lost if the log dies' idle_ms=0
	run -0 jbdctl status
	says 'v: lagging' 'w: clean' 'the home has everything'
	json=$(jbdctl status v --json)
	[ "$(jq -r '"\(.log_used_sectors)/\(.log_total_sectors)"' <<< "$json")" = "$(vstat v 3)" ]
	[ "$(jq -r '"\(.tail_record):\(.durable_record):\(.head_record)"' <<< "$json")" = "$(vstat v 4)" ]
	[ "$(jq .dirty_sectors <<< "$json")" = "$(vstat v 9)" ]
	[ "$(jq .dirty_sectors <<< "$json")" = 64 ]
	[ "$(jq .atomic_kib <<< "$json")" = "$(vstat v 12)" ]
	[ "$(jq .counters.writes <<< "$json")" = "$(vstat v 16)" ]
	[ "$(jq .counters.home_errors <<< "$json")" = "$(vstat v 31)" ]
	[ "$(jq -r .home_target.state <<< "$json")" = idle ]
	[ "$(jbdctl status --json | jq length)" = 2 ]
}

@test "checkpoint waits until the home has everything" {
	vol=$(mkvol v "$home" "$log")
	run -0 jbdctl checkpoint v
	says 'the home' 'has everything'
	fill "$vol" 100 500 sent
	run -0 jbdctl checkpoint --status
	says v lagging
	[ "$(jbdctl checkpoint --status v --json | jq .epochs_behind)" -ge 0 ]
	run -0 jbdctl checkpoint v --wait
	holds "$home" 100 500 sent
	state_is clean
	fill "$vol" 100 500 again
	run -0 jbdctl checkpoint v --no-wait
	says 'asked for'
	wait_for 20 holds "$home" 100 500 again
	run -$DEVICE jbdctl checkpoint w
	run -$USAGE jbdctl checkpoint
}

@test "checkpoint of what recovery brought back ends too" {
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 100 50 back
	commit "$vol"
	jbdctl close v
	jbdctl open v "$home" "$log" --opt idle_ms=0
	jbdctl checkpoint v --timeout 60
	holds "$home" 100 50 back
}

@test "remove leaves a plain home with everything, and a log that is never replayed" {
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 2000 mine
	run -0 jbdctl remove v
	says 'v is removed' "$home has everything" retired
	gone v
	holds "$home" 0 2000 mine
	run -$DEVICE jbdctl open v "$home" "$log"
	says retired
	run -$DEVICE jbdctl recover --log "$log" --home "$home"
	says retired
	run -0 jbdctl log verify "$log"
	says 'good and empty' retired
	jbdctl create v "$home" "$log"
	holds /dev/mapper/v 0 2000 mine
}

# fill_slowly WRITES: a volume over a home that takes 20 ms for each, with a log that holds so many.
fill_slowly() {
	slow=$(mkdisk slow 64 latency=20000 depth=1)
	vol=$(mkvol v "$slow" "$log" --opt depth=1)
	fio --name=w --filename="$vol" --rw=randwrite --bs=4k --size=64m --number_ios="$1" --fsync=10 --ioengine=psync \
		--direct=1 --output=/dev/null
}

@test "remove is interrupted by a signal or the time, and the volume works on" {
	fill_slowly 1000
	run -$INTERRUPTED jbdctl remove v --timeout 1
	says 'before the checkpoint was done' 'works on'
	spawn jbdctl remove v
	pid=$!
	wait_for 20 state_is checkpointing
	kill $pid
	status=0
	wait $pid || status=$?
	[ $status = $INTERRUPTED ]
	fill "$vol" 0 8 after
	holds "$vol" 0 8 after
	run -0 jbdctl remove v
	says ' % of ' left 'v is removed'
	holds "$slow" 0 8 after
}

# Seen red: no target taken for all that was asked for being at home.
@test "checkpoint of a volume that is closed and opened meanwhile is not done before the home has everything" {
	fill_slowly 400
	spawn jbdctl checkpoint v
	pid=$!
	wait_for 20 state_is checkpointing
	kill -STOP $pid
	jbdctl close v
	jbdctl open v "$slow" "$log" --opt idle_ms=0 --opt depth=1
	state_is lagging
	kill -CONT $pid
	wait $pid
	state_is clean
}

@test "a home that fails stalls the checkpoint, which says so and goes on when it is back" {
	allow_console 'I/O error|checkpoint'
	base=$(mkdm base linear "$home" 0)
	vol=$(mkvol v "$base" "$log")
	fill "$vol" 0 64 safe
	commit "$vol"
	dmsetup suspend --noflush base
	dmsetup load base --table "0 $(sectors "$base") error"
	dmsetup resume base
	run -$IO jbdctl checkpoint v
	says 'stalls' "$base" 'Nothing is lost'
	run -0 jbdctl status v
	says stalled
	holds "$vol" 0 64 safe
	dmsetup suspend --noflush base
	dmsetup load base --table "0 $(sectors "$base") linear $home 0"
	dmsetup resume base
	run -0 jbdctl checkpoint v
	holds "$home" 0 64 safe
}

@test "a log that fails is shown, and close warns" {
	allow_console 'I/O error|journal'
	base=$(mkdm base linear "$log" 0)
	vol=$(mkvol v "$home" "$base")
	fill "$vol" 0 64 safe
	commit "$vol"
	dmsetup suspend --noflush base
	dmsetup load base --table "0 $(sectors "$base") error"
	dmsetup resume base
	run ! fill "$vol" 64 8 lost dsync
	run -0 jbdctl status v
	says 'v: error'
	run -0 jbdctl list
	says error
	run -$IO jbdctl checkpoint v
	says "$base has failed"
	run -0 jbdctl close v
	says warning 'not yet durable'
}

@test "the log dies, and the home is put behind another one, as docs/operations.md has it" {
	allow_console 'I/O error|journal|EXT4|JBD2|Aborting|Remounting|lost'
	base=$(mkdm base linear "$log" 0)
	intent=$(mkdisk intent 32)
	mkfs.ext4 -q "$home"
	jbdctl create v "$home" "$base" --intent "$intent"
	mount /dev/mapper/v /mnt
	echo kept > /mnt/file
	sync
	jbdctl checkpoint v
	echo lost > /mnt/later
	sync
	dmsetup suspend --noflush base
	dmsetup load base --table "0 $(sectors "$base") error"
	dmsetup resume base
	run ! dd if=/dev/zero of=/mnt/new bs=4k count=1 conv=fsync
	umount /mnt
	jbdctl close v
	run ! jbdctl log verify "$base"
	run -0 jbdctl recover --home "$home" --intent "$intent"
	mount "$home" /mnt
	[ "$(cat /mnt/file)" = kept ]
	umount /mnt
	other=$(mkdisk other 32)
	run -$BUSY jbdctl create v "$home" "$other" --intent "$intent"
	run -0 jbdctl create v "$home" "$other" --intent "$intent" --force
	mount /dev/mapper/v /mnt
	[ "$(cat /mnt/file)" = kept ]
}

@test "options of a volume in use change by a reload, as docs/operations.md has it, and nothing is lost" {
	jbdctl create v "$home" "$log"
	vol=/dev/mapper/v
	fill "$vol" 0 64 volatile
	dmsetup table v | sed 's/ 0$/ 2 max_lag_ms 60000/' | dmsetup reload v
	dmsetup resume v
	[ "$(jbdctl status v --json | jq .max_lag_ms)" = 60000 ]
	holds "$vol" 0 64 volatile
}

# Seen red: zeroes written in place of what was discarded.
@test "recover brings a block device to where the kernel would" {
	vol=$(mkvol v "$home" "$log" --opt autocommit_ms=60000)
	fio --name=w --filename="$vol" --rw=randwrite --bsrange=512-64k --size=32m --number_ios=400 --fsync=7 \
		--ioengine=psync --direct=1 --output=/dev/null
	blkdiscard -o 65536 -l 1048576 "$vol"
	blkdiscard -z -o 4194304 -l 8192 "$vol"
	want=$(cksum < "$vol") discards=$(stat_of "$home" 12)
	run -$BUSY jbdctl recover --log "$log" --home "$home"
	says 'is in use' 'part of /dev/mapper/v'
	jbdctl close v
	rmmod dm_journal dm_checkpoint
	run -0 jbdctl log verify "$log"
	says 'may lack'
	run -0 jbdctl recover --log "$log" --home "$home"
	says Replayed
	[ "$(stat_of "$home" 12)" -gt "$discards" ]
	[ "$(cksum < "$home")" = "$want" ]
	jbdctl open v "$home" "$log"
	[ "$(cksum < /dev/mapper/v)" = "$want" ]
	is_home v
}

@test "a damaged log is refused with its place, by the kernel as well" {
	vol=$(mkvol v "$home" "$log")
	for i in 1 2 3 4 5 6; do fill "$vol" $((i * 100)) 8 "$i" dsync; done
	jbdctl close v
	third=$(jbdctl log dump "$log" --json | jq '.records[2].log_sector')
	dd if=/dev/zero of="$log" bs=512 seek="$third" count=1 oflag=direct conv=notrunc status=none
	run -$DAMAGE jbdctl log verify "$log"
	says "log sector $third" 'made durable'
	run -$KERNEL jbdctl open v "$home" "$log"
	says damaged 'accept-loss'
	gone v
	run -0 jbdctl recover --log "$log" --home "$home" --accept-loss
	holds "$home" 200 8 2
	run ! holds "$home" 300 8 3
	jbdctl open v "$home" "$log"
}

@test "another device of the same length is warned of" {
	dmsetup create a --uuid TEST-a --table "0 65536 linear $home 0"
	dmsetup create b --uuid TEST-b --table "0 65536 linear $home 65536"
	jbdctl create v /dev/mapper/a "$log" --no-open
	run -0 jbdctl open v /dev/mapper/b "$log"
	says warning "identifies itself as 'dm:TEST-b'" "made for 'dm:TEST-a'"
}
