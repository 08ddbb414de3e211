# SPDX-License-Identifier: GPL-2.0-only
# Replaying a log in userspace: the home is then what the journal would show.
load images

# mixed: three epochs with everything that a record can hold, and a torn one behind.
mixed() {
	records <<-'END'
	commit data:0+8 data:100+16
	commit data:4+8
	epoch
	commit discard:200+100 data:104+1 data:250+3
	commit zeroes:0+2
	epoch
	commit data:5000+64
	write data:5064+2
	torn data:6000+8
	END
}

@test "recover brings the home to the last whole record" {
	make_log
	mixed
	run -0 jbdctl recover --log log --home home
	says 'Replayed 6 records in 3 epochs' 'The log is empty now'
	cmp home expect
	run -0 jbdctl log verify log
	says 'good and empty'
	run -0 jbdctl recover --log log --home home
	says 'Nothing to replay'
	cmp home expect
}

@test "a dry run changes neither log nor home" {
	make_log
	mixed
	cp log before
	run -0 jbdctl recover --log log --home home --dry-run
	says 'Would replay 6 records'
	cmp log before
	cmp home <(noise 8M)
}

@test "recover onto a copy leaves log and home alone" {
	make_log
	mixed
	cp log before
	cp home copy
	chmod 444 log
	run -0 jbdctl recover --log log --onto copy
	says 'The log is as it was'
	cmp copy expect
	cmp log before
	cmp home <(noise 8M)
	truncate -s 7M copy
	run -$DEVICE jbdctl recover --log log --onto copy
	says 14336 16384
}

@test "many records over several laps of the log" {
	make_log --unit 512 --record-kib 16
	for lap in 1 2 3 4; do
		for i in {1..150}; do
			echo "commit data:$((i * 7 % 1000 * 16))+20 data:$((16000 - i))+9"
			[ $((i % 7)) != 0 ] || echo epoch
		done | records
		run -0 jbdctl recover --log log --home home --quiet
		says 'Replayed 150 records in 22 epochs'
		cmp home expect
	done
	[ "$(jbdctl log dump log --json | jq '[.slots[].super.tail_pos] | max')" -gt 12288 ]
}

@test "records before the tail are not replayed again" {
	make_log
	records <<-'END'
	commit data:0+8
	tail
	epoch
	commit data:8+8
	END
	run -0 jbdctl recover --log log --home home
	says 'Replayed 1 records'
	cmp -n 4096 home <(noise 8M)
	cmp -i 4096 home expect
}

@test "records of a branch that recovery gave up never come back" {
	make_log
	records <<-'END'
	commit data:0+8
	lost data:8+8
	write data:16+8
	END
	cp home was
	jbdctl recover --log log --home home
	run ! cmp -s home expect
	cmp -n 4096 home expect
	cmp -i 4096 home was
	cp home expect
	records <<< 'commit data:8+8'
	run -0 jbdctl recover --log log --home home
	says 'Replayed 1 records'
	cmp home expect
}

@test "a hole in front of durable records is damage, and needs --accept-loss" {
	make_log
	records <<-'END'
	commit data:0+8
	home good
	epoch
	lost data:8+8
	behind data:16+8
	behind data:24+8
	END
	run -$DAMAGE jbdctl log verify log
	says 'log is damaged' 'had been made durable' --accept-loss
	cp log before
	run -$DAMAGE jbdctl recover --log log --home home
	says 'damaged' 'Nothing was written' 'up to record 1'
	cmp log before
	cmp home <(noise 8M)
	run -0 jbdctl recover --log log --home home --accept-loss
	says 'giving up what follows record 1' 'Replayed 1 records'
	cmp home good
	run -0 jbdctl log verify log
	says 'good and empty'
}

@test "a flipped bit in durable payload is found and named" {
	make_log
	records <<-'END'
	commit data:0+8
	home good
	rotten data:800+8
	behind data:16+8
	END
	run -$DAMAGE jbdctl log verify log
	says 'record 2' 'home sectors 800+8' 'fails its checksum'
	run -$DAMAGE jbdctl recover --log log --home home
	cmp home <(noise 8M)
	run -0 jbdctl recover --log log --home home --accept-loss
	cmp home good
	run -0 jbdctl log verify log
	says 'good and empty'
}

@test "a log for another home, and a retired one, are refused" {
	make_log
	mixed
	truncate -s 9M home
	run -$DEVICE jbdctl recover --log log --home home
	says 18432 16384
	truncate -s 8M home
	run -$DEVICE jbdctl recover --log log --home log
	records <<< $'commit data:0+8\nretire'
	run -$DEVICE jbdctl recover --log log --home home
	says retired
	cmp home <(noise 8M)
}

@test "an image in use is refused" {
	make_log
	mixed
	run -$BUSY flock home "$JBDCTL" recover --log log --home home
	says 'home is in use'
	cmp home <(noise 8M)
}

@test "a log that was not stopped in order gets its barrier even when it is empty" {
	make_log
	records <<< $'torn data:0+8\nrunning'
	run -0 jbdctl recover --log log --home home
	says 'Replayed 0 records'
	cmp home <(noise 8M)
	[ "$(jbdctl log dump log --json | jq '[.slots[].super.recoveries] | max')" = 1 ]
}

# crash_at N: recover, but die at the N-th write or flush; false if there were fewer.
crash_at() {
	run env CRASH_AT="$1" LD_PRELOAD="$HERE/build/crash.so" "$JBDCTL" recover --log log --home home
	[ "$status" = 99 ]
}

# The process dies at each of its writes and flushes in turn, and the next one soon after it has begun. Then the home
# alone has every epoch before some one, and parts of that one only; and the same command, run again, gets to the same
# end. Seen red: without the superblock write before a batch, with the tail moved before the batch's flush, without the
# cut at the epoch.
@test "a crash at any write leaves a home in order, and recover goes on" {
	make_log
	cp home epoch0
	records <<-'END'
	commit data:0+8 data:100+16
	commit data:4+8 discard:300+8
	home epoch1
	epoch
	commit data:0+4 data:110+20
	home epoch2
	epoch
	commit data:2+4 zeroes:100+8
	commit data:0+1
	home epoch3
	epoch
	commit data:0+40
	home epoch4
	END
	cp home home.start
	cp log log.start
	for ((n = 1;; n++)); do
		cp home.start home
		cp log.start log
		crash_at $n || break
		python3 "$HERE/between.py" home epoch0 epoch1 epoch2 epoch3 epoch4
		crash_at $((n % 8 + 1)) || [ "$status" = 0 ]
		python3 "$HERE/between.py" home epoch0 epoch1 epoch2 epoch3 epoch4
		run -0 jbdctl recover --log log --home home
		cmp home expect
		run -0 jbdctl log verify log
		says 'good and empty'
	done
	[ "$status" = 0 ]
	cmp home expect
	echo "crashes: $((n - 1))"
	[ "$n" -gt 15 ]
}

# A checkpoint of three records had begun, so parts of any may be at home already: they are one batch.
@test "a batch that a checkpoint had begun is written as one" {
	make_log
	records <<-'END'
	commit data:0+8
	epoch
	commit data:0+4 data:50+8
	epoch
	commit data:50+8
	begun
	END
	cp log log.start
	for ((n = 1;; n++)); do
		cp expect home
		cp log.start log
		crash_at $n || break
		# what the checkpoint had already brought home never goes back
		cmp home expect
	done
	[ "$status" = 0 ]
	cmp home expect
	[ "$n" -gt 5 ]
}
