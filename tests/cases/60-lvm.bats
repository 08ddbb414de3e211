# SPDX-License-Identifier: GPL-2.0-only
# LVM below: home and log are logical volumes. LVM above: the volume is a physical volume. The power cut was seen red
# with a commit that is not FUA.
# vm: sample=6.1

load helpers
load volumes

export LVM_SUPPRESS_FD_WARNINGS=1
LVM='devices { use_devicesfile=0 scan=["/dev"] } activation { udev_sync=0 udev_rules=0 } global { event_activation=0 }'
lvm_() { local verb=$1; shift; command "$verb" --config "$LVM" "$@"; }

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	modprobe dm-mod
	load_modules dm-simdisk
	pv=$(mkdm disk simdisk "$(mkdisk pv 300)" 11 300)
	lvm_ vgcreate -q below "$pv"
	lvm_ lvcreate -q -an -Zn -Wn -y -L 160m -n home below
	lvm_ lvcreate -q -an -Zn -Wn -y -L 32m -n log below
	lvm_ vgchange -q -ay below
	dmsetup mknodes
}

teardown() {
	umount /mnt 2> /dev/null || :
	vm_teardown
	# no udevd here: LVM's own links stay
	rm -rf /dev/below /dev/above
}

# digest DIRECTORY: of all files below.
digest() { (cd "$1" && find . -type f -exec md5sum {} + | sort | md5sum); }

@test "a PV, VG, LV with ext4 on the volume lives through closing and opening; no duplicate PV is seen" {
	vol=$(mkvol v /dev/mapper/below-home /dev/mapper/below-log)
	lvm_ pvcreate -q "$vol"
	lvm_ vgcreate -q above "$vol"
	lvm_ lvcreate -q -an -Zn -Wn -y -l 100%FREE -n data above
	lvm_ vgchange -q -ay above
	dmsetup mknodes
	mkfs.ext4 -q /dev/mapper/above-data
	mount /dev/mapper/above-data /mnt
	cp -r /usr/share/bash-completion /mnt 2> /dev/null || cp -r /etc /mnt
	sync -f /mnt
	sum=$(digest /mnt)
	umount /mnt
	lvm_ vgchange -q -an above

	jbdctl close v
	jbdctl open v /dev/mapper/below-home /dev/mapper/below-log --opt idle_ms=0
	run lvm_ pvs -o pv_name --noheadings
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output != *[Dd]uplicate* && $output != *v-home* ]]
	[[ $output == */dev/mapper/v* ]]
	lvm_ vgchange -q -ay above
	dmsetup mknodes
	e2fsck -fn /dev/mapper/above-data
	mount /dev/mapper/above-data /mnt
	[ "$sum" = "$(digest /mnt)" ]
	umount /mnt
	lvm_ vgchange -q -an above
}

# The disk below has a volatile cache and loses a part of what was not flushed: home and log at one instant.
@test "after a power cut both VGs come back, and the LV above has all that was synced" {
	allow_console 'journal: .*(failed|stalled|could not)|checkpoint: .*failed'
	vol=$(mkvol v /dev/mapper/below-home /dev/mapper/below-log)
	lvm_ pvcreate -q "$vol"
	lvm_ vgcreate -q above "$vol"
	lvm_ lvcreate -q -an -Zn -Wn -y -l 100%FREE -n data above
	lvm_ vgchange -q -ay above
	dmsetup mknodes
	mkfs.ext4 -q /dev/mapper/above-data
	mount /dev/mapper/above-data /mnt
	cp -r /etc /mnt/synced
	sync -f /mnt
	sum=$(digest /mnt/synced)
	cp -r /etc /mnt/lost

	dmsetup message disk 0 powercut
	umount /mnt || :
	dmsetup remove above-data
	dmsetup remove v
	dmsetup remove v-home
	dmsetup remove below-home
	dmsetup remove below-log
	dmsetup message disk 0 restore

	lvm_ vgchange -q -ay below
	dmsetup mknodes
	jbdctl open v /dev/mapper/below-home /dev/mapper/below-log --opt idle_ms=0
	lvm_ vgchange -q -ay above
	dmsetup mknodes
	mount /dev/mapper/above-data /mnt
	[ "$(digest /mnt/synced)" = "$sum" ]
	umount /mnt
	e2fsck -fn /dev/mapper/above-data
	lvm_ vgchange -q -an above
}
