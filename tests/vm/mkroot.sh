#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# mkroot.sh KERNELS DIR: make DIR/root.img, the guest's root file system with the modules of both kernels in KERNELS.
#
# The machine attaches the image with snapshot=on, so it never changes after this.
set -euo pipefail
kernels=$1
dir=$2
here=$(dirname "$(readlink -f "$0")")
tree=$dir/tree

packages=$(sed '/^#/d' "$here/packages.guest" | paste -sd,)
"$here/mkdebian.sh" minbase "$packages" "$tree"
mkdir -p "$tree/vm" "$tree/lib/modules"
for k in 6.1 6.12; do
	cp -rL "$kernels/$k/modules" "$tree/lib/modules/$(cat "$kernels/$k/release")"
done
: > "$tree/etc/fstab"
echo vm > "$tree/etc/hostname"
# Without a running udevd lvm must neither wait for it nor read its database.
sed -i -e 's/^\(\s*\)# \(udev_sync\) = .*/\1\2 = 0/' -e 's/^\(\s*\)# \(udev_rules\) = .*/\1\2 = 0/' \
	-e 's/^\(\s*\)# \(obtain_device_list_from_udev\) = .*/\1\2 = 0/' "$tree/etc/lvm/lvm.conf"

# Set by the payload of each boot: how to insert the modules under test.
ln -s /vm/modprobe.conf "$tree/etc/modprobe.d/vm.conf"
install -m 755 "$here/guest/first-init" "$tree/sbin/first-init"

size=$(du -sm "$tree" | cut -f1)
mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1,root_owner=0:0 -d "$tree" "$dir/root.img" "$((size + 512))M"
rm -r "$tree"
