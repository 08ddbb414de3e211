# SPDX-License-Identifier: GPL-2.0-only
# Helpers for Bats files that run as root in the test machine. A file says `load helpers` and gets this setup and
# teardown; one with its own calls vm_setup first and vm_teardown last.
#
# What always holds: after a test no dm device, null_blk disk, mount or reference to a module under test is left, and the
# kernel has said nothing of bad-lines' kind; otherwise the test that just ran fails. Modules stay until the file's end:
# to insert and remove them takes longer than most tests.

# A script of vm boot may source this file for the other helpers.
if [ "${BATS_VERSION-}" ]; then
	bats_require_minimum_version 1.5.0
	setup() { vm_setup; }
	teardown() { vm_teardown; }
	teardown_file() { unload_modules; }
fi

vm_setup() {
	# Bats notes the place before each command; in the test's own lines only, and a test takes a third of the time. A failure
	# in a function is told of the line that called it.
	set +T
	declare -ft "$BATS_TEST_NAME" teardown vm_teardown bats_error_trap bats_check_status_from_trap
	VM_JOBS=()
	dmesg --clear		# the host keeps it all
	echo "vm-test: begin $BATS_TEST_NUMBER $BATS_TEST_DESCRIPTION" > /dev/kmsg
}

# allow_console RE: this test may cause console lines that match.
allow_console() {
	echo "vm-test: allow $1" > /dev/kmsg
}

# console: the kernel's lines since the test began, without its marks.
console() {
	dmesg --notime | awk '
		/^vm-test: begin / { n = 0 }
		!/^vm-test: / { line[n++] = $0 }
		END { for (i = 0; i < n; i++) print line[i] }'
}

# bad_console: those of the lines that fail a test; false if there is none.
bad_console() {
	dmesg --notime | awk '
		FILENAME != "-" { bad = bad (bad ? "|" : "") $0; next }
		/^vm-test: begin / { n = 0; allowed = ""; next }
		/^vm-test: allow / { sub(/^vm-test: allow /, ""); allowed = allowed (allowed ? "|" : "") $0; next }
		!/^vm-test: / && $0 ~ bad { line[n++] = $0 }
		END {
			for (i = 0; i < n; i++)
				if (!allowed || line[i] !~ allowed) {
					print line[i]
					found = 1
				}
			exit !found
		}' /vm/bad-lines -
}

# load_modules [NAME..]: insert modules under test (all without a name).
load_modules() {
	local ko
	[ $# -gt 0 ] || set -- $(modules_under_test)
	for ko; do modprobe "$ko"; done
}

# modules_under_test: the names of the modules that the payload brought.
modules_under_test() {
	local ko
	for ko in /vm/modules/*.ko; do
		ko=${ko##*/}
		[ "$ko" = '*.ko' ] || echo "${ko%.ko}"
	done
}

# unload_modules: remove those under test that are loaded.
unload_modules() {
	local name
	for name in $(modules_under_test); do
		[ ! -d "/sys/module/${name//-/_}" ] || rmmod "$name" || return
	done
}

# spawn COMMAND..: run it in the background, away from Bats's own descriptor; teardown ends it. Its pid is $!.
spawn() {
	"$@" 3>&- &
	VM_JOBS+=($!)
}

# runs PID, ended PID: for wait_for; a zombie has ended.
runs() { [[ $(ps -o stat= -p "$1") == [!Z]* ]]; }
ended() { if runs "$1"; then return 1; fi; }

# suspends PID: for wait_for; it waits in the kernel until bios in flight have ended.
suspends() { [[ $(cat "/proc/$1/wchan") == dm_wait* ]]; }

# ms: since the machine started.
ms() { awk '{ print int($1 * 1000) }' /proc/uptime; }

# says TEXT..: the output of the last run has each of them.
says() {
	local text
	for text; do
		[[ $output == *"$text"* ]] || { echo "does not say: $text"; echo "says: $output"; return 1; }
	done
}

# wait_for SECONDS COMMAND..: until it succeeds. The seconds are those of an idle host.
wait_for() {
	local end=$((SECONDS + $1 * VM_SCALE))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "waited in vain for: $*"; return 1; }
		read -r -t 0.05 <> <(:) || :
	done
}

# mkdisk NAME MIB [KEY=VALUE..]: make a disk in RAM and print its path. Keys: cache=MIB (0: no volatile cache; with one
# it does flush and FUA), fua=0|1 (where the kernel lets choose), blocksize=BYTES, latency=MICROSECONDS, queues=N,
# depth=N, discard=0|1.
mkdisk() {
	local name=$1 mib=$2 dir=/sys/kernel/config/nullb/$1 word
	local cache=16 fua= blocksize=512 latency=0 queues=1 depth=64 discard=1
	shift 2
	for word; do
		case $word in
		cache=*|fua=*|blocksize=*|latency=*|queues=*|depth=*|discard=*) local "$word" ;;
		*) echo "mkdisk: unknown word $word" >&2; return 1 ;;
		esac
	done
	mkdir "$dir" || return
	(
		cd "$dir" || exit
		while read -r attribute value; do
			[ -z "$value" ] || echo "$value" > "$attribute" || exit
		done <<- END
			size $mib
			blocksize $blocksize
			submit_queues $queues
			hw_queue_depth $depth
			memory_backed 1
			cache_size $cache
			discard $discard
			fua $fua
			irqmode $([ "$latency" = 0 ] || echo 2)
			completion_nsec $((latency * 1000))
			power 1
		END
	) || { rmdir "$dir"; return 1; }
	# Later kernels name the disk after its directory.
	if [ -b "/dev/$name" ]; then
		echo "/dev/$name"
	else
		echo "/dev/nullb$(cat "$dir/index")"
	fi
}

