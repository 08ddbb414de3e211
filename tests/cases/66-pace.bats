# SPDX-License-Identifier: GPL-2.0-only
# How fast the home is written when nobody waits, and when somebody does.
# Seen red: rate_mib parsed and not kept; the checkpoint target not told that somebody waits by now; the intent device
# given its share while the home is read from.
# vm: sample=6.12

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	home=$(mkdisk home 64 latency=1000)
	log=$(mkdisk log 32)
}

# read_on: from when it returns, the home is read from until the test ends.
read_on() {
	before=$(counter v-home 7)	# reads
	spawn fio --name=reads --filename="$vol" --rw=randread --bs=4k --direct=1 --offset=32m --time_based --runtime=600 --thread \
		--output=/dev/null
	wait_for 20 reads
}
reads() { [ "$(counter v-home 7)" -gt "$before" ]; }

# scatter COUNT: so many writes that are no neighbours.
scatter() {
	local i
	for ((i = 0; i < $1; i++)); do fill "$vol" $((i * 32)) 16 scattered; done
	sync "$vol"
}

# checkpoint_idly: the log is above its high mark; nobody waits.
checkpoint_idly() {
	dmsetup reload v --table "$(dmsetup table v | awk '{ $6 += 4; print $0, "high 1 low 0" }')"
	dmsetup suspend v
	dmsetup resume v
}

collected() { [ "$(counter v-home 17)" -ge "$1" ]; }

@test "rate_mib: 4 MiB take three seconds at least, and do not if they are asked for" {
	vol=$(mkvol v "$home" "$log" --opt rate_mib=1)
	fill "$vol" 0 8192 first
	sync "$vol"
	[ "$(vstat v 2)" = lagging ]
	# nobody waits: the log is above its high mark now
	start=$(ms)
	checkpoint_idly
	wait_for 60 is_home v
	took=$(($(ms) - start))
	echo "$took ms"
	[ $took -ge 3000 ]
	holds "$home" 0 8192 first
	fill "$vol" 0 8192 second
	start=$(ms)
	checkpoint v
	asked=$(($(ms) - start))
	echo "$asked ms when asked for"
	[ $asked -lt $took ]
	holds "$home" 0 8192 second
}

# hurries WORD..: with 60 writes on their way beside reads, one every half second or less, whoever asks for them waits for less.
hurries() {
	vol=$(mkvol v "$home" "$log" "$@")
	scatter 60
	read_on
	checkpoint_idly
	sent() { [ "$(vstat v 27)" -ge 59 ]; }	# home writes
	wait_for 20 sent
	run ! is_home v
	start=$(ms)
	checkpoint v
	took=$(($(ms) - start))
	echo "$took ms"
	[ $took -lt $((10000 * VM_SCALE)) ]
}

@test "who asks for what is on its way beside reads does not wait for its turns" {
	hurries
}

@test "the same with an intent device" {
	hurries --intent "$(mkdisk intent 8)"
}

@test "an intent device gets 256 KiB every 1.5 s while the home is read from" {
	vol=$(mkvol v "$home" "$log" --intent "$(mkdisk intent 16)")
	scatter 160
	read_on
	start=$(ms)
	checkpoint_idly
	wait_for 60 collected $((159 * 16))	# the last one waits for the log's promise
	took=$(($(ms) - start))
	echo "$took ms"
	[ $took -ge 5500 ]
}
