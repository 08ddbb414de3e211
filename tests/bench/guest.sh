# SPDX-License-Identifier: GPL-2.0-only
# Behind devices.sh: the same jobs on each contender, over the same two kinds of device, new ones for each job. In: PLAN,
# lines "model contender job"; RUNTIME, virtual seconds of a job; PROFILE for tests/bench/profile. Out: a line of JSON a
# job, with IOPS, MB/s, latencies in us, and per operation what the log and the home had to do and the ns that the processor
# was busy, which are instructions there; or a line "# .." why there is none.
# docs/bench/README.md says what each job is.

WARM=${WARM:-100} SUSTAINED=${SUSTAINED:-120}

# Write [SKIP, SKIP + MIB) MiB so that it is durable.
write_region() {
	fio --name=fill --filename="$dev" --direct=1 --rw=write --bs=64k --offset="$1m" --size="$2m" --end_fsync=1 --refill_buffers > /dev/null
}

# 64 MiB that only the log has, in blocks that were written one by one, and what takes their place in staging.
write_blocks() {
	fio --name=fill --filename="$dev" --direct=1 --rw=randwrite --bs=4k --size=64m --ioengine=libaio --iodepth=16 --end_fsync=1 \
		--refill_buffers > /dev/null
	write_region 64 64
}

# An ext4 of one size, wherever it lies. What was never written to dm-integrity has no checksum and cannot be read.
make_fs() {
	mkdir -p /mnt/fs
	[ "$dev" != /dev/mapper/in ] || dd if=/dev/zero of="$dev" bs=1M count=400 oflag=direct status=none || return
	mke2fs -q -t ext4 -b 4096 -N 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$dev" 400m && mount -o noatime "$dev" /mnt/fs
}

pg() {
	chroot --userspec=999:999 /mnt/pg /usr/bin/env PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin PGHOST=/run PGUSER=postgres \
		PGDATA=/srv/pg "$@"
}

make_postgres() {
	mkdir -p /mnt/pg
	mount -o ro /dev/vm/postgres /mnt/pg
	for d in run tmp; do mount -t tmpfs -o mode=1777 $d /mnt/pg/$d; done
	mount --bind /dev /mnt/pg/dev
	mount -t proc proc /mnt/pg/proc
	mount --bind /mnt/fs /mnt/pg/srv
	cp -a /mnt/pg/cluster /mnt/fs/pg
	# its own checkpoints are not what is measured
	printf '%s\n' "shared_buffers = 64MB" "max_wal_size = 128MB" "checkpoint_timeout = 1h" >> /mnt/fs/pg/postgresql.conf
	pg pg_ctl -s -w -t 600 -l /run/log start > /dev/null && pg pgbench -q -i -s 1 > /dev/null 2>&1
}

# What must be there before the job; sets load, which runs it, args of fio, warm, the seconds before it is measured, and
# lead and window, when instructions are counted: from those seconds on, or from its first I/O on, and for how many seconds.
# Bursts fit in the log; sustained loads are measured when it has long been full.
prepare() {
	local timed="--time_based --runtime=${RUNTIME:-2}" on="--filename=$dev --direct=1" small
	load=fio_load warm=0 lead=0.5 window=1 small="$on --size=256m"
	case $1 in
	fsync-j*) args="$small --rw=randwrite --bs=4k --ioengine=psync --fsync=1 --numjobs=${1#fsync-j} $timed" ;;
	fsync512-j*) args="$small --rw=randwrite --bs=512 --ioengine=psync --fsync=1 --numjobs=${1#fsync512-j} $timed" ;;
	fua-j*) args="$small --rw=randwrite --bs=4k --ioengine=psync --sync=dsync --numjobs=${1#fua-j} $timed" ;;
	random-j8) lead=io window=0.2; args="$small --rw=randwrite --bs=4k --ioengine=psync --numjobs=8 --io_size=32m" ;;
	zipf-j8) args="$small --rw=randwrite --random_distribution=zipf:1.2 --bs=4k --ioengine=psync --fsync=1 --numjobs=8 $timed" ;;
	seq-1m) lead=io window=0.1; args="$small --rw=write --bs=1m --ioengine=libaio --iodepth=4" ;;
	# of extents of a block, so that the journal judges each read
	read-dirty-j8) write_blocks; args="$on --rw=randread --bs=4k --ioengine=psync --numjobs=8 --size=64m $timed" ;;
	read-clean-j8) args="$on --rw=randread --bs=4k --ioengine=psync --numjobs=8 --size=64m $timed" ;;
	# the last 64 MiB of writes are not what is read, so staging does not serve it
	read-mixed-j8) write_region 64 128; args="$on --rw=randread --bs=4k --ioengine=psync --numjobs=8 --size=128m $timed" ;;
	mixed-70-30-j8) write_region 0 128; args="$on --rw=randrw --rwmixread=70 --bs=4k --ioengine=psync --numjobs=8 --size=64m $timed" ;;
	sustained-j8 | sustained-zipf-j8 | sustained-seq)
		warm=$WARM window=$((SUSTAINED - 2))
		args="$on --fsync=1 --ioengine=psync --time_based --ramp_time=$WARM --runtime=$SUSTAINED"
		case $1 in
		sustained-j8) args+=" --size=8g --rw=randwrite --bs=4k --numjobs=8" ;;
		sustained-zipf-j8) args+=" --size=8g --rw=randwrite --bs=4k --numjobs=8 --random_distribution=zipf:1.2" ;;
		sustained-seq) args+=" --size=1g --rw=write --bs=1m" ;;
		esac
		;;
	read-idle-j1 | read-ckpt-j1)
		[ "$dev" = "$home" ] || fio --name=dirty --filename="$dev" --direct=1 --rw=randwrite --bs=4k --ioengine=psync --fsync=1 \
			--numjobs=8 --size=8g --number_ios=4096 --randseed=3 > /dev/null
		args="$on --rw=randread --bs=4k --ioengine=psync --offset=16g --size=8g --time_based --runtime=30"
		window=25
		;;
	dirty-*)	# so many sectors that stand alone, then fsync-j1
		# shellcheck disable=SC2086
		fio --name=dirty $on --size=32g --rw=randwrite --bs=512 --ioengine=libaio --iodepth=32 --number_ios="${1#dirty-}" \
			--norandommap --randseed=3 --end_fsync=1 > /dev/null
		args="$on --size=32g --rw=randwrite --bs=4k --ioengine=psync --fsync=1 $timed"
		;;
	ext4-fsync-j4)
		make_fs || return
		args="--directory=/mnt/fs --rw=write --bs=4k --size=64m --fallocate=none --ioengine=psync --fsync=1 --numjobs=4 $timed"
		;;
	sqlite) make_fs && shop new /mnt/fs/shop.db 2000 && sync; load=sqlite_load ;;
	pgbench-c4) make_fs && make_postgres && sync; load=pgbench_load ;;
	*) echo "# there is no job $1"; return 1 ;;
	esac
}

