# SPDX-License-Identifier: GPL-2.0-only
# The command line: help, words, names, sizes, and who may.
load images

@test "every verb has help with an example" {
	run -0 jbdctl --help
	says 'Exit codes:' create open close remove list status checkpoint log recover
	for verb in create open close remove list status checkpoint 'log dump' 'log verify' recover; do
		run -0 jbdctl $verb --help
		says Usage: Example: "jbdctl $verb"
	done
}

@test "the version names the format" {
	run -0 jbdctl --version
	[[ $output =~ ^jbdctl\ [0-9.]+\ \(log\ format\ 1\)$ ]]
}

@test "wrong words are refused with exit code 1" {
	run -$USAGE jbdctl
	run -$USAGE jbdctl frobnicate
	says frobnicate
	run -$USAGE jbdctl create vol home
	says LOG
	run -$USAGE jbdctl create vol home log more --no-open
	says more
	run -$USAGE jbdctl log
	run -$USAGE jbdctl create vol home log --no-open --colour
	says --colour
	run -$USAGE jbdctl recover --log log
	says --home --onto
	run -$USAGE jbdctl recover --log log --home home --onto copy
	run -$USAGE jbdctl checkpoint v --no-wait --wait
	run -$USAGE jbdctl checkpoint v --json
	run -$USAGE jbdctl checkpoint v --watch
	says --watch --status
	run -$USAGE jbdctl checkpoint v --prometheus
	run -$USAGE jbdctl checkpoint v --status --prometheus --json
	run -$USAGE jbdctl checkpoint v --status --prometheus --watch
	run -$USAGE jbdctl status --json --prometheus
}

@test "a name that device-mapper does not take is refused" {
	for name in a/b 'a b' -x '' "$(printf 'x%.0s' {1..123})"; do
		run -$USAGE jbdctl create --no-open -- "$name" home log
		says "'$name' cannot be the name of a volume" letters
	done
	make_log
	run -$USAGE jbdctl open --dry-run -- a/b home log
	says a/b
}

@test "unknown options and bad values are named, with what there is" {
	run -$USAGE make_log --opt colour=blue
	says "unknown option 'colour'" staging_mib depth
	run -$USAGE make_log --opt high=most
	says "'high'" "'most'"
	run -$USAGE make_log --flush never
	says never flush=home
	run -$USAGE make_log --unit 3K
	says 3072 '512, 1024, 2048 or 4096'
	run -$USAGE make_log --unit big
	says "'big' is not a size"
	run -$USAGE make_log --record-kib 15
	says '15 KiB' 'between 16'
	cmp log <(head -c 4M /dev/zero)
}

# Seen red: an interval of 0 that was taken.
@test "a bad interval is named, and so is a volume in its place" {
	for interval in 0 0ms 1x -1; do
		run -$USAGE jbdctl checkpoint v --status --watch="$interval"
		says "$interval" 500ms
	done
	run -$USAGE jbdctl checkpoint --status --watch srv
	says "'srv' is not a time" 'name goes before --watch'
}

@test "who is not root is told so before anything is touched" {
	chmod 777 . && chmod 666 home log
	as_user() { if [ "$(id -u)" = 0 ]; then setpriv --reuid 65534 --clear-groups "$JBDCTL" "$@"; else jbdctl "$@"; fi; }
	for words in 'create vol home log' 'open vol home log' 'close vol' 'remove vol' list status 'checkpoint vol'; do
		run -$PERMISSION as_user $words
		says "'jbdctl ${words%% *}' has to be run as root" sudo
	done
	cmp log <(head -c 4M /dev/zero)
	run -0 as_user create vol home log --no-open
	chmod 600 log
	[ "$(id -u)" != 0 ] || { run -$PERMISSION as_user log verify log; says log 'Permission denied' 'as root'; }
}

@test "sizes and options reach the tables" {
	make_log
	run -0 jbdctl open vol home log --dry-run --flush home --opt high=80 --opt depth=8
	[ "${lines[0]}" = "vol-home: 0 16384 checkpoint home 2 depth 8" ]
	[ "${lines[1]}" = "vol: 0 16384 journal /dev/mapper/vol-home log 4 flush home high 80" ]
}
