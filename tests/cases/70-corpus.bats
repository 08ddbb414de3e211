# SPDX-License-Identifier: GPL-2.0-only
# The kernel activates exactly those images of tests/corpus that jbdctl calls good, and shows the volume that jbdctl
# recovers.
#
# What images/NAME.expect says of the kernel follows from jbdctl's verdict, but for a log that is good and must not be
# used (retired, ro_compat, sequences used up, another home), and for durable payload that has rotted, which a recovery
# does not read: there the volume gives an error for those sectors, and for no others.
#
# vm: timeout=300 sample=6.1
load helpers

CORPUS=/vm/cases/corpus

setup_file() {
	mkdir -p /tmp/images /tmp/homes
	python3 $CORPUS/image.py /tmp/images $CORPUS/images/*.img
	python3 $CORPUS/image.py /tmp/homes $CORPUS/homes/*.img
	yes 'the home as it was before any journal' | head -c 1M > /tmp/noise
}

setup() {
	vm_setup
	local lines line word name value
	declare -gA verify=() kernel=() sum=() length=()
	# one process for all, and no read of single bytes
	mapfile -t lines < <(
		awk '{ name = FILENAME; gsub(/.*\/|\.expect$/, "", name); print $1, name, $2 }' $CORPUS/images/*.expect
		cd /tmp/images && stat -c 'length %n %s' -- *
	)
	for line in "${lines[@]}"; do
		word=${line%% *} value=${line##* } name=${line#* }
		name=${name% *}
		case $word in
		verify) verify[$name]=$value ;;
		kernel) kernel[$name]=$value ;;
		home) sum[$name]=$value ;;
		length) length[$name]=$value ;;
		esac
	done
}

# disks: what judge uses. The log's is longer than the images; those that are cut short get a device of their own length.
disks() {
	load_modules dm-checkpoint dm-journal
	home=$(mkdisk home 1 cache=0)
	disk=$(mkdisk log 2 cache=0)
	on_home=
	ckpt=$(mkdm v-home checkpoint "$home")
}

# put FILE DISK, get DISK FILE: past the page cache; get at most 1 MiB.
put() { dd if="$1" of="$2" bs=1M iflag=fullblock oflag=direct status=none; }
get() { dd if="$1" of="$2" bs=1M count=1 iflag=direct status=none; }

# judge NAME: does the kernel do with the image what is expected of it?
judge() {
	local name=$1 log=$disk got=refuse good=yes volume_sum start=/tmp/noise
	[ ! -e "/tmp/homes/$name" ] || start=/tmp/homes/$name
	# one that was refused has not touched it
	[ "$on_home" = "$start" ] || put "$start" "$home"
	on_home=$start
	put "/tmp/images/$name" "$disk"
	if [ "${length[$name]}" -lt 1048576 ]; then
		dmsetup create short --table "0 $((length[$name] / 512)) linear $disk 0"
		log=/dev/mapper/short
	fi
	if dmsetup create v --table "0 2048 journal $ckpt $log 4 idle_ms 0 staging_mib 1" 2> /dev/null; then
		got=accept on_home=
		if [ "${kernel[$name]}" = eio ]; then
			got=$(judge_rotten "$name")
		else
			read -r volume_sum _ < <(get /dev/mapper/v /dev/stdout | sha256sum)
			[ "$volume_sum" = "${sum[$name]}" ] || { echo "$name: the volume is not what log and home make"; good=; }
		fi
		dmsetup remove v
	elif ! get "$disk" /tmp/after || ! cmp -n "${length[$name]}" /tmp/after "/tmp/images/$name"; then
		echo "$name: refused, but the log was written"
		good=
	fi
	[ "$log" = "$disk" ] || dmsetup remove short
	[ "$got" = "${kernel[$name]}" ] || { echo "$name: $got, and not ${kernel[$name]}"; good=; }
	[ "$good" ]
}

# judge_rotten NAME: «eio» if the extent that jbdctl calls rotten cannot be read, and everything beside it can. It is read as a
# whole: of a part of an extent there is no checksum.
judge_rotten() {
	local sector at length
	[[ $(jbdctl log verify "/tmp/images/$1" 2>&1) =~ 'home sectors '([0-9]+)\+([0-9]+) ]]
	at=${BASH_REMATCH[1]} length=${BASH_REMATCH[2]}
	if contents /dev/mapper/v "$at" "$length" > /dev/null 2>&1; then
		echo 'accept, rot and all'
		return
	fi
	for sector in {0..31}; do
		if ((sector < at || sector >= at + length)) && ! contents /dev/mapper/v "$sector" 1 > /dev/null 2>&1; then
			echo "eio of sector $sector as well"
			return
		fi
	done
	echo eio
}

# group NAME
group() {
	case $1 in
	lie-*) group=lies ;;
	slot*|super-*|version-*|*compat-*|nonce-*|uuid-*|cut-*|two-sectors|no-log-*) group=supers ;;
	*) group=records ;;
	esac
}

# judge_all GROUP: each image in it.
judge_all() {
	local name group seen=0 wrong=0
	disks
	for name in "${!kernel[@]}"; do
		group "$name"
		[[ $group = "$1" && ${kernel[$name]} != - ]] || continue
		judge "$name" || wrong=$((wrong + 1))
		seen=$((seen + 1))
	done
	echo "images: $seen, judged wrongly: $wrong"
	[ "$wrong" -eq 0 ]
	[ "$seen" -gt 20 ]
}

@test "superblocks: the kernel judges them as jbdctl does" { judge_all supers; }

@test "headers and descriptors that lie: the kernel judges them as jbdctl does" { judge_all lies; }

@test "good, torn and damaged logs: the kernel judges them as jbdctl does, and recovers the same home" { judge_all records; }

@test "the kernel accepts what jbdctl calls good, but for the named exceptions" {
	local name
	for name in "${!kernel[@]}"; do
		case $name:${verify[$name]}:${kernel[$name]} in
		retired:0:refuse|ro-compat-unknown:0:refuse|sequence-last:0:refuse|home-of-another-length:0:refuse) ;;
		payload-crc:5:eio|former-lap-durable:5:eio) ;;
		no-length:3:-|too-short:3:-) ;;
		*:0:accept|*:[35]:refuse) ;;
		*) echo "$name: jbdctl ${verify[$name]}, kernel ${kernel[$name]}"; false ;;
		esac
	done
	[ "${#kernel[@]}" -gt 100 ]
}
