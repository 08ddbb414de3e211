# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the demo's scripts, in the machine. A line that starts with "> " is for the reader, "ack", "sold" and
# "value" are for tests/demo/demo; all other lines go to its log only.
set -euo pipefail

say() { echo "> $*"; }

# show COMMAND..: as a person would type it, with its output.
show() {
	say "   \$ $*"
	"$@" 2>&1 | sed -u 's/^/>      /'
}

# The two devices, named for what they are to the journal. Each is a disk with a volatile write cache, which a power cut
# empties: what was not flushed is lost, but for sectors that a coin has saved. The home answers each write and each
# flush $1 ms late.
make_home() {
	local sectors pid
	sectors=$(blockdev --getsz /dev/vm/home)
	dmsetup create home-disk --table "0 $sectors simdisk /dev/vm/home $SEED"
	dmsetup create home --table "0 $sectors delay /dev/mapper/home-disk 0 0 /dev/mapper/home-disk 0 $1"
	# In 6.12 a thread polls for the end of a short delay; it must not have the processor that a contender needs.
	for pid in $(pgrep dm-delay); do renice -n 19 "$pid" > /dev/null; done
}

make_log() {
	dmsetup create log --table "0 $(blockdev --getsz /dev/vm/log) simdisk /dev/vm/log $SEED"
}

# fsck DEVICE: it is clean; shows the last line of what e2fsck says.
fsck() {
	local out
	say "   \$ e2fsck -fn $1"
	out=$(e2fsck -fn "$1" 2>&1) || { echo "$out"; return 1; }
	say "     ${out##*$'\n'}"
}

# examine DEVICE: its file system, the files and the database are sound; "value orders N" says what the database holds.
examine() {
	local orders
	# A crash leaves counts of free blocks that are corrected behind the replay: status 1.
	show e2fsck -p "$1" || [ $? = 1 ]
	fsck "$1"
	show mount "$1" /srv
	show sha256sum --quiet -c /vm/share/files.sha256
	show sqlite3 /srv/shop.db 'PRAGMA integrity_check'
	[ "$(sqlite3 /srv/shop.db 'PRAGMA integrity_check')" = ok ]
	show sqlite3 /srv/shop.db 'SELECT min(id), max(id), count(*) FROM orders'
	orders=$(shop audit /srv/shop.db)
	echo "value orders $orders"
	umount /srv
}
