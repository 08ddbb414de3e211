# SPDX-License-Identifier: GPL-2.0-only
# Looking into a log.
load images

@test "log dump lists records and extents" {
	make_log
	records <<-'END'
	commit data:8+8 discard:100+50
	epoch
	commit zeroes:3+1
	torn data:0+8
	END
	run -0 jbdctl log dump log --extents
	says 'home 8+8' 'discard  home 100+50' 'zeroes   home 3+1' '2 records, 4 KiB of data' 'fails its checksum'
	run -0 jbdctl log dump log
	run ! grep -q 'home 8+8' <<< "$output"
}

@test "log dump --json is whole and has the same" {
	make_log
	records <<-'END'
	commit data:8+8 discard:100+50
	epoch
	commit zeroes:3+1
	END
	jbdctl log dump log --json --extents > dump
	[ "$(jq '.slots | length' dump)" = 2 ]
	[ "$(jq '.records | length' dump)" = 2 ]
	[ "$(jq -r '.records[0].extents[1].kind' dump)" = discard ]
	[ "$(jq '.records[0].extents[0].home' dump)" = 8 ]
	[ "$(jq '.records[1].epoch - .records[0].epoch' dump)" = 1 ]
	[ "$(jq '.records[1].emptied_sectors' dump)" = 1 ]
	[ "$(jq -r '.end.verdict' dump)" = end ]
	[ "$(jbdctl log dump log --json | jq '.records[0].extents')" = null ]
}

@test "log dump of an empty log and of a damaged one is JSON as well" {
	make_log
	[ "$(jbdctl log dump log --json | jq '.records | length')" = 0 ]
	records <<< $'commit data:0+8\nlost data:8+8\nbehind data:16+8\nbehind data:24+8'
	run -$DAMAGE --separate-stderr jbdctl log dump log --json
	[ "$(jq -r '.end.verdict' <<< "$output")" = damage ]
	[[ $stderr == *'log verify'* ]]
	wipe log 100 8
	wipe log 65636 8
	run -$DAMAGE --separate-stderr jbdctl log dump log --json
	[ "$(jq -r '.slots[0].verdict' <<< "$output")" = 'the checksum fails' ]
}

@test "log verify --json gives the verdict" {
	make_log
	[ "$(jbdctl log verify log --json | jq -r .verdict)" = empty ]
	records <<< 'commit data:0+8'
	[ "$(jbdctl log verify log --json | jq -r .verdict)" = good ]
	records <<< $'rotten data:8+8\nbehind data:0+8'
	run -$DAMAGE --separate-stderr jbdctl log verify log --json
	[ "$(jq -r .verdict <<< "$output")" = damaged ]
	[[ $(jq -r .damage <<< "$output") == *'home sectors 8+8'* ]]
}

@test "what is not a log is refused" {
	run -$DEVICE jbdctl log verify home
	says 'home is not a journal log'
	run -$DEVICE jbdctl log dump home
	says 'home is not a journal log'
	truncate -s 100 short
	run -$DEVICE jbdctl log verify short
	says 'short is not a journal log'
	run -$DEVICE jbdctl log verify /dev/null
	run -$DEVICE jbdctl log verify .
}

@test "a log cut short is refused" {
	make_log
	truncate -s 3M log
	run -$DAMAGE jbdctl log verify log
	says 'the size of the device'
}

@test "looking changes nothing" {
	make_log
	records <<< 'commit data:0+8'
	cp log before
	chmod 444 log
	jbdctl log dump log
	jbdctl log verify log
	cmp log before
}
