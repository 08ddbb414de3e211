# SPDX-License-Identifier: GPL-2.0-only
# Behind devices.sh, for tests/bench/fill. In: WHO, a contender; SECONDS_EACH; INTERVAL ms. Out: for each interval a line
# "WHO MS N P50 P99 MAX USED", see writer.c; USED is the percentage of the log that is in use.
used() {
	case $1 in
	journal*) dmsetup status v | awk '{ split($6, a, "/"); printf "%.1f\n", 100 * a[1] / a[2] }' ;;
	dm-writecache) dmsetup status wc | awk '{ printf "%.1f\n", 100 * ($5 - $6) / $5 }' ;;
	*) echo 0 ;;
	esac
}

disks sas
start "$WHO"
writer "$dev" 8 8192 "$SECONDS_EACH" "$INTERVAL" | while read -r line; do echo "$WHO $line $(used "$WHO")"; done
stop "$WHO"
no_disks
