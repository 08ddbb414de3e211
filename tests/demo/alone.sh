# SPDX-License-Identifier: GPL-2.0-only
# Step 5 in the machine, which has no log device: the home as the power cut left it.
. /vm/share/machine.sh
make_home 0
examine /dev/mapper/home
