# SPDX-License-Identifier: GPL-2.0-only
# How far the home is behind, as jbdctl shows it while it happens: parts of the log, lateness, stalls, --watch, Prometheus.
# Seen red, each in its test: what a mark keeps from the home counted as lagging; a batch that is not shown; a lag that
# raises no event; a watch that sleeps through an event; one that ends in an error at Ctrl-C, or goes on when the volume
# is gone; a stall without its reason.
# vm: sample=6.12

load helpers
load volumes

DEVICE=3

setup() {
	vm_setup
	load_modules dm-simdisk dm-checkpoint dm-journal
	home=$(mkdm sim-home simdisk "$(mkdisk home 64)" 1 0)
	log=$(mkdisk log 32)
}

teardown() {
	dmsetup message sim-home 0 release
	vm_teardown
}

json() { jbdctl checkpoint v --status --json | jq -r "$1"; }
is() { [ "$(json "$1")" = "$2" ]; }
at_least() { [ "$(json "$1")" -ge "$2" ]; }
events() { dmsetup info -c --noheadings -o events v; }
lines() { [ "$(wc -l < "$1")" -ge "$2" ]; }
finds() { [ "$(grep -c -- "$1" "$2")" -ge "$3" ]; }

@test "the parts of the log: what waits, what a mark keeps, what is in memory only, what is on its way" {
	vol=$(mkvol v "$home" "$log" --opt autocommit_ms=60000)
	fill "$vol" 0 64 before dsync
	jbdctl mark v one
	before=$(json .log.used_bytes)
	fill "$vol" 100 128 after dsync
	fill "$vol" 300 8 volatile
	# one look, before it is committed after all
	parts=$(json .log)
	[ "$(jq .checkpointing_bytes <<< "$parts")" -eq 0 ]
	[ "$(jq .lagging_bytes <<< "$parts")" -eq "$before" ]
	[ "$(jq .held_bytes <<< "$parts")" -ge $((128 * 512)) ]
	[ "$(jq .uncommitted_bytes <<< "$parts")" -ge $((8 * 512)) ]
	[ "$(jq '.lagging_bytes + .held_bytes + .uncommitted_bytes - .used_bytes' <<< "$parts")" -eq 0 ]
	[ "$(jq '.used_bytes + .free_bytes - .total_bytes' <<< "$parts")" -eq 0 ]
	run -0 jbdctl checkpoint v --status
	says 'v: lagging, marked' '[#' '# lagging' '= held' '+ uncommitted' 'marks: one' 'home=consistent@' 'strict'

	dmsetup message sim-home 0 hang write
	dmsetup message v 0 checkpoint
	wait_for 20 holds_back home
	is .log.checkpointing_bytes "$before"
	is .log.lagging_bytes 0
	is .state checkpointing
	run -0 jbdctl checkpoint v --status
	says '[>' '> checkpointing'
	dmsetup message sim-home 0 release
	wait_for 20 is .log.checkpointing_bytes 0
	is .log.lagging_bytes 0
	is '.log | .held_bytes + .uncommitted_bytes - .used_bytes' 0
	is .eta_seconds null	# the mark keeps what is in memory only as well
	jbdctl checkpoint v --release
	checkpoint v
	is .log.used_bytes 0
	is .epochs_behind 0
}

@test "a lag beyond max_lag_ms is late, in every status, and an event says so; and when it is not" {
	vol=$(mkvol v "$home" "$log" --opt max_lag_ms=300)
	jbdctl checkpoint v --hold
	spawn dmsetup wait v "$(events)"
	waiter=$!
	spawn jbdctl checkpoint v --status --watch 1h --json > /tmp/watched
	watcher=$!
	wait_for 20 lines /tmp/watched 1
	is .late false
	fill "$vol" 0 8 some dsync
	wait_for 30 ended "$waiter"
	is .late true
	at_least .lag_ms 300
	is .max_lag_ms 300
	[ "$(jbdctl status v --json | jq -c '[.late, .max_lag_ms]')" = '[true,300]' ]
	[ "$(jbdctl list --json | jq '.[0].late')" = true ]
	# the watch of an hour has seen it, too
	wait_for 20 lines /tmp/watched 2
	[ "$(sed -n 2p /tmp/watched | jq .late)" = true ]
	kill "$watcher"
	wait "$watcher"
	for words in list 'status v' 'checkpoint v --status' 'checkpoint --status'; do
		run -0 jbdctl $words
		says 'lagging, held, late'
	done
	run -0 jbdctl checkpoint v --status
	says 'max_lag_ms is 300: late' 'jbdctl checkpoint v --release'

	spawn dmsetup wait v "$(events)"
	waiter=$!
	jbdctl checkpoint v --release
	wait_for 30 ended "$waiter"
	wait_for 20 is .late false
	is .state clean
}

