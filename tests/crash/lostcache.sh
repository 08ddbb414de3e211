# SPDX-License-Identifier: GPL-2.0-only
# In the machine, for tests/crash/lostcache: runs that each lose the cache or log device under load, and look at what is
# left. In: PLAN, lines of "contender fs seed". Out: a line "begin .." and a line "run .." of KEY=VALUE for each.
#
# Always true: a run has two new disks, the simdisks sim-home and sim-cache, and starts from the same image of the file
# system, with nothing of it in the cache. Status 3: a stack could not be made; else that of a run that did not end well.
#
# The home is a disk of 4096-byte physical blocks: ext4 with metadata_csum takes a commit block that is torn at 512 bytes,
# on any disk, for corruption, and does not mount.
set -u
bats_require_minimum_version() { :; }
. /vm/cases/helpers.bash
dmesg -n 1
echo 1 > /sys/kernel/rcu_expedited

FS_MIB=300 HOME_MIB=304 CACHE_MIB=32
PATIENCE=$((20 * VM_SCALE))	# seconds for what must come

modprobe -a dm-simdisk dm-checkpoint dm-journal dm-writecache bcache loop xfs
echo 0 > /proc/sys/fs/xfs/error_level
[ ! -f /vm/share/dm-writeboost.ko ] || { modprobe libcrc32c; insmod /vm/share/dm-writeboost.ko; }
home=/dev/mapper/sim-home cache=/dev/mapper/sim-cache
mkdir -p /mnt/v

disks() {	# disks SEED: new ones, empty, with coins of this seed; home_disk is what the home's simdisk keeps
	local name
	for name in home cache; do
		[ ! -b /dev/mapper/sim-$name ] || { dmsetup remove --retry sim-$name && rmdisk $name; } || return
	done
	[ ! -d /sys/kernel/config/nullb/copy ] || rmdisk copy || return
	home_disk=$(mkdisk home $HOME_MIB cache=0) && mkdm sim-home simdisk "$home_disk" "$1" 500 8 &&
		mkdm sim-cache simdisk "$(mkdisk cache $CACHE_MIB cache=0)" "$1"
}

template() {	# template FS: its image, made once
	local image=/tmp/$1.img
	[ ! -f "$image" ] || return 0
	truncate -s ${FS_MIB}M "$image"
	case $1 in
	ext4) mke2fs -q -t ext4 -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$image" ;;
	# dm-writecache's blocks are its sectors.
	xfs) mkfs.xfs -q -s size=4096 "$image" ;;
	esac
	mount -o loop "$image" /mnt/v &&
		mkdir /mnt/v/letters /mnt/v/churn &&
		shop new /mnt/v/shop.db 20 &&
		umount /mnt/v
}

offset() {	# where the file system begins, in KiB
	case $1 in
	bcache) echo 8 ;;
	*) echo 0 ;;
	esac
}

start() {	# start CONTENDER; then dev is its device
	local at
	case $1 in
	journal)
		jbdctl create v $home $cache --force > /dev/null && dev=/dev/mapper/v
		;;
	journal-lag)
		jbdctl create v $home $cache --force --opt max_lag_ms=100 > /dev/null && dev=/dev/mapper/v
		;;
	dm-writecache)
		dev=$(mkdm wc writecache s $home $cache 4096 0)
		;;
	dm-writeboost)
		dev=$(mkdm wb writeboost $home $cache)
		;;
	bcache)
		# It needs more than 512 buckets; the default of 512 KiB is for a cache of 256 MiB and more.
		at=/sys/block/dm-$(dmsetup info -c --noheadings -o minor sim-home)/bcache/dev
		make-bcache --bucket 32k -C $cache -B $home --writeback > /tmp/make-bcache 2>&1 &&
			echo $cache > /sys/fs/bcache/register && echo $home > /sys/fs/bcache/register &&
			wait_for 10 test -e "$at" || { cat /tmp/make-bcache; return 1; }
		dev=/dev/$(basename "$(readlink "$at")")
		# A run lasts seconds, and so must these: 30 and 5 by default.
		echo 1 > "/sys/block/${dev#/dev/}/bcache/writeback_delay" &&
			echo 1 > "/sys/block/${dev#/dev/}/bcache/writeback_rate_update_seconds" &&
			wait_for 10 test -b "$dev"
		;;
	esac
}

free() { [ "$(dmsetup info -c --noheadings -o open sim-home)$(dmsetup info -c --noheadings -o open sim-cache)" = 00 ]; }

ask_bcache() {
	local at
	for at in /sys/block/bcache*/bcache/stop /sys/fs/bcache/*-*/stop; do
		[ ! -e "$at" ] || echo 1 > "$at"
	done 2> /dev/null
	free
}

stop() {
	case $1 in
	journal*) dmsetup remove --retry v && dmsetup remove --retry v-home ;;
	dm-writecache) dmsetup remove --retry wc ;;
	dm-writeboost) dmsetup remove --retry wb ;;
	bcache) wait_for 20 ask_bcache ;;
	esac > /dev/null 2>&1
	wait_for 10 free
}

mounted() { mount -t "$fs" "$left" /mnt/v 2> /dev/null; }

