# SPDX-License-Identifier: GPL-2.0-only
# Intent devices in userspace: made, opened, looked into. The batches are written by mkintent.py, from docs/format.md alone.
load images

# Seen red: home_len not set, the log not bound, the intent device not written.
@test "create --intent makes both, binds the log, and leaves the home alone" {
	run -0 make_intent
	says 'Formatted log' 'intent: its intent device' '3.48 MiB'
	cmp home <(noise 8M)
	[ "$(intent_super uuid)" = "$(log_super intent_uuid)" ]
	[ "$(intent_super home_len)" = 16384 ]
	[ "$(intent_super retired)" = 0 ]
	run -0 jbdctl log verify intent
	says 'slot 0 (sector 0): valid' 'slot 1 (sector 128): valid' 'good and empty'
	run -0 make_log
	[ "$(log_super intent_uuid)" = null ]
}

@test "two intent devices never have the same identity" {
	make_intent && first=$(intent_super uuid) nonce=$(intent_super nonce)
	make_intent --force
	[ "$(intent_super uuid)" != "$first" ]
	[ "$(intent_super nonce)" != "$nonce" ]
}

# Seen red: the intent device written in a dry run.
@test "a dry run of create --intent writes nothing, and shows the tables" {
	truncate -s 8M intent
	run -0 jbdctl create vol home log --intent intent --dry-run
	says 'intent: its intent device' 'vol-home: 0 16384 checkpoint home 2 intent intent' \
		'vol: 0 16384 journal /dev/mapper/vol-home log 2 batch_mib 1'
	cmp log <(head -c 4M /dev/zero)
	cmp intent <(head -c 8M /dev/zero)
}

# Seen red: the size not looked at; the intent device not compared with the others.
@test "an intent device that is too small, or one of the others, is refused and nothing is written" {
	truncate -s $((8 * 1048576 - 512)) intent
	run -$DEVICE make_log --intent intent --force
	says 'intent device intent is too small' 'at least 8 MiB'
	for other in home log; do
		run -$DEVICE make_log --intent $other --force
		says 'the same file' 'Home, log and intent device'
	done
	run -$DEVICE make_log --intent nowhere
	says nowhere 'No such file'
	cmp log <(head -c 4M /dev/zero)
	cmp home <(noise 8M)
}

# Seen red: nothing looked for on the intent device; an old batch, or an intent device as such, passed over; one as the home.
@test "what is on the intent device is named, and needs --force" {
	truncate -s 8M intent
	mkfs.ext4 -q -L precious intent
	cp intent before
	run -$BUSY make_log --intent intent
	says 'intent holds a ext4 file system' "'precious'" --force
	cmp intent before
	run -0 make_log --intent intent --force
	[ -z "$(blkid -p -o value -s TYPE intent)" ]
	batches <<< 'batch 1 data:0+8'
	cp intent before
	run -$BUSY make_log --intent intent
	says 'batch 1 of 4 KiB' 'jbdctl recover' --force
	cp log log.before
	run -$BUSY jbdctl create vol home intent --no-open
	says 'intent holds the intent device' 'batch 1'
	cmp intent before
	cmp log log.before
	batches <<< 'retire 1'
	run -$BUSY make_log --intent intent
	says 'intent holds the intent device' 'the log that is bound to it' --force
	run -0 make_log --intent intent --force
	run -$DEVICE jbdctl create vol intent home --no-open --force
	says 'the home intent is itself an intent device'
	truncate -s 8M other
	records <<< 'commit data:0+8'
	truncate -s 8M log
	run -$BUSY jbdctl create vol home other --intent log --no-open
	says 'log holds the log of volume'
}

