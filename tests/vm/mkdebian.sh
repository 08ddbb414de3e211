#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# mkdebian.sh VARIANT PACKAGES DIR: Debian 12 with these packages (a,b,c) in the new directory DIR, by mmdebstrap.
#
# It comes from the same package archives, with the same proxy, as the host's own packages. Without documentation and
# translations, which only cost size.
set -euo pipefail
variant=$1
packages=$2
tree=$3
release=bookworm

sources=$(apt-get indextargets --format '$(ORIGIN)|$(CODENAME)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
	  sed -n "s/^Debian|$release[a-z-]*|//p" | sort -u)
[ "$sources" ] || { echo "mkdebian.sh: apt knows no Debian $release archive; run apt-get update" >&2; exit 1; }

proxy=()
while read -r line; do
	proxy+=(--aptopt="$line")
done < <(apt-config dump Acquire | grep -i '::proxy' || :)

mmdebstrap --quiet --variant="$variant" --include="$packages" "${proxy[@]}" \
	--aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	"$release" "$tree" - <<< "$sources"
rm -rf "$tree"/var/cache/apt "$tree"/var/lib/apt/lists
