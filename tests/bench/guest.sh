# SPDX-License-Identifier: GPL-2.0-only
# Runs in the machine that counts instructions: the same jobs on each contender, over the same two kinds of device.
# Prints one line a figure: contender, job, IOPS, MB/s, and per operation log writes, log sectors, log flushes, home
# writes, home flushes.
. /vm/cases/helpers.bash
VM_JOBS=()

# A fast log device that takes FUA, and a slow home, both with a volatile cache.
log_device() { mkdisk log 512 latency=80 depth=32 cache=64; }
home_device() { mkdisk home 1024 latency=4000 depth=1 cache=64; }

io_of() { awk '{ print $5, $7, $16 }' "/sys/class/block/$(basename "$(readlink -f "$1")")/stat"; }

# job CONTENDER NAME DEVICE LOG HOME FIO-OPTION..
job() {
	local who=$1 name=$2 dev=$3 log=$4 home=$5 out l0 l1 h0 h1
	shift 5
	l0=$(io_of "$log"); h0=$(io_of "$home")
	out=$(fio --name="$name" --filename="$dev" --direct=1 --size=256m \
		--group_reporting --randseed=7 --output-format=json "$@" 2>/dev/null | sed -n '/^{/,$p')
	l1=$(io_of "$log"); h1=$(io_of "$home")
	jq -r --arg who "$who" --arg name "$name" --arg l0 "$l0" --arg l1 "$l1" --arg h0 "$h0" --arg h1 "$h1" '
		def d($a; $b; $i): (($b | split(" ")[$i] | tonumber) - ($a | split(" ")[$i] | tonumber));
		.jobs[0] as $j | ($j.write.total_ios + $j.read.total_ios) as $n
		| [$who, $name, ($j.write.iops + $j.read.iops | round),
		   (($j.write.bw + $j.read.bw) / 1024 | round)]
		+ ([d($l0; $l1; 0), d($l0; $l1; 1), d($l0; $l1; 2), d($h0; $h1; 0), d($h0; $h1; 2)]
		   | map(. * 100 / $n | round / 100))
		| @tsv' <<< "$out"
}

ios_of() { awk '{ print $1 + $5 }' "/sys/dev/block/$(stat -c '%Hr:%Lr' "$1")/stat"; }

# profiled CONTENDER NAME DEVICE FIO-OPTION..: two seconds out of the middle of the job are marked.
profiled() {
	local dev=$3 before
	shift 3
	awk '$2 ~ /[tT]/ { print "symbol", $1, $3, $4 }' /proc/kallsyms
	fio --name=job --filename="$dev" --direct=1 --size=256m --group_reporting --randseed=7 "$@" > /tmp/fio.out 2>&1 &
	before=$(ios_of "$dev")
	wait_for 30 eval '[ $(($(ios_of "$dev") - before)) -gt 1000 ]'
	before=$(ios_of "$dev")
	echo "# begin"
	sleep 2
	echo "# end $(($(ios_of "$dev") - before))"
	wait
	sed 's/^/# /' /tmp/fio.out
}

# What is written fits in the log: these are the rates of a burst. The rate with the log full is another benchmark.
job_args() {
	local timed="--time_based --runtime=${RUNTIME:-2}"
	case $1 in
	fsync-j*) echo --rw=randwrite --bs=4k --ioengine=psync --fsync=1 --numjobs="${1#fsync-j}" $timed ;;
	random-j8) echo --rw=randwrite --bs=4k --ioengine=psync --numjobs=8 --io_size=32m ;;
	seq-1m) echo --rw=write --bs=1m --ioengine=libaio --iodepth=4 ;;
	esac
}

# start CONTENDER LOG HOME, then $dev is its device; stop CONTENDER
start() {
	case $1 in
	raw-log) dev=$2 ;;
	raw-home) dev=$3 ;;
	dm-writecache)
		modprobe dm-writecache
		dmsetup create wc --table "0 $(sectors "$3") writecache s $3 $2 4096 0"
		dev=/dev/mapper/wc
		;;
	bcache)
		modprobe bcache
		make-bcache -C "$2" -B "$3" --writeback > /dev/null 2>&1
		for d in "$2" "$3"; do echo "$d" > /sys/fs/bcache/register 2>/dev/null || :; done
		wait_for 10 test -b /dev/bcache0
		echo 0 > /sys/block/bcache0/bcache/sequential_cutoff
		dev=/dev/bcache0
		;;
	journal)
		modprobe dm-checkpoint
		modprobe dm-journal
		jbdctl create v "$3" "$2" --opt idle_ms=0 > /dev/null
		dev=/dev/mapper/v
		;;
	esac
}

stop() {
	case $1 in
	dm-writecache) dmsetup remove wc ;;
	bcache)
		echo 1 > /sys/block/bcache0/bcache/stop
		for d in /sys/fs/bcache/*-*/stop; do echo 1 > "$d"; done
		wait_for 60 test ! -b /dev/bcache0
		;;
	journal) jbdctl close v > /dev/null ;;
	esac
}

echo "# crc32c: $(awk '/^name/ { n = $3 } /^driver/ && n == "crc32c" { print $3 }' /proc/crypto | paste -sd' ')"
for name in ${BENCH_JOBS:-fsync-j1 fsync-j8 fsync-j32 random-j8 seq-1m}; do
	for who in ${CONTENDERS:-raw-log raw-home dm-writecache bcache journal}; do
		# a home of 4 ms shows nothing new in the other jobs
		[ "$who $name" = "raw-home fsync-j1" ] || [ "$who" != raw-home ] || continue
		log=$(log_device) home=$(home_device)
		start "$who" "$log" "$home"
		# shellcheck disable=SC2046
		if [ "${PROFILE:-}" ]; then
			RUNTIME=4
			profiled "$who" "$name" "$dev" $(job_args "$name")
		else
			job "$who" "$name" "$dev" "$log" "$home" $(job_args "$name")
		fi
		stop "$who"
		rmdisk log
		rmdisk home
	done
done
