# SPDX-License-Identifier: GPL-2.0-only
"""What the programs here share: a script in the machine that counts instructions, with the peers and loads it needs."""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../vm"))

from machine.build import KERNELS, Build, Parts                # noqa: E402,F401
from machine.peers import WRITEBOOST, make_writeboost          # noqa: E402
from machine.postgres import postgres_image                    # noqa: E402
from machine.script import ScriptFailed, own_objects, run_script   # noqa: E402,F401

MEMORY = 4096
SILENCE = 1800    # seconds on an idle host: hours of a disk's time may pass without a line


def guest_script(name, **settings):
    """devices.sh and the script, with the settings for both in front."""
    text = "".join(f"{key}='{value}'\n" for key, value in settings.items() if value is not None)
    for part in ("devices.sh", name):
        with open(os.path.join(HERE, part)) as f:
            text += f.read()
    return text


class Machine:
    """Boots of one kernel. In a with block. With a patch, NAME.patch is built in."""

    def __init__(self, kernel, writeboost=False, patch=None):
        self.kernel, self.parts = kernel, Parts()
        if patch:
            own_objects(self.parts, f"bench-{patch}")
        self.build = Build(self.parts, (kernel,), patch=patch and os.path.join(HERE, f"{patch}.patch"))
        self.notes, self.without = [], set()
        self.share = tempfile.mkdtemp(prefix="bench-")
        os.mkdir(os.path.join(self.share, "bin"))
        for source, *words in (("../demo/shop.c", "-lsqlite3"), ("writer.c", "-static", "-pthread")):
            program = os.path.join(self.share, "bin", os.path.basename(source)[:-2])
            subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, os.path.join(HERE, source), *words], check=True)
        if writeboost:
            ko, why = make_writeboost(self.parts, kernel)
            if ko:
                shutil.copy(ko, os.path.join(self.share, "dm-writeboost.ko"))
                subprocess.run(["strip", "--strip-debug", os.path.join(self.share, "dm-writeboost.ko")], check=True)
            else:
                self.without.add("dm-writeboost")
                self.notes.append(f"{WRITEBOOST} does not build for {kernel}: {why}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.share)

    def run(self, script, each_line, postgres=False):
        # who waits for a batch on a disk may wait longer than what counts as hung elsewhere
        append = ["sysctl.kernel.hung_task_timeout_secs=0"]
        shared = [("postgres", postgres_image(self.parts))] if postgres else ()
        run_script(self.parts, self.build, self.kernel, script, each_line, silence=SILENCE, icount=True, mem=MEMORY,
                   share=self.share, shared=shared, append=append)
