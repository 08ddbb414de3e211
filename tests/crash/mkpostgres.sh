#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# mkpostgres.sh IMAGE: make the disk with PostgreSQL for tests/crash/databases: Debian's packages to chroot into, and in
# /cluster a new cluster with page checksums, which belongs to user 999.
#
# Always true: nothing of it runs or is installed on this host, but initdb in the chroot. IMAGE exists only complete.
set -euo pipefail
image=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree" "$image.new"' EXIT

# Unpacked, not configured: no maintainer script runs.
"$(dirname "$(readlink -f "$0")")/../vm/mkdebian.sh" extract postgresql-15,dash,coreutils "$tree"
# What only compiling of queries, scripts and other character sets need.
rm -rf "$tree"/usr/lib/x86_64-linux-gnu/{libLLVM*,libz3*,perl*,libperl*,gconv} "$tree"/usr/lib/postgresql/15/lib/{bitcode,llvmjit*} \
	"$tree"/usr/share/{perl,i18n}

echo 'postgres:x:999:999::/:/bin/sh' > "$tree/etc/passwd"
echo 'postgres:x:999:' > "$tree/etc/group"
mkdir -p "$tree"/{cluster,srv,run,proc}
[ -e "$tree/bin/sh" ] || ln -s dash "$tree/bin/sh"
chown 999:999 "$tree/cluster"
chmod 1777 "$tree/tmp"
chroot --userspec=999:999 "$tree" /usr/lib/postgresql/15/bin/initdb -D /cluster --data-checksums --wal-segsize=1 --no-sync \
	-A trust -U postgres --locale=C -E UTF8 > /dev/null
cat >> "$tree/cluster/postgresql.conf" <<- EOF
	fsync = on
	synchronous_commit = on
	full_page_writes = on
	wal_sync_method = fdatasync
	shared_buffers = 8MB
	min_wal_size = 2MB
	max_wal_size = 4MB
	checkpoint_timeout = 30s
	jit = off
	listen_addresses = ''
	unix_socket_directories = '/run'
	dynamic_shared_memory_type = mmap
EOF
mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$tree" "$image.new" "$(($(du -sm "$tree" | cut -f1) * 9 / 8 + 16))M"
mv "$image.new" "$image"
