# SPDX-License-Identifier: GPL-2.0-only
"""One guest in QEMU.

A guest never outlives this program. Its root and payload disks are thrown away with it; a disk given as a file keeps
all that the guest's disk had completed, however the guest ends; one of `shared` is only read, by any number of guests.
"""
import ctypes
import os
import re
import secrets
import select
import shutil
import signal
import subprocess
import tempfile
import time

from .build import DEBUG, HERE

# Seconds on an idle host; load() stretches them.
BOOT_LIMIT, SILENCE_LIMIT, HUNG_TASK = 60, 120, 25


def load():
    """How much longer than on an idle host things take now."""
    return 1 + os.getloadavg()[0] / os.cpu_count()


class Guest:
    """One boot of the machine, from start() to the end of the with block."""

    def __init__(self, parts, build, kernel, script, disks=(), shared=(), icount=False, mem=1024, smp=2, append=(), share=None,
                 udev=False, slub=False, console=None):
        self.work = tempfile.mkdtemp(prefix="vm-")
        self.console = console or os.path.join(self.work, "console")
        self.token = secrets.token_hex(4)
        self.buffer = b""
        self.process = None
        env = {"VM_TOKEN": self.token, "VM_KERNEL": kernel, "VM_SCALE": self.scale(),
               "VM_UDEV": "1" if udev else "", "VM_SYNC": "1" if disks else ""}
        payload = build.payload(kernel, self.work, script, env, share)
        hung = min(round(HUNG_TASK * load()), 60)
        line = ["console=ttyS0", "root=/dev/nvme0n1", "ro", "quiet", "init=/sbin/first-init", "panic=-1", "oops=panic",
                "log_buf_len=4M", "mitigations=off", "softlockup_panic=1",
                f"sysctl.kernel.watchdog_thresh={hung}", "sysctl.kernel.hung_task_panic=1",
                f"sysctl.kernel.hung_task_timeout_secs={hung}", "sysctl.kernel.hung_task_check_interval_secs=5"]
        if icount:
            # The guest's time jumps on while its disk waits for the host's.
            line.append("nvme_core.io_timeout=100000")
        else:
            # On every cache it doubles the run time, hence the choice.
            line.append("slub_debug=FZPU" + ("" if slub else ",dm_*,journal*,checkpoint*"))
            line += ["kfence.sample_interval=50"] if kernel != "6.1" else []
        if kernel == DEBUG:
            # Everything is built in, also what the stock kernels load with options.
            line += ["null_blk.nr_devices=0", "panic_on_warn=1"]
            mem *= 3
        line += append
        self.argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                     "-machine", "pc", "-m", str(mem), "-kernel", parts.image(kernel), "-append", " ".join(line),
                     "-serial", "file:" + self.console,
                     "-drive", f"if=none,id=root,format=raw,snapshot=on,file={parts.root}",
                     "-drive", f"if=none,id=payload,format=raw,snapshot=on,file={payload}",
                     "-device", "nvme,drive=root,serial=root", "-device", "virtio-blk-pci,drive=payload,serial=payload",
                     "-device", "virtio-serial-pci", "-chardev", "stdio,id=out,signal=off",
                     "-device", "virtserialport,chardev=out,name=out"]
        if icount:
            self.argv += ["-accel", "tcg", "-icount", "shift=0,sleep=off", "-smp", "1", "-cpu", "max,-erms,-fsrm"]
        else:
            # Under TCG the plainest processor that has crc32 is the quickest. TCG's cmpxchg16b leaves rubbish in the flags,
            # and if the trap flag is in it when an interrupt comes, the kernel complains of a debug exception.
            self.argv += ["-accel", "tcg,thread=multi", "-smp", str(smp), "-cpu", "Nehalem,-cx16"]
        for number, (name, path) in enumerate((*disks, *shared)):
            mode = "readonly=on" if number >= len(disks) else "cache=unsafe,discard=unmap"
            self.argv += ["-drive", f"if=none,id=d{number},format=raw,{mode},file={path}",
                          "-device", f"virtio-blk-pci,drive=d{number},serial={name}"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.work)

    def start(self):
        """Start, or start again, and wait until the script begins. False: it did not in the time allowed."""
        self.kill()
        self.buffer = b""
        libc = ctypes.CDLL(None)
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "TMPDIR": self.work},
            preexec_fn=lambda: libc.prctl(1, signal.SIGKILL))    # PR_SET_PDEATHSIG
        end = time.monotonic() + BOOT_LIMIT * load()
        while (line := self.line(end)) is not None:
            if line == f"vm-begin {self.token}":
                return True
        return False

    def line(self, end):
        """The next line of the guest's output; None when it died or the clock has passed end."""
        while b"\n" not in self.buffer:
            wait = end - time.monotonic()
            if wait <= 0 or not select.select([self.process.stdout], [], [], wait)[0]:
                return None
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                self.process.wait()
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def scale(self):
        """VM_SCALE of what begins now: whole seconds of an idle host are so many."""
        return max(1, round(load()))

    def tell(self, line):
        """A line for the script, which reads it from descriptor 9."""
        try:
            os.write(self.process.stdin.fileno(), f"{line}\n".encode())
        except BrokenPipeError:
            pass    # line() will find that it died

    def status(self, line):
        """The script's exit status, if line says it."""
        found = re.fullmatch(f"vm-exit {self.token} (\\d+)", line)
        return int(found[1]) if found else None

    def dead(self):
        return self.process.poll() is not None

    def kill(self):
        """Cut the power."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.stderr.close()
            self.process = None

    def settle(self):
        """After the script's end: wait a little until the console, which lags behind, has said all."""
        end = time.monotonic() + 5 * load()
        while not self.dead() and time.monotonic() < end and "vm-test: over" not in "".join(self.console_lines()[-9:]):
            time.sleep(0.05)

    def console_lines(self):
        try:
            with open(self.console, errors="replace") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def why(self):
        """The last that is known of a guest that did not do what it should."""
        said = self.process.stderr.read().decode(errors="replace").splitlines() if self.dead() else []
        lines = self.console_lines()
        begins = [i for i, l in enumerate(lines) if "vm-test: begin" in l]
        lines = lines[begins[-1] if begins else 0:]
        bad = bad_pattern()
        first = next((i for i, l in enumerate(lines) if bad.search(l) or "panic" in l), len(lines))
        first = max(0, min(first - 2, len(lines) - 40))
        return said + lines[first:first + 60]


def bad_pattern():
    """Matches console lines that no test may cause."""
    with open(os.path.join(HERE, "bad-lines")) as f:
        return re.compile("|".join(l.rstrip("\n") for l in f))
