# SPDX-License-Identifier: GPL-2.0-only
# Step 2 in the machine that counts instructions: the shop sells on the plain home, on dm-writecache and on the journal,
# over the same two devices and in the same file system. The host's disks do not know this machine's time, so the
# devices are in RAM: the home starts as a copy of the host's image.
. /vm/share/machine.sh
bats_require_minimum_version() { :; }
. /vm/cases/helpers.bash

sell() {	# sell CONTENDER DEVICE
	say
	show mount "$2" /srv
	# Like a database that has been running for a while.
	cat /srv/shop.db* > /dev/null
	say "   \$ shop sell /srv/shop.db"
	echo "value contender $1"
	shop sell /srv/shop.db "$SELL_SECONDS" > /tmp/sold
	tail -n1 /tmp/sold
	show umount /srv
}

# device TEXT PATH: say what it is, and what a 4 KiB write and a flush take.
device() {
	local ms
	ms=$(shop probe "$2")
	say "   $1: $2; a 4 KiB write and a flush take $ms ms"
}

home=$(mkdisk home "$DISK_MIB" latency=4000 depth=1 cache=64)
log=$(mkdisk log "$DISK_MIB" latency=80 depth=32 cache=64)
dd if=/dev/vm/home of="$home" bs=1M conv=sparse,notrunc status=none
device "home, 4 ms for each I/O" "$home"
device "log, 0.08 ms for each I/O" "$log"
sell home "$home"
say
show dmsetup create cached --table "0 $(sectors "$home") writecache s $home $log 4096 0"
sell writecache /dev/mapper/cached
show dmsetup message cached 0 flush
show dmsetup remove cached
say
show jbdctl create shop "$home" "$log" --opt max_lag_ms=200
sell journal /dev/mapper/shop
echo "value log $(dmsetup status shop | cut -d' ' -f6)"
