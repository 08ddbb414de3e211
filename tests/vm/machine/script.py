# SPDX-License-Identifier: GPL-2.0-only
"""A script in a guest of its own, for test programs that are more than a Bats file.

The guest ends with run_script(), however that ends.
"""
import os
import time

from .build import HERE, fail
from .guest import SILENCE_LIMIT, Guest, bad_pattern, load


class ScriptFailed(Exception):
    """The guest died, hung, or the kernel said what it may not; the argument is a list of lines."""


def mutant_patch(parts, name):
    """The patch of tests/mutants, for Build, which gets objects of its own."""
    patch = os.path.join(HERE, "../mutants", name + ".patch")
    if not os.path.exists(patch):
        fail(f"tests/mutants has no {name}.patch")
    own_objects(parts, f"mutant-{name}")
    return patch


def own_objects(parts, name):
    """Builds go where no other test ever meets them."""
    parts.build = os.path.join(parts.build, name)
    os.makedirs(parts.build, exist_ok=True)


def run_script(parts, build, kernel, script, each_line=lambda line: None, silence=SILENCE_LIMIT, **options):
    """Run the script, hand each line that it prints to each_line, and return its exit status."""
    with Guest(parts, build, kernel, script, **options) as guest:
        if not guest.start() and not guest.start():
            raise ScriptFailed(["the guest did not boot"] + guest.why())
        while True:
            line = guest.line(time.monotonic() + silence * load())
            if line is None:
                raise ScriptFailed(["the guest " + ("died" if guest.dead() else "is silent")] + guest.why())
            status = guest.status(line)
            if status is not None:
                break
            each_line(line)
        guest.settle()
        bad = [line for line in guest.console_lines() if bad_pattern().search(line)]
        if bad:
            raise ScriptFailed(["the kernel complained:"] + bad[:20])
        return status
