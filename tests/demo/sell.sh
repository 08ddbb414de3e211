# SPDX-License-Identifier: GPL-2.0-only
# Steps 1 to 3 in the machine: the shop sells on the plain home, on dm-writecache, and on the journal until the power is
# cut. The file system is one and the same all the time.
. /vm/share/machine.sh

sell() {	# sell CONTENDER DEVICE [on]
	show mount "$2" /srv
	say "   \$ shop sell /srv/shop.db"
	echo "value contender $1"
	shop sell /srv/shop.db "$SELL_SECONDS" ${3-}
	show umount /srv
}

make_home 4
make_log
for device in home log; do
	ms=$(shop probe "/dev/mapper/$device")
	echo "value ${device}_ms $ms"
done
echo "value step 1"
fsck /dev/mapper/home
echo "value step 2"
sell home /dev/mapper/home
sectors=$(blockdev --getsz /dev/mapper/home)
show dmsetup create cached --table "0 $sectors writecache s /dev/mapper/home /dev/mapper/log 4096 0"
sell writecache /dev/mapper/cached
show dmsetup message cached 0 flush
show dmsetup remove cached
echo "value step 3"
show jbdctl create shop /dev/mapper/home /dev/mapper/log --opt max_lag_ms=1000
sell journal /dev/mapper/shop on
