# SPDX-License-Identifier: GPL-2.0-only
"""Bats files in guests, and their results.

A boot costs as much as ten tests, so one guest runs all files that can share it, until one of them fails: what that
left behind is nobody else's. Every test of a file's plan ends as passed, failed or skipped: one whose result never
came has failed.
"""
import concurrent.futures
import os
import re
import shlex
import threading
import time

from .build import CASES, KERNELS, Build, Parts, fail
from .guest import SILENCE_LIMIT, Guest, bad_pattern, load
from .script import mutant_patch


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"passed={self.passed} failed={self.failed} skipped={self.skipped}"


def directives(path):
    """The words of a Bats file's `# vm:` lines, as a dictionary; a word without value stands for true."""
    words = {"append": []}
    with open(path) as f:
        for text in re.findall(r"^# vm: (.*)$", f.read(), re.M):
            for word in text.split():
                key, _, value = word.partition("=")
                if key not in ("mem", "timeout", "udev", "kernel", "sample", "append", "icount", "smp"):
                    fail(f"{path}: unknown word {word} in '# vm: {text}'")
                if key == "append":
                    words["append"].append(value)
                else:
                    words[key] = value or True
    return words


class FileRun:
    """One Bats file on one kernel: turns a guest's lines into results."""

    def __init__(self, kernel, path, emit):
        self.kernel, self.path, self.words = kernel, path, directives(path)
        self.name = os.path.relpath(path, CASES)
        self.emit = lambda text: emit(f"[{kernel} {self.name}] {text}")
        self.counts = Counts()
        self.results = {}      # number: ok?
        self.names = {}
        self.plan = None
        self.current = None    # (number, name) of the test that runs now

    def guest(self):
        """Files of which this is the same can share a guest."""
        return self.kernel, {key: value for key, value in self.words.items() if key not in ("timeout", "kernel", "sample")}

    def result(self, ok, number, name, note=""):
        self.results[number] = ok
        self.names[number] = name
        if ok:
            self.counts.passed += 1
        else:
            self.counts.failed += 1
        self.emit(f"{'ok' if ok else 'not ok'} {number} {name}{note}")

    def take(self, line):
        """One line of Bats's extended TAP stream."""
        if found := re.fullmatch(r"1\.\.(\d+)", line):
            self.plan = int(found[1])
            self.emit(line)
        elif found := re.fullmatch(r"begin (\d+) (.*)", line):
            self.current = (int(found[1]), found[2])
        elif found := re.fullmatch(r"(ok|not ok) (\d+) (.*)", line):
            number, name = int(found[2]), found[3]
            self.current = None
            skip = re.search(r"# skip *(.*)$", name)
            if skip and found[1] == "ok":
                if skip[1]:
                    self.counts.skipped += 1
                    self.results[number] = True
                    self.emit(line)
                else:
                    self.result(False, number, name, " (skipped without a reason)")
            else:
                self.result(found[1] == "ok", number, name)
        elif not line.startswith("suite "):
            self.emit(line)

    def ended_early(self, reason, why):
        """Fail the test that ran and all that could not."""
        self.emit(f"# guest {reason}; the console's end:")
        for text in why:
            self.emit("#   " + text)
        died_in = self.current[1] if self.current else "the file's set-up"
        if self.plan is None:
            self.result(False, 0, self.name, f" (guest {reason} before the plan)")
        elif self.current:
            self.result(False, *self.current, f" (guest {reason})")
        for number in range(1, (self.plan or 0) + 1):
            if number not in self.results:
                self.result(False, number, "", f"(not run: guest {reason} in: {died_in})")

    def ended(self, status):
        """Bats ended."""
        for number in range(1, (self.plan or 0) + 1):
            if number not in self.results:
                self.result(False, number, "", "(bats ended without its result)")
        if self.plan is None or (status and not self.counts.failed):
            self.result(False, 0, self.name, f" (bats ended with status {status})")

    def check_console(self, lines):
        """Second net: a bad console line of a test that said ok, or of the time after the last test."""
        bad, number, hits, allowed = bad_pattern(), 0, [], {}
        for line in lines:
            text = re.sub(r"^\[ *[\d.]+\] ", "", line)
            if found := re.match(r"vm-test: begin (\d+)", text):
                number = int(found[1])
            elif found := re.match(r"vm-test: allow (.*)", text):
                allowed.setdefault(number, []).append(found[1])
            elif not text.startswith("vm-test:") and bad.search(text):
                hits.append((number, text))
        for number, text in hits:
            if self.results.get(number, True) and not any(re.search(a, text) for a in allowed.get(number, [])):
                self.counts.passed -= number in self.results
                self.result(False, number, self.names.get(number, self.name), f" (console: {text})")


