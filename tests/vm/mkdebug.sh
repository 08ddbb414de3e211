#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# mkdebug.sh DIR: build the debug kernel from Debian's 6.12 source with debug.config; minutes.
#
# DIR then holds, like one kernel of mkkernels.sh's: release, vmlinux (compressed), build (the built tree, for make -C).
set -euo pipefail
dir=$1
here=$(dirname "$(readlink -f "$0")")

( cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download linux-source-6.12 )
dpkg-deb --fsys-tarfile "$dir"/linux-source-6.12_*.deb | tar -xO --wildcards './usr/src/linux-source-6.12.tar.xz' |
	tar -xJ -C "$dir"
rm "$dir"/*.deb
mv "$dir/linux-source-6.12" "$dir/build"
cd "$dir/build"
make -s tinyconfig
scripts/kconfig/merge_config.sh -m .config "$here/debug.config" > /dev/null
make -s olddefconfig
# what the fragment asks for must be there
while IFS= read -r line; do
	grep -qxF "$line" .config || [[ $line == *=n ]] || { echo "mkdebug.sh: the kernel's configuration lacks $line" >&2; missing=1; }
done < <(grep '^CONFIG' "$here/debug.config")
[ -z "${missing-}" ]
make -s -j"$(nproc)" bzImage modules_prepare
# no module of its own adds to it
cp vmlinux.symvers Module.symvers
make -s kernelrelease > "$dir/release"
ln arch/x86/boot/bzImage "$dir/vmlinux"
