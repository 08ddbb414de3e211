# SPDX-License-Identifier: GPL-2.0-only
# Step 3 in the machine: a journal goes under the file system, and the shop sells until the host cuts the power.
. /vm/share/machine.sh
make_home 4
make_log
fsck /dev/mapper/home
show jbdctl create shop /dev/mapper/home /dev/mapper/log --opt max_lag_ms=200
show mount /dev/mapper/shop /srv
say "   \$ shop sell /srv/shop.db"
shop sell /srv/shop.db 0
