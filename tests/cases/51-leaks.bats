# SPDX-License-Identifier: GPL-2.0-only
# Memory: what a volume took is given back. (helpers.bash looks after devices and module references in every test.)
# A cache with checks keeps no slab for a processor, so its count is exact.
# vm: append=slub_debug=F,kmalloc-*,bio-* sample=6.1
# Seen red when the record's vectors were not freed, and when the staging pages were not.

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	home=$(mkdisk home 16 discard=0)
	log=$(mkdisk log 16 discard=0)
	# the disks' own memory
	for disk in "$home" "$log"; do
		dd if=/dev/urandom of="$disk" bs=1M count=16 oflag=direct conv=fsync status=none
	done
}

# cycles N: volumes that are opened, used, reloaded and closed; and tables that are refused.
cycles() {
	local i table
	for ((i = 0; i < $1; i++)); do
		dmsetup create v-home --table "0 $(sectors "$home") checkpoint $home"
		table="0 $(sectors "$home") journal /dev/mapper/v-home $log 4 idle_ms 0 staging_mib 8"
		dmsetup create v --table "$table"
		dd if=/dev/zero of=/dev/mapper/v bs=64k count=20 oflag=direct conv=notrunc,fsync status=none
		dd if=/dev/mapper/v of=/dev/null bs=256k count=4 iflag=direct status=none
		dmsetup message v 0 checkpoint > /dev/null
		dmsetup reload v --table "$table"
		! dmsetup reload v --table "$table 2" 2> /dev/null
		! dmsetup reload v-home --table "0 8 checkpoint $home 2 depth x" 2> /dev/null
		dmsetup suspend v
		dmsetup resume v
		dmsetup remove --retry v
		dmsetup remove --retry v-home
	done
}

# objects: name and number of the live objects in each cache that the modules could have taken one from.
objects() {
	local cache
	for cache in /sys/kernel/slab/{kmalloc-,bio-,pool_}*; do
		[ ! -w "$cache/shrink" ] || echo 1 > "$cache/shrink"
	done
	awk '$1 ~ /^(kmalloc-[0-9k]+|bio-.*|pool_workqueue)$/ { print $1, $2 }' /proc/slabinfo
}

# kib: memory that is neither free nor a cache of files. Compaction takes back the free pages that processors keep.
kib() {
	echo 3 > /proc/sys/vm/drop_caches
	echo 1 > /proc/sys/vm/compact_memory
	awk '/^(MemTotal|MemFree|Buffers|Cached):/ { v[$1] = $2 } END { print v["MemTotal:"] - v["MemFree:"] - v["Buffers:"] - v["Cached:"] }' /proc/meminfo
}

@test "30 volumes later no cache holds 30 objects more, and memory is as it was" {
	jbdctl create v "$home" "$log" --no-open
	cycles 3
	before=$(kib)
	objects > /tmp/before
	tr -d : < /proc/meminfo | sort > /tmp/mem-before
	cycles 30
	objects > /tmp/after
	after=$(kib)
	tr -d : < /proc/meminfo | sort > /tmp/mem-after
	join /tmp/mem-before /tmp/mem-after | awk '$2 != $4 { print $1, $2, "->", $4 }'
	echo "in use: $before KiB before, $after KiB after"
	join /tmp/before /tmp/after | awk '$2 != $3 { print $1, $2, "->", $3 }'
	[ "$(join /tmp/before /tmp/after | awk '$3 >= $2 + 30' | wc -l)" -eq 0 ]
	# a volume has 16 MiB; free pages on their way make some noise
	[ "$after" -lt $((before + 30 * 1024)) ]
	! grep -E 'dm_journal|dm_checkpoint' /proc/vmallocinfo | grep -v 'module_alloc\|load_module\|execmem\|move_module'
}
