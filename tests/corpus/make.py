# SPDX-License-Identifier: GPL-2.0-only
"""make.py [--check]: write images/NAME.img and images/NAME.expect of every class; or see that they are as written.

Always true: what is expected comes from who wrote the class, never from a reader. Images that other software made
(images/made-*) are left alone.
"""
import os
import sys
import tempfile

import broken_records    # each registers its images
import broken_supers
import good
import image
from classes import IMAGES

HERE = os.path.dirname(os.path.abspath(__file__))
BASES = ("records", "descriptors", "barrier", "lap-end", "unit8", "wrap")
assert good and broken_records and broken_supers


def write(directory, name, entry):
    path = os.path.join(directory, name + ".img")
    image.dump(path, entry.what, bytearray(entry.device))
    if not entry.golden:
        best = os.path.getsize(path)
        for base in BASES:
            trial = path + ".trial"
            image.dump(trial, entry.what, bytearray(entry.device), IMAGES[base].device, base)
            if os.path.getsize(trial) < best:
                best = os.path.getsize(trial)
                os.replace(trial, path)
            else:
                os.remove(trial)
    with open(os.path.join(directory, name + ".expect"), "w", encoding="ascii") as file:
        file.write(f"verify {entry.verify}\nrecords {entry.handed}\n"
                   f"good {'-' if entry.keep is None else entry.keep}\nkernel {entry.kernel}\nhome {entry.home}\n")
        if entry.golden:
            file.write("golden yes\n")


def write_all(directory):
    for golden in (True, False):        # others start from golden ones
        for name, entry in IMAGES.items():
            if entry.golden == golden:
                write(directory, name, entry)


def check(directory):
    """Names of the files of @directory that are not as they would be written."""
    with tempfile.TemporaryDirectory() as fresh:
        write_all(fresh)
        names = set(os.listdir(fresh)) | {name for name in os.listdir(directory)
                                          if name.endswith((".img", ".expect")) and not name.startswith("made-")}
        return sorted(name for name in names if not same(os.path.join(fresh, name), os.path.join(directory, name)))


def same(a, b):
    if not os.path.exists(a) or not os.path.exists(b):
        return False
    with open(a, "rb") as one, open(b, "rb") as other:
        return one.read() == other.read()


if __name__ == "__main__":
    images = os.path.join(HERE, "images")
    if sys.argv[1:] == ["--check"]:
        sys.exit("".join(f"not as it would be made: images/{name}\n" for name in check(images)) or None)
    write_all(images)
