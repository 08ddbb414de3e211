# SPDX-License-Identifier: GPL-2.0-only
# Runs in the machine that counts instructions: the same jobs on each contender, over the same two kinds of device, new
# ones for each job. In: PLAN, lines "model contender job"; RUNTIME, virtual seconds of a job; PROFILE for tests/bench/profile.
# Out: a line of JSON a job, with IOPS, MB/s, latencies in us, and per operation what the log and the home had to do and
# the ns that the processor was busy, which are instructions there; or a line "# .." why there is none.
. /vm/cases/helpers.bash
VM_JOBS=()
modprobe -a dm-checkpoint dm-journal dm-spindle
[ ! -f /vm/share/dm-writeboost.ko ] || { modprobe libcrc32c; insmod /vm/share/dm-writeboost.ko; }

LOG_MIB=512 HOME_MIB=65536

# disks MODEL: sets log and home.
disks() {
	local ram
	case $1 in
	sas) log=$(mkdisk log $LOG_MIB discard=0 latency=80 depth=32 cache=64) ;;
	sata) log=$(mkdisk log $LOG_MIB discard=0 latency=80 depth=32 cache=64 fua=0) || { echo "null_blk of this kernel cannot be without FUA"; return 1; } ;;
	nvme) log=$(mkdisk log $LOG_MIB discard=0 latency=12 depth=128 cache=64) ;;
	zero) log=$(mkdisk log $LOG_MIB discard=0 cache=64) ;;
	esac
	# or each block's first write would be the one for which memory is found
	dd if=/dev/zero of="$log" bs=1M count=$LOG_MIB oflag=direct status=none
	case $1 in
	zero) home=$(mkdisk home $HOME_MIB cache=64) ;;
	*) ram=$(mkdisk ram $HOME_MIB cache=0) && home=$(mkdm home spindle "$ram") ;;
	esac
}

no_disks() {
	if [ "$home" = /dev/mapper/home ]; then dmsetup remove --retry home && rmdisk ram; else rmdisk home; fi
	rmdisk log
}

# start CONTENDER: then $dev is its device. stop CONTENDER.
start() {
	local sectors
	case $1 in
	raw-log) dev=$log ;;
	raw-home) dev=$home ;;
	dm-linear) dev=$(mkdm linear linear "$log" 0) ;;
	dm-integrity)	# formats itself when it is started with one sector, and then says how many it has
		modprobe dm-integrity
		dmsetup create in --table "0 1 integrity $log 0 4 J 2 internal_hash:crc32c block_size:4096" && dmsetup remove in
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
	journal-relaxed)
		jbdctl create v "$home" "$log" --opt idle_ms=0 --order relaxed > /dev/null
		dev=/dev/mapper/v
		;;
	journal-intent)	# on the home's own disk
		sectors=$((HOME_MIB * 2048))
		dmsetup create intent --table "0 2097152 linear $home 0"
		dmsetup create rest --table "0 $((sectors - 2097152)) linear $home 2097152"
		jbdctl create v /dev/mapper/rest "$log" --opt idle_ms=0 --intent /dev/mapper/intent --force > /dev/null
		dev=/dev/mapper/v
		;;
	journal)
		jbdctl create v "$home" "$log" --opt idle_ms=0 > /dev/null
		dev=/dev/mapper/v
		;;
	esac
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

# reads sectors-read writes sectors-written flushes of a device so far; the kernel counts no flushes of a bio-based one
io_of() {
	awk -v flushes="$(dmsetup status --target spindle "$(basename "$1")" 2> /dev/null | awk '{ print $6 }')" \
		'{ print $1, $3, $5, $7, flushes != "" ? flushes : $16 }' "/sys/dev/block/$(stat -L -c %Hr:%Lr "$1")/stat"
}
# Sets busy_ns: for how long the processor was busy so far. It starts no process, which would count as well.
busy() {
	local now word
	read -r now _ < /proc/uptime
	while read -r -a word && [ "${word[0]}" != cpu0 ]; do :; done < /proc/stat
	busy_ns=$((${now/./} * 10000000 - (word[4] + word[5]) * 10000000))
}
exec 9<> <(:)
pause() { read -r -t "$1" -u 9 || :; }

# Write [SKIP, SKIP + MIB) MiB so that it is durable.
write_region() {
	fio --name=fill --filename="$dev" --direct=1 --rw=write --bs=64k --offset="$1m" --size="$2m" --end_fsync=1 --refill_buffers > /dev/null
}

