# SPDX-License-Identifier: GPL-2.0-only
# vm: udev sample=6.12
# jbdctl where udevd runs: nodes, what udev and LVM see, and what udevd's own looking about gets in the way of.
load helpers
load volumes

setup() {
	vm_setup
	home=$(mkdisk home 64)
	log=$(mkdisk log 32)
	export LVM_SUPPRESS_FD_WARNINGS=1
}

@test "with udevd the nodes are links, and the inner device is left alone" {
	mkfs.ext4 -q -U 11111111-2222-3333-4444-555555555555 "$home"
	jbdctl create v "$home" "$log"
	[ -L /dev/mapper/v ]
	[ -L /dev/mapper/v-home ]
	udevadm settle
	inner=$(udevadm info -q property /dev/mapper/v-home)
	[[ $inner == *DM_UDEV_DISABLE_DISK_RULES_FLAG=1* ]]
	[[ $inner == *DM_UDEV_DISABLE_OTHER_RULES_FLAG=1* ]]
	[[ $inner != *ID_FS_UUID* ]]
	[[ $(udevadm info -q property /dev/mapper/v) == *ID_FS_UUID=11111111* ]]
	jbdctl close v
	gone v
}

@test "libdevmapper told to do without udev does" {
	DM_DISABLE_UDEV=1 jbdctl create v "$home" "$log"
	[ -b /dev/mapper/v ]
	DM_DISABLE_UDEV=1 jbdctl close v
	gone v
}

@test "a volume that was just released can be removed at once" {
	vol=$(mkvol v "$home" "$log")
	for i in 1 2 3; do
		fill "$vol" $((i * 8)) 8 "$i"
		jbdctl remove v
		jbdctl create v "$home" "$log" --opt idle_ms=0
	done
	holds "$vol" 24 8 3
	jbdctl close v
	gone v
}

# Seen red: with JBD- in place of the prefix of a sub-device, LVM takes v-home for a second copy.
@test "LVM on the volume sees one physical volume, not two" {
	jbdctl create v "$home" "$log"
	pvcreate -q /dev/mapper/v
	jbdctl checkpoint v
	run -0 pvs
	[[ $output == *"/dev/mapper/v "* && $output != *WARNING* && $output != *v-home* ]]
	vgcreate -q vg /dev/mapper/v
	lvcreate -q -n lv -L 16m vg
	run -0 pvs
	[[ $output == *"/dev/mapper/v "* && $output != *WARNING* && $output != *v-home* ]]
	vgchange -q -an vg
	jbdctl close v
}
