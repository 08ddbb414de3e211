# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the demo's scripts, in the machine. A line that starts with "> " is for the reader, one with "value " for
# tests/demo/demo; all others go to its log only.
set -Eeuo pipefail
trap 'echo "> failed: ${BASH_COMMAND}"' ERR

say() { echo "> $*"; }

# show COMMAND..: as a person would type it, with its output.
show() {
	say "    \$ $*"
	"$@" 2>&1 | sed -u 's/^/>       /'
}

# The two devices. Each is a disk with a volatile write cache, which a power cut empties: what was not flushed is lost,
# but for sectors that a coin has saved. The array answers each write and each flush $ARRAY_MS later.
array() {
	dmsetup create array-disk --table "0 $(blockdev --getsz /dev/vm/array) simdisk /dev/vm/array $SEED"
	dmsetup create array --table "0 $(blockdev --getsz /dev/vm/array) delay /dev/mapper/array-disk 0 0 /dev/mapper/array-disk 0 $1"
}

ssd() {
	dmsetup create ssd --table "0 $(blockdev --getsz /dev/vm/ssd) simdisk /dev/vm/ssd $SEED"
}

# examine DEVICE: the file system, its files and the database are sound; "value orders N" says what the database holds.
examine() {
	local orders
	# Status 1 is "errors corrected": a crash leaves counts that the journal's replay does not restore.
	show e2fsck -p "$1" || [ $? = 1 ]
	show e2fsck -fn "$1"
	show mount "$1" /srv
	say "    \$ cd /srv && sha256sum --quiet -c /vm/share/files.sha256"
	(cd /srv && sha256sum --quiet -c /vm/share/files.sha256)
	show sqlite3 /srv/shop.db 'PRAGMA integrity_check'
	[ "$(sqlite3 /srv/shop.db 'PRAGMA integrity_check')" = ok ]
	orders=$(shop audit /srv/shop.db)
	show sqlite3 /srv/shop.db 'SELECT min(id), max(id), count(*) FROM orders'
	echo "value orders $orders"
	show umount /srv
	show e2fsck -fn "$1"
}