# What must be there before the job, and fio's arguments for it. Bursts fit in the log; sustained loads say so.
job_args() {
	local timed="--time_based --runtime=${RUNTIME:-2}" small="--size=256m"
	case $1 in
	fsync-j*) args="$small --rw=randwrite --bs=4k --ioengine=psync --fsync=1 --numjobs=${1#fsync-j} $timed" ;;
	fsync512-j*) args="$small --rw=randwrite --bs=512 --ioengine=psync --fsync=1 --numjobs=${1#fsync512-j} $timed" ;;
	fua-j*) args="$small --rw=randwrite --bs=4k --ioengine=psync --sync=dsync --numjobs=${1#fua-j} $timed" ;;
	random-j8) args="$small --rw=randwrite --bs=4k --ioengine=psync --numjobs=8 --io_size=32m" ;;
	zipf-j8) args="$small --rw=randwrite --random_distribution=zipf:1.2 --bs=4k --ioengine=psync --fsync=1 --numjobs=8 $timed" ;;
	seq-1m) args="$small --rw=write --bs=1m --ioengine=libaio --iodepth=4" ;;
	# the last 64 MiB of writes are not what is read, so staging does not serve it
	read-dirty-j8) write_region 0 128; args="--rw=randread --bs=4k --ioengine=psync --numjobs=8 --size=64m $timed" ;;
	read-clean-j8) args="--rw=randread --bs=4k --ioengine=psync --numjobs=8 --size=64m $timed" ;;
	read-mixed-j8) write_region 64 128; args="--rw=randread --bs=4k --ioengine=psync --numjobs=8 --size=128m $timed" ;;
	mixed-70-30-j8) write_region 0 128; args="--rw=randrw --rwmixread=70 --bs=4k --ioengine=psync --numjobs=8 --size=64m $timed" ;;
	sustained-j8) args="--rw=randwrite --bs=4k --ioengine=psync --fsync=1 --numjobs=8 --size=8g --time_based --ramp_time=${RAMP:-60} --runtime=${SUSTAINED:-60}" ;;
	*) echo "# there is no job $1"; return 1 ;;
	esac
}

# job MODEL CONTENDER NAME
job() {
	local l0 l1 h0 h1 pid before busy_ns
	job_args "$3" || return
	l0=$(io_of "$log") h0=$(io_of "$home")
	# shellcheck disable=SC2086
	fio --name="$3" --filename="$dev" --direct=1 --group_reporting --randseed=7 --norandommap --percentile_list=50:99:99.9 \
		--output-format=json $args > /tmp/fio.json 2> /tmp/fio.err &
	pid=$!
	# of a second in the middle
	pause 0.5
	busy
	before=$busy_ns
	pause 1
	busy
	[ -d /proc/$pid ] && busy_ns=$((busy_ns - before)) || busy_ns=null
	wait $pid
	l1=$(io_of "$log") h1=$(io_of "$home")
	sed -n '/^{/,$p' /tmp/fio.json | jq -c --arg model "$1" --arg who "$2" --arg job "$3" --arg l0 "$l0" --arg l1 "$l1" \
		--arg h0 "$h0" --arg h1 "$h1" --argjson busy $busy_ns '
		def d($a; $b; $i): (($b | split(" ")[$i] | tonumber) - ($a | split(" ")[$i] | tonumber));
		def us($x): if $x then ($x / 100 | round / 10) else null end;
		.jobs[0] as $j | ($j.write.total_ios + $j.read.total_ios) as $n
		| (if $j.sync.total_ios > 0 then $j.sync.lat_ns elif $j.read.total_ios > 0 then $j.read.clat_ns else $j.write.clat_ns end) as $lat
		| def per($x): ($x * 1000 / $n | round / 1000);
		{$model, $who, $job, iops: ($j.write.iops + $j.read.iops | round), mbs: (($j.write.bw + $j.read.bw) / 102.4 | round / 10),
		 p50: us($lat.percentile["50.000000"]), p99: us($lat.percentile["99.000000"]), p999: us($lat.percentile["99.900000"]),
		 log_reads: per(d($l0; $l1; 0)), log_writes: per(d($l0; $l1; 2)), log_sectors: per(d($l0; $l1; 3)), log_flushes: per(d($l0; $l1; 4)),
		 home_reads: per(d($h0; $h1; 0)), home_writes: per(d($h0; $h1; 2)), home_flushes: per(d($h0; $h1; 4)), 
		 instructions: (if $busy then $busy / ($j.write.iops + $j.read.iops) | round else null end)}'
}

ios_of() { io_of "$1" | awk '{ print $1 + $3 }'; }

# profiled NAME: two seconds out of the middle of the job are marked.
profiled() {
	local before
	RUNTIME=4
	job_args "$1" || return
	awk '$2 ~ /[tT]/ { print "symbol", $1, $3, $4 }' /proc/kallsyms
	# shellcheck disable=SC2086
	fio --name=job --filename="$dev" --direct=1 --group_reporting --randseed=7 --norandommap $args > /tmp/fio.out 2>&1 &
	pause 0.5
	before=$(ios_of "$dev")
	echo "# begin"
	pause 2
	echo "# end $(($(ios_of "$dev") - before))"
	wait
	sed 's/^/# /' /tmp/fio.out
}

echo "# crc32c: $(awk '/^name/ { n = $3 } /^driver/ && n == "crc32c" { print $3 }' /proc/crypto | paste -sd' ')"
fio --version > /dev/null
while read -r model who name <&5; do
	disks "$model" > /tmp/disks || { echo "# $model $who $name: $(cat /tmp/disks)"; continue; }
	start "$who"
	if [ "${PROFILE:-}" ]; then profiled "$name"; else job "$model" "$who" "$name"; fi
	stop "$who"
	no_disks
done 5<<< "$PLAN"