# Seen red: relaxed not in the table; a default beyond the log's quarter, or what fits in the intent device.
@test "the order and what a batch covers reach the tables" {
	truncate -s 8M log
	run -0 jbdctl create vol home log --dry-run
	[ "${lines[-2]}" = "vol-home: 0 16384 checkpoint home" ]
	[ "${lines[-1]}" = "vol: 0 16384 journal /dev/mapper/vol-home log" ]
	run -0 jbdctl create vol home log --dry-run --order strict --opt batch_mib=0
	[ "${lines[-2]}" = "vol-home: 0 16384 checkpoint home" ]
	run -0 jbdctl create vol home log --dry-run --order relaxed --opt depth=8
	[ "${lines[-2]}" = "vol-home: 0 16384 checkpoint home 4 order relaxed depth 8" ]
	[ "${lines[-1]}" = "vol: 0 16384 journal /dev/mapper/vol-home log 2 batch_mib 1" ]
	truncate -s 41M log
	run -0 jbdctl create vol home log --dry-run --order relaxed
	[ "${lines[-1]}" = "vol: 0 16384 journal /dev/mapper/vol-home log 2 batch_mib 10" ]
	truncate -s 1G log
	run -0 jbdctl create vol home log --dry-run --order relaxed
	[ "${lines[-1]}" = "vol: 0 16384 journal /dev/mapper/vol-home log 2 batch_mib 64" ]
	truncate -s 64M intent
	run -0 jbdctl create vol home log --dry-run --intent intent
	[ "${lines[-1]}" = "vol: 0 16384 journal /dev/mapper/vol-home log 2 batch_mib 29" ]
	run -0 jbdctl create vol home log --dry-run --intent intent --opt batch_mib=7 --opt high=50
	[ "${lines[-2]}" = "vol-home: 0 16384 checkpoint home 2 intent intent" ]
	[ "${lines[-1]}" = "vol: 0 16384 journal /dev/mapper/vol-home log 4 batch_mib 7 high 50" ]
}

# Seen red: each of the conditions left out, one at a time.
@test "orders that contradict each other are refused" {
	truncate -s 64M intent
	run -$USAGE make_log --order sloppy
	says sloppy strict relaxed
	run -$USAGE make_log --intent intent --order relaxed
	says 'without intent device'
	run -$USAGE make_log --opt batch_mib=8
	says 'tear the home' --intent '--order relaxed'
	run -$USAGE make_log --order relaxed --opt batch_mib=0
	says 'batch_mib=0'
	run -$USAGE make_log --intent intent --opt batch_mib=00
	says 'batch_mib=0'
	for mib in 30 0100; do
		run -$USAGE make_log --intent intent --opt batch_mib=$mib
		says "batches of ${mib#0} MiB do not fit" '29 at most'
	done
	run -$USAGE make_log --intent intent --opt batch_mib=99999999999999999999
	says 'from 0 to 4096'
	run -$USAGE make_log --opt intent=intent
	says "unknown option 'intent'"
	cmp log <(head -c 4M /dev/zero)
	run -0 make_log --intent intent --opt batch_mib=029
}

# Seen red: no comparison of the uuid; a bound log without --intent, and an unbound one with it, let through.
@test "open wants the intent device that the log is bound to, and no other" {
	make_intent
	uuid=$(log_super intent_uuid)
	run -0 jbdctl open vol home log --intent intent --dry-run
	[ "${lines[0]}" = "vol-home: 0 16384 checkpoint home 2 intent intent" ]
	[ "${lines[1]}" = "vol: 0 16384 journal /dev/mapper/vol-home log 2 batch_mib 1" ]
	run -$DEVICE jbdctl open vol home log --dry-run
	says "log is bound to the intent device $uuid" --intent
	run -$DEVICE jbdctl open vol home log --dry-run --order relaxed
	says "log is bound to the intent device $uuid"
	cp intent own
	truncate -s 4M log2
	jbdctl create other home log2 --no-open --intent intent --force
	other=$(intent_super uuid)
	run -$DEVICE jbdctl open vol home log --intent intent --dry-run
	says "bound to the intent device $uuid" "intent is $other"
	run -$DEVICE jbdctl open vol home log --intent home --dry-run
	says same
	run -$DEVICE jbdctl open vol home log --intent log2 --dry-run
	says 'log2 is not an intent device'
	cp own intent
	make_log
	run -$DEVICE jbdctl open vol home log --intent intent --dry-run
	says 'log is not bound to an intent device'
	run -0 jbdctl open vol home log --dry-run
}

# Seen red: home_len not compared with the home; with a copy.
@test "an intent device for a home of another length is refused" {
	make_intent
	batches <<< $'says home_len=16376\nbatch 1 data:0+8'
	wipe intent 0 4096
	run -$DEVICE jbdctl open vol home log --intent intent --dry-run
	says 16376 16384
	run -$DEVICE jbdctl recover --home home --log log --intent intent
	says 16376 16384
	run -$DEVICE jbdctl recover --home home --intent intent
	says 16376 16384
	run -$DEVICE jbdctl recover --onto log --intent intent
	says 16376
	cmp home <(noise 8M)
}