look() {	# what the mounted file system has, as KEY=VALUE; nothing that it says of trouble counts but as missing
	local letters orders
	letters=$(ledger audit /mnt/v "$seed" "$warm" 2> /dev/null) || letters="there=0 damaged=0 prefix=no"
	if [ "$(sqlite3 /mnt/v/shop.db 'PRAGMA integrity_check' 2> /dev/null)" = ok ] &&
	   orders=$(shop audit /mnt/v/shop.db 2> /dev/null); then
		echo "$letters orders=$orders"
	else
		echo "$letters orders=bad"
	fi
}

check() {
	case $fs in
	ext4) e2fsck -fn "$left" ;;
	xfs) xfs_repair -n "$left" ;;
	esac > /tmp/check 2>&1
}

repair() {
	case $fs in
	ext4) e2fsck -fy "$left" || [ $? = 1 ] || e2fsck -fy "$left" || [ $? = 1 ] ;;
	xfs) xfs_repair "$left" || xfs_repair -L "$left" ;;
	esac > /tmp/repair 2>&1
}

judge() {	# prints result=.. and what look() says
	local seen
	if mounted; then
		seen=$(look)
		umount /mnt/v
		if check; then
			echo "result=clean $seen"
			return
		fi
	fi
	if repair && mounted; then
		# A file system without the directory that everything was in is none that was repaired.
		[ -d /mnt/v/letters ] && seen="result=repair $(look)" || seen="result=lost there=0 damaged=0 prefix=no orders=bad"
		umount /mnt/v
		echo "$seen"
	else
		echo "result=lost there=0 damaged=0 prefix=no orders=bad"
	fi
}

home_writes() { echo $(($(counter sim-home 2) + $(counter sim-home 3))); }

# lose: what happens to the disks.
lose() { dmsetup message sim-cache 0 "powercut$([ $how = cache ] || echo ' all')"; }

restore() {
	[ $how = cache ] || dmsetup message sim-home 0 restore
	dmsetup message sim-cache 0 restore
}

# Read the load's lines until it ends, is stuck, or has gone on for long enough; sets after, and acked.
aftermath() {
	local end=$((SECONDS + 2 * VM_SCALE)) line
	while [ $SECONDS -lt $end ]; do
		if ! read -r -t $((3 * VM_SCALE)) line <&4; then
			[ $? -gt 128 ] && after=stuck || after=ended
			return
		fi
		acked=$line
	done
	after=on
}

# What the home holds at this moment, as another disk.
copy_home() {
	local from=$home
	[ $how = cache ] || from=$home_disk
	left=$(mkdisk copy $HOME_MIB cache=0)
	dd if="$from" of="$left" bs=64K iflag=direct conv=sparse,notrunc status=none
}

run() {	# run CONTENDER FS SEED
	local who=$1 fs=$2 seed=$3 dev= left=$home how cut warm acked=0 after line before ledger shop sold writes
	warm=$((34 + seed * 7 % 11))	# MiB: more than the cache holds
	cut=$((warm + 20 + seed * 137 % 280))
	[ $((seed % 2)) = 0 ] && how=cache || how=power
	echo "begin who=$who fs=$fs seed=$seed how=$how"
	dmesg -C
	disks "$seed" > /dev/null || return 3
	dd if="/tmp/$fs.img" of=$home bs=64K conv=sparse,notrunc oflag=seek_bytes seek=$(($(offset "$who") * 1024)) status=none
	blockdev --flushbufs $home
	start "$who" && mount "$dev" /mnt/v || { echo "cannot start $who"; dmesg | tail -n 5; return 3; }
	coproc LOAD { exec ledger load /mnt/v "$seed" $warm $cut 2>&1; }
	ledger=$LOAD_PID
	exec 4<&"${LOAD[0]}"
	while read -r -t $((PATIENCE * 3)) line <&4 && [ "$line" != warm ]; do acked=$line; done
	before=$(home_writes)
	shop sell /mnt/v/shop.db 0 > /tmp/sold 2> /dev/null &
	shop=$!
	while read -r -t $PATIENCE line <&4 && [ "$line" != cut ]; do acked=$line; done
	[ "$line" = cut ] || echo "the load stopped at letter $acked of $cut"
	lose
	aftermath
	kill $ledger $shop 2> /dev/null
	sold=$(grep -c '^ack ' /tmp/sold)
	writes=$(($(home_writes) - before))
	if [ "$who" = dm-writeboost ]; then
		# It tries for ever, and can be taken down only if its cache comes back.
		copy_home
		restore
	fi
	wait $ledger $shop 2> /dev/null
	exec 4<&-
	umount /mnt/v
	stop "$who" || { echo "cannot stop $who"; dmsetup ls --tree; return 1; }
	[ "$who" = dm-writeboost ] || restore
	if [[ $who = journal* ]] && dmesg | grep -E -f /vm/bad-lines; then
		echo "the kernel complained"
		return 1
	fi
	if [ "$(offset "$who")" != 0 ]; then
		left=/dev/mapper/left
		dmsetup create left --table "0 $((FS_MIB * 2048)) linear $home $(($(offset "$who") * 2))"
	fi
	echo "run who=$who fs=$fs seed=$seed how=$how after=$after acked=$acked sold=$((20 + sold)) writes=$writes $(judge)"
	[ $left != /dev/mapper/left ] || dmsetup remove --retry left
}

while read -r who fs seed <&5; do
	template "$fs" || exit 3
	run "$who" "$fs" "$seed" || exit
done 5<<< "$PLAN"