@test "a stall is shown with its reason and the next step, until it is over" {
	allow_console 'journal: .*stalled|checkpoint: |I/O error'
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 8 some dsync
	dmsetup message sim-home 0 fail write 1 0
	dmsetup message v 0 checkpoint
	wait_for 20 is .state stalled
	run -0 jbdctl checkpoint v --status
	says 'v: stalled: home-write:' "Reason      home-write at record" "$home did not take a write" \
		'Next        See the kernel log' 'Meanwhile   Nothing is lost' 'nothing goes home now'
	run -0 jbdctl status v
	says "$home did not take a write" 'Next  '
	[[ $(json .reason) == home-write:* ]]
	[[ $(json .next_step) == *dmesg* ]]
	is .eta_seconds null
	run -0 jbdctl checkpoint --status
	says 'stalled: home-write'
	run -0 jbdctl status --prometheus
	says 'jbd_checkpoint_state{volume="v",state="stalled"} 1'
	dmsetup message sim-home 0 heal
	wait_for 20 is .state clean
	is .reason null
	is .next_step null
	run -0 jbdctl checkpoint v --status
	[[ $output != *Reason* ]]
}

@test "--watch under load: lines of JSON, blocks of text, redrawn on a terminal; Ctrl-C ends it without error" {
	vol=$(mkvol v "$home" "$log" --opt high=20 --opt low=10)
	spawn fio --name=load --filename="$vol" --direct=1 --rw=randwrite --bs=4k --size=32m --io_size=100g --fsync=8 --time_based \
		--runtime=600 --output=/dev/null
	spawn jbdctl checkpoint v --status --watch 100ms --json > /tmp/json
	watchers=$!
	spawn jbdctl checkpoint v --status --watch=100ms > /tmp/text
	watchers+=" $!"
	spawn jbdctl checkpoint --status --watch > /tmp/table
	watchers+=" $!"
	# a terminal of its own, where SIGINT is not ignored as it is in the background
	spawn script -qec "echo \$\$ > /tmp/pid; exec env --default-signal=INT jbdctl checkpoint v --status --watch 100ms" /tmp/screen > /dev/null
	terminal=$!
	wait_for 60 lines /tmp/json 4
	wait_for 60 finds '^v: ' /tmp/text 3
	wait_for 60 finds '^NAME ' /tmp/table 2
	wait_for 60 finds $'\e\\[J' /tmp/screen 3
	kill $watchers
	for pid in $watchers; do wait "$pid"; done
	kill -INT "$(cat /tmp/pid)"
	wait "$terminal"

	[ "$(jq -s 'all(.name == "v" and .log.total_bytes == (.log | .checkpointing_bytes + .lagging_bytes + .held_bytes + .uncommitted_bytes + .free_bytes))' /tmp/json)" = true ]
	[ "$(jq -s length /tmp/json)" -eq "$(wc -l < /tmp/json)" ]
	[ "$(grep -c '^$' /tmp/text)" -eq $(($(grep -c '^v: ' /tmp/text) - 1)) ]
	[ "$(tail -n 1 /tmp/text)" ]
	if grep -q $'\e' /tmp/text; then false; fi
	# nothing is cleared before it is drawn over
	if grep -q $'\e\\[2J' /tmp/screen; then false; fi
}

@test "--watch says that the volume is gone, and ends; one that never was is not called gone" {
	vol=$(mkvol v "$home" "$log")
	spawn jbdctl checkpoint v --status --watch 100ms > /tmp/text 2> /tmp/error
	watcher=$!
	wait_for 20 finds '^v: ' /tmp/text 1
	jbdctl close v
	wait_for 20 ended "$watcher"
	status=0
	wait "$watcher" || status=$?
	[ "$status" -eq $DEVICE ]
	grep 'the volume v is gone' /tmp/error
	run -$DEVICE jbdctl checkpoint v --status --watch
	says 'there is no volume v'
}

@test "Prometheus gets the figures of all volumes, also of a broken one" {
	vol=$(mkvol v "$home" "$log" --opt max_lag_ms=60000)
	mkvol w "$(mkdisk home2 16)" "$(mkdisk log2 16)"
	dmsetup remove w
	jbdctl checkpoint v --hold
	fill "$vol" 0 64 some dsync
	run -0 jbdctl status --prometheus
	says 'jbd_up{volume="v"} 1' 'jbd_up{volume="w"} 0' 'jbd_late{volume="v"} 0' 'jbd_max_lag_seconds{volume="v"} 60.000' \
		'jbd_held{volume="v"} 1' 'jbd_lag_bytes{volume="v"} 32768' 'jbd_writes_total{volume="v"} 1' \
		"jbd_log_used_bytes{volume=\"v\"} $(json .log.used_bytes)" \
		"jbd_log_part_bytes{volume=\"v\",part=\"held\"} $(json .log.held_bytes)" \
		'jbd_home_alone{volume="v",state="consistent"} 1'
	# each line is a comment or a sample
	[ -z "$(grep -Ev '^# (HELP|TYPE) jbd_[a-z_]+ .|^jbd_[a-z_]+\{volume="[vw]"(,[a-z]+="[a-z]+")?\} [0-9.]+$' <<< "$output")" ]
	run -0 jbdctl checkpoint v --status --prometheus
	says 'jbd_up{volume="v"} 1'
	[[ $output != *'volume="w"'* ]]
}
