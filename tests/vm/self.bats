# SPDX-License-Identifier: GPL-2.0-only
# The host's side of the test machine: what crash tests and results rely on. Runs on the host: bats tests/vm/self.bats
# JBD_KERNEL chooses the kernel, 6.1 unless it is set.

bats_require_minimum_version 1.5.0

setup() {
	vm=$BATS_TEST_DIRNAME/vm
	kernel=${JBD_KERNEL:-6.1}
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	rm -rf "${JBD_CACHE:-/var/cache/dm-journal}"/build/vm-self-*
}

# boot SCRIPT ARG..: with the script's text.
boot() {
	local text=$1
	shift
	echo "$text" > script
	"$vm" boot --kernel "$kernel" --script script "$@"
}

# run_file TEXT: runs TEXT as a Bats file of a copy of the tree's machine.
run_file() {
	mkdir -p vm-self/tests/cases
	cp -r "$BATS_TEST_DIRNAME" vm-self/tests/vm
	cp "$BATS_TEST_DIRNAME/../cases/helpers.bash" vm-self/tests/cases
	# Written so, Bats does not take the inner tests for this file's own.
	echo "${1//case \"/@test \"}" > vm-self/tests/cases/x.bats
	vm-self/tests/vm/vm test --kernel "$kernel" --counts counts vm-self/tests/cases/x.bats
}

@test "a script's output and exit status come through" {
	run -7 boot 'echo out; echo err >&2; uname -r; exit 7'
	[ "${lines[0]}" = out ]
	[ "${lines[1]}" = err ]
	[[ ${lines[2]} == "$kernel".* ]]
}

@test "a disk keeps what a guest wrote, whether it ended or was cut" {
	truncate -s 8M disk
	run -0 boot 'echo one | dd of=/dev/vm/home conv=sync,fsync bs=512 status=none' --disk home=disk
	[ "$(head -c 3 disk)" = one ]
	run -0 boot 'echo two | dd of=/dev/vm/home conv=sync,fsync bs=512 status=none
		echo written
		while :; do echo more; done' --disk home=disk --cut-after-line '^written$'
	[ "${lines[-1]}" = written ]
	[ "$(head -c 3 disk)" = two ]
	run -0 boot 'head -c 3 /dev/vm/home; echo' --disk home=disk
	[ "${lines[0]}" = two ]
}

@test "a cut that did not come about is an error" {
	run -202 boot 'echo done' --cut-after-line never
	run -202 boot 'echo done' --cut-after 600
}

@test "a cut by the clock" {
	run -0 boot 'echo go; sleep 1000' --cut-after-line go --cut-after 0.5
	run -0 boot 'sleep 1000' --cut-after 0.5
}

@test "a silent guest is given up" {
	run -201 boot 'echo go; sleep 1000' --timeout 2
	[[ $output == *"no line for"* ]]
}

@test "a panic ends the guest, and its reason is told" {
	run -200 boot 'echo go; echo c > /proc/sysrq-trigger; sleep 1000'
	[[ $output == *"the guest died"*"sysrq triggered crash"* ]]
}

@test "a directory is shared" {
	mkdir -p d/bin
	printf '#!/bin/sh\necho tool\n' > d/bin/sometool
	chmod +x d/bin/sometool
	echo text > d/file
	run -0 boot 'cat /vm/share/file; sometool' --share d
	[ "${lines[0]}" = text ]
	[ "${lines[1]}" = tool ]
}

@test "udevd runs when it is asked for" {
	run -0 boot 'udevadm settle && dmsetup create z --table "0 8 zero" && test -L /dev/mapper/z' --udev
}

@test "virtual time repeats" {
	for i in 1 2; do
		boot 'a=$(cut -d" " -f1 /proc/uptime); for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1; done
			b=$(cut -d" " -f1 /proc/uptime); nproc; echo "$a $b" | awk "{ print int((\$2 - \$1) * 10) }"' \
			--icount > "out$i"
	done
	cmp out1 out2
	[ "$(head -n1 out1)" = 1 ]
}

@test "the original hang: waiting in map() for an own bio hangs, deferring it does not" {
	script='. /vm/cases/helpers.bash
		disk=$(mkdm d hangdemo "$(mkdisk ram 16)" MODE)
		fill "$disk" 8 8 x
		echo written'
	run -0 boot "${script/MODE/defer}"
	[ "${lines[-1]}" = written ]
	run -200 boot "${script/MODE/wait}" --append sysctl.kernel.hung_task_timeout_secs=10
	[[ $output != *written* ]]
	[[ $output == *"blocked for more than"* ]]
}

@test "results are counted: passed, failed and skipped with a reason" {
	run -1 run_file 'load helpers
		case "good" { true; }
		case "bad" { false; }
		case "skipped" { skip "for a reason"; }
		case "skipped in silence" { skip; }'
	[[ $output == *"ok 1 good"*"not ok 2 bad"*"ok 3 skipped"*"not ok 4 skipped in silence"* ]]
	[ "$(cat counts)" = "passed=1 failed=2 skipped=1" ]
}

@test "a guest that dies fails the test that ran and those that could not" {
	run -1 run_file 'load helpers
		case "before" { true; }
		case "deadly" { echo c > /proc/sysrq-trigger; read -r < <(sleep 1000); }
		case "after" { true; }'
	[[ $output == *"ok 1 before"*"not ok 2 deadly"*"guest died"*"not ok 3"*"guest died in: deadly"* ]]
	[[ $output == *"sysrq triggered crash"* ]]
	[ "$(cat counts)" = "passed=1 failed=2 skipped=0" ]
}

@test "a kernel warning fails its test, even when teardown did not see it" {
	run -1 run_file 'load helpers
		case "noisy" { echo "WARNING: made up" > /dev/kmsg; }
		case "allowed" { echo "WARNING: made up" > /dev/kmsg; allow_console "made up"; }
		case "late" { true; }
		teardown() {
			vm_teardown || return
			[ "$BATS_TEST_NUMBER" != 3 ] || echo "BUG: late" > /dev/kmsg
		}'
	[[ $output == *"not ok 1 noisy"*"ok 2 allowed"*"not ok 3 late"*"console: BUG: late"* ]]
	[ "$(cat counts)" = "passed=1 failed=2 skipped=0" ]
}