class Queue:
    """The files that no guest has run yet."""

    def __init__(self, runs):
        self.runs, self.lock, self.served = list(runs), threading.Lock(), []

    def first(self):
        """A file for a new guest, if possible of a kind that no other guest takes; None at the end."""
        with self.lock:
            for run in self.runs:
                if run.guest() not in self.served:
                    break
            else:
                run = self.runs[0] if self.runs else None
            if run:
                self.runs.remove(run)
                self.served.append(run.guest())
            return run

    def next(self, run):
        """Another file for the guest that ran this one, or None."""
        with self.lock:
            other = next((r for r in self.runs if r.guest() == run.guest()), None)
            if other:
                self.runs.remove(other)
            return other

    def ended(self, run):
        """The guest that ran this one takes no more."""
        with self.lock:
            self.served.remove(run.guest())


# Bats files, as the host names them, until it names none.
SCRIPT = """
while echo "vm-next $VM_TOKEN"; read -r scale file <&9; [ "$file" ]; do
	rm -rf /tmp/*
	cd /tmp
	echo "vm-test: file $file" > /dev/kmsg
	VM_SCALE=$scale bats --formatter cat --timing {flags} "/vm/cases/$file"
	echo "vm-end $VM_TOKEN $?"
done
"""


class Worker:
    """Guests, one after the other, each for as many files as it can run. A file with a failure is a guest's last one."""

    def __init__(self, parts, build, options, queue):
        self.parts, self.build, self.options, self.queue = parts, build, options, queue
        flags = f"-f {shlex.quote(options.filter)}" if options.filter else ""
        self.script = SCRIPT.replace("{flags}", flags)

    def work(self):
        while run := self.queue.first():
            try:
                self.serve(run)
            finally:
                self.queue.ended(run)

    def serve(self, run):
        """One guest, beginning with this file."""
        words, done = run.words, []
        with Guest(self.parts, self.build, run.kernel, self.script, mem=words.get("mem", 1024), append=words["append"],
                   smp=words.get("smp", self.options.smp), icount="icount" in words, udev="udev" in words,
                   share=self.options.share, slub=self.options.slub) as guest:
            # Only a boot is tried again, never a test.
            if not guest.start() and not guest.start():
                run.ended_early("did not boot", guest.why())
                return
            while run:
                done.append(run)
                going = self.file(guest, run)
                run = self.queue.next(run) if going and not run.counts.failed else None
            guest.tell("")
            guest.settle()
            self.consoles(guest.console_lines(), done)

    def file(self, guest, run):
        """Run it; false if the guest cannot go on."""
        limit = int(run.words.get("timeout", SILENCE_LIMIT))
        while True:
            line = guest.line(time.monotonic() + limit * load())
            if line is None:
                run.ended_early("died" if guest.dead() else "hung", guest.why())
                return False
            if line == f"vm-next {guest.token}":
                guest.tell(f"{guest.scale()} {run.name}")
            elif found := re.fullmatch(f"vm-end {guest.token} (\\d+)", line):
                run.ended(int(found[1]))
                return True
            else:
                run.take(line)

    def consoles(self, lines, done):
        """To each file what the kernel said from its begin to that of the next one; to the first one the boot, too."""
        begins = [i for i, line in enumerate(lines) if re.search("\\] vm-test: file ", line)]
        bounds = [0, *begins[1:], len(lines)]
        for run, begin, end in zip(done, bounds, bounds[1:]):
            run.check_console(lines[begin:end])
            with open(os.path.join(self.parts.logs, f"{run.kernel}-{run.name.replace('/', '-')}.console"), "w") as f:
                f.writelines(line + "\n" for line in lines[begin:end])


def test(options):
    files = [os.path.realpath(f) for f in options.files]
    for f in files:
        if not f.startswith(CASES + "/") or not os.path.isfile(f):
            fail(f"{f} is no file below {CASES}")
    sample = options.kernel == "sample"
    kernels = KERNELS if sample or options.kernel == "all" else (options.kernel,)
    parts = Parts()
    build = Build(parts, kernels, options.only,
                  patch=mutant_patch(parts, options.mutant) if options.mutant else None)
    lock = threading.Lock()

    def emit(text):
        with lock:
            print(text, flush=True)

    runs = [FileRun(k, f, emit) for f in files for k in kernels]
    for r in list(runs):
        only = r.words.get("kernel") or sample and r.words.get("sample") or r.kernel
        if r.kernel != only:
            r.emit(f"# only for kernel {only}")
            runs.remove(r)
    queue = Queue(runs)
    total = Counts()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        done = [pool.submit(Worker(parts, build, options, queue).work) for _ in range(options.jobs)]
        for future in done:
            future.result()
    for r in runs:
        print(f"# {r.kernel} {r.name}: {r.counts}")
        total.add(r.counts)
    print(f"# total: {total}")
    if options.counts:
        with open(options.counts, "a") as f:
            f.write(f"{total}\n")
    return 1 if total.failed or not total.passed + total.skipped else 0
