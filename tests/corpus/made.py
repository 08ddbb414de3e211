#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""made.py: write images/made-* and homes/made-* again: logs that jbdctl create and the kernel's module made.

The power of the machine fails three times while the volume is open. What is expected of the last one's log is the volume as
the kernel showed it before.
"""
import os
import subprocess
import sys
import tempfile

import image

HERE = os.path.dirname(os.path.abspath(__file__))
VM = os.path.join(HERE, "../vm/vm")
LOG_BYTES, HOME_BYTES = 1114112, 1 << 20        # the shortest log that there is: an area of 128 sectors

SCRIPT = """
. /vm/cases/helpers.bash
set -e
load_modules dm-checkpoint dm-journal
words() { yes "$(printf %%-15.15s "$1")" | dd of=/dev/mapper/vol bs=512 seek=$2 count=$3 oflag=direct iflag=fullblock status=none; }
fence() { sync /dev/mapper/vol; }
[ %(life)d -gt 1 ] || jbdctl create vol /dev/vm/home /dev/vm/log --label made --unit %(unit)d --record-kib 16 --no-open
mkdm vol-home checkpoint /dev/vm/home > /dev/null
mkdm vol journal /dev/mapper/vol-home /dev/vm/log 6 staging_mib 1 idle_ms 0 autocommit_ms 60000 > /dev/null
for i in $(seq %(records)d); do
	words "life %(life)d rec $i" $((i * 18 %% 504)) 3
	words "%(life)d again $i" $(((i * 18 + 9) %% 504)) 3
	fence
	[ $i != 17 ] || dmsetup message vol 0 checkpoint
done
if [ %(life)d = 3 ]; then
	blkdiscard -o $((600 * 512)) -l $((100 * 512)) /dev/mapper/vol
	words "over nothing" 500 4
	fence
	words "over that" 501 1
	fence
fi
dd if=/dev/mapper/vol of=/dev/shm/volume bs=1M iflag=direct status=none
echo "volume $(sha256sum < /dev/shm/volume)"
"""


def life(kernel, unit, number, records, disks, script):
    with open(script, "w", encoding="ascii") as file:
        file.write(SCRIPT % {"life": number, "unit": unit, "records": records})
    words = [VM, "boot", "--kernel", kernel, "--script", script, "--cut-after-line", "^volume "]
    for name, path in disks.items():
        words += ["--disk", f"{name}={path}"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    line = next((line for line in done.stdout.splitlines() if line.startswith("volume ")), None)
    if not line:
        sys.exit(done.stdout)
    return line.split()[1]


def make(kernel, unit):
    name = f"made-{kernel}-unit{unit // 512}"
    with tempfile.TemporaryDirectory() as work:
        disks = {part: os.path.join(work, part) for part in ("log", "home")}
        for part, size in (("log", LOG_BYTES), ("home", HOME_BYTES)):
            with open(disks[part], "wb") as file:
                file.truncate(size)
        for number, records in enumerate((25, 2, 1), 1):
            volume = life(kernel, unit, number, records, disks, os.path.join(work, "script"))
        for part, directory, what in (
                ("log", "images", f"Made by jbdctl create and the kernel module of Linux {kernel}; the power failed while "
                                  "the volume was open."),
                ("home", "homes", f"The home of {name} at that time.")):
            with open(disks[part], "rb") as file:
                image.dump(os.path.join(HERE, directory, name + ".img"), what, bytearray(file.read()))
    return name, volume


if __name__ == "__main__":
    for kernel, unit in (("6.1", 512), ("6.12", 4096)):
        print(*make(kernel, unit))
