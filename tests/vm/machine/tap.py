# SPDX-License-Identifier: GPL-2.0-only
"""Bats files in guests, and their results.

Every test of a file's plan ends as passed, failed or skipped: one whose result never came has failed.
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
                if key not in ("mem", "timeout", "udev", "kernel", "append", "icount", "smp"):
                    fail(f"{path}: unknown word {word} in '# vm: {text}'")
                if key == "append":
                    words["append"].append(value)
                else:
                    words[key] = value or True
    return words


class FileRun:
    """One Bats file on one kernel: turns the guest's stream into results."""

    def __init__(self, parts, build, kernel, path, options, emit):
        self.parts, self.build, self.kernel, self.path, self.options = parts, build, kernel, path, options
        self.name = os.path.relpath(path, CASES)
        self.emit = lambda text: emit(f"[{kernel} {self.name}] {text}")
        self.counts = Counts()
        self.results = {}      # number: ok?
        self.names = {}
        self.plan = None
        self.current = None    # (number, name) of the test that runs now

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

    def run(self):
        words = directives(self.path)
        if words.get("kernel", self.kernel) != self.kernel:
            self.emit(f"# only for kernel {words['kernel']}")
            return self
        flags = f"-f {shlex.quote(self.options.filter)} " if self.options.filter else ""
        script = f"cd /tmp && exec bats --formatter cat --timing {flags}/vm/cases/{shlex.quote(self.name)}\n"
        console = os.path.join(self.parts.logs, f"{self.kernel}-{self.name.replace('/', '-')}.console")
        limit = int(words.get("timeout", SILENCE_LIMIT))
        with Guest(self.parts, self.build, self.kernel, script, mem=words.get("mem", 1024), append=words["append"],
                   smp=words.get("smp", self.options.smp), icount="icount" in words, udev="udev" in words, share=self.options.share,
                   slub=self.options.slub, console=console) as guest:
            # Only a boot is tried again, never a test.
            if not guest.start() and not guest.start():
                self.ended_early("did not boot", guest.why())
                return self
            status = None
            while status is None:
                line = guest.line(time.monotonic() + limit * load())
                if line is None:
                    self.ended_early("died" if guest.dead() else "hung", guest.why())
                    break
                status = guest.status(line)
                if status is None:
                    self.take(line)
            if status is not None:
                guest.settle()
                missing = [n for n in range(1, (self.plan or 0) + 1) if n not in self.results]
                for number in missing:
                    self.result(False, number, "", "(bats ended without its result)")
                if self.plan is None or (status and not self.counts.failed):
                    self.result(False, 0, self.name, f" (bats ended with status {status})")
            self.check_console(guest.console_lines())
        return self


def test(options):
    files = [os.path.realpath(f) for f in options.files]
    for f in files:
        if not f.startswith(CASES + "/") or not os.path.isfile(f):
            fail(f"{f} is no file below {CASES}")
    kernels = KERNELS if options.kernel == "all" else (options.kernel,)
    parts = Parts()
    build = Build(parts, kernels, options.only,
                  patch=mutant_patch(parts, options.mutant) if options.mutant else None)
    lock = threading.Lock()

    def emit(text):
        with lock:
            print(text, flush=True)

    runs = [FileRun(parts, build, k, f, options, emit) for f in files for k in kernels]
    total = Counts()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        done = [pool.submit(r.run) for r in runs]
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
