# SPDX-License-Identifier: GPL-2.0-only
"""The tables and checksums of docs/format.md.

Always true: every offset, size and constant comes from the document at run time; nothing of the C source is read.
"""
import os

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/format.md")


def read_tables():
    """({struct: {field: (offset, size)}}, {constant: value}) as the document has them."""
    structs, constants, name = {}, {}, None
    with open(DOCUMENT, encoding="utf-8") as document:
        for line in document:
            if line.startswith("#"):
                name = line.split()[2] if line.startswith("### struct ") else None
            if not line.startswith("|"):
                continue
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if name and cells[0].isdigit():
                size = int(cells[1]) if cells[1].isdigit() else 0
                structs.setdefault(name, {})[cells[3]] = (int(cells[0]), size)
            elif cells[0].isupper() and cells[0][0] in "IJ":
                constants[cells[0]] = int(cells[1], 0)
    return structs, constants


STRUCTS, CONSTANTS = read_tables()
SECTOR = CONSTANTS["JFMT_SECTOR"]


def number(block, struct, field):
    offset, size = STRUCTS[struct][field]
    return int.from_bytes(block[offset:offset + size], "little")


def text(block, struct, field):
    offset, size = STRUCTS[struct][field]
    return bytes(block[offset:offset + size])


def without(block, struct, field):
    """The block with the field taken as 0."""
    offset, size = STRUCTS[struct][field]
    return block[:offset] + bytes(size) + block[offset + size:]


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82f63b78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc(seed, data):
    table = _TABLE
    for byte in data:
        seed = (seed >> 8) ^ table[(seed ^ byte) & 0xff]
    return seed


def seed_of(nonce):
    return 0xffffffff ^ (nonce & 0xffffffff) ^ (nonce >> 32)


def payload_crc(seed, data):
    for at in range(0, len(data), SECTOR):
        even, odd = (b"".join(data[i:i + 8] for i in range(at + first, at + SECTOR, 16)) for first in (0, 8))
        odd = crc(0, odd)
        turned = (odd << 14 | odd >> 18) & 0xffffffff
        seed = crc(crc(seed, even), turned.to_bytes(4, "little"))
    return seed


assert crc(0xffffffff, b"123456789") == 0x1cf96d7c
