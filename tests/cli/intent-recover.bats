# SPDX-License-Identifier: GPL-2.0-only
# Intent devices in userspace: what jbdctl recover makes of them. The batches are written by mkintent.py, from docs/format.md
# alone.
load images

# Seen red: applied again although retired; not retired.
@test "a complete batch is applied once, exactly" {
	make_intent
	batches <<< 'batch 1 data:0+8 data:100+16 data:5+1 data:16383+1'
	run -0 jbdctl log verify intent
	says 'batch 1 (4 extents, 13 KiB of data)' 'in part only'
	run -0 jbdctl recover --home home --intent intent
	says 'Applied batch 1 (4 extents, 13 KiB of data) to home'
	cmp home expect
	[ "$(intent_super retired)" = 1 ]
	run -0 jbdctl log verify intent
	says 'good and empty'
	noise 8M > home
	run -0 jbdctl recover --home home --intent intent
	says 'Nothing to apply'
	cmp home <(noise 8M)
}

# Seen red: zeroes and discards not written; payload taken to be as long as the extents without payload.
@test "discards and zeroes of a batch reach the home" {
	make_intent
	batches <<< 'batch 1 discard:0+2000 data:3000+8 zeroes:3008+1 data:3009+7 discard:16000+384 zeroes:8000+4096'
	run -0 jbdctl recover --home home --intent intent
	says '6 extents' 'discarded or zeroed'
	cmp home expect
}

# Seen red: the descriptors of the first block only; a payload longer than the buffer.
@test "a batch of many descriptor blocks, and an extent longer than any buffer" {
	make_intent
	batches <<< "batch 1 $(for ((i = 0; i < 700; i++)); do printf 'data:%d+1 ' $((i * 3)); done) data:4000+5000 zeroes:12000+1"
	run -0 jbdctl recover --home home --intent intent
	says '702 extents'
	cmp home expect
}

# Seen red: the checksum of the commit block not compared.
@test "a torn commit block is no batch" {
	make_intent
	batches <<< 'torn 1 data:0+8'
	# what the sectors held before is zero, and so are the reserved bytes: this one is whole all the same
	run -0 jbdctl log verify intent
	says 'holds batch 1'
	poke intent $((1048576 + 7168 * 512 + 4000)) stale
	cp intent before
	run -0 jbdctl recover --home home --intent intent
	says 'Nothing to apply'
	untouched
	run -0 jbdctl log dump intent
	says 'No batch at sector 9216'
}

# Seen red: the batch before, which is whole, applied when the newest one is torn, though it is retired.
@test "behind a torn commit block the batch before it counts, until it is retired" {
	make_intent
	batches <<< $'batch 4 data:0+8\nold 3 data:50+8\nold 5 data:0+4 data:80+1'
	wipe intent $((1048576 + 7168 * 512)) 512
	run -0 jbdctl log verify intent
	says 'holds batch 4'
	cp intent start
	run -0 jbdctl recover --home home --intent intent
	cmp home expect
	cp start intent
	batches <<< 'retire 4'
	noise 8M > home
	cp intent before
	run -0 jbdctl recover --home home --intent intent
	says 'Nothing to apply'
	untouched
}

# Seen red: the slots in their order and the last valid one taken; both applied; the smaller number taken.
@test "a stale batch in the other slot is never applied" {
	make_intent
	for newest in 4 5; do
		noise 8M > home
		noise 8M > expect
		batches <<< "old $((newest - 1)) data:0+8 data:50+8"$'\n'"batch $newest data:4+8 zeroes:200+1"
		run -0 jbdctl recover --home home --intent intent
		says "Applied batch $newest"
		cmp home expect
		[ "$(intent_super retired)" = $newest ]
	done
}

# Seen red: `retired` compared with >= in place of >, which gives the same batch again, and with the other slot's number.
@test "a retired batch is not applied again" {
	make_intent
	batches <<< $'old 6 data:0+8\nold 7 data:8+8\nretire 7'
	cp intent before
	run -0 jbdctl recover --home home --intent intent
	says 'Nothing to apply'
	untouched
	run -0 jbdctl log dump intent
	says 'Batch 6 at sector 2048: retired' 'Batch 7 at sector 9216: retired'
	batches <<< 'batch 8 data:9+3'
	run -0 jbdctl recover --home home --intent intent
	cmp home expect
}

