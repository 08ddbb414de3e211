# SPDX-License-Identifier: GPL-2.0-only
# Image files for Bats files that run jbdctl without a module: `load images`.
#
# What always holds: each test has a directory of its own, and is in it, with an 8 MiB home of noise and a 4 MiB device
# for a log.

bats_require_minimum_version 1.5.0

HERE=$BATS_TEST_DIRNAME
JBDCTL=${JBDCTL:-$(realpath "$HERE/../../ctl/build/jbdctl")}

# Exit codes, as jbdctl(8) lists them.
USAGE=1 PERMISSION=2 DEVICE=3 BUSY=4 DAMAGE=5 IO=6 INTERRUPTED=7

# Files run at the same time.
setup_file() { flock "$HERE" make -s -C "$HERE" build/mklog build/crash.so; }

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	noise 8M > home
	cp home expect
	truncate -s 4M log
}

jbdctl() { "$JBDCTL" "$@"; }

# noise SIZE: the same bytes each time.
noise() {
	yes 'the home as it was before any journal' | head -c "$1"
}

# make_log [OPTION..]: an empty log for home.
make_log() { jbdctl create vol home log --no-open "$@"; }

# records: write the script on standard input into the log, and what is to be expected of it into expect.
records() { "$HERE/build/mklog" log expect; }

# make_intent [OPTION..]: an empty log and intent device for home.
make_intent() {
	truncate -s 8M intent
	make_log --intent intent "$@"
}

# batches: write the script on standard input into the intent device, and what is to be expected of it into expect.
batches() { python3 "$HERE/mkintent.py" intent expect; }

# intent_super FIELD: of the newest superblock.
intent_super() { jbdctl log dump intent --json | jq -r "[.slots[].super | values] | max_by(.generation).$1"; }

# log_super FIELD
log_super() { jbdctl log dump log --json | jq -r "[.slots[].super | values] | max_by(.generation).$1"; }

# untouched: neither home nor intent device, which was saved as before, is changed.
untouched() { cmp home <(noise 8M) && cmp intent before; }

# says TEXT..: the output of the last run has each of them.
says() {
	local text
	for text; do
		[[ $output == *"$text"* ]] || { echo "does not say: $text"; echo "says: $output"; return 1; }
	done
}

# poke FILE BYTE TEXT: overwrite in place.
poke() { printf '%s' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# wipe FILE BYTE COUNT
wipe() { dd if=/dev/zero of="$1" bs=1 seek="$2" count="$3" conv=notrunc status=none; }
