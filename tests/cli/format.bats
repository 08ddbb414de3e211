# SPDX-License-Identifier: GPL-2.0-only
# Making a log, and judging one before it is used.
load images

# slot N: the newest superblock's JSON has slot N with this field.
field() { jbdctl log dump log --json | jq -r ".slots[$1].super.$2"; }

@test "create --no-open makes an empty log and leaves the home alone" {
	cp home before
	run -0 make_log --label 'my data'
	says 'Formatted log' '8 MiB'
	cmp home before
	[ "$(field 0 label)" = 'my data' ]
	[ "$(field 0 home_len)" = 16384 ]
	[ "$(field 0 unit)" = 8 ]
	[ "$(field 0 area_len)" = 6144 ]
	[ "$(field 0 record_max)" = 768 ]
	[ "$(field 0 tail_seq)" = 0 ]
	run -0 jbdctl log verify log
	says 'good and empty'
}

@test "two logs never have the same identity" {
	make_log && first=$(field 0 uuid) nonce=$(field 0 nonce)
	make_log
	[ "$(field 0 uuid)" != "$first" ]
	[ "$(field 0 nonce)" != "$nonce" ]
}

@test "records of a former log are not records of the new one" {
	make_log
	records <<< 'commit data:0+8'
	make_log --force
	run -0 jbdctl log verify log
	says 'Records: 0'
}

@test "unit and record length are as asked for" {
	make_log --unit 512 --record-kib 16
	[ "$(field 0 unit)" = 1 ]
	[ "$(field 0 record_max)" = 32 ]
}

@test "a dry run writes nothing" {
	run -0 make_log --dry-run
	says 'Would format'
	cmp log <(head -c 4M /dev/zero)
	run -0 jbdctl create vol home log --dry-run
	says 'vol-home: 0 16384 checkpoint home' 'vol: 0 16384 journal /dev/mapper/vol-home log'
	cmp log <(head -c 4M /dev/zero)
}

@test "a foreign signature is named, and needs --force" {
	mkfs.ext4 -q -L precious log
	cp log before
	run -$BUSY make_log
	says 'log holds a ext4 file system' "'precious'" --force
	cmp log before
	run -0 make_log --force
	[ -z "$(blkid -p -o value -s TYPE log)" ]
}

@test "a partition table is named, and wiped at both ends with --force" {
	printf '\x80\0\0\0\x83\0\0\0\0\x08\0\0\0\x08\0\0' | dd of=log bs=1 seek=446 conv=notrunc status=none
	printf '\x55\xaa' | dd of=log bs=1 seek=510 conv=notrunc status=none
	poke log $((4194304 - 512)) 'EFI PART'
	run -$BUSY make_log
	says 'partition table (dos)'
	run -0 make_log --force
	run ! grep -q 'EFI PART' log
	run ! blkid -p log
}

@test "an old log with contents is described, and needs --force" {
	make_log --label old
	records <<< 'commit data:0+8 data:100+8'
	cp log before
	run -$BUSY make_log
	says "volume 'old'" '8 KiB of data in 1 records' 'jbdctl recover' --force
	cmp log before
	run -0 make_log --force
}

@test "an old log that is empty or retired is simply replaced" {
	make_log
	run -0 make_log
	records <<< $'commit data:0+8\nretire'
	run -0 make_log
}

@test "a log with damaged superblocks needs --force" {
	make_log
	records <<< 'commit data:0+8'
	wipe log 100 8
	wipe log 65636 8
	run -$BUSY make_log
	says 'superblocks cannot be used'
	run -0 make_log --force
}

@test "a home that is a log is taken for swapped arguments" {
	make_log
	for force in '' --force; do
		run -$DEVICE jbdctl create vol log home --no-open $force
		says 'the home log is itself a journal log' 'right way round'
	done
}

# Seen red: the values not looked at before the log is formatted.
@test "an option or a length that would be refused later is refused before anything is written" {
	for opt in high=100 high=0 index_mib=3 depth=1025 rate_mib=-1; do
		run -$USAGE make_log --opt $opt
		says "option '${opt%=*}' has the value '${opt#*=}'" 'a number from'
	done
	run -$USAGE make_log --opt high=40
	says 'low is 40 and high is 40' 'less than'
	run -0 make_log --opt high=30 --opt low=29
	cp log before
	for kib in 0 15 9223372036854775872 99999999999999999999 0x40 1.5; do
		run -$USAGE make_log --force --record-kib $kib
		says $kib
	done
	run -$USAGE make_log --force --label "$(printf '%065d' 0)"
	says 'the label has 65 bytes' 64
	cmp log before
}