# Each damage is in what comes last, so that whoever applies before all was verified has written something by then.
# Seen red: the payload's checksum compared while it is applied; no comparison of the descriptors' checksum, of the sum of
# the payload, of an extent's end.
@test "a committed batch with damage is refused, and nothing of it is written" {
	make_intent
	cp intent empty
	while read -r script; do
		cp empty intent
		batches <<< "$script"
		cp intent before
		run -$DAMAGE jbdctl recover --home home --intent intent
		says 'batch 1 was committed, but' 'Nothing was written'
		untouched
		run -$DAMAGE jbdctl log verify intent
		says 'batch 1 was committed, but'
		run -$DAMAGE --separate-stderr jbdctl log verify intent --json
		[ "$(jq -r .verdict <<< "$output")" = damaged ]
		run -$BUSY make_log --intent intent --dry-run
	done <<-'END'
	rotten 1 data:0+8 data:100+8 zeroes:300+1 data:200+8
	lost 1 data:0+8 data:100+8
	beyond 1 data:0+8 data:100+8 discard:200+8
	lie 1 payload_len=15 data:0+8 data:100+8
	lie 1 nr_extents=1 data:0+8 data:100+8
	lie 1 desc_crc=1 data:0+8
	END
	cp empty intent
	batches <<< 'rotten 1 data:0+8 data:7000+3'
	run -$DAMAGE jbdctl recover --home home --intent intent
	says 'home sectors 7000+3 at sector 9264'
}

@test "commit blocks that contradict the superblock are no batches" {
	make_intent
	while read -r script; do
		batches <<< "$script"
		cp intent before
		run -0 jbdctl recover --home home --intent intent
		says 'Nothing to apply'
		untouched
	done <<-'END'
	lie 1 batch=2 data:0+8
	lie 1 nr_extents=0 data:0+8
	lie 1 nr_extents=1025 data:0+8
	lie 1 payload_len=7129 data:0+8
	lie 1 nonce=5 data:0+8
	END
}

# Seen red: the log replayed first; retired only after the log.
@test "with a log the batch comes first, then the log" {
	make_intent
	batches <<< 'batch 1 data:0+8 data:100+16'
	records <<-'END'
	commit data:4+8
	epoch
	commit zeroes:110+20
	END
	run -0 jbdctl recover --home home --log log --intent intent
	[[ $output == *'Applied batch 1'*'Replayed 2 records'* ]]
	cmp home expect
	run -0 jbdctl recover --home home --log log --intent intent
	says 'Nothing to replay'
	cmp home expect
	run -0 jbdctl open vol home log --intent intent --dry-run
}

# Seen red: a bound log replayed without its intent device; --intent-lost that leaves the log bound.
@test "a bound log is not replayed without its intent device, unless that is lost" {
	make_intent
	uuid=$(intent_super uuid)
	records <<< 'commit data:4+8'
	cp log log.before
	run -$DEVICE jbdctl recover --home home --log log
	says "bound to the intent device $uuid" --intent-lost
	cp intent own
	truncate -s 4M log2
	jbdctl create other home log2 --no-open --intent intent --force
	run -$DEVICE jbdctl recover --home home --log log --intent intent
	says "bound to the intent device $uuid" "intent is $(intent_super uuid)"
	run -$DEVICE jbdctl recover --onto home --log log
	cmp home <(noise 8M)
	cmp log log.before
	run -$USAGE jbdctl recover --home home --log log --intent own --intent-lost
	run -0 jbdctl recover --home home --log log --intent-lost --dry-run
	cmp log log.before
	run -0 jbdctl recover --home home --log log --intent-lost
	cmp home expect
	[ "$(log_super intent_uuid)" = null ]
	run -0 jbdctl open vol home log --dry-run
	run -$DEVICE jbdctl open vol home log --intent own --dry-run
}

# Seen red: the batch applied before the log was judged; --accept-loss, which mixes what the batch has with older records, in a copy, too.
@test "nothing is applied above a damaged log, but without the log" {
	make_intent
	batches <<< 'batch 1 data:0+8 data:16+8'
	cp expect applied
	records <<-'END'
	commit data:0+8
	epoch
	lost data:8+8
	behind data:16+8
	behind data:24+8
	begun
	END
	cp intent before
	cp log log.before
	for accept in '' --accept-loss; do
		run -$DAMAGE jbdctl recover --home home --log log --intent intent $accept
		says 'Nothing was written' 'recover --intent intent --home home'
		untouched
		cmp log log.before
		cp home copy
		run -$DAMAGE jbdctl recover --onto copy --log log --intent intent $accept
		says 'Nothing was written' 'recover --intent intent --onto copy'
		cmp copy home
	done
	run -0 jbdctl recover --home home --intent intent
	cmp home applied
	run -0 jbdctl recover --home home --log log --intent-lost --accept-loss
}

@test "a damaged batch keeps the log from being replayed" {
	make_intent
	batches <<< 'rotten 1 data:0+8'
	records <<< 'commit data:4+8'
	cp log log.before
	cp intent before
	run -$DAMAGE jbdctl recover --home home --log log --intent intent
	says 'batch 1 was committed, but'
	untouched
	cmp log log.before
}

