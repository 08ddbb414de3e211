#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# texts.sh JBDCTL: write what it says of each image to texts/NAME.verify, and of each golden one to texts/NAME.dump.
set -eu
jbdctl=$1
cd "$(dirname "$0")"
here=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/all"
python3 image.py "$work/all" images/*.img
cd "$work"
export TZ=UTC LC_ALL=C
for image in all/*; do
	name=${image#all/}
	mv "$image" log
	"$jbdctl" log verify log --quiet > "$here/texts/$name.verify" 2>&1 || :
	if grep -q '^golden' "$here/images/$name.expect"; then
		"$jbdctl" log dump log --extents > "$here/texts/$name.dump" 2>&1
	fi
done
