# SPDX-License-Identifier: GPL-2.0-only
"""What a guest gets: the cached kernels and root image, and the payload disk with all that was built from the tree.

Everything is built outside the tree, in a directory of the cache for each tree and kernel, so that two kernels never
share an object and a second build is quick. jbdctl alone is built in its own directory.
"""
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
TREE = os.path.realpath(os.path.join(HERE, "../.."))
CASES = os.path.join(TREE, "tests/cases")
CACHE = os.environ.get("JBD_CACHE", "/var/cache/dm-journal")
KERNELS = ("6.1", "6.12")    # those that "all" means
DEBUG = "debug"              # built by setup.sh when it is first asked for


def fail(text):
    sys.exit(f"vm: {text}")


class Parts:
    """The cached parts that setup.sh makes, and this tree's own build directory."""

    def __init__(self):
        self.kernels, root = self.setup("--where")
        self.debug = None
        self.root = os.path.join(root, "root.img")
        name = os.path.basename(TREE) + "-" + hashlib.sha256(TREE.encode()).hexdigest()[:8]
        self.build = os.path.join(CACHE, "build", name)
        self.logs = os.path.join(self.build, "logs")
        os.makedirs(self.logs, exist_ok=True)

    def setup(self, word):
        done = subprocess.run([os.path.join(HERE, "setup.sh"), word], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            fail("setup.sh failed")
        return done.stdout.split()

    def kernel(self, kernel):
        if kernel != DEBUG:
            return os.path.join(self.kernels, kernel)
        if not self.debug:
            self.debug, = self.setup("--debug")
        return self.debug

    def headers(self, kernel):
        return os.path.join(self.kernel(kernel), "build")

    def image(self, kernel):
        return os.path.join(self.kernel(kernel), "vmlinux")


class Locked:
    """Holds an exclusive lock on a file, against other threads and processes."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.file = open(self.path, "w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()


def apply(patch, source):
    with open(patch) as diff:
        done = subprocess.run(["patch", "-s", "-p1", "-d", source], stdin=diff, stdout=sys.stderr)
    if done.returncode:
        fail(f"{patch} does not apply")


def make_modules(parts, kernel, only, make_args, patch):
    """Build the modules for kernel from a copy of the tree, of its own those in only; return the stripped ones."""
    work = os.path.join(parts.build, kernel)
    out = os.path.join(work, "ko")
    os.makedirs(out, exist_ok=True)
    subprocess.run(["rsync", "-a", "--delete", "--prune-empty-dirs", "--exclude=/.git", "--exclude=*.mod.c",
                    "--include=/tests/", "--include=/tests/modules/", "--exclude=/tests/*", "--include=*/",
                    "--include=*.[ch]", "--include=Kbuild", "--include=Makefile", "--exclude=*",
                    TREE + "/", work + "/src/"], check=True)
    if patch and "+++ b/dm-" in Path(patch).read_text():
        apply(patch, work + "/src")
    keep = set()
    own = [f"{name}.ko" for name in only if name != "jbdctl"] if only else ["modules"]
    for part, targets in (("", own), ("tests/modules", ["modules"])):
        source = os.path.join(work, "src", part)
        if not targets or not os.path.exists(os.path.join(source, "Kbuild")):
            continue
        # Out-of-tree modules need no BTF, whose generator is not among the header packages' needs.
        done = subprocess.run(["make", "-s", "-C", parts.headers(kernel), "M=" + source.rstrip("/"), "W=1",
                               "KCFLAGS=-Werror", "CONFIG_DEBUG_INFO_BTF_MODULES=", f"-j{os.cpu_count()}",
                               *make_args, *targets], stdout=sys.stderr)
        if done.returncode:
            fail(f"the modules of {part or 'the tree'} do not build for {kernel}")
        if targets == ["modules"]:
            with open(os.path.join(source, "modules.order")) as order:
                targets = [os.path.splitext(line.strip())[0] + ".ko" for line in order]
        for name in targets:
            ko = os.path.join(source, name)    # absolute in 6.1, relative to M in later kernels
            stripped = os.path.join(out, os.path.basename(ko))
            keep.add(stripped)
            if not os.path.exists(stripped) or os.path.getmtime(stripped) < os.path.getmtime(ko):
                subprocess.run(["strip", "--strip-debug", "-o", stripped, ko], check=True)
    for old in set(glob.glob(out + "/*.ko")) - keep:
        os.unlink(old)
    return sorted(keep)


def make_jbdctl(parts, patch):
    """Build jbdctl when its sources exist, of a copy if the patch changes it; return its path or None."""
    ctl = os.path.join(TREE, "ctl")
    if patch and "+++ b/ctl/" in Path(patch).read_text():
        source = os.path.join(parts.build, "src")
        subprocess.run(["rsync", "-a", "--delete", os.path.join(TREE, "ctl"), os.path.join(TREE, "dm-journal"),
                        os.path.join(TREE, "dm-checkpoint"), source + "/"], check=True)
        apply(patch, source)
        ctl = os.path.join(source, "ctl")
    if not os.path.exists(os.path.join(ctl, "Makefile")):
        return None
    done = subprocess.run(["make", "-s", "-C", ctl, f"-j{os.cpu_count()}"], stdout=sys.stderr)
    if done.returncode:
        fail("jbdctl does not build")
    return os.path.join(ctl, "build/jbdctl")


def modprobe_conf(modules):
    """Let modprobe, and so the kernel's own requests, find the modules under test without running depmod."""
    lines = ["options null_blk nr_devices=0"]
    for ko in modules:
        name = os.path.basename(ko)[:-3]
        info = subprocess.run(["modinfo", ko], stdout=subprocess.PIPE, text=True, check=True).stdout
        needs = [n for line in re.findall(r"^depends: *(\S+)$", info, re.M) for n in line.split(",")]
        needs += [n for line in re.findall(r"^softdep: *pre: (.*)$", info, re.M) for n in line.split()]
        first = f"/sbin/modprobe -qa {' '.join(needs)}; " if needs else ""
        lines.append(f"install {name} {first}/sbin/insmod /vm/modules/{name}.ko $CMDLINE_OPTS")
        lines.append(f"remove {name} /sbin/rmmod {name}")
    return "\n".join(lines) + "\n"


class Build:
    """What the guests of one call share: modules for each kernel, and jbdctl."""

    def __init__(self, parts, kernels, only=(), make_args=(), patch=None):
        self.modules = {}
        with Locked(os.path.join(parts.build, "lock")):
            jbdctl = make_jbdctl(parts, patch) if not only or "jbdctl" in only else None
            for kernel in kernels:
                # A copy, since the next call may build while this one's guests have not started.
                self.modules[kernel] = []
                for ko in make_modules(parts, kernel, only, make_args, patch):
                    with open(ko, "rb") as f:
                        self.modules[kernel].append((ko, f.read()))
            self.modprobe = {k: modprobe_conf([ko for ko, _ in self.modules[k]]) for k in kernels}
            self.tool = None
            if jbdctl:
                with open(jbdctl, "rb") as f:
                    self.tool = f.read()

    def payload(self, kernel, work, script, env, share):
        """Write the disk image that carries everything of this call into the guest; return its path."""
        tree = os.path.join(work, "payload")
        os.makedirs(os.path.join(tree, "modules"))
        os.makedirs(os.path.join(tree, "bin"))

        def put(name, data, mode=0o644):
            with open(os.path.join(tree, name), "wb") as f:
                f.write(data if isinstance(data, bytes) else data.encode())
            os.chmod(f.name, mode)

        for ko, data in self.modules[kernel]:
            put("modules/" + os.path.basename(ko), data)
        put("modprobe.conf", self.modprobe[kernel])
        if self.tool:
            put("bin/jbdctl", self.tool, 0o755)
        put("script", script, 0o755)
        put("env", "".join(f"{k}={v}\n" for k, v in env.items()))
        shutil.copy(os.path.join(HERE, "guest/init"), os.path.join(tree, "init"))
        shutil.copy(os.path.join(HERE, "guest/start-udev"), os.path.join(tree, "bin/start-udev"))
        shutil.copy(os.path.join(HERE, "bad-lines"), tree)
        if os.path.isdir(CASES):
            shutil.copytree(CASES, os.path.join(tree, "cases"))
        if share:
            shutil.copytree(share, os.path.join(tree, "share"), symlinks=True)
        image = os.path.join(work, "payload.img")
        size = int(subprocess.run(["du", "-sm", tree], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[0])
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", tree, image,
                        f"{size + size // 8 + 8}M"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(tree)
        return image