# Seen red: the batch retired although it went to a copy; a dry run that applies.
@test "a dry run, and a recovery onto a copy, leave the devices alone" {
	make_intent
	batches <<< 'batch 1 data:0+8 data:100+16'
	records <<< 'commit data:4+8'
	cp log log.before
	cp intent before
	chmod 444 log intent
	run -0 jbdctl recover --home home --log log --intent intent --dry-run
	says 'Would apply batch 1 (2 extents, 12 KiB of data) to home' 'Would replay 1 records'
	noise 8M > copy
	run -0 jbdctl recover --onto copy --log log --intent intent
	cmp copy expect
	untouched
	cmp log log.before
	truncate -s 7M copy
	run -$DEVICE jbdctl recover --onto copy --intent intent
	says 14336 16384
}

@test "recover wants a source and a place" {
	run -$USAGE jbdctl recover --home home
	says --log --intent
	make_intent
	run -$USAGE jbdctl recover --intent intent
	says --home --onto
	run -$DEVICE jbdctl recover --home intent --intent intent
	says same
	run -$DEVICE jbdctl recover --home home --intent log
	says 'log is not an intent device'
	run -$BUSY flock intent "$JBDCTL" recover --home home --intent intent
	says 'intent is in use'
}

# crash_at N WORD..: recover, but die at the N-th write or flush; false if there were fewer.
crash_at() {
	local n=$1
	shift
	run env CRASH_AT="$n" LD_PRELOAD="$HERE/build/crash.so" "$@" "$JBDCTL" recover --home home --intent intent
	[ "$status" = 99 ]
}

# in_order: the batch is retired only if the home has all of it.
in_order() {
	python3 "$HERE/between.py" home before.home expect
	[ "$(intent_super retired)" = 0 ] || cmp home expect
}

# The process dies at each of its writes and flushes in turn, with and without what had not been flushed, and the next one
# soon after it has begun. Seen red: retired before the home was flushed, or before it was written; the home not flushed;
# the first write to the home before the flush of the intent device.
@test "a crash at any write leaves the batch to be applied, and the next recovery gives the same home" {
	make_intent
	cp home before.home
	batches <<< 'batch 1 data:0+8 zeroes:20+5 data:100+16 discard:7000+64 data:4000+2100'
	cp intent intent.start
	for loses in '' CRASH_LOSES=1; do
		for ((n = 1;; n++)); do
			cp before.home home
			cp intent.start intent
			crash_at $n $loses || break
			[ $n != 1 ] || cmp home before.home
			in_order
			crash_at $((n % 5 + 1)) $loses || [ "$status" = 0 ]
			in_order
			run -0 jbdctl recover --home home --intent intent
			cmp home expect
			[ "$(intent_super retired)" = 1 ]
		done
		[ "$status" = 0 ]
		cmp home expect
		echo "crashes: $((n - 1))"
		[ "$n" -gt 9 ]
	done
}

# Seen red: an error of a write or of a flush passed over.
@test "an error at any write is reported, retires nothing, and the next recovery gives the same home" {
	make_intent
	cp home before.home
	batches <<< 'batch 1 data:0+8 zeroes:20+5 data:100+16 discard:5000+64'
	cp intent intent.start
	zeroes=0
	for ((n = 1;; n++)); do
		cp before.home home
		cp intent.start intent
		crash_at $n CRASH_FAILS=1 || :
		[ "$status" != 0 ] || { cmp home expect; [ "$n" -le 10 ] || break; zeroes=$((zeroes + 1)); continue; }
		[ "$status" = $IO ]
		in_order
		run -0 jbdctl recover --home home --intent intent
		cmp home expect
	done
	# a hole that cannot be made is written as zeroes
	[ "$zeroes" = 2 ]
}

# A batch, and the log behind it: the home is never anything but between two neighbouring states.
# Seen red: the log replayed before the batch was retired, and its batch applied again over what is newer.
@test "a crash in the recovery of both never lets the batch come back over the log" {
	make_intent
	cp home before.home
	batches <<< 'batch 1 data:0+8 data:100+16'
	cp expect epoch0
	records <<-'END'
	commit data:4+8
	home epoch1
	epoch
	commit data:0+2 zeroes:110+20
	home epoch2
	END
	cp intent intent.start
	cp log log.start
	for ((n = 1;; n++)); do
		cp before.home home
		cp intent.start intent
		cp log.start log
		run env CRASH_AT=$n CRASH_LOSES=1 LD_PRELOAD="$HERE/build/crash.so" "$JBDCTL" recover --home home --log log --intent intent
		[ "$status" = 99 ] || break
		python3 "$HERE/between.py" home before.home epoch0 epoch1 epoch2
		run -0 jbdctl recover --home home --log log --intent intent
		cmp home expect
	done
	[ "$status" = 0 ]
	cmp home expect
	echo "crashes: $((n - 1))"
	[ "$n" -gt 15 ]
}