# Seen red: the generation not compared; a newer slot passed over; ro_compat passed over.
@test "an intent device of a newer version, and one whose superblocks are damaged, are refused" {
	make_intent
	batches <<< 'batch 1 data:0+8'
	cp intent whole
	batches <<< 'says version=2'
	cp intent before
	for verb in 'recover --home home --intent' 'log verify' 'open vol home log --dry-run --intent'; do
		run -$DEVICE jbdctl $verb intent
		says 'newer version' Install
	done
	untouched
	cp whole intent
	batches <<< 'says ro_compat=1'
	cp intent before
	run -$DEVICE jbdctl recover --home home --intent intent
	says 'can only read'
	untouched
	cp whole intent
	batches <<< 'retire 0'
	wipe intent 40 8
	run -0 jbdctl log verify intent
	says 'slot 0 (sector 0): the checksum' 'slot 1 (sector 128): valid'
	wipe intent 65576 8
	cp intent before
	run -$DAMAGE jbdctl recover --home home --intent intent
	says 'no usable superblock' 'slot 0 at byte 0' 'slot 1 at byte 65536' --intent-lost
	run -$DAMAGE jbdctl log dump intent
	untouched
}

# Seen red: one slot written; the slots left as they are when there is no batch.
@test "whichever superblock is lost later, a batch that was applied is not applied again" {
	make_intent
	batches <<< 'batch 1 data:0+8'
	run -0 jbdctl recover --home home --intent intent
	[ "$(jbdctl log dump intent --json | jq -c '[.slots[].super.retired]')" = '[1,1]' ]
	for slot in 0 65536; do
		cp intent lost
		wipe lost $((slot + 40)) 8
		noise 8M > newer
		run -0 jbdctl recover --home newer --intent lost
		says 'Nothing to apply'
		cmp newer <(noise 8M)
		# the slot that was lost is written again
		[ "$(jbdctl log dump lost --json | jq -c '[.slots[].super.retired]')" = '[1,1]' ]
	done
	# a crash between the two
	batches <<< 'half 2'
	cp home applied
	cp intent before
	run -0 jbdctl recover --home home --intent intent --dry-run
	cmp home applied
	cmp intent before
	run -0 jbdctl recover --home home --intent intent
	[ "$(jbdctl log dump intent --json | jq -c '[.slots[].super.retired]')" = '[2,2]' ]
}

# Seen red: extents without their kind; the state of the older batch.
@test "log dump shows superblocks, batches and extents, and changes nothing" {
	make_intent
	batches <<< $'old 3 data:0+8\nbatch 4 discard:100+50 data:8+8 zeroes:3+1'
	cp intent before
	chmod 444 intent
	run -0 jbdctl log dump intent --extents
	says 'Batch 4 at sector 2048: pending, 3 extents, 4 KiB of data' 'Batch 3 at sector 9216: retired' \
		'data     home 8+8  sector 2088' 'discard  home 100+50' 'zeroes   home 3+1' 'retired up to batch 0'
	jbdctl log dump intent --json --extents > dump
	[ "$(jq '.intent_device' dump)" = true ]
	[ "$(jq '.slots | length' dump)" = 2 ]
	[ "$(jq -r '[.batches[] | [.batch, .state, .nr_extents, .payload_sectors]] | tostring' dump)" = \
		'[[4,"pending",3,8],[3,"retired",1,8]]' ]
	[ "$(jq -r '[.batches[0].extents[] | [.kind, .home, .len, .intent_sector]] | tostring' dump)" = \
		'[["discard",100,50,null],["data",8,8,2088],["zeroes",3,1,null]]' ]
	[ "$(jbdctl log dump intent --json | jq '.batches[0].extents')" = null ]
	[ "$(jbdctl log verify intent --json | jq -r '[.verdict, .batch, .payload_sectors, .emptied_sectors] | tostring')" = \
		'["good",4,8,51]' ]
	cmp intent before
}

@test "the slot of a retired batch may have been used since" {
	make_intent
	batches <<< $'old 3 data:0+8\nbatch 4 data:8+8'
	wipe intent $((1048576 + 7168 * 512 + 4096)) 4096
	run -0 jbdctl log dump intent --extents
	says 'has been used since' 'home 8+8'
	[ "$(jbdctl log dump intent --json --extents | jq '.batches[1].extents')" = null ]
	run -0 jbdctl recover --home home --intent intent
	cmp home expect
}