# Seen red: the result of the last write not looked at; a label that is no UTF-8 not printed.
@test "output that cannot be written is an error, and a label need not be UTF-8" {
	make_log --label $'caf\xe9'
	run -$IO bash -c '"$0" log dump log > /dev/full' "$JBDCTL"
	says printing
	[[ $(log_super label) == caf* ]]
	run -0 bash -c '"$0" log verify log 2>&-' "$JBDCTL"
}

@test "a log that is too small says how much it needs" {
	truncate -s 1228K log
	run -$DEVICE make_log
	says 'too small' '1.20 MiB' '1.25 MiB' 'larger device'
	run -0 make_log --record-kib 16
	truncate -s 4M log
	run -$DEVICE make_log --force --record-kib 1024
	says 'too small' 'smaller records'
	truncate -s 0 log
	run -$DEVICE make_log
	says 'too small'
}

@test "the same device twice is refused, by whatever name" {
	ln home other
	run -$DEVICE jbdctl create vol home home --no-open
	says same
	run -$DEVICE jbdctl create vol home other --no-open
	says same
	cmp home expect
}

@test "what does not exist, or is no device, is named" {
	run -$DEVICE jbdctl create vol nowhere log --no-open
	says nowhere 'No such file'
	run -$DEVICE jbdctl create vol home nowhere --no-open
	says nowhere
	run -$DEVICE jbdctl create vol home /dev/null --no-open
	says '/dev/null is neither a block device nor an image file'
	[ "$(id -u)" != 0 ] || { run -$DEVICE jbdctl open vol home /dev/null; says /dev/null; }
}

@test "an image file that is in use is refused" {
	make_log
	run -$BUSY flock log "$JBDCTL" log verify log
	says 'log is in use'
	# as QEMU does it: a byte of an image that it has open, shared
	run -$BUSY python3 -c 'import fcntl, struct, subprocess, sys
image = open("log", "rb")
fcntl.fcntl(image, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 100, 1, 0))
sys.exit(subprocess.call(sys.argv[1:]))' "$JBDCTL" log verify log
	says 'log is in use: locked'
}

@test "an image file is not opened as a volume" {
	[ "$(id -u)" = 0 ] || skip 'needs root to get that far'
	make_log
	run -$DEVICE jbdctl open vol home log
	says 'home is an image file' losetup
}

@test "open refuses a device without a log" {
	run -$DEVICE jbdctl open vol home log --dry-run
	says 'log is not a journal log' 'jbdctl create'
}

@test "open refuses a home of another length" {
	make_log
	truncate -s 9M home
	run -$DEVICE jbdctl open vol home log --dry-run
	says 18432 16384 'right home'
}

@test "open refuses a retired log" {
	make_log
	records <<< $'commit data:0+8\nretire'
	run -$DEVICE jbdctl open vol home log --dry-run
	says retired
}

@test "open refuses a log of a newer version, even if only one slot is" {
	make_log
	records <<< 'commit data:0+8'
	for slot in 0 65536; do
		cp log newer
		# version 2; the checksum covers it, so it is made anew
		python3 - newer $slot <<-'END'
		import struct, sys
		name, at = sys.argv[1], int(sys.argv[2])
		data = bytearray(open(name, 'rb').read())
		block = data[at:at + 4096]
		struct.pack_into('<II', block, 8, 0, 2)
		crc = 0xffffffff
		for byte in block:
		    crc ^= byte
		    for _ in range(8):
		        crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
		struct.pack_into('<I', block, 8, crc)
		data[at:at + 4096] = block
		open(name, 'wb').write(data)
		END
		run -$DEVICE jbdctl open vol home newer --dry-run
		says newer 'newer version' Install
		run -$DEVICE jbdctl recover --log newer --home home
		says 'newer version'
	done
	cmp home <(noise 8M)
}

@test "one bad superblock slot is survived, two are not" {
	make_log
	records <<< 'commit data:0+8'
	wipe log 100 8
	run -0 jbdctl open vol home log --dry-run
	run -0 jbdctl log verify log
	says 'slot 0: the checksum fails' 'slot 1: valid' 'Records: 1'
	wipe log 65636 8
	run -$DAMAGE jbdctl open vol home log --dry-run
	says 'slot 0 at byte 0: the checksum fails' 'slot 1 at byte 65536: the checksum fails' 'home alone'
	run -$DAMAGE jbdctl log verify log
	run -$DAMAGE jbdctl log dump log
	run -$DAMAGE jbdctl recover --log log --home home
	cmp home <(noise 8M)
}
