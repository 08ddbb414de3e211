# SPDX-License-Identifier: GPL-2.0-only
# Step 4 in the machine: the volume after the power cut.
. /vm/share/machine.sh
array 0
ssd
show jbdctl open shop /dev/mapper/array /dev/mapper/ssd
examine /dev/mapper/shop
show jbdctl status shop