# What prepare() made.
unprepare() {
	case $1 in
	pgbench-c4)
		pg pg_ctl -s -w -t 600 -m fast stop
		for d in srv proc dev tmp run; do umount /mnt/pg/$d; done
		umount /mnt/pg
		;;&
	ext4-* | sqlite | pgbench-*) umount /mnt/fs ;;
	esac
}

# The loads write /tmp/load.json: n operations, iops, mbs, and percentiles of the latency in us: of reads if there are
# any, else of write or fsync, whichever takes longer; max is of all. A log that is full makes writes wait, not flushes.
fio_load() {
	# shellcheck disable=SC2086
	fio --name=load --group_reporting --randseed=7 --norandommap --percentile_list=50:99:99.9 \
		--output-format=json $args > /tmp/fio.json 2> /tmp/fio.err
	sed -n '/^{/,$p' /tmp/fio.json | jq -c '
		def us($x): if $x then ($x / 100 | round / 10) else null end;
		.jobs[0] as $j
		| (if $j.read.total_ios > 0 then $j.read.clat_ns
		   else [$j.sync.lat_ns, $j.write.clat_ns] | max_by(.percentile["99.000000"] // 0) end) as $lat
		| {n: ($j.write.total_ios + $j.read.total_ios), iops: ($j.write.iops + $j.read.iops), mbs: (($j.write.bw + $j.read.bw) / 1024),
		   p50: us($lat.percentile["50.000000"]), p99: us($lat.percentile["99.000000"]), p999: us($lat.percentile["99.900000"]),
		   max: us([$j.read.clat_ns.max, $j.write.clat_ns.max, $j.sync.lat_ns.max] | max)}' > /tmp/load.json
}
sqlite_load() {
	shop sell /mnt/fs/shop.db "${RUNTIME:-2}" > /tmp/shop.out
	awk '$1 == "sold" { printf "{ \"n\": %d, \"iops\": %f }\n", $2, $2 / $3 }' /tmp/shop.out > /tmp/load.json
}
pgbench_load() {
	local tps
	pg pgbench -n -N -c 4 -T "${RUNTIME:-2}" -l --log-prefix=/tmp/pgbench > /tmp/pgbench.out
	tps=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' /tmp/pgbench.out)
	# client, number, us, ..
	cat /mnt/pg/tmp/pgbench.* | cut -d' ' -f3 | sort -n | awk -v tps="$tps" '
		{ us[NR] = $1 }
		function at(p) { return us[int(NR * p) + 1 > NR ? NR : int(NR * p) + 1] }
		END { printf "{ \"n\": %d, \"iops\": %f, \"p50\": %d, \"p99\": %d, \"p999\": %d }\n", NR, tps, at(.5), at(.99), at(.999) }' > /tmp/load.json
}

# amplifies JOB CONTENDER: is it told how many sectors were written for one, when the home has everything? bcache writes back
# when it likes.
amplifies() {
	[ "$2" != bcache ] || return
	case $1 in
	sustained-* | zipf-j8 | random-j8 | ext4-* | sqlite | pgbench-*) ;;
	*) return 1 ;;
	esac
}

