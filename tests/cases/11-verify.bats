# SPDX-License-Identifier: GPL-2.0-only
# Everything that was written comes back, while the log wraps all the time.
# vm: sample=6.12

load helpers
load volumes

@test "512 B to 1 MiB, unaligned, overlapping, 64 deep, beside discards: the log wraps 20 times and every byte is right" {
	load_modules dm-checkpoint dm-journal
	home=$(mkdisk home 64)
	log=$(mkdisk log 6)
	vol=$(mkvol v "$home" "$log" --opt staging_mib=4)
	spawn fio --name=trim --filename="$vol" --direct=1 --ioengine=libaio --iodepth=8 --rw=randtrimwrite --bsrange=512-64k \
		--blockalign=512 --offset=48m --size=16m --norandommap --time_based --runtime=600 --output=/tmp/trim.log
	total=$(vstat v 3 | cut -d/ -f2)
	laps=0 round=0
	while [ "$laps" -lt 20 ]; do
		round=$((round + 1))
		fio --name=verify --filename="$vol" --direct=1 --ioengine=libaio --iodepth=64 --rw=randwrite \
			--bssplit=512/20:1k/10:3584/10:4k/25:12800/10:64k/15:256k/8:1m/2 --blockalign=512 --size=48m --io_size=48m \
			--norandommap --serialize_overlap=1 --verify=crc32c --verify_fatal=1 --fsync=64 --randseed=$round \
			--output=/tmp/verify.log || { cat /tmp/verify.log; return 1; }
		laps=$(($(vstat v 24) / total))
		echo "round $round: the log has wrapped $laps times"
	done
	[ "$(vstat v 21)" -gt 0 ]
	[ "$(vstat v 30)" -eq 0 ]
	[ "$(vstat v 31)" -eq 0 ]
	# the same bytes from the volume, from the home after a checkpoint, and after recovery
	kill "${VM_JOBS[0]}"
	wait "${VM_JOBS[0]}" || :
	sum=$(md5sum < "$vol")
	jbdctl close v
	jbdctl open v "$home" "$log" --opt idle_ms=0
	[ "$(md5sum < "$vol")" = "$sum" ]
	checkpoint v
	[ "$(head -c 48M "$home" | md5sum)" = "$(head -c 48M "$vol" | md5sum)" ]
}
