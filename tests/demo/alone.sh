# SPDX-License-Identifier: GPL-2.0-only
# Step 5 in the machine, which has no SSD: the array as the power cut left it.
. /vm/share/machine.sh
array 0
examine /dev/mapper/array
