# SPDX-License-Identifier: GPL-2.0-only
# The test machine itself: what every other file relies on.
load helpers

@test "the kernel is the one asked for" {
	[[ $(uname -r) == "$VM_KERNEL".* ]]
}

@test "a RAM disk has a volatile cache and FUA, and keeps data" {
	disk=$(mkdisk d 16)
	[ "$(queue "$disk" write_cache)" = "write back" ]
	[ "$(queue "$disk" fua)" = 1 ]
	[ "$(sectors "$disk")" = 32768 ]
	fill "$disk" 8 16 hello dsync
	holds "$disk" 8 16 hello
	run ! holds "$disk" 8 16 other
	zeroes "$disk" 24 8
}

@test "a RAM disk without a cache says so" {
	disk=$(mkdisk d 16 cache=0 blocksize=4096)
	[ "$(queue "$disk" write_cache)" = "write through" ]
	[ "$(queue "$disk" logical_block_size)" = 4096 ]
}

@test "teardown takes down a stack that a test leaves behind" {
	disk=$(mkdisk d 16)
	lower=$(mkdm lower linear "$disk" 0)
	upper=$(mkdm upper linear "$lower" 0)
	mkfs.ext4 -q "$upper"
	mount "$upper" /mnt
	spawn sleep 1000
	vm_clean
	run ! mountpoint -q /mnt
	[ ! -e /dev/mapper/lower ]
	[ -z "$(ls -A /sys/kernel/config/nullb | grep -v features)" ]
}

@test "a kernel warning is noticed, and only unless it was allowed" {
	run ! bad_console
	echo "WARNING: CPU: 0 PID: 1 at made/up.c:1" > /dev/kmsg
	run -0 bad_console
	[[ $output == *made/up.c* ]]
	allow_console 'made/up\.c'
	run ! bad_console
	echo "BUG: made up as well" > /dev/kmsg
	run -0 bad_console
	[[ $output == "BUG: made up as well" ]]
	allow_console 'made up as well'
}

@test "every module under test inserts and removes" {
	[ -n "$(modules_under_test)" ]
	unload_modules
	for name in $(modules_under_test); do
		modprobe "$name"
		[ -d "/sys/module/${name//-/_}" ]
		rmmod "$name"
		[ ! -d "/sys/module/${name//-/_}" ]
	done
}
