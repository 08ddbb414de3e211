# SPDX-License-Identifier: GPL-2.0-only
# In the machine, for tests/crash/databases. In: DB (sqlite or postgres), FS, SEED, NEW (make a volume, else recover it),
# LOAD (empty: only judge), HOME_MS (what a request takes the home), OPTIONS for jbdctl. Out: "found WHICH NAME N" for what
# the recovered volume and the home alone hold, "broken WHICH .." for what is wrong with them, "judged", "loading", and a
# line "NAME N" for each acknowledged transaction, N from 1 on.
#
# Always true: a transaction's line is printed only after its COMMIT has returned; home and log are simdisks, which lose
# what was not flushed when the machine is killed; the home alone is a copy that the host made of the home's image.
#
# The home is a disk of 4096-byte physical blocks: ext4 with metadata_csum takes a commit block that is torn at 512 bytes,
# on any disk, for corruption, and does not mount.
set -u
bats_require_minimum_version() { :; }
. /vm/cases/helpers.bash
dmesg -n 1
modprobe -a dm-delay dm-simdisk dm-checkpoint dm-journal xfs

home=/dev/mapper/sim-home log=/dev/mapper/sim-log at=/mnt/v
mkdir -p /mnt/v
mkdm slow-home delay /dev/vm/home 0 0 /dev/vm/home 0 "$HOME_MS" > /dev/null &&
	mkdm sim-home simdisk /dev/mapper/slow-home "$SEED" 500 8 > /dev/null &&
	mkdm sim-log simdisk /dev/vm/log "$SEED" > /dev/null || exit
if [ $DB = postgres ]; then
	mkdir -p /mnt/pg
	mount -o ro /dev/vm/postgres /mnt/pg && mount -t tmpfs -o mode=1777 run /mnt/pg/run &&
		mount -t tmpfs -o mode=1777 tmp /mnt/pg/tmp && mount --bind /dev /mnt/pg/dev &&
		mount -t proc proc /mnt/pg/proc || exit
	at=/mnt/pg/srv
fi

pg() {
	chroot --userspec=999:999 /mnt/pg /usr/bin/env PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin PGHOST=/run \
		PGUSER=postgres PGDATA=/srv/pg "$@"
}

pg_up() { pg pg_ctl -s -w -t $((60 * VM_SCALE)) -l /run/log start > /dev/null; }
pg_down() { pg pg_ctl -s -w -t $((60 * VM_SCALE)) -m fast stop; }

CLIENTS="1 2"

make() {	# on a mounted file system
	local c
	if [ $DB = sqlite ]; then
		shop new $at/wal.db 1 WAL && shop new $at/delete.db 1 DELETE
		return
	fi
	cp -a /mnt/pg/cluster $at/pg && pg_up || return
	{
		echo "CREATE EXTENSION amcheck;"
		for c in $CLIENTS; do
			echo "CREATE TABLE orders_$c (id int PRIMARY KEY, content text);"
			echo "CREATE TABLE stock_$c AS SELECT g AS id, 0 AS sold FROM generate_series(0, 199) g;"
			echo "ALTER TABLE stock_$c ADD PRIMARY KEY (id);"
		done
	} | pg psql -q -v ON_ERROR_STOP=1 && pg_down
}

judge() {	# judge WHICH DEVICE
	local which=$1 device=$2 name c row n
	broken() { echo "broken $which: $*"; }
	mount -t "$FS" "$device" $at 2> /tmp/mount || { broken "does not mount: $(cat /tmp/mount)"; return; }
	if [ $DB = sqlite ]; then
		for name in wal delete; do
			row=$(sqlite3 $at/$name.db 'PRAGMA integrity_check' 2>&1)
			[ "$row" = ok ] || broken "$name: $row"
			n=$(shop audit $at/$name.db 2>&1) && echo "found $which $name $n" || broken "$name: $n"
		done
	elif ! pg_up; then
		broken "PostgreSQL does not start: $(tail -n 5 /mnt/pg/run/log)"
		pg_down 2> /dev/null
	else
		pg pg_amcheck --heapallindexed --rootdescend postgres > /tmp/amcheck 2>&1 || broken "pg_amcheck: $(head -n 3 /tmp/amcheck)"
		for c in $CLIENTS; do
			row=$(pg psql -At -c "SELECT count(*), coalesce(max(id), 0), (SELECT sum(sold) FROM stock_$c),
				coalesce(bool_and(content = repeat(md5(id::text), 12)), true) FROM orders_$c" 2>&1)
			n=${row%%|*}
			[ "$row" = "$n|$n|$n|t" ] && echo "found $which client$c $n" || broken "count|max|sold|contents: $row"
		done
		pg_down || broken "PostgreSQL does not stop"
		pg pg_checksums --check > /tmp/checksums 2>&1 || broken "pg_checksums: $(head -n 3 /tmp/checksums)"
	fi
	umount $at
	case $FS in
	ext4) e2fsck -fn "$device" ;;
	xfs) xfs_repair -n "$device" ;;
	esac > /tmp/fsck 2>&1 || broken "fsck: $(head -n 5 /tmp/fsck)"
}

client() {	# one transaction after the other, its number printed when psql has seen the COMMIT
	local c=$1 first
	first=$(pg psql -At -c "SELECT coalesce(max(id), 0) + 1 FROM orders_$c")
	awk -v c="$c" -v n="$first" 'BEGIN {
		for (;; n++) {
			printf "BEGIN; INSERT INTO orders_%d VALUES (%d, repeat(md5(%c%d%c), 12));", c, n, 39, n, 39
			printf "UPDATE stock_%d SET sold = sold + 1 WHERE id = %d %% 200; COMMIT;\n\\echo client%d %d\n", c, n, c, n
		}
	}' | pg stdbuf -oL psql -q -v ON_ERROR_STOP=1
}

if [ "$NEW" ]; then
	case $FS in
	ext4) mke2fs -q -t ext4 -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 $home ;;
	xfs) mkfs.xfs -q $home ;;
	esac && mount -t "$FS" $home $at && make && umount $at && jbdctl create vol $home $log $OPTIONS > /dev/null || exit
else
	if jbdctl open vol $home $log $OPTIONS > /tmp/open 2>&1; then
		judge volume /dev/mapper/vol
	else
		sed 's/^/broken volume: /' /tmp/open
		# So it is; but what is left?
		jbdctl recover --quiet --log $log --home $home --accept-loss --ignore-fork && judge volume $home
	fi
	judge alone /dev/vm/alone
	echo judged
fi
[ "$LOAD" ] || exit 0
mount -t "$FS" /dev/mapper/vol $at || exit
echo loading
if [ $DB = sqlite ]; then
	for name in wal delete; do
		shop sell $at/$name.db 0 | sed -u -n "s/^ack /$name /p" &
	done
else
	pg_up || exit
	for c in $CLIENTS; do
		client "$c" &
	done
fi
wait -n
echo "the load ended"
