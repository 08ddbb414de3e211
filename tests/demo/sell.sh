# SPDX-License-Identifier: GPL-2.0-only
# Steps 1 to 3 in the machine: the shop sells on the plain array, on dm-writecache, and on the journal until the power
# is cut. The file system on the array is one and the same all the time.
. /vm/share/machine.sh

sell() {	# sell NAME DEVICE [on]
	show mount "$2" /srv
	say "    \$ shop sell /srv/shop.db"
	echo "value contender $1"
	shop sell /srv/shop.db "$SELL_SECONDS" ${3-}
	show umount /srv
}

array 4
ssd
for device in array ssd; do
	ms=$(shop probe "/dev/mapper/$device")
	echo "value ${device}_ms $ms"
done
echo "value step 1"
show e2fsck -fn /dev/mapper/array
echo "value step 2"
sell plain /dev/mapper/array
say
show dmsetup create cached --table "0 $(blockdev --getsz /dev/mapper/array) writecache s /dev/mapper/array /dev/mapper/ssd 4096 0"
sell writecache /dev/mapper/cached
show dmsetup message cached 0 flush
show dmsetup remove cached
echo "value step 3"
show jbdctl create shop /dev/mapper/array /dev/mapper/ssd --opt max_lag_ms=1000
sell journal /dev/mapper/shop on
