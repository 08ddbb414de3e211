# SPDX-License-Identifier: GPL-2.0-only
#
# make            both modules for the running kernel (or KDIR=...), and jbdctl
# make demo       the main job on real input, in a virtual machine
# make check      all tests; kernel code runs in the virtual machine only
# make check-all  the same, with each machine test on both kernels; check runs some of them on one
# make crash      crash states of all kinds, and mutants, longer than check's sample; HOURS=n make crash-soak: for so long
# make bench      figures beside the peers, from the machine that counts instructions: hours, into docs/bench (its README.md)
# make bench-smoke   what the same loads may cost in log writes, sectors, flushes, home I/O and memory; part of check
# make newest     builds the modules for the newest kernel that Debian's packages have
# make deb        Debian packages, in dist/build: the modules' sources for DKMS, and jbdctl
# make install    modules, jbdctl and manual pages on this host

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
PREFIX ?= /usr

.PHONY: all modules ctl demo check check-all crash crash-soak bench bench-smoke newest deb install clean

all: modules ctl

# BTF would be made by pahole, which header packages do not need.
modules:
	@test -d $(KDIR) || { echo "No kernel headers at $(KDIR): install linux-headers-$(KVER), or give KDIR=..." >&2; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR) CONFIG_DEBUG_INFO_BTF_MODULES= modules

ctl:
	$(MAKE) -C ctl

demo:
	@tests/demo/demo

check:
	@tests/check

check-all:
	@tests/check all

crash:
	@tests/crash/all

crash-soak:
	@tests/crash/all $(or $(HOURS),8)

bench:
	@for kernel in 6.1 6.12; do \
		tests/bench/run --kernel $$kernel --json docs/bench/$$kernel.json --markdown docs/bench/$$kernel.md && \
		tests/bench/fill --kernel $$kernel --json docs/bench/fill-$$kernel.json && \
		tests/bench/scaling --kernel $$kernel --markdown docs/bench/scaling-$$kernel.md || exit; \
	done
	@tests/bench/plot

bench-smoke:
	@tests/vm/vm test --kernel all tests/cases/90-bench-smoke.bats

newest:
	@tests/newest

deb:
	@dist/mkdeb dist/build

install: all
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install
	$(MAKE) -C ctl install PREFIX=$(PREFIX)

clean:
	-test ! -d $(KDIR) || $(MAKE) -C $(KDIR) M=$(CURDIR) clean
	$(MAKE) -C ctl clean
	$(MAKE) -C tests/unit clean
