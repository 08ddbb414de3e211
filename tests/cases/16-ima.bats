# SPDX-License-Identifier: GPL-2.0-only
# What the kernel's integrity measurement records of a table: both targets with their devices and every option.
# Seen red when the target emitted nothing for STATUSTYPE_IMA.
# vm: append=ima_policy=critical_data

load helpers
load volumes

setup() {
	vm_setup
	load_modules dm-checkpoint dm-journal
	mountpoint -q /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security
}

# measured: the tables that were measured, as text; the last word of a line holds it in hexadecimal.
measured() {
	perl -ane 'print pack("H*", $F[-1]), "\n" if /dm_table_load/' /sys/kernel/security/ima/ascii_runtime_measurements
}

@test "a table is measured with its devices and options" {
	home=$(mkdisk home 64)
	log=$(mkdisk log 16)
	mkvol v "$home" "$log" --flush home --opt high=60
	number() { lsblk -dno MAJ:MIN "$1" | tr -d ' '; }
	measured
	measured | grep -q "target_name=checkpoint,target_version=[0-9.]*,home=$(number "$home"),order=strict,depth=[0-9]*,rate_mib=0;"
	measured | grep "target_name=journal,target_version=[0-9.]*,checkpoint_device=$(number /dev/mapper/v-home),log_device=$(number "$log"),flush=home," |
		grep -q ",autocommit_ms=1000,high=60,.*idle_ms=0,.*;"

	intent=$(mkdisk intent 8)
	mkvol w "$(mkdisk home2 64)" "$(mkdisk log2 16)" --intent "$intent"
	measured
	measured | grep "target_name=checkpoint,.*,intent=$(number "$intent"),order=intent,"
}
