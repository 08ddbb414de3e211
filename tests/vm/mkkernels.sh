#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# mkkernels.sh DIR: unpack the two kernels of the floor and their headers into DIR.
#
# Nothing is installed on the host: packages are downloaded and unpacked, so no boot loader, initramfs or module
# directory of the host changes. DIR then holds, for K in 6.1 and 6.12:
#   K/release   the kernel's release string
#   K/vmlinux   the uncompressed kernel, which QEMU starts through its PVH entry
#   K/modules   what /lib/modules/RELEASE holds
#   K/build     the headers, for make -C
set -euo pipefail
dir=$1
root=$dir/root
mkdir -p "$root" "$dir/deb"

depends() {	# the dependencies of package $1 whose names match $2
	apt-cache depends --important "$1" | sed -n 's/^ *|\?Depends: //p' | grep -E "$2" || :
}

# The image and header packages of both kernels: 6.1 by its meta packages, 6.12 the newest of the security suite.
image61=$(depends linux-image-cloud-amd64 '^linux-image-6\.1\.')
headers61=$(depends linux-headers-cloud-amd64 '^linux-headers-6\.1\.')
newest=$(apt-cache search --names-only '^linux-headers-6\.12\..*\+deb12-cloud-amd64$' |
	 sed 's/^linux-headers-\(.*\) - .*/\1/' | sort -V | tail -n1)
image612=linux-image-$newest-unsigned
headers612=linux-headers-$newest
[ "$image61" ] && [ "$headers61" ] && [ "$newest" ] || {
	echo "mkkernels.sh: the package lists hold no kernel 6.1 or 6.12; run apt-get update" >&2
	exit 1
}

packages=("$image61" "$image612")
for h in "$headers61" "$headers612"; do
	packages+=("$h")
	mapfile -t -O "${#packages[@]}" packages < <(depends "$h" '^linux-(headers|kbuild|compiler)-')
done
( cd "$dir/deb" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}" )
for deb in "$dir"/deb/*.deb; do
	dpkg-deb -x "$deb" "$root"
done
rm -r "$dir/deb"

# A header package includes the common one by its installed place: let it look beside itself.
sed -i 's:^include /usr/src/\(.*\)/Makefile$:include $(realpath $(dir $(lastword $(MAKEFILE_LIST)))../\1)/Makefile:' \
	"$root"/usr/src/linux-headers-*-cloud-amd64/Makefile

# The uncompressed ELF inside bzImage $1, made by command $3, whose format starts with the bytes $2.
unpack_kernel() {
	local offset
	offset=$(LC_ALL=C grep -abo -m1 -P "$2" "$1" | head -n1 | cut -d: -f1)
	tail -c "+$((offset + 1))" "$1" | $3 2>/dev/null || :
}

for k in 6.1 6.12; do
	image=$image61 unpack='lz4 -dc' magic='\x02\x21\x4c\x18'
	[ $k = 6.1 ] || { image=${image612%-unsigned}; unpack='zstd -dc'; magic='\x28\xb5\x2f\xfd'; }
	release=${image#linux-image-}
	mkdir "$dir/$k"
	echo "$release" > "$dir/$k/release"
	unpack_kernel "$root/boot/vmlinuz-$release" "$magic" "$unpack" > "$dir/$k/vmlinux"
	[ "$(head -c4 "$dir/$k/vmlinux" | tail -c3)" = ELF ] || { echo "mkkernels.sh: no ELF kernel in $image" >&2; exit 1; }
	ln -s "../root/usr/src/linux-headers-$release" "$dir/$k/build"
	ln -s "../root/lib/modules/$release" "$dir/$k/modules"
	rm -f "$root/lib/modules/$release/build" "$root/lib/modules/$release/source"
	depmod -b "$root" "$release"
done
rm -r "$root/boot"