# write_back CONTENDER: in the background; writes_back CONTENDER: is it still at it?
write_back() {
	case $1 in
	journal*)	# nobody waits for it: a checkpoint that was asked for does not go last
		dmsetup reload v --table "$(dmsetup table v | awk '{ $6 += 4; print $0, "high 1 low 0" }')"
		dmsetup suspend v
		dmsetup resume v
		;;
	*) drain "$1" & draining=$! ;;
	esac
}
writes_back() {
	case $1 in
	journal*) [ "$(counter v 2)" = checkpointing ] ;;
	*) [ -d /proc/"$draining" ] ;;
	esac
}

# Until it is time to count the instructions of PID. No process is started for it: a burst would wait for that.
until_due() {
	local stat none=''
	if [ "$lead" != io ]; then pause "$lead"; return; fi
	while [ -d "/proc/$1" ]; do
		read -r -a stat < "$dev_stat"
		none=${none:-$((stat[0] + stat[4]))}
		[ $((stat[0] + stat[4])) = "$none" ] || return
		pause 0.01
	done
}

# job MODEL CONTENDER NAME
job() {
	local first before after last=null pid up idle since was_idle busy=null draining='' running=null dev_stat
	dev_stat=/sys/dev/block/$(stat -L -c %Hr:%Lr "$dev")/stat
	first=$(counters)
	prepare "$3" || return
	before=$(counters)
	[ "$3" != read-ckpt-j1 ] || write_back "$2"
	$load &
	pid=$!
	if [ "$warm" -gt 0 ]; then pause "$warm"; before=$(counters); fi
	until_due $pid
	idle
	since=$up was_idle=$idle
	pause $window
	idle
	[ ! -d /proc/$pid ] || busy=$((1000000000 - (idle - was_idle) * 1000000000 / (up - since)))
	wait $pid
	after=$(counters)
	if [ "$3" = read-ckpt-j1 ]; then writes_back "$2" && running=true || running=false; fi
	if amplifies "$3" "$2"; then
		unprepare "$3"
		drain "$2"
		last=$(counters)
	fi
	jq -c --arg model "$1" --arg who "$2" --arg job "$3" --argjson first "$first" --argjson a "$before" --argjson b "$after" \
		--argjson last "$last" --argjson busy $busy --argjson checkpointing $running '
		def log: 0; def home: 1; def intent: 2; def dev: 3;
		def reads: 0; def writes: 2; def written: 3; def flushes: 4; def seeks: 5; def ms: 6;
		. as $l
		| def per($of; $what): ($b[$of][$what] - $a[$of][$what]) * 1000 / $l.n | round / 1000;
		def all($of): if $last then $last[$of][written] - $first[$of][written] else 0 end;
		def part($x): if all(dev) > 0 then $x / all(dev) * 100 | round / 100 else null end;
		{$model, $who, $job, iops: ($l.iops | round), mbs: (if $l.mbs then $l.mbs * 10 | round / 10 else null end),
		 p50: $l.p50, p99: $l.p99, p999: $l.p999, max: $l.max,
		 log_reads: per(log; reads), log_writes: per(log; writes), log_sectors: per(log; written), log_flushes: per(log; flushes),
		 home_reads: per(home; reads), home_writes: per(home; writes), home_flushes: per(home; flushes), home_seeks: per(home; seeks),
		 home_busy: (if $l.n > 0 then ($b[home][ms] - $a[home][ms]) * $l.iops / $l.n / 10 | round else null end),
		 instructions: (if $busy then $busy / $l.iops | round else null end),
		 log_amp: part(all(log)), home_amp: part(all(home) - all(intent)), intent_amp: part(all(intent)), $checkpointing}' /tmp/load.json
	amplifies "$3" "$2" || unprepare "$3"
	[ -z "$draining" ] || wait "$draining"
}

ios_of() { io_of "$1" | awk '{ print $1 + $3 }'; }

# profiled NAME: two seconds out of the middle of the job are marked; of a burst all of it, fio's start included.
profiled() {
	local before middle='pause 2'
	RUNTIME=4
	prepare "$1" || return
	if [ "$lead" = io ]; then lead=0 middle='wait'; fi
	awk '$2 ~ /[tT]/ { print "symbol", $1, $3, $4 }' /proc/kallsyms
	$load &
	pause $lead
	before=$(ios_of "$dev")
	echo "# begin"
	$middle
	echo "# end $(($(ios_of "$dev") - before))"
	wait
	sed 's/^/# /' /tmp/load.json
	unprepare "$1"
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
