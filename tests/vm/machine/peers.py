# SPDX-License-Identifier: GPL-2.0-only
"""Peers that no Debian kernel package brings."""
import os
import subprocess

from .build import CACHE, Locked

WRITEBOOST = "dm-writeboost 2.2.17"


def make_writeboost(parts, kernel):
    """The module from Debian's package of its source, or None and why not."""
    work = os.path.join(CACHE, f"writeboost-{kernel}")
    ko, log = os.path.join(work, "src/dm-writeboost.ko"), os.path.join(work, "log")
    with Locked(os.path.join(parts.build, "writeboost.lock")):
        if not os.path.exists(log):
            os.makedirs(work, exist_ok=True)
            with open(log + ".new", "w") as out:
                subprocess.run(f"apt-get download dm-writeboost-dkms && dpkg -x dm-writeboost-dkms_*.deb . && "
                               f"cp -r usr/src/dm-writeboost-* src && make -C {parts.headers(kernel)} M={work}/src "
                               "CONFIG_DEBUG_INFO_BTF_MODULES= modules", shell=True, cwd=work, stdout=out, stderr=out)
            os.rename(log + ".new", log)
    if os.path.exists(ko):
        return ko, None
    with open(log) as f:
        errors = [line.strip().split("error: ", 1)[1] for line in f if "error: " in line]
    return None, errors[0] if errors else "its package could not be had"
