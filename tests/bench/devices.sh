# SPDX-License-Identifier: GPL-2.0-only
# For the scripts of tests/bench, in the machine that counts instructions: the models of log and home, the contenders on
# them, and what those had to do. In: LOG_MIB, BATCH_MIB of the journal's relaxed and intent (empty: what jbdctl chooses);
# SPARSE: the log takes memory only where it is written.
. /vm/cases/helpers.bash
VM_JOBS=()
modprobe -a dm-checkpoint dm-journal dm-flash dm-spindle
[ ! -f /vm/share/dm-writeboost.ko ] || { modprobe libcrc32c; insmod /vm/share/dm-writeboost.ko; }

LOG_MIB=${LOG_MIB:-512} BATCH_MIB=${BATCH_MIB:-} SPARSE=${SPARSE:-} HOME_MIB=65536 INTENT_SECTORS=2097152

# disks MODEL: sets log and home.
disks() {
	local ram
	case $1 in
	sas) log=$(mkdisk log "$LOG_MIB" discard=0 latency=80 depth=32 cache=64) ;;
	sata)	# null_blk of 6.1 cannot be without FUA
		if grep -qw fua /sys/kernel/config/nullb/features; then
			log=$(mkdisk log "$LOG_MIB" discard=0 latency=80 depth=32 cache=64 fua=0)
		else
			ram=$(mkdisk log "$LOG_MIB" discard=0 cache=0) && log=$(mkdm log flash "$ram" latency_us 80 flush_us 80 queue 32 fua 0)
		fi
		;;
	nvme) log=$(mkdisk log "$LOG_MIB" discard=0 latency=12 depth=128 cache=64) ;;
	zero) log=$(mkdisk log "$LOG_MIB" discard=0 cache=64) ;;
	esac
	# or each block's first write would be the one for which memory is found
	[ "$SPARSE" ] || dd if=/dev/zero of="$log" bs=1M count="$LOG_MIB" oflag=direct status=none
	case $1 in
	zero) home=$(mkdisk home $HOME_MIB cache=64) ;;
	*) ram=$(mkdisk ram $HOME_MIB cache=0) && home=$(mkdm home spindle "$ram") ;;
	esac
}

no_disks() {
	if [ "$home" = /dev/mapper/home ]; then dmsetup remove --retry home && rmdisk ram; else rmdisk home; fi
	[ "$log" != /dev/mapper/log ] || dmsetup remove --retry log
	rmdisk log
}

# start CONTENDER: then $dev is its device, and $intent its intent device or nothing. stop CONTENDER.
start() {
	local sectors
	intent=
	case $1 in
	raw-log) dev=$log ;;
	raw-home) dev=$home ;;
	dm-linear) dev=$(mkdm linear linear "$log" 0) ;;
	dm-integrity)	# formats itself when it is started with one block, and then says how many sectors it has
		modprobe dm-integrity
		dmsetup create in --table "0 8 integrity $log 0 4 J 2 internal_hash:crc32c block_size:4096" && dmsetup remove in
		sectors=$(od -An -tu8 -j16 -N8 "$log" | tr -d ' ')
		dmsetup create in --table "0 $sectors integrity $log 0 4 J 2 internal_hash:crc32c block_size:4096"
		dev=/dev/mapper/in
		;;
	dm-writecache)
		dev=$(mkdm wc writecache s "$home" "$log" 4096 0)
		;;
	dm-writeboost)
		dev=$(mkdm wb writeboost "$home" "$log")
		;;
	bcache)
		modprobe bcache
		make-bcache -C "$log" -B "$home" --writeback > /dev/null 2>&1
		for d in "$log" "$home"; do echo "$d" > /sys/fs/bcache/register 2> /dev/null || :; done
		wait_for 10 test -b /dev/bcache0
		echo 0 > /sys/block/bcache0/bcache/sequential_cutoff
		dev=/dev/bcache0
		;;
	journal) volume "$home" ;;
	journal-relaxed) volume "$home" --order relaxed ${BATCH_MIB:+--opt=batch_mib=$BATCH_MIB} ;;
	journal-intent)	# on the home's own disk
		sectors=$((HOME_MIB * 2048 - INTENT_SECTORS)) intent=/dev/mapper/intent
		dmsetup create intent --table "0 $INTENT_SECTORS linear $home 0"
		dmsetup create rest --table "0 $sectors linear $home $INTENT_SECTORS"
		volume /dev/mapper/rest --intent $intent --force ${BATCH_MIB:+--opt=batch_mib=$BATCH_MIB}
		;;
	esac
}

# volume HOME WORD..
volume() {
	jbdctl create v "$1" "$log" --opt idle_ms=0 "${@:2}" > /dev/null
	dev=/dev/mapper/v
}

stop() {
	case $1 in
	dm-linear) dmsetup remove linear ;;
	dm-integrity) dmsetup remove in ;;
	dm-writecache) dmsetup remove wc ;;
	dm-writeboost) dmsetup remove wb ;;
	bcache)
		echo 1 > /sys/block/bcache0/bcache/stop
		for d in /sys/fs/bcache/*-*/stop; do echo 1 > "$d"; done
		wait_for 60 test ! -b /dev/bcache0
		;;
	journal*)
		jbdctl close v > /dev/null
		for d in rest intent; do [ ! -e /dev/mapper/$d ] || dmsetup remove $d; done
		;;
	esac
}

# drain CONTENDER: returns when the home has everything.
drain() {
	case $1 in
	dm-writecache) dmsetup message wc 0 flush ;;
	dm-writeboost) dmsetup message wb 0 drop_caches ;;
	bcache)
		echo 0 > /sys/block/bcache0/bcache/writeback_percent
		until [ "$(cat /sys/block/bcache0/bcache/state)" = clean ]; do pause 0.1; done
		;;
	journal*) jbdctl checkpoint v > /dev/null 2>&1 ;;
	esac
}

# reads sectors-read writes sectors-written flushes seeks busy-ms of a device so far. The kernel counts no flushes of a
# bio-based one, but the models do, and the disk's has an arm that seeks and is busy.
io_of() {
	dmsetup status "$(basename "$1")" 2> /dev/null |
		awk -v stat="$(cat "/sys/dev/block/$(stat -L -c %Hr:%Lr "$1")/stat")" '
			$3 != "spindle" && $3 != "flash" { next }
			{ flushes = $6; seeks = $12; ms = $13; model = 1 }
			END { split(stat, s); print s[1], s[3], s[5], s[7], model ? flushes : s[16], seeks + 0, ms + 0 }'
}
# The same of log, home, intent device and the contender's own, as JSON.
counters() {
	local d
	for d in "$log" "$home" "$intent" "$dev"; do
		if [ "$d" ]; then io_of "$d"; else echo 0 0 0 0 0 0 0; fi
	done | jq -sRc 'split("\n") | map(select(. != "") | split(" ") | map(tonumber))'
}
# Sets up and idle, of the processor, so far, in units of 10 ms. It starts no process, which would count as well.
idle() {
	local word
	read -r up _ < /proc/uptime
	up=${up/./}
	while read -r -a word && [ "${word[0]}" != cpu0 ]; do :; done < /proc/stat
	idle=$((word[4] + word[5]))
}
exec 9<> <(:)
pause() { read -r -t "$1" -u 9 || :; }