# rmdisk NAME
rmdisk() {
	echo 0 > "/sys/kernel/config/nullb/$1/power"
	rmdir "/sys/kernel/config/nullb/$1"
}

# sectors DEVICE
sectors() { blockdev --getsz "$1"; }

# queue DEVICE ATTRIBUTE [VALUE]: what sysfs says of its queue, or is told.
queue() {
	local major minor attribute
	read -r major minor < <(stat -L -c '0x%t 0x%T' "$1")
	attribute=/sys/dev/block/$((major)):$((minor))/queue/$2
	if [ $# -gt 2 ]; then echo "$3" > "$attribute"; else cat "$attribute"; fi
}

# mkdm NAME TARGET WORD..: a dm device of one target, as long as the first device among the words; prints its path.
mkdm() {
	local name=$1 word
	shift
	for word; do
		[ ! -b "$word" ] || break
	done
	dmsetup create "$name" --table "0 $(sectors "$word") $*" && echo "/dev/mapper/$name"
}

# counter NAME N: field N, counted from 1, of the status line's own words.
counter() {
	dmsetup status "$1" | awk -v n="$2" '{ print $(n + 3) }'
}

# fill DEVICE SECTOR COUNT TEXT [DDFLAG..]: write COUNT sectors that repeat TEXT, each with its own sector number, past
# the page cache in one write.
fill() {
	local device=$1 sector=$2 count=$3 text=$4
	shift 4
	pattern "$sector" "$count" "$text" | dd of="$device" bs=$((count * 512)) seek=$((sector * 512)) count=1 \
		iflag=fullblock oflag="direct,seek_bytes${1:+,$1}" conv=notrunc status=none
}

# pattern SECTOR COUNT TEXT: what fill writes.
pattern() {
	awk -v s="$1" -v n="$2" -v t="$3" 'BEGIN {
		for (i = s; i < s + n; i++) {
			block = sprintf("%s %d\n", t, i)
			line = block
			while (length(line) < 512) line = line block
			printf "%s", substr(line, 1, 512)
		}
	}'
}

# contents DEVICE SECTOR COUNT: read past the page cache in one read.
contents() {
	dd if="$1" bs=$(($3 * 512)) skip=$(($2 * 512)) count=1 iflag=direct,skip_bytes,fullblock status=none
}

# holds DEVICE SECTOR COUNT TEXT: true if the sectors are what fill wrote with TEXT.
holds() {
	cmp -s <(pattern "$2" "$3" "$4") <(contents "$@")
}

# zeroes DEVICE SECTOR COUNT: true if the sectors are zero.
zeroes() {
	cmp -s -n $(($3 * 512)) /dev/zero <(contents "$@")
}

# start_udev: run udevd for the rest of the file.
start_udev() {
	. /vm/bin/start-udev
}

# vm_clean: take down what the test left, in the order in which it was stacked.
vm_clean() {
	local job mount name left
	for job in "${VM_JOBS[@]}"; do
		# a signal is lost between the shell's fork and its exec
		until ended "$job"; do
			kill "$job" 2>/dev/null || :
			wait_for 1 ended "$job" > /dev/null || :
		done
		wait "$job" 2>/dev/null || :
	done
	while read -r _ mount _; do
		case $mount in
		/mnt*|/tmp/*) umount "$mount" || return ;;
		esac
	done < <(tac /proc/mounts)
	while compgen -G '/sys/block/dm-*' > /dev/null; do
		left=$(dmsetup info -c --noheadings -o name --select open=0) && [ "$left" ] || return
		for name in $left; do
			dmsetup remove --retry "$name" || return
		done
	done
	for name in /sys/kernel/config/nullb/*/; do
		name=${name%/}
		[ ! -d "$name" ] || rmdisk "${name##*/}" || return
	done
	for name in $(modules_under_test); do
		name=/sys/module/${name//-/_}/refcnt
		[ -e "$name" ] || continue
		read -r left < "$name" || return
		[ "$left" = 0 ] || { echo "$name is $left"; return 1; }
	done
}

vm_teardown() {
	vm_clean || { echo "teardown could not take down everything that the test left"; return 1; }
	if bad_console; then
		echo "the kernel complained"
		return 1
	fi
	echo "vm-test: end $BATS_TEST_NUMBER" > /dev/kmsg
}
