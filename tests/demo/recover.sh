# SPDX-License-Identifier: GPL-2.0-only
# Step 4 in the machine: the volume after the power cut.
. /vm/share/machine.sh
make_home 0
make_log
show jbdctl open shop /dev/mapper/home /dev/mapper/log
examine /dev/mapper/shop
