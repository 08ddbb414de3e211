# SPDX-License-Identifier: GPL-2.0-only
"""image.py OUTDIR FILE.img..: make the image files that the text files describe.

The text of an image, line by line:

    # words               what it is
    size N                bytes
    from NAME             it starts as that other image of the same directory
    OFFSET HEX            these bytes
    OFFSET HEX xN         the same N times, one after the other

Always true: what no line names is zero, or as in the image that it starts from; so an image is its text, byte for byte.
"""
import os
import sys

ROW = 32
SECTOR = 512


def steps(path):
    """(size, None) and (offset, bytes), in order."""
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            if not words or words[0] == "#":
                continue
            if words[0] == "from":
                yield from steps(os.path.join(os.path.dirname(path), words[1] + ".img"))
            elif words[0] == "size":
                yield int(words[1]), None
            else:
                yield int(words[0]), bytes.fromhex(words[1]) * (int(words[2][1:]) if len(words) > 2 else 1)


def make(path, out):
    with open(out, "wb") as file:
        for at, data in steps(path):
            if data is None:
                file.truncate(at)
            else:
                file.seek(at)
                file.write(data)


def load(path):
    image = bytearray()
    for at, data in steps(path):
        if data is None:
            image = image[:at] + bytes(at - len(image[:at]))
        else:
            image[at:at + len(data)] = data
    return image


def rows(data, base):
    """Lines for what differs from @base, which is as long."""
    for at in range(0, len(data), SECTOR):
        sector, old = data[at:at + SECTOR], base[at:at + SECTOR]
        if sector == old:
            continue
        if len(sector) == SECTOR and sector == sector[:16] * 32:
            yield at, bytes(sector[:16]), 32
            continue
        for i in range(0, len(sector), ROW):
            if sector[i:i + ROW] != old[i:i + ROW]:
                yield at + i, bytes(sector[i:i + ROW]), 1


def dump(path, what, data, base=None, base_name=None):
    """Write the text of @data; with @base, as what differs from it."""
    old = bytearray(base if base else b"")[:len(data)]
    old += bytes(len(data) - len(old))
    with open(path, "w", encoding="ascii") as file:
        print(f"# {what}", file=file)
        if base_name:
            print(f"from {base_name}", file=file)
        if not base or len(base) != len(data):
            print(f"size {len(data)}", file=file)
        pending = None      # neighbouring sectors of one pattern are one line
        for at, row, times in rows(data, old):
            if pending and times > 1 and pending[1] == row and pending[0] + len(row) * pending[2] == at:
                pending = (pending[0], row, pending[2] + times)
                continue
            if pending:
                print_row(file, *pending)
            pending = (at, row, times)
        if pending:
            print_row(file, *pending)
    assert load(path) == data, path


def print_row(file, at, row, times):
    print(f"{at} {row.hex()}{f' x{times}' if times > 1 else ''}", file=file)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        make(name, os.path.join(sys.argv[1], os.path.basename(name)[:-len(".img")]))
