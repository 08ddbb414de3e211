# SPDX-License-Identifier: GPL-2.0-only
# The log cannot be read back: whoever asks for that data is told, nothing goes home instead of it, and nothing is lost if the
# log comes back.
# Seen red: a read from the log that ends without its error; a checkpoint that takes what it cannot read for the end.
# vm: sample=6.1

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	modprobe dm-simdisk
	home=$(mkdisk home 64)
	log=$(mkdm sim-log simdisk "$(mkdisk log 16)" 1 0)
	vol=$(mkvol v "$home" "$log")
	fill "$vol" 0 8 first dsync
	fill "$vol" 64 8 second dsync
	# the next life has nothing in memory
	dmsetup remove v
	dmsetup remove v-home
	jbdctl open v "$home" "$log" --opt idle_ms=0
	empty=$(md5sum < "$home")
}

# unreadable: from now on. readable: again.
unreadable() { dmsetup message sim-log 0 fail read 1 0; }
readable() { dmsetup message sim-log 0 fail read 1000000000; }

@test "a read of what the log cannot give fails, and gives nothing else" {
	unreadable
	run -1 contents "$vol" 0 8
	[[ $output == *"Input/output error"* ]]
	zeroes "$vol" 128 8		# home's: nothing is wrong with it
	readable
	holds "$vol" 0 8 first
}

@test "a checkpoint of what the log cannot give stalls, says where, leaves the home as it is, and goes on" {
	allow_console 'journal: .*stalled'
	unreadable
	dmsetup message v 0 checkpoint
	stalled() { [[ $(vstat v 32) == log-unreadable:* ]]; }
	wait_for 20 stalled
	[ "$(vstat v 2)" = stalled ]
	run jbdctl checkpoint v --status
	[[ $output == *"log-unreadable"* ]]
	[ "$(md5sum < "$home")" = "$empty" ]
	# writes go on: they need no old record
	fill "$vol" 0 8 third dsync
	holds "$vol" 0 8 third
	readable
	checkpoint v
	[ "$(vstat v 32)" = - ]
	holds "$home" 0 8 third
	holds "$home" 64 8 second
}

@test "a log that cannot be read is not activated as if it were empty, nor changed" {
	allow_console 'dm-journal|journal: |I/O error|reload ioctl|table:'
	dmsetup remove v
	dmsetup remove v-home
	before=$(md5sum < "$log")
	refused=0
	for nth in 1 2 3 4 5 6; do
		dmsetup message sim-log 0 fail read $nth 0
		if jbdctl open v "$home" "$log" --opt idle_ms=0; then break; fi
		refused=$nth
	done
	echo "refused while read $refused and all behind it fail"
	[ "$refused" -ge 3 ]
	unreadable
	run ! jbdctl recover --log "$log" --home "$home" --quiet
	readable
	[ "$(md5sum < "$log")" = "$before" ]
	[ "$(md5sum < "$home")" = "$empty" ]
	jbdctl open v "$home" "$log" --opt idle_ms=0
	holds "$vol" 0 8 first
	holds "$vol" 64 8 second
}

@test "a read whose buffer changes under it is read again into own pages, and is no error" {
	# both halves go to the same memory, so what was read is no more than the second one
	run python3 - "$vol" <<-'END'
		import mmap, os, sys
		m = mmap.mmap(-1, 2048)
		fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
		print(os.preadv(fd, [memoryview(m)[:2048]] * 2, 0), flush=True)
		os.write(1, m[:2048])
	END
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 4096 ]
	[ "$(vstat v 15)" -gt 0 ]
	[[ $output == *"first 4"* && $output != *"first 0"* ]]
}
