# SPDX-License-Identifier: GPL-2.0-only
"""seeds.py OUTDIR: each image of tests/corpus as an input of fuzz_recover, to be sealed again and as it is.

An input is a byte of flags (what is sealed again: 1 superblocks, 2 descriptors, 4 payload), the length in sectors (2
bytes), and rows: where (3 bytes, in units of 16 bytes), how often, how many bytes (1 byte each), the bytes.
"""
import os
import sys

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../corpus")
sys.path.insert(0, CORPUS)
sys.dont_write_bytecode = True
import image    # noqa: E402

MOST_SECTORS = 2048


def encode(path):
    data = bytes(image.load(path))
    rows = bytearray(min(len(data) // image.SECTOR, MOST_SECTORS).to_bytes(2, "little"))
    for at, row, times in image.rows(data, bytes(len(data))):
        rows += (at // 16).to_bytes(3, "little") + bytes([times, len(row)]) + row
    return rows


for name in os.listdir(os.path.join(CORPUS, "images")):
    if name.endswith(".img"):
        text = encode(os.path.join(CORPUS, "images", name))
        for flags in (0, 7):
            with open(os.path.join(sys.argv[1], f"{name[:-4]}-{flags}"), "wb") as file:
                file.write(bytes([flags]) + text)
