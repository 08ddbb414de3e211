# SPDX-License-Identifier: GPL-2.0-only
# Runs in the machine: loads over a stack with a tape above the volume, under the log and under the checkpoint target.
# Each load leaves its tape on /dev/vm/NAME. Called with SEED, SIZE (10 is the sample of make check), TAPE_MIB and LOADS set.
. /vm/cases/helpers.bash
set -e

# stack HOME AREA-KIB RECORD-KIB UNIT WORD..: the stack, with the journal's option words; the volume is /dev/mapper/t-vol.
# HOME is a length in MiB, or a disk.
stack() {
	local log home=$1 log_sectors=$((2048 + $2 * 2))
	modprobe dm-tape mib=$TAPE_MIB
	[ -b "$home" ] || home=$(mkdisk home "$1" cache=0 latency=$HOME_US)
	log=$(mkdisk log $((log_sectors / 2048 + 1)) cache=0 latency=$LOG_US)
	dmsetup create t-log --table "0 $log_sectors tape $log 1"
	mkdm t-home tape "$home" 2
	jbdctl create vol /dev/mapper/t-home /dev/mapper/t-log --no-open --record-kib "$3" --unit "$4"
	words="$(($# - 4)) ${*:5}"
	dmsetup message t-log 0 mark begin $log_sectors "$(sectors "$home")" "$words"
	open_volume
} > /dev/null

open_volume() {
	mkdm vol-home checkpoint /dev/mapper/t-home
	mkdm vol journal /dev/mapper/vol-home /dev/mapper/t-log $words
	mkdm t-vol tape /dev/mapper/vol 0
} > /dev/null

close_volume() {
	dmsetup remove t-vol
	dmsetup remove vol
	dmsetup remove vol-home
}

# raw SEED OPS WORD..: writes of all sizes, FUA, flushes, discards and zeroes on the volume itself, several at once.
raw() {
	truncate -s 0 /dev/shm/history
	truncate -s 4M /dev/shm/history
	load /dev/mapper/t-vol /dev/shm/history generation=1 seed=$1 ops=$2 "${@:3}" > /dev/null
}

# finish NAME: the load is over; save the tape, take the stack down.
finish() {
	local status
	close_volume
	status=$(dmsetup status t-log)
	dd if=/sys/kernel/debug/tape/events of="/dev/vm/$1" bs=1M iflag=fullblock conv=fsync status=none
	dmsetup remove t-log
	dmsetup remove t-home
	[ ! -d /sys/kernel/config/nullb/home ] || rmdisk home
	rmdisk log
	rmmod dm-tape
	echo "tape $1: $status"
}

# Small logs that wrap all the time; checkpoints begin early and often.
SMALL="staging_mib 1 high 40 low 10 idle_ms 50 autocommit_ms 50 inflight_kib 128"
# The home follows as closely as it can.
CLOSE="staging_mib 1 high 5 low 0 idle_ms 5 max_lag_ms 1 autocommit_ms 5 inflight_kib 128"
LOG_US=300 HOME_US=500

load_raw() {
	stack 4 512 64 512 $SMALL
	raw $SEED $((SIZE * 25)) threads=3 depth=6 fua=150 flush=60 discard=20 zeroes=20 hot=700 hot_sectors=1024
	finish raw
}

# With 4 KiB units and a home that lags far behind; closed and opened again in between. The home is a disk that the host
# has made, of 4 MiB and zero: it knows write-zeroes, which null_blk does not.
load_unit() {
	stack /dev/vm/scratch 1024 128 4096 staging_mib 1 high 80 low 5 idle_ms 0 autocommit_ms 200 inflight_kib 256
	for round in 1 2 3; do
		raw $((SEED + round)) $((SIZE * 7)) threads=2 depth=8 fua=300 flush=100 discard=10 zeroes=10 hot=900 hot_sectors=256
		[ $round = 3 ] || { close_volume; open_volume; }
	done
	finish unit
}

# What a flush has acknowledged is at home, and needs no log.
load_home() {
	stack 4 512 64 512 $SMALL flush home
	raw $SEED $((SIZE * 6)) threads=3 depth=4 fua=100 flush=60 discard=20 zeroes=20 hot=700 hot_sectors=1024
	finish home
}

# Epochs of many records, and a checkpoint at the heels of the commits.
load_stream() {
	stack 4 512 32 512 $CLOSE
	raw $SEED $((SIZE * 15)) threads=3 depth=8 fua=4 flush=4 discard=10 zeroes=10 hot=500 hot_sectors=1024
	finish stream
}

load_fio() {
	stack 8 512 64 512 $CLOSE
	fio --name=sync --filename=/dev/mapper/t-vol --direct=1 --ioengine=libaio --iodepth=8 --rw=randwrite \
		--bssplit=512/30:4k/50:16k/20 --blockalign=512 --size=8m --io_size=$((SIZE * 160))k --fsync=4 --numjobs=2 \
		--randseed=$SEED --output=/dev/null
	finish fio
}

load_ext4() {
	stack 16 768 128 512 $SMALL
	mkfs.ext4 -q -F -J size=1 /dev/mapper/t-vol 2> /dev/null
	mount -o discard /dev/mapper/t-vol /mnt
	fsops /mnt $SEED $((SIZE * 30))
	umount /mnt
	e2fsck -fn /dev/mapper/t-vol > /dev/null 2>&1
	finish ext4
}

load_xfs() {
	stack 32 768 128 512 $SMALL
	mkfs.xfs -q -f --unsupported -l size=6m /dev/mapper/t-vol
	mount /dev/mapper/t-vol /mnt
	fsops /mnt $SEED $((SIZE * 30))
	umount /mnt
	xfs_repair -n /dev/mapper/t-vol > /dev/null 2>&1
	finish xfs
}

# sqlite MODE: transactions in a database on ext4.
sqlite() {
	mkfs.ext4 -q -F -J size=1 /dev/mapper/t-vol 2> /dev/null
	mount /dev/mapper/t-vol /mnt
	{
		echo "PRAGMA journal_mode=$1; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=20;"
		echo "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX i ON t(v);"
		for ((i = 1; i <= SIZE * 8; i++)); do
			echo "INSERT INTO t(v) VALUES(hex(randomblob(200))); UPDATE t SET v = v || 'x' WHERE id = abs(random()) % $i;"
		done
	} | sqlite3 /mnt/db > /dev/null
	[ "$(sqlite3 /mnt/db 'PRAGMA integrity_check')" = ok ]
	umount /mnt
}

load_wal() {
	stack 16 512 64 512 $CLOSE
	sqlite WAL
	finish wal
}

load_delete() {
	stack 16 512 64 4096 $SMALL
	sqlite DELETE
	finish delete
}

modprobe -a dm-checkpoint dm-journal
for name in $LOADS; do "load_$name"; done
